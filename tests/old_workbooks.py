"""Old workbooks (.xls) made by hand: BIFF8 records of one sheet, in the container that the library itself writes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from flowlab.tables.old_workbook import compound


def record(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def begin(kind: int) -> bytes:
    return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 0x0600))


def cell(row: int, column: int, value: object) -> bytes:
    """A number, true or false, or a text."""
    place = struct.pack("<HHH", row, column, 0)
    if isinstance(value, bool):
        return record(0x0205, place + struct.pack("<BB", value, 0))
    if isinstance(value, int | float):
        return record(0x0203, place + struct.pack("<d", value))
    text = str(value)
    return record(0x0204, place + struct.pack("<HB", len(text), 1) + text.encode("utf-16-le"))


def old_workbook(rows: Sequence[Sequence[object]], *more: bytes) -> bytes:
    """An .xls of one sheet; `more` are further records of it. Texts "" are empty cells."""
    return compound(old_stream(rows, *more))


def old_stream(rows: Sequence[Sequence[object]], *more: bytes) -> bytes:
    cells = [cell(i, j, value) for i, row in enumerate(rows) for j, value in enumerate(row) if value != ""]
    sheet = begin(0x0010) + b"".join([*cells, *more]) + record(0x000A)
    name = b"Rows"
    length = len(begin(0x0005)) + 4 + 8 + len(name) + 4
    bound = record(0x0085, struct.pack("<IBBBB", length, 0, 0, len(name), 0) + name)
    return begin(0x0005) + bound + record(0x000A) + sheet
