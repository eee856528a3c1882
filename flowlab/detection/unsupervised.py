"""Threshold rules that look at the scores alone: share, review budget, spread, mixture, knee."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.mixture import GaussianMixture

from flowlab.constraints import POSITIVE, PROPER_SHARE, Interval, checked
from flowlab.detection.threshold import Threshold, between, check_scores, flag_at_most, refusal
from flowlab.formatting import count, percent, plain, short_percent

GAP = 5.0
"""A step between days with rows that is longer than so many median steps is a gap."""


@checked(share=PROPER_SHARE)
def quantile(scores: np.ndarray, *, share: float = 0.01) -> Threshold:
    """Threshold that flags the highest `share` of these rows; ties at the border are not flagged.

    Parameters
    ----------
    scores : (n,) anomaly scores
    share : between 0 and 1
    """
    return _top(scores, "quantile", {"share": share}, share, f"the top {short_percent(share)}")


@checked(rows_per_day=POSITIVE, arrivals_per_day=POSITIVE)
def review_budget(
    scores: np.ndarray, *, rows_per_day: float = 20.0, arrivals_per_day: float = 1000.0, time: np.ndarray | None = None
) -> Threshold:
    """Threshold that flags about as many rows as can be reviewed in a day.

    Parameters
    ----------
    scores : (n,) anomaly scores
    rows_per_day : how many rows can be reviewed
    arrivals_per_day : how many rows arrive, used where `time` holds no dates
    time : datetime64 of all rows that arrived, of which `scores` may be a part; or None
    """
    parameters = {"rows_per_day": rows_per_day, "arrivals_per_day": arrivals_per_day}
    has_dates = time is not None and np.issubdtype(np.asarray(time).dtype, np.datetime64)
    counted = _arrivals(np.asarray(time)) if has_dates else None
    if counted is not None:
        arrivals_per_day = counted
        parameters["arrivals_per_day"] = counted
    share = min(rows_per_day / arrivals_per_day, 1.0)
    many = plain(arrivals_per_day)
    reason = f"{plain(rows_per_day)} rows a day "
    reason += f"of the {many} that arrive" if counted is not None else f"if {many} arrive, which no dates tell"
    return _top(scores, "budget", parameters, share, reason)


@checked(k=POSITIVE)
def mad(scores: np.ndarray, *, k: float = 3.5) -> Threshold:
    """Median plus `k` robust standard deviations (1.4826 times the median absolute deviation).

    Iglewicz and Hoaglin (1993); where more than half of the scores are equal their mean absolute deviation
    takes its place.
    """
    parameters, scores = {"k": k}, check_scores(scores)[0]
    centre = float(np.median(scores)) if len(scores) else 0.0
    deviation = np.abs(scores - centre)
    spread = 1.4826 * float(np.median(deviation)) if len(scores) else 0.0
    how = "median absolute deviation"
    if spread == 0 and len(scores):
        spread, how = 1.2533 * float(deviation.mean()), "mean absolute deviation"
    if spread == 0:
        return _cannot_spread("mad", parameters, scores)
    sentence = f"{plain(k)} robust standard deviations above the median ({plain(centre)}), by the {how}."
    return _spread("mad", sentence, parameters, scores, centre + k * spread)


@checked(k=POSITIVE)
def iqr(scores: np.ndarray, *, k: float = 1.5) -> Threshold:
    """Third quartile plus `k` interquartile ranges (Tukey's fence; 1.5 far, 3 far out)."""
    parameters, scores = {"k": k}, check_scores(scores)[0]
    low, high = np.quantile(scores, [0.25, 0.75]) if len(scores) else (0.0, 0.0)
    if high == low:
        return _cannot_spread("iqr", parameters, scores)
    sentence = f"{plain(k)} interquartile ranges above the third quartile ({plain(high)})."
    return _spread("iqr", sentence, parameters, scores, float(high + k * (high - low)))


@checked(posterior=PROPER_SHARE)
def mixture(scores: np.ndarray, *, posterior: float = 0.5, random_state: int = 0) -> Threshold:
    """Threshold between two normal distributions fitted to the scores; rows of the upper group are flagged.

    `posterior` is the least probability of the upper group with which a row is flagged. The rule refuses where two
    groups describe the scores not much better than one (by a BIC difference of 10, Kass and Raftery 1995), or where
    the upper is not the smaller and clearly apart (D of at least 2, Ashman et al. 1994).
    """
    parameters = {"posterior": posterior}
    scores, _ = check_scores(scores)
    n = len(scores)
    if n < 30 or len(np.unique(scores)) < 5:
        sentence = f"Two groups need at least 30 rows with 5 distinct scores; there are {count(n)} rows with "
        return refusal("mixture", f"{sentence}{count(len(np.unique(scores)))}.", parameters, n)
    centre, scale = scores.mean(), scores.std()
    some = scores if n <= 20_000 else np.random.default_rng(random_state).choice(scores, 20_000, replace=False)
    column = ((some - centre) / scale)[:, None]
    one, two = (GaussianMixture(c, n_init=2, random_state=random_state).fit(column) for c in (1, 2))
    upper = int(np.argmax(two.means_[:, 0]))
    mean, deviation = two.means_[:, 0], np.sqrt(two.covariances_[:, 0, 0])
    weight = float(two.weights_[upper])
    apart = np.sqrt(2) * abs(mean[0] - mean[1]) / np.hypot(*deviation)
    reason = ""
    if two.bic(column) > one.bic(column) - 10:
        reason = "one group describes them as well as two"
    elif weight >= 0.5:
        reason = f"the higher of two groups holds {percent(weight)} of them"
    elif apart < 2:
        reason = f"two groups overlap (distance {apart:.1f}, 2 is needed)"
    if reason:
        return refusal("mixture", f"No small high group of scores in {count(n)} rows: {reason}.", parameters, n)

    def lead(x: float) -> float:
        logs = np.log(two.weights_) + stats.norm.logpdf(x, mean, deviation)
        return logs[upper] - logs[1 - upper] - np.log(posterior / (1 - posterior))

    low, high = mean[1 - upper], mean[upper]
    border, end = _where_likely(lead, low, high, deviation[upper] < deviation[1 - upper])
    if border is None:
        sentence = (
            f"In {count(n)} rows no score belongs to the upper group with probability {plain(posterior)} or more."
        )
        return refusal("mixture", sentence, parameters, n)
    until = "" if end is None else f" up to {plain(float(centre + scale * end))}"
    sentence = (
        f"The scores fall into two groups; the upper holds {percent(weight)} of {count(n)} rows around "
        f"{plain(float(centre + scale * high))}, and by the fit rows above this value{until} belong to it with "
        f"probability {plain(posterior)} or more."
    )
    caution = "Rows beyond that fit the lower, wider group better; they are flagged all the same." if until else ""
    return Threshold(float(centre + scale * border), "mixture", sentence, parameters, caution, n_rows=n)


def _where_likely(
    lead: Callable[[float], float], low: float, high: float, ends: bool
) -> tuple[float | None, float | None]:
    """Begin and end of the scores from `low` on where `lead`, a quadratic, is not negative; no end if it goes on."""
    # the quadratic through three points, about its middle
    values = [lead(low), lead(0.5 * (low + high)), lead(high)]
    roots = np.roots(np.polyfit([-1.0, 0.0, 1.0], values, 2))
    real = np.sort(roots[np.abs(roots.imag) < 1e-9].real)
    real = 0.5 * (low + high) + 0.5 * (high - low) * real
    if ends:
        if len(real) < 2 or real[1] <= low:
            return None, None
        return max(float(real[0]), low), float(real[1])
    if len(real) == 0:  # everywhere
        return low, None
    return max(float(real[-1]), low), None


@checked(part=Interval(float, 0, 1, closed="right"))
def knee(scores: np.ndarray, *, part: float = 0.5) -> Threshold:
    """Threshold where the curve of sorted scores bends upward most (Kneedle: Satopaa et al. 2011).

    `part` is the share of highest scores that is searched. The rule refuses where the curve is hardly bent.
    """
    parameters = {"part": part}
    ordered = np.sort(check_scores(scores)[0])
    curve = ordered[len(ordered) - int(np.ceil(part * len(ordered))) :]
    if len(curve) < 5 or curve[0] == curve[-1]:
        sentence = f"A knee needs at least 5 scores that differ; {count(len(curve))} are looked at."
        return refusal("knee", sentence, parameters, len(ordered))
    bend = np.linspace(0, 1, len(curve)) - (curve - curve[0]) / (curve[-1] - curve[0])
    at = int(np.argmax(bend))
    # for equally spaced scores the largest bend is noise of this size (Kolmogorov, 5 %)
    if bend[at] < max(0.2, 1.36 / np.sqrt(len(curve))) or curve[at + 1 :].size == 0:
        sentence = f"The sorted scores rise evenly (largest bend {bend[at]:.2f}): there is no knee to cut at."
        return refusal("knee", sentence, parameters, len(ordered))
    beyond = curve[curve > curve[at]]
    value = between(float(curve[at]), float(beyond[0]))
    sentence = (
        f"Sorted scores bend upward most here (bend {bend[at]:.2f} of 1); {count(len(beyond))} of "
        f"{count(len(ordered))} rows "
        "lie beyond."
    )
    return Threshold(value, "knee", sentence, parameters, n_rows=len(ordered))


def _top(scores: np.ndarray, rule: str, parameters: dict, share: float, reason: str) -> Threshold:
    scores, _ = check_scores(scores)
    ordered, n = np.sort(scores), len(scores)
    n_requested = int(np.floor(share * n + 1e-9))
    if ordered[0] == ordered[-1] and n > 1:
        return refusal(rule, f"All {count(n)} scores equal {plain(ordered[0])}: no row is higher.", parameters, n)
    if n_requested == 0:
        needed = int(np.ceil(1 / share - 1e-9))
        sentence = (
            f"{short_percent(share)} of {count(n)} rows is less than one row; at least {count(needed)} rows are needed."
        )
        return refusal(rule, sentence, parameters, n)
    value, flagged = flag_at_most(ordered, n_requested)
    sentence = f"Flags {reason}: {count(flagged)} of {count(n)} rows here."
    caution = ""
    if n_requested >= n:
        caution = "Every row can be reviewed; only the lowest scoring are left out."
    elif flagged < n_requested:
        caution = f"Equal scores at the border: {count(flagged)} rows are flagged instead of {count(n_requested)}."
    return Threshold(value, rule, sentence, parameters, caution, n_rows=n)


def _arrivals(time: np.ndarray) -> float | None:
    """Rows a day, nights and weekends included; None where all rows have one time.

    Between days with rows lies as a rule one usual step (a day, or a week in weekly data); more than five of them
    are a gap, which counts as one.
    """
    time = np.sort(time[~np.isnat(time)])
    if len(time) == 0 or time[0] == time[-1]:
        return None
    days = np.unique(time.astype("datetime64[D]"))
    steps = np.diff(days) / np.timedelta64(1, "D")
    usual = float(np.median(steps)) if len(steps) else 1.0
    gaps = float((steps[steps > GAP * usual] - usual).sum())
    covered = float((time[-1] - time[0]) / np.timedelta64(1, "D")) - gaps
    return float(np.sum(time < time[-1])) / covered


def _cannot_spread(rule: str, parameters: dict, scores: np.ndarray) -> Threshold:
    sentence = f"The middle half of {count(len(scores))} scores is equal: there is no spread to measure by."
    return refusal(rule, sentence, parameters, len(scores))


def _spread(rule: str, sentence: str, parameters: dict, scores: np.ndarray, value: float) -> Threshold:
    flagged = int(np.sum(scores >= value))
    sentence += f" {count(flagged)} of {count(len(scores))} rows lie there."
    return Threshold(value, rule, sentence, parameters, n_rows=len(scores))
