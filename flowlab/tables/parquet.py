"""Read Parquet files; sizes are checked on the file's metadata, and again batch by batch while it is unpacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from flowlab.formatting import count, fixed, plural
from flowlab.tables.limits import TableError

if TYPE_CHECKING:
    import pyarrow as pa

    from flowlab.tables.limits import Limits


PARQUET = b"PAR1"
"""What a Parquet file begins with."""


def read_parquet(data: bytes, limits: Limits) -> tuple[pd.DataFrame, list[str]]:
    """The frame of a Parquet file, and one sentence for each thing left out or changed.

    Raises TableError for a damaged file, one beyond `limits`, and one without a column of numbers, dates or text.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        index = pq.ParquetFile(pa.BufferReader(data))
        schema, facts = index.schema_arrow, index.metadata
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError(f"The Parquet file is damaged ({first_line(error)}); write or download it again.") from None
    if facts.num_rows > limits.rows or facts.num_rows * len(schema.names) > limits.cells:
        raise TableError(
            f"The table has {count(facts.num_rows)} rows of {count(len(schema.names))} columns, too many; take "
            "a sample."
        )
    kept, changes = plain_columns(schema, "Parquet", limits)
    try:
        table = _read_batches(data, kept, schema, limits)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"The Parquet file is damaged ({first_line(error)}); write or download it again.") from None
    return frame_of(table, kept), changes


def plain_columns(schema: pa.Schema, kind: str, limits: Limits) -> tuple[list[str], list[str]]:
    """Names of the columns of numbers, dates and text, and a sentence on the others; `kind` names the file.

    Raises TableError where there are too many, none, or two of one name.
    """
    if len(schema.names) > limits.columns:
        raise TableError(
            f"The table has {count(len(schema.names))} columns, more than {count(limits.columns)}; keep those "
            "that matter."
        )
    repeated = [name for i, name in enumerate(schema.names) if name in schema.names[:i]]
    if repeated:
        raise TableError(f"Two columns of the {kind} file are called {repeated[0][:80]!r}; rename one of them.")
    changes: list[str] = []
    kept = [name for name in schema.names if _is_plain(schema.field(name).type)]
    left = [name for name in schema.names if name not in kept]
    if left:
        changes.append(f"Left out: {plural(len(left), 'column')} of lists, records or bytes ({', '.join(left[:3])}).")
    if not kept:
        raise TableError(f"No column of the {kind} file holds numbers, dates or text; flatten it first.")
    return kept, changes


def frame_of(table: pa.Table, kept: list[str]) -> pd.DataFrame:
    """The frame of an Arrow table with the columns `kept`, in the types that tables have here."""
    frame = pd.DataFrame({name: _to_pandas(table.column(i)) for i, name in enumerate(kept)})
    frame.columns = pd.Index([str(name) for name in kept], dtype=object)
    return frame


def _is_plain(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    if t.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return any(
        check(kind)
        for check in (
            t.is_integer, t.is_floating, t.is_boolean, t.is_string, t.is_large_string, t.is_string_view, t.is_timestamp,
            t.is_date, t.is_decimal, t.is_duration, t.is_time, t.is_null,
        )
    )  # fmt: skip


def _read_batches(data: bytes, kept: list[str], schema: pa.Schema, limits: Limits) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyarrow.types as t

    # text stays a dictionary while it unpacks: one long cell repeated a million times stays one cell
    texts = [
        name for name in kept if t.is_string(schema.field(name).type) or t.is_large_string(schema.field(name).type)
    ]
    file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts)
    batches, n_bytes = [], 0
    for batch in file.iter_batches(batch_size=65_536, columns=kept):
        n_bytes += sum(unpacked_size(column) for column in batch.columns)
        if n_bytes > limits.unpacked:
            raise TableError(
                f"The Parquet file unpacks to more than {fixed(limits.unpacked / 1e6, 0)} MB; keep fewer rows."
            )
        batches.append(batch)
    return (
        pa.Table.from_batches(batches, schema=batches[0].schema)
        if batches
        else pa.Table.from_batches([], schema=schema)
    )


def unpacked_size(column: pa.Array) -> int:
    """Bytes of a column, text of a dictionary counted as often as it stands there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.DictionaryArray):
        return column.nbytes
    kind = column.type.value_type
    if not pa.types.is_string(kind) and not pa.types.is_large_string(kind):
        return column.nbytes
    lengths = pc.binary_length(column.dictionary)
    return pc.sum(lengths.take(column.indices)).as_py() or 0


def _to_pandas(column: pa.ChunkedArray) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = column.type
    if t.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if t.is_decimal(kind):
        column = column.cast(pa.float64())
    elif t.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz and "UTC"), safe=False)
        return column.to_pandas().dt.tz_localize(None) if kind.tz else column.to_pandas()
    elif t.is_date(kind):
        column = column.cast(pa.timestamp("us"), safe=False)
    elif t.is_duration(kind):
        return column.to_pandas().dt.total_seconds()
    elif t.is_time(kind):
        column = column.cast(pa.string())
    elif t.is_integer(kind) and pc.any(pc.greater_equal(pc.abs(column.cast(pa.decimal128(20))), 2**53)).as_py():
        return column.cast(pa.string()).to_pandas().astype("str")  # an identifier: as a float it would lose digits
    elif t.is_boolean(kind) and column.null_count:
        return pc.utf8_capitalize(column.cast(pa.string())).to_pandas().astype("str")
    elif t.is_null(kind):
        column = column.cast(pa.float64())
    values = column.to_pandas()
    if t.is_string(column.type) or t.is_large_string(column.type):
        return values.astype("str")
    return values


def first_line(error: Exception) -> str:
    """What an error says, short."""
    return str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
