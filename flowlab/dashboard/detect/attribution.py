"""The flagged rows in the user's own columns, reasons and repair of the chosen one, and the downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.detect import answers, downloads, reasons, what_if
from flowlab.dashboard.shell import links, services, state
from flowlab.dashboard.shell.pictures import COLUMN, HALF_WIDTH, ROW_HEIGHT, draw_sheet, picture_column, thumbnails
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.datasets.dataset import DIVISION, Part
from flowlab.detection.answers import Answer
from flowlab.detection.cost import CostModel
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.explain import RowReasons, not_flagged
from flowlab.explain.novelty import row_novelty
from flowlab.plots import attribution as plots
from flowlab.plots import pictures as picture_plots
from flowlab.serving.scored_rows import beside
from flowlab.tables import workbook
from flowlab.views.pictures import row_sheet

PAGE = "detect"
MAX_SHOWN = 500
MAX_EXPLAINED = 500
PARTS = np.array([*DIVISION, Part.LEFT_OUT], dtype=object)


def table(scored: ScoredTable, trained: services.Trained, threshold: Threshold, cost: CostModel) -> None:
    """Flagged rows, highest score first; beside them the reasons of the chosen row."""
    flagged = scored.flagged(threshold)
    if not len(flagged):
        st.markdown("No row reaches the threshold. Lower it, or choose another rule.")
    rows = flagged[:MAX_SHOWN] if len(flagged) else scored.ranked[:20]
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        if not len(flagged):
            st.caption("The rows that come nearest to it:")
        elif len(flagged) > MAX_SHOWN:
            st.caption(
                f"The {MAX_SHOWN} highest of {formatting.count(len(flagged))} flagged rows; the download has all."
            )
        rows, why = reasons.kinds(scored, trained, rows)
        _select(scored, rows, why, answers.kept(trained, len(scored.scores)).answers, threshold)
        _downloads(scored, trained, flagged, threshold, cost)
    with right:
        row = state.view(PAGE, "row", int(rows[0]))
        _reasons(scored, trained, row if 0 <= row < len(scored.scores) else int(rows[0]), threshold)


def _cells_maker() -> Callable[[], pd.DataFrame | None]:
    """A function that gives the cells of an uploaded table as the file had them, None for other data.

    It is called when somebody downloads, where there is no page to ask for its state.
    """
    store, digest = services.store(), services.table_digest()
    return lambda: store.get_cells(digest) if digest else None


def _select(
    scored: ScoredTable,
    rows: np.ndarray,
    why: Mapping[int, RowReasons],
    answered: Mapping[int, Answer],
    threshold: Threshold,
) -> None:
    frame, of_rows = scored.frame.iloc[rows], scored.scores_of_rows(rows, threshold)
    facts: dict[str, Any] = {
        "row": rows,
        "part": PARTS[scored.dataset.split[rows]],
        "anomaly score": of_rows.score,
        "percentile": of_rows.percentile,
        "p-value": of_rows.p_value,
    }
    if scored.dataset.y is not None:
        facts["labelled"] = np.where(scored.dataset.y[rows] == 1, "anomaly", "normal")
    frame = frame.reset_index(drop=True)
    encoder = scored.dataset.encoder
    if encoder is not None:
        novelty = row_novelty(encoder, frame)
        facts |= {"new": novelty} if novelty.any() else {}
    if any(int(row) in answered for row in rows):
        given = [answered.get(int(row)) for row in rows]
        facts["answer"] = [f"{a.word}{f': {a.note}' if a.note else ''}" if a else "" for a in given]
    if why:
        facts["reason"] = ["; ".join(why[int(row)].sentences) for row in rows]
    if scored.dataset.image_shape is not None:
        facts = {COLUMN: thumbnails(scored.dataset, rows), **facts}
        frame = frame.drop(columns=[c for c in frame if c in scored.dataset.columns])
    widget = state.widget_key(PAGE, "rows")

    def choose() -> None:
        picked = state.widget_value(widget)["selection"]["rows"]
        if picked:
            state.set_view(PAGE, row=int(rows[picked[0]]))

    st.dataframe(
        beside(facts, frame),
        height=400,
        hide_index=True,
        key=widget,
        on_select=choose,
        selection_mode="single-row",
        placeholder="",
        row_height=ROW_HEIGHT if scored.dataset.image_shape is not None else None,
        column_config={
            COLUMN: picture_column(),
            "row": st.column_config.NumberColumn(format="%d", help="Row number of the table, the first is 0"),
            "anomaly score": st.column_config.NumberColumn(format="%.4g"),
            "percentile": st.column_config.NumberColumn(
                format="%.2f", help="Share of the other validation rows that score lower"
            ),
            "p-value": st.column_config.NumberColumn(
                format="%.4f",
                help="Share of normal validation rows that score as high, itself counted: smallest 1/(n+1). "
                "Where its group has its own threshold, of the group's rows. Empty for rows that the model was fitted "
                "to, which score lower than new ones, and for all rows where nothing can be promised of new rows.",
            ),
        },
    )


def _reasons(scored: ScoredTable, trained: services.Trained, row: int, threshold: Threshold) -> None:
    score, is_flagged = float(scored.scores[row]), bool(scored.flags(threshold)[row])
    flagged = "flagged" if is_flagged else "not flagged"
    st.markdown(f"**Row {formatting.count(row)}** · score {formatting.plain(score)} · {flagged}")
    if scored.dataset.image_shape is not None:
        _picture(scored, trained, row)
        what_if.painter(scored, trained, row, threshold)
        return
    try:
        explanation = trained.view(views.reasons, row=int(row))
    except RuntimeError as error:
        st.warning(formatting.escaped(error))
        return
    sentence = explanation.sentence if is_flagged else not_flagged(score, scored.border(threshold, row))
    st.markdown(formatting.escaped(sentence))
    in_nats = catalog.make_model(state.spec().model).is_density or scored.level_calibration is not None
    unit = "nats" if in_nats else "units of the score"
    fig = plots.reasons_bars(explanation.reasons, unit, state.is_dark(), n_shown=6)
    chart(st, fig, key="detect.reasons", config=DOWNLOADABLE, theme=None, alt=sentence)
    shown = [(reason.name, reason.told, reason.usual) for reason in explanation.reasons[:6]]
    st.dataframe(pd.DataFrame(shown, columns=["column", "value", "usual"]), hide_index=True)
    st.caption(
        "Usual: the range in which about 80 % of rows like this one lie, or their commonest categories, by the 24 "
        "training rows that resemble it most in all other columns."
    )
    _repair(trained, row, scored.border(threshold, row))
    what_if.editor(scored, trained, row, threshold)
    with st.expander("Most similar training rows"):
        st.dataframe(scored.frame.iloc[list(explanation.similar)], placeholder="", column_config={"_index": "row"})


def _picture(scored: ScoredTable, trained: services.Trained, row: int) -> None:
    """The chosen picture, what each pixel adds to its score, and the training rows like it; columns say little here."""
    dataset = scored.dataset
    left, right = st.columns([1, 1.5], gap="small")
    name = dataset.class_names[dataset.classes[row]] if dataset.classes is not None and dataset.class_names else ""
    told = f"Row {row}{f', {name}' if name else ''}"
    draw_sheet(row_sheet(dataset, np.array([row]), [name]), "detect.picture", told, 160, 170, where=left)
    try:
        found = trained.view(views.pixel_contributions, row=int(row))
    except (RuntimeError, ValueError) as error:
        right.caption(formatting.escaped(error))
        return
    unit = "nats" if catalog.make_model(state.spec().model).is_density else "score"
    fig = picture_plots.pixel_map(found.contributions, unit, state.is_dark(), 245)
    chart(right, fig, key="detect.pixels", config=DOWNLOADABLE, theme=None, alt="What each pixel adds to the score")
    st.caption(
        "Right: how far the anomaly score falls when a pixel gets the value it has in pictures like this one. Below: "
        "the training rows that resemble it most."
    )
    similar = row_sheet(dataset, found.similar[:14])
    draw_sheet(similar, "detect.similar", "The most similar training rows", 44, HALF_WIDTH)


def _repair(trained: services.Trained, row: int, threshold: float) -> None:
    wanted = links.linked(
        PAGE,
        st.toggle,
        "Repair this row",
        "repair",
        False,
        help="The smallest set of edits found that brings its score below the threshold",
    )
    if not wanted:
        return
    try:
        counterfactual = trained.view(views.repaired, row=int(row), threshold=threshold)
    except RuntimeError as error:
        st.warning(formatting.escaped(error))
        return
    st.markdown(formatting.escaped(counterfactual.sentence))


def _downloads(
    scored: ScoredTable, trained: services.Trained, flagged: np.ndarray, threshold: Threshold, cost: CostModel
) -> None:
    name = "".join(c if c.isalnum() else "_" for c in (scored.dataset.name or "rows"))[:40]
    n_explained = MAX_EXPLAINED if scored.dataset.image_shape is None else 0  # a pixel by its name is no reason
    ask, cells = reasons.asker(trained, flagged[:n_explained]), _cells_maker()
    too_many = len(scored.scores) > workbook.MAX_ROWS
    formats = [each for each in downloads.FORMATS if not (too_many and each.suffix == ".xlsx")]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Format", formats, format_func=lambda each: each.name, key="detect.format", width=150, help=downloads.HELP,
            persist_state="session",
        )  # fmt: skip
        for which, rows in (("All", None), ("Flagged", np.sort(flagged))):
            st.download_button(
                f"{which} rows ({chosen.name})",
                downloads.rows_maker(chosen, scored, threshold, ask, cells, rows),
                file_name=f"{name}_{'scored' if rows is None else 'flagged'}{chosen.suffix}",
                mime=chosen.mime,
                on_click="ignore",
                disabled=rows is not None and not len(rows),
                help="Original columns, then score, percentile, p-value, flag and novelty, and reasons of the flagged "
                "rows",
            )
        st.download_button(
            "Detector",
            lambda: downloads.detector(scored, trained, threshold, trained.run.label),
            file_name=f"{name}.detector",
            mime="application/zip",
            on_click="ignore",
            help="Model, encoder and threshold in one file, for the Score page and for python -m flowlab score",
        )
        st.download_button(
            "Python",
            downloads.script(threshold),
            file_name=f"{name}.py",
            mime="text/x-python",
            on_click="ignore",
            help="A program that reproduces this run and its threshold with the library alone, to the same weights",
        )
        for ending, mime in (("HTML", "text/html"), ("Markdown", "text/markdown")):
            is_markdown = ending == "Markdown"
            st.download_button(
                f"Report ({ending})",
                downloads.report_maker(scored, trained, threshold, ask, cost, is_markdown),
                file_name=f"{name}_report.{'md' if is_markdown else 'html'}",
                mime=mime,
                on_click="ignore",
                help="What the threshold means and does, costs, drift, columns, settings and versions, in one file"
                + ("" if is_markdown else ", with pictures"),
            )
