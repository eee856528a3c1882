"""What a file may hold at most, and the error that says in a sentence why a file cannot be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The largest table that is read, checked before memory is spent: bytes packed and unpacked, and its shape."""

    bytes: int = 250_000_000
    unpacked: int = 500_000_000
    rows: int = 3_000_000
    columns: int = 2_000
    cells: int = 150_000_000


class TableError(ValueError):
    """What cannot be read as a table: one sentence naming the trouble, and a next step."""
