"""Threshold rules that need labels: least cost, best F-beta, recall at a given precision.

Each tries every threshold that makes a difference, except the one that flags every row, and says so where that
one does better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from flowlab.constraints import POSITIVE, Interval, checked
from flowlab.detection.cost import CostModel
from flowlab.detection.metrics import ThresholdCurves, threshold_curves
from flowlab.detection.threshold import Threshold, between, check_scores, just_above, refusal
from flowlab.formatting import count, plain


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
    """
    model = CostModel(c_alarm, c_missed, c_late, tolerance)
    parameters = asdict(model)
    refused = _needs_both_labels("cost", scores, y, parameters)
    if refused:
        return refused
    curves = threshold_curves(scores, y, model, position)
    cost = curves.costs.cost
    if candidates is None:
        value, plateau = _best(curves, -cost(_choices(curves)))
    else:
        candidates = np.asarray(candidates, np.float64)
        value, plateau = float(candidates[np.argmin(cost(candidates))]), None
    never, everything = float(cost(np.inf)), float(cost(-np.inf))
    least = float(cost(value))
    sentence = (
        f"Least cost on {count(len(curves.ordered))} rows: {plain(least)}, from "
        f"{count(int(curves.costs.false_alarms(value)))} "
        f"false alarms at {plain(c_alarm)} and {count(int(curves.costs.missed(value)))} missed at {plain(c_missed)}"
    )
    sentence += f" and {count(int(curves.costs.late(value)))} late rows at {plain(c_late)}" if c_late else ""
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
    gain = curves.at(_choices(curves), beta).f_beta
    everything = float(curves.at(-np.inf, beta).f_beta)
    if np.nanmax(gain) <= everything:
        sentence = (
            f"Flagging every row reaches F{plain(beta)} {everything:.3f}, and no threshold on "
            f"{count(len(curves.ordered))} "
            "rows does better: the scores do not tell these anomalies apart."
        )
        return refusal("f_beta", sentence, parameters, len(curves.ordered))
    value, plateau = _best(curves, gain)
    at = curves.at(value, beta)
    sentence = (
        f"Highest F{plain(beta)} on {count(len(curves.ordered))} rows: {at.f_beta:.3f}, with precision "
        f"{at.precision:.3f} and recall {at.recall:.3f}."
    )
    return Threshold(value, "f_beta", sentence, parameters, plateau=plateau, n_rows=len(curves.ordered))


@checked(precision=Interval(float, 0, 1, closed="right"))
def recall_at_precision(scores: np.ndarray, y: np.ndarray, *, precision: float = 0.9) -> Threshold:
    """The threshold with the highest recall among those with a precision of at least `precision`.

    Parameters
    ----------
    scores : (n,) anomaly scores
    y : (n,) 1 for anomalies; with None the rule refuses
    precision : above 0, at most 1
    """
    parameters = {"precision": precision}
    refused = _needs_both_labels("precision", scores, y, parameters)
    if refused:
        return refused
    curves = threshold_curves(scores, y)
    at = curves.at(_choices(curves))
    allowed = np.nan_to_num(at.precision, nan=-1.0) >= precision
    n_rows = len(curves.ordered)
    if not allowed.any():
        best = float(np.nanmax(at.precision))
        sentence = (
            f"No threshold reaches a precision of {precision:.2f} on {count(n_rows)} rows; the best is {best:.3f}. "
            "Ask for less precision."
        )
        return refusal("precision", sentence, parameters, n_rows)
    # among equal recalls the higher precision wins
    value, plateau = _best(curves, np.where(allowed, at.recall + 1e-9 * np.nan_to_num(at.precision), -np.inf))
    reached = curves.at(value)
    sentence = (
        f"Highest recall at a precision of at least {precision:.2f} on {count(n_rows)} rows: recall "
        f"{reached.recall:.3f}, precision {reached.precision:.3f}."
    )
    few = int(reached.flagged)
    caution = f"It rests on {few} flagged rows only." if few < 10 else ""
    return Threshold(value, "precision", sentence, parameters, caution, plateau, n_rows)


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


def _choices(curves: ThresholdCurves) -> np.ndarray:
    """Distinct scores without the lowest (it flags every row), then infinity (it flags none)."""
    return curves.distinct()[1:]


def _best(curves: ThresholdCurves, gain: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Middle of the plateau of thresholds that share the highest gain; of several plateaus the highest lying."""
    distinct = curves.distinct()
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
