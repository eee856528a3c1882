"""Threshold rules with a guarantee for new rows: split conformal and false-discovery rate.

Both need rows that are, or count as, normal and that the model was not fitted to. With labels these are the rows
labelled normal; without labels all rows count, and anomalies among them raise the threshold.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import stats

from flowlab.constraints import PROPER_SHARE, Interval, checked
from flowlab.detection.threshold import Threshold, between, check_scores, just_above, refusal
from flowlab.formatting import count, plain, short_percent


def conformal_p_values(scores: np.ndarray, calibration: np.ndarray) -> np.ndarray:
    """Split conformal p-value per row, (n,): (1 + calibration scores at least as high) / (1 + calibration scores).

    Parameters
    ----------
    scores : (n,) anomaly scores of the rows to be judged
    calibration : (m,) anomaly scores of normal rows, in any order

    A normal row has a p-value of at most a with probability at most a, for any model and any distribution, as
    long as it and the calibration rows are exchangeable (Vovk et al. 2005; Bates et al. 2023, eq. 2). The
    smallest possible p-value is 1 / (m + 1).
    """
    ordered = np.sort(np.asarray(calibration, np.float64))
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return (1.0 + at_least) / (1.0 + len(ordered))


def rows_needed(rate: float, confidence: float = 0.0) -> int:
    """Smallest number of calibration rows that allows a false-alarm promise of `rate`.

    Parameters
    ----------
    rate : promised share of normal rows that are flagged
    confidence : as for `false_alarm_promise`

    >>> rows_needed(0.01), rows_needed(0.01, confidence=0.95)
    (99, 299)
    """
    if confidence > 0:
        return math.ceil(math.log(1 - confidence) / math.log(1 - rate) - 1e-9)
    return math.ceil(1 / rate - 1 - 1e-9)


@checked(rate=PROPER_SHARE, confidence=Interval(float, 0, 1, closed="left"))
def false_alarm_promise(
    scores: np.ndarray,
    y: np.ndarray | None = None,
    *,
    rate: float = 0.01,
    confidence: float = 0.0,
    worth: float | None = None,
) -> Threshold:
    """Threshold that flags a normal row with probability at most `rate` (split conformal).

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies, or None
    rate : promised share of normal rows that are flagged
    confidence : 0 promises the rate on average over calibration sets; 0.95, that the realised rate stays under
        `rate` for 95 % of calibration sets (Vovk 2012, "Conditional validity", proposition 2a)
    worth : independent rows that one row of a series is worth (`order.independent_share`); None: 1
    """
    parameters = {"rate": rate, "confidence": confidence}
    calibration, caution = normal_rows(scores, y)
    n, needed = len(calibration), rows_needed(rate, confidence)
    independent = n if worth is None else int(n * worth)
    are_worth = (
        "" if worth is None else f", which follow each other and are worth {count(independent)} independent ones"
    )
    if independent < needed:
        least = 1 / (independent + 1) if confidence == 0 else 1 - (1 - confidence) ** (1 / max(independent, 1))
        sentence = (
            f"A promise of at most {short_percent(rate)} false alarms needs at least {count(needed)} normal "
            "rows outside "
            f"training; there are {count(n)}{are_worth}. The smallest rate they can promise is {short_percent(least)}."
        )
        return refusal("conformal", sentence, parameters, n)
    if calibration[0] == calibration[-1]:
        return refusal("conformal", all_equal(n, calibration[0]), parameters, n)
    allowed = _allowed_exceedances(independent, rate, confidence)
    k = allowed * n // independent
    border = calibration[n - 1 - k]
    value = just_above(border)
    above = int(np.sum(calibration >= value))  # fewer than k where scores tie at the border
    higher = calibration[n - above] if above else np.inf
    usual_high = float(stats.beta.ppf(0.95, allowed + 1, independent - allowed))
    promise = (
        "on average over calibration sets" if confidence == 0 else f"in {short_percent(confidence)} of calibration sets"
    )
    set_aside = f"{are_worth}," if are_worth else ""
    rows = "independent rows" if worth is None else "rows"
    sentence = (
        f"At most {short_percent(rate)} of normal rows are flagged, {promise}, whatever the model: {count(n)} "
        "normal rows "
        f"were set aside{set_aside} and {count(above)} of them lie above the threshold. For the present set the "
        "rate is, "
        f"with 95 % confidence, at most {short_percent(usual_high)}. It holds for {rows} from the same source."
    )
    return Threshold(value, "conformal", sentence, parameters, caution, (float(border), float(higher)), n)


@checked(q=PROPER_SHARE)
def false_discovery(
    scores: np.ndarray, y: np.ndarray | None = None, *, q: float = 0.1, batch: np.ndarray | None = None
) -> Threshold:
    """Benjamini-Hochberg over conformal p-values: at most a share `q` of the flagged rows of a batch is false.

    Parameters
    ----------
    scores : (n,) anomaly scores to calibrate on
    y : (n,) 1 for anomalies, or None
    q : expected share of false alarms among the flagged rows, at most
    batch : (m,) scores of the rows to be judged (the test rows); their labels are not used. By default the
        rows of `scores` themselves.

    Benjamini and Hochberg (1995); that it holds for conformal p-values is theorem 2 of Bates et al. (2023).
    """
    parameters = {"q": q}
    calibration, caution = normal_rows(scores, y)
    judged = np.sort(check_scores(scores if batch is None else batch)[0])[::-1]
    n, m = len(calibration), len(judged)
    if n == 0 or (calibration[0] == calibration[-1] and judged[0] == judged[-1] == calibration[0]):
        reason = all_equal(m, judged[0]) if n else "No row is labelled normal, so there is nothing to compare with."
        return refusal("false_discovery", reason, parameters, n)
    p_values = conformal_p_values(judged, calibration)
    passing = np.flatnonzero(p_values <= q * np.arange(1, m + 1) / m)
    if len(passing) == 0:
        smallest_list = math.ceil(m / (q * (n + 1)) - 1e-9)
        sentence = (
            f"No set of rows can be flagged with at most {short_percent(q)} false among them. With {count(n)} "
            "normal rows "
            f"the smallest p-value is {plain(1 / (n + 1))}, "
        )
        if smallest_list <= m:
            sentence += f"so at least {count(smallest_list)} of {count(m)} rows would have to lie above all of them."
        else:
            sentence += f"too large for any of {count(m)} rows; {count(rows_needed(q))} normal rows or more are needed."
        return refusal("false_discovery", sentence, parameters, n)
    last = int(passing[-1])
    if last == m - 1:
        value = float(judged[last])
        caution = f"{caution} Every row of the batch lies apart from the normal rows.".strip()
    else:
        value = between(judged[last + 1], judged[last])
    sentence = (
        f"Flags {count(last + 1)} of {count(m)} rows; at most {short_percent(q)} of the flagged are expected to "
        "be normal "
        f"(Benjamini-Hochberg, against {count(n)} normal rows)."
    )
    return Threshold(value, "false_discovery", sentence, parameters, caution, n_rows=n)


def _allowed_exceedances(n: int, rate: float, confidence: float) -> int:
    """How many calibration rows may lie above the threshold."""
    if confidence == 0:
        return math.floor(rate * (n + 1) + 1e-9) - 1
    counts = np.arange(math.floor(rate * n) + 1)
    # the realised rate of a set with k rows above is Beta(k + 1, n - k)
    kept = stats.beta.cdf(rate, counts + 1, n - counts) >= confidence
    return int(np.flatnonzero(kept)[-1])


def normal_rows(scores: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, str]:
    """Ascending scores of the rows to calibrate on, and a caution ("" with labels) where all rows count as normal."""
    scores, y = check_scores(scores, y)
    if y is not None:
        return np.sort(scores[~y]), ""
    return np.sort(scores), "Without labels all rows count as normal; anomalies among them raise the threshold."


FIXED = (
    "Chosen by the false-discovery rule for one batch of rows, and fixed since: what share of the rows it flags in "
    "another file is normal is not known."
)
"""What is said of a false-discovery threshold once it leaves the batch that it was chosen for."""


def for_new_files(threshold: Threshold) -> Threshold:
    """The threshold as it travels in a file: without a promise that held for one batch of rows alone."""
    if threshold.rule != "false_discovery" or threshold.refused:
        return threshold
    return replace(threshold, sentence=FIXED)


def all_equal(n: int, value: float) -> str:
    """The sentence with which a rule refuses `n` scores that all equal `value`."""
    return f"All {count(n)} scores equal {plain(value)}: no threshold tells rows apart."
