"""The normal rows that others are compared with: p-values among all of them, or among those of a row's group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from flowlab.detection.conformal import conformal_p_values
from flowlab.detection.group_thresholds import GroupThresholds


@dataclass(frozen=True, eq=False)
class Calibration:
    """Scores of normal rows outside training.

    Attributes
    ----------
    pooled : (m,) of all of them, ascending
    groups : of each group with a threshold of its own, by name: (m_g,) ascending
    """

    pooled: np.ndarray
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def of(
        cls, scores: np.ndarray, levels: np.ndarray | None = None, thresholds: GroupThresholds | None = None
    ) -> Calibration:
        """From scores (m,) and, where groups have `thresholds`, the names (m,) of the groups of their rows."""
        pooled = np.sort(np.asarray(scores, np.float64))
        if thresholds is None or levels is None:
            return cls(pooled)
        own = (group.name for group in thresholds.groups if not group.borrows)
        return cls(pooled, {name: np.sort(scores[levels == name]) for name in own})

    def p_values(
        self, scores: np.ndarray, levels: np.ndarray | None = None, own: np.ndarray | None = None
    ) -> np.ndarray:
        """Conformal p-value of each row, (n,): its rank among the calibration rows of its group.

        Parameters
        ----------
        scores : (n,) anomaly scores
        levels : (n,) names of the rows' groups; None compares with all rows
        own : (n,) bool, the rows that are among the calibration rows: each is compared with the others

        Rows of groups that borrow the threshold of all rows, and of groups never seen, are compared with all rows. A
        normal row of a group has a p-value of at most a with probability at most a, given its group ("Mondrian", Vovk,
        Gammerman and Shafer 2005, section 4.5). A new row is flagged by the promise of a rate a, on average over
        calibration sets of independent rows, exactly where its p-value is at most a.
        """
        found = _p_values(scores, self.pooled, own)
        for name, calibration in self.groups.items() if levels is not None else ():
            rows = np.flatnonzero(levels == name)
            found[rows] = _p_values(scores[rows], calibration, None if own is None else own[rows])
        return found


def _p_values(scores: np.ndarray, calibration: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    found, m = conformal_p_values(scores, calibration), len(calibration)
    if own is not None:
        found[own] = (found[own] * (m + 1) - 1) / m  # itself counted once, not twice
    return found
