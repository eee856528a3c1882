"""The answers of a run: kept with it on disk, so that they are there for everybody and after a restart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import pandas as pd
import streamlit as st

from flowlab import formatting
from flowlab.dashboard.shell import services, state
from flowlab.detection.answers import Answer, from_frame, from_record, to_csv, to_record
from flowlab.detection.scored_table import ScoredTable
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

NAME = "answers"


@dataclass(frozen=True)
class Kept:
    """What is kept of answers.

    Attributes
    ----------
    answers : by row of the table
    began : by state of the run (`Trained.key`) the threshold at which its audit began
    more : by state of the run the places, among validation and test rows, that the audit asked for later
    chosen : rows of the table asked for to learn from them; no random sample, so no estimate of the audit has them
    """

    answers: dict[int, Answer] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    more: dict[str, list[int]] = field(default_factory=dict)
    chosen: list[int] = field(default_factory=list)


def kept(trained: services.Trained, n_rows: int) -> Kept:
    """The answers of a run on a table of `n_rows` rows; what of them cannot be read is passed over."""
    match trained.run.extra(NAME):
        case {"answers": answers, "began": dict(began), "more": dict(more), **others}:
            listed = others.get("chosen")
            chosen = (
                [row for row in listed if isinstance(row, int) and 0 <= row < n_rows]
                if isinstance(listed, list)
                else []
            )
            return Kept(from_record(answers, n_rows), began, more, chosen)
    return Kept()


def keep(trained: services.Trained, new: Kept) -> None:
    """Keep them in place of those there were."""
    record = {"answers": to_record(new.answers), "began": new.began, "more": new.more, "chosen": new.chosen}
    services.store().put_json(trained.run.run_id, NAME, record)


def files(trained: services.Trained, present: Kept, scored: ScoredTable) -> None:
    """The answers as a file, and a file of answers for these rows."""
    with st.expander("Answers as a file"):
        st.download_button(
            "Answers (CSV)",
            to_csv(present.answers, scored.scores),
            file_name="answers.csv",
            mime="text/csv",
            on_click="ignore",
            disabled=not present.answers,
        )
        upload = st.file_uploader("Add answers from a file", type=["csv", "tsv", "txt"], key="detect.answers")
        if upload is None:
            return
        digest = hashlib.sha256(upload.getvalue()).hexdigest()
        if state.recall("detect.answers.read") == (trained.run.run_id, digest):
            return
        try:
            new = from_frame(_as_text(upload.getvalue()), len(scored.scores))
        except TableError as error:
            st.error(formatting.escaped(error))
            return
        state.keep("detect.answers.read", (trained.run.run_id, digest))
        keep(trained, replace(present, answers=present.answers | new))
        st.rerun()


def _as_text(data: bytes) -> pd.DataFrame:
    return read_table(data).frame
