"""A detector whose threshold is set anew on newer rows: the model stays, and the old file is left as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flowlab.datasets.order import LOCAL, independent_share, local_autocorrelation
from flowlab.detection import rules
from flowlab.detection.calibration import Calibration
from flowlab.detection.conformal import for_new_files
from flowlab.detection.drift import rescored
from flowlab.detection.groups import by_group
from flowlab.detection.threshold import Threshold
from flowlab.formatting import count, plain, plural, short_percent
from flowlab.serving.bundle import DetectorBundle, from_bytes, thinned, to_bytes

BY_SHARE = ("manual", "false_discovery", "budget")
"""Rules that say nothing of the scores of a file alone; they are answered by the share that the old threshold flags."""


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """What became of a detector.

    Attributes
    ----------
    detector : with the new threshold, calibration rows and distribution of the score
    old, new : the thresholds
    old_flags, new_flags : which rows of the file each flags, (n,) bool
    """

    detector: DetectorBundle
    old: Threshold
    new: Threshold
    old_flags: np.ndarray
    new_flags: np.ndarray

    @property
    def sentences(self) -> tuple[str, ...]:
        """Old and new threshold, what each flags of the rows, and why the new one stands there."""
        old, new = self.old_flags, self.new_flags
        return (
            f"The threshold was {plain(self.old.value)} and is now {plain(self.new.value)}; the model and the order of "
            "the rows are as they were.",
            f"Of {plural(len(old), 'row')} the old threshold flags {count(int(old.sum()))} "
            f"({short_percent(float(old.mean()))}), the new one {count(int(new.sum()))} "
            f"({short_percent(float(new.mean()))}): {count(int((old & new).sum()))} both.",
            " ".join(filter(None, (self.new.sentence, self.new.caution))),
        )


def recalibrated(
    detector: DetectorBundle, scores: np.ndarray, levels: np.ndarray | None = None, file: str = ""
) -> Recalibrated:
    """The detector with its rule applied again, to the rows of a new file.

    Parameters
    ----------
    detector : it is not changed
    scores : (n,) its scores of the rows, in their order (`Summary.scores`)
    levels : (n,) names of the rows' groups, where groups have their own thresholds (`Summary.levels`)
    file : name of the file, for the story

    A rule that needs labels, which new rows have not, or more than scores, gives way to the share of rows that the old
    threshold flagged where it was chosen, or to the usual promise where that was none. All rows count as normal.
    ValueError, one sentence, where the rule finds no threshold.
    """
    old = detector.threshold
    worth = independent_share(scores) if local_autocorrelation(scores) >= LOCAL else None
    new = _chosen(detector, scores, worth)
    if new.refused:
        raise ValueError(new.sentence)
    if old.groups is not None and levels is not None and new.rule == "conformal":
        rows = np.arange(len(scores))
        new = by_group(new, old.groups.column, scores, levels, rows, rows, worth)
    new_flags = new.flag(scores, levels)
    story = f"Its threshold was set anew on {count(len(scores))} rows{f' of {file}' if file else ''}"
    facts = {
        **detector.facts,
        "validation_rows": len(scores),
        "validation_flagged": int(new_flags.sum()),
        "gives_p_values": True,
        "recalibrated": f"{story}; before it was {plain(old.value)}",
    }
    calibration = thinned(Calibration.of(scores, levels, new.groups))
    made = replace(
        detector, threshold=for_new_files(new), calibration=calibration, baseline=rescored(detector.baseline, scores),
        facts=facts,
    )  # fmt: skip
    return Recalibrated(made, old, new, old.flag(scores, levels), new_flags)


@dataclass(frozen=True)
class Renewed:
    """A detector file whose threshold was set anew, and what is said of it."""

    data: bytes
    sentences: tuple[str, ...]


def renewed(item: tuple[bytes, np.ndarray, np.ndarray | None, str]) -> Renewed:
    """`recalibrated` from a detector file's content and the other arguments: for a process of its own, see `confined`.

    DetectorFileError where the file is none, else as `recalibrated`.
    """
    data, scores, levels, file = item
    found = recalibrated(from_bytes(data), scores, levels, file)
    return Renewed(to_bytes(found.detector), found.sentences)


def _chosen(detector: DetectorBundle, scores: np.ndarray, worth: float | None) -> Threshold:
    old = detector.threshold
    if old.rule not in BY_SHARE and not rules.RULES[old.rule].needs_labels:
        return rules.choose(old.rule, scores, None, {"worth": worth}, **old.parameters)
    there, flagged = (int(detector.facts.get(name, 0)) for name in ("validation_rows", "validation_flagged"))
    share = flagged / there if there else 0.0
    if not 0 < share < 1:
        promise = rules.choose("conformal", scores, None, {"worth": worth})
        caution = (
            "The old threshold flagged none, or all, of the rows it was chosen on, so there is no share to keep; the "
            "new one makes the usual promise."
        )
        return replace(promise, caution=" ".join(filter(None, (promise.caution, caution))))
    label = "set by hand" if old.rule == "manual" else f"chosen by the rule {rules.RULES[old.rule].label}"
    caution = (
        f"The old threshold was {label}, which these rows alone do not answer; the new one keeps the share of rows, "
        f"{short_percent(share)}, that it flagged where it was chosen."
    )
    new = rules.choose("quantile", scores, share=share)
    return replace(new, caution=" ".join(filter(None, (new.caution, caution))))
