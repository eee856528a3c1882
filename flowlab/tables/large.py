"""Parse a large plain file from its path, in pandas' own threads, without holding its bytes beside the frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlab.tables import delimited
from flowlab.tables.dialect import Dialect, sniff
from flowlab.tables.filetype import SAMPLE_BYTES, refuse_foreign, to_utf8
from flowlab.tables.limits import TableError

if TYPE_CHECKING:
    from flowlab.tables.limits import Limits

MIN_BYTES = 16 * 2**20
"""Smallest file read this way: below it little time is saved."""
BLOCK = 1 << 18
"""Bytes examined at a time, so that they stay in the processor's cache."""


def read_straight(
    path: Path,
    missing_codes: Sequence[str | float],
    limits: Limits,
    delimiter: str | None,
    decimal: str | None,
    header: bool | None,
) -> tuple[Dialect, pd.DataFrame, list[str], list[str]] | None:
    """Dialect, frame, changes and cautions, as `read_delimited` gives them; None for a file that is not plain.

    Plain is large UTF-8 text without byte order mark, comments, escapes, carriage returns, rows without values, or
    columns that change their type between pieces. All other files are left to `read_delimited`, which names the line
    that is wrong. Parameters are those of `flowlab.tables.read.read_table`.
    """
    if path.stat().st_size < MIN_BYTES:
        return None
    head = _bytes_at_start(path, 2 * SAMPLE_BYTES)
    try:
        refuse_foreign(head)
        text, _, n_unreadable = to_utf8(head[: head.rfind(b"\n") + 1])
        dialect = sniff(head, delimiter=delimiter, decimal=decimal, header=header)
    except TableError:
        return None
    is_plain = head.startswith(text) and not (n_unreadable or dialect.comment or dialect.escapechar)
    # pandas counts lines within quotes as one
    is_plain &= dialect.body_line <= 2 or dialect.quotechar.encode() not in head[: dialect.body]
    if not text or not is_plain or not _fits(path, dialect, limits):
        return None
    missing = delimited.spellings(missing_codes)
    options = delimited.parse_options(dialect, missing) | {"skiprows": dialect.body_line - 1}
    try:
        with delimited.strict_parsing():
            frame = pd.read_csv(path, **options)
    except (ValueError, pd.errors.ParserWarning):  # a wrong line, or a byte that is no UTF-8, is among them
        return None
    if np.dtype(object) in set(frame.dtypes) or delimited.has_empty_rows(frame):
        return None
    if path.stat().st_size <= delimited.MAX_SHORT_ROWS_BYTES and frame.iloc[:, -1].isna().any():
        return None  # some rows may be short, which only `read_delimited` reports
    return (dialect, *delimited.finish(delimited.with_dates(frame, dialect), dialect, missing))


def _bytes_at_start(path: Path, n_bytes: int) -> bytes:
    with path.open("rb") as file:
        return file.read(n_bytes)


def _fits(path: Path, dialect: Dialect, limits: Limits) -> bool:
    """Whether the file holds neither zero bytes nor carriage returns, nor more lines than are read."""
    block, n_lines = bytearray(BLOCK), 1
    cells = np.frombuffer(block, np.uint8)
    with path.open("rb", buffering=0) as file:
        while n_read := file.readinto(block):
            if block.find(0, 0, n_read) >= 0 or block.find(13, 0, n_read) >= 0:
                return False
            n_lines += int(np.count_nonzero(cells[:n_read] == 10))
    width = len(dialect.names)
    return width <= limits.columns and n_lines <= limits.rows and n_lines * width <= limits.cells
