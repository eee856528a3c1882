"""Scoring of a new file: with the present run's detector or an uploaded one, block by block, with a bar."""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from flowlab import formatting
from flowlab.dashboard.detect import downloads, threshold
from flowlab.dashboard.detect import page as detect_page
from flowlab.dashboard.score import history, renewal
from flowlab.dashboard.shell import headline, links, services, state
from flowlab.dashboard.shell.pictures import COLUMN, ROW_HEIGHT, picture_column
from flowlab.dashboard.shell.widgets import DOWNLOADABLE, chart
from flowlab.images.pixels import column_names, shape_of_columns
from flowlab.images.reading import MOST_PIXELS, PictureFile, holds_pictures, pictures_of_table, read_pictures
from flowlab.images.shape import ImageShape
from flowlab.jobs import JobError
from flowlab.jobs.confined import confined
from flowlab.plots import drift as plots
from flowlab.plots.pictures import pixel_map, thumbnail
from flowlab.serving.bundle import DetectorFileError, describe_detector, description, from_bytes
from flowlab.serving.scored_rows import beside
from flowlab.serving.scoring import Highest, Summary, how_far, score_file
from flowlab.store.label import RunLabel
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.feather import FEATHER
from flowlab.tables.limits import TableError
from flowlab.tables.packed import TABLE_SUFFIXES
from flowlab.tables.parquet import PARQUET
from flowlab.tables.read import read_table

PAGE = "score"
PRESENT, UPLOADED = "The present run", "A detector file"
ALL_KINDS = "all kinds"
KINDS = [*TABLE_SUFFIXES, ".zip", ".npz", ".png", ".jpg", ".jpeg"]
LANES = 2
FIRST_PIXEL = column_names(ImageShape(2, 2))[0].encode()
KEPT_SECONDS = 900
"""How long the answer to an uploaded detector file is kept."""


def page() -> None:
    """Which detector, which file, and what came of it; the headline is the present run's only where it scores."""
    headline.draw(PAGE, UPLOADED if state.view(PAGE, "source", PRESENT) == UPLOADED else "")
    left, right = st.columns(2, gap="medium")
    with left:
        detector = _detector()
    with right:
        upload = st.file_uploader("File to score", type=KINDS, key="score.file")
    if detector is None:
        return
    found = _described(detector)
    if isinstance(found, str):
        st.error(formatting.escaped(found))
        return
    _describe(found)
    shape = shape_of_columns(found["columns"])
    own = services.run() if state.view(PAGE, "source", PRESENT) != UPLOADED else None
    if upload is None:
        what = "Choose a file with the same columns"
        if shape is not None:
            what = "Choose a picture, a ZIP or NPZ of pictures, or a table of their pixels"
        st.markdown(f"{what}; it gets a score, percentile, p-value and flag for every row.")
        return
    data = _rows_of_pictures(upload, shape) if shape is not None else upload.getvalue()
    if data is None:
        return
    key = hashlib.sha256(detector + data).hexdigest()[:16]
    done = state.recall("score.done")
    if done is None or done[0] != key:
        if not st.button("Score this file", type="primary"):
            return
        result = _score(detector, data)
        if result is None:
            return
        done = (key, *result)
        state.keep("score.done", done)
        if own is not None:
            history.add(own, detector, data, upload.name, done[1])
    _show(found, done[1], done[2], upload.name)
    renewal.panel(key, detector, own, done[1], upload.getvalue(), upload.name)
    if own is not None:
        history.draw(own, detector)


def _rows_of_pictures(upload: UploadedFile, shape: ImageShape) -> bytes | None:
    """Pictures, or a table of pixels under other names, as a table with the names that the detector knows.

    None where they cannot be read, which is said. Pictures of another size are cut and scaled to that of the detector.
    """
    data = upload.getvalue()
    try:
        if holds_pictures(data):
            side = shape.height if shape.height == shape.width else 0
            settings = {"name": upload.name, "side": side, "as_grey": shape.channels == 1, "to_learn": False}
            found = _read_pictures(
                hashlib.sha256(data).hexdigest(), repr(settings), partial(read_pictures, **settings), data
            )
        elif FIRST_PIXEL in data[:2000] or data.startswith((PARQUET, FEATHER)):
            return data
        else:
            found = pictures_of_table(read_table(data, upload.name, limits=MOST_PIXELS).frame, upload.name)
    except (TableError, JobError, ValueError) as error:
        st.error(formatting.escaped(error))
        return None
    pixels = found.pixels
    if pixels.shape[3] == 1 and shape.channels == 3:
        pixels = pixels.repeat(3, axis=3)
    if pixels.shape[1:] != (shape.height, shape.width, shape.channels):
        here = f"{pixels.shape[1]} x {pixels.shape[2]} pixels"
        st.error(f"These pictures have {here}; the detector has learned {shape.height} x {shape.width}.")
        return None
    st.caption(formatting.escaped(" ".join([found.report.sentence() + ".", *found.report.changes])))
    return to_csv_bytes(replace(found, pixels=pixels).frame())


@st.cache_data(show_spinner="Reading the pictures", max_entries=4, ttl=KEPT_SECONDS)
def _read_pictures(digest: str, settings: str, _read: Callable[[bytes], PictureFile], _data: bytes) -> PictureFile:
    """By a process of its own, see `_uploaded`."""
    return confined(_read, _data)


def _detector() -> bytes | None:
    chosen = links.linked(
        PAGE, st.radio, "Detector", "source", PRESENT, options=(PRESENT, UPLOADED), noun="source", horizontal=True
    )
    if chosen == UPLOADED:
        file = st.file_uploader("Detector file", type=["detector", "zip"], key="score.detector")
        if file is None:
            st.markdown("A detector file comes from the Detect page or from `python -m flowlab train`.")
        return file.getvalue() if file else None
    run = services.run()
    if run is None or not run.is_usable:
        st.markdown(
            f"The present run is not trained yet: [train it]({state.link_to('train')}), or choose a detector file."
        )
        return None
    trained = services.Trained(run)
    scored = detect_page.scored_table(trained)
    chosen = threshold.standing(scored, trained.key)  # as on the Detect page
    return _made(trained.key, repr(chosen), lambda: downloads.detector(scored, trained, chosen))


@st.cache_data(show_spinner="Making the detector", max_entries=8)
def _made(key: str, threshold_text: str, _make: Callable[[], bytes]) -> bytes:
    return _make()


def _described(detector: bytes) -> dict[str, Any] | str:
    """See `describe_detector`, or a sentence that says what is wrong."""
    if state.view(PAGE, "source", PRESENT) != UPLOADED:
        return _own(hashlib.sha256(detector).hexdigest(), detector)
    if not detector.startswith(b"PK"):  # no zip archive: it need not be opened to be refused
        return "This is not a detector file; choose one that FlowLab saved."
    return _uploaded(hashlib.sha256(detector).hexdigest(), detector)


@st.cache_data(show_spinner=False, max_entries=50)
def _own(digest: str, _detector: bytes) -> dict[str, Any] | str:
    try:
        return description(from_bytes(_detector))
    except DetectorFileError as error:
        return str(error)


@st.cache_data(show_spinner="Opening the detector file", max_entries=200, ttl=KEPT_SECONDS)
def _uploaded(digest: str, _detector: bytes) -> dict[str, Any] | str:
    """Found out in a process of its own: this one, which serves everybody, opens nothing that came from outside.

    Refusals are kept too, so that a file that takes long to be refused is not opened at each rerun.
    """
    try:
        return confined(describe_detector, _detector)
    except (DetectorFileError, JobError) as error:
        return str(error)


def _describe(detector: Mapping[str, Any]) -> None:
    label = RunLabel.from_record(detector["label"])
    if label:
        told = [label.name, label.note.replace("\n", " "), f"tags: {label.tags_text}" if label.tags else ""]
        st.markdown(f"**{formatting.escaped(' · '.join(filter(None, told)))}**")
    rows = formatting.plural(detector["training_rows"], "row")
    what = f"{detector['model']} trained on {rows} of {detector['data']}"
    unit = f" ({detector['unit']})" if detector["unit"] else ""
    own = f", or the threshold of their group of {detector['grouped_by']}," if detector["grouped_by"] else ""
    flags = f"rows with a score{unit} of at least {formatting.plain(detector['threshold'])}{own} are flagged"
    rules = "".join(f" Rows are {sentence}." for sentence in detector["flag_rules"])
    story = "".join(f" {detector[part]}." for part in ("left_out", "recalibrated") if detector[part])
    st.markdown(formatting.escaped(f"{what}; {flags}. {detector['sentence']}{rules}{story}"))


def _score(detector: bytes, data: bytes) -> tuple[Summary, bytes] | None:
    bar, began = st.progress(0.0, text="starting"), time.perf_counter()

    def progress(n_rows: int, n_bytes: int) -> None:
        share = min(n_bytes / max(len(data), 1), 1.0)
        bar.progress(share, text=how_far(n_rows, share, time.perf_counter() - began))

    try:
        with tempfile.SpooledTemporaryFile(max_size=64 * 2**20) as sink:
            summary = score_file(detector, io.BytesIO(data), sink, LANES, nice=10, progress=progress)
            sink.seek(0)
            scored = sink.read()
    except (TableError, DetectorFileError, JobError, ValueError) as error:
        bar.empty()
        st.error(formatting.escaped(error))
        return None
    bar.empty()
    return summary, scored


def _with_pictures(highest: Highest, shape: ImageShape, columns: list[str]) -> Highest:
    """The highest rows with their picture first, in place of its pixels."""
    values = highest.cells[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    scores = highest.scores.copy()
    scores.insert(0, COLUMN, [thumbnail(picture) for picture in shape.of(values)])
    return replace(highest, cells=highest.cells.drop(columns=columns), scores=scores)


def _show(detector: Mapping[str, Any], summary: Summary, scored: bytes, name: str) -> None:
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
    stem = name.rsplit(".", 1)[0]
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
    st.download_button(
        "All rows with scores (CSV)", scored, file_name=f"{stem}_scored.csv", mime="text/csv", on_click="ignore"
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
