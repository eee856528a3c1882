"""What a detector saw, file after file: a line of history for each, and whether the promised share still holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flowlab.detection.monitor import ERROR, Monitor, promised_share
from flowlab.formatting import count, plural, short_percent
from flowlab.serving.bundle import DetectorBundle, DetectorFileError
from flowlab.serving.scoring import Summary


@dataclass(frozen=True)
class Watched:
    """A scored file in the history of a detector.

    Attributes
    ----------
    file, digest, detector : the file's name, and what names its content and the detector's
    when : when it was scored, ISO 8601
    rows, flagged, novel : numbers of rows
    violations : cells that did not fit their column
    shift : stability index of each feature that shifted most, and of the score, by name
    drift : what was said of drift
    monitor : the monitor's state after this file
    """

    file: str
    digest: str
    detector: str
    when: str
    rows: int
    flagged: int
    novel: int
    violations: int
    shift: dict[str, float]
    drift: tuple[str, ...]
    monitor: dict[str, Any]

    @property
    def line(self) -> str:
        """The file in a line."""
        parts = [
            plural(self.rows, "row"),
            f"{count(self.flagged)} flagged ({short_percent(self.flagged / self.rows)})",
        ]
        parts += [f"{count(self.novel)} with something new"] if self.novel else []
        parts += [plural(self.violations, "cell that does not fit", "cells that do not fit")] if self.violations else []
        return f"{self.file}: {', '.join(parts)}"

    def to_json(self) -> str:
        """The line of the history file."""
        return json.dumps(to_record(self), sort_keys=True)


def begin(detector: DetectorBundle, error: float = ERROR) -> Monitor:
    """A monitor of the share of rows that a detector flags; DetectorFileError where its file tells no held-out rows.

    The promise is the upper 95 % confidence bound of that share, from the rows that the threshold was chosen on.
    """
    rows = int(detector.facts.get("validation_rows", 0))
    if rows < 1:
        raise DetectorFileError("This detector file tells of no held-out rows, so it promises no share; save it again.")
    return Monitor(min(promised_share(rows, int(detector.facts["validation_flagged"])), 0.999), error)


def watched(
    monitor: Monitor, detector: DetectorBundle, summary: Summary, file: str, digest: str, of: str, when: str
) -> tuple[Monitor, Watched]:
    """The monitor after a scored file, and the file's line of history; `of` names the detector."""
    flagged = np.zeros(summary.n_rows, bool)
    flagged[summary.flagged_rows] = True
    monitor = monitor.seen(flagged)
    names = [*detector.columns, "anomaly score"]
    top = np.argsort(-summary.shift, kind="stable")[:5]
    shift = {names[j]: round(float(summary.shift[j]), 4) for j in sorted({*top.tolist(), len(names) - 1})}
    line = Watched(
        file, digest, of, when, summary.n_rows, summary.n_flagged, summary.n_novel, sum(summary.broken.values()), shift,
        summary.drift, monitor.to_record(),
    )  # fmt: skip
    return monitor, line


def read_history(lines: Iterable[bytes]) -> list[Watched]:
    """The lines of a history file; ValueError, one sentence, where one is none."""
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(from_record(json.loads(line)))
        except ValueError as error:
            raise ValueError(f"line {number} of the history cannot be read; give another --history") from error
    return found


def to_record(line: Watched) -> dict[str, Any]:
    """A line of history as JSON."""
    return asdict(line)


def from_record(record: Mapping[str, Any]) -> Watched:
    """What `to_record` gave; ValueError for anything else."""
    try:
        line = Watched(**{**record, "drift": tuple(record["drift"])})
        Monitor.from_record(line.monitor)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a line of the history cannot be read ({error}); begin a new one") from error
    return line
