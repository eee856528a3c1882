"""What scoring a file found: counts, drift, the highest rows, and the scored file itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from flowlab import formatting
from flowlab.dashboard.detect.downloads import FORMATS, HELP
from flowlab.dashboard.score.files import Scored, archive, as_format
from flowlab.dashboard.shell import links, state
from flowlab.dashboard.shell.pictures import COLUMN, ROW_HEIGHT, picture_column
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.images.pixels import shape_of_columns
from flowlab.images.shape import ImageShape
from flowlab.plots import drift as plots
from flowlab.plots.pictures import pixel_map, thumbnail
from flowlab.serving.scored_rows import beside
from flowlab.serving.scoring import Highest, Summary
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.workbook import MAX_ROWS

PAGE = "score"
ALL_KINDS = "all kinds"


def _with_pictures(highest: Highest, shape: ImageShape, columns: list[str]) -> Highest:
    """The highest rows with their picture first, in place of its pixels."""
    values = highest.cells[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    scores = highest.scores.copy()
    scores.insert(0, COLUMN, [thumbnail(picture) for picture in shape.of(values)])
    return replace(highest, cells=highest.cells.drop(columns=columns), scores=scores)


def show(detector: Mapping[str, Any], files: Mapping[str, Scored]) -> str:
    """The scored files: a line for each where there are several, and what was found in one, whose key is returned."""
    chosen = next(iter(files))
    if len(files) > 1:
        st.dataframe(_lines(list(files.values())), hide_index=True)
        chosen = st.selectbox(
            "Show", list(files), format_func=lambda key: files[key].name, key="score.shown", width=420
        )
    _downloads(files[chosen], list(files.values()))
    _found(detector, files[chosen].summary, files[chosen].stem)
    return chosen


def _lines(files: Sequence[Scored]) -> pd.DataFrame:
    found = [file.summary for file in files]
    return pd.DataFrame(
        {
            "file": [file.name for file in files],
            "rows": [summary.n_rows for summary in found],
            "flagged": [summary.n_flagged for summary in found],
            "share": [formatting.percent(summary.n_flagged / summary.n_rows) for summary in found],
            "with something new": [summary.n_novel for summary in found],
            "cells that do not fit": [sum(summary.broken.values()) for summary in found],
            "drift": [" ".join(summary.drift) for summary in found],
        }
    )


def _downloads(file: Scored, files: Sequence[Scored]) -> None:
    too_many = file.summary.n_rows > MAX_ROWS
    formats = [f for f in FORMATS if not f.suffix.startswith("_") and not (too_many and f.suffix == ".xlsx")]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Format", formats, format_func=lambda each: each.name, key="score.format", width=150, help=HELP,
            persist_state="session",
        )  # fmt: skip
        for what, rows, ending in (
            ("All rows with scores", None, "scored"),
            ("Flagged rows", file.summary.flagged_rows, "flagged"),
        ):
            st.download_button(
                f"{what} ({chosen.name})",
                as_format(file, chosen, rows),
                file_name=f"{file.stem}_{ending}{chosen.suffix}",
                mime=chosen.mime,
                on_click="ignore",
                disabled=rows is not None and not len(rows),
            )
        if len(files) > 1:
            st.download_button(
                f"All {len(files)} files with scores ({chosen.name})",
                archive(files, chosen),
                file_name="scored.zip",
                mime="application/zip",
                on_click="ignore",
            )


def _found(detector: Mapping[str, Any], summary: Summary, stem: str) -> None:
    share = summary.n_flagged / summary.n_rows
    first, second, third, fourth = st.columns(4)
    first.metric("Rows", formatting.count(summary.n_rows))
    second.metric("Flagged", f"{formatting.count(summary.n_flagged)} ({formatting.percent(share)})")
    third.metric("Expected of normal rows", formatting.percent(detector["expected"]))
    fourth.metric("With something new", formatting.count(summary.n_novel))
    if summary.drift:
        st.warning("\n\n".join(formatting.escaped(sentence) for sentence in summary.drift))
    for note in summary.notes:
        st.caption(formatting.escaped(note))
    if summary.violations:
        with st.expander(f"Cells that do not fit their column ({formatting.count(sum(summary.broken.values()))})"):
            st.dataframe(summary.violation_table, hide_index=True, height=240)
            st.download_button(
                "These cells (CSV)",
                to_csv_bytes(summary.violation_table),
                file_name=f"{stem}_violations.csv",
                mime="text/csv",
                on_click="ignore",
            )
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        shape = shape_of_columns(detector["columns"])
        highest = _of_kind(summary) if shape is None else _with_pictures(summary.highest, shape, detector["columns"])
        if shape is None and "reason_1" not in highest.scores:
            st.caption("This detector holds no rows to compare with, so it gives no reasons; save it again.")
    with right:
        st.caption(f"Shift since training, per {'column' if shape is None else 'pixel'} and for the score")
        if shape is None:
            fig = plots.shift_bars([*detector["columns"], "anomaly score"], summary.shift, state.is_dark())
        else:
            shifts = shape.of(summary.shift[None, :-1])[0].mean(axis=-1)
            fig = pixel_map(shifts, "stability index", state.is_dark())
            st.caption(f"Stability index of the score: {formatting.fixed(float(summary.shift[-1]))}")
        chart(st, fig, key="score.shift", config=DOWNLOADABLE, theme=None, alt="Stability index of each column")
    st.caption("The highest scoring rows")
    scores = {str(name): column.to_numpy() for name, column in highest.scores.items()}
    shown = beside(scores, highest.cells).set_index(highest.scores.index)
    settings = {"_index": "row", COLUMN: picture_column()}
    row_height = None if shape is None else ROW_HEIGHT
    st.dataframe(shown, height=360, placeholder="", row_height=row_height, column_config=settings)
    rate = round(summary.rows_per_second)
    st.caption(f"{formatting.seconds(summary.seconds)}{f', {formatting.count(rate)} rows/s' if rate else ''}.")


def _of_kind(summary: Summary) -> Highest:
    """The highest scoring rows, those of one kind where that is chosen; the kinds of all flagged rows in words."""
    names = [ALL_KINDS, *(kind.name for kind in summary.kinds)]
    chosen = ALL_KINDS
    if summary.kinds:
        chosen = links.linked(PAGE, st.selectbox, "Show only", "kind", ALL_KINDS, options=names, noun="kind")
        for kind in summary.kinds if chosen == ALL_KINDS else [k for k in summary.kinds if k.name == chosen]:
            st.caption(formatting.escaped(kind.sentence))
    return next((summary.highest.of_kind(kind) for kind in summary.kinds if kind.name == chosen), summary.highest)
