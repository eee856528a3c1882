"""Kinds of anomaly: flagged rows grouped by what is unusual in them, from counts alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from flowlab.explain.many_rows import RowReasons
from flowlab.formatting import count, plural

MAX_KINDS = 8
MAX_SETS = 5_000
"""Different sets of traits that are told apart; rows of further ones count as of other kinds."""
SHARED = 2 / 3
"""A trait that so many rows of a kind have belongs to its name."""


@dataclass(frozen=True)
class Example:
    """The highest scoring row with some traits: its number, score and reasons in words."""

    row: int
    score: float
    sentences: tuple[str, ...]


@dataclass
class TraitCounts:
    """How many rows have which traits, and the highest scoring row of each set: adds up over blocks of a file.

    Attributes
    ----------
    counts : traits, strongest first -> number of rows
    examples : traits -> the highest scoring such row
    n_more : rows whose traits were one set too many
    """

    counts: dict[tuple[str, ...], int] = field(default_factory=dict)
    examples: dict[tuple[str, ...], Example] = field(default_factory=dict)
    n_more: int = 0

    @classmethod
    def of(cls, rows: Iterable[int], scores: Iterable[float], reasons: Iterable[RowReasons]) -> TraitCounts:
        """Of the rows with these numbers, scores and reasons."""
        found = cls()
        for row, score, why in zip(rows, scores, reasons, strict=True):
            found._add(why.traits, 1, Example(int(row), float(score), why.sentences))
        return found

    def add(self, other: TraitCounts) -> None:
        """Count the rows of `other`, too."""
        for traits, n_rows in other.counts.items():
            self._add(traits, n_rows, other.examples[traits])
        self.n_more += other.n_more

    def _add(self, traits: tuple[str, ...], n_rows: int, example: Example) -> None:
        if traits not in self.counts and len(self.counts) >= MAX_SETS:
            self.n_more += n_rows
            return
        self.counts[traits] = self.counts.get(traits, 0) + n_rows
        if traits not in self.examples or example.score > self.examples[traits].score:
            self.examples[traits] = example


@dataclass(frozen=True)
class Kind:
    """Rows that are strange in the same way.

    Attributes
    ----------
    name : the traits that they share, such as "pressure high, flow low"
    n_rows : how many there are
    typical : of those with its commonest traits the row that scores highest
    reason : what is said of the kind's first trait in that row
    members : the sets of traits that belong to it
    """

    name: str
    n_rows: int
    typical: Example
    reason: str
    members: frozenset[tuple[str, ...]]

    @property
    def sentence(self) -> str:
        """The kind in words: how many rows, what they share, and what is said of the typical one."""
        reason = self.reason.rstrip(".")
        return f"{plural(self.n_rows, 'row')}: {self.name}. Typical is row {count(self.typical.row)}: {reason}."


def kinds_of(found: TraitCounts, most: int = MAX_KINDS) -> list[Kind]:
    """The kinds, the largest first, at most `most`; what remains is the last one, "other".

    The trait that most rows share makes the first kind of them, the trait that most of the remaining rows share the
    next one; a kind that would hold fewer than two rows is none, unless there is but one row.
    """
    left = dict(found.counts)
    kinds: list[Kind] = []
    while left and len(kinds) < most - 1:
        rows_with: dict[str, int] = {}
        for traits, n_rows in left.items():
            for trait in traits:
                rows_with[trait] = rows_with.get(trait, 0) + n_rows
        trait = max(rows_with, key=lambda name: (rows_with[name], name))
        if rows_with[trait] < 2 and kinds:
            break
        members = [traits for traits in left if trait in traits]
        kinds.append(_kind(trait, _name(trait, members, found.counts), members, found))
        for traits in members:
            del left[traits]
    if left or found.n_more:
        members = list(left) or list(found.counts)[:1]
        n_rows = sum(left.values()) + found.n_more
        kinds.append(replace(_kind("", "other", members, found), n_rows=n_rows, members=frozenset(left)))
    return kinds


def kind_of_rows(kinds: Sequence[Kind], reasons: Mapping[int, RowReasons]) -> dict[int, str]:
    """Row number -> the name of its kind."""
    name_of = {traits: kind.name for kind in kinds for traits in kind.members}
    return {row: name_of.get(why.traits, "other") for row, why in reasons.items()}


def _name(trait: str, members: Sequence[tuple[str, ...]], counts: Mapping[tuple[str, ...], int]) -> str:
    """The trait and what else two thirds of the rows share, commonest first."""
    n_rows = sum(counts[traits] for traits in members)
    rows_with: dict[str, int] = {}
    for traits in members:
        for other in traits:
            rows_with[other] = rows_with.get(other, 0) + counts[traits]
    shared = [name for name, n_with in rows_with.items() if n_with >= SHARED * n_rows and name != trait]
    return ", ".join([trait, *sorted(shared, key=lambda name: (-rows_with[name], name))])


def _kind(trait: str, name: str, members: Sequence[tuple[str, ...]], found: TraitCounts) -> Kind:
    commonest = max(members, key=lambda traits: (found.counts[traits], found.examples[traits].score))
    n_rows = sum(found.counts[traits] for traits in members)
    typical = found.examples[commonest]
    reason = typical.sentences[commonest.index(trait) if trait else 0]
    return Kind(name, n_rows, typical, reason, frozenset(members))
