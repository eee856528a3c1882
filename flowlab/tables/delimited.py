"""Delimited text parsed into a DataFrame in one pass; comments, names and text cells are handled around it."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from flowlab.tables.cells import MISSING_TEXTS, READ_AS_DATES, iso_stamps, read_column, text_cells
from flowlab.tables.dialect import Dialect
from flowlab.tables.limits import TableError
from flowlab.tables.segments import Segment, count_byte, put_together

if TYPE_CHECKING:
    from flowlab.tables.limits import Limits

PIECE_CELLS = 450_000
MIN_PIECE_ROWS = 8_192
MAX_SHORT_ROWS_BYTES = 30_000_000
"""Largest table searched for short rows: telling them from rows with holes takes a second, slower parser."""


def read_delimited(
    data: bytes, dialect: Dialect, missing_codes: Sequence[str | float], limits: Limits
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The frame of a delimited text, what was changed, and what a person should check.

    Parameters
    ----------
    data : UTF-8 text without byte order mark
    dialect : how the text is written, from `sniff`
    missing_codes : cells that mean a missing value besides the usual ones
    limits : the largest table that is read

    Returns
    -------
    frame : columns of float, integer, bool, datetime64[ns] or str
    changes, cautions : one sentence each

    Raises
    ------
    TableError
        Where the table is larger than `limits`, or a line does not fit; the sentence names the line.
    """
    before: list[str] = []
    data = _without_comments(data, dialect, before)
    n_lines = _check_shape(data, dialect, limits)
    missing = spellings(missing_codes)
    frame = _parse(data, dialect, missing, n_lines)
    if has_empty_rows(frame):
        # pandas skips blank lines but keeps lines of nothing but delimiters, as spreadsheets leave them
        mark = re.escape(dialect.delimiter.encode())
        empty = rb"(?:^|(?<=[\r\n]))(?:" + mark + rb"|[ \t])+(?=[\r\n]|$)"
        data = data[: dialect.body] + re.sub(empty, b"", data[dialect.body :])
        n_before, frame = len(frame), _parse(data, dialect, missing, n_lines)
        if len(frame) < n_before:
            before.append(f"{n_before - len(frame):,} rows without any value were dropped.")
    frame, changes, cautions = finish(frame, dialect, missing, before)
    if len(frame) and frame.iloc[:, -1].isna().any():
        cautions += _short_rows(data, dialect)
    return frame, changes, cautions


def has_empty_rows(frame: pd.DataFrame) -> bool:
    """Whether a parsed table has rows without any value."""
    return frame.shape[1] > 1 and bool(frame[0].isna().any()) and bool(frame.isna().all(axis=1).any())


def finish(
    frame: pd.DataFrame, dialect: Dialect, missing: frozenset[str], before: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The parsed table with unique names and typed columns, all changes, and what a person should check.

    Parameters
    ----------
    frame : the table as parsed, its columns numbered from 0
    dialect : how the text is written
    missing : texts that mean a missing value besides the usual ones
    before : changes made before parsing, which are reported too
    """
    changes: list[str] = []
    cautions: list[str] = []
    if dialect.n_skipped:
        changes.append(f"{dialect.n_skipped:,} lines above the table were skipped.")
    changes += before
    names = _sound_names(dialect.names, changes)
    frame.columns = pd.Index(names, dtype=object)
    empty = [name for name, original in zip(names, dialect.names) if not original.strip() and frame[name].isna().all()]
    if empty and len(empty) < len(names):
        frame = frame.drop(columns=empty)
        changes.append(f"{len(empty)} columns without name and values were dropped.")
    codes = {names[position] for position in dialect.text_columns}
    frame = _tidy_columns(frame, dialect, missing, codes, changes, cautions)
    return frame, changes, cautions


def _without_comments(data: bytes, dialect: Dialect, changes: list[str]) -> bytes:
    """The text with its comment lines blanked, so that line numbers stay the same; marks inside quotes are kept."""
    if not dialect.comment or dialect.comment.encode() not in data:
        return data
    mark, quote = dialect.comment.encode(), dialect.quotechar.encode()
    pieces, position, n_quotes, n_comments = [], 0, 0, 0
    for match in re.finditer(rb"(?:^|(?<=[\r\n]))" + re.escape(mark) + rb"[^\r\n]*", data):
        n_quotes += data.count(quote, position, match.start())
        if n_quotes % 2:
            n_quotes += data.count(quote, match.start(), match.end())
            pieces.append(data[position : match.end()])
        else:
            pieces.append(data[position : match.start()] + b" " * (match.end() - match.start()))
            n_comments += 1
        position = match.end()
    if n_comments:
        changes.append(f"{n_comments:,} comment lines starting with {dialect.comment} were skipped.")
    return b"".join([*pieces, data[position:]])


def _check_shape(data: bytes, dialect: Dialect, limits: Limits) -> int:
    """Number of lines, an upper bound of the rows. Raises TableError for a table larger than `limits`."""
    width = len(dialect.names)
    if width > limits.columns:
        raise TableError(f"The table has {width:,} columns, more than {limits.columns:,}; keep those that matter.")
    n_lines = count_byte(data, b"\n" if b"\n" in data[:100_000] else b"\r") + 1
    if n_lines > limits.rows or n_lines * width > limits.cells:
        allowed = min(limits.rows, limits.cells // width)
        raise TableError(
            f"The table has about {n_lines:,} rows of {width:,} columns, more than the {allowed:,} rows that fit; "
            "take a sample of the rows."
        )
    return n_lines


def spellings(codes: Sequence[str | float]) -> frozenset[str]:
    """The texts by which codes of missing values may be written: -999 also as -999.0 and -999.00."""
    return frozenset(text for code in codes for text in _spellings(code))


def _spellings(code: str | float) -> set[str]:
    text = str(code).strip()
    try:
        value = float(text)
    except ValueError:
        return {text}
    return {text, repr(value), f"{value:g}", f"{value:.1f}", f"{value:.2f}"}


def parse_options(dialect: Dialect, missing: frozenset[str]) -> dict:
    """Keyword arguments of `pandas.read_csv` for a dialect."""
    width = len(dialect.names)
    return {
        "sep": r"\s+" if dialect.delimiter == " " else dialect.delimiter,
        "quotechar": dialect.quotechar,
        "escapechar": dialect.escapechar,
        "decimal": dialect.decimal,
        "header": None,
        "names": range(width),
        "index_col": False,
        "na_values": sorted({spelling for text in MISSING_TEXTS | missing for spelling in (text, text.upper())}),
        "skip_blank_lines": width > 1,
        "encoding": "utf-8",
        "dtype": dict.fromkeys(dialect.text_columns, "str"),
    }


@contextlib.contextmanager
def strict_parsing() -> Iterator[None]:
    """Context in which pandas raises for lines that do not fit and does not warn about columns of several types."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        warnings.simplefilter("error", pd.errors.ParserWarning)
        yield


def _parse(data: bytes, dialect: Dialect, missing: frozenset[str], n_lines: int) -> pd.DataFrame:
    options = parse_options(dialect, missing)
    with strict_parsing():
        try:
            frame = _parse_in_pieces(data, dialect, options, n_lines)
            return _parse_whole(data, dialect, options) if frame is None else frame
        except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
            raise TableError(_explain(str(error), data, dialect)) from None


def _parse_in_pieces(data: bytes, dialect: Dialect, options: dict, n_lines: int) -> pd.DataFrame | None:
    """A large table without a second copy of it; None for a small one, and where the pieces disagree about types."""
    n_rows = max(MIN_PIECE_ROWS, PIECE_CELLS // len(dialect.names))
    if n_lines < 2 * n_rows:
        return None

    def parse(text: Segment) -> Iterator[pd.DataFrame]:
        with pd.read_csv(text, chunksize=n_rows, low_memory=False, **options) as pieces:
            yield from (with_dates(piece, dialect) for piece in pieces)

    try:
        return put_together(data, dialect.body, parse, divisible=dialect.escapechar is None)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning):
        return None


def with_dates(piece: pd.DataFrame, dialect: Dialect) -> pd.DataFrame:
    """The piece with its columns of ISO dates as datetime64[ns], so that their texts need not be kept."""
    for index in piece.select_dtypes("str").columns.difference(dialect.text_columns):
        stamps = iso_stamps(text_cells(piece[index]))
        if stamps is not None:
            piece[index] = stamps
    return piece


def _parse_whole(data: bytes, dialect: Dialect, options: dict) -> pd.DataFrame:
    frame = pd.read_csv(Segment(data, dialect.body), **options)
    mixed = [index for index in frame if frame[index].dtype == object]
    if mixed:  # chunks disagreed about the type: read these columns again, as text
        again = pd.read_csv(
            Segment(data, dialect.body), **options | {"usecols": mixed, "dtype": dict.fromkeys(mixed, "str")}
        )
        for index in mixed:
            frame[index] = again[index]
    return frame


def _explain(message: str, data: bytes, dialect: Dialect) -> str:
    width = len(dialect.names)
    match = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if match:
        line = int(match[2]) + dialect.body_line - 1
        return f"Line {line:,} has {match[3]} cells where {width} were expected; quote cells that hold the delimiter."
    match = re.search(r"EOF inside string starting at row (\d+)", message)
    if match:
        line = int(match[1]) + dialect.body_line
        return f"A quote opened in line {line:,} is never closed; close it or remove it."
    if "Length of header" in message:
        cells = _split_line(data[dialect.body : dialect.body + 100_000], dialect)
        return f"Line {dialect.body_line:,} has {cells} cells where {width} were expected; check the first data row."
    if "No columns" in message:
        return "The table has a header but no rows; choose a file with data rows."
    return f"The rows cannot be told apart ({message.strip()}); save the table again as plain CSV."


def _split_line(data: bytes, dialect: Dialect) -> int:
    lines = io.StringIO(data.decode("utf-8", "replace"), newline=None)
    return len(next(csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quotechar), []))


def _short_rows(data: bytes, dialect: Dialect) -> list[str]:
    """Rows with fewer cells than the header; looked for only when the last column has holes."""
    if len(data) > MAX_SHORT_ROWS_BYTES or dialect.delimiter == " ":
        return []
    text = io.StringIO(data[dialect.body :].decode("utf-8", "replace"), newline=None)
    reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quotechar, escapechar=dialect.escapechar)
    short, width = [], len(dialect.names)
    csv.field_size_limit(10_000_000)
    for cells in reader:
        if 0 < len(cells) < width and any(cell.strip() for cell in cells):
            short.append(reader.line_num + dialect.body_line - 1)
    if not short:
        return []
    return [
        f"{len(short):,} rows are shorter than the header (first in line {short[0]:,}); "
        "their last cells count as missing."
    ]


def _sound_names(names: Sequence[str], changes: list[str]) -> list[str]:
    """Blank names become "column 3", repeated ones "a (2)"; line breaks and control characters become blanks."""
    sound: list[str] = []
    n_blank = n_repeated = 0
    taken: set[str] = set()
    for position, name in enumerate(names, start=1):
        plain = " ".join(re.sub(r"[\x00-\x1f\x7f\u200b\ufeff]", " ", name).split())[:200]
        n_blank += not plain
        plain = plain or f"column {position}"
        unique, number = plain, 2
        while unique in taken:
            unique, number = f"{plain} ({number})", number + 1
        n_repeated += unique != plain
        taken.add(unique)
        sound.append(unique)
    if n_blank == len(names):
        changes.append("There is no header line; columns are called by their position.")
    elif n_blank:
        changes.append(f"{n_blank} columns without a name are called by their position.")
    if n_repeated:
        changes.append(f"{n_repeated} repeated column names got a number.")
    return sound


def _tidy_columns(
    frame: pd.DataFrame,
    dialect: Dialect,
    missing: frozenset[str],
    codes: set[str],
    changes: list[str],
    cautions: list[str],
) -> pd.DataFrame:
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if dialect.has_header and texts:
        repeated = np.logical_and.reduce([frame[name].eq(name).fillna(False).to_numpy(bool) for name in texts])
        if repeated.any():
            frame = frame[~repeated].reset_index(drop=True)
            changes.append(f"{int(repeated.sum()):,} repeated header lines inside the table were dropped.")
    for name in texts:
        if frame[name].dtype.kind == "M":
            changes.append(f"{name}: {READ_AS_DATES}.")
            continue
        reading = read_column(frame[name], dialect.decimal, missing, keep_text=name in codes)
        changes += [f"{name}: {change}." for change in reading.changes]
        cautions += [f"{name}: {warning}." for warning in reading.warnings]
        frame[name] = reading.values
    return frame
