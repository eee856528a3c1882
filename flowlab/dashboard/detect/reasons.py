"""Reasons of flagged rows, computed once for a run and kept, and the kinds of anomaly that they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.shell import links, services
from flowlab.detection.scored_table import ScoredTable
from flowlab.explain import RowReasons, TraitCounts, kind_of_rows, kinds_of

PAGE = "detect"
ALL_KINDS = "all kinds"
TOGETHER = 200
"""Rows whose reasons are asked for at once."""


@st.cache_resource(show_spinner=False, max_entries=20)
def _kept(key: str) -> dict[int, RowReasons]:
    return {}


def asker(trained: services.Trained, rows: np.ndarray) -> Callable[[], dict[int, RowReasons]]:
    """A function that gives the reasons of these rows when it is called; those asked for before are at hand.

    It works where there is no page, such as when a download is pressed.
    """
    runner, run_id, snapshot, kept = services.runner(), trained.run.run_id, trained.snapshot, _kept(trained.key)
    wanted = [int(row) for row in rows]

    def ask() -> dict[int, RowReasons]:
        new = [row for row in wanted if row not in kept]
        for start in range(0, len(new), TOGETHER):  # what is found before the time is over stays
            some = tuple(new[start : start + TOGETHER])
            kept.update(runner.call(run_id, views.top_reasons, snapshot=snapshot, rows=some))
        return {row: kept[row] for row in wanted}

    return ask


def kinds(scored: ScoredTable, trained: services.Trained, rows: np.ndarray) -> tuple[np.ndarray, dict[int, RowReasons]]:
    """The kinds of these rows with a choice among them; the rows of the chosen kind, and the reasons of all.

    Nothing is computed until it is asked for: then all rows come back, without reasons. A pixel by its name is no
    reason, so pictures have none.
    """
    if scored.dataset.image_shape is not None:
        return rows, {}
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small")
    why = "Why each row is flagged, and rows alike in that"
    with controls:
        wanted = links.linked(PAGE, st.toggle, "Reasons and kinds", "kinds", False, help=why)
    if not wanted:
        return rows, {}
    try:
        with st.spinner("Finding the reasons"):
            reasons = asker(trained, rows)()
    except RuntimeError as error:
        st.warning(formatting.escaped(error))
        return rows, {}
    found = kinds_of(TraitCounts.of(rows, scored.scores[rows], (reasons[int(row)] for row in rows)))
    names = [ALL_KINDS, *(kind.name for kind in found)]
    with controls:
        chosen = links.linked(PAGE, st.selectbox, "Show only", "kind", ALL_KINDS, options=names, noun="kind", width=330)
    for kind in found if chosen == ALL_KINDS else [kind for kind in found if kind.name == chosen]:
        st.caption(formatting.escaped(kind.sentence))
    name_of = kind_of_rows(found, reasons)
    if chosen != ALL_KINDS:
        rows = np.array([row for row in rows if name_of[int(row)] == chosen], int)
    return rows, reasons
