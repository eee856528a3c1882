"""Two versions of a detector on the same rows: what each flags, whose place changed, and which ranks better."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowlab.evaluation.comparison import detection_measures, paired_differences
from flowlab.formatting import count, fixed, percent, plural
from flowlab.ranking import spearman_matrix


@dataclass(frozen=True)
class MeasuredTwice:
    """A measure of both versions on the same labelled rows.

    Attributes
    ----------
    name : of the measure
    old, new : its values
    interval : 95 % interval of `new - old`, from paired resamples of the rows within each label
    """

    name: str
    old: float
    new: float
    interval: tuple[float, float]

    @property
    def sentence(self) -> str:
        """Both values, and whether they differ by more than chance."""
        low, high = self.interval
        if self.old == self.new and low == high:
            return f"{self.name} {fixed(self.new)}, the same for both."
        verdict = "no clear difference"
        if low > 0:
            verdict = "better by more than chance"
        elif high < 0:
            verdict = "worse by more than chance"
        return (
            f"{self.name} {fixed(self.new)} instead of {fixed(self.old)}: {verdict} (95 % interval of the difference "
            f"{fixed(low)} to {fixed(high)})."
        )


@dataclass(frozen=True, eq=False)
class Versions:
    """An old and a new detector on the same rows, each at its own threshold.

    Attributes
    ----------
    old_scores, new_scores : (n,) anomaly scores; those of different models have different units
    old_flags, new_flags : (n,) bool
    y : (n,) 1 for anomalies, None without labels
    held_out : numbers of the rows on which quality is measured, which neither was trained on
    """

    old_scores: np.ndarray
    new_scores: np.ndarray
    old_flags: np.ndarray
    new_flags: np.ndarray
    y: np.ndarray | None = None
    held_out: np.ndarray | None = None

    def __post_init__(self) -> None:
        shapes = {np.shape(a) for a in (self.old_scores, self.new_scores, self.old_flags, self.new_flags)}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise ValueError(f"two versions are compared on the same rows; shapes {sorted(shapes)} came")

    def __len__(self) -> int:
        return len(self.old_scores)

    @property
    def both(self) -> np.ndarray:
        """Numbers of the rows that both flag."""
        return np.flatnonzero(self.old_flags & self.new_flags)

    @property
    def only_old(self) -> np.ndarray:
        """Numbers of the rows that the old one alone flags."""
        return np.flatnonzero(self.old_flags & ~self.new_flags)

    @property
    def only_new(self) -> np.ndarray:
        """Numbers of the rows that the new one alone flags."""
        return np.flatnonzero(self.new_flags & ~self.old_flags)

    @cached_property
    def old_place(self) -> np.ndarray:
        """Place of each row by the old score, (n,); 1 is the highest, equal scores in their order."""
        return _places(self.old_scores)

    @cached_property
    def new_place(self) -> np.ndarray:
        """Place of each row by the new score, (n,)."""
        return _places(self.new_scores)

    @cached_property
    def rank_correlation(self) -> float:
        """Spearman's correlation of the scores; nan where one of them is constant."""
        return float(spearman_matrix(np.column_stack([self.old_scores, self.new_scores]))[0, 1])

    def moved(self) -> np.ndarray:
        """Row numbers, those first whose place changed most: by the ratio of their places, since the top is read."""
        change = np.abs(np.log(self.new_place / self.old_place))
        return np.argsort(-change, kind="stable")

    def verdict(self, row: int) -> str:
        """Who flags a row: "both", "only old", "only new" or "neither"."""
        return ("neither", "only old", "only new", "both")[int(self.old_flags[row]) + 2 * int(self.new_flags[row])]

    @cached_property
    def measures(self) -> tuple[MeasuredTwice, ...]:
        """Average precision and AUROC of both on the held-out rows; empty unless these have both labels."""
        rows = np.arange(len(self)) if self.held_out is None else self.held_out
        if self.y is None or not 0 < int((self.y[rows] == 1).sum()) < len(rows):
            return ()
        y, old, new = self.y[rows], self.old_scores[rows], self.new_scores[rows]
        before, after = detection_measures(old, y), detection_measures(new, y)
        (auroc, auroc_error), (precision, precision_error) = paired_differences(new, old, y)
        return (
            MeasuredTwice(
                "Average precision", float(before.average_precision), float(after.average_precision),
                (precision - precision_error, precision + precision_error),
            ),
            MeasuredTwice(
                "AUROC", float(before.auroc), float(after.auroc), (auroc - auroc_error, auroc + auroc_error)
            ),
        )  # fmt: skip

    @property
    def sentences(self) -> tuple[str, ...]:
        """What both flag, how alike they rank and, where rows have labels, which ranks better."""
        n = len(self)
        flagged = (
            f"Of {plural(n, 'row')} the old version flags {count(int(self.old_flags.sum()))} "
            f"({percent(self.old_flags.mean())}), the new one {count(int(self.new_flags.sum()))} "
            f"({percent(self.new_flags.mean())}): {count(len(self.both))} both, {count(len(self.only_old))} only the "
            f"old, {count(len(self.only_new))} only the new."
        )
        ranks = f"The rank correlation of their scores is {fixed(self.rank_correlation)}."
        if not self.measures:
            return flagged, ranks
        where = "these rows" if self.held_out is None else plural(len(self.held_out), "held-out row")
        return flagged, ranks, *(f"On {where}: {measure.sentence}" for measure in self.measures)


def _places(scores: np.ndarray) -> np.ndarray:
    places = np.empty(len(scores), int)
    places[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return places
