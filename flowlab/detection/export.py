"""The table an analyst leaves with: the rows as they came, and what the detector says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

ADDED = {"score": "anomaly_score", "percentile": "percentile", "p_value": "p_value", "flagged": "flagged"}
"""Entries of `evidence.score_sheet` and the columns they become."""


def with_scores(
    frame: pd.DataFrame, sheet: Mapping[str, np.ndarray], reasons: Mapping[int, Sequence[str]] | None = None
) -> pd.DataFrame:
    """The original columns, then score, percentile, p-value and flag, then `reason_1` to `reason_3`.

    Parameters
    ----------
    frame : the original rows
    sheet : arrays (n_rows,) of `evidence.score_sheet`
    reasons : row number -> up to three sentences; rows without an entry stay empty

    A column that the table already has under one of these names keeps it; ours then ends in "_2".
    """
    out = frame.reset_index(drop=True).copy(deep=False)
    taken = {str(name) for name in frame.columns}

    def add(name: str, values) -> None:
        while name in taken:
            name += "_2"
        taken.add(name)
        out[name] = values

    for key, name in ADDED.items():
        add(name, sheet[key].astype(np.int8) if key == "flagged" else sheet[key])
    for i in range(3 if reasons else 0):
        texts = np.full(len(frame), "", dtype=object)
        for row, sentences in reasons.items():
            texts[row] = sentences[i] if i < len(sentences) else ""
        add(f"reason_{i + 1}", texts)
    return out
