"""The threshold of the Detect page: which rule chose it, with which parameters, all kept in the link."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import streamlit as st

from flowlab import formatting
from flowlab.controls import Number
from flowlab.dashboard.shell import links, state, widgets
from flowlab.datasets.dataset import Part
from flowlab.detection import rules
from flowlab.detection.cost import CostModel
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import SPREAD, Threshold, just_above
from flowlab.plots.score_axis import ScoreAxis
from flowlab.records import Scalar

PAGE = "detect"
MANUAL = "manual"
GROUPED = "conformal"


@dataclass(frozen=True)
class ThresholdChoice:
    """The threshold in use; the rule's own answer, which may be a refusal; prices and unit of the cost model."""

    threshold: Threshold
    answer: Threshold
    cost: CostModel
    unit: str


def controls(scored: ScoredTable, key: str) -> ThresholdChoice:
    """Rule, parameters and the threshold as a number; `key` names the run."""
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with left, st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="detect-rule"):
        rule = _rule(scored, key)
        parameters = {control.name: _parameter(rule, control) for control in _controls(rule)}
        unit = _unit(scored) if rule == "cost" else state.view(PAGE, "unit", "rows")
        _group_column(scored, rule)
        unit = unit if unit in scored.units() else "rows"
        answer = _answer(scored, key, rule, parameters, unit)
        used = answer if not answer.refused else _fallback(scored)
        _shown_group(scored, used)
        _log_counts()
    with right:
        _number(used)
    return ThresholdChoice(used, answer, CostModel(**_values("cost")), unit)


def standing(scored: ScoredTable, key: str, is_other: bool = False) -> Threshold:
    """The threshold that the link names, without drawing anything: what the Detect page shows for this state.

    Of another run (`is_other`) the same rule's; a number set by hand means nothing among its scores.
    """
    rule = state.view(PAGE, "rule", scored.best_default_rule)
    if rule not in rules.RULES and (rule != MANUAL or is_other):
        rule = scored.best_default_rule
    unit = state.view(PAGE, "unit", "rows")
    answer = _answer(scored, key, rule, _values(rule), unit if unit in scored.units() else "rows")
    return _fallback(scored) if answer.refused else answer


def groups_shown(scored: ScoredTable, threshold: Threshold) -> list[str]:
    """Names of the groups that have validation and test rows, the strangest first."""
    levels, groups = scored.levels(threshold), threshold.groups
    if levels is None or groups is None:
        return []
    there = set(levels[scored.rows(Part.VALIDATION)]) & set(levels[scored.rows(Part.TEST)])
    return [group.name for group in groups.groups if group.name in there]


def slider(threshold: Threshold, axis: ScoreAxis, grid: np.ndarray) -> None:
    """A slider over `grid` (k,) and the present threshold, to stand under a histogram with the same axis."""
    by_hand = threshold.rule == MANUAL
    # a dragged slider keeps its key and its stops, and with them the keyboard's focus; a new origin makes a new one
    origin = state.recall("detect.typed", threshold.value) if by_hand else threshold.value
    # a browser sends a stop as its text: of stops with the same text one is kept, and the origin before all others
    by_text = {formatting.plain(stop): stop for stop in [*grid.tolist(), float(np.clip(origin, grid[0], grid[-1]))]}
    stops = np.sort(list(by_text.values()))
    nearest = int(np.argmin(np.abs(axis.place(stops) - axis.place(threshold.value))))
    key = state.widget_key(PAGE, "slider", state.recall("detect.chosen", 0), repr(float(origin)))

    def apply(i: int) -> None:
        if i != nearest or _is_by_hand():
            _drag(float(stops[i]), float(origin))

    st.select_slider(
        "Move the threshold",
        options=range(len(stops)),
        value=nearest,
        format_func=lambda i: formatting.plain(float(stops[i])),
        key=key,
        on_change=state.on_widget(key, apply, slides=True),
        label_visibility="collapsed",
    )


def _drag(value: float, origin: float) -> None:
    state.keep("detect.typed", origin)
    _set_by_hand(value)


def sentence(choice: ThresholdChoice) -> None:
    """Why this threshold, what weakens it, and how sure it is."""
    if choice.answer.refused:
        st.warning(formatting.escaped(f"{choice.answer.sentence} Shown instead: {choice.threshold.sentence}"))
        return
    text = formatting.escaped(choice.threshold.sentence)
    if choice.threshold.interval is not None:
        low, high = map(formatting.plain, choice.threshold.interval)
        text += formatting.escaped(f" {SPREAD.format(low=low, high=high)}")
    if choice.threshold.caution:
        text += f" **{formatting.escaped(choice.threshold.caution)}**"
    st.markdown(text)


def _rule(scored: ScoredTable, run_key: str) -> str:
    labelled = scored.dataset.y is not None
    names = [name for name, rule in rules.RULES.items() if labelled or not rule.needs_labels] + [MANUAL]
    default = scored.best_default_rule
    rule_name = state.view(PAGE, "rule", default)
    rule_name = rule_name if rule_name in names else default
    links.note_absent(PAGE, "rule", "rule", rule_name, _rule_label(rule_name))
    key = state.widget_key(PAGE, "rule", rule_name)

    def apply(name: str) -> None:
        if name == MANUAL:  # a person goes on from the threshold that stands
            value = standing(scored, run_key).value
            state.keep("detect.typed", value)
            _set_by_hand(value)
        state.set_view(PAGE, rule=name)
        state.keep("detect.chosen", state.recall("detect.chosen", 0) + 1)

    st.selectbox(
        "Rule",
        names,
        index=names.index(rule_name),
        format_func=_rule_label,
        key=key,
        on_change=state.on_widget(key, apply),
        help=None if rule_name == MANUAL else rules.RULES[rule_name].blurb,
        width=300 if state.is_presenting() else 205,
    )
    return rule_name


def _rule_label(name: str) -> str:
    return "Set by hand" if name == MANUAL else rules.RULES[name].label


def _log_counts() -> None:
    links.linked(PAGE, st.toggle, "Log counts", "log", True, help="Rows per bin on a log scale")


def _controls(rule: str) -> tuple[Number, ...]:
    return () if rule == MANUAL else rules.RULES[rule].controls


def _value(rule: str, control: Number) -> float:
    """What the link says of a parameter; out of range means the nearest end."""
    return control.number_or(state.asked(PAGE, f"{rule}_{control.name}"), rules.RULES[rule].defaults[control.name])


def _values(rule: str) -> dict[str, float]:
    return {control.name: _value(rule, control) for control in _controls(rule)}


def _parameter(rule: str, control: Number) -> Scalar:
    """One parameter as a number input."""
    key, name, value = state.widget_key(PAGE, rule, control.name), f"{rule}_{control.name}", _value(rule, control)
    links.note_absent(PAGE, name, control.label.lower(), value)

    def apply(new: Scalar) -> None:
        if new != _value(rule, control):
            state.set_view(PAGE, **{name: new})

    changed = state.on_widget(key, apply)
    return widgets.number_box(control, value, key, changed, width=172)


def _unit(scored: ScoredTable) -> str:
    units = scored.units()
    if len(units) == 1:
        return "rows"
    return links.linked(PAGE, st.selectbox, "Tolerance in", "unit", "rows", options=units, noun="unit", width=130)


def _group_column(scored: ScoredTable, rule: str) -> None:
    """Which column's groups get a promise each; only a promise can be made for each of them."""
    if rule == GROUPED and scored.group_columns:
        links.linked(
            PAGE, st.selectbox, "Promise for each", "group", "", options=["", *scored.group_columns],
            noun="grouping column", width=172, show=lambda name: name or "(all rows as one)",
            help="Each group of this column gets its own threshold from its own calibration rows",
        )  # fmt: skip


def _shown_group(scored: ScoredTable, threshold: Threshold) -> None:
    """Which group's rows the pictures show."""
    if threshold.groups is not None:
        links.linked(
            PAGE, st.selectbox, "Show rows of", "of_group", "", options=["", *groups_shown(scored, threshold)],
            noun="group", width=172, show=lambda name: name or "(all groups)",
            help="Pictures, curves and counts of this group's rows with its own threshold",
        )  # fmt: skip


def _answer(scored: ScoredTable, key: str, rule: str, parameters: Mapping[str, Scalar], unit: str) -> Threshold:
    if rule == MANUAL:
        default = _fallback(scored).value
        return rules.manual(state.view(PAGE, "threshold", default))
    group = state.view(PAGE, "group", "") if rule == GROUPED else ""
    group = group if group in scored.group_columns else ""
    return _chosen(key, rule, json.dumps(parameters, sort_keys=True), unit, group, scored)


@st.cache_resource(show_spinner=False, max_entries=200)
def _chosen(key: str, rule: str, parameters: str, unit: str, group: str, _scored: ScoredTable) -> Threshold:
    threshold = _scored.choose(rule, unit, **json.loads(parameters))
    if group:
        return _scored.by_group(threshold, group)
    return _scored.with_interval(threshold, unit)


def _fallback(scored: ScoredTable) -> Threshold:
    """What is shown where a rule refuses: the top 1 %, or, where even that is refused, nothing flagged."""
    top = scored.choose("quantile", share=0.01)
    return top if not top.refused else rules.manual(just_above(float(scored.scores.max())))


def _number(threshold: Threshold) -> None:
    key = state.widget_key(PAGE, "number", repr(threshold.value))

    def apply(value: float) -> None:
        if value != threshold.value or _is_by_hand():
            state.keep("detect.typed", value)
            _set_by_hand(value)

    st.number_input(
        "Threshold",
        value=float(threshold.value),
        format="%.6g",
        key=key,
        on_change=state.on_widget(key, apply),
        help="Rows with an anomaly score from here on are flagged.",
    )


def forget_by_hand() -> None:
    """Go back to the rule that suits the rows: a number set by hand means nothing among another run's scores."""
    if _is_by_hand():
        state.set_view(PAGE, rule=None, threshold=None)


def _is_by_hand() -> bool:
    """Whether the link says so; else a widget that holds what was drawn has not been touched.

    A script run that is cut short before it draws a widget forgets its value; the browser then sends it again.
    """
    return state.view(PAGE, "rule", "") == MANUAL


def _set_by_hand(value: float) -> None:
    state.set_view(PAGE, rule=MANUAL, threshold=value)
