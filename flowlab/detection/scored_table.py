"""A scored table: anomaly scores of a data set by part, and score, percentile and p-value of each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import Dataset
from flowlab.detection import rules
from flowlab.detection.conformal import conformal_p_values
from flowlab.detection.cost import CostModel
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.metrics import ThresholdCurves, percentiles, threshold_curves
from flowlab.detection.threshold import HIGHEST, Threshold


@dataclass(frozen=True, eq=False)
class RowScores:
    """What scoring says of rows, each (n_rows,).

    Attributes
    ----------
    score : finite anomaly scores
    percentile : share of calibration rows that score lower, in percent
    p_value : conformal, from normal calibration rows
    """

    score: np.ndarray
    percentile: np.ndarray
    p_value: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, calibration: np.ndarray) -> RowScores:
        """Of anomaly scores (n,), against the scores (m,) of normal rows outside training."""
        scores = _finite(scores)
        return cls(scores, percentiles(scores, calibration), conformal_p_values(scores, calibration))

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: np.ndarray) -> RowScores:
        """Of some rows, by number."""
        return RowScores(self.score[rows], self.percentile[rows], self.p_value[rows])

    def columns(self, threshold: Threshold) -> dict[str, np.ndarray]:
        """The columns that a scored file gets: `anomaly_score`, `percentile`, `p_value`, and `flagged` as 0 or 1."""
        return {
            "anomaly_score": self.score,
            "percentile": self.percentile,
            "p_value": self.p_value,
            "flagged": threshold.flag(self.score).astype(np.int8),
        }


UNITS = {"rows": None, "seconds": "s", "minutes": "m", "hours": "h", "days": "D"}
"""What a tolerance can be measured in; all but rows need a time column of dates."""


@dataclass(frozen=True, eq=False)
class ScoredTable:
    """A table and its anomaly scores. Thresholds are chosen on "validation" rows and reported on "test" rows.

    A threshold is an argument of what needs one: it changes with each drag, and nothing here does.

    Attributes
    ----------
    dataset : labels, times and division of the rows
    scores : (n_rows,) finite anomaly scores; infinite ones, and nan, count as 1e100. Under a context they are
        -log tail probabilities within the row's level, in nats
    level_calibration : what made them of the model's scores, None without a context
    table : the user's own rows, where they are not the columns of the data set; never to be changed
    """

    dataset: Dataset
    scores: np.ndarray
    level_calibration: LevelCalibration | None = None
    table: pd.DataFrame | None = None

    @classmethod
    def of(cls, dataset: Dataset, scores: np.ndarray, table: pd.DataFrame | None = None) -> ScoredTable:
        """From a model's anomaly scores (n_rows,) of all rows, which are calibrated within each level of a context."""
        scores = _finite(scores)
        if scores.shape != (len(dataset),):
            raise ValueError(f"scores must be one per row: ({len(dataset)},) expected, {scores.shape} came")
        calibration = LevelCalibration.of(dataset, scores)
        if calibration is not None:
            scores = calibration.of_rows(scores, dataset.X)
        return cls(dataset, scores, calibration, table)

    @property
    def frame(self) -> pd.DataFrame:
        """The user's own rows, or the columns of the data set with their label."""
        if self.table is not None:
            return self.table
        frame = pd.DataFrame(self.dataset.X, columns=list(self.dataset.columns))
        return frame if self.dataset.y is None else frame.assign(label=self.dataset.y)

    @cached_property
    def row_scores(self) -> RowScores:
        """Score, percentile among normal validation rows and p-value of each row of the data set."""
        return RowScores.of(self.scores, self.calibration)

    def flagged(self, threshold: Threshold) -> np.ndarray:
        """Numbers of the flagged rows, the highest score first."""
        return self.ranked[: int(threshold.flag(self.scores).sum())]

    @cached_property
    def ranked(self) -> np.ndarray:
        """Numbers of all rows, the highest score first; equal scores in their order."""
        return np.argsort(-self.scores, kind="stable")

    def level_notes(self) -> list[str]:
        """Sentences on levels of the context that are judged among the rows of others; none without a context."""
        if self.level_calibration is None:
            return []
        levels = self.dataset.X[:, self.level_calibration.column]
        return self.level_calibration.small_levels() + self.level_calibration.unseen_levels(levels)

    def rows(self, part: str) -> np.ndarray:
        """Row numbers of a part; "unseen" are validation and test together. A part without rows stands for all."""
        if part == "unseen":
            rows = np.flatnonzero(self.dataset.split > 0)
        else:
            rows = self.dataset.rows(part)
        return rows if len(rows) else np.arange(len(self.dataset))

    def labels(self, part: str) -> np.ndarray | None:
        """Labels of the rows of a part, 1 for anomalies; None where the data set has none."""
        return None if self.dataset.y is None else self.dataset.y[self.rows(part)]

    def position(self, part: str, unit: str = "rows") -> np.ndarray:
        """Where the rows of a part lie on the axis of a tolerance: row numbers, or time since the first, in `unit`.

        ValueError for a unit that is not among `units()`.
        """
        rows = self.rows(part)
        if unit == "rows":
            return rows.astype(np.float64)
        if unit not in UNITS or not self.has_dates:
            raise ValueError(f"the unit of the tolerance must be one of {', '.join(self.units())}, not {unit!r}")
        time = self.dataset.time[rows]
        return (time - time.min()) / np.timedelta64(1, UNITS[unit])

    @property
    def has_dates(self) -> bool:
        """Whether the rows have dates, so that a tolerance can be a time."""
        time = self.dataset.time
        return time is not None and np.issubdtype(time.dtype, np.datetime64)

    def units(self) -> list[str]:
        """Units that a tolerance may have here."""
        return list(UNITS) if self.has_dates else ["rows"]

    @property
    def best_default_rule(self) -> str:
        """Name of a rule: F-beta where validation rows hold both labels, else conformal, with too few rows a share."""
        labels = self.labels("validation")
        if labels is not None and 0 < labels.sum() < len(labels):
            return "f_beta"
        return "quantile" if self.choose("conformal").refused else "conformal"

    def choose(self, rule: str, unit: str = "rows", **parameters: float | str) -> Threshold:
        """The threshold of a rule in `rules.RULES`, applied to the validation rows; `unit` is the tolerance's."""
        return rules.choose(rule, *self.choice(), self.context(unit), **parameters)

    def choice(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores and labels of the rows that thresholds are chosen on."""
        return self.scores[self.rows("validation")], self.labels("validation")

    def context(self, unit: str = "rows") -> dict[str, np.ndarray | None]:
        """What rules use beside scores and labels: `position` and `time` of validation rows, `batch` of test scores."""
        rows = self.rows("validation")
        time = self.dataset.time[rows] if self.has_dates else None
        return {"position": self.position("validation", unit), "time": time, "batch": self.scores[self.rows("test")]}

    def curves(self, part: str, cost: CostModel | None = None, unit: str = "rows") -> ThresholdCurves:
        """All curves of a part against the threshold; `unit` is that of the cost model's tolerance."""
        return threshold_curves(self.scores[self.rows(part)], self.labels(part), cost, self.position(part, unit))

    @property
    def calibration(self) -> np.ndarray:
        """Scores of validation rows that count as normal, (m,): what p-values compare with."""
        scores, labels = self.choice()
        normal = scores if labels is None else scores[labels == 0]
        return normal if len(normal) else scores


def _finite(scores: np.ndarray) -> np.ndarray:
    """Infinite scores, and nan, as 1e100."""
    return np.clip(np.nan_to_num(np.asarray(scores, np.float64), nan=HIGHEST), -HIGHEST, HIGHEST)
