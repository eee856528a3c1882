"""The extreme-value rule: a generalised Pareto tail fitted to the highest scores of ordinary rows."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from flowlab.constraints import PROPER_SHARE, checked
from flowlab.detection.conformal import all_equal, normal_rows
from flowlab.detection.intervals import exact_interval
from flowlab.detection.threshold import Threshold, refusal
from flowlab.formatting import count, fixed, short_percent


@checked(rate=PROPER_SHARE, start=PROPER_SHARE)
def extreme_value(
    scores: np.ndarray,
    y: np.ndarray | None = None,
    *,
    rate: float = 0.001,
    start: float = 0.9,
    worth: float | None = None,
) -> Threshold:
    """Threshold that a share `rate` of normal rows exceeds, by a generalised Pareto tail (peaks over threshold).

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies, or None
    rate : share of normal rows above the threshold, may be smaller than 1 / n_rows
    start : quantile above which the tail is fitted
    worth : independent rows that one row of a series is worth (`order.independent_share`); None: 1

    Siffer et al. (2017), eq. 1, after Pickands, Balkema and de Haan.
    """
    parameters = {"rate": rate, "start": start}
    if rate >= 1 - start:
        raise ValueError(f"rate must lie between 0 and 1 - start; rate {rate!r} and start {start!r} came")
    normal, caution = normal_rows(scores, y)
    n, least = len(normal), 20
    if n and normal[0] == normal[-1]:
        return refusal("extreme_value", all_equal(n, normal[0]), parameters, n)
    begin = float(np.quantile(normal, start)) if n else 0.0
    peaks = normal[normal > begin] - begin
    if len(peaks) < least:
        needed = math.ceil(least / (1 - start) - 1e-9)
        sentence = (
            f"A tail is fitted to at least {least} rows; {len(peaks)} of {count(n)} lie above the start. "
            f"About {count(needed)} rows with distinct scores are needed, or an earlier start."
        )
        return refusal("extreme_value", sentence, parameters, n)
    scale = float(peaks.mean())
    shape, _, sigma = stats.genpareto.fit(peaks / scale, floc=0)
    value = begin + scale * float(stats.genpareto.isf(rate * n / len(peaks), shape, scale=sigma))
    if shape >= 1:
        caution = (caution + f" The tail is so heavy (shape {fixed(shape, 2)}) that the value is a guess.").strip()
    above = int(np.sum(normal >= value))
    low, high = (float(end) for end in exact_interval(above * (worth or 1.0), n * (worth or 1.0)))
    tail = "bounded" if shape < -0.05 else "heavy" if shape > 0.05 else "exponential"
    sentence = (
        f"A generalised Pareto tail ({tail}, shape {fixed(shape, 2)}) fitted to the {count(len(peaks))} highest of "
        f"{count(n)} rows "
        f"puts {short_percent(rate)} of them above this value; {count(above)} are. Of new rows like them between "
        f"{short_percent(low)} and {short_percent(high)} will be (95 % confidence, any tail)."
    )
    return Threshold(float(value), "extreme_value", sentence, parameters, caution, n_rows=n)
