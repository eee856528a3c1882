"""How often a stated level is kept over simulations: FLOWLAB_SIMULATIONS of them, 100 unless it is set.

A rate is held against a level by the exact binomial test, so that a true statement fails in 2.3 % of runs at most,
whatever the number of simulations; of several rates that are looked at together, in 2.3 % all the same.
"""

import os

from scipy import stats

N_SIMULATIONS = int(os.environ.get("FLOWLAB_SIMULATIONS", "100"))
ERROR = 0.023
"""Of a standard normal, the share beyond two standard deviations on one side."""


def is_below(times: int, level: float, n: int = N_SIMULATIONS, among: int = 1) -> bool:
    """Whether `times` of `n` is a rate surely below `level`, looked at together with `among - 1` others."""
    return stats.binomtest(int(times), n, level, alternative="less").pvalue < ERROR / among


def is_above(times: int, level: float, n: int = N_SIMULATIONS, among: int = 1) -> bool:
    """Whether `times` of `n` is a rate surely above `level`, looked at together with `among - 1` others."""
    return stats.binomtest(int(times), n, level, alternative="greater").pvalue < ERROR / among
