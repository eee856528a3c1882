"""Attribution: how much each column contributes to a row's anomaly score, and its typical value given the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flowlab.detection.threshold import HIGHEST
from flowlab.explain.reference import Reference
from flowlab.explain.typical_values import Usual, compare, row_values
from flowlab.formatting import plain


@dataclass(frozen=True)
class Reason(Usual):
    """One column's part in a row's anomaly score, and its value beside those of similar rows.

    Attributes
    ----------
    column, name : number and name
    contribution : how much of the anomaly score goes back to it, in the score's unit; see `explain`
    """

    column: int
    name: str
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Reasons in descending order of their contribution, one sentence, and the most similar reference rows.

    Attributes
    ----------
    score : the row's anomaly score
    method : "resampling" (fall of the anomaly score when the column takes typical values) or "reconstruction" (the
        column's share of the reconstruction error)
    reasons : strongest first
    sentence : the strongest reasons in words
    similar : row numbers of the reference, nearest first
    """

    score: float
    method: str
    reasons: tuple[Reason, ...]
    sentence: str
    similar: tuple[int, ...]


class Judge(Protocol):
    """What of a model its scores are explained by."""

    @property
    def scores_by_reconstruction(self) -> bool:
        """Whether the anomaly score is the sum of `feature_errors`."""

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """Anomaly scores (n_rows,) of rows."""

    def feature_errors(self, X: np.ndarray) -> np.ndarray:
        """Squared errors (n_rows, n_features) of rows; asked for where the model `scores_by_reconstruction`."""


def explain(
    model: Judge,
    x: np.ndarray,
    reference: Reference,
    method: str = "auto",
    n_reasons: int | None = None,
    told_row: np.ndarray | None = None,
    threshold: float | None = None,
) -> Explanation:
    """Reasons for the anomaly score of one row.

    Parameters
    ----------
    model : fitted
    x : (n_features,) the row, in data units; ValueError unless its numbers are finite
    reference : normal rows, as a rule the training rows
    method : "resampling": the median fall of the anomaly score when the column takes values it has in rows that
        resemble this one otherwise, for any model; "reconstruction": the squared reconstruction error of the
        column's features less its median over the reference; "auto": reconstruction where the model scores by it
    n_reasons : how many of the strongest to give; None for all
    told_row : (n_features,) the row as it is displayed, nan where it was missing (`Dataset.told_row`); None: as `x`
    threshold : anomaly score from which rows are flagged; of a row below it the sentence says just that

    The features of one column are exchanged together. All scores are computed in one batch of n_columns x 5 rows.
    """
    x = reference.check(x)
    if method == "auto":
        method = "reconstruction" if model.scores_by_reconstruction else "resampling"
    usual = reference.usual_rows(x)
    if method == "reconstruction":
        score = anomaly_scores(model, x[None])[0]
        errors = model.feature_errors(np.vstack([x, reference.X[:1000]]))
        errors = np.add.reduceat(errors, reference.starts, axis=1)
        contributions = errors[0] - np.median(errors[1:], axis=0)
    elif method == "resampling":
        some = np.array([reference.some_of(k, similar) for k, similar in enumerate(usual)])
        scores = anomaly_scores(model, np.vstack([x, reference.exchanged(x, some).reshape(-1, len(x))]))
        score = scores[0]
        contributions = score - np.median(scores[1:].reshape(some.shape), axis=1)
    else:
        raise ValueError(f"method must be 'auto', 'resampling' or 'reconstruction', not {method!r}")
    order = np.argsort(-contributions, kind="stable")
    told_row = x if told_row is None else told_row
    values = row_values(reference, told_row)
    reasons = tuple(
        Reason(
            column=int(k),
            name=reference.sources[k].name,
            contribution=float(contributions[k]),
            **vars(compare(reference, int(k), told_row, usual[k], values)),
        )
        for k in order[:n_reasons]
    )
    positive = float(contributions[contributions > 0].sum())
    similar = tuple(int(i) for i in reference.similar(x))
    return Explanation(float(score), method, reasons, _summarise(reasons, positive, float(score), threshold), similar)


def anomaly_scores(model: Judge, X: np.ndarray) -> np.ndarray:
    """Anomaly scores of rows X (n, n_features) as finite numbers, (n,): infinite ones, and nan, count as 1e100."""
    return np.clip(np.nan_to_num(model.anomaly_score(X), nan=HIGHEST), -HIGHEST, HIGHEST)


def not_flagged(score: float, threshold: float) -> str:
    """What is said of a row whose score lies below the threshold, in place of reasons."""
    return f"The row is not flagged: its score {plain(score)} lies below the threshold {plain(threshold)}."


def _summarise(reasons: Sequence[Reason], positive: float, score: float, threshold: float | None) -> str:
    """One sentence; `positive` is the sum of all contributions that raise the score."""
    if threshold is not None and score < threshold:
        return not_flagged(score, threshold)
    raising = [reason for reason in reasons if reason.contribution > 0]
    unusual = [reason for reason in raising if not reason.is_usual]
    if not raising or raising[0].is_usual:
        return combination([reason.name for reason in raising])
    if raising[0].contribution < 0.5 * positive and len(unusual) > 1:
        return f"{unusual[0].sentence}; then {unusual[1].sentence}."
    return f"{unusual[0].sentence}."


def combination(names: Sequence[str]) -> str:
    """What is said where no unusual value raises the score most; `names` are columns that raise it, strongest first."""
    if not names:
        return "No single column raises the score above that of rows alike in all others."
    mostly = ", ".join(names[:3])
    return f"The value that raises the score most is no unusual one; the combination counts, mostly {mostly}."
