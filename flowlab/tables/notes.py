"""What is said of some rows of a table, as a value: notes on blocks of one file add up to the notes on the file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from flowlab.formatting import plural


@dataclass(frozen=True)
class Note:
    """A sentence about a number of rows.

    Attributes
    ----------
    before, after : the words around the count
    count : how many; None in a sentence that counts nothing, which is `before` alone
    noun : what is counted
    example : the first of them, which ends the sentence

    >>> print(Note("a has new values in ", 200, example=", such as 'x'") + Note("a has new values in ", 1))
    a has new values in 201 rows, such as 'x'.
    """

    before: str = ""
    count: int | None = None
    noun: str = "row"
    after: str = ""
    example: str = ""

    def __str__(self) -> str:
        if self.count is None:
            return self.before
        return f"{self.before}{plural(self.count, self.noun)}{self.after}{self.example}."

    def __add__(self, other: Note) -> Note:
        """The same note on the rows of both."""
        return self if self.count is None else replace(self, count=self.count + (other.count or 0))


def added(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes in the order in which they came first, those that differ only in count and example as one."""
    totals: dict[Note, Note] = {}
    for note in notes:
        kind = replace(note, count=note.count and 1, example="")
        totals[kind] = totals[kind] + note if kind in totals else note
    return tuple(totals.values())
