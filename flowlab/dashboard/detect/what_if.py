"""What if: a row edited freely, or a picture painted on; its score, flag and reasons follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.canvas.pixels import pixels_view
from flowlab.dashboard.shell import links, services, state
from flowlab.detection.group_thresholds import group_names
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.jobs import JobError

PAGE = "detect"


def editor(scored: ScoredTable, trained: services.Trained, row: int, threshold: Threshold) -> None:
    """The row's cells to edit, and what the detector says of them."""
    encoder = scored.dataset.encoder
    wanted = links.linked(
        PAGE, st.toggle, "What if", "what_if", False, help="Edit the row's cells; score, flag and reasons follow"
    )
    if not wanted:
        return
    if encoder is not None and encoder.lags:
        st.caption("Each row is judged together with rows before it, so a row alone cannot be tried out.")
        return
    names = list(scored.dataset.columns) if encoder is None else [n for n in encoder.order_ if n in encoder.needed_]
    before = scored.frame[names].iloc[[row]].reset_index(drop=True)
    edited = st.data_editor(before, hide_index=True, key=state.widget_key(PAGE, "what_if", row), placeholder="missing")
    cells = tuple((name, _cell(edited[name].iloc[0])) for name in names)
    try:
        found = trained.view(views.what_if, cells=cells)
    except (JobError, RuntimeError, ValueError) as error:
        st.warning(formatting.escaped(error))
        return
    levels = None if threshold.groups is None else group_names(edited[threshold.groups.column])
    is_flagged = bool(threshold.flag(np.array([found.score]), levels)[0])
    n_edited = sum(_cell(before[name].iloc[0]) != value for name, value in cells)
    edits = f"With {formatting.plural(n_edited, 'cell')} edited" if n_edited else "As it is"
    flag = "flagged" if is_flagged else "not flagged"
    was = formatting.plain(float(scored.scores[row]))
    st.markdown(f"{edits}, the score is **{formatting.plain(found.score)}** (was {was}): **{flag}**.")
    if is_flagged:
        st.markdown("\n".join(f"- {formatting.escaped(text.rstrip('.'))}" for text in found.reasons.sentences))
    if found.novelty:
        st.caption(formatting.escaped(f"New: {found.novelty}."))


def painter(scored: ScoredTable, trained: services.Trained, row: int, threshold: Threshold) -> None:
    """The row's picture to paint on, and what the detector says of it."""
    wanted = links.linked(
        PAGE, st.toggle, "What if", "what_if", False, help="Paint on the picture; score, flag and percentile follow"
    )
    if not wanted:
        return
    before = scored.dataset.pictures(scored.dataset.X[[row]])[0]
    painted = pixels_view(state.widget_key(PAGE, "painted", row), before)
    try:
        score = trained.view(views.painted_score, row=int(row), pixels=tuple(painted.ravel().tolist()))
    except (JobError, RuntimeError, ValueError) as error:
        st.warning(formatting.escaped(error))
        return
    flag = "flagged" if score >= threshold.value else "not flagged"
    was = formatting.plain(float(scored.scores[row]))
    standing = "As it is" if (painted == before).all() else "Painted like this"
    share = formatting.percent(scored.percentile_of(score) / 100)
    st.markdown(
        f"{standing}, its score is **{formatting.plain(score)}** (was {was}): **{flag}**. "
        f"{share} of normal validation rows score lower."
    )


def _cell(value: Any) -> Any:
    if value is None or pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
