"""What people said of rows: anomaly, normal or unsure, with a note; kept with a run, taken out and in as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flowlab.formatting import count
from flowlab.tables.export import as_before, to_csv_bytes
from flowlab.tables.limits import TableError

WORDS = {"yes": True, "no": False, "unsure": None}
"""Answers to "is this row an anomaly?" and what they mean."""
_WORD_OF = {verdict: word for word, verdict in WORDS.items()}
MAX_NOTE = 500


@dataclass(frozen=True)
class Answer:
    """What a person said of a row: whether it is an anomaly (None: unsure), and a note."""

    anomaly: bool | None
    note: str = ""

    @property
    def word(self) -> str:
        """ "yes", "no" or "unsure"."""
        return _WORD_OF[self.anomaly]


def to_record(answers: Mapping[int, Answer]) -> list[list[Any]]:
    """The answers as JSON: row number, word and note of each, in order of the rows."""
    return [[int(row), answers[row].word, answers[row].note] for row in sorted(answers)]


def from_record(record: Any, n_rows: int) -> dict[int, Answer]:
    """What `to_record` gave; entries that are none, or of rows that are not among `n_rows`, are passed over."""
    found: dict[int, Answer] = {}
    for entry in record if isinstance(record, list) else []:
        match entry:
            case [int(row), str(word), str(note)] if word in WORDS and 0 <= row < n_rows:
                found[row] = Answer(WORDS[word], note[:MAX_NOTE])
    return found


def to_frame(answers: Mapping[int, Answer], scores: np.ndarray) -> pd.DataFrame:
    """A table to take out: row (from 0), anomaly (yes, no, unsure), note, and the row's anomaly score."""
    columns = ["row", "anomaly", "note"]
    frame = pd.DataFrame(to_record(answers), columns=columns)
    return frame.assign(anomaly_score=scores[frame["row"].to_numpy(int)])


def from_frame(frame: pd.DataFrame, n_rows: int) -> dict[int, Answer]:
    """The answers in a table with the columns row and anomaly, and perhaps note, of a run on `n_rows` rows.

    TableError, one sentence, where it is none.
    """
    if not {"row", "anomaly"} <= set(frame):
        raise TableError(
            f"Answers are in the columns row and anomaly; the file has {', '.join(map(str, list(frame)[:8]))}."
        )
    rows = pd.to_numeric(frame["row"], errors="coerce").to_numpy(float)
    words = [str(word).strip().lower() for word in frame["anomaly"]]
    words = [{"1": "yes", "0": "no", "true": "yes", "false": "no", "1.0": "yes", "0.0": "no"}.get(w, w) for w in words]
    notes = frame["note"].fillna("") if "note" in frame else [""] * len(frame)
    found: dict[int, Answer] = {}
    for row, word, note in zip(rows, words, notes, strict=True):
        if not (np.isfinite(row) and row == int(row) and 0 <= row < n_rows):
            raise TableError(f"The file speaks of row {row:g}; the rows here are 0 to {count(n_rows - 1)}.")
        if word in ("", "nan", "none"):
            continue
        if word not in WORDS:
            raise TableError(f"An answer is yes, no or unsure, not {word[:20]!r} (row {int(row)}).")
        found[int(row)] = Answer(WORDS[word], as_before(str(note))[:MAX_NOTE])
    return found


def to_csv(answers: Mapping[int, Answer], scores: np.ndarray) -> bytes:
    """`to_frame` as UTF-8 CSV that a spreadsheet does not take for formulas."""
    return to_csv_bytes(to_frame(answers, scores))
