"""The files that a run's detector scored, a line for each, and whether its promised share of flagged rows holds."""

from __future__ import annotations

import contextlib
import datetime
import hashlib

import pandas as pd
import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import services
from flowlab.detection.monitor import Monitor
from flowlab.serving.bundle import DetectorFileError, from_bytes
from flowlab.serving.scoring import Summary
from flowlab.serving.watch import Watched, begin, from_record, to_record, watched
from flowlab.store.reading import Run

NAME = "watched"
MAX_LINES = 1000


def add(run: Run, detector: bytes, data: bytes, name: str, summary: Summary) -> None:
    """Add a scored file to the history that is kept with the run; a file that is there already counts once."""
    lines, of = read(run), hashlib.sha256(detector).hexdigest()[:16]
    own = [line for line in lines if line.detector == of]
    digest = hashlib.sha256(data).hexdigest()[:16]
    if any(line.digest == digest for line in own):
        return
    bundle = from_bytes(detector)
    try:
        monitor = Monitor.from_record(own[-1].monitor) if own else begin(bundle)
    except DetectorFileError:
        return
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    _, line = watched(monitor, bundle, summary, name, digest, of, when)
    services.store().put_json(run.run_id, NAME, [to_record(each) for each in [*lines, line][-MAX_LINES:]])


def read(run: Run) -> list[Watched]:
    """The history of a run, oldest first; lines that cannot be read are passed over."""
    kept, lines = run.extra(NAME), []
    for record in kept if isinstance(kept, list) else []:
        with contextlib.suppress(ValueError):
            lines.append(from_record(record))
    return lines


def draw(run: Run, detector: bytes) -> None:
    """A line for each file that this detector, with this threshold, scored, and what the monitor says."""
    of = hashlib.sha256(detector).hexdigest()[:16]
    lines = [line for line in read(run) if line.detector == of]
    if not lines:
        return
    with st.expander(f"Files scored so far ({len(lines)})", expanded=len(lines) > 1):
        monitor = Monitor.from_record(lines[-1].monitor)
        show = st.warning if monitor.is_broken else st.markdown
        show(formatting.escaped(monitor.sentence))
        st.dataframe(
            pd.DataFrame(
                {
                    "file": [line.file for line in lines],
                    "scored": [line.when[:16].replace("T", " ") for line in lines],
                    "rows": [line.rows for line in lines],
                    "flagged": [formatting.percent(line.flagged / line.rows) for line in lines],
                    "with something new": [line.novel for line in lines],
                    "cells that do not fit": [line.violations for line in lines],
                    "shift of the score": [line.shift["anomaly score"] for line in lines],
                    "drift": [" ".join(line.drift) for line in lines],
                }
            ),
            hide_index=True,
        )
