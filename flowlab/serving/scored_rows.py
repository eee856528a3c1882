"""What leaves of a scored table: its rows with scores and reasons, as CSV or Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.tables.export import to_csv_bytes

N_REASONS = 3
Reasons = Mapping[int, Sequence[str]]
"""Row number -> up to three sentences, the strongest first."""


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


def scored_rows(
    scored: ScoredTable,
    threshold: Threshold,
    reasons: Reasons | None = None,
    rows: np.ndarray | None = None,
    cells: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The user's columns, then score, percentile, p-value and flag, then `reason_1` to `reason_3` if there are any.

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
    added: dict[str, np.ndarray] = scored.row_scores.take(rows).columns(threshold)
    told = reasons or {}
    for i in range(N_REASONS if told else 0):
        texts = [(*told.get(int(row), ()), "", "", "")[i] for row in rows]
        added[f"reason_{i + 1}"] = np.array(texts, dtype=object)
    names = free_names(list(frame.columns), list(added))
    return pd.concat([frame, pd.DataFrame(dict(zip(names, added.values())))], axis=1)


def to_csv(
    scored: ScoredTable,
    threshold: Threshold,
    reasons: Reasons | None = None,
    rows: np.ndarray | None = None,
    cells: pd.DataFrame | None = None,
) -> bytes:
    """`scored_rows` as UTF-8 CSV that a spreadsheet does not take for formulas."""
    return to_csv_bytes(scored_rows(scored, threshold, reasons, rows, cells), as_written=True)


def to_parquet(scored: ScoredTable, threshold: Threshold, reasons: Reasons | None = None) -> bytes:
    """`scored_rows` as Parquet, with the types of the table."""
    buffer = io.BytesIO()
    scored_rows(scored, threshold, reasons).rename(columns=str).to_parquet(buffer, index=False)
    return buffer.getvalue()
