"""The size limits of tables, and the error for files that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The largest table that is read, checked before its memory is allocated.

    Attributes
    ----------
    bytes : size of the file
    unpacked : bytes after decompression
    rows, columns, cells : shape of the table
    """

    bytes: int = 250_000_000
    unpacked: int = 500_000_000
    rows: int = 3_000_000
    columns: int = 2_000
    cells: int = 150_000_000


class TableError(ValueError):
    """Raised for what cannot be read as a table; its text is one sentence with the cause and a next step."""
