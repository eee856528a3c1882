"""The audit: about twenty rows to answer yes, no or unsure, and what the answers say of every threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from flowlab import formatting
from flowlab.dashboard.detect import answers, learned
from flowlab.dashboard.detect.view import View
from flowlab.dashboard.shell import services, state
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.datasets.dataset import Part
from flowlab.detection.answers import WORDS, Answer
from flowlab.detection.audit import Audit, estimate, plan_audit
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.plots import threshold as plots
from flowlab.plots.score_axis import ScoreAxis
from flowlab.serving.scored_rows import beside


def panel(view: View, trained: services.Trained) -> None:
    """Rows to answer on the left, estimates on the right."""
    scored, threshold, key = view.scored, view.choice.threshold, view.key
    rows = scored.rows(Part.UNSEEN)
    st.markdown(
        "Nobody labelled these rows? Look at about twenty, chosen near the threshold and at random, and say whether "
        "each is an anomaly. The estimates then hold for every threshold, with intervals. Labels are not used here."
    )
    kept = answers.kept(trained, len(scored.scores))
    # the plan stays with the threshold of the first answer: what was drawn for another would be no random sample
    began = kept.began.get(key, threshold.value)
    plan = _plan(key, began, scored)
    asked = [int(r) for r in dict.fromkeys([*plan.first_rows(), *kept.more.get(key, [])])]
    judged = {place: kept.answers[row].anomaly for place in asked if (row := int(rows[place])) in kept.answers}
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        _ask(view, trained, kept, np.array(list(dict.fromkeys([*rows[asked].tolist(), *kept.chosen]))), began)
        following = plan.next_row(dict.fromkeys(asked) | judged)
        if set(asked) <= set(judged) and following is not None:
            _one_more(trained, key, kept, following)
        answers.files(trained, kept, view.whole)
    with right:
        _estimates(plan, judged, view.axis, threshold)
    learned.panel(view.whole, trained, kept, view.whole_choice.threshold)


def _one_more(trained: services.Trained, key: str, kept: answers.Kept, following: int) -> None:
    if st.button("One more row", help="The row whose answer narrows the intervals most"):
        more = [*kept.more.get(key, []), following]
        answers.keep(trained, replace(kept, more=kept.more | {key: more}))
        st.rerun()


@st.cache_resource(show_spinner=False, max_entries=20)
def _plan(key: str, value: float, _scored: ScoredTable) -> Audit:
    return plan_audit(_scored.scores[_scored.rows(Part.UNSEEN)], value)


def _ask(view: View, trained: services.Trained, kept: answers.Kept, rows: np.ndarray, began: float) -> None:
    scored, key = view.whole, view.key
    frame = scored.blind_frame.iloc[rows].reset_index(drop=True)
    given = [kept.answers.get(int(row)) for row in rows]
    facts: dict[str, list[str] | np.ndarray] = {
        "anomaly?": [answer.word if answer else "" for answer in given],
        "note": [answer.note if answer else "" for answer in given],
        "row": rows,
    }
    frame = beside(facts, frame)
    options = st.column_config.SelectboxColumn(options=list(WORDS), help="Is this row an anomaly?")
    edited = st.data_editor(
        frame,
        key=state.widget_key("audit", began, len(rows), view.group),
        hide_index=True,
        height=400,
        disabled=[c for c in frame.columns if c not in ("anomaly?", "note")],
        column_config={"anomaly?": options},
        placeholder="answer",
    )
    new = {
        int(row): Answer(WORDS[word], str(note or ""))
        for row, word, note in zip(rows, edited["anomaly?"], edited["note"], strict=True)
        if word in WORDS
    }
    others = {row: answer for row, answer in kept.answers.items() if row not in set(rows.tolist())}
    if others | new != kept.answers:
        answers.keep(trained, replace(kept, answers=others | new, began=kept.began | {key: began}))
        st.rerun()


def _estimates(plan: Audit, judged: dict[int, bool | None], axis: ScoreAxis, threshold: Threshold) -> None:
    if not any(answer is not None for answer in judged.values()):
        st.markdown("Precision, recall and the rate of anomalies will stand here after the first answer.")
        return
    grid = np.unique(np.quantile(plan.scores, np.linspace(0.2, 1, 120)))
    rates = estimate(plan, judged, np.r_[grid, threshold.value])
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
