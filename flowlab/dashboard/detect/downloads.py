"""Downloads of the Detect page: rows, the detector in one file, and the report, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlab import catalog
from flowlab.dashboard.shell import headline, services, state
from flowlab.datasets.dataset import Part
from flowlab.detection.cost import CostModel
from flowlab.detection.metrics import score_bins
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.jobs.confined import confined
from flowlab.plots import threshold as plots
from flowlab.plots.html import figures_html
from flowlab.plots.score_axis import ScoreAxis, bin_edges
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.report import MAX_ROWS, detection_report
from flowlab.serving.scored_rows import Reasons, scored_rows, to_csv, to_parquet
from flowlab.serving.script import python_script
from flowlab.store.label import RunLabel
from flowlab.tables.export import PLAIN, Writing
from flowlab.tables.read import ReadReport
from flowlab.tables.workbook import to_workbook


def detector(
    scored: ScoredTable, trained: services.Trained, threshold: Threshold, label: RunLabel | None = None
) -> bytes:
    """The detector file of a run and a threshold; with a label where it leaves."""
    spec = trained.run.spec
    return to_bytes(make_detector(spec.model, spec.seed, trained.weights, scored, threshold, label))


@dataclass(frozen=True)
class Format:
    """A kind of file that rows leave in: what it is called, how its name ends, and its media type."""

    name: str
    suffix: str
    mime: str


FORMATS = (
    Format("CSV", ".csv", "text/csv"),
    Format("Excel", ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    Format("CSV for Excel", "_excel.csv", "text/csv"),
    Format("Parquet", ".parquet", "application/vnd.apache.parquet"),
)
HELP = (
    "Excel: a workbook with dates as dates and numbers as numbers. CSV for Excel: opened by a double click, with the "
    "delimiter and decimal sign of the uploaded file. Plain CSV has the cells as they were written, Parquet the types."
)
MAX_CELLS = 300_000
"""Cells from which a workbook is written by a process of its own: this one serves everybody."""
WORKBOOK_SECONDS = 900


def rows_maker(
    format: Format,
    scored: ScoredTable,
    threshold: Threshold,
    ask: Callable[[], Reasons],
    cells: Callable[[], pd.DataFrame | None],
    rows: np.ndarray | None,
) -> Callable[[], bytes]:
    """A function that gives the rows in a format, called where there is no page. `rows` None: all.

    `ask` gives reasons, `cells` the rows as they were written, which CSV has.
    """
    excel = _for_excel() if format.suffix == "_excel.csv" else PLAIN

    def make() -> bytes:
        if format.suffix == ".parquet":
            return to_parquet(scored, threshold, ask(), rows)
        if format.suffix == ".xlsx":
            return workbook_of(scored_rows(scored, threshold, ask(), rows))
        return to_csv(scored, threshold, ask(), rows, cells(), excel)

    return make


def workbook_of(frame: pd.DataFrame) -> bytes:
    """A frame as a workbook."""
    return to_workbook(frame) if frame.size < MAX_CELLS else confined(to_workbook, frame, seconds=WORKBOOK_SECONDS)


def _for_excel() -> Writing:
    """How a CSV of the present rows is written for Excel: as the uploaded table was, if it was a text."""
    try:
        report = ReadReport.from_json(services.store().table_story(services.table_digest()))
    except ValueError:  # no upload, or one of a time before stories were kept
        return Writing.for_excel()
    return Writing.for_excel(report.delimiter, report.decimal)


def script(threshold: Threshold) -> str:
    """The present run and threshold as a Python program."""
    spec = state.spec()
    uploaded = catalog.DATASETS[spec.data.name].group == catalog.UPLOADED
    table = str(spec.data.params.get("name") or "table.csv") if uploaded else ""
    return python_script(spec, threshold, table, state.view("detect", "unit", "rows"))


def report_maker(
    scored: ScoredTable,
    trained: services.Trained,
    threshold: Threshold,
    ask: Callable[[], Reasons],
    cost: CostModel,
    as_markdown: bool = False,
) -> Callable[[], bytes]:
    """A function that gives the report of the present state, which only a page knows."""
    run, title, site = trained.run, headline.sentence().replace("\\", ""), state.site()
    link = site + state.link_to("detect") if site else ""

    def make() -> bytes:
        rows = scored_rows(scored, threshold, ask(), scored.flagged(threshold)[:MAX_ROWS])
        figures = [] if as_markdown else figures_html(_figures(scored, threshold))
        return detection_report(
            title, run.spec, scored, threshold, figures, rows, run.versions, link, cost, as_markdown, run.label
        )

    return make


def _figures(whole: ScoredTable, with_groups: Threshold) -> list:
    scored, threshold = whole.by_margin(with_groups)
    groups = with_groups.groups
    rows = scored.rows(Part.UNSEEN)
    scores = scored.scores[rows]
    calibration = scored.level_calibration
    title = "anomaly score" if calibration is None else f"anomaly score, {calibration.score_label}"
    counted = "" if groups is None else f", counted from the threshold of each row's group of {groups.column}"
    axis = ScoreAxis.of(scores, f"{title}{'' if groups is None else ', above the threshold of its group'}")
    edges, counts = score_bins(scores, scored.labels(Part.UNSEEN), bin_edges(axis, scores))
    figures = [
        (
            f"Anomaly scores of validation and test rows{counted}, counts on a logarithmic scale, with the threshold",
            plots.score_histogram(axis, edges, counts, threshold.value, interval=threshold.interval, log_counts=True),
        )
    ]
    if scored.dataset.y is None:
        return figures
    roc: dict[Part, tuple[np.ndarray, np.ndarray]] = {}
    points: dict[Part, tuple[float, float]] = {}
    for part in (Part.VALIDATION, Part.TEST):
        curves = scored.curves(part)
        at = curves.labelled.at(curves.grid())
        here = curves.labelled.at(threshold.value)
        roc[part] = at.recall, at.precision
        points[part] = float(here.recall), float(here.precision)
    caption = "Precision against recall with the operating point of the threshold"
    return [*figures, (caption, plots.operating_curve(roc, points, "recall", "precision"))]
