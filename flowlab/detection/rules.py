"""The table of threshold rules, with the controls a page shows, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from flowlab.controls import Float, defaults
from flowlab.detection import conformal, extreme_value, labelled, unsupervised
from flowlab.detection.threshold import Threshold, check_scores
from flowlab.formatting import plain


@dataclass(frozen=True)
class Rule:
    """A way to choose a threshold.

    Attributes
    ----------
    name, label : key in `RULES` and what people read
    choose : function(scores, [y], *, parameters and context) -> Threshold
    controls : the parameters that can be set, with the range a page offers; defaults stand in the function's signature
    labels : "needed", "used" (where there are any) or "unused"
    context : which of position, time, batch and worth the function takes
    blurb : what the rule is for, in one sentence
    """

    name: str
    label: str
    choose: Callable[..., Threshold]
    controls: tuple[Float, ...]
    labels: str
    blurb: str
    context: tuple[str, ...] = ()

    @cached_property
    def defaults(self) -> dict[str, float]:
        """Default of each parameter that can be set."""
        return defaults(self.controls, self.choose)

    @property
    def needs_labels(self) -> bool:
        """Whether the rule refuses without labels."""
        return self.labels == "needed"

    def __call__(
        self, scores: np.ndarray, y: np.ndarray | None = None, context: Mapping | None = None, **parameters: float | str
    ) -> Threshold:
        if unknown := sorted(set(parameters) - set(self.defaults)):
            raise ValueError(f"the rule {self.name!r} has no parameter {unknown[0]!r}; it has {sorted(self.defaults)}")
        known_context = {name: (context or {}).get(name) for name in self.context}
        labels = () if self.labels == "unused" else (y,)
        return self.choose(scores, *labels, **known_context, **parameters)


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "cost",
            "Least cost",
            labelled.least_cost,
            (
                Float("c_alarm", "Price of a false alarm", 0.0, 1000.0, 0.5),
                Float("c_missed", "Price of a missed row", 0.0, 1000.0, 0.5),
                Float("c_late", "Price of a late row", 0.0, 1000.0, 0.5, help="Rows before the first alarm."),
                Float("tolerance", "Tolerance", 0.0, 10_000.0, 1.0, help="How far an alarm may lie from it."),
            ),
            "needed",
            "The threshold that costs least, given prices of false alarms, missed and late rows.",
            ("position",),
        ),
        Rule(
            "f_beta",
            "Best F-beta",
            labelled.best_f,
            (Float("beta", "Weight of recall (beta)", 0.1, 10.0, 0.1),),
            "needed",
            "The best balance of precision and recall.",
        ),
        Rule(
            "precision",
            "Recall at a precision",
            labelled.recall_at_precision,
            (Float("precision", "Least precision", 0.01, 1.0, 0.01),),
            "needed",
            "Catches most while this share of alarms is right.",
        ),
        Rule(
            "quantile",
            "Share of rows",
            unsupervised.quantile,
            (Float("share", "Flagged share", 0.0001, 0.5, 0.001),),
            "unused",
            "Flags the highest scores, a fixed share of rows.",
        ),
        Rule(
            "budget",
            "Review budget",
            unsupervised.review_budget,
            (
                Float("rows_per_day", "Rows reviewed a day", 1.0, 100_000.0, 1.0),
                Float(
                    "arrivals_per_day", "Rows arriving a day", 1.0, 1e8, 1.0, help="Used where no column holds dates."
                ),
            ),
            "unused",
            "As many alarms as people can look at.",
            ("time",),
        ),
        Rule(
            "conformal",
            "False-alarm promise",
            conformal.false_alarm_promise,
            (
                Float("rate", "Promised false-alarm rate", 0.0001, 0.5, 0.001),
                Float("confidence", "Confidence (0: on average)", 0.0, 0.999, 0.05),
            ),
            "used",
            "A promise on how often normal rows are flagged, for any model (split conformal).",
            ("worth",),
        ),
        Rule(
            "false_discovery",
            "False-discovery rate",
            conformal.false_discovery,
            (Float("q", "False share of the flagged", 0.001, 0.9, 0.01),),
            "used",
            "Bounds the share of false alarms among the flagged rows of a batch (Benjamini-Hochberg).",
            ("batch",),
        ),
        Rule(
            "extreme_value",
            "Extreme value",
            extreme_value.extreme_value,
            (
                Float("rate", "Share above the threshold", 1e-6, 0.05, 0.0005),
                Float("start", "Tail begins at quantile", 0.5, 0.94, 0.01),
            ),
            "used",
            "Extends the tail beyond the data by a generalised Pareto distribution (peaks over threshold).",
            ("worth",),
        ),
        Rule(
            "mad",
            "Median and MAD",
            unsupervised.mad,
            (Float("k", "Robust standard deviations", 0.5, 50.0, 0.5),),
            "unused",
            "Far above the median, measured in median absolute deviations.",
        ),
        Rule(
            "iqr",
            "Interquartile range",
            unsupervised.iqr,
            (Float("k", "Interquartile ranges", 0.5, 50.0, 0.5),),
            "unused",
            "Tukey's fence: far above the upper quartile.",
        ),
        Rule(
            "mixture",
            "Two groups",
            unsupervised.mixture,
            (Float("posterior", "Least probability of the upper group", 0.01, 0.99, 0.01),),
            "unused",
            "Cuts between two groups of scores, if there are two (Gaussian mixture).",
        ),
        Rule(
            "knee",
            "Knee",
            unsupervised.knee,
            (Float("part", "Share of rows looked at", 0.05, 1.0, 0.05),),
            "unused",
            "Where the curve of sorted scores bends upward.",
        ),
    )
}


def manual(value: float) -> Threshold:
    """A threshold set by hand; ValueError unless `value` is finite.

    >>> manual(3.0).sentence
    'Set by hand to 3.'
    """
    if not np.isfinite(value):
        raise ValueError(f"a threshold must be a finite number, not {value!r}")
    return Threshold(float(value), "manual", f"Set by hand to {plain(value)}.")


def choose(
    rule: str,
    scores: np.ndarray,
    y: np.ndarray | None = None,
    context: Mapping | None = None,
    **parameters: float | str,
) -> Threshold:
    """The threshold that the rule of this name chooses; ValueError for a rule or parameter that does not exist.

    Parameters
    ----------
    rule : key of `RULES`
    scores : (n,) anomaly scores of validation rows
    y : (n,) labels or None
    context : `position` (n,) for the tolerance, `time` of all rows for a budget a day, `batch` (m,) scores to be
        judged, `worth` independent rows that one row is worth
    parameters : of the rule; its defaults otherwise

    >>> choose("quantile", [1, 2, 3, 4, 5], share=0.2).value
    4.5
    """
    if rule not in RULES:
        raise ValueError(f"there is no rule {rule!r}; the rules are {', '.join(RULES)}")
    return RULES[rule](scores, y, context, **parameters)


def all_thresholds(
    scores: np.ndarray, y: np.ndarray | None = None, context: Mapping | None = None, parameters: Mapping | None = None
) -> list[Threshold]:
    """The threshold of each rule in `RULES`, refusals included.

    Parameters
    ----------
    scores, y, context : as for `choose`
    parameters : name of a rule -> its parameters, where they differ from the defaults
    """
    return [choose(name, scores, y, context, **(parameters or {}).get(name, {})) for name in RULES]


def agreement(thresholds: list[Threshold], scores: np.ndarray) -> np.ndarray:
    """Overlap of what pairs of thresholds flag: rows flagged by both over rows flagged by either, (k, k).

    Thresholds of one score are nested, so this is the smaller count over the larger; nan where neither flags.
    """
    ordered = np.sort(check_scores(scores)[0])
    flagged = len(ordered) - np.searchsorted(ordered, [t.value for t in thresholds], side="left")
    low, high = np.minimum.outer(flagged, flagged), np.maximum.outer(flagged, flagged)
    return np.divide(low, high, out=np.full(low.shape, np.nan), where=high > 0)
