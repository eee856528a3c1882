"""Scores under a context: calibrated within each level, so that one threshold means the same in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.detection.threshold import HIGHEST
from flowlab.models.tail_probability import TailProbability

FEW_ROWS = 100
"""A level with fewer training rows borrows from all rows: with n rows its own count n / 100, all rows the rest."""
MAX_KNOTS = 2000
"""Points kept of a level's tail, evenly spaced in -log probability: about 0.007 nats apart for a million rows."""
PREFIX = "level_calibration."


@dataclass(frozen=True, eq=False)
class LevelCalibration:
    """-log tail probability of a score within the level of its row, in nats: 4.6 is one training row in a hundred.

    A model under a context scores log p(row | level). Levels whose rows spread more score higher throughout, so their
    scores cannot be held against one threshold; the share of the level's training rows that score at least as high
    can. Within a level the order is the model's. With n < 100 training rows the probability is n / 100 times that
    within the level plus 1 - n / 100 times that among the training rows of all levels; a level without training rows
    is judged among all of them.

    Attributes
    ----------
    column : number of the feature that holds the context
    name : the context's name
    levels : (n_levels,) float64, ascending: values of the context in training
    level_names : (n_levels,) text
    n_rows : (n_levels,) training rows of each level
    tails : for each level its tail, then that of all training rows
    """

    column: int
    name: str
    levels: np.ndarray
    level_names: tuple[str, ...]
    n_rows: np.ndarray
    tails: tuple[TailProbability, ...]

    @classmethod
    def fit(
        cls,
        scores: np.ndarray,
        levels: np.ndarray,
        *,
        level_names: tuple[str, ...] = (),
        column: int = 0,
        name: str = "context",
    ) -> LevelCalibration:
        """From a model's anomaly scores (n,) of training rows and the levels (n,) of these rows.

        `level_names` are those of the levels 0, 1 and so on; a level beyond them is named by its number.

        >>> rng = np.random.default_rng(0)
        >>> machine = np.repeat([0, 1], 1000)
        >>> scores = rng.normal(10.0 * machine, 1 + machine)
        >>> calibrated = LevelCalibration.fit(scores, machine)(scores, machine)
        >>> [int((calibrated[machine == level] > np.log(20)).sum()) for level in (0, 1)]  # 5 % of each
        [50, 50]
        """
        scores, levels = _finite(scores), np.asarray(levels, np.float64)
        if scores.ndim != 1 or scores.shape != levels.shape or len(scores) == 0:
            raise ValueError(
                f"scores and levels must be one number per row, at least one row; {scores.shape}, {levels.shape} came"
            )
        values, counts = np.unique(levels, return_counts=True)
        named = tuple(
            level_names[int(v)] if v == int(v) and 0 <= v < len(level_names) else f"{v:g}" for v in values.tolist()
        )
        tails = (*(_tail(scores[levels == value]) for value in values), _tail(scores))
        return cls(column, name, values, named, counts, tails)

    @classmethod
    def of(cls, dataset: Dataset, scores: np.ndarray) -> LevelCalibration | None:
        """Learned from the training rows of a data set, given the scores (n_rows,) of its rows; None without context.

        Rows labelled as anomalies do not count, if others are left.
        """
        if dataset.context is None:
            return None
        rows = dataset.rows(Part.TRAIN)
        if dataset.y is not None and (dataset.y[rows] == 0).any():
            rows = rows[dataset.y[rows] == 0]
        if len(rows) == 0:
            rows = np.arange(len(dataset))
        return cls.fit(
            scores[rows],
            dataset.X[rows, dataset.context],
            level_names=dataset.levels,
            column=dataset.context,
            name=dataset.columns[dataset.context],
        )

    def __call__(self, scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """-log tail probability in nats, (n,), of a model's anomaly scores (n,) at levels (n,).

        Continuous and rising in the score. nan and infinite scores count as 1e100.
        """
        scores, levels = _finite(scores), np.asarray(levels, np.float64)
        surprise = _surprise(self.tails[-1], scores)
        for value, n_rows, tail in zip(self.levels, self.n_rows, self.tails[:-1], strict=True):
            rows = levels == value
            if not rows.any():
                continue
            within, own = _surprise(tail, scores[rows]), n_rows / FEW_ROWS
            if own < 1:
                within = -np.logaddexp(np.log(own) - within, np.log1p(-own) - surprise[rows])
            surprise[rows] = within
        return surprise

    def of_rows(self, scores: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Calibrated scores (n,) of rows X (n, n_features), from a model's anomaly scores (n,)."""
        return self(scores, X[:, self.column])

    @property
    def score_label(self) -> str:
        """What the calibrated score is, with its unit."""
        return f"-log tail probability within the level of {self.name} (nats)"

    def small_levels(self) -> list[str]:
        """A sentence on the levels that borrow from all rows, if there are any, with their numbers of training rows."""
        small = np.flatnonzero(self.n_rows < FEW_ROWS)
        if len(small) == 0:
            return []
        small = small[np.argsort(self.n_rows[small], kind="stable")]
        told = [
            f"{self.level_names[i][:40]} ({self.n_rows[i]} {'row' if self.n_rows[i] == 1 else 'rows'})"
            for i in small[:10]
        ]
        more = f" and {len(small) - 10} more" if len(small) > 10 else ""
        return [
            f"Levels of {self.name} with fewer than {FEW_ROWS} training rows are judged partly among the rows of all "
            f"levels: {', '.join(told)}{more}."
        ]

    def unseen_levels(self, levels: np.ndarray) -> list[str]:
        """A sentence if some of the levels (n,) had no training row."""
        if np.isin(np.asarray(levels, np.float64), self.levels).all():
            return []
        return [f"Levels of {self.name} without training rows are judged among the rows of all levels."]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Everything learned, as arrays whose names begin with `PREFIX`; `from_arrays` reads them."""
        arrays = {
            "column": np.array(self.column),
            "name": np.array(self.name),
            "levels": self.levels,
            "level_names": np.array(self.level_names, dtype=str),
            "n_rows": self.n_rows,
            "n_knots": np.array([len(tail.scores) for tail in self.tails]),
            "scores": np.concatenate([tail.scores for tail in self.tails]),
            "surprise": np.concatenate([tail.surprise for tail in self.tails]),
            "slope": np.array([tail.slope for tail in self.tails]),
        }
        return {PREFIX + key: array for key, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], n_features: int) -> LevelCalibration | None:
        """From what `to_arrays` gave, among others; None where that is absent, ValueError where it does not fit."""
        own = {key.removeprefix(PREFIX): array for key, array in arrays.items() if key.startswith(PREFIX)}
        if not own:
            return None
        levels, n_rows, n_knots, slope = own["levels"], own["n_rows"], own["n_knots"], own["slope"]
        scores, surprise = own["scores"], own["surprise"]
        k = len(levels)
        fits = (
            levels.shape == n_rows.shape == own["level_names"].shape == (k,)
            and n_knots.shape == slope.shape == (k + 1,)
            and scores.shape == surprise.shape == (n_knots.sum(),)
            and all(np.issubdtype(own[key].dtype, np.integer) for key in ("column", "n_rows", "n_knots"))
            and all(own[key].dtype == np.float64 for key in ("levels", "scores", "surprise", "slope"))
            and 0 <= own["column"] < n_features
            and (n_knots > 0).all()
            and (n_rows > 0).all()
            and np.isfinite(scores).all()
            and np.isfinite(surprise).all()
            and (slope > 0).all()
        )
        if not fits:
            raise ValueError("the calibration within levels does not have the shape it should have")
        ends = np.cumsum(n_knots)[:-1]
        tails = tuple(
            TailProbability(*knots) for knots in zip(np.split(scores, ends), np.split(surprise, ends), slope.tolist())
        )
        names = tuple(map(str, own["level_names"]))
        return cls(int(own["column"]), str(own["name"]), levels, names, n_rows, tails)


def _finite(scores: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(np.asarray(scores, np.float64), nan=HIGHEST), -HIGHEST, HIGHEST)


def _tail(scores: np.ndarray) -> TailProbability:
    tail = TailProbability.fit(scores)
    if len(tail.scores) <= MAX_KNOTS:
        return tail
    wanted = np.linspace(tail.surprise[0], tail.surprise[-1], MAX_KNOTS)
    kept = np.unique(np.searchsorted(tail.surprise, wanted))
    return TailProbability(tail.scores[kept], tail.surprise[kept], tail.slope)


def _surprise(tail: TailProbability, scores: np.ndarray) -> np.ndarray:
    """The tail's -log probability, which goes on falling, toward 0, below the lowest score it was fitted to."""
    below = np.maximum(tail.scores[0] - scores, 0.0) * tail.slope
    return np.where(below > 0, tail.surprise[0] / (1.0 + below), tail(scores))
