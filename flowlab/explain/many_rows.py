"""Reasons of many rows at once: the columns that matter are found by one exchange each, and only those are studied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowlab.explain.attribution import Judge, Reason, anomaly_scores, combination
from flowlab.explain.reference import N_SIMILAR, Reference
from flowlab.explain.typical_values import compare

N_REASONS = 3
N_CANDIDATES = 6
"""Columns of a row whose contribution is computed as `explain` does; the others lose at the screening."""
BATCH_ROWS = 8192
"""Rows scored in one batch, about."""


@dataclass(frozen=True)
class RowReasons:
    """Why a row scores high.

    Attributes
    ----------
    reasons : at most three columns with values that similar rows do not have, the strongest first
    sentence : where there are none, what counts instead, in words; else ""
    """

    reasons: tuple[Reason, ...]
    sentence: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each reason, else the one on their combination."""
        return tuple(reason.sentence for reason in self.reasons) or (self.sentence,)

    @property
    def traits(self) -> tuple[str, ...]:
        """In what the row is unusual, without its values: what rows of one kind have in common."""
        return tuple(map(_trait, self.reasons)) or ("a combination of usual values",)


def reasons_of_rows(
    model: Judge, X: np.ndarray, reference: Reference, told_rows: np.ndarray | None = None, n_reasons: int = N_REASONS
) -> list[RowReasons]:
    """The reasons of each row of X (n, n_features); a value that similar rows have, too, is none.

    Parameters
    ----------
    model : fitted
    X : rows in data units; ValueError unless their numbers are finite
    reference : normal rows, as a rule the training rows
    told_rows : (n, n_features) the rows as they are displayed, nan where a value was missing; None: as X
    n_reasons : most of a row

    Each column is exchanged once, for the value in the middle of those of similar rows; the six whose exchange lowers
    the score most get the contribution and the sentence that `explain` gives them. Memory does not grow with n.
    """
    told_rows = X if told_rows is None else told_rows
    n_together = max(BATCH_ROWS // (reference.n_columns + N_CANDIDATES * N_SIMILAR), 1)
    found: list[RowReasons] = []
    for start in range(0, len(X), n_together):
        rows = [reference.check(x) for x in X[start : start + n_together]]
        ranked = (
            _by_error(model, rows, reference)
            if model.scores_by_reconstruction
            else _by_exchange(model, rows, reference)
        )
        told = told_rows[start : start + n_together]
        values = [source.read(told).to_list() for source in reference.sources]
        for i, columns in enumerate(ranked):
            found.append(_told(reference, told[i], [column[i] for column in values], columns, n_reasons))
    return found


Column = tuple[int, float, np.ndarray]
"""Number of a column, its contribution, and the positions of similar rows in the reference."""


def _by_exchange(model: Judge, rows: Sequence[np.ndarray], reference: Reference) -> Iterator[list[Column]]:
    """For each row the columns that raise its score, the strongest first."""
    squares = [reference.capped_squares(x) for x in rows]
    once = [reference.exchanged_once(x, part) for x, part in zip(rows, squares, strict=True)]
    scores = anomaly_scores(model, np.vstack([*rows, *once]))
    own, screened = scores[: len(rows)], scores[len(rows) :].reshape(len(rows), reference.n_columns)
    n_candidates = min(N_CANDIDATES, reference.n_columns)
    candidates = np.argsort(screened, axis=1, kind="stable")[:, :n_candidates]
    similar = [reference.nearest_but(part, columns) for part, columns in zip(squares, candidates, strict=True)]
    batch = [reference.exchanged(x, near, columns) for x, near, columns in zip(rows, similar, candidates, strict=True)]
    after = anomaly_scores(model, np.concatenate(batch).reshape(-1, reference.n_features))
    middle = np.median(after.reshape(len(rows), n_candidates, -1), axis=2)
    for i, columns in enumerate(candidates):
        falls = own[i] - middle[i]
        order = [j for j in np.argsort(-falls, kind="stable") if falls[j] > 0]
        yield [(int(columns[j]), float(falls[j]), similar[i][j]) for j in order]


def _by_error(model: Judge, rows: Sequence[np.ndarray], reference: Reference) -> Iterator[list[Column]]:
    """The same for a model whose score is a sum over the features."""
    errors = model.feature_errors(np.vstack([*rows, reference.X[:1000]]))
    errors = np.add.reduceat(errors, reference.starts, axis=1)
    above = errors[: len(rows)] - np.median(errors[len(rows) :], axis=0)
    for x, contributions in zip(rows, above):
        order = [k for k in np.argsort(-contributions, kind="stable")[:N_CANDIDATES] if contributions[k] > 0]
        similar = reference.nearest_but(reference.capped_squares(x), np.array(order, int))
        yield [(int(k), float(contributions[k]), near) for k, near in zip(order, similar)]


def _told(
    reference: Reference, told_row: np.ndarray, values: Sequence[Any], columns: Sequence[Column], n_reasons: int
) -> RowReasons:
    reasons: list[Reason] = []
    for k, contribution, similar in columns:
        usual = compare(reference, k, told_row, similar, values[k])
        if not usual.is_usual:
            reasons.append(Reason(column=k, name=reference.sources[k].name, contribution=contribution, **vars(usual)))
        if len(reasons) == n_reasons:
            break
    names = [reference.sources[k].name for k, _, _ in columns]
    return RowReasons(tuple(reasons), "" if reasons else combination(names))


def _trait(reason: Reason) -> str:
    if reason.value is None:
        return f"{reason.name} missing"
    if reason.low is None:
        return f"{reason.name} unusual"
    return f"{reason.name} {'low' if reason.value < reason.low else 'high'}"
