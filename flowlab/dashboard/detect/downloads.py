"""Downloads of the Detect page: the detector in one file, and the report, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flowlab import catalog
from flowlab.dashboard.shell import headline, services, state
from flowlab.datasets.dataset import Part
from flowlab.detection.metrics import score_bins
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.plots import threshold as plots
from flowlab.plots.html import figures_html
from flowlab.plots.score_axis import ScoreAxis, bin_edges
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.report import MAX_ROWS, detection_report
from flowlab.serving.scored_rows import Reasons, scored_rows
from flowlab.serving.script import python_script
from flowlab.store.label import RunLabel
from flowlab.tables.export import Writing
from flowlab.tables.read import ReadReport


def detector(
    scored: ScoredTable, trained: services.Trained, threshold: Threshold, label: RunLabel | None = None
) -> bytes:
    """The detector file of a run and a threshold; with a label where it leaves."""
    spec = trained.run.spec
    return to_bytes(make_detector(spec.model, spec.seed, trained.weights, scored, threshold, label))


def for_excel() -> Writing:
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
    scored: ScoredTable, trained: services.Trained, threshold: Threshold, ask: Callable[[], Reasons]
) -> Callable[[], bytes]:
    """A function that gives the HTML report of the present state, which only a page knows."""
    run, title, site = trained.run, headline.sentence().replace("\\", ""), state.site()
    link = site + state.link_to("detect") if site else ""

    def make() -> bytes:
        rows = scored_rows(scored, threshold, ask(), scored.flagged(threshold)[:MAX_ROWS])
        figures = figures_html(_figures(scored, threshold))
        return detection_report(title, run.spec, scored, threshold, figures, rows, run.versions, link, run.label)

    return make


def _figures(scored: ScoredTable, threshold: Threshold) -> list:
    rows = scored.rows(Part.UNSEEN)
    scores = scored.scores[rows]
    calibration = scored.level_calibration
    axis = ScoreAxis.of(scores, *([] if calibration is None else [f"anomaly score, {calibration.score_label}"]))
    edges, counts = score_bins(scores, scored.labels(Part.UNSEEN), bin_edges(axis, scores))
    figures = [
        (
            "Anomaly scores of validation and test rows, counts on a logarithmic scale, with the threshold",
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
