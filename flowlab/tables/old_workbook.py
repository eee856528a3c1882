"""Excel workbooks of before 2007 (.xls): the stream of cells in their container, checked before it is read.

The container is a Compound File ([MS-CFB]), its stream a sequence of BIFF records ([MS-XLS]).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from flowlab.formatting import count
from flowlab.tables.limits import TableError

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_CELLS = 10_000_000
"""Cells of a sheet, the empty ones between others included: a workbook keeps them all in memory at once."""
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_STREAMS = ("Workbook", "Book")
_CELLS = {0x0006, 0x0201, 0x0203, 0x0204, 0x0205, 0x00D6, 0x027E, 0x00FD, 0x00BD, 0x00BE}
"""Records that begin with a row and a column: formulas, blanks, numbers, texts, truth values."""
_MANY_CELLS = {0x00BD, 0x00BE}
_DIMENSIONS, _TEXTS, _PASSWORD, _BEGIN = 0x0200, 0x00FC, 0x002F, 0x0809
DAMAGED = "The workbook is damaged; open it and save it again as .xlsx or CSV."


def is_old_workbook(data: bytes) -> bool:
    """Whether these are the bytes of an old workbook, or of a new one that a password locks."""
    if not data.startswith(COMPOUND):
        return False
    return any(name.encode("utf-16-le") + b"\0\0" in data for name in (*_STREAMS, "EncryptedPackage"))


def checked(data: bytes) -> bytes:
    """The workbook with nothing in it but its stream of cells, none of which asks for more memory than it may.

    Raises TableError, one sentence, where it is damaged, locked, or spans too many cells.
    """
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise TableError("The workbook is locked with a password; save it without one.")
    try:
        stream = _stream(data)
        _check(stream)
    except TableError:
        raise
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise TableError(DAMAGED) from error
    return compound(stream)


def _stream(data: bytes) -> bytes:
    """The stream of cells of a Compound File."""
    sector, mini = 1 << struct.unpack_from("<H", data, 30)[0], 1 << struct.unpack_from("<H", data, 32)[0]
    if sector not in (512, 4096) or mini != 64:
        raise ValueError("sizes of sectors")
    directory, cutoff, mini_fat, _, more, _ = struct.unpack_from("<I4xIIIII", data, 48)

    def at(number: int) -> bytes:
        return data[sector * (number + 1) : sector * (number + 2)]

    def numbers(content: bytes) -> list[int]:
        return list(struct.unpack(f"<{len(content) // 4}I", content[: len(content) // 4 * 4]))

    sectors, seen = list(struct.unpack_from("<109I", data, 76)), 0
    while more < _FAT:
        *listed, more = numbers(at(more))
        sectors, seen = sectors + listed, seen + 1
        if seen > len(data) // sector:
            raise ValueError("a list without end")
    fat = [following for number in sectors if number < _FAT for following in numbers(at(number))]

    def chain(start: int, links: list[int]) -> Iterator[int]:
        passed = 0
        while start < _FAT:
            yield start
            start, passed = links[start], passed + 1
            if passed > len(links):
                raise ValueError("a chain without end")

    entries = b"".join(map(at, chain(directory, fat)))
    found: dict[str, tuple[int, int]] = {}
    for place in range(0, len(entries) - 127, 128):
        n_bytes, kind = struct.unpack_from("<HB", entries, place + 64)
        start, size = struct.unpack_from("<II", entries, place + 116)
        name = entries[place : place + max(min(n_bytes, 64) - 2, 0)].decode("utf-16-le", "replace")
        if kind in (2, 5):
            found.setdefault("" if kind == 5 else name, (start, size))
    start, size = next(found[name] for name in _STREAMS if name in found) if set(_STREAMS) & set(found) else (_END, 0)
    if size >= cutoff:
        return b"".join(map(at, chain(start, fat)))[:size]
    small = b"".join(map(at, chain(found[""][0], fat))) if "" in found else b""
    links = numbers(b"".join(map(at, chain(mini_fat, fat))))
    return b"".join(small[64 * number : 64 * (number + 1)] for number in chain(start, links))[:size]


def _check(stream: bytes) -> None:
    """Raise TableError where a record asks for more than there can be."""
    position = last_row = last_column = n_records = 0
    while position + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, position)
        body, position, n_records = stream[position + 4 : position + 4 + size], position + 4 + size, n_records + 1
        if n_records == 1 and kind & 0xFF != 0x09:
            raise ValueError("no workbook")
        if kind == _PASSWORD:
            raise TableError("The workbook is locked with a password; save it without one.")
        if kind == _BEGIN:
            last_row = last_column = 0
        elif kind in _CELLS:
            row, column = struct.unpack_from("<HH", body)
            last_row = max(last_row, row)
            last_column = max(last_column, column + (size // 2 if kind in _MANY_CELLS else 0))
        elif kind == _DIMENSIONS and size >= 14:
            _, row, _, column = struct.unpack_from("<IIHH", body)
            last_row, last_column = max(last_row, row), max(last_column, column)
        elif kind == _TEXTS and struct.unpack_from("<I", body, 4)[0] > len(stream):
            raise ValueError("more texts than bytes")
        if (last_row + 1) * (last_column + 1) > MAX_CELLS:
            raise TableError(
                f"A sheet of the workbook spans {count(last_row + 1)} rows of {count(last_column + 1)} columns, more "
                f"than {count(MAX_CELLS)} cells; save it as CSV or Parquet."
            )
    if not n_records:
        raise ValueError("nothing in it")


def compound(stream: bytes) -> bytes:
    """A Compound File that holds a stream of cells and nothing else."""
    stream = stream.ljust(4096, b"\0")
    n = -(-len(stream) // 512)
    n_fat = 1
    while n_fat * 128 < n + 1 + n_fat + (max(n_fat - 109, 0) + 126) // 127:
        n_fat += 1
    n_more = (max(n_fat - 109, 0) + 126) // 127
    first_fat = n + 1
    fat_places = [*range(first_fat, first_fat + n_fat)]
    fat = [*range(1, n), _END, _END, *[_FAT] * n_fat, *[0xFFFFFFFC] * n_more]
    fat += [_FREE] * (n_fat * 128 - len(fat))
    header = COMPOUND + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIII", 0, n_fat, n, 0, 4096, _END, 0)
    header += struct.pack("<II", first_fat + n_fat if n_more else _END, n_more)
    listed = fat_places[:109] + [_FREE] * (109 - len(fat_places[:109]))
    rest = fat_places[109:]
    more = b""
    for i in range(n_more):
        piece = rest[127 * i : 127 * (i + 1)]
        after = first_fat + n_fat + i + 1 if i + 1 < n_more else _END
        more += struct.pack("<128I", *piece, *[_FREE] * (127 - len(piece)), after)
    root = _entry("Root Entry", 5, child=1)
    book = _entry("Workbook", 2, start=0, size=len(stream))
    directory = (root + book).ljust(512, b"\0")
    return b"".join(
        [
            header,
            struct.pack("<109I", *listed),
            stream.ljust(512 * n, b"\0"),
            directory,
            struct.pack(f"<{len(fat)}I", *fat),
            more,
        ]
    )


def _entry(name: str, kind: int, child: int = _FREE, start: int = _END, size: int = 0) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    head = text.ljust(64, b"\0") + struct.pack("<HBBIII", len(text), kind, 1, _FREE, _FREE, child)
    return head + bytes(36) + struct.pack("<III", start, size, 0)
