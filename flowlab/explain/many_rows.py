"""Reasons of many rows at once: the columns that matter are found by one exchange each, and only those are studied."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from flowlab.explain.attribution import Judge, Reason, anomaly_scores, combination
from flowlab.explain.reference import N_EXCHANGED, N_SIMILAR, Reference
from flowlab.explain.typical_values import compare, is_usual

N_REASONS = 3
N_SCREENED, SHARE_SCREENED = 24, 0.25
"""Columns of a row that are exchanged once: at least so many, and of wide tables such a share."""
N_MORE = 3
"""So many more columns than reasons are wanted are compared with similar rows; the others lose at the screening."""
BATCH_ROWS = 8192
"""Rows scored in one batch, about."""
BATCH_VALUES = 2**21
"""Numbers of similar rows held at a time, at most."""


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

    Each column (of wide tables those that stand out most) is exchanged once, for the value in the middle of those of
    similar rows. Of the ones whose exchange lowers the score most, those with an unusual value get the contribution and
    the sentence that `explain` gives them. Memory does not grow with n.
    """
    told_rows = X if told_rows is None else told_rows
    n_exchanges = _n_screened(reference) + (n_reasons + 1) * N_EXCHANGED
    n_together = max(min(BATCH_ROWS // n_exchanges, BATCH_VALUES // (N_SIMILAR * reference.n_features)), 1)
    judge = _by_error if model.scores_by_reconstruction else _by_exchange
    found: list[RowReasons] = []
    for start in range(0, len(X), n_together):
        rows = np.array([reference.check(x) for x in X[start : start + n_together]])
        table = _Rows(reference, rows, told_rows[start : start + n_together])
        for i, (columns, names) in enumerate(judge(model, table, n_reasons)):
            reasons = [
                Reason(
                    column=k, name=reference.sources[k].name, contribution=contribution,
                    **vars(compare(reference, k, table.told[i], similar, table.values[i])),
                )
                for k, contribution, similar in columns[:n_reasons]
            ]  # fmt: skip
            found.append(RowReasons(tuple(reasons), "" if reasons else combination(names)))
    return found


Column = tuple[int, float, np.ndarray]
"""Number of a column, its contribution, and the positions of similar rows in the reference."""


class _Rows:
    """Some rows, as the model sees them and as they are displayed, among the reference rows."""

    def __init__(self, reference: Reference, rows: np.ndarray, told: np.ndarray) -> None:
        self.reference, self.rows, self.told = reference, rows, told
        self.values = list(zip(*(source.read(told).to_list() for source in reference.sources)))
        self.placed, self.totals = reference.capped_distances(rows)

    def unusual(self, i: int, columns: np.ndarray, n: int) -> list[tuple[int, np.ndarray]]:
        """The first `n` of the columns whose value in row i is none of those of similar rows, with these rows."""
        if not len(columns):
            return []
        similar = self.reference.nearest_but(self.placed[i], self.totals[i], columns)
        pairs = zip(columns.tolist(), similar)
        odd = ((k, near) for k, near in pairs if not is_usual(self.reference, k, self.told[i], near, self.values[i]))
        return list(itertools.islice(odd, n))


def _n_screened(reference: Reference) -> int:
    return min(max(N_SCREENED, int(SHARE_SCREENED * reference.n_columns)), reference.n_columns)


def _by_exchange(model: Judge, table: _Rows, n_reasons: int) -> Iterator[tuple[list[Column], list[str]]]:
    """For each row the unusual columns that raise its score, and the names of those that do in any case."""
    reference, rows = table.reference, table.rows
    near = reference.nearest(table.totals)
    screened = reference.strangest(table.placed, near, _n_screened(reference))
    once = reference.exchanged_once(rows, near, screened)
    scores = anomaly_scores(model, np.concatenate([rows, once.reshape(-1, reference.n_features)]))
    own, falls = scores[: len(rows)], scores[: len(rows), None] - scores[len(rows) :].reshape(screened.shape)
    order = np.argsort(-falls, axis=1, kind="stable")
    screened, falls = np.take_along_axis(screened, order, axis=1), np.take_along_axis(falls, order, axis=1)
    studied = [table.unusual(i, columns[: n_reasons + N_MORE], n_reasons + 1) for i, columns in enumerate(screened)]
    batch = [
        reference.exchanged(x, np.array([reference.some_of(k, similar) for k, similar in odd]), [k for k, _ in odd])
        for x, odd in zip(rows, studied)
        if odd
    ]
    after = anomaly_scores(model, np.concatenate(batch).reshape(-1, reference.n_features)) if batch else np.zeros(0)
    middle = iter(np.median(after.reshape(-1, batch[0].shape[1] if batch else 1), axis=1).tolist())
    for i, odd in enumerate(studied):
        columns = [(k, own[i] - next(middle), similar) for k, similar in odd]
        raising = [reference.sources[k].name for k in screened[i][falls[i] > 0]]
        yield sorted((c for c in columns if c[1] > 0), key=lambda c: -c[1]), raising


def _by_error(model: Judge, table: _Rows, n_reasons: int) -> Iterator[tuple[list[Column], list[str]]]:
    """The same for a model whose score is a sum over the features."""
    reference = table.reference
    errors = model.feature_errors(np.vstack([table.rows, reference.X[:1000]]))
    errors = np.add.reduceat(errors, reference.starts, axis=1)
    above = errors[: len(table.rows)] - np.median(errors[len(table.rows) :], axis=0)
    for i, contributions in enumerate(above):
        order = np.argsort(-contributions, kind="stable")[: n_reasons + N_MORE]
        order = order[contributions[order] > 0]
        columns = [(k, float(contributions[k]), similar) for k, similar in table.unusual(i, order, n_reasons)]
        yield columns, [reference.sources[k].name for k in order]


def _trait(reason: Reason) -> str:
    if reason.value is None:
        return f"{reason.name} missing"
    if reason.low is None:
        return f"{reason.name} unusual"
    return f"{reason.name} {'low' if reason.value < reason.low else 'high'}"
