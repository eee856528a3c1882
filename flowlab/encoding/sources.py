"""The columns of a table as people know them, each with the features that a model sees of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd

from flowlab.encoding.categorical import CategoryColumn
from flowlab.encoding.numeric import is_known, numbers
from flowlab.encoding.plans import Plan

if TYPE_CHECKING:
    from flowlab.encoding.encoder import TableEncoder

N_CLOCK = 4
"""Features of the clock: sine and cosine of the hour and of the weekday, see `plans.clock_features`."""


@dataclass(frozen=True)
class Clock:
    """How hour and weekday features read as a time of the week: hours since Monday 00:00; nan where it is missing."""

    kind: ClassVar[Literal["clock"]] = "clock"

    def decode(self, block: np.ndarray, drawn: bool = True) -> pd.Series:
        """Hours since Monday 00:00, (n_rows,), of features (n_rows, 4)."""
        hour, day = (np.arctan2(block[:, i], block[:, i + 1]) / (2 * np.pi) % 1.0 for i in (0, 2))
        # the angle of the weekday advances through the day, so the hour is subtracted
        hours = 24 * (np.rint(7 * day - hour) % 7 + hour)
        return pd.Series(np.where(np.hypot(block[:, 0], block[:, 1]) > 0.5, hours, np.nan))


@dataclass(frozen=True)
class Source:
    """One column of the user's.

    Attributes
    ----------
    name : as the user wrote it; ", 1 before" stands behind it where it is that of an earlier row
    start, stop : its features are those from `start` on, before `stop`
    plan : how it became features; None where the feature is the column itself
    hole : the feature that says where it is missing, if that is another column's; else None
    """

    name: str
    start: int
    stop: int
    plan: Plan | Clock | None = None
    hole: int | None = None

    @property
    def features(self) -> slice:
        """The columns of X that are this column's features."""
        return slice(self.start, self.stop)

    @property
    def kind(self) -> str:
        """ "number", "date", "category" or "clock"."""
        if self.plan is None:
            return "number"
        is_date = self.plan.kind == "number" and self.plan.dtype.startswith("datetime")
        return "date" if is_date else self.plan.kind

    def read(self, X: np.ndarray) -> pd.Series:
        """The column, in the user's type, of rows X (n, n_features); missing where its first feature is nan."""
        if self.plan is None:
            return pd.Series(X[:, self.start])
        column = self.plan.decode(X[:, self.features], drawn=False)
        is_hole = np.isnan(X[:, self.start])
        if self.hole is not None:
            is_hole |= X[:, self.hole] > 0.5
        return column.mask(is_hole) if is_hole.any() else column

    def settled(self, X: np.ndarray) -> np.ndarray:
        """The features of rows X without the noise that spreads categories and holes over cells, (n, n_own)."""
        block = X[:, self.features]
        if self.plan is None or self.plan.kind == "clock":
            return block
        if self.plan.kind == "number":
            return np.column_stack([block[:, :1], np.rint(block[:, 1:])])
        if not self.plan.is_rarity:
            return np.rint(block)
        edges = np.array(self.plan.edges)
        cell = np.clip(np.searchsorted(edges, block, side="right") - 1, 0, len(edges) - 2)
        return (edges[cell] + edges[cell + 1]) / 2


def feature_sources(
    columns: Sequence[str], context: int | None = None, levels: Sequence[str] = ()
) -> tuple[Source, ...]:
    """The sources of a table whose features are its columns; a context column decodes to the names of its levels."""
    sources = [Source(str(name), j, j + 1) for j, name in enumerate(columns)]
    if context is not None:
        plan = CategoryColumn(sources[context].name, "str", tuple(levels), is_context=True)
        sources[context] = replace(sources[context], plan=plan)
    return tuple(sources)


def silent_holes(encoder: TableEncoder, frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Column name to the numbers of its rows that were filled although no feature says so."""
    row_numbers: dict[str, np.ndarray] = {}
    for plan in encoder.columns_:
        if plan.kind == "number" and not plan.indicator and plan.name not in encoder.shared_holes_:
            values = numbers(frame[plan.name])
            rows = np.flatnonzero(np.isnan(values) | (plan.infinite & ~is_known(values)))
            row_numbers |= {plan.name: rows} if len(rows) else {}
    return row_numbers


def table_sources(encoder: TableEncoder) -> tuple[Source, ...]:
    """The columns of a table that was encoded, in order of their features.

    >>> from flowlab.encoding.encoder import TableEncoder
    >>> frame = pd.DataFrame({"x": [1, 2, 2, 4], "colour": ["red", "red", "blue", "green"]})
    >>> [(source.name, source.start, source.stop) for source in table_sources(TableEncoder().fit(frame))]
    [('x', 0, 1), ('colour', 1, 4)]
    """
    sources: list[Source] = []
    for lag in range(encoder.lags + 1):
        behind = f", {lag} before" if lag else ""
        holes: dict[str, int] = {}
        for plan in encoder.columns_:
            start = sources[-1].stop if sources else 0
            stop = start + len(plan.names())
            holes[plan.name] = stop - 1
            hole = holes.get(encoder.shared_holes_.get(plan.name, ""))
            sources.append(Source(f"{plan.name}{behind}", start, stop, plan, hole))
        if encoder.clock_:
            sources.append(Source(f"{encoder.time_}{behind}", sources[-1].stop, sources[-1].stop + N_CLOCK, Clock()))
    return tuple(sources)
