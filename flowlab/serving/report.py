"""A detection report in one file, HTML or Markdown: what the threshold means and does, drift, columns, settings."""

from __future__ import annotations

import datetime
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.detection.cost import CostModel
from flowlab.detection.drift import STRONG, baseline
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import SPREAD, Threshold
from flowlab.formatting import count, escaped, percent, plain, shortened
from flowlab.records import RunSpec
from flowlab.store.label import RunLabel
from flowlab.tables.schema import schema_of_frame

MAX_ROWS = 50
MAX_SHOWN = 200
"""Columns that the report tells of."""
STYLE = """
body { font: 15px/1.5 "Source Sans 3", "Helvetica Neue", Arial, sans-serif; color: #1B2333; max-width: 60rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
th, td { padding: 2px 10px; border-bottom: 1px solid #E3E7EE; text-align: right; }
th:first-child, td:first-child { text-align: left; } figcaption { color: #5B6678; }
pre { background: #F4F6F9; padding: 0.75rem; white-space: pre-wrap; }
"""


@dataclass(frozen=True, eq=False)
class Section:
    """A headed part of a report: paragraphs, and tables whose index is their first column."""

    title: str
    parts: tuple[str | pd.DataFrame, ...]


def detection_report(
    title: str,
    spec: RunSpec,
    scored: ScoredTable,
    threshold: Threshold,
    figures: Sequence[tuple[str, str]] = (),
    rows: pd.DataFrame | None = None,
    versions: Mapping[str, str] | None = None,
    link: str = "",
    cost: CostModel | None = None,
    as_markdown: bool = False,
    label: RunLabel | None = None,
) -> bytes:
    """The report as UTF-8 HTML, or as Markdown without pictures.

    Parameters
    ----------
    title : data and model, in words
    spec : the run's settings
    scored, threshold : scores and the chosen threshold
    figures : (caption, HTML) of `plots.html.figures_html`
    rows : the highest scoring rows with their reasons, of which the report has the first 50
    versions : of the software, by name
    link : address that opens the page in this state
    cost : prices of errors, for tables with labels
    label : name, note and tags of the run
    """
    made = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    first = Section(
        "The threshold",
        (
            f"Rows with an anomaly score{_unit(scored)} of at least {plain(threshold.value)}{_own(threshold)} are "
            f"flagged. {threshold.sentence} {threshold.caution}",
            *_groups(threshold),
            meaning(scored, threshold),
        ),
    )
    sections = [Section("What it does", (_measures(scored, threshold), *_costs(scored, threshold, cost)))]
    if rows is not None and len(rows):
        sections.append(Section(f"The {min(len(rows), MAX_ROWS)} highest scoring rows", (rows.head(MAX_ROWS),)))
    sections += [*_drift(scored), _columns(scored), Section("Settings", (_settings(spec),))]
    ends = [f"Address of this state: {link}"] if link else []
    ends += [", ".join(f"{name} {version}" for name, version in versions.items())] if versions else []
    if ends:
        sections.append(Section("Where it was made", tuple(ends)))
    head = f"FlowLab detection report, {made}."
    if as_markdown:
        return _markdown(title, [head, *map(_plainly, _named(label))], [first, *sections])
    pictures = [f"<figure>{markup}<figcaption>{_text(caption)}</figcaption></figure>" for caption, markup in figures]
    named = "".join(f"<p>{_text(line)}</p>" for line in [head, *_named(label)])
    body = "\n".join([f"<h1>{_text(title)}</h1>{named}", _html(first), *pictures, *map(_html, sections)])
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    ).encode()


def _html(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>"]
    for part in section.parts:
        if isinstance(part, str):
            parts.append(f"<p>{_text(part)}</p>")
        else:
            table = part.to_html(escape=True, border=0, na_rep="", max_cols=40, float_format="{:.4g}".format)
            parts.append(f'<div class="wide">{table}</div>')
    return "".join(parts)


def _markdown(title: str, heads: Sequence[str], sections: Sequence[Section]) -> bytes:
    lines = [f"# {_plainly(title)}", *(line for head in heads for line in ("", head))]
    for section in sections:
        lines += ["", f"## {_plainly(section.title)}"]
        for part in section.parts:
            lines += ["", _plainly(part)] if isinstance(part, str) else ["", *_table_lines(part)]
    return ("\n".join(lines) + "\n").encode()


def _plainly(text: object) -> str:
    """The text as Markdown, in which no point of a number or at the end of a sentence is escaped: it marks nothing."""
    return re.sub(r"(?<=\d)\\\.(?=\d)|(?<=[^\d\s])\\\.(?=\s|$)", ".", escaped(text))


def _table_lines(table: pd.DataFrame) -> list[str]:
    """A table as lines of Markdown, its index first."""

    def line(cells: Iterable[object]) -> str:
        return f"| {' | '.join(_spelled(cell) for cell in cells)} |"

    return [
        line([table.index.name or "", *table.columns]),
        f"|{'---|' * (table.shape[1] + 1)}",
        *(line(row) for row in table.itertuples(name=None)),
    ]


def _spelled(cell: object) -> str:
    if isinstance(cell, float):
        return "" if np.isnan(cell) else f"{cell:.4g}"
    return "" if cell is None or cell is pd.NaT or cell is pd.NA else _plainly(cell)


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
    if scored.n_folds:
        held_out = (
            f"{count(len(scored.rows(Part.VALIDATION)))} rows, each scored by the one of {count(scored.n_folds)} "
            f"models that was not fitted to it, and is reported on {count(len(scored.rows(Part.TEST)))} test rows, "
            "which had no part in it"
        )
        normal = "rows labelled normal" if scored.dataset.y is not None else "of these, which count as normal,"
    if not scored.is_held_out:
        held_out, normal = "rows that the model was fitted to, as there are no others", "rows"
    there = "that of their group" if threshold.groups else "it"
    text = f"It {chosen} {held_out}. Of {count(n)} {normal} {100 * rate:.2f} % lie above {there}."
    if threshold.interval is not None:
        low, high = map(plain, threshold.interval)
        text += f" {SPREAD.format(low=low, high=high)}"
    text = " ".join([text, *filter(None, [scored.certified(threshold)]), *scored.notes()])
    return text + " All of this holds for rows from the same source; after a change there, choose it again."


def _groups(threshold: Threshold) -> list[pd.DataFrame]:
    """The groups, the strangest first."""
    if threshold.groups is None:
        return []
    table = threshold.groups.table
    return [table.set_index(table.columns[0])]


def _costs(scored: ScoredTable, threshold: Threshold, cost: CostModel | None) -> list[str]:
    """What the errors of the threshold cost, where rows are labelled."""
    if cost is None or scored.dataset.y is None:
        return []
    found = []
    for part in (Part.VALIDATION, Part.TEST):
        curves, there = scored.operating(part, threshold, cost)
        found += [float(curves.labelled.at(there).cost), float(curves.labelled.costs.cost(np.inf))]
    late = f", a row before the first alarm of its event {plain(cost.c_late)}" if cost.c_late else ""
    return [
        f"Where a false alarm costs {plain(cost.c_alarm)} and a missed anomaly {plain(cost.c_missed)}{late}, this "
        f"threshold costs {plain(found[0])} on validation rows and {plain(found[2])} on test rows; never to alarm "
        f"would cost {plain(found[1])} and {plain(found[3])}."
    ]


def _drift(scored: ScoredTable) -> list[Section]:
    """How far the columns of validation and test rows, and the scores of test rows, have moved."""
    dataset, validation = scored.dataset, scored.rows(Part.VALIDATION)
    if not len(validation):
        return []
    known = baseline(dataset.X[dataset.rows(Part.TRAIN)], scored.scores[validation])
    shift = {
        part: known.shift(known.count(dataset.X[rows], scored.scores[rows]))
        for part in (Part.VALIDATION, Part.TEST)
        if len(rows := scored.rows(part))
    }
    table = pd.DataFrame(shift, index=pd.Index([*dataset.columns, "anomaly score"], name="column"))
    order = np.argsort(-table.to_numpy().max(axis=1, initial=0.0), kind="stable")[:MAX_SHOWN]
    told = (
        "The stability index compares each column with the training rows, and the score with the validation rows: 0 is "
        f"no shift, from {STRONG} on it is a strong one."
    )
    return [Section("Drift", (told, table.iloc[order]))]


def _columns(scored: ScoredTable) -> Section:
    """The data dictionary, and what was decided of the columns."""
    encoder = scored.dataset.encoder
    decided = tuple(encoder.notes_) if encoder is not None else ()
    if scored.dataset.image_shape is not None:
        return Section("Columns", (f"{count(scored.dataset.n_features)} pixels.", *decided))
    return Section("Columns", (data_dictionary(scored), *decided))


def data_dictionary(scored: ScoredTable) -> pd.DataFrame:
    """What each column of the table is: its role and why, what it holds, what is missing, its range or levels."""
    frame, encoder = scored.frame, scored.dataset.encoder
    roles = {role.name: role for role in (encoder.roles or ())} if encoder is not None else {}
    usual = ["feature" if name in scored.dataset.columns else "label" for name in map(str, frame)]
    lines = {}
    for name, role in list(zip(frame, usual))[:MAX_SHOWN]:
        own, column = roles.get(str(name)), frame[name]
        (schema,) = schema_of_frame(frame[[name]])
        lines[str(name)] = {
            "role": role if own is None else own.role,
            "why": "" if own is None else own.reason,
            "holds": schema.kind,
            "missing": percent(float(column.isna().mean())),
            "values": _range_of(column),
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("column")


def _range_of(column: pd.Series) -> str:
    """The least, the median and the largest value, or the commonest levels with their share."""
    known = column.dropna()
    if not len(known):
        return ""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return f"{known.min()} to {known.max()}"
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        low, middle, high = np.quantile(known.to_numpy(float), [0, 0.5, 1])
        return f"{plain(low)} to {plain(high)}, median {plain(middle)}"
    levels = known.astype(str).value_counts(normalize=True)
    shown = ", ".join(f"{shortened(level)} ({percent(share)})" for level, share in levels.head(4).items())
    return shown if len(levels) <= 4 else f"{shown}, and {count(len(levels) - 4)} more"


def _settings(spec: RunSpec) -> pd.DataFrame:
    """Every setting of data and model, with its default beside it."""
    lines = []
    for part, entries in (("data", catalog.DATASETS), ("model", catalog.MODELS)):
        chosen = spec.data if part == "data" else spec.model
        entry = entries[chosen.name]
        lines.append((part, "name", chosen.name, ""))
        values = entry.complete(chosen).params
        lines += [(part, name, str(value), str(entry.defaults.get(name, ""))) for name, value in values.items()]
    lines.append(("run", "seed", str(spec.seed), "0"))
    return pd.DataFrame(lines, columns=["of", "setting", "value", "default"]).set_index("of")


def _named(label: RunLabel | None) -> list[str]:
    """The note and the tags, a paragraph each; the name stands in the title."""
    if label is None:
        return []
    tags = [f"Tags: {label.tags_text}"] if label.tags else []
    return [*filter(None, label.note.splitlines()), *tags]


def _unit(scored: ScoredTable) -> str:
    calibration = scored.level_calibration
    return "" if calibration is None else f", the {calibration.score_label},"


def _own(threshold: Threshold) -> str:
    return f", or that of their group of {threshold.groups.column}," if threshold.groups else ""


def _measures(scored: ScoredTable, threshold: Threshold) -> pd.DataFrame:
    columns = {}
    for part in (Part.VALIDATION, Part.TEST):
        curves = scored.curves(part)
        flags, there = scored.operating(part, threshold)
        measures = vars(flags.at(there)).items()
        at = {name: float(value) for name, value in measures if value is not None and name != "cost"}
        if curves.has_labels:
            at |= {"AUROC": curves.auroc(), "average precision": curves.average_precision()}
        columns[part] = {name.replace("_", " "): f"{value:.4g}" for name, value in at.items()}
    return pd.DataFrame(columns)


def _text(text: object) -> str:
    return html.escape(str(text))
