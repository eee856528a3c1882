"""Threshold rules that need labels: least cost, best F-beta, recall at a given precision.

Each tries every threshold that makes a difference, except the one that flags every row, and says so where that
one does better.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
from scipy import stats

from flowlab.constraints import POSITIVE, Interval, checked
from flowlab.detection.cost import CostModel
from flowlab.detection.metrics import threshold_curves
from flowlab.detection.threshold import Threshold, between, check_scores, flag_at_most, just_above, refusal
from flowlab.formatting import count, plain

ERROR = 0.05
"""How often the asked precision may be missed."""
MAX_SIZES = 8
"""Most numbers of flagged rows among which the rule for a precision chooses."""


@checked(**CostModel.valid)
def least_cost(
    scores: np.ndarray,
    y: np.ndarray,
    *,
    c_alarm: float = CostModel.c_alarm,
    c_missed: float = CostModel.c_missed,
    c_late: float = CostModel.c_late,
    tolerance: float = CostModel.tolerance,
    position: np.ndarray | None = None,
    candidates: np.ndarray | None = None,
    judged: np.ndarray | None = None,
) -> Threshold:
    """The threshold with the least total cost on these rows.

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies; with None the rule refuses
    c_alarm, c_missed, c_late, tolerance : prices and tolerance of `cost.CostModel`
    position : (n,) row numbers or times, as for `cost.cost_curve`
    candidates : (k,) the only thresholds to try, as in the course's line search; of equal costs the first wins.
        None: all of them
    judged : numbers of the rows that the cost is over; the others only stand beside them, as for `cost_curve`
    """
    model = CostModel(c_alarm, c_missed, c_late, tolerance)
    parameters = asdict(model)
    refused = _needs_both_labels("cost", scores, y, parameters)
    if refused:
        return refused
    curves = threshold_curves(scores, y, model, position, judged)
    costs = curves.labelled.costs
    cost = costs.cost
    if candidates is None:
        distinct = curves.distinct() if judged is None else np.r_[np.unique(scores), np.inf]
        value, plateau = _best(distinct, -cost(distinct[1:]))
    else:
        candidates = np.asarray(candidates, np.float64)
        value, plateau = float(candidates[np.argmin(cost(candidates))]), None
    never, everything = float(cost(np.inf)), float(cost(-np.inf))
    least = float(cost(value))
    beside = "" if judged is None else ", judged beside their neighbours in all parts"
    sentence = (
        f"Least cost on {count(len(curves.ordered))} rows{beside}: {plain(least)}, from "
        f"{count(int(costs.false_alarms(value)))} "
        f"false alarms at {plain(c_alarm)} and {count(int(costs.missed(value)))} missed at {plain(c_missed)}"
    )
    sentence += f" and {count(int(costs.late(value)))} late rows at {plain(c_late)}" if c_late else ""
    sentence += f". Never alarming would cost {plain(never)}."
    caution = ""
    if everything < least:
        caution = f"Flagging every row would cost less ({plain(everything)}): at these prices the scores do not help."
    elif least >= never:
        caution = "No threshold is cheaper than never alarming."
    return Threshold(value, "cost", sentence, parameters, caution, plateau, len(curves.ordered))


@checked(beta=POSITIVE)
def best_f(scores: np.ndarray, y: np.ndarray, *, beta: float = 1.0) -> Threshold:
    """The threshold with the highest F-beta; `beta` above 1 weighs recall more, below 1 precision.

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies; with None the rule refuses
    beta : above 0
    """
    parameters = {"beta": beta}
    refused = _needs_both_labels("f_beta", scores, y, parameters)
    if refused:
        return refused
    curves = threshold_curves(scores, y)
    gain = curves.labelled.at(curves.distinct()[1:], beta).f_beta
    everything = float(curves.labelled.at(-np.inf, beta).f_beta)
    if np.nanmax(gain) <= everything:
        sentence = (
            f"Flagging every row reaches F{plain(beta)} {everything:.3f}, and no threshold on "
            f"{count(len(curves.ordered))} "
            "rows does better: the scores do not tell these anomalies apart."
        )
        return refusal("f_beta", sentence, parameters, len(curves.ordered))
    value, plateau = _best(curves.distinct(), gain)
    at = curves.labelled.at(value, beta)
    sentence = (
        f"Highest F{plain(beta)} on {count(len(curves.ordered))} rows: {at.f_beta:.3f}, with precision "
        f"{at.precision:.3f} and recall {at.recall:.3f}. New rows will as a rule do worse: these chose it."
    )
    return Threshold(value, "f_beta", sentence, parameters, plateau=plateau, n_rows=len(curves.ordered))


@checked(precision=Interval(float, 0, 1, closed="right"))
def recall_at_precision(scores: np.ndarray, y: np.ndarray, *, precision: float = 0.9) -> Threshold:
    """The threshold with the highest recall among those whose precision is, with confidence, at least `precision`.

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies; with None the rule refuses
    precision : above 0, at most 1

    The best precision on these rows is luck in part. What is held to `precision` is the lower end of an exact 95 %
    interval (Clopper and Pearson 1934) at a few numbers of flagged rows that are set beforehand. They are tried from
    the fewest on up to the first that fails, so that all that pass hold with one confidence (Maurer et al. 1995).
    """
    parameters = {"precision": precision}
    refused = _needs_both_labels("precision", scores, y, parameters)
    if refused:
        return refused
    curves = threshold_curves(scores, y)
    n_rows, n_anomalies = len(curves.ordered), len(curves.labelled.anomalous)
    sizes = _sizes(precision, n_anomalies)
    best, chosen = 0.0, None
    for size in sizes:
        flagged_from, flagged = flag_at_most(curves.ordered, size)
        if flagged == 0:
            continue
        right = curves.confusion(flagged_from).true_alarms
        sure = stats.binomtest(right, flagged, alternative="greater").proportion_ci(1 - ERROR).low
        best = max(best, sure)
        if sure < precision:
            break
        chosen = flagged_from, sure
    if chosen is None:
        needed = math.ceil(math.log(ERROR) / math.log(precision)) if precision < 1 else 0
        sentence = (
            f"{count(n_rows)} rows with {count(n_anomalies)} anomalies do not show a precision of at least "
            f"{precision:.2f} with "
            f"95 % confidence; at most {best:.3f} is sure. It takes at least {count(needed)} flagged rows, all of them "
            "anomalies. Ask for less precision."
        )
        if precision == 1:
            sentence = "No number of rows shows that every alarm will be right. Ask for a precision below 1."
        return refusal("precision", sentence, parameters, n_rows)
    value, sure = chosen
    reached = curves.labelled.at(value)
    sentence = (
        f"Precision of at least {precision:.2f} with 95 % confidence, from {count(n_rows)} rows: "
        f"{count(int(reached.flagged))} "
        f"of them are flagged with precision {reached.precision:.3f} (at least {sure:.3f} on new rows) and recall "
        f"{reached.recall:.3f}."
    )
    return Threshold(value, "precision", sentence, parameters, n_rows=n_rows)


def _sizes(precision: float, n_anomalies: int) -> list[int]:
    """Numbers of flagged rows to test, ascending: from the fewest that can pass to the most that may."""
    if precision == 1:
        return []
    fewest = max(math.ceil(math.log(ERROR) / math.log(precision)), n_anomalies // 4)
    most = int(n_anomalies / precision)
    return sorted({*np.geomspace(fewest, most, MAX_SIZES).astype(int).tolist(), n_anomalies}) if fewest <= most else []


def _needs_both_labels(
    rule: str, scores: np.ndarray, y: np.ndarray | None, parameters: Mapping[str, float]
) -> Threshold | None:
    """A refusal where labels or scores cannot tell anything apart, else None."""
    if y is None:
        return refusal(rule, "This rule needs labels; choose one that works on scores alone.", parameters)
    scores, y = check_scores(scores, y)
    n_rows, n_anomalies = len(y), int(y.sum())
    if n_anomalies == 0:
        sentence = (
            f"None of the {count(n_rows)} rows is labelled an anomaly, so nothing says where alarms should begin. "
            "A promise on false alarms or a review budget needs no anomalies."
        )
    elif n_anomalies == n_rows:
        sentence = f"All {count(n_rows)} rows are labelled anomalies, so nothing says where normal ends."
    elif scores.min() == scores.max():
        sentence = f"All {count(n_rows)} scores equal {plain(scores[0])}: no threshold tells rows apart."
    else:
        return None
    return refusal(rule, sentence, parameters, n_rows)


def _best(distinct: np.ndarray, gain: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Middle of the plateau of thresholds that share the highest gain; of several plateaus the highest lying.

    `distinct` (k + 1,) are the scores, then infinity; `gain` (k,) is of all but the lowest, which flags every row.
    """
    gain = np.where(np.isnan(gain), -np.inf, gain)
    last = len(gain) - 1 - int(np.argmax(gain[::-1]))
    first = last
    while first > 0 and gain[first - 1] == gain[last]:
        first -= 1
    low, high = float(distinct[first]), float(distinct[last + 1])
    if np.isinf(high):
        highest = float(distinct[-2])
        return (between(low, highest) if low < highest else just_above(low)), (low, high)
    return between(low, high), (low, high)
