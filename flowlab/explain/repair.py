"""Repair: the smallest set of edits found that makes an anomalous row ordinary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.detection.threshold import plain
from flowlab.explain.reasons import Reference, anomaly_scores
from flowlab.models.base import DensityModel

N_VALUES = 16
FEW_VALUES = 20
"""A feature with at most so many distinct values keeps to them; others are edited as little as needed."""


@dataclass(frozen=True)
class Edit:
    """Set one feature from `old` to `new`, both in data units."""

    feature: int
    name: str
    old: float
    new: float


@dataclass(frozen=True)
class Repair:
    """Edits that bring the anomaly score from `before` to `after`; `succeeded` if that is below the threshold."""

    edits: tuple[Edit, ...]
    row: np.ndarray
    before: float
    after: float
    succeeded: bool
    sentence: str


def repair(model: DensityModel, x, reference: Reference, threshold: float, max_edits: int = 30) -> Repair:
    """The fewest edits found, each as small as possible, after which the row is no longer flagged.

    Greedy: every feature is tried at the values that similar rows have there, in one batch; the edit that lowers
    the score most is kept, until the score is below the threshold. Then edits that turn out needless are undone,
    and each is drawn back toward the old value as far as the threshold allows.

    Parameters
    ----------
    x : (n_features,) the row, in data units
    threshold : anomaly score from which rows are flagged
    max_edits : give up after so many
    """
    x = reference.check(x)
    before = float(anomaly_scores(model, x[None])[0])
    row, after, edited = x.copy(), before, []
    while after >= threshold and len(edited) < min(max_edits, reference.n_features):
        j, value, score = _best_edit(model, row, reference, edited)
        if score >= after:
            break
        row[j], after = value, score
        edited.append(j)
    succeeded = after < threshold
    if succeeded and edited:
        edited = _without_needless(model, x, row, edited, threshold)
        _draw_back(model, x, row, edited, reference, threshold)
        after = float(anomaly_scores(model, row[None])[0])
    edits = tuple(Edit(j, reference.columns[j], float(x[j]), float(row[j])) for j in edited)
    return Repair(edits, row, before, after, succeeded, _sentence(edits, before, after, threshold))


def _best_edit(
    model: DensityModel, row: np.ndarray, reference: Reference, edited: list[int]
) -> tuple[int, float, float]:
    """The feature, value and score of the single further edit that lowers the score most."""
    usual = reference.usual_values(row, N_VALUES)
    free = np.array([j for j in range(reference.n_features) if j not in edited])
    features = np.repeat(free, usual.shape[1])
    values = usual[free].ravel()
    batch = np.repeat(row[None], len(features), axis=0)
    batch[np.arange(len(batch)), features] = values
    scores = anomaly_scores(model, batch)
    best = int(np.argmin(scores))
    return int(features[best]), float(values[best]), float(scores[best])


def _without_needless(
    model: DensityModel, x: np.ndarray, row: np.ndarray, edited: list[int], threshold: float
) -> list[int]:
    """Undo, in `row`, one edit after the other as long as the row stays below the threshold."""
    kept = list(edited)
    while len(kept) > 1:
        batch = np.repeat(row[None], len(kept), axis=0)
        batch[np.arange(len(kept)), kept] = x[kept]
        scores = anomaly_scores(model, batch)
        best = int(np.argmin(scores))
        if scores[best] >= threshold:
            break
        row[kept[best]] = x[kept[best]]
        del kept[best]
    return kept


def _draw_back(
    model: DensityModel, x: np.ndarray, row: np.ndarray, edited: list[int], reference: Reference, threshold: float
) -> None:
    """Bring each edit, in `row`, as near to the old value as the threshold allows; in 2 batches of 32 each."""
    for j in edited:
        if len(np.unique(reference.X[:, j])) <= FEW_VALUES:
            continue
        near, far = x[j], row[j]
        for _ in range(2):
            steps = np.linspace(near, far, 33)[1:]
            batch = np.repeat(row[None], len(steps), axis=0)
            batch[:, j] = steps
            # from the far end, which is below the threshold, to the first step that is not
            fails = np.flatnonzero(anomaly_scores(model, batch) >= threshold)
            last = int(fails[-1]) + 1 if len(fails) else 0
            near, far = (steps[last - 1] if last else near), steps[last]
        row[j] = far


def _sentence(edits: tuple[Edit, ...], before: float, after: float, threshold: float) -> str:
    if before < threshold:
        return f"The row is not flagged: its score {plain(before)} lies below the threshold {plain(threshold)}."
    changes = ", ".join(f"{e.name} from {plain(e.old)} to {plain(e.new)}" for e in edits)
    if after < threshold:
        return f"Set {changes}: the score falls from {plain(before)} to {plain(after)}, below {plain(threshold)}."
    if not edits:
        return f"No single edit to usual values lowers the score {plain(before)}."
    return f"Even with {changes} the score stays at {plain(after)}, above {plain(threshold)}."
