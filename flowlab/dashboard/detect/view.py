"""What the pictures of the Detect page show: the scores of which rows, counted from what, and the threshold on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flowlab import catalog, formatting
from flowlab.dashboard.detect.threshold import PAGE, ThresholdChoice, groups_shown
from flowlab.dashboard.shell import state
from flowlab.datasets.dataset import Part
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import just_above
from flowlab.plots.score_axis import ScoreAxis

N_STOPS = 300


@dataclass(frozen=True, eq=False)
class View:
    """What the pictures draw, and the run's scores and threshold that it was made of.

    Attributes
    ----------
    scored, choice : rows with scores and the threshold on them. Where groups have their own thresholds these are the
        rows of the chosen group, or all rows with scores counted from the threshold of each row's group, so that one
        line stands for all
    key : names the run and what is shown of it
    axis, grid : of these scores, and (k,) thresholds to draw at
    group : name of the chosen group, "" for all rows
    whole, whole_choice, run_key : of the run
    """

    scored: ScoredTable
    choice: ThresholdChoice
    key: str
    axis: ScoreAxis
    grid: np.ndarray
    group: str
    whole: ScoredTable
    whole_choice: ThresholdChoice
    run_key: str

    @classmethod
    def of(cls, whole: ScoredTable, run_key: str, choice: ThresholdChoice) -> View:
        """Of a run and its threshold, for the group that the link names."""
        scored, threshold, group, key, title = whole, choice.threshold, "", run_key, score_title(whole)
        if threshold.groups is not None:
            asked = state.view(PAGE, "of_group", "")
            group = asked if asked in groups_shown(whole, threshold) else ""
            key = f"{run_key} {threshold.groups.column} {group} {dict(threshold.parameters)}"
            title = title if group else f"{title}, above the threshold of its group"
            scored, threshold = whole.of_group(threshold, group) if group else whole.by_margin(threshold)
        axis = axis_of(scored, title)
        shown = replace(choice, threshold=threshold)
        return cls(scored, shown, key, axis, grid_of(scored, axis), group, whole, choice, run_key)

    @property
    def reading(self) -> str:
        """What the line stands for where groups have their own thresholds, "" where they have not."""
        groups = self.whole_choice.threshold.groups
        if groups is None:
            return ""
        told = next((one for one in groups.groups if one.name == self.group), None)
        if told is None:
            return (
                f"Scores are counted from the threshold of each row's group of {groups.column}: from 0 on a row is "
                "flagged. Choose a group to see its own scores."
            )
        whose = "that of all rows, which it borrows" if told.borrows else "its own"
        rows = formatting.plural(told.n_calibration, "calibration row")
        return f"Rows of {groups.column} {self.group} alone: the threshold is {whose}; the group has {rows}."


def axis_of(scored: ScoredTable, title: str = "") -> ScoreAxis:
    """The axis of the scores of validation and test rows."""
    return ScoreAxis.of(scored.scores[scored.rows(Part.UNSEEN)], title or score_title(scored))


def grid_of(scored: ScoredTable, axis: ScoreAxis) -> np.ndarray:
    """Thresholds evenly spread along the axis, from below the lowest to above the highest unseen score."""
    scores = scored.scores[scored.rows(Part.UNSEEN)]
    low, high = axis.place([scores.min(), just_above(scores.max())])
    inner = axis.score(np.linspace(low, high, N_STOPS))
    return np.unique(np.r_[scores.min(), inner[1:-1], just_above(scores.max())])


def score_title(scored: ScoredTable) -> str:
    """What the present run's score is, with its unit."""
    if scored.level_calibration is not None:
        return f"anomaly score, {scored.level_calibration.score_label}"
    model = catalog.make_model(state.spec().model)
    return (
        "anomaly score, negative log-density (nats)"
        if model.is_density
        else f"anomaly score, negative of {model.score_label}"
    )
