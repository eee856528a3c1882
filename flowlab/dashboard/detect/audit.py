"""The audit: about twenty rows to answer yes, no or unsure, and what the answers say of every threshold."""

from __future__ import annotations

import numpy as np
import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.datasets.dataset import Part
from flowlab.detection.audit import Audit, estimate, plan_audit
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.plots import threshold as plots
from flowlab.plots.score_axis import ScoreAxis

ANSWERS = {"yes": True, "no": False, "unsure": None}


def panel(scored: ScoredTable, key: str, axis: ScoreAxis, threshold: Threshold) -> None:
    """Rows to answer on the left, estimates on the right."""
    rows = scored.rows(Part.UNSEEN)
    st.markdown(
        "Nobody labelled these rows? Look at about twenty, chosen near the threshold and at random, and say whether "
        "each is an anomaly. The estimates then hold for every threshold, with intervals. Labels are not used here."
    )
    answers = state.recall(f"audit.{key}.answers", {})
    more = state.recall(f"audit.{key}.more", [])
    # the plan stays with the threshold of the first answer: what was drawn for another would be no random sample
    began = state.recall(f"audit.{key}.began", threshold.value) if answers else threshold.value
    plan = _plan(key, began, scored)
    first = [int(r) for r in plan.first_rows()]
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        _ask(scored, key, rows, [*first, *more], answers, began)
        following = plan.next_row(dict.fromkeys([*first, *more]) | answers)
        if set(first) <= set(answers) and following is not None:
            _one_more(key, [*more, following])
    with right:
        _estimates(plan, answers, axis, threshold)


def _one_more(key: str, more: list[int]) -> None:
    if st.button("One more row", help="The row whose answer narrows the intervals most"):
        state.keep(f"audit.{key}.more", more)
        st.rerun()


@st.cache_resource(show_spinner=False, max_entries=20)
def _plan(key: str, value: float, _scored: ScoredTable) -> Audit:
    return plan_audit(_scored.scores[_scored.rows(Part.UNSEEN)], value)


def _ask(scored: ScoredTable, key: str, rows: np.ndarray, asked: list[int], answers: dict, began: float) -> None:
    texts = {True: "yes", False: "no", None: "unsure"}
    frame = scored.frame.iloc[rows[asked]].reset_index(drop=True)
    if scored.dataset.y is not None:
        frame = frame.drop(columns="label", errors="ignore")
    frame.insert(0, "anomaly?", [texts[answers[r]] if r in answers else "" for r in asked])
    frame.insert(1, "row", rows[asked], allow_duplicates=True)
    options = st.column_config.SelectboxColumn(options=list(ANSWERS), help="Is this row an anomaly?")
    edited = st.data_editor(
        frame,
        key=state.widget_key("audit", began, len(asked)),
        hide_index=True,
        height=400,
        disabled=[c for c in frame.columns if c != "anomaly?"],
        column_config={"anomaly?": options},
        placeholder="answer",
    )
    new_answers = {row: ANSWERS[text] for row, text in zip(asked, edited["anomaly?"], strict=True) if text in ANSWERS}
    if new_answers != answers:
        state.keep(f"audit.{key}.answers", new_answers)
        state.keep(f"audit.{key}.began", began)
        st.rerun()


def _estimates(plan: Audit, answers: dict, axis: ScoreAxis, threshold: Threshold) -> None:
    if not any(answer is not None for answer in answers.values()):
        st.markdown("Precision, recall and the rate of anomalies will stand here after the first answer.")
        return
    grid = np.unique(np.quantile(plan.scores, np.linspace(0.2, 1, 120)))
    rates = estimate(plan, answers, np.r_[grid, threshold.value])
    fig = plots.audit_curve(
        axis, grid, {"precision": rates.precision[:, :-1], "recall": rates.recall[:, :-1]}, threshold.value,
        state.is_dark(), height=260,
    )  # fmt: skip
    precision, recall = (formatting.percent(float(part[0, -1])) for part in (rates.precision, rates.recall))
    finding = f"Audited precision and recall against the threshold; where it stands, {precision} and {recall}"
    chart(st, fig, key="audit.curves", config=DOWNLOADABLE, theme=None, alt=finding)
    shares = {
        "alarms that are right": rates.precision,
        "anomalies that are caught": rates.recall,
        "rows that raise an alarm": rates.alarm_rate,
        "rows that are anomalies": rates.anomaly_rate,
    }
    lines = ["| at this threshold | estimate | 95 % interval |", "|:--|--:|--:|"]
    for name, values in shares.items():
        value, low, high = map(formatting.percent, values[:, -1])
        if np.isfinite(values[0, -1]):
            lines.append(f"| {name} | {value} | {low} to {high} |")
    st.markdown("\n".join(lines))
    unsure = f", {rates.n_unsure} unsure" if rates.n_unsure else ""
    st.caption(f"From {formatting.plural(rates.n_answers, 'answer')}{unsure}.")
