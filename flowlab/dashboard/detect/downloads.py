"""Downloads of the Detect page: the detector in one file, and the report, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from flowlab import catalog
from flowlab.dashboard.shell import headline, services, state
from flowlab.detection.metrics import score_bins
from flowlab.detection.scored import Evidence, with_scores
from flowlab.detection.threshold import Threshold
from flowlab.plots import threshold as plots
from flowlab.plots.html import figures_html
from flowlab.plots.score_axis import ScoreAxis, bin_edges
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.report import MAX_ROWS, detection_report
from flowlab.serving.script import python_script

Maker = Callable[[], bytes]


def detector_maker(evidence: Evidence, trained: services.Trained, threshold: Threshold) -> Maker:
    """A function that gives the detector file of the present run and this threshold."""
    spec, weights = trained.run.spec, trained.weights

    def make() -> bytes:
        return to_bytes(make_detector(spec.model, spec.seed, weights, evidence, threshold))

    return make


def script(threshold: Threshold) -> str:
    """The present run and threshold as a Python program."""
    spec = state.spec()
    uploaded = catalog.DATASETS[spec.data.name].group == catalog.UPLOADED
    table = str(spec.data.params.get("name") or "table.csv") if uploaded else ""
    return python_script(spec, threshold, table, state.view("detect", "unit", "rows"))


def report_maker(
    evidence: Evidence,
    threshold: Threshold,
    frame: pd.DataFrame,
    sheet: dict[str, np.ndarray],
    flagged: np.ndarray,
    ask: Callable[[], dict],
) -> Maker:
    """A function that gives the HTML report of the present state."""
    spec, run = state.spec(), services.run()
    title, link = headline.sentence().replace("\\", ""), state.link_to("detect")

    def make() -> bytes:
        rows = flagged[:MAX_ROWS]
        rows_and_reasons = with_scores(frame, sheet, ask()).iloc[rows]
        figures = figures_html(_figures(evidence, threshold))
        return detection_report(title, spec, evidence, threshold, figures, rows_and_reasons, run.versions, link)

    return make


def _figures(evidence: Evidence, threshold: Threshold) -> list:
    rows = evidence.rows("unseen")
    scores = evidence.scores[rows]
    calibration = evidence.level_calibration
    axis = ScoreAxis.of(scores, *([] if calibration is None else [f"anomaly score, {calibration.score_label}"]))
    edges, counts = score_bins(scores, evidence.labels("unseen"), bin_edges(axis, scores))
    figures = [
        (
            "Anomaly scores of validation and test rows, counts on a logarithmic scale, with the threshold",
            plots.score_histogram(axis, edges, counts, threshold.value, interval=threshold.interval, log_counts=True),
        )
    ]
    if evidence.dataset.y is None:
        return figures
    roc, points = {}, {}
    for part in ("validation", "test"):
        curves = evidence.curves(part)
        at = curves.at(curves.grid())
        here = curves.at(threshold.value)
        roc[part] = at.recall, at.precision
        points[part] = float(here.recall), float(here.precision)
    caption = "Precision against recall with the operating point of the threshold"
    return [*figures, (caption, plots.operating_curve(roc, points, "recall", "precision"))]
