"""Read Feather (Arrow IPC) files; what each batch unpacks to is added up from its metadata before it is unpacked.

Messages are laid out as https://arrow.apache.org/docs/format/Columnar.html says, tables of metadata as FlatBuffers.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from flowlab.formatting import count, fixed
from flowlab.tables.limits import TableError
from flowlab.tables.parquet import first_line, frame_of, plain_columns, unpacked_size

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from flowlab.tables.limits import Limits

FEATHER = b"ARROW1\x00\x00"
"""What a Feather file begins with; the rest up to its footer is an Arrow stream."""
_DICTIONARY, _RECORDS = 2, 3
"""Kinds of message with data."""


def read_feather(data: bytes, limits: Limits) -> tuple[pd.DataFrame, list[str]]:
    """The frame of a Feather file (version 2), and one sentence for each thing left out or changed.

    Raises TableError for a damaged file, one beyond `limits`, and one without a column of numbers, dates or text.
    """
    import pyarrow as pa

    try:
        _check_messages(data, limits)
        with pa.ipc.open_stream(pa.BufferReader(data[len(FEATHER) :])) as stream:
            kept, changes = plain_columns(stream.schema, "Feather", limits)
            batches, n_bytes = [], 0
            for batch in stream:
                batch.validate(full=True)  # offsets of a file of unknown origin may point anywhere
                batch = batch.select(kept)
                n_bytes += sum(map(unpacked_size, batch.columns))
                if n_bytes > limits.unpacked:
                    raise _too_large(limits)
                batches.append(batch)
            schema = pa.schema([stream.schema.field(name) for name in kept])
            return frame_of(pa.Table.from_batches(batches, schema), kept), changes
    except TableError:
        raise
    except (pa.ArrowException, OSError, ValueError, struct.error, IndexError, MemoryError) as error:
        raise TableError(f"The Feather file is damaged ({first_line(error)}); write or download it again.") from None


def _check_messages(data: bytes, limits: Limits) -> None:
    """Raise TableError where the rows are too many, or their buffers unpack to more than the limits say."""
    import pyarrow as pa

    n_rows = n_bytes = 0
    for message in pa.ipc.MessageReader.open_stream(pa.BufferReader(data[len(FEATHER) :])):
        rows, size = _extent(message.metadata.to_pybytes(), message.body)
        n_rows, n_bytes = n_rows + rows, n_bytes + size
        if n_bytes > limits.unpacked:
            raise _too_large(limits)
        if n_rows > limits.rows:
            raise TableError(f"The table has more than {count(limits.rows)} rows, too many; take a sample.")


def _extent(metadata: bytes, body: pa.Buffer | None) -> tuple[int, int]:
    """Rows of one message and bytes of its buffers once they are unpacked."""
    message = _follow(metadata, 0)
    kind = _field(metadata, message, 1)
    batch = _field(metadata, message, 2)
    if not kind or not batch or metadata[kind] not in (_DICTIONARY, _RECORDS) or body is None:
        return 0, 0
    is_records = metadata[kind] == _RECORDS
    batch = _follow(metadata, batch)
    if not is_records:
        data = _field(metadata, batch, 1)
        if not data:
            return 0, 0
        batch = _follow(metadata, data)
    length, buffers, packed = (_field(metadata, batch, i) for i in (0, 2, 3))
    n_rows = struct.unpack_from("<q", metadata, length)[0] if length else 0
    if n_rows < 0:
        raise TableError("The Feather file is damaged (a negative number of rows); write or download it again.")
    n_bytes = 0
    if buffers:
        first = _follow(metadata, buffers)
        for i in range(struct.unpack_from("<I", metadata, first)[0]):
            offset, size = struct.unpack_from("<qq", metadata, first + 4 + 16 * i)
            if packed and size >= 8:
                written = struct.unpack("<q", body.slice(offset, 8).to_pybytes())[0]
                size = size if written < 0 else written
            n_bytes += size
    return (n_rows if is_records else 0), n_bytes


def _follow(table: bytes, position: int) -> int:
    return position + struct.unpack_from("<I", table, position)[0]


def _field(table: bytes, position: int, number: int) -> int:
    """Where a field of the table at `position` stands, 0 where it is left at its default."""
    layout = position - struct.unpack_from("<i", table, position)[0]
    slot = 4 + 2 * number
    if layout < 0 or slot >= struct.unpack_from("<H", table, layout)[0]:
        return 0
    offset = struct.unpack_from("<H", table, layout + slot)[0]
    return position + offset if offset else 0


def _too_large(limits: Limits) -> TableError:
    return TableError(f"The Feather file unpacks to more than {fixed(limits.unpacked / 1e6, 0)} MB; keep fewer rows.")
