"""Tables that come packed: gzip, and ZIP archives of tables. What a file says of its size is not believed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from flowlab.formatting import count, fixed, plural, shortened
from flowlab.tables.as_text import ZIP, is_workbook
from flowlab.tables.limits import Limits, TableError

GZIP = b"\x1f\x8b"
TABLE_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".gz", ".xlsx", ".xlsm", ".xls", ".ods"),
    *(".json", ".jsonl", ".ndjson", ".parquet", ".feather", ".arrow"),
)
"""How the names of tables end, in an archive and where files are chosen."""
MAX_FILES = 1_000
"""Tables in an archive, and entries that it lists for each."""
_PICTURES = (".png", ".jpg", ".jpeg", ".npy")
_ENTRY = b"PK\x01\x02"
"""What each entry of a ZIP's table of contents begins with."""


def holds_tables(data: bytes) -> bool:
    """Whether a file is an archive that lists tables and no pictures; a workbook is none."""
    names = [name.lower() for name in _listed(data)]
    return any(map(_is_table, names)) and not any(name.endswith(_PICTURES) for name in names)


def unpacked(data: bytes, limits: Limits) -> bytes:
    """The content of a gzip file or of a ZIP of one table, or the bytes themselves.

    Raises TableError where it is damaged or too large.
    """
    if holds_tables(data) and len(_tables(_listed(data))) == 1:
        ((_, data),) = members(data, limits)[0]
    if data[:2] != GZIP:
        return data
    data = _gunzip(data, limits)
    if data[:2] == GZIP:
        raise TableError("The gzip file holds another gzip file; unpack it once and choose the result.")
    return data


def members(data: bytes, limits: Limits) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Name and content of each table of an archive, in the order of their names, and a sentence on what was left out.

    Raises TableError for an archive that is damaged, locked, or unpacks to more than `limits`.
    """
    listed = _listed(data)
    chosen = _tables(listed)
    if len(chosen) > MAX_FILES:
        raise TableError(f"The archive holds {count(len(chosen))} tables, more than {count(MAX_FILES)}; pack fewer.")
    if len(set(chosen)) < len(chosen):
        raise TableError("Two tables of the archive have one name; pack them again.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = [archive.getinfo(name) for name in chosen]
        if any(info.flag_bits & 1 for info in found):
            raise TableError("The archive is locked with a password; pack it without one.")
        contents = list(contents_of(archive, found, limits.unpacked, "rows or columns"))
    n_others = sum(not name.endswith("/") for name in listed) - len(chosen)
    left_out = [f"{plural(n_others, 'file')} of the archive beside its tables went unread."] if n_others else []
    return list(zip(chosen, contents, strict=True)), left_out


def _listed(data: bytes) -> list[str]:
    """The names in an archive; none for what is no archive, a workbook, or a list without end."""
    if not data.startswith(ZIP) or data.count(_ENTRY) > MAX_FILES * 10 or is_workbook(data):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except Exception:  # zipfile and struct have a dozen ways to say that bytes are no archive
        return []


def _tables(names: list[str]) -> list[str]:
    """The tables among the names, sorted; a text such as a read-me is one only where there is no other."""
    tables = sorted(filter(_is_table, names))
    return [name for name in tables if not name.lower().endswith(".txt")] or tables


def _is_table(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    is_hidden = any(part.startswith(("._", "__MACOSX")) for part in parts)
    return not is_hidden and name.lower().endswith(TABLE_SUFFIXES)


def contents_of(archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo], most: int, fewer: str) -> Iterator[bytes]:
    """The bytes of each member; what the archive says of their sizes is not believed.

    Raises TableError where one is damaged, and where they are together more than `most` bytes: pack fewer `fewer`.
    """
    left = most
    for info in members:
        try:
            with archive.open(info) as member:
                content = member.read(left + 1)
        except Exception as error:  # a wrong checksum, a stream that ends, a header that is another's
            name = shortened(info.filename.replace("\n", " "), 60)
            raise TableError(f"{name} is damaged in the archive; pack it again.") from error
        left -= len(content)
        if left < 0:
            raise TableError(
                f"The archive unpacks to more than {fixed(most / 1e6, 0)} MB and was refused; pack fewer {fewer}."
            )
        yield content


def _gunzip(data: bytes, limits: Limits) -> bytes:
    unpacked, rest = bytearray(), memoryview(data)
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            while rest and not member.eof:
                unpacked += member.decompress(rest, 1 << 20)
                rest = memoryview(member.unconsumed_tail or member.unused_data)
                if len(unpacked) > limits.unpacked:
                    raise TableError(
                        f"The gzip file unpacks to more than {fixed(limits.unpacked / 1e6, 0)} MB and was refused; "
                        "keep fewer rows or columns."
                    )
            if not member.eof:
                raise TableError("The gzip file ends in the middle; download or pack it again.")
            if not rest[:64].tobytes().strip(b"\x00"):
                break  # padding after the last member
    except zlib.error as error:
        raise TableError(f"The gzip file is damaged ({error}); download or pack it again.") from None
    return bytes(unpacked)
