"""Scoring of new files: with the present run's detector or an uploaded one, block by block, with a bar."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from flowlab import formatting
from flowlab.dashboard.detect import downloads, threshold
from flowlab.dashboard.detect import page as detect_page
from flowlab.dashboard.score import history, renewal, result
from flowlab.dashboard.score.files import Scored, score
from flowlab.dashboard.shell import headline, links, services, state
from flowlab.images.pixels import column_names, shape_of_columns
from flowlab.images.reading import MOST_PIXELS, PictureFile, holds_pictures, pictures_of_table, read_pictures
from flowlab.images.shape import ImageShape
from flowlab.jobs import JobError
from flowlab.jobs.confined import confined
from flowlab.serving.bundle import DetectorFileError, describe_detector, description, from_bytes
from flowlab.store.label import RunLabel
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.feather import FEATHER
from flowlab.tables.limits import TableError
from flowlab.tables.parquet import PARQUET
from flowlab.tables.read import read_table

PAGE = "score"
PRESENT, UPLOADED = "The present run", "A detector file"
KINDS = (
    "CSV, TSV, gzip or ZIP of them, .xlsx, .xls, .ods, JSON records, Parquet, Feather; pictures: PNG, JPEG, ZIP, NPZ"
)
FIRST_PIXEL = column_names(ImageShape(2, 2))[0].encode()
KEPT_SECONDS = 900
"""How long the answer to an uploaded detector file is kept."""


def page() -> None:
    """Which detector, which files, and what came of them; the headline is the present run's only where it scores."""
    headline.draw(PAGE, UPLOADED if state.view(PAGE, "source", PRESENT) == UPLOADED else "")
    left, right = st.columns(2, gap="medium")
    with left:
        detector = _detector()
    with right:
        uploads = st.file_uploader("Files to score", key="score.file", accept_multiple_files=True)
        st.caption(KINDS)
    if detector is None:
        return
    found = _described(detector)
    if isinstance(found, str):
        st.error(formatting.escaped(found))
        return
    _describe(found)
    shape = shape_of_columns(found["columns"])
    own = services.run() if state.view(PAGE, "source", PRESENT) != UPLOADED else None
    if not uploads:
        what = "Choose a file with the same columns, or several"
        if shape is not None:
            what = "Choose a picture, a ZIP or NPZ of pictures, or a table of their pixels"
        st.markdown(f"{what}; every row gets a score, percentile, p-value and flag.")
        return
    data = {upload.file_id: _rows_of_pictures(upload, shape) if shape else upload.getvalue() for upload in uploads}
    files = {upload.file_id: (upload.name, rows) for upload in uploads if (rows := data[upload.file_id]) is not None}
    done, trouble = _done(detector, files)
    for key, sentence in trouble.items():
        name = f"{files[key][0]}: " if len(files) > 1 else ""
        st.error(formatting.escaped(f"{name}{sentence}"))
    if scored := {key: done[key] for key in files if key in done}:
        shown = result.show(found, scored)
        (upload,) = (upload for upload in uploads if upload.file_id == shown)
        version = hashlib.sha256(detector + shown.encode()).hexdigest()
        renewal.panel(version, detector, own, scored[shown].summary, upload.getvalue(), upload.name)
    if own is not None and done:
        history.draw(own, detector)


def _done(detector: bytes, files: Mapping[str, tuple[str, bytes]]) -> tuple[Mapping[str, Scored], Mapping[str, str]]:
    """The files that are scored, those of now included where the button is pressed; what went wrong with others."""
    of = hashlib.sha256(detector).hexdigest()
    kept, done, trouble = state.recall("score.done", ("", {}, {}))
    done = {key: done[key] for key in files if key in done and kept == of}
    trouble = {key: trouble[key] for key in files if key in trouble and kept == of}
    left = {key: file for key, file in files.items() if key not in done}
    button = st.empty()
    which = "this file" if len(left) == 1 else f"these {len(left)} files"
    if left and button.button(f"Score {which}", type="primary"):
        more, trouble = score(detector, left)
        done |= more
        state.keep("score.done", (of, done, trouble))
        own = services.run() if state.view(PAGE, "source", PRESENT) != UPLOADED else None
        if own is not None:
            for key, scored in more.items():
                history.add(own, detector, files[key][1], scored.name, scored.summary)
        if not trouble:
            button.empty()
    return done, trouble


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
