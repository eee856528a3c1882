"""Cells: how far each value may be spread while an expansive density trains, so that no repeated value is a spike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

MARGIN = 1e-6
"""Share of a cell that noise leaves free: decoding rounds, so a cell must not touch the next."""

Extent = tuple[float | np.ndarray, float | np.ndarray]
"""How far a cell reaches below and above its value: numbers, or arrays (n_rows,) where that differs from row to row."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The cell around each entry of a matrix: the numbers that its value stands for.

    A value that many rows share has infinite density, so maximum likelihood on it never ends. Spreading it over its
    cell makes the likelihood that of the dequantised data (uniform dequantisation; Uria et al. 2013, Theis et al.
    2016). That is for training alone: a score is taken at the value itself, the middle of its cell.

    Attributes
    ----------
    low, high : (n_features,) reach of the cells relative to the value; 0 where a feature is continuous
    varying : feature number -> (low, high), each (n_rows,), where the reach differs from row to row
    seed : of the noise
    """

    low: np.ndarray
    high: np.ndarray
    varying: Mapping[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    seed: int = 0

    @classmethod
    def of(cls, extents: list[Extent], seed: int = 0) -> Cells | None:
        """From one extent per feature; None where no value has a cell."""
        varying = {j: extent for j, extent in enumerate(extents) if np.ndim(extent[0]) or np.ndim(extent[1])}
        fixed = [(0.0, 0.0) if j in varying else extent for j, extent in enumerate(extents)]
        low, high = np.array(fixed, dtype=float).reshape(-1, 2).T
        if not varying and not (high > low).any():
            return None
        sides = {j: (np.asarray(a, np.float32), np.asarray(b, np.float32)) for j, (a, b) in varying.items()}
        return cls(low, high, sides, seed)

    def spread(self, X: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The rows X[rows], each value drawn uniformly from its cell, (len(rows), n_features); the same each time."""
        spread = X[rows]
        for j in range(X.shape[1]):
            low, high = self.varying.get(j, (self.low[j], self.high[j]))
            if j in self.varying:
                low, high = low[rows], high[rows]
            elif low == high:
                continue
            share = np.random.default_rng([self.seed, j, 0xCE11]).random(len(rows))
            spread[:, j] += low + (MARGIN / 2 + (1 - MARGIN) * share) * (high - low)
        return spread
