"""Thresholds that differ by group: what each group of a column takes, and how strange it is beside the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

MAX_GROUPS = 50
MISSING = "(missing)"


@dataclass(frozen=True)
class Group:
    """One level of the grouping column.

    Attributes
    ----------
    name : the level, as `group_names` writes it
    threshold : from which score on its rows are flagged
    borrows : whether it is too small for a promise of its own and takes the threshold of all rows
    n_calibration, n_calibration_flagged : its normal rows outside training, and those that its threshold flags
    n_rows : its rows outside training
    n_pooled, n_flagged : those of them that the threshold of all rows flags, and that its own flags
    low, high : exact 95 % interval of the share that the threshold of all rows flags
    """

    name: str
    threshold: float
    borrows: bool
    n_calibration: int
    n_calibration_flagged: int
    n_rows: int
    n_pooled: int
    n_flagged: int
    low: float
    high: float


@dataclass(frozen=True)
class GroupThresholds:
    """The thresholds of the groups of a column, the strangest group first; other rows take that of all rows.

    Groups are ranked by the lower end of the interval of the share that the threshold of all rows flags: a small
    group is strange only where its few rows leave no doubt.
    """

    column: str
    groups: tuple[Group, ...]

    def of_rows(self, levels: np.ndarray, pooled: float) -> np.ndarray:
        """The threshold of each row, (n,), by the names (n,) of the groups; `pooled` where a name is unknown."""
        own = {group.name: group.threshold for group in self.groups}
        names, place = np.unique(np.asarray(levels, dtype=str), return_inverse=True)
        return np.array([own.get(str(name), pooled) for name in names], np.float64)[place]

    @property
    def expected(self) -> float:
        """Share of the calibration rows that are flagged."""
        return sum(g.n_calibration_flagged for g in self.groups) / max(sum(g.n_calibration for g in self.groups), 1)

    @property
    def table(self) -> pd.DataFrame:
        """A row per group, with shares in percent; `threshold of` says whose threshold it takes."""
        return pd.DataFrame(
            [
                {
                    "group": group.name,
                    "rows": group.n_rows,
                    "flagged by the threshold of all rows (%)": 100 * group.n_pooled / max(group.n_rows, 1),
                    "at least (%)": 100 * group.low,
                    "at most (%)": 100 * group.high,
                    "flagged (%)": 100 * group.n_flagged / max(group.n_rows, 1),
                    "threshold": group.threshold,
                    "threshold of": "all rows" if group.borrows else "the group",
                    "calibration rows": group.n_calibration,
                }
                for group in self.groups
            ]
        )


def group_names(column: pd.Series) -> np.ndarray:
    """The name of each row's group, (n_rows,) of text: the same whether a whole number was read as 3 or as 3.0.

    >>> group_names(pd.Series([3.0, None, 10.5])).tolist(), group_names(pd.Series(["a", None])).tolist()
    (['3', '(missing)', '10.5'], ['a', '(missing)'])
    """
    codes, levels = pd.factorize(column)
    return np.array([*map(_name, levels), MISSING], dtype=object)[codes]


def has_few_levels(column: pd.Series) -> bool:
    """Whether a column can tell groups apart: 2 to 50 levels, of ten rows on average or more, and no dates."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    n_levels = column.nunique(dropna=False)
    return 2 <= n_levels <= min(MAX_GROUPS, len(column) // 10)


def _name(level: object) -> str:
    if isinstance(level, int | float | np.integer | np.floating) and not isinstance(level, bool):
        return f"{float(level):.12g}"
    return str(level)
