"""A scored table: anomaly scores of a data set by part, and score, percentile and p-value of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import DIVISION, Dataset, Part
from flowlab.datasets.order import LOCAL, independent_share, is_series, local_autocorrelation
from flowlab.detection import resampling, rules
from flowlab.detection.calibration import Calibration
from flowlab.detection.certificate import Certificate, certify
from flowlab.detection.cost import CostModel
from flowlab.detection.cross_conformal import cross_validated_promise
from flowlab.detection.group_thresholds import group_names, has_few_levels
from flowlab.detection.groups import by_group
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.metrics import ThresholdCurves, percentiles, threshold_curves
from flowlab.detection.threshold import HIGHEST, Threshold, refusal
from flowlab.formatting import short_percent


@dataclass(frozen=True, eq=False)
class RowScores:
    """What scoring says of rows, each (n_rows,).

    Attributes
    ----------
    score : finite anomaly scores
    percentile : share of calibration rows that score lower, in percent; a row is not compared with itself
    p_value : conformal, from normal calibration rows, those of its group where its group has a threshold of its own;
        nan for rows that the model was fitted to
    """

    score: np.ndarray
    percentile: np.ndarray
    p_value: np.ndarray

    @classmethod
    def of(
        cls,
        scores: np.ndarray,
        calibration: Calibration,
        levels: np.ndarray | None = None,
        own: np.ndarray | None = None,
    ) -> RowScores:
        """Of anomaly scores (n,), against normal rows outside training; percentiles are among all of these.

        `levels` (n,) are the rows' groups, where groups have their own thresholds, and `own` (n,) bool are the rows
        that are among the calibration rows: each is compared with the others.
        """
        scores = _finite(scores)
        percentile = percentiles(scores, calibration.pooled)
        if own is not None and own.any():
            m = len(calibration.pooled)
            percentile[own] = (percentile[own] * m - 50.0) / (m - 1) if m > 1 else 50.0
        return cls(scores, percentile, calibration.p_values(scores, levels, own))

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: np.ndarray) -> RowScores:
        """Of some rows, by number."""
        return RowScores(self.score[rows], self.percentile[rows], self.p_value[rows])

    def columns(self, threshold: Threshold, levels: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """The columns that a scored file gets: `anomaly_score`, `percentile`, `p_value`, and `flagged` as 0 or 1.

        Where groups have their own thresholds `levels` (n_rows,) are the rows' groups, and `threshold` is a column too.
        """
        columns = {
            "anomaly_score": self.score,
            "percentile": self.percentile,
            "p_value": self.p_value,
            "flagged": threshold.flag(self.score, levels).astype(np.int8),
        }
        return columns if threshold.groups is None else columns | {"threshold": threshold.of_rows(len(self), levels)}


UNITS = {
    "rows": None,
    "seconds": np.timedelta64(1, "s"),
    "minutes": np.timedelta64(1, "m"),
    "hours": np.timedelta64(1, "h"),
    "days": np.timedelta64(1, "D"),
}
"""What a tolerance can be measured in; all but rows need a time column of dates."""

PROMISES = ("conformal", "false_discovery", "extreme_value")
"""Rules whose sentence says something of new rows."""
N_STRETCHES = 30
MAX_COLUMNS_TRIED = 200
"""A table with more columns than this is not searched for one that tells groups apart."""
NOT_HELD_OUT = "There are no validation rows: the rows that the model was fitted to stand in for them."


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
    only : (n_rows,) bool, the rows that the parts hold; None for all
    n_folds : where no rows were set aside: copies of the model, each fitted without one fold of the training and
        validation rows, which have the score of the copy new to them and are all calibration rows; else 0
    """

    dataset: Dataset
    scores: np.ndarray
    level_calibration: LevelCalibration | None = None
    table: pd.DataFrame | None = None
    only: np.ndarray | None = None
    n_folds: int = 0

    @classmethod
    def of(
        cls, dataset: Dataset, scores: np.ndarray, table: pd.DataFrame | None = None, n_folds: int = 0
    ) -> ScoredTable:
        """From a model's anomaly scores (n_rows,) of all rows, which are calibrated within each level of a context."""
        scores = _finite(scores)
        if scores.shape != (len(dataset),):
            raise ValueError(f"scores must be one per row: ({len(dataset)},) expected, {scores.shape} came")
        calibration = LevelCalibration.of(dataset, scores)
        if calibration is not None:
            if n_folds:
                raise ValueError("scores of folds cannot be calibrated within the levels of a context; set rows aside")
            scores = calibration.of_rows(scores, dataset.X)
        return cls(dataset, scores, calibration, table, n_folds=n_folds)

    @property
    def frame(self) -> pd.DataFrame:
        """The user's own rows, or the columns of the data set with their label."""
        if self.table is not None:
            return self.table
        frame = pd.DataFrame(self.dataset.X, columns=list(self.dataset.columns))
        return frame if self.dataset.y is None else frame.assign(label=self.dataset.y)

    @property
    def blind_frame(self) -> pd.DataFrame:
        """`frame` without the column that says which rows are anomalies: what a person sees who is to tell."""
        label = "label" if self.table is None else self.dataset.label_column
        return self.frame.drop(columns=[label] if label in self.frame else [])

    @cached_property
    def row_scores(self) -> RowScores:
        """Score, percentile among normal validation rows and p-value of each row of the data set.

        Rows that the model was fitted to score lower than new ones like them: they have no p-value. No row has one
        where nothing can be promised (`no_promise`).
        """
        return self._row_scores(np.arange(len(self.scores)))

    def scores_of_rows(self, rows: np.ndarray, threshold: Threshold) -> RowScores:
        """`row_scores` of some rows, by number; where groups have thresholds of their own, p-values are within them."""
        return self.row_scores.take(rows) if threshold.groups is None else self._row_scores(rows, threshold)

    def _row_scores(self, rows: np.ndarray, threshold: Threshold | None = None) -> RowScores:
        own = np.isin(rows, self.calibration_rows)
        levels = None if threshold is None else self.levels(threshold)
        calibration = self.compared_with(threshold)
        found = RowScores.of(self.scores[rows], calibration, None if levels is None else levels[rows], own)
        fitted = np.empty(0, int) if self.n_folds else self.dataset.rows(Part.TRAIN)
        found.p_value[slice(None) if self.no_promise() else np.isin(rows, fitted)] = np.nan
        return found

    def compared_with(self, threshold: Threshold | None = None) -> Calibration:
        """The calibration rows' scores, by group where groups have thresholds of their own."""
        levels = None if threshold is None else self.levels(threshold)
        if threshold is None or levels is None:
            return Calibration.of(self.calibration)
        return Calibration.of(self.calibration, levels[self.calibration_rows], threshold.groups)

    def percentile_of(self, score: float) -> float:
        """Share of the normal validation rows that score lower than a row that is not in the table, in percent."""
        return float(percentiles(np.array([score]), self.calibration)[0])

    def flagged(self, threshold: Threshold) -> np.ndarray:
        """Numbers of the flagged rows, the highest score first."""
        return self.ranked[self.flags(threshold)[self.ranked]]

    def flags(self, threshold: Threshold) -> np.ndarray:
        """Which rows are flagged, (n_rows,) bool."""
        return threshold.flag(self.scores, self.levels(threshold))

    def border(self, threshold: Threshold, row: int) -> float:
        """From which score on a row is flagged: the threshold, or that of the row's group."""
        levels = self.levels(threshold)
        return float(threshold.of_rows(1, None if levels is None else levels[[row]])[0])

    def levels(self, threshold: Threshold) -> np.ndarray | None:
        """The group of each row, (n_rows,) of text; None where all rows have the same threshold."""
        return None if threshold.groups is None else self._levels_of(threshold.groups.column)

    def _levels_of(self, column: str) -> np.ndarray:
        return group_names(self.frame[column])

    @cached_property
    def group_columns(self) -> tuple[str, ...]:
        """Names of the columns with few levels, whose groups can have thresholds of their own; see `by_group`.

        They are among those that a detector asks of a new file.
        """
        encoder, frame = self.dataset.encoder, self.frame
        names = self.dataset.columns if encoder is None else [n for n in encoder.order_ if n in encoder.needed_]
        if (self.table is None and encoder is not None) or len(names) > MAX_COLUMNS_TRIED or self.n_folds:
            return ()
        return tuple(name for name in names if name in frame and has_few_levels(frame[name]))

    def by_group(self, threshold: Threshold, column: str) -> Threshold:
        """A threshold of the rule "conformal" with one for each group of a column; see `groups.by_group`.

        ValueError where the rule is another, or the column not one of `group_columns`.
        """
        if column not in self.group_columns:
            known = f"there are {', '.join(self.group_columns)}" if self.group_columns else "there is none"
            raise ValueError(f"groups need a column of the detector with few levels, not {column!r}; {known}")
        rows = self.calibration_rows
        if self.dataset.time is not None:
            rows = rows[np.argsort(self.dataset.time[rows], kind="stable")]
        levels, judged = self._levels_of(column), self.rows(Part.UNSEEN)
        return by_group(threshold, column, self.scores, levels, rows, judged, self.worth)

    def operating(
        self, part: Part, threshold: Threshold, cost: CostModel | None = None, unit: str = "rows"
    ) -> tuple[ThresholdCurves, float]:
        """Curves of a part, and where on them the flags of `threshold` are read off.

        Where groups have their own thresholds the curves are those of `by_margin`, read at 0.
        """
        counted, at = self.by_margin(threshold)
        return counted.curves(part, cost, unit), at.value

    def by_margin(self, threshold: Threshold) -> tuple[ScoredTable, Threshold]:
        """The table with each score counted from the threshold of the row's group, and the threshold on it, which is 0.

        It flags the same rows, so one line stands for the thresholds of all groups. Without groups both come back as
        they are.
        """
        levels = self.levels(threshold)
        if levels is None:
            return self, threshold
        margins = self.scores - threshold.of_rows(len(self.scores), levels)
        return replace(self, scores=margins), replace(threshold, value=0.0, groups=None)

    def of_group(self, threshold: Threshold, name: str) -> tuple[ScoredTable, Threshold]:
        """The table whose parts hold the rows of one group alone, and the threshold of these rows."""
        levels, groups = self.levels(threshold), threshold.groups
        if levels is None or groups is None:
            raise ValueError("groups have no thresholds of their own")
        own = float(groups.of_rows(np.array([name]), threshold.value)[0])
        return replace(self, only=levels == name), replace(threshold, value=own, groups=None)

    @cached_property
    def ranked(self) -> np.ndarray:
        """Numbers of all rows, the highest score first; equal scores in their order."""
        return np.argsort(-self.scores, kind="stable")

    def notes(self) -> list[str]:
        """Sentences on what weakens all thresholds: rows that are no independent draws, levels with few rows."""
        reason = self.no_promise()
        sentences = [f"{self.dataset.left_out}."] if self.dataset.left_out else []
        sentences += [f"{reason} There are no p-values either."] if reason else []
        if self.level_calibration is None:
            return sentences
        levels = self.dataset.X[:, self.level_calibration.column]
        return sentences + self.level_calibration.small_levels() + self.level_calibration.unseen_levels(levels)

    def rows(self, part: Part) -> np.ndarray:
        """Row numbers of a part; UNSEEN are validation and test together. A part without rows stands for all.

        Where folds stand in for rows set aside, validation rows are those of training, too.
        """
        if self.n_folds and part in (Part.VALIDATION, Part.UNSEEN):
            is_test = self.dataset.split == DIVISION.index(Part.TEST)
            rows = np.flatnonzero(~is_test if part == Part.VALIDATION else np.ones(len(is_test), bool))
        else:
            rows = self.dataset.rows(part)
        rows = rows if len(rows) else np.arange(len(self.dataset))
        return rows if self.only is None else rows[self.only[rows]]

    def labels(self, part: Part) -> np.ndarray | None:
        """Labels of the rows of a part, 1 for anomalies; None where the data set has none."""
        return None if self.dataset.y is None else self.dataset.y[self.rows(part)]

    def position(self, part: Part, unit: str = "rows") -> np.ndarray:
        """Where the rows of a part lie on the axis of a tolerance: row numbers, or time since the first, in `unit`.

        ValueError for a unit that is not among `units()`.
        """
        position = self._position_of_all(unit)[self.rows(part)]
        return position if unit == "rows" else position - position.min()

    def _position_of_all(self, unit: str) -> np.ndarray:
        if unit == "rows":
            return np.arange(len(self.scores), dtype=np.float64)
        time, step = self.dataset.time, UNITS.get(unit)
        if time is None or not self.has_dates or step is None:
            raise ValueError(f"the unit of the tolerance must be one of {', '.join(self.units())}, not {unit!r}")
        return (time - time.min()) / step

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
        labels = self.labels(Part.VALIDATION)
        if labels is not None and 0 < labels.sum() < len(labels):
            return "f_beta"
        return "quantile" if self.choose("conformal").refused else "conformal"

    def choose(self, rule: str, unit: str = "rows", **parameters: float | str) -> Threshold:
        """The threshold of a rule in `rules.RULES`, applied to the validation rows; `unit` is the tolerance's.

        Rules that promise something of new rows refuse where these rows cannot promise it, with the reason. A cost
        with a tolerance sees the neighbours of validation rows in all parts.
        """
        if rule in PROMISES and self.no_promise(rule):
            known = rules.RULES[rule].defaults | parameters
            return refusal(rule, self.no_promise(rule), known, len(self.choice()[0]))
        if self._sees_neighbours(rule, parameters):
            return rules.RULES[rule].choose(
                self.scores, self.dataset.y, position=self._position_of_all(unit), judged=self.rows(Part.VALIDATION),
                **parameters,
            )  # fmt: skip
        scores, labels = self.choice()
        if rule == "conformal" and self.n_folds:
            return self._promise_of_folds(scores, labels, rules.RULES[rule].defaults | parameters)
        threshold = rules.choose(rule, scores, labels, self.context(unit), **parameters)
        if not self.is_held_out and not threshold.refused:
            return replace(threshold, caution=f"{threshold.caution} {NOT_HELD_OUT}".strip())
        return threshold

    def _promise_of_folds(self, scores: np.ndarray, labels: np.ndarray | None, known: Mapping) -> Threshold:
        if known["confidence"]:
            reason = "A confidence over calibration sets needs rows set aside; folds promise the rate on average alone."
            return refusal("conformal", reason, known, len(scores))
        return cross_validated_promise(scores, labels, rate=float(known["rate"]), n_folds=self.n_folds)

    def with_interval(self, threshold: Threshold, unit: str = "rows", n_boot: int = 50) -> Threshold:
        """The threshold with its bootstrap interval, where rows can be resampled one by one."""
        if self.is_series or self._sees_neighbours(threshold.rule, threshold.parameters):
            return threshold
        return resampling.bootstrap_interval(threshold, *self.choice(), self.context(unit), n_boot=n_boot)

    def no_promise(self, rule: str = "conformal") -> str:
        """Why nothing can be promised of new rows, "" if it can."""
        if not self.is_held_out:
            return f"{NOT_HELD_OUT} They promise nothing of new rows; hold some out."
        if self.is_series and self.n_folds:
            return (
                "Rows resemble the rows next to them, and folds part them at random, so that each is scored by models "
                "of its neighbours. So nothing can be promised of new rows; set rows aside by time or in their order."
            )
        if self.is_series and not self.is_divided_in_order:
            return (
                "Rows resemble the rows next to them, and these are divided at random: validation rows have their "
                "neighbours in training, which new rows will not. So nothing can be promised; divide the rows by time "
                "or in their order."
            )
        if self.n_folds and rule == "false_discovery":
            return "The false-discovery rate is promised against rows set aside; here folds stand in for them."
        if self.is_series and rule == "false_discovery":
            return "Rows resemble the rows next to them; the false-discovery rate is promised for independent rows."
        return ""

    @cached_property
    def is_series(self) -> bool:
        """Whether rows resemble those next to them, by their columns or by the scores of validation rows."""
        X, order = self.dataset.X[:, self.dataset.judged], self._order
        rows, time = self.calibration_rows, self.dataset.time
        in_order = rows if time is None else rows[np.argsort(time[rows], kind="stable")]
        return is_series(X[order]) or local_autocorrelation(self.scores[in_order]) >= LOCAL

    @cached_property
    def is_divided_in_order(self) -> bool:
        """Whether each part is one stretch of rows, in the order of time or of the table."""
        parts = self.dataset.split[self._order]
        parts = parts[parts < len(DIVISION)]  # a stretch that is left out cuts no part in two
        return int(np.count_nonzero(np.diff(parts))) < len(np.unique(parts))

    @cached_property
    def worth(self) -> float | None:
        """How many independent rows a calibration row is worth; None where rows are taken as independent."""
        if not self.is_series:
            return None
        rows = self.calibration_rows
        if self.dataset.time is not None:
            rows = rows[np.argsort(self.dataset.time[rows], kind="stable")]
        return independent_share(self.scores[rows])

    @cached_property
    def _order(self) -> np.ndarray:
        time = self.dataset.time
        return np.arange(len(self.scores)) if time is None else np.argsort(time, kind="stable")

    def _sees_neighbours(self, rule: str, parameters: Mapping) -> bool:
        has_labels = self.dataset.y is not None
        return bool(rule == "cost" and has_labels and parameters.get("tolerance") and not self.is_divided_in_order)

    def choice(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores and labels of the rows that thresholds are chosen on."""
        return self.scores[self.rows(Part.VALIDATION)], self.labels(Part.VALIDATION)

    def context(self, unit: str = "rows") -> dict[str, np.ndarray | float | None]:
        """What rules use beside scores and labels, see `rules.choose`: `position` of validation rows, `time` of all."""
        time = self.dataset.time if self.has_dates else None
        return {
            "position": self.position(Part.VALIDATION, unit),
            "time": time,
            "batch": self.scores[self.rows(Part.TEST)],
            "worth": self.worth,
        }

    def curves(self, part: Part, cost: CostModel | None = None, unit: str = "rows") -> ThresholdCurves:
        """All curves of a part against the threshold; `unit` is that of the cost model's tolerance."""
        if cost is not None and self._sees_neighbours("cost", {"tolerance": cost.tolerance}):
            return threshold_curves(
                self.scores, self.dataset.y, cost, self._position_of_all(unit), judged=self.rows(part)
            )
        return threshold_curves(self.scores[self.rows(part)], self.labels(part), cost, self.position(part, unit))

    def stretches(self, part: Part, cost: CostModel | None = None, unit: str = "rows") -> list[ThresholdCurves]:
        """Curves of about thirty consecutive stretches of a part, each longer than an event; none without an order.

        Rows have an order where there is a time, or where neighbours resemble each other.
        """
        if self.dataset.time is None and not self.is_series:
            return []
        rows, y = self.rows(part), self.dataset.y
        if self.dataset.time is not None:
            rows = rows[np.argsort(self.dataset.time[rows], kind="stable")]
        longest = 1
        if y is not None:
            edges = np.flatnonzero(np.diff(np.r_[0, y[rows], 0]))
            longest = max(map(int, np.diff(edges)[::2]), default=1)
        length = max(len(rows) / N_STRETCHES, 2.0 * longest)
        n_stretches = max(int(len(rows) / length), 2)
        position = self._position_of_all(unit)
        return [
            threshold_curves(self.scores, y, cost, position, judged=stretch)
            for stretch in np.array_split(rows, n_stretches)
            if len(stretch)
        ]

    @property
    def is_held_out(self) -> bool:
        """Whether there are validation rows; without them all rows stand in for them, which is said."""
        return bool(self.n_folds) or bool((self.dataset.split == DIVISION.index(Part.VALIDATION)).any())

    @cached_property
    def calibration_rows(self) -> np.ndarray:
        """Numbers of the validation rows that count as normal, (m,): what p-values compare with."""
        rows, labels = self.rows(Part.VALIDATION), self.labels(Part.VALIDATION)
        normal = rows if labels is None else rows[labels == 0]
        return normal if len(normal) else rows

    @cached_property
    def certificate(self) -> Certificate | None:
        """What bounds the false-alarm rate of every threshold at once; None where nothing can be promised."""
        return None if self.no_promise() or self.n_folds else certify(self.calibration, worth=self.worth)

    def certified(self, threshold: Threshold) -> str:
        """A sentence on the false-alarm rate at a threshold that may have been picked after looking; "" without one."""
        if self.certificate is None or threshold.groups is not None:
            return ""
        bound = float(self.certificate.at(threshold.value))
        return (
            f"Even if it was picked after looking, this threshold flags at most {short_percent(bound)} of normal rows, "
            f"with {short_percent(self.certificate.confidence)} confidence for all thresholds together."
        )

    @property
    def calibration(self) -> np.ndarray:
        """Scores of the calibration rows, (m,)."""
        return self.scores[self.calibration_rows]


def _finite(scores: np.ndarray) -> np.ndarray:
    """Infinite scores, and nan, as 1e100."""
    return np.clip(np.nan_to_num(np.asarray(scores, np.float64), nan=HIGHEST), -HIGHEST, HIGHEST)
