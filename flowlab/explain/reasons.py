"""Why is this row anomalous: what each feature contributes, and what it would usually be given the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.detection.threshold import HIGHEST, plain
from flowlab.models.base import DensityModel

N_SIMILAR = 24
"""Rows that resemble the explained row in all features but one; their values of that one are what is usual."""
MAX_REFERENCE = 4000
FAR = 3.0
"""In the search for similar rows a feature counts as at most so many robust standard deviations off."""


@dataclass(frozen=True)
class Reason:
    """One feature's part in a row's anomaly score.

    Attributes
    ----------
    feature, name : number and name
    contribution : how much of the anomaly score goes back to it, in the score's unit; see `explain`
    value : the row's value
    typical, low, high : median and central 80 % of the values that similar rows have there
    sentence : value against range, in words
    """

    feature: int
    name: str
    contribution: float
    value: float
    typical: float
    low: float
    high: float
    sentence: str


@dataclass(frozen=True)
class Explanation:
    """Reasons in descending order of their contribution, one sentence, and the most similar reference rows.

    `method` is "resampling" (fall of the anomaly score when the feature takes usual values) or "reconstruction"
    (its share of the reconstruction error). `similar` are row numbers of the reference, nearest first.
    """

    score: float
    method: str
    reasons: tuple[Reason, ...]
    sentence: str
    similar: tuple[int, ...]


class Reference:
    """Rows that count as usual, ready to be searched.

    Parameters
    ----------
    X : (n, n_features) training rows; a random part of them is used if they are more than 4,000
    """

    def __init__(self, X, columns: Sequence[str] | None = None, random_state: int = 0) -> None:
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or len(X) < 2:
            raise ValueError(f"X must be a matrix of at least 2 rows; its shape is {X.shape}")
        self.rows = np.arange(len(X))
        if len(X) > MAX_REFERENCE:
            self.rows = np.sort(np.random.default_rng(random_state).choice(len(X), MAX_REFERENCE, replace=False))
        self.X = X[self.rows]
        self.columns = tuple(f"x{i + 1}" for i in range(X.shape[1])) if columns is None else tuple(map(str, columns))
        if len(self.columns) != X.shape[1]:
            raise ValueError(f"columns must name {X.shape[1]} features, not {len(self.columns)}")
        self.scale = robust_scale(self.X)
        self.correlation = _correlation(self.X)

    @property
    def n_features(self) -> int:
        return self.X.shape[1]

    def check(self, x) -> np.ndarray:
        """One row (n_features,), or ValueError."""
        x = np.asarray(x, np.float64)
        if x.shape != (self.n_features,) or not np.isfinite(x).all():
            raise ValueError(f"the row must be {self.n_features} finite numbers; its shape is {x.shape}")
        return x

    def similar(self, x: np.ndarray, n_rows: int = 5) -> np.ndarray:
        """Numbers of the rows of X nearest to `x`, in robust standard deviations; a row equal to x does not count."""
        distance = (((self.X - x) / self.scale) ** 2).sum(axis=1)
        distance[distance == 0] = np.inf
        return self.rows[np.argsort(distance, kind="stable")[:n_rows]]

    def usual_values(self, x: np.ndarray, n_values: int = N_SIMILAR) -> np.ndarray:
        """Values each feature has in the rows most like `x` in all other features, (n_features, n_values).

        Differences count up to three robust standard deviations, so that one corrupted feature of `x` does not
        decide which rows are similar.
        """
        squares = np.minimum(((self.X - x) / self.scale) ** 2, FAR**2)
        total = squares.sum(axis=1)
        total[total == 0] = np.inf
        n_values = min(n_values, len(self.X))
        values = np.empty((self.n_features, n_values))
        for j in range(self.n_features):
            nearest = np.argpartition(total - squares[:, j], n_values - 1)[:n_values]
            values[j] = self.X[nearest, j]
        return values


def explain(model: DensityModel, x, reference: Reference, method: str = "auto") -> Explanation:
    """Reasons for the anomaly score of one row.

    Parameters
    ----------
    model : fitted
    x : (n_features,) the row, in data units
    reference : usual rows, as a rule the training rows
    method : "resampling": the median fall of the anomaly score when the feature takes the values it has in rows
        that resemble this one otherwise, for any model; "reconstruction": the feature's squared reconstruction
        error less its median over the reference; "auto": reconstruction where the model scores by it

    All scores are computed in one batch of n_features x 24 rows.
    """
    x = reference.check(x)
    if method == "auto":
        method = "reconstruction" if hasattr(model, "feature_errors") and not model.is_density else "resampling"
    usual = reference.usual_values(x)
    if method == "reconstruction":
        score = anomaly_scores(model, x[None])[0]
        errors = model.feature_errors(np.vstack([x, reference.X[:1000]]))
        contributions = errors[0] - np.median(errors[1:], axis=0)
    elif method == "resampling":
        n_features, n_values = usual.shape
        batch = np.repeat(x[None], 1 + n_features * n_values, axis=0)
        batch[np.arange(1, len(batch)), np.repeat(np.arange(n_features), n_values)] = usual.ravel()
        scores = anomaly_scores(model, batch)
        score = scores[0]
        contributions = score - np.median(scores[1:].reshape(usual.shape), axis=1)
    else:
        raise ValueError(f"method must be 'auto', 'resampling' or 'reconstruction', not {method!r}")
    low, typical, high = np.quantile(usual, [0.1, 0.5, 0.9], axis=1)
    order = np.argsort(-contributions, kind="stable")
    reasons = tuple(
        Reason(
            int(j),
            reference.columns[j],
            float(contributions[j]),
            float(x[j]),
            float(typical[j]),
            float(low[j]),
            float(high[j]),
            _compare(reference, int(j), x[j], low[j], high[j]),
        )
        for j in order
    )
    return Explanation(float(score), method, reasons, _summarise(reasons), tuple(int(i) for i in reference.similar(x)))


def anomaly_scores(model: DensityModel, X: np.ndarray) -> np.ndarray:
    """Anomaly scores that arithmetic can go on with: infinite ones count as 1e100."""
    return np.clip(np.nan_to_num(model.anomaly_score(X), nan=HIGHEST), -HIGHEST, HIGHEST)


def robust_scale(X: np.ndarray) -> np.ndarray:
    """Spread of each column: interquartile range over 1.349, else standard deviation, else 1; (n_features,)."""
    low, high = np.quantile(X, [0.25, 0.75], axis=0)
    scale = (high - low) / 1.349
    scale = np.where(scale > 1e-12 * (np.abs(X).max(axis=0) + 1e-300), scale, X.std(axis=0))
    return np.where(scale > 0, scale, 1.0)


def _correlation(X: np.ndarray) -> np.ndarray:
    """Absolute rank correlation of the columns, zero on the diagonal and where a column is constant."""
    from scipy.stats import rankdata

    ranks = rankdata(X, axis=0)
    ranks -= ranks.mean(axis=0)
    length = np.linalg.norm(ranks, axis=0)
    ranks = np.divide(ranks, length, out=np.zeros_like(ranks), where=length > 0)
    correlation = np.abs(ranks.T @ ranks)
    np.fill_diagonal(correlation, 0.0)
    return correlation


def _compare(reference: Reference, j: int, value: float, low: float, high: float) -> str:
    """ "pressure 7.2 is far above what temp and speed suggest: 3.1 to 3.6"."""
    related = np.argsort(-reference.correlation[j])[:2]
    named = [reference.columns[i] for i in related if reference.correlation[j, i] >= 0.3]
    width = max(high - low, 0.5 * float(reference.scale[j]))
    if low <= value <= high:
        where = "lies within what"
    else:
        off = (low - value if value < low else value - high) / width
        side = "below" if value < low else "above"
        where = f"is {'far ' if off > 1 else 'slightly ' if off < 0.25 else ''}{side} what"
    if named:
        source = f"{' and '.join(named)} suggest{'s' if len(named) == 1 else ''}"
    else:
        source = "is usual"
    span = plain(low) if low == high else f"{plain(low)} to {plain(high)}"
    return f"{reference.columns[j]} {plain(value)} {where} {source}: {span}"


def _summarise(reasons: Sequence[Reason]) -> str:
    first = reasons[0]
    positive = sum(max(r.contribution, 0.0) for r in reasons)
    if first.contribution <= 0:
        return "No single feature makes this row unusual; the combination of all of them does."
    share = first.contribution / positive
    if first.low <= first.value <= first.high:
        names = ", ".join(r.name for r in reasons[:3])
        return f"No single value is out of range; the combination is unusual, mostly through {names}."
    if share < 0.5 and len(reasons) > 1 and reasons[1].contribution > 0:
        return f"{first.sentence}; then {reasons[1].sentence}."
    return f"{first.sentence}."
