"""How one column becomes numbers a flow can learn, and how numbers become that column again. State is JSON.

The encoding of a cell is a function of that cell alone. Values that many rows share have cells (`spread.Cells`), over
which they are spread while an expansive density trains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pandas as pd

from flowlab.encoding.roles import sample_rows
from flowlab.encoding.spread import Extent

MAX_LEVELS = 64
MIN_CELL = 0.1
"""Width of the narrowest cell of a value that many rows share among others, in interquartile ranges."""
HEAVY_TAIL = 20.0
"""A tail is heavy when the 0.1 % or 99.9 % quantile lies this many interquartile ranges from the median."""
WIDE = 5.0
"""A few values are far when they stretch the standard deviation to this many interquartile ranges."""
COMMON = 0.01
"""From this share of the rows on what is missing or infinite is a part of the column like others."""
BEYOND = 10.0
"""How many ranges outside the range of its column a value stands that is infinite or as good as."""


@dataclass
class NumberColumn:
    """A column of numbers or dates (as seconds since `epoch`, microseconds since 1970).

    step: grid the values lie on (0: none); levels: the few values there are; atoms: (value, width, shift) of values
    many rows share, and how far all others stand aside for their cells; scale: unit of the arcsinh that squashes heavy
    tails (0: none); spread: width of the cell of a hole, which is filled with the median; holes: whether there were
    holes at the fit; infinite: whether infinite numbers were so common there that they count as holes. What was not
    ordinary at the fit stands outside the range: a hole by one range, an infinite number, or one whose square is, by
    ten.
    """

    kind: ClassVar[Literal["number"]] = "number"
    name: str
    dtype: str
    fill: float
    spread: float
    low: float
    high: float
    origin: float = 0.0
    step: float = 0.0
    levels: tuple[float, ...] = ()
    atoms: tuple[tuple[float, ...], ...] = ()
    centre: float = 0.0
    scale: float = 0.0
    indicator: bool = False
    epoch: int = 0
    holes: bool = True
    infinite: bool = True

    @classmethod
    def learn(cls, column: pd.Series, indicator: bool, learner: str = "density") -> NumberColumn:
        """Judge a column of at least two different finite values; only a density needs tails squashed, and atoms."""
        dtype = str(column.dtype)
        is_date = dtype.startswith("datetime")
        epoch = int(column.min().floor("D").to_datetime64().astype("datetime64[us]").astype("int64")) if is_date else 0
        values = numbers(column, epoch)
        known = is_known(values)
        finite = values if known.all() else values[known]
        sample = np.sort(sample_rows(pd.Series(finite)).to_numpy())
        q01, q1, median, q3, q99 = np.quantile(sample, [0.001, 0.25, 0.5, 0.75, 0.999])
        plan = cls(str(column.name), dtype, float(median), float(q3 - q1), float(finite.min()), float(finite.max()))
        plan.indicator, plan.epoch = indicator, epoch
        plan.holes = bool(np.isnan(values).any())
        plan.infinite = float(np.mean(~known & ~np.isnan(values))) >= COMMON
        n_distinct = 1 + int(np.count_nonzero(np.diff(sample)))
        if not plan.spread:
            plan.spread = float(np.mean(np.abs(sample - median))) or float(plan.high - plan.low)
        plan._find_cells(finite, sample, n_distinct)
        if learner == "scorer":
            plan.atoms = ()
            return plan
        tail = max(q99 - median, median - q01) / plan.spread
        half = (plan.high - plan.low) / 2  # an upper bound of the standard deviation
        wide = half > WIDE * plan.spread and float(np.std(finite)) > WIDE * plan.spread
        if (tail > HEAVY_TAIL or wide) and n_distinct > 20 and not is_date:
            plan.centre, plan.scale = plan.fill, plan.spread
        return plan

    def _find_cells(self, finite: np.ndarray, sample: np.ndarray, n_distinct: int) -> None:
        tied = n_distinct < 0.9 * len(sample)
        grid = _find_grid(finite, sample, tied)
        if grid:
            self.origin, self.step = grid
        elif n_distinct <= MAX_LEVELS and tied:
            levels = np.unique(finite)
            if len(levels) <= MAX_LEVELS:
                self.levels = tuple(levels.tolist())
        if tied and not self.step and not self.levels:
            values, counts = np.unique(sample, return_counts=True)
            for value in values[counts > 0.02 * len(sample)][:8]:
                gap = np.abs(finite - value)
                gap = gap[gap > 0].min()
                # among many values the gap to the nearest is too narrow for a cell
                width = max(min(gap, 0.1 * (self.high - self.low)), MIN_CELL * self.spread)
                self.atoms += ((float(value), float(width), float(width / 2 if width > gap else 0.0)),)

    def names(self) -> list[str]:
        """Names of the features: the column, and "... is missing" with an indicator."""
        return [self.name] + [f"{self.name} is missing"] * self.indicator

    def encode(self, column: pd.Series) -> np.ndarray:
        """Shape (n_rows, 1 or 2): the value, and 1 where it is missing if the plan says so; finite."""
        values, holes = self._finite(column)
        values = self._squashed(self._aside(values, values, [atom[0] for atom in self.atoms], 1))
        return np.column_stack([values, holes]) if self.indicator else values[:, None]

    def extents(self, column: pd.Series) -> list[Extent]:
        """How far the cells of the features reach, one extent per feature."""
        values, holes = self._finite(column)
        width: float | np.ndarray = self.step or (float(np.diff(self.levels).min()) if self.levels else 0.0)
        for value, atom_width, *_ in self.atoms:
            width = np.where(values == value, atom_width, width)
        if holes.any():
            width = np.where(holes, self.spread, width)
        extent: Extent = (-width / 2, width / 2)
        if self.scale and np.any(width):
            values = self._aside(values, values, [atom[0] for atom in self.atoms], 1)
            low, middle, high = (self._squashed(values + share * width) for share in (-0.5, 0.0, 0.5))
            extent = (low - middle, high - middle)
        return [extent, (-0.5, 0.5)] if self.indicator else [extent]

    def _finite(self, column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """The values with something finite for what is none, and where that is an ordinary hole; (n_rows,) each."""
        values = numbers(column, self.epoch)
        known = is_known(values)
        if known.all():
            return values, np.zeros(len(values), bool)
        width = (self.high - self.low) or 1.0
        missing = np.isnan(values)
        holes = (missing & self.holes) | (~known & ~missing & self.infinite)
        # one value for all holes: an expansive density is spread over the middle half of the column there
        finite = np.where(values > 0, self.high + BEYOND * width, self.low - BEYOND * width)
        finite[missing] = self.high + width
        finite[holes] = self.fill
        return np.where(known, values, finite), holes

    def _squashed(self, values: np.ndarray) -> np.ndarray:
        return np.arcsinh((values - self.centre) / self.scale) if self.scale else values

    def _aside(
        self, values: np.ndarray, places: np.ndarray, centres: Sequence[float] | np.ndarray, sign: int
    ) -> np.ndarray:
        """The values moved away from the atoms (sign 1) or back (-1), each by its place beside the centres."""
        for atom, centre in zip(self.atoms, centres):
            values = values + sign * atom[2] * np.sign(places - centre)
        return values

    def decode(self, block: np.ndarray, drawn: bool = True) -> pd.Series:
        """The column again, of its type; missing where the indicator says so.

        What a model has drawn is put on the grid and into the range of the column; what was encoded only gets rid of
        rounding errors, for it may lie where no value was at the fit.
        """
        values = np.array(block[:, 0], dtype=float)
        if self.scale:
            values = self.centre + self.scale * np.sinh(np.clip(values, -700, 700))
        on_grid = values
        if self.step:
            on_grid = self.origin + self.step * np.rint((values - self.origin) / self.step)
        elif self.levels:
            levels = np.array(self.levels)
            on_grid = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)]
        values = np.where(drawn | (np.abs(on_grid - values) <= 1e-6 * (np.abs(values) + self.spread)), on_grid, values)
        if self.atoms:
            shared = np.array([atom[0] for atom in self.atoms])
            centres = self._aside(shared, shared, shared, 1)
            moved = self._aside(values, values, centres, -1)
            for (value, width, *_), centre in zip(self.atoms, centres):
                moved[np.abs(values - centre) < width / 2] = value
            values = moved
        if drawn:
            values = np.clip(values, self.low, self.high)
        if self.indicator:
            values = np.where(block[:, 1] > 0.5, np.nan, values)
        return _of_type(values, self)


def numbers(column: pd.Series, epoch: int = 0) -> np.ndarray:
    """The column as float64, shape (n_rows,); dates as seconds since `epoch` (microseconds since 1970)."""
    if str(column.dtype).startswith("datetime"):
        stamps = column.to_numpy("datetime64[us]")
        seconds = (stamps.astype("int64") - epoch) / 1e6
        return np.where(np.isnat(stamps), np.nan, seconds)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def is_known(values: np.ndarray) -> np.ndarray:
    """Mask (n_rows,) of usable numbers: not missing, not infinite, and below 1e100 so that squares stay finite."""
    return (values < 1e100) & (values > -1e100)


def _of_type(values: np.ndarray, plan: NumberColumn) -> pd.Series:
    if plan.dtype.startswith("datetime"):
        holes = np.isnan(values)
        stamps = np.rint(np.where(holes, 0, values) * 1e6).astype("int64") + plan.epoch
        stamps = stamps.astype("datetime64[us]")
        stamps[holes] = np.datetime64("NaT")
        return pd.Series(stamps).astype(plan.dtype)
    if plan.dtype.lower().startswith(("int", "uint")):
        whole = pd.Series(np.rint(values))
        limits = np.iinfo(plan.dtype.lower())
        # a row that was made or edited may hold what the column's type cannot
        fits = bool(((values >= limits.min) & (values <= limits.max)).all())  # False for holes
        return whole.astype(plan.dtype.lower()) if fits else whole
    return pd.Series(values)


def _find_grid(values: np.ndarray, sample: np.ndarray, tied: bool) -> tuple[float, float] | None:
    """Origin and step of the decimal grid on which all values lie; a fine grid counts only when values repeat."""
    for decimals in range(7 if tied else 1):
        factor = 10.0**decimals
        if np.abs(sample[[0, -1]]).max() * factor > 2**52:
            return None
        if not _whole(sample * factor) or not all(_whole(block * factor) for block in _blocks(values)):
            continue
        origin, step = values.min() * factor, 0
        for block in _blocks(values):
            step = math.gcd(step, int(np.gcd.reduce(np.rint(block * factor - origin).astype("int64"))))
            if step == 1:
                break
        return (float(np.rint(origin) / factor), step / factor) if step else None
    return None


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """The values in blocks that stay in the processor's cache."""
    return (values[start : start + 32_768] for start in range(0, len(values), 32_768))


def _whole(values: np.ndarray) -> bool:
    return bool((np.abs(values - np.rint(values)) <= 1e-9 * np.maximum(1.0, np.abs(values))).all())
