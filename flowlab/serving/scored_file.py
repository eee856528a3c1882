"""A scored CSV as an Excel workbook or as Parquet: its cells as numbers, dates and truth values, in bounded memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import IO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from flowlab.tables.cells import truth_of
from flowlab.tables.export import as_before, to_csv_bytes, to_csv_lines
from flowlab.tables.schema import ColumnSchema, infer, read
from flowlab.tables.workbook import write_workbook

BLOCK_BYTES = 16 * 2**20
FORMATS = ("csv", "xlsx", "parquet")
"""What a scored file can be, as its name ends."""
_TYPES = {"number": pa.float64(), "time": pa.timestamp("us"), "truth": pa.bool_(), "text": pa.string()}


def write_scored(
    csv: IO[bytes],
    columns: Mapping[str, ColumnSchema | None],
    sink: IO[bytes],
    format: str,
    rows: np.ndarray | None = None,
) -> None:
    """Write what `score_file` wrote in another format; only some rows where their numbers, ascending, are given.

    A workbook keeps a cell that does not fit its column as text; Parquet, whose columns have one type, leaves it empty.

    Parameters
    ----------
    csv : the scored file, at its beginning
    columns : `Summary.columns` of it
    format : one of `FORMATS`

    Raises
    ------
    TableError
        For more rows than a sheet of Excel holds.
    """
    pieces = _pieces(csv, list(columns), rows)
    if format == "csv":
        sink.write(to_csv_bytes(pd.DataFrame(columns=list(columns))))
        for table in pieces:
            lines = to_csv_lines(table.columns, is_guarded=False)
            sink.write("".join(f"{line}\n" for line in lines.to_pylist()).encode())
        return None
    first = next(pieces)
    schemas = [schema or _found(name, cells) for (name, schema), cells in zip(columns.items(), first.columns)]
    tables = itertools.chain([first], pieces)
    if format == "xlsx":
        return write_workbook((_frame(table, schemas) for table in tables), sink)
    kinds = pa.schema([(schema.name, _TYPES[_kind(schema)]) for schema in schemas])
    with pq.ParquetWriter(sink, kinds) as writer:
        for table in tables:
            values = (_values(cells, schema) for cells, schema in zip(table.columns, schemas))
            arrays = [pa.array(column, kind, from_pandas=True) for column, kind in zip(values, kinds.types)]
            writer.write_table(pa.table(arrays, schema=kinds))
    return None


def _pieces(csv: IO[bytes], names: list[str], rows: np.ndarray | None) -> Iterator[pa.Table]:
    """The cells as texts, some thousand rows at a time; one piece at least."""
    where = [str(j) for j in range(len(names))]
    reader = pa_csv.open_csv(
        csv,
        read_options=pa_csv.ReadOptions(column_names=where, skip_rows=1, block_size=BLOCK_BYTES, use_threads=False),
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(where, pa.string()), strings_can_be_null=False
        ),
    )
    n_rows = 0
    is_first = True
    for batch in reader:
        table = pa.Table.from_batches([batch])
        wanted = slice(None) if rows is None else rows[(rows >= n_rows) & (rows < n_rows + len(table))] - n_rows
        n_rows += len(table)
        if rows is not None:
            table = table.take(pa.array(wanted))
        if len(table) or is_first:
            yield table
            is_first = False


def _found(name: str, cells: pa.ChunkedArray) -> ColumnSchema:
    """How a column is written that the detector ignores; text, unless its first cells leave no doubt."""
    schema = infer(name, cells).schema
    is_sure = schema.kind in ("number", "truth") or schema.formats == ("ISO8601",)
    return schema if is_sure else ColumnSchema(name, "text")


def _kind(schema: ColumnSchema) -> str:
    """What a column becomes: times of day and numbers with a unit stay as they are written."""
    return "text" if schema.kind == "clock" or schema.unit else schema.kind


def _values(cells: pa.ChunkedArray, schema: ColumnSchema) -> pd.Series:
    """The cells (n_rows,) as float64, datetime64 or objects; missing where they are blank or do not fit."""
    kind = _kind(schema)
    if kind == "text":
        return pd.Series([as_before(cell) or None for cell in cells.to_pylist()], dtype=object)
    if kind == "truth":
        return pd.Series([truth_of(cell) for cell in cells.to_pylist()], dtype=object)
    values = read(cells, schema).values
    return values.astype(np.float64) if kind == "number" else values


def _frame(table: pa.Table, schemas: list[ColumnSchema]) -> pd.DataFrame:
    """A piece with values where cells fit their columns, and texts where they do not."""
    columns = {}
    for cells, schema in zip(table.columns, schemas):
        values = _values(cells, schema)
        odd = np.flatnonzero(values.isna().to_numpy() & pc.not_equal(cells, "").to_numpy())
        if len(odd):
            values = values.astype(object)
            values.iloc[odd] = [as_before(text) for text in cells.take(pa.array(odd)).to_pylist()]
        columns[schema.name] = values
    return pd.DataFrame(columns)
