"""How often a stated level is kept over simulations: FLOWLAB_SIMULATIONS of them, 100 unless it is set."""

import os

from scipy import stats

N_SIMULATIONS = int(os.environ.get("FLOWLAB_SIMULATIONS", "100"))


def is_below(times: int, level: float, n: int = N_SIMULATIONS) -> bool:
    """Whether `times` of `n` is a rate below `level` by more than two standard errors (one side, 2.3 %)."""
    return stats.binomtest(times, n, level, alternative="less").pvalue < 0.023


def is_above(times: int, level: float, n: int = N_SIMULATIONS) -> bool:
    """Whether `times` of `n` is a rate above `level` by more than two standard errors (one side, 2.3 %)."""
    return stats.binomtest(times, n, level, alternative="greater").pvalue < 0.023
