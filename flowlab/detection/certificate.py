"""A certificate for a threshold that was picked after looking: it bounds the false-alarm rate of all at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from flowlab.detection.threshold import check_scores

CONFIDENCE = 0.95
N_SIMULATED = 10_000
N_RANKS = 60


@dataclass(frozen=True, eq=False)
class Certificate:
    """Upper bounds of the false-alarm rate that hold, with one confidence, at every threshold together.

    Attributes
    ----------
    calibration : (n,) ascending scores of independent normal rows outside training
    confidence : how often, over calibration sets, no bound is exceeded anywhere
    ranks, bounds : (m,) numbers of calibration scores at or above a threshold, plus one, and the bound for each
    worth : independent rows that a calibration row is worth
    """

    calibration: np.ndarray
    confidence: float
    ranks: np.ndarray
    bounds: np.ndarray
    worth: float = 1.0

    def at(self, thresholds: np.ndarray | float) -> np.ndarray:
        """The bound at each threshold: at most this share of normal rows scores as high."""
        n_above = len(self.calibration) - np.searchsorted(self.calibration, thresholds, side="left")
        place = np.searchsorted(self.ranks, np.ceil(n_above * self.worth - 1e-9) + 1, side="left")
        return np.append(self.bounds, 1.0)[place]


def certify(calibration: np.ndarray, confidence: float = CONFIDENCE, worth: float | None = None) -> Certificate:
    """The certificate that calibration scores (n,) of normal rows give, whichever threshold is picked afterwards.

    With k of n scores at or above a threshold the share of normal rows there is below the (k + 1)-th smallest of n
    uniform numbers. All those order statistics are bounded together by quantiles of their Beta distributions at one
    local level (Berk and Jones 1979; "equal local levels"), which is found by simulation, on the safe side; between
    ranks the bound of the next larger one is used. For one threshold fixed in advance the exact binomial bound is
    smaller; here it may be picked from the picture.

    `worth` is the number of independent rows that one row of a series is worth.

    >>> certify(np.arange(1000.0)).at([995.0, 900.0]).round(3).tolist()
    [0.015, 0.13]
    """
    ordered = np.sort(check_scores(calibration)[0])
    n = max(int(len(ordered) * (worth or 1.0)), 1)
    ranks, bounds = _bounds(n, confidence)
    return Certificate(ordered, confidence, ranks, bounds, worth or 1.0)


@lru_cache(maxsize=50)
def _bounds(n: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of order statistics of n uniform numbers, and upper bounds that hold for all of them together."""
    ranks = np.unique(np.round(np.geomspace(1, max(n // 2, 1), N_RANKS)).astype(int))
    rng = np.random.default_rng(0)
    steps = rng.standard_gamma(np.diff(ranks, prepend=0), (N_SIMULATED, len(ranks)))
    sums = steps.cumsum(axis=1)
    uniform = sums / (sums[:, -1:] + rng.standard_gamma(n + 1 - ranks[-1], (N_SIMULATED, 1)))
    least = np.sort(stats.beta.sf(uniform, ranks, n + 1 - ranks).min(axis=1))
    miss = 1 - confidence
    safe = miss - 2 * math.sqrt(miss * confidence / N_SIMULATED)  # the simulation's own error
    level = float(least[max(int(safe * N_SIMULATED) - 1, 0)])
    return ranks, stats.beta.isf(level, ranks, n + 1 - ranks)
