"""What leaves of a scored table: the user's columns, ours beside them, and reasons."""

import io

import numpy as np
import pandas as pd

from flowlab.dashboard.detect import downloads
from flowlab.datasets.dataset import Dataset
from flowlab.detection.rules import manual
from flowlab.detection.scored_table import ScoredTable
from flowlab.explain import Reason, RowReasons
from flowlab.serving.scored_rows import scored_rows, to_csv, to_parquet
from flowlab.tables.export import Writing
from flowlab.tables.read import read_table

TABLE = pd.DataFrame({"name": ["=cmd()", "b", "c"], "flagged": [1, 2, 3]}, index=[7, 8, 9])
SCORED = ScoredTable.of(Dataset(np.zeros((3, 1)), ("x",)), np.array([1.0, 3.0, 2.0]), TABLE)
REASONS = {
    2: RowReasons(
        (
            Reason("c", "a", None, None, "c", "a (24 of 24)", False, "name c is far above", 0, "name", 2.0),
            Reason(3, 1, 1, 2, "3", "1 to 2", False, "second", 1, "flagged", 1.0),
        )
    ),
    0: RowReasons((), "The combination counts."),
}


def test_the_rows_to_leave_with_have_the_users_columns_and_ours():
    out = scored_rows(SCORED, manual(2.0), REASONS)
    reasons = [f"reason_{i}{part}" for i in (1, 2, 3) for part in ("", "_column", "_value", "_usual")]
    assert list(out) == ["name", "flagged", "anomaly_score", "percentile", "p_value", "flagged_2", *reasons]
    assert out["reason_1"].tolist() == ["The combination counts", "", "name c is far above"]
    assert out.loc[2, reasons[:8]].tolist() == [
        "name c is far above", "name", "c", "a (24 of 24)", "second", "flagged", "3", "1 to 2",
    ]  # fmt: skip
    assert out["flagged_2"].tolist() == [0, 1, 1]
    assert out["anomaly_score"].tolist() == [1.0, 3.0, 2.0]
    assert b"'=cmd()" in to_csv(SCORED, manual(2.0))
    assert list(TABLE) == ["name", "flagged"], "the shared table stays as it is"


def test_some_rows_come_in_their_order_with_their_own_scores_and_reasons():
    out = scored_rows(SCORED, manual(2.5), REASONS, rows=np.array([2, 0]))
    assert out["name"].tolist() == ["c", "=cmd()"] and out["anomaly_score"].tolist() == [2.0, 1.0]
    assert out["reason_1_column"].tolist() == ["name", ""] and out["flagged_2"].tolist() == [0, 0]


def test_cells_leave_as_they_were_written_and_parquet_keeps_types():
    cells = TABLE.assign(flagged=["1,0", "2,0", "3,0"])
    assert b'b,"2,0",3.0' in to_csv(SCORED, manual(2.0), cells=cells)
    back = pd.read_parquet(io.BytesIO(to_parquet(SCORED, manual(2.0), REASONS)))
    assert back["flagged"].tolist() == [1, 2, 3] and back["reason_2"].tolist() == ["", "", "second"]


def test_rows_of_numbers_leave_with_their_labels():
    scored = ScoredTable.of(Dataset(np.eye(2), ("a", "b"), y=np.array([0, 1])), np.zeros(2))
    assert list(scored_rows(scored, manual(1.0)))[:3] == ["a", "b", "label"]


def test_each_format_has_the_same_rows(monkeypatch):
    monkeypatch.setattr(downloads, "_for_excel", lambda: Writing.for_excel("semicolon", ","))
    made = {
        format.name: downloads.rows_maker(
            format, SCORED, manual(2.0), lambda: REASONS, lambda: None, np.array([1, 2])
        )()
        for format in downloads.FORMATS
    }
    assert made["CSV for Excel"].startswith(b"\xef\xbb\xbfname;flagged;") and b";3,0;" in made["CSV for Excel"]
    for data in made.values():
        back = read_table(data).frame
        assert back["name"].tolist() == ["b", "c"] and back["anomaly_score"].tolist() == [3.0, 2.0]
        assert back["reason_1"].fillna("").tolist() == ["", "name c is far above"]
