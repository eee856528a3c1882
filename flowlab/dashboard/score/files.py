"""Several files scored by one detector, one after the other, and each as a file to take away."""

from __future__ import annotations

import io
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from flowlab import formatting
from flowlab.dashboard.detect.downloads import MAX_CELLS, WORKBOOK_SECONDS, Format
from flowlab.jobs import JobError
from flowlab.jobs.confined import confined
from flowlab.jobs.pool import pool
from flowlab.serving.bundle import DetectorFileError
from flowlab.serving.scored_file import write_scored
from flowlab.serving.scoring import Summary, how_far, score_file
from flowlab.tables.limits import TableError
from flowlab.tables.schema import ColumnSchema

LANES = 2


@dataclass(frozen=True, eq=False)
class Scored:
    """A file with what was found in it, and its rows with their scores: CSV, kept compressed."""

    name: str
    summary: Summary
    compressed: bytes

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rsplit(".", 1)[0]


def score(detector: bytes, files: Mapping[str, tuple[str, bytes]]) -> tuple[dict[str, Scored], dict[str, str]]:
    """Score files, each a name and its content, behind a bar: what was scored, and one sentence for each that was not.

    Both by the keys of `files`.
    """
    found: dict[str, Scored] = {}
    trouble: dict[str, str] = {}
    bar = st.progress(0.0, text="starting")
    try:
        with pool(LANES, nice=10) as workers:
            for i, (key, (name, data)) in enumerate(files.items()):
                which = f"{formatting.escaped(name)} ({i + 1} of {len(files)}): " if len(files) > 1 else ""
                try:
                    found[key] = _score(detector, name, data, workers, partial(_say, bar, which))
                except (TableError, DetectorFileError, ValueError) as error:
                    trouble[key] = str(error)
    except JobError as error:  # a worker was lost, and all of them with it
        trouble |= {key: str(error) for key in files if key not in found}
    bar.empty()
    return found, trouble


def _say(bar: DeltaGenerator, which: str, share: float, text: str) -> None:
    bar.progress(share, which + text)


def _score(detector: bytes, name: str, data: bytes, workers: Callable, say: Callable[[float, str], object]) -> Scored:
    began = time.perf_counter()

    def progress(n_rows: int, n_bytes: int) -> None:
        share = min(n_bytes / max(len(data), 1), 1.0)
        say(share, how_far(n_rows, share, time.perf_counter() - began))

    with tempfile.SpooledTemporaryFile(max_size=64 * 2**20) as sink:
        summary = score_file(detector, io.BytesIO(data), sink, progress=progress, workers=workers)
        sink.seek(0)
        return Scored(name, summary, zlib.compress(sink.read(), 1))


def as_format(file: Scored, format: Format, rows: np.ndarray | None = None) -> Callable[[], bytes]:
    """A function that gives the scored file in a format, or some of its rows by number."""

    def make() -> bytes:
        csv = zlib.decompress(file.compressed)
        if format.suffix == ".csv" and rows is None:
            return csv
        convert = partial(_converted, columns=file.summary.columns, format=format.suffix[1:], rows=rows)
        n_rows = file.summary.n_rows if rows is None else len(rows)
        if n_rows * len(file.summary.columns) < MAX_CELLS:
            return convert(csv)
        return confined(convert, csv, seconds=WORKBOOK_SECONDS)

    return make


def _converted(csv: bytes, columns: Mapping[str, ColumnSchema | None], format: str, rows: np.ndarray | None) -> bytes:
    sink = io.BytesIO()
    write_scored(io.BytesIO(csv), columns, sink, format, rows)
    return sink.getvalue()


def archive(files: Sequence[Scored], format: Format) -> Callable[[], bytes]:
    """A function that gives all scored files as a ZIP; of two with one name the second gets a number."""

    def make() -> bytes:
        sink, names = io.BytesIO(), [file.stem for file in files]
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
            for i, file in enumerate(files):
                number = f"_{i + 1}" if names[i] in names[:i] else ""
                zipped.writestr(f"{names[i]}_scored{number}{format.suffix}", as_format(file, format)())
        return sink.getvalue()

    return make
