"""What leaves of a scored table: its rows with scores and reasons, as CSV or Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.explain.many_rows import N_REASONS, RowReasons
from flowlab.explain.novelty import row_novelty
from flowlab.tables.export import PLAIN, Writing, to_csv_bytes

Reasons = Mapping[int, RowReasons]
"""Row number -> why it scores high."""


def free_names(taken: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted names of columns; one that the table has already ends in "_2".

    >>> free_names(["x", "p_value"], ["anomaly_score", "p_value"])
    ['anomaly_score', 'p_value_2']
    """
    used, names = set(map(str, taken)), []
    for name in wanted:
        while name in used:
            name += "_2"
        used.add(name)
        names.append(name)
    return names


def beside(facts: Mapping[str, Sequence[Any] | np.ndarray], frame: pd.DataFrame) -> pd.DataFrame:
    """Our columns, then the user's of the same rows; one of theirs that has a name of ours ends in "_2".

    >>> list(beside({"row": [7], "note": ["odd"]}, pd.DataFrame({"note": [1], "x": [2]})))
    ['row', 'note', 'note_2', 'x']
    """
    names = free_names(list(facts), [str(name) for name in frame.columns])
    return pd.concat([pd.DataFrame(dict(facts)), frame.reset_index(drop=True).set_axis(names, axis=1)], axis=1)


def scored_rows(
    scored: ScoredTable,
    threshold: Threshold,
    reasons: Reasons | None = None,
    rows: np.ndarray | None = None,
    cells: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The user's columns, then score, percentile, p-value and flag, novelty, and reasons if there are any.

    `novelty` says what the rows that the encoding was learned from never showed. `reason_1` is a sentence,
    `reason_1_column`, `_value` and `_usual` say it in parts, and so on to the third; see `reason_columns`.

    Parameters
    ----------
    scored : rows and their scores
    threshold : from which score on rows are flagged
    reasons : of some rows; the others stay empty
    rows : numbers of the wanted rows, in their order; None for all
    cells : the rows as they were written, in place of `scored.frame`
    """
    rows = np.arange(len(scored.scores)) if rows is None else rows
    frame = (scored.frame if cells is None else cells).iloc[rows].reset_index(drop=True)
    levels = scored.levels(threshold)
    own = None if levels is None else levels[rows]
    added: dict[str, np.ndarray] = scored.scores_of_rows(rows, threshold).columns(threshold, own)
    if scored.table is not None and scored.dataset.encoder is not None:
        added["novelty"] = row_novelty(scored.dataset.encoder, scored.table.iloc[rows].reset_index(drop=True))
    if reasons:
        added |= reason_columns([reasons.get(int(row)) for row in rows])
    names = free_names(list(frame.columns), list(added))
    return pd.concat([frame, pd.DataFrame(dict(zip(names, added.values())))], axis=1)


def reason_columns(reasons: Sequence[RowReasons | None]) -> dict[str, np.ndarray]:
    """The columns that reasons get in a file, texts (n_rows,): a sentence, and its column, value and usual values.

    Rows without reasons have empty cells; where no single value is unusual, the first sentence says so alone.
    """
    columns: dict[str, np.ndarray] = {}
    explained = [(row, why) for row, why in enumerate(reasons) if why is not None]
    for i in range(N_REASONS):
        parts = np.full((4, len(reasons)), "", dtype=object)
        for row, why in explained:
            parts[:, row] = _parts(why, i)
        columns |= zip((f"reason_{i + 1}{part}" for part in ("", "_column", "_value", "_usual")), parts)
    return columns


def _parts(why: RowReasons, i: int) -> tuple[str, str, str, str]:
    if i >= max(len(why.reasons), 1):
        return "", "", "", ""
    if not why.reasons:
        return why.sentence.rstrip("."), "", "", ""
    reason = why.reasons[i]
    return reason.sentence, reason.name, reason.told, reason.usual


def to_csv(
    scored: ScoredTable,
    threshold: Threshold,
    reasons: Reasons | None = None,
    rows: np.ndarray | None = None,
    cells: pd.DataFrame | None = None,
    writing: Writing = PLAIN,
) -> bytes:
    """`scored_rows` as UTF-8 CSV that a spreadsheet does not take for formulas."""
    return to_csv_bytes(scored_rows(scored, threshold, reasons, rows, cells), as_written=True, writing=writing)


def to_parquet(
    scored: ScoredTable, threshold: Threshold, reasons: Reasons | None = None, rows: np.ndarray | None = None
) -> bytes:
    """`scored_rows` as Parquet, with the types of the table."""
    buffer = io.BytesIO()
    scored_rows(scored, threshold, reasons, rows).rename(columns=str).to_parquet(buffer, index=False)
    return buffer.getvalue()
