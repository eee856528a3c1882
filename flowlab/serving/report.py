"""A detection report in one HTML file: pictures, settings, versions, and the meaning of the threshold in words."""

from __future__ import annotations

import datetime
import html
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import Part
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import SPREAD, Threshold
from flowlab.formatting import count, plain
from flowlab.records import RunSpec
from flowlab.store.label import RunLabel

MAX_ROWS = 50
STYLE = """
body { font: 15px/1.5 "Source Sans 3", "Helvetica Neue", Arial, sans-serif; color: #1B2333; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: 2px 10px; border-bottom: 1px solid #E3E7EE; text-align: right; }
th:first-child, td:first-child { text-align: left; } figcaption { color: #5B6678; }
pre { background: #F4F6F9; padding: 0.75rem; white-space: pre-wrap; }
"""


def detection_report(
    title: str,
    spec: RunSpec,
    scored: ScoredTable,
    threshold: Threshold,
    figures: Sequence[tuple[str, str]] = (),
    rows: pd.DataFrame | None = None,
    versions: Mapping[str, str] | None = None,
    link: str = "",
    label: RunLabel | None = None,
) -> bytes:
    """The report as UTF-8 HTML.

    Parameters
    ----------
    title : data and model, in words
    spec : the run's settings
    scored, threshold : scores and the chosen threshold
    figures : (caption, HTML) of `plots.standalone.figures_html`
    rows : the highest scoring rows with their reasons, of which the report has the first 50
    versions : of the software, by name
    link : address that opens the page in this state
    label : name, note and tags of the run
    """
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    parts = [
        f"<h1>{_text(title)}</h1><p>FlowLab detection report, {made}.</p>{_named(label)}",
        f"<h2>The threshold</h2><p>Rows with an anomaly score{_unit(scored)} of at least "
        f"<b>{_text(plain(threshold.value))}</b>{_own(threshold)} are "
        f"flagged. {_text(threshold.sentence)} {_text(threshold.caution)}</p>{_groups(threshold)}",
        f"<p>{_text(meaning(scored, threshold))}</p>",
        f"<h2>What it does</h2>{_measures(scored, threshold)}",
        *(f"<figure>{markup}<figcaption>{_text(caption)}</figcaption></figure>" for caption, markup in figures),
    ]
    if rows is not None and len(rows):
        head = f"<h2>The {min(len(rows), MAX_ROWS)} highest scoring rows</h2>"
        table = rows.head(MAX_ROWS).to_html(escape=True, border=0, na_rep="", max_cols=40)
        parts.append(f'{head}<div class="wide">{table}</div>')
    settings = json.dumps(json.loads(spec.to_json()), indent=1)
    parts.append(f"<h2>Settings</h2><pre>{_text(settings)}</pre>")
    if link:
        parts.append(f"<p>Address of this state: <code>{_text(link)}</code></p>")
    if versions:
        parts.append(f"<p>{_text(', '.join(f'{name} {version}' for name, version in versions.items()))}</p>")
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{_text(title)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>'.encode()


def meaning(scored: ScoredTable, threshold: Threshold) -> str:
    """The rows that the threshold was chosen and reported on, the share of normal rows above it, and its interval."""
    n = len(scored.calibration)
    rate = float(np.mean(scored.flags(threshold)[scored.calibration_rows]))
    normal = "rows labelled normal" if scored.dataset.y is not None else "validation rows, which count as normal,"
    chosen = "was set by hand, is checked on" if threshold.rule == "manual" else "was chosen on"
    held_out = (
        f"{count(len(scored.rows(Part.VALIDATION)))} validation rows, which a training in steps used only to keep "
        "its best "
        f"weights, and is reported on {count(len(scored.rows(Part.TEST)))} test rows, which had no part in it"
    )
    if not scored.is_held_out:
        held_out, normal = "rows that the model was fitted to, as there are no others", "rows"
    there = "that of their group" if threshold.groups else "it"
    text = f"It {chosen} {held_out}. Of {count(n)} {normal} {100 * rate:.2f} % lie above {there}."
    if threshold.interval is not None:
        low, high = map(plain, threshold.interval)
        text += f" {SPREAD.format(low=low, high=high)}"
    text = " ".join([text, *filter(None, [scored.certified(threshold)]), *scored.notes()])
    return text + " All of this holds for rows from the same source; after a change there, choose it again."


def _named(label: RunLabel | None) -> str:
    """The note and the tags; the name stands in the title."""
    if label is None:
        return ""
    note = "".join(f"<p>{_text(line)}</p>" for line in label.note.splitlines())
    return f"{note}<p>Tags: {_text(label.tags_text)}</p>" if label.tags else note


def _unit(scored: ScoredTable) -> str:
    calibration = scored.level_calibration
    return "" if calibration is None else f", the {_text(calibration.score_label)},"


def _own(threshold: Threshold) -> str:
    return f", or that of their group of {_text(threshold.groups.column)}," if threshold.groups else ""


def _groups(threshold: Threshold) -> str:
    """The groups, the strangest first, as a table."""
    if threshold.groups is None:
        return ""
    table = threshold.groups.table.to_html(border=0, escape=True, index=False, float_format="{:.4g}".format)
    return f'<div class="wide">{table}</div>'


def _measures(scored: ScoredTable, threshold: Threshold) -> str:
    columns = {}
    for part in (Part.VALIDATION, Part.TEST):
        curves = scored.curves(part)
        flags, there = scored.operating(part, threshold)
        measures = vars(flags.at(there)).items()
        at = {name: float(value) for name, value in measures if value is not None and name != "cost"}
        if curves.has_labels:
            at |= {"AUROC": curves.auroc(), "average precision": curves.average_precision()}
        columns[part] = {name.replace("_", " "): f"{value:.4g}" for name, value in at.items()}
    return pd.DataFrame(columns).to_html(border=0, na_rep="", escape=True)


def _text(text: object) -> str:
    return html.escape(str(text))
