"""Where data come from: galleries of toy densities and of pictures, tables that are here, a file, a drawing."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from flowlab import catalog, formatting
from flowlab.catalog.data import DRAWN, IMAGES, TOYS, UPLOADED
from flowlab.dashboard.canvas.paint import paint_view
from flowlab.dashboard.shell import links, pages, services, state
from flowlab.dashboard.shell.run_status import act_button, say_trouble
from flowlab.datasets import drawing
from flowlab.datasets.dataset import Dataset
from flowlab.images.pixels import as_bytes, shape_of_columns
from flowlab.images.reading import (
    FILE,
    LABEL,
    MOST_PIXELS,
    PictureReport,
    holds_pictures,
    pictures_of_table,
    read_pictures,
)
from flowlab.jobs import JobError
from flowlab.jobs.confined import confined
from flowlab.plots import table as plots
from flowlab.records import RunSpec, Spec
from flowlab.tables.dialect import DELIMITERS
from flowlab.tables.filetype import ENCODINGS, codec_of
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import ReadReport, column_readings, read_table
from flowlab.tables.schema import KINDS
from flowlab.views.density import tile_log_density

PAGE = pages.settings("data")
"""Prefix of this page's view settings in the link; "data." belongs to the parameters of the data."""
ACROSS = 8
TABLES = "Tables that are here"
SOURCES = (TOYS, TABLES, IMAGES, UPLOADED, DRAWN)
SHORT = {
    "eight_gaussians": "8 Gaussians",
    "gaussian": "Gaussian",
    "clump_1d": "Clump, 1-D",
    "clump_2d": "Clump, 2-D",
    "sine": "Sine",
    "checkerboard": "Checkers",
}
"""Labels that fit under a small picture."""
LABELS = {
    TOYS: "Toy densities", TABLES: "Example tables", IMAGES: "Images", UPLOADED: "Your own file", DRAWN: "Draw",
}  # fmt: skip
AS_THEY_ARE = "as they are"
SIZES = (AS_THEY_ARE, "8 x 8", "16 x 16", "28 x 28", "32 x 32")
EMBEDDINGS = (
    "Embeddings of pictures, made elsewhere, are a table: a row for each picture, a column for each number. Upload "
    "them as CSV or Parquet."
)


def choose() -> bool:
    """The sources, and what the chosen one needs; whether the present data come from it."""
    group = catalog.DATASETS[state.spec().data.name].group
    present = group if group in SOURCES else TABLES
    source = links.segmented(PAGE, "Source", list(SOURCES), "source", present, LABELS.__getitem__)
    {TOYS: _gallery, TABLES: _tables, IMAGES: _images, UPLOADED: _upload, DRAWN: _draw}[source]()
    return source == present


def _take(data: Spec) -> None:
    """Look at other data from now on; the view settings of the old ones are forgotten."""
    old = state.spec()
    if data.name != old.data.name or data.params:
        state.show(RunSpec(data, old.model, old.seed))
    state.set_view(PAGE, source=None, tab=None, x=None, y=None, part=None, over=None)
    st.rerun()


def _gallery() -> None:
    entries = [entry for entry in catalog.DATASETS.values() if entry.group == TOYS]
    chosen = state.spec().data.name
    for start in range(0, len(entries), ACROSS):
        columns = st.columns(ACROSS, gap="small")
        for column, entry in zip(columns, entries[start : start + ACROSS]):
            with column:
                st.image(_tile(entry.name, state.is_dark()), width="stretch", alt=f"{entry.label}: {entry.blurb}")
                kind: Literal["primary", "secondary"] = "primary" if entry.name == chosen else "secondary"
                label = SHORT.get(entry.name, entry.label)
                if st.button(label, key=f"data.toy.{entry.name}", type=kind, help=entry.blurb, width="stretch"):
                    _take(Spec(entry.name))


@st.cache_data(show_spinner=False)
def _tile(name: str, dark: bool) -> np.ndarray:
    """A small picture of a toy density."""
    return plots.density_tile(tile_log_density(_toy(name)), dark)


def _toy(name: str) -> Dataset:
    return catalog.make_dataset(Spec(name, {"n_samples": 2000}))


def _tables() -> None:
    entries = [e for e in catalog.DATASETS.values() if e.group not in (TOYS, IMAGES, UPLOADED, DRAWN)]
    chosen = state.spec().data.name
    columns = st.columns(len(entries), gap="small")
    for column, entry in zip(columns, entries):
        kind: Literal["primary", "secondary"] = "primary" if entry.name == chosen else "secondary"
        if column.button(
            entry.label,
            key=f"data.table.{entry.name}",
            type=kind,
            help=formatting.escaped(entry.blurb),
            width="stretch",
        ):
            _take(Spec(entry.name))
    blurb = next((entry.blurb for entry in entries if entry.name == chosen), "")
    st.caption(
        formatting.escaped(blurb or "Real tables with one class as the anomaly, and two simulated after the lectures.")
    )


def _images() -> None:
    entries = [entry for entry in catalog.DATASETS.values() if entry.group == IMAGES]
    chosen = state.spec().data.name
    for column, entry in zip(st.columns(len(entries), gap="small", vertical_alignment="bottom"), entries):
        with column:
            if not entry.needs_network:
                st.image(_mosaic(entry.name), width="stretch", alt=f"{entry.label}: {entry.blurb}")
            kind: Literal["primary", "secondary"] = "primary" if entry.name == chosen else "secondary"
            help = formatting.escaped(entry.blurb)
            if st.button(entry.label, key=f"data.images.{entry.name}", type=kind, help=help, width="stretch"):
                _take(Spec(entry.name))
    blurb = next((entry.blurb for entry in entries if entry.name == chosen), "")
    st.caption(
        formatting.escaped(blurb or "Small pictures: some inside, which are learned, others outside, as anomalies.")
    )


@st.cache_data(show_spinner=False)
def _mosaic(name: str) -> np.ndarray:
    """Some pictures of a set as one, pixels repeated."""
    dataset = catalog.make_dataset(Spec(name, {} if name == "digit_images" else {"n_images": 200}))
    pictures = dataset.pictures(dataset.X[np.linspace(0, len(dataset) - 1, 24).astype(int)])
    rows = [np.concatenate(list(pictures[i : i + 8]), axis=1) for i in (0, 8, 16)]
    mosaic = as_bytes(np.concatenate(rows)).repeat(6, axis=0).repeat(6, axis=1)
    return mosaic if mosaic.shape[2] == 3 else mosaic[..., 0]


def _upload() -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with right.expander("Read it differently"):
        missing = st.text_input(
            "Further codes for missing values", key="data.codes", placeholder="-999, unknown", persist_state="session"
        )
        decimal = st.selectbox(
            "Decimal sign", ["found out", "point", "comma"], key="data.decimal", persist_state="session"
        )
        header = st.selectbox(
            "First line", ["found out", "column names", "data"], key="data.header", persist_state="session"
        )
        delimiter = st.selectbox(
            "Delimiter", ["found out", *DELIMITERS.values()], key="data.delimiter", persist_state="session"
        )
        encoding = st.selectbox(
            "Encoding", ["found out", "UTF-8", *ENCODINGS.values()], key="data.encoding", persist_state="session"
        )
        columns = st.text_input(
            "Types of columns",
            key="data.types",
            placeholder="zip=text, when=%d/%m/%Y",
            help=f"A column's name, =, and {', '.join(KINDS)}, or how its dates are written.",
            persist_state="session",
        )
        size = st.selectbox(
            "Size of pictures", SIZES, key="data.size", persist_state="session",
            help="Pictures are cut to a square and scaled; at most 4 096 numbers a picture are learned.",
        )  # fmt: skip
        as_grey = st.toggle("Pictures in grey", key="data.grey", persist_state="session")
        rows_are_pictures = st.toggle(
            "Rows of the table are pictures", key="data.pixels", persist_state="session",
            help="A column for each pixel, left to right and top to bottom; a column named label is the class.",
        )  # fmt: skip
    files = left.file_uploader(
        "CSV, TSV, gzip or ZIP of them, .xlsx, .xls, .ods, JSON records, Parquet, Feather; pictures as a ZIP or NPZ",
        key=state.widget_key("data.file"),
        accept_multiple_files=True,
        help="It is read once and kept as Parquet on this server; who has the link can open it. Several files with the "
        "same columns are stacked.",
    )
    file = files[0] if len(files) == 1 else None
    if file is not None and holds_pictures(file.getvalue()):
        side = 0 if size == AS_THEY_ARE else int(size.split()[0])
        _read_pictures(file, side, as_grey)
    elif files:
        options = {
            "missing_codes": [code.strip() for code in missing.split(",") if code.strip()],
            "decimal": {"point": ".", "comma": ","}.get(decimal),
            "header": {"column names": True, "data": False}.get(header),
            "delimiter": {name: sign for sign, name in DELIMITERS.items()}.get(delimiter),
            "encoding": None if encoding == "found out" else codec_of(encoding),
        }
        _read(files, options, [pair.strip() for pair in columns.split(",") if pair.strip()], rows_are_pictures, as_grey)
    _report()
    st.caption(EMBEDDINGS)


def _read(
    files: Sequence[UploadedFile], options: dict, columns: list[str], rows_are_pictures: bool, as_grey: bool
) -> None:
    """Read and store an uploaded table, or several as one; afterwards nothing of their bytes is kept."""
    name = files[0].name + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    data = {_name_of(files, i): file.getvalue() for i, file in enumerate(files)}
    limits = MOST_PIXELS if rows_are_pictures else Limits()
    try:
        table = read_table(data, name, limits=limits, **options, **column_readings(columns))
        if rows_are_pictures or shape_of_columns([n for n in table.frame if n not in (FILE, LABEL)]) is not None:
            found = pictures_of_table(table.frame, name, table.report.n_bytes, as_grey)
            digest = services.store().put_table(found.frame(), found.report.to_json(), owner=state.visitor())
            kind = "pictures"
        else:
            cells = None if table.text is None else table.text.frame()
            digest = services.store().put_table(table.frame, table.report.to_json(), cells, state.visitor())
            kind = "upload"
    except (TableError, RuntimeError, ValueError) as error:
        st.error(formatting.escaped(error))
        return
    del data
    _show_upload(kind, digest, name)


def _name_of(files: Sequence[UploadedFile], i: int) -> str:
    """The name of a file; one that an earlier file has gets its number."""
    name = files[i].name
    return f"{name} ({i + 1})" if any(earlier.name == name for earlier in files[:i]) else name


def _read_pictures(file: UploadedFile, side: int, as_grey: bool) -> None:
    """Read and store uploaded pictures. They are decoded by a process of its own: this one serves everybody."""
    read = partial(read_pictures, name=file.name, side=side, as_grey=as_grey)
    try:
        with st.spinner("Reading the pictures"):
            found = confined(read, file.getvalue())
        digest = services.store().put_table(found.frame(), found.report.to_json(), owner=state.visitor())
    except (TableError, JobError, RuntimeError, ValueError) as error:
        st.error(formatting.escaped(error))
        return
    _show_upload("pictures", digest, file.name)


def _show_upload(kind: str, digest: str, name: str) -> None:
    """Look at what was uploaded from now on."""
    old = state.spec()
    state.show(RunSpec(Spec(kind, {"digest": digest, "name": name.rsplit("/")[-1][:80]}), old.model, old.seed))
    state.set_view(PAGE, source=None, tab=None, x=None, y=None, part=None, over=None)
    st.rerun()


def _report() -> None:
    if catalog.DATASETS[state.spec().data.name].group != UPLOADED:
        st.markdown("Here the file you upload is read, checked and shown; every decision can be changed.")
        return
    if state.spec().data.name == "pictures":
        _picture_report()
        return
    try:
        report = ReadReport.from_json(services.store().table_story(services.table_digest()))
    except ValueError:
        return  # a table of a time before stories were kept, or none
    st.markdown(formatting.escaped(report.sentence()))
    if report.warnings:
        st.warning("\n".join(f"- {formatting.escaped(w)}" for w in report.warnings[:12]))
    if report.changes:
        with st.expander(f"What was changed while reading ({len(report.changes)})"):
            st.markdown("\n".join(f"- {formatting.escaped(c)}" for c in report.changes[:200]))
    _deletion(services.table_digest())


def _deletion(digest: str) -> None:
    """The way to have an uploaded table forgotten, for who uploaded it."""
    if services.store().table_owner(digest) == state.visitor() != "":
        with st.popover("Delete"):
            st.caption("The table, all runs trained on it, and what was made from them, for everybody with the link.")
            act_button("Delete this table and everything made from it", "data", _delete, (digest,))
    say_trouble()


def _delete(digest: str) -> None:
    services.runner().remove_table(digest, state.visitor())
    state.show(catalog.DEFAULT)


def _picture_report() -> None:
    try:
        report = PictureReport.from_json(services.store().table_story(services.table_digest()))
    except ValueError:
        return  # none is kept here
    st.markdown(formatting.escaped(report.sentence()))
    for change in report.changes:
        st.caption(formatting.escaped(change))
    _deletion(services.table_digest())


def stored_table() -> pd.DataFrame | None:
    """The uploaded table of the present link, or None if this server does not hold it."""
    try:
        return services.table()
    except (ValueError, RuntimeError):
        return None


def _draw() -> None:
    spec = state.spec().data
    points = labels = None
    if spec.name == "drawing":
        with contextlib.suppress(ValueError):
            points, labels = drawing.points_from_text(str(spec.params.get("points", drawing.EXAMPLE)))
    left, right = st.columns([1, 1], gap="large")
    low, high = drawing.WINDOW
    with left:
        xy, kinds = paint_view("data.paint", (low, high, low, high), points, labels)
    with right:
        st.markdown(
            f"Paint normal points and, with the second brush, anomalies. {formatting.plural(len(xy), 'point')} drawn; "
            "each stands for a small cloud."
        )
        if st.button("Use this drawing", type="primary", disabled=len(xy) < 5, key="data.drawn"):
            _use_drawing(xy, kinds)


def _use_drawing(xy: np.ndarray, kinds: np.ndarray) -> None:
    if len(xy) > drawing.MAX_POINTS:  # thin evenly; every painted anomaly stays as far as it fits
        order = np.argsort(-kinds.astype(int), kind="stable")
        kept = np.sort(order[np.unique(np.linspace(0, len(order) - 1, drawing.MAX_POINTS).astype(int))])
        xy, kinds = xy[kept], kinds[kept]
    _take(Spec("drawing", {"points": drawing.points_to_text(xy, kinds)}))
