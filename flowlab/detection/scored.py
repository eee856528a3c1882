"""Anomaly scores of a data set by part, and the table of its rows with score, percentile, p-value and flag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import Dataset
from flowlab.detection import rules
from flowlab.detection.conformal import conformal_p_values
from flowlab.detection.cost import CostModel
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.metrics import ThresholdCurves, percentiles, threshold_curves
from flowlab.detection.threshold import HIGHEST, Threshold

ADDED = {"score": "anomaly_score", "percentile": "percentile", "p_value": "p_value", "flagged": "flagged"}
"""Entries of `score_sheet` and the columns they become."""


def with_scores(
    frame: pd.DataFrame, sheet: Mapping[str, np.ndarray], reasons: Mapping[int, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The original columns, then score, percentile, p-value and flag, then `reason_1` to `reason_3`.

    Parameters
    ----------
    frame : the original rows
    sheet : arrays (n_rows,) of `score_sheet`
    reasons : row number -> up to three sentences; rows without an entry stay empty

    A column that the table already has under one of these names keeps it; the added one then ends in "_2".
    """
    scored_frame = frame.reset_index(drop=True).copy(deep=False)
    taken = {str(name) for name in frame.columns}

    def add(name: str, values) -> None:
        while name in taken:
            name += "_2"
        taken.add(name)
        scored_frame[name] = values

    for key, name in ADDED.items():
        add(name, sheet[key].astype(np.int8) if key == "flagged" else sheet[key])
    for i in range(3 if reasons else 0):
        texts = np.full(len(frame), "", dtype=object)
        for row, sentences in reasons.items():
            texts[row] = sentences[i] if i < len(sentences) else ""
        add(f"reason_{i + 1}", texts)
    return scored_frame


UNITS = {"rows": None, "seconds": "s", "minutes": "m", "hours": "h", "days": "D"}
"""What a tolerance can be measured in; all but rows need a time column of dates."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Anomaly scores by part. Thresholds are chosen on "validation" rows and reported on "test" rows.

    Attributes
    ----------
    dataset : labels, times and division of the rows
    scores : (n_rows,) finite anomaly scores; infinite ones, and nan, count as 1e100. Under a context they are
        -log tail probabilities within the row's level, in nats
    level_calibration : what made them of the model's scores, None without a context
    """

    dataset: Dataset
    scores: np.ndarray
    level_calibration: LevelCalibration | None = None

    @classmethod
    def of(cls, dataset: Dataset, scores) -> Evidence:
        """From a model's anomaly scores (n_rows,) of all rows, which are calibrated within each level of a context."""
        scores = np.nan_to_num(np.asarray(scores, np.float64), nan=HIGHEST)
        if scores.shape != (len(dataset),):
            raise ValueError(f"scores must be one per row: ({len(dataset)},) expected, {scores.shape} came")
        scores = np.clip(scores, -HIGHEST, HIGHEST)
        calibration = LevelCalibration.of(dataset, scores)
        if calibration is not None:
            scores = calibration.of_rows(scores, dataset.X)
        return cls(dataset, scores, calibration)

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

    def choose(self, rule: str, unit: str = "rows", **parameters) -> Threshold:
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

    def sheet(self, threshold: Threshold) -> dict[str, np.ndarray]:
        """Per row of the data set `score`, `percentile` among validation rows, `p_value` (conformal) and `flagged`."""
        return score_sheet(self.scores, self.calibration, threshold)


def score_sheet(scores: np.ndarray, calibration: np.ndarray, threshold: Threshold) -> dict[str, np.ndarray]:
    """Per row `score`, `percentile` among calibration rows, conformal `p_value` and `flagged`, each (n,).

    Parameters
    ----------
    scores : (n,) anomaly scores
    calibration : (m,) anomaly scores of normal rows outside training
    threshold : from which score on rows are flagged
    """
    scores = np.clip(np.nan_to_num(np.asarray(scores, np.float64), nan=HIGHEST), -HIGHEST, HIGHEST)
    return {
        "score": scores,
        "percentile": percentiles(scores, calibration),
        "p_value": conformal_p_values(scores, calibration),
        "flagged": threshold.flag(scores),
    }
