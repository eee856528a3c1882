"""How one column becomes numbers a flow can learn, and how numbers become that column again. State is JSON.

A value that many rows share has infinite density, so training on it would never end. Hence every repeated value is
spread over one cell of its own (uniform dequantisation; Uria et al. 2013, Theis et al. 2016): the likelihood is then
that of the dequantised data. The noise is a hash of the row's label, its value and the column, so the encoding of a
row depends on that row alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import pandas as pd

from flowlab.encoding.roles import sample_rows
from flowlab.hashing import GOLDEN, splitmix64

MAX_LEVELS = 64
MIN_CELL = 0.1
"""Width of the narrowest cell of a value that many rows share among others, in interquartile ranges."""
HEAVY_TAIL = 20.0
"""A tail is heavy when the 0.1 % or 99.9 % quantile lies this many interquartile ranges from the median."""
WIDE = 5.0
"""A few values are far when they stretch the standard deviation to this many interquartile ranges."""


def row_keys(index: pd.Index, seed: int) -> np.ndarray:
    """One 64-bit key per row from its index label, shape (n_rows,)."""
    with np.errstate(over="ignore"):
        return splitmix64(pd.util.hash_array(index.to_numpy()) + np.uint64(GOLDEN) * np.uint64(seed + 1))


def cell_noise(keys: np.ndarray, values: np.ndarray, salt: str) -> np.ndarray:
    """Uniform in (-0.5, 0.5), the same for the same key, value and salt; shape (n_rows,)."""
    bits = (np.asarray(values, dtype=np.float64) + 0.0).view(np.uint64)
    bits ^= keys  # the keys are mixed already
    bits ^= _salt_bits(salt)
    noise = (splitmix64(bits) >> np.uint64(11)).astype(np.float64)
    noise += 0.5
    noise *= 2.0**-53
    noise -= 0.5
    return noise


@lru_cache(maxsize=4096)
def _salt_bits(salt: str) -> np.uint64:
    return np.uint64(pd.util.hash_array(np.array([salt], dtype=object))[0])


@dataclass
class NumberColumn:
    """A column of numbers or dates (as seconds since `epoch`).

    Attributes
    ----------
    name, dtype : of the column
    fill, spread : median of the column, around which holes are filled, and the width of the interval they fill
    low, high : range of the finite values
    origin, step : grid on which the values lie; step 0 for none
    levels : the distinct values where they are few and on no grid
    atoms : (value, width of its cell, shift of all other values away from it) of values that many rows share
    centre, scale : of the arcsinh that squashes heavy tails; scale 0 for none
    indicator : whether a second feature marks missing values
    epoch : nanoseconds since 1970 from which dates count
    """

    kind: ClassVar[str] = "number"
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

    @classmethod
    def learn(cls, column: pd.Series, indicator: bool, dequantise: bool = True) -> NumberColumn:
        """The plan of a column that has at least two different finite values; `dequantise` False leaves out atoms."""
        dtype = str(column.dtype)
        is_date = dtype.startswith("datetime")
        epoch = int(column.min().floor("D").value) if is_date else 0
        values = numbers(column, epoch)
        known = is_known(values)
        finite = values if known.all() else values[known]
        sample = np.sort(sample_rows(pd.Series(finite)).to_numpy())
        q01, q1, median, q3, q99 = np.quantile(sample, [0.001, 0.25, 0.5, 0.75, 0.999])
        plan = cls(str(column.name), dtype, float(median), float(q3 - q1), float(finite.min()), float(finite.max()))
        plan.indicator, plan.epoch = indicator, epoch
        n_distinct = 1 + int(np.count_nonzero(np.diff(sample)))
        if not plan.spread:
            plan.spread = float(np.mean(np.abs(sample - median))) or float(plan.high - plan.low)
        plan._find_cells(finite, sample, n_distinct)
        tail = max(q99 - median, median - q01) / plan.spread
        half = (plan.high - plan.low) / 2  # an upper bound of the standard deviation
        wide = half > WIDE * plan.spread and float(np.std(finite)) > WIDE * plan.spread
        if (tail > HEAVY_TAIL or wide) and n_distinct > 20 and not is_date:
            plan.centre, plan.scale = plan.fill, plan.spread
        if not dequantise:
            plan.atoms = ()
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

    def encode(self, column: pd.Series, keys: np.ndarray) -> np.ndarray:
        """Shape (n_rows, 1 or 2): the value, and 1 where it is missing if the plan says so; finite."""
        values = numbers(column, self.epoch)
        known = is_known(values)
        holes = None if known.all() else ~known
        noise = None
        if self.step or self.levels or self.atoms or holes is not None:
            noise = cell_noise(keys, values if holes is None else np.where(holes, 0.0, values), self.name)
            noise *= 1 - 1e-6  # decoding rounds, so a cell must not touch the next
        if self.step:
            values = values + self.step * noise
        elif self.levels:
            values = values + np.diff(self.levels).min() * noise
        if self.atoms:
            values = self._aside(values, values, [atom[0] for atom in self.atoms], 1) + sum(
                (values == value) * width * noise for value, width, *_ in self.atoms
            )
        if holes is not None:
            # one value for all holes would have infinite density: they are spread over the middle half of the column
            values = np.where(holes, self.fill + self.spread * noise, values)
        if self.scale:
            values = np.arcsinh((values - self.centre) / self.scale)
        if not self.indicator:
            return values[:, None]
        missing = np.zeros(len(values)) if holes is None else holes.astype(float)
        return np.column_stack([values, missing + (1 - 1e-6) * cell_noise(keys, missing, f"{self.name} is missing")])

    def _aside(self, values: np.ndarray, places: np.ndarray, centres: Sequence[float], sign: int) -> np.ndarray:
        """The values moved away from the atoms (sign 1) or back (-1), each by its place beside the centres."""
        for atom, centre in zip(self.atoms, centres):
            shift = atom[2] if len(atom) > 2 else 0.0  # older detectors have none
            values = values + sign * shift * np.sign(places - centre)
        return values

    def decode(self, block: np.ndarray) -> pd.Series:
        """The column again: on its grid, inside its range, of its type; missing where the indicator says so."""
        values = np.array(block[:, 0], dtype=float)
        if self.scale:
            values = self.centre + self.scale * np.sinh(np.clip(values, -700, 700))
        if self.step:
            values = self.origin + self.step * np.rint((values - self.origin) / self.step)
        elif self.levels:
            levels = np.array(self.levels)
            values = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, values)]
        if self.atoms:
            shared = np.array([atom[0] for atom in self.atoms])
            centres = self._aside(shared, shared, shared, 1)
            moved = self._aside(values, values, centres, -1)
            for (value, width, *_), centre in zip(self.atoms, centres):
                moved[np.abs(values - centre) < width / 2] = value
            values = moved
        values = np.clip(values, self.low, self.high)
        if self.indicator:
            values[block[:, 1] > 0.5] = np.nan
        return _of_type(values, self)


def numbers(column: pd.Series, epoch: int = 0) -> np.ndarray:
    """The column as float64, shape (n_rows,); dates as seconds since `epoch` (nanoseconds since 1970)."""
    if str(column.dtype).startswith("datetime"):
        stamps = column.to_numpy("datetime64[ns]")
        seconds = (stamps.astype("int64") - epoch) / 1e9
        return np.where(np.isnat(stamps), np.nan, seconds)
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def is_known(values: np.ndarray) -> np.ndarray:
    """Mask (n_rows,) of usable numbers: not missing, not infinite, and below 1e100 so that squares stay finite."""
    return (values < 1e100) & (values > -1e100)


def _of_type(values: np.ndarray, plan: NumberColumn) -> pd.Series:
    if plan.dtype.startswith("datetime"):
        holes = np.isnan(values)
        stamps = np.rint(np.where(holes, 0, values) * 1e6).astype("int64") * 1000 + plan.epoch
        stamps = stamps.astype("datetime64[ns]")
        stamps[holes] = np.datetime64("NaT")
        return pd.Series(stamps).astype(plan.dtype)
    if plan.dtype.lower().startswith(("int", "uint")):
        whole = pd.Series(np.rint(values))
        return whole if np.isnan(values).any() else whole.astype(plan.dtype.lower())
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
