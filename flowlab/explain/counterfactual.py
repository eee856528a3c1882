"""Counterfactual: the smallest set of edits found, by greedy search, after which a row is no longer flagged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.encoding.sources import Source
from flowlab.explain.attribution import anomaly_scores, not_flagged
from flowlab.explain.reference import Reference
from flowlab.explain.typical_values import told
from flowlab.formatting import plain
from flowlab.models.base import DensityModel

N_VALUES = 16
FEW_VALUES = 20
"""A column with at most so many distinct values keeps to them; others are edited as little as needed."""


@dataclass(frozen=True)
class Edit:
    """One column changed from `old` to `new`, both as the texts that people read.

    Attributes
    ----------
    column, name : number and name of the column
    """

    column: int
    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Repair:
    """Edits that bring the anomaly score from `before` to `after`.

    Attributes
    ----------
    edits : in the order in which they were found
    row : (n_features,) the edited row, in data units
    before, after : anomaly scores
    succeeded : whether `after` lies below the threshold
    sentence : the edits and what they change, in words
    """

    edits: tuple[Edit, ...]
    row: np.ndarray
    before: float
    after: float
    succeeded: bool
    sentence: str


def repair(
    model: DensityModel,
    x: np.ndarray,
    reference: Reference,
    threshold: float,
    max_edits: int = 30,
    told_row: np.ndarray | None = None,
) -> Repair:
    """The fewest edits best_edit, each as small as possible, after which the row is no longer flagged.

    Greedy: every column is tried as it is in similar rows, in one batch; the edit that lowers the score most is kept,
    until the score is below the threshold. Then edits that are not needed are undone, and numbers are moved back
    toward the old value as far as the threshold allows.

    Parameters
    ----------
    model : fitted
    x : (n_features,) the row, in data units; ValueError unless its numbers are finite
    reference : normal rows, as a rule the training rows
    threshold : anomaly score from which rows are flagged
    max_edits : largest number of edits
    told_row : (n_features,) the row as it is displayed, nan where it was missing (`Dataset.told_row`); None: as `x`
    """
    x = reference.check(x)
    told_row = x if told_row is None else told_row
    before = float(anomaly_scores(model, x[None])[0])
    row, after, edited = x.copy(), before, []
    while after >= threshold and len(edited) < min(max_edits, reference.n_columns):
        best_edit = _best_edit(model, row, reference, edited, after)
        if best_edit is None:
            break
        k, row, after = best_edit
        edited.append(k)
    succeeded = after < threshold
    if succeeded and edited:
        edited = _without_needless(model, x, row, edited, reference, threshold)
        _draw_back(model, told_row, row, edited, reference, threshold)
        after = float(anomaly_scores(model, row[None])[0])
    edits = tuple(_edit(reference, k, told_row, row) for k in edited)
    return Repair(edits, row, before, after, succeeded, _sentence(edits, before, after, threshold))


def _edit(reference: Reference, k: int, x: np.ndarray, row: np.ndarray) -> Edit:
    source = reference.sources[k]
    old, new = (told(source, value) for value in source.read(np.stack([x, row])))
    return Edit(k, source.name, old, new)


def _best_edit(
    model: DensityModel, row: np.ndarray, reference: Reference, edited: list[int], before: float
) -> tuple[int, np.ndarray, float] | None:
    """The single further edit that lowers the score most: column, edited row and score; None if none lowers it."""
    usual = reference.usual_rows(row, N_VALUES)
    free = np.array([k for k in range(reference.n_columns) if k not in edited])
    batch = reference.exchanged(row, usual)[free].reshape(-1, len(row))
    columns = np.repeat(free, usual.shape[1])
    scores = anomaly_scores(model, batch)
    for i in np.argsort(scores, kind="stable"):
        if scores[i] >= before:
            return None
        # a move inside the cell of one value changes nothing in the table
        if _differs(reference.sources[columns[i]], row, batch[i : i + 1])[0]:
            return int(columns[i]), batch[i], float(scores[i])
    return None


def _differs(source: Source, row: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `others` (n, n_features) hold another value in a column than `row` does, (n,)."""
    values = source.read(np.vstack([row, others]))
    is_missing = values.isna().to_numpy()
    same = (values == values.iloc[0]).to_numpy() | (is_missing & is_missing[0])
    return ~same[1:]


def _without_needless(
    model: DensityModel, x: np.ndarray, row: np.ndarray, edited: list[int], reference: Reference, threshold: float
) -> list[int]:
    """Undo, in `row`, one edit after the other as long as the row stays below the threshold."""
    kept = list(edited)
    while len(kept) > 1:
        batch = np.repeat(row[None], len(kept), axis=0)
        for i, k in enumerate(kept):
            batch[i, reference.sources[k].features] = x[reference.sources[k].features]
        scores = anomaly_scores(model, batch)
        best = int(np.argmin(scores))
        if scores[best] >= threshold:
            break
        row[:] = batch[best]
        del kept[best]
    return kept


def _draw_back(
    model: DensityModel, x: np.ndarray, row: np.ndarray, edited: list[int], reference: Reference, threshold: float
) -> None:
    """Bring each edit, in `row`, as near to the old value as the threshold allows; in 2 batches of 32 each."""
    for k in edited:
        source = reference.sources[k]
        j = source.start
        if not _slides(source, reference, x, row):
            continue
        near, far = x[j], row[j]
        for _ in range(2):
            steps = np.linspace(near, far, 33)[1:]
            batch = np.repeat(row[None], len(steps), axis=0)
            batch[:, j] = steps
            # from the far end, which is below the threshold, to the first step that is not
            fails = (anomaly_scores(model, batch) >= threshold) | ~_differs(source, x, batch)
            last = int(np.flatnonzero(fails)[-1]) + 1 if fails.any() else 0
            near, far = (steps[last - 1] if last else near), steps[last]
        row[j] = far


def _slides(source: Source, reference: Reference, x: np.ndarray, row: np.ndarray) -> bool:
    """Whether an edit can be smaller: of numbers and dates that are given before and after, with many values."""
    if source.kind not in ("number", "date") or source.read(np.stack([x, row])).isna().any():
        return False
    return source.read(reference.X).nunique() > FEW_VALUES


def _sentence(edits: tuple[Edit, ...], before: float, after: float, threshold: float) -> str:
    if before < threshold:
        return not_flagged(before, threshold)
    changes = ", ".join(f"{edit.name} from {edit.old} to {edit.new}" for edit in edits)
    if after < threshold:
        return f"Set {changes}: the score falls from {plain(before)} to {plain(after)}, below {plain(threshold)}."
    if not edits:
        return f"No single edit to usual values lowers the score {plain(before)}."
    return f"Even with {changes} the score stays at {plain(after)}, above {plain(threshold)}."
