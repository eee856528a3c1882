"""Several files of one shape as one table, with a column that names the file of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Unpack

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.formatting import plural, shortened
from flowlab.tables.as_text import AsText, as_text
from flowlab.tables.cells import few, text_cells
from flowlab.tables.dialect import Written, sniff
from flowlab.tables.export import to_csv_lines
from flowlab.tables.feather import FEATHER, read_feather
from flowlab.tables.filetype import refuse_foreign, to_utf8
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.packed import holds_tables, members, unpacked
from flowlab.tables.parquet import PARQUET, read_parquet
from flowlab.tables.text import TextTable, read_text

SOURCE = "source_file"
"""The column that names the file a row came from; where the files have one of that name, a "_2" follows."""


def delimited(
    data: bytes,
    limits: Limits,
    **written: Unpack[Written],
) -> AsText | None:
    """A workbook, JSON records or an archive of several tables as text; None for what is none of them.

    `written` says how the tables of an archive are written, where that is not to be recognised.
    """
    if not holds_tables(data):
        return as_text(data, limits)
    files, left_out = members(data, limits)
    return stacked(files, limits, left_out, **written)


def stacked(
    files: Iterable[tuple[str, bytes]],
    limits: Limits,
    notes: Sequence[str] = (),
    **written: Unpack[Written],
) -> AsText:
    """Tables of the same columns, in whatever order, below each other as text; their cells stay as they are written.

    Parameters
    ----------
    files : name and content of each, as `read_table` takes it, but for archives of several
    limits : of all tables together
    notes : sentences that go before those on the files
    written : how texts are written, where that is not to be recognised in each

    Raises
    ------
    TableError
        For a file that is no table, and for one that differs from the first: one sentence with what differs.
    """
    tables: list[tuple[str, TextTable, str]] = []
    n_bytes = 0
    for name, data in files:
        try:
            text, sign = _cells(data, limits, written)
        except TableError as error:
            raise TableError(f"{shortened(name)}: {error}") from None
        if tables:
            _check_same(tables[0], (name, text, sign))
        n_bytes += sum(column.nbytes for column in text.columns)
        if n_bytes > limits.unpacked:
            raise TableError(f"The files are together larger than {limits.unpacked // 10**6} MB; choose fewer.")
        tables.append((name, text, sign))
    names = tables[0][1].names
    columns = [
        pa.chunked_array([chunk for _, text, _ in tables for chunk in _column(text, name).chunks], pa.large_string())
        for name in names
    ]
    sources = [pa.array([name], pa.large_string()) for name, _, _ in tables]
    of_rows = [source.take(pa.array([0] * len(text), pa.int32())) for source, (_, text, _) in zip(sources, tables)]
    source_name = SOURCE if SOURCE not in names else f"{SOURCE}_2"
    lines = to_csv_lines([*columns, pa.chunked_array(of_rows)], is_guarded=False)
    head = to_csv_lines([pa.chunked_array([[name]]) for name in (*names, source_name)], is_guarded=False)
    body = "\n".join([*head.to_pylist(), *lines.to_pylist(), ""]).encode()
    said = f"{plural(len(tables), 'file')} of one shape were stacked; the column {source_name} names the file of a row."
    changes = [f"{shortened(name)}: {change}" for name, text, _ in tables for change in text.changes][:20]
    signs = {sign for _, _, sign in tables if sign}
    return AsText(body, f"{plural(len(tables), 'table')}", (*notes, said, *changes), next(iter(signs), None), True)


def _cells(
    data: bytes,
    limits: Limits,
    written: Written,
) -> tuple[TextTable, str]:
    """The cells of one file, and its decimal sign where it is sure."""
    data = unpacked(data, limits)
    if not data.strip():
        raise TableError("the file is empty.")
    if data.startswith((PARQUET, FEATHER)):
        frame, changes = (read_parquet if data.startswith(PARQUET) else read_feather)(data, limits)
        return TextTable(tuple(map(str, frame)), tuple(written_cells(frame)), tuple(changes)), "."
    encoding, delimiter = written.get("encoding"), written.get("delimiter")
    found = as_text(data, limits)
    if found is not None:
        data, encoding, delimiter = found.text, "utf-8", ","
    else:
        refuse_foreign(data)
    data, _, _ = to_utf8(data, encoding)
    dialect = sniff(data, delimiter=delimiter, decimal=written.get("decimal"), header=written.get("header"))
    text = read_text(data, dialect, limits)
    if not len(text):
        raise TableError("the table has a header but no rows.")
    return text, dialect.decimal if dialect.decimal_is_sure else ""


def written_cells(frame: pd.DataFrame) -> list[pa.ChunkedArray]:
    """The columns of a frame as they would be written, empty where a value is missing."""
    return [pc.fill_null(text_cells(frame[name].astype("str")), "") for name in frame]


def _check_same(first: tuple[str, TextTable, str], other: tuple[str, TextTable, str]) -> None:
    """Raise TableError where two tables differ in columns or decimal sign."""
    (one, ours, our_sign), (two, theirs, their_sign) = first, other
    one, two = shortened(one), shortened(two)
    lacks = [name for name in ours.names if name not in theirs.names]
    beyond = [name for name in theirs.names if name not in ours.names]
    differs = [f"lacks {few(lacks)}"] * bool(lacks) + [f"has {few(beyond)} beside them"] * bool(beyond)
    if differs:
        raise TableError(
            f"The files differ: against the columns of {one}, {two} {' and '.join(differs)}; give all files the same "
            "columns, or choose fewer."
        )
    if our_sign and their_sign and our_sign != their_sign:
        signs = {".": "decimal points", ",": "decimal commas"}
        raise TableError(
            f"The files differ: {one} has {signs[our_sign]}, {two} {signs[their_sign]}; write all alike, or choose "
            "fewer."
        )


def _column(text: TextTable, name: str) -> pa.ChunkedArray:
    return text.columns[text.names.index(name)].cast(pa.large_string())
