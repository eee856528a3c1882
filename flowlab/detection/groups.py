"""A promise for each group of rows, whether or not the model knows of groups: Mondrian conformal calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flowlab.datasets.order import independent_share
from flowlab.detection.conformal import false_alarm_promise, rows_needed
from flowlab.detection.group_thresholds import Group, GroupThresholds
from flowlab.detection.intervals import exact_interval
from flowlab.detection.threshold import Threshold
from flowlab.formatting import count, plain, short_percent

N_NAMED = 10


def by_group(
    pooled: Threshold,
    column: str,
    scores: np.ndarray,
    levels: np.ndarray,
    calibration: np.ndarray,
    judged: np.ndarray,
    worth: float | None = None,
) -> Threshold:
    """The threshold of all rows with one for each group of a column, each from the group's own calibration rows.

    Parameters
    ----------
    pooled : what `false_alarm_promise` gave for all calibration rows; a refused one comes back as it is
    column : name of the grouping column
    scores, levels : (n_rows,) anomaly scores, and names of the groups (`group_thresholds.group_names`)
    calibration : numbers of the normal rows outside training, in their order where they are a series
    judged : numbers of the rows outside training, on which groups are held beside each other
    worth : independent rows that a row of a series is worth, None for independent rows; a group takes the smaller of
        this and its own

    A normal row of a group with a threshold of its own is flagged with probability at most the promised rate, given
    its group: the rank of its score among the group's calibration rows is uniform (Vovk, Gammerman and Shafer 2005,
    section 4.5, "Mondrian" confidence machines; Boström et al., `crepes`). A group with too few rows for its own
    promise borrows the threshold of all rows, which promises nothing for one group.
    """
    if pooled.rule != "conformal":
        raise ValueError(f"a threshold for each group needs the rule 'conformal', not {pooled.rule!r}")
    if pooled.refused:
        return pooled
    rate, confidence = float(pooled.parameters["rate"]), float(pooled.parameters["confidence"])
    groups = []
    for name in np.unique(levels[np.r_[judged, calibration]].astype(str)).tolist():
        rows, own_rows = judged[levels[judged] == name], calibration[levels[calibration] == name]
        own_worth = None if worth is None else min(worth, independent_share(scores[own_rows]))
        own = (
            false_alarm_promise(scores[own_rows], rate=rate, confidence=confidence, worth=own_worth)
            if len(own_rows)
            else replace(pooled, refused=True)
        )
        value = pooled.value if own.refused else own.value
        n_pooled = int(np.sum(scores[rows] >= pooled.value))
        low, high = exact_interval(n_pooled * (own_worth or 1.0), len(rows) * (own_worth or 1.0))
        groups.append(
            Group(
                name, float(value), own.refused, len(own_rows), int(np.sum(scores[own_rows] >= value)),
                len(rows), n_pooled, int(np.sum(scores[rows] >= value)), float(low), float(high),
            )
        )  # fmt: skip
    groups.sort(key=lambda group: (-group.low, -group.n_pooled / max(group.n_rows, 1), group.name))
    found = GroupThresholds(column, tuple(groups))
    sentence = f"{_promised(found, rate, confidence)} {_borrowed(found, pooled.value, rate, confidence)}"
    return replace(pooled, sentence=sentence, plateau=None, interval=None, groups=found)


def _promised(found: GroupThresholds, rate: float, confidence: float) -> str:
    own = sum(not group.borrows for group in found.groups)
    promise = (
        "on average over calibration sets" if confidence == 0 else f"in {short_percent(confidence)} of calibration sets"
    )
    return (
        f"{count(own)} of {count(len(found.groups))} groups of {found.column} have a threshold of their own: in each "
        f"of these at most {short_percent(rate)} of normal rows are flagged, {promise}, whatever the model. It holds "
        "for rows from the same source. The p-values of their rows compare with normal rows of the group."
    )


def _borrowed(found: GroupThresholds, pooled: float, rate: float, confidence: float) -> str:
    """Which groups take the threshold of all rows, and what that means for them."""
    small = sorted((group for group in found.groups if group.borrows), key=lambda group: group.n_calibration)
    takes = f"the threshold of all rows, {plain(pooled)}, which promises nothing for one group alone"
    if not small:
        return f"A group that was never seen takes {takes}."
    return (
        f"Groups too small for that borrow {takes}: {_listed(small)}. Their own would take "
        f"{count(rows_needed(rate, confidence))} independent normal rows outside training whose scores differ. A group "
        "that was never seen borrows it too."
    )


def _listed(groups: Sequence[Group]) -> str:
    told = [f"{group.name[:40]} ({count(group.n_calibration)})" for group in groups[:N_NAMED]]
    return ", ".join(told) + (f" and {len(groups) - N_NAMED} more" if len(groups) > N_NAMED else "")
