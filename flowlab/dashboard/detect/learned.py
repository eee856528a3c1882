"""Learn from my answers: the ranking they make, beside the detector's own, and the row to ask next for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.detect import answers
from flowlab.dashboard.shell import links, services
from flowlab.detection.learned import Learned, learn, ranked
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.serving.scored_rows import beside
from flowlab.tables.export import to_csv_bytes

PAGE = "detect"
N_SHOWN = 200


def panel(scored: ScoredTable, trained: services.Trained, kept: answers.Kept, threshold: Threshold) -> None:
    """A switch; below it what was learned, whether it ranks better, and the rows in their new order."""
    wanted = links.linked(
        PAGE,
        st.toggle,
        "Learn from my answers",
        "learn",
        False,
        help="Raises rows like those you called anomalies and lowers rows like those you called normal",
    )
    if not wanted:
        return
    learned = _learned(trained.key, tuple((row, answer.anomaly) for row, answer in kept.answers.items()), scored)
    if not learned.n_yes + learned.n_no:
        st.markdown("There is nothing to learn from yet: answer yes or no above.")
        return
    n_flagged = len(scored.flagged(threshold))
    n_top = n_flagged or min(20, len(scored.scores))
    st.markdown(learned.sentence)
    st.markdown(
        f"Of the {formatting.plural(n_top, 'highest row')}, {formatting.count(learned.moved(scored.scores, n_top))} "
        "would be others. Flags, threshold and promises keep to the detector's own score."
    )
    order = ranked(learned.scores)
    _table(scored, kept, order[: min(n_top, N_SHOWN)])
    with st.container(horizontal=True):
        _ask_next(scored, trained, kept, learned, n_top)
        st.download_button(
            "Learned order (CSV)",
            lambda: _file(scored, learned),
            file_name="learned_order.csv",
            mime="text/csv",
            on_click="ignore",
            help="Row, place and score after learning, and the detector's own, for all rows",
        )


@st.cache_resource(show_spinner="Learning from the answers", max_entries=20)
def _learned(key: str, given: tuple[tuple[int, bool | None], ...], _scored: ScoredTable) -> Learned:
    return learn(_scored.scores, _scored.dataset.X[:, _scored.dataset.judged], dict(given))


def _table(scored: ScoredTable, kept: answers.Kept, rows: np.ndarray) -> None:
    given = [kept.answers.get(int(row)) for row in rows]
    facts = {
        "place": np.arange(1, len(rows) + 1),
        "place before": np.argsort(scored.ranked)[rows] + 1,
        "row": rows,
        "answer": [answer.word if answer else "" for answer in given],
        "anomaly score": scored.scores[rows],
    }
    frame = scored.blind_frame.iloc[rows].reset_index(drop=True)
    st.dataframe(
        beside(facts, frame),
        height=300,
        hide_index=True,
        placeholder="",
        column_config={
            "place before": st.column_config.NumberColumn(help="By the detector's own score"),
            "anomaly score": st.column_config.NumberColumn(format="%.4g", help="The detector's own"),
        },
    )


def _ask_next(scored: ScoredTable, trained: services.Trained, kept: answers.Kept, learned: Learned, n_top: int) -> None:
    if st.button(
        "Ask the most telling row",
        help="Near the border of the flagged rows, where answers and the detector's members leave most in doubt",
    ):
        disagreement = trained.view(views.disagreement)
        row = learned.next_row(n_top, dict.fromkeys([*kept.answers, *kept.chosen]), disagreement)
        if row is not None:
            answers.keep(trained, replace(kept, chosen=[*kept.chosen, row]))
            st.rerun()


def _file(scored: ScoredTable, learned: Learned) -> bytes:
    order = ranked(learned.scores)
    frame = pd.DataFrame({"row": order, "place": np.arange(1, len(order) + 1)})
    frame["place_before"] = np.argsort(scored.ranked)[order] + 1
    frame["learned_score"], frame["anomaly_score"] = learned.scores[order], scored.scores[order]
    return to_csv_bytes(frame)
