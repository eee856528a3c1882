"""The cockpit of the Detect page: the threshold under the histogram, curves, rules, time, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import streamlit as st

from flowlab import catalog, formatting
from flowlab.dashboard.detect import attribution, audit, threshold, versions
from flowlab.dashboard.detect.threshold import PAGE, ThresholdChoice
from flowlab.dashboard.detect.view import View, axis_of, grid_of
from flowlab.dashboard.shell import lesson, links, services, state
from flowlab.dashboard.shell.run_status import run_or_button
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.datasets.dataset import Part
from flowlab.detection import rules, timeline
from flowlab.detection.bands import confidence_bands
from flowlab.detection.cost import CostModel, detection_delays
from flowlab.detection.metrics import Measures, ThresholdCurves, score_bins
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.plots import threshold as plots
from flowlab.plots.score_axis import bin_edges

FIRST_TAB = "Flagged rows"


def page() -> None:
    """All of the page below its headline."""
    trained = run_or_button("Here every row gets a score, and a threshold decides which rows are flagged.", PAGE)
    if trained is None:
        return
    key = trained.key
    scored = scored_table(trained)
    presents = state.is_presenting()
    choice = threshold.controls(scored, key)
    shown = View.of(scored, key, choice)
    tabs: dict[str, Callable[[View], None]] = {}
    if presents:  # one thing at a time on the screen
        tabs = {"Threshold": _stand, "Why there": _why}
    else:
        _stand(shown)
        _why(shown)
    tabs |= {"Curves": _curves, "ROC and precision-recall": _operating, "Rules": _rules}
    if scored.dataset.y is None:
        del tabs["ROC and precision-recall"]
    if scored.dataset.time is not None:
        tabs["Over time"] = _time
    if choice.threshold.groups is not None:
        tabs["Groups"] = _groups
    tabs["Flagged rows"] = lambda _: attribution.table(scored, trained, choice.threshold, choice.cost)
    tabs["Audit without labels"] = lambda view: audit.panel(view, trained)
    if state.spec().data.name == catalog.TABLE:
        tabs["Versions"] = lambda _: versions.panel(scored, trained, choice.threshold, scored_table)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        first = "Threshold" if presents else FIRST_TAB
        tab = links.segmented(PAGE, "Show", list(tabs), "tab", first, noun="tab")
        lesson.meaning(PAGE, tab)
    tabs[tab](shown)


def _stand(view: View) -> None:
    """The scores with the threshold among them, and what it does."""
    left, right = st.columns([2.6, 1], gap="medium")
    with left:
        _histogram(view)
        if view.whole_choice.threshold.groups is None:
            threshold.slider(view.choice.threshold, view.axis, view.grid)
        _reading(view)
    with right:
        _measures(view)


def _reading(view: View) -> None:
    """What the line stands for where groups have their own thresholds."""
    if text := view.reading:
        st.caption(formatting.escaped(text))


def _why(view: View) -> None:
    """Why the threshold stands there, how sure it is, and what the rows say about it."""
    choice, scored = view.whole_choice, view.whole
    threshold.sentence(choice)
    if notes := [*filter(None, [scored.certified(choice.threshold)]), *scored.notes()]:
        st.caption(formatting.escaped(" ".join(notes)))


def scored_table(trained: services.Trained) -> ScoredTable:
    """The data of a run and their scores, the same object at each rerun."""
    return _scored_table(trained.key, trained)


@st.cache_resource(show_spinner="Scoring all rows", max_entries=8)
def _scored_table(key: str, _trained: services.Trained) -> ScoredTable:
    spec = _trained.run.spec
    return ScoredTable.of(services.dataset(spec), services.anomaly_scores(_trained), services.table(spec))


@st.cache_resource(show_spinner=False, max_entries=40)
def _part_curves(key: str, part: Part, cost: CostModel, unit: str, _scored: ScoredTable) -> ThresholdCurves:
    return _scored.curves(part, cost, unit)


@st.cache_data(show_spinner=False, max_entries=40)
def _bands(key: str, cost: CostModel, unit: str, _scored: ScoredTable, _grid: np.ndarray) -> Measures:
    stretches = _scored.stretches(Part.VALIDATION, cost, unit)
    return confidence_bands(_part_curves(key, Part.VALIDATION, cost, unit, _scored), _grid, stretches=stretches)


def _histogram(view: View) -> None:
    scored, axis, choice = view.scored, view.axis, view.choice
    rows = scored.rows(Part.UNSEEN)
    edges, counts = score_bins(scored.scores[rows], scored.labels(Part.UNSEEN), bin_edges(axis, scored.scores[rows]))
    fig = plots.score_histogram(
        axis, edges, counts, choice.threshold.value, interval=choice.threshold.interval,
        log_counts=state.view(PAGE, "log", True), dark=state.is_dark(), height=285,
    )  # fmt: skip
    above = int(np.sum(scored.scores[rows] >= choice.threshold.value))
    finding = f"{formatting.plural(above, 'row')} of {formatting.count(len(rows))} lie above the threshold"
    chart(st, fig, key="detect.histogram", config=DOWNLOADABLE, theme=None, alt=finding)


def _measures(view: View) -> None:
    """What the threshold does on the rows it was chosen on, and on rows it never saw."""
    scored, choice, key, value = view.scored, view.choice, view.key, view.choice.threshold.value
    table: dict[str, list[str]] = {}
    for part in (Part.VALIDATION, Part.TEST):
        curves = flags = _part_curves(key, part, choice.cost, choice.unit, scored)
        at = flags.at(value)
        table.setdefault("flagged rows", []).append(
            f"{formatting.count(int(at.flagged))} · {formatting.percent(float(at.flagged_share))}"
        )
        if not curves.has_labels:
            continue
        confusion, judged = flags.confusion(value), flags.labelled.at(value)
        table.setdefault("true alarms", []).append(formatting.count(confusion.true_alarms))
        table.setdefault("false alarms", []).append(formatting.count(confusion.false_alarms))
        table.setdefault("missed", []).append(formatting.count(confusion.missed))
        table.setdefault("true normal", []).append(formatting.count(confusion.true_normal))
        for label, measure in (("precision", judged.precision), ("recall", judged.recall), ("F1", judged.f_beta)):
            table.setdefault(label, []).append(formatting.fixed(float(measure)))
        if choice.cost.tolerance:
            costs = flags.labelled.costs
            table.setdefault("false, tolerated", []).append(formatting.count(int(costs.false_alarms(value))))
            table.setdefault("missed, tolerated", []).append(formatting.count(int(costs.missed(value))))
        table.setdefault("cost", []).append(formatting.number(float(judged.cost)))
        table.setdefault("AUROC", []).append(formatting.fixed(curves.auroc()))
        table.setdefault("avg. precision", []).append(formatting.fixed(curves.average_precision()))
    st.html(_small_table(("validation", "test"), table))
    by_hand = choice.threshold.rule == threshold.MANUAL
    st.caption("Set by hand, judged on both." if by_hand else "Chosen on validation rows, reported on test rows.")


def _small_table(header: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    """A compact table of our own words and numbers as HTML."""
    right = "text-align:right;padding:1px 0 1px 10px;font-variant-numeric:tabular-nums;white-space:nowrap"
    head = "".join(f'<th scope="col" style="{right};font-weight:600">{name}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row" style="text-align:left;font-weight:400;padding:1px 0">{name}</th>'
        + "".join(f'<td style="{right}">{value}</td>' for value in values)
        + "</tr>"
        for name, values in rows.items()
    )
    return (
        f'<table style="width:100%;border-collapse:collapse;font-size:0.92rem"><tr><td></td>{head}</tr>{body}</table>'
    )


def _curves(view: View) -> None:
    scored, key, axis, grid, choice = view.scored, view.key, view.axis, view.grid, view.choice
    curves = _part_curves(key, Part.VALIDATION, choice.cost, choice.unit, scored)
    at = curves.at(grid)
    bands = _bands(key, choice.cost, choice.unit, scored, grid)
    dark, value = state.is_dark(), choice.threshold.value
    left, right = st.columns(2)
    if curves.has_labels:
        shares, share_bands = _shares(at), _shares(bands)
    else:
        shares, share_bands = {"flagged share": at.flagged_share}, {"flagged share": bands.flagged_share}
    with left:
        chart(
            st, plots.curves_against_threshold(
                axis, grid, shares, share_bands, value, "share of validation rows", dark,
            ),
            key="detect.curves", config=DOWNLOADABLE, theme=None,
            alt=f"Shares against the threshold, with 95 % bands, each at one threshold; {_here(shares, curves, value)}",
        )  # fmt: skip
    with right:
        if curves.has_labels:
            judged = curves.labelled.at(grid)
            counts = {"cost": judged.cost, "false alarms": judged.false_alarms, "missed": judged.missed}
            cost_band = {} if bands.cost is None else {"cost": bands.cost}
            fig = plots.curves_against_threshold(axis, grid, counts, cost_band, value, "cost; rows", dark)
            here = f"{formatting.number(float(curves.labelled.at(value).cost))} where it stands"
            chart(
                st, fig, key="detect.cost", config=DOWNLOADABLE, theme=None, alt=f"Cost against the threshold: {here}"
            )
    _stability(scored, choice)


def _shares(m: Measures) -> dict[str, np.ndarray]:
    shares = {"precision": m.precision, "recall": m.recall, "F1": m.f_beta, "flagged share": m.flagged_share}
    return {name: share for name, share in shares.items() if share is not None}


def _stability(scored: ScoredTable, choice: ThresholdChoice) -> None:
    if choice.threshold.interval is None:
        return
    scores = scored.scores[scored.rows(Part.TEST)]
    shares = [formatting.percent(float(np.mean(scores >= end))) for end in choice.threshold.interval[::-1]]
    st.caption(
        f"The thresholds of 95 % of resamples of the validation rows flag between {shares[0]} and {shares[1]} of the "
        "test rows."
    )


def _operating(view: View) -> None:
    scored, key, choice = view.scored, view.key, view.choice
    roc: dict[Part, tuple[np.ndarray, np.ndarray]] = {}
    precision_recall: dict[Part, tuple[np.ndarray, np.ndarray]] = {}
    roc_points: dict[Part, tuple[float, float]] = {}
    pr_points: dict[Part, tuple[float, float]] = {}
    for part in (Part.VALIDATION, Part.TEST):
        curves = _part_curves(key, part, choice.cost, choice.unit, scored)
        at = curves.labelled.at(curves.grid())
        here = curves.labelled.at(choice.threshold.value)
        roc[part] = at.false_alarm_rate, at.recall
        precision_recall[part] = at.recall, at.precision
        roc_points[part] = float(here.false_alarm_rate), float(here.recall)
        pr_points[part] = float(here.recall), float(here.precision)
    left, right = st.columns(2)
    dark = state.is_dark()
    fig = plots.operating_curve(roc, roc_points, "false-alarm rate", "recall", diagonal=True, dark=dark)
    chart(
        left,
        fig,
        key="detect.roc",
        config=DOWNLOADABLE,
        theme=None,
        alt=_point(roc_points, "false-alarm rate", "recall"),
    )
    fig = plots.operating_curve(precision_recall, pr_points, "recall", "precision", dark=dark)
    chart(right, fig, key="detect.pr", config=DOWNLOADABLE, theme=None, alt=_point(pr_points, "recall", "precision"))
    _top(scored, key, choice)


def _top(scored: ScoredTable, key: str, choice: ThresholdChoice) -> None:
    """Precision and lift among the k highest scoring rows, against k."""
    across = "highest scoring rows, k"
    for name, column in zip(("precision at k", "lift at k"), st.columns(2)):
        drawn: dict[Part, tuple[np.ndarray, np.ndarray]] = {}
        points: dict[Part, tuple[float, float]] = {}
        for part in (Part.VALIDATION, Part.TEST):
            labelled = _part_curves(key, part, choice.cost, choice.unit, scored)
            top, here = labelled.top(), labelled.labelled.at(choice.threshold.value)
            is_lift = name.startswith("lift")
            drawn[part] = top.flagged, top.lift if is_lift else top.precision
            k = float(here.flagged) or np.nan  # none flagged: no place on a logarithmic axis
            points[part] = k, float(here.lift if is_lift else here.precision)
        fig = plots.operating_curve(drawn, points, across, name, dark=state.is_dark(), over_rows=True)
        chart(column, fig, key=f"detect.{name[:4]}", config=DOWNLOADABLE, theme=None, alt=_point(points, across, name))


def _here(shares: dict, curves: ThresholdCurves, value: float) -> str:
    """The drawn measures at the threshold, in words."""
    found = _shares(curves.at(value))
    return ", ".join(f"{name} {formatting.fixed(float(found[name]))}" for name in shares) + " where it stands"


def _point(points: Mapping[Part, tuple[float, float]], across: str, up: str) -> str:
    """Where the threshold stands on each curve, in words."""
    told = (f"{part} {across} {formatting.fixed(x)}, {up} {formatting.fixed(y)}" for part, (x, y) in points.items())
    return f"{up.capitalize()} against {across}; at the threshold: {'; '.join(told)}"


@st.cache_resource(show_spinner="Asking every rule", max_entries=20)
def _all_rules(key: str, unit: str, cost: CostModel, _scored: ScoredTable) -> list:
    settings = {"cost": asdict(cost)}
    thresholds = [_scored.choose(name, unit, **settings.get(name, {})) for name in rules.RULES]
    return [_scored.with_interval(t, unit, n_boot=30) for t in thresholds]


def _spread(labels: list[str], answered: list[Threshold]) -> str:
    """Which rules set the lowest and the highest threshold."""
    if not answered:
        return "No rule gives a threshold"
    values = [t.value for t in answered]
    low, high = int(np.argmin(values)), int(np.argmax(values))
    ends = (f"{labels[i]} at {formatting.plain(float(values[i]))}" for i in (low, high))
    return f"Thresholds of {formatting.plural(len(answered), 'rule')}, from {' to '.join(ends)}"


def _rules(view: View) -> None:
    scored, choice, key = view.whole, view.whole_choice, view.run_key
    axis = axis_of(scored)
    grid = grid_of(scored, axis)
    thresholds = _all_rules(key, choice.unit, choice.cost, scored)
    test = scored.scores[scored.rows(Part.TEST)]
    answered = [t for t in thresholds if not t.refused]
    labels = [rules.RULES[t.rule].label for t in answered]
    left, right = st.columns(2)
    fig = plots.rules_picture(
        axis, labels, np.array([t.value for t in answered]), [t.interval for t in answered],
        np.array([t.flag(test).mean() for t in answered]), grid[0], grid[-1], choice.threshold.value, state.is_dark(),
    )  # fmt: skip
    left.caption(
        "Where each rule puts the threshold, where 95 % of resamples put it, and the share of test rows it flags"
    )
    chart(left, fig, key="detect.rules", config=DOWNLOADABLE, theme=None, alt=_spread(labels, answered))
    right.caption("Rows flagged by both rules, of those flagged by either")
    fig = plots.agreement_heatmap(labels, rules.agreement(answered, test), state.is_dark())
    chart(right, fig, key="detect.agreement", config=DOWNLOADABLE, theme=None, alt="Agreement of the rules in pairs")
    for t in thresholds:
        if t.refused and (scored.dataset.y is not None or not rules.RULES[t.rule].needs_labels):
            st.caption(formatting.escaped(f"{rules.RULES[t.rule].label}: {t.sentence}"))


def _groups(view: View) -> None:
    """The groups that have thresholds of their own, the strangest first."""
    groups = view.whole_choice.threshold.groups
    if groups is None:
        return
    shares = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        groups.table,
        hide_index=True,
        column_config={
            **{name: shares for name in groups.table if name.endswith("(%)")},
            "threshold": st.column_config.NumberColumn(format="%.6g"),
        },
    )
    st.caption(
        "Validation and test rows. The strangest group stands first: by the lower end of the exact 95 % interval of "
        "the share that the threshold of all rows flags."
    )


def _time(view: View) -> None:
    scored, axis, choice = view.scored, view.axis, view.choice
    dataset, times = scored.dataset, scored.dataset.time
    if times is None:
        return
    rows = scored.rows(Part.ALL)
    time, scores = timeline.signal(times[rows], scored.scores[rows])
    events = [] if dataset.y is None else timeline.events(times[rows], dataset.y[rows])
    parts = timeline.parts_in_time(times, dataset.split)
    fig = plots.score_over_time(
        axis, time, scores, choice.threshold.value, events, parts, "time", state.is_dark(), height=320
    )
    chart(st, fig, key="detect.time", config=DOWNLOADABLE, theme=None, alt="Anomaly score over time with alarms")
    if dataset.y is None:
        return
    rows = scored.rows(Part.TEST)
    unit = "minutes" if scored.has_dates else "rows"
    delays = detection_delays(
        scored.scores[rows], dataset.y[rows], choice.threshold.value, scored.position(Part.TEST, unit)
    )
    seen = delays[np.isfinite(delays)]
    if len(delays):
        median = float(np.median(seen)) if len(seen) else 0.0
        late = (
            f", in the middle case {f'after {formatting.number(median)} {unit}' if median else 'at once'}"
            if len(seen)
            else ""
        )
        st.caption(
            f"Test rows: {len(seen)} of {formatting.plural(len(delays), 'labelled event')} raise an alarm{late}."
        )
