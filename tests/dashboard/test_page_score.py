"""The Score page: the present run's detector or a saved one on a new file, with trouble said in words."""

import io
import re
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages_driver import enter, labelled, open_page, press, said, train
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.__main__ import main
from flowlab.records import Spec
from flowlab.tables.read import read_table

ROOT = Path(__file__).parents[2]
QUERY = {"data": "moons", "data.n_samples": "2000", "model": "gaussian"}
WATCHED = {**QUERY, "seed": "3"}
"""A run of its own, whose history holds the files of one test alone."""


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store, one runner, one finished run; scoring in this process."""
    from flowlab.dashboard.score import files

    train(QUERY, WATCHED, {**WATCHED, "seed": "4"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "LANES", 0)
        yield


def upload(at: AppTest, data: bytes, name: str = "new.csv") -> AppTest:
    enter(at, at.file_uploader(key="score.file"), (name, data, "text/csv"))
    return press(at, "Score this file")


def _csv(n=500, shift=0.0):
    rng = np.random.default_rng(0)
    return (
        pd.DataFrame({"x1": rng.normal(0.5, 0.8, n) + shift, "x2": rng.normal(0.25, 0.5, n)})
        .to_csv(index=False)
        .encode()
    )


def test_the_present_run_scores_a_file():
    at = open_page("score", QUERY)
    assert "One Gaussian trained on" in said(at)
    upload(at, _csv())
    assert {m.label: m.value for m in at.metric}["Rows"] == "500"
    assert at.dataframe[0].value["anomaly_score"].is_monotonic_decreasing


def test_flagged_rows_of_a_new_file_have_reasons_kinds_and_what_is_new_in_them():
    at = upload(open_page("score", QUERY), _csv() + b"9.0,0.2\n9.5,0.1\n0.5,9.0\n0.4,9.5\n")
    rows = at.dataframe[0].value
    flagged = rows[rows["flagged"] == 1]
    assert (flagged["reason_1"] != "").all() and (rows.loc[rows["flagged"] == 0, "reason_1"] == "").all()
    assert rows["novelty"][500].startswith("x1 9 is higher than all learned")
    assert int({m.label: m.value for m in at.metric}["With something new"]) >= 3
    shown = labelled(at.selectbox, "Show only")
    enter(at, shown, next(kind for kind in shown.options if kind.startswith("x2 high")))
    only = at.dataframe[0].value
    assert 0 < len(only) < len(flagged) and 502 in only.index


def test_files_are_watched_a_line_for_each_and_a_broken_promise_is_said():
    at, X = open_page("score", WATCHED), catalog.make_dataset(Spec("moons", {"n_samples": 2000}), 5).X
    months = [pd.DataFrame(X[:n], columns=["x1", "x2"]).to_csv(index=False).encode() for n in (401, 402)]
    for i, month in enumerate(months, 1):
        upload(at, month, f"month{i}.csv")
    upload(at, months[0], "again.csv")
    lines = next(table.value for table in at.dataframe if "scored" in table.value)
    assert lines["file"].tolist()[-2:] == ["month1.csv", "month2.csv"] and lines["rows"].tolist()[-2:] == [401, 402]
    assert "is in keeping with what was seen" in said(at)
    upload(at, _csv(600, shift=6.0), "month3.csv")
    assert any("has been broken since about row" in warning.value for warning in at.warning)


def test_several_files_have_a_line_each_and_one_that_does_not_fit_stops_no_other():
    at = open_page("score", {**WATCHED, "seed": "4"})
    files = [("a.csv", _csv(300), "text/csv"), ("b.csv", b"a,b\n1,2\n3,4\n", "text/csv"), ("c.csv", _csv(200, 9.0), "")]
    enter(at, at.file_uploader(key="score.file"), files)
    press(at, "Score these 3 files")
    assert len(at.error) == 1 and "b.csv: The detector was trained on columns that the file lacks" in said(at)
    lines = next(table.value for table in at.dataframe if "with something new" in table.value)
    assert lines["file"].tolist() == ["a.csv", "c.csv"] and lines["rows"].tolist() == [300, 200]
    assert next(t.value for t in at.dataframe if "scored" in t.value)["file"].tolist() == ["a.csv", "c.csv"]
    enter(at, at.selectbox(key="score.shown"), at.selectbox(key="score.shown").options[1])
    assert {m.label: m.value for m in at.metric}["Rows"] == "200"
    assert [b.label for b in at.button if b.label.startswith("Score")] == ["Score this file"], "the one that failed"


def test_scored_files_leave_as_workbooks_alone_and_together():
    from flowlab.dashboard.detect.downloads import FORMATS
    from flowlab.dashboard.score.files import archive, as_format

    at = upload(open_page("score", QUERY), _csv(150))
    _, done, _ = at.session_state["kept.score.done"]
    (file,) = done.values()
    excel = next(format for format in FORMATS if format.suffix == ".xlsx")
    rows = read_table(as_format(file, excel, file.summary.flagged_rows)()).frame
    assert len(rows) == file.summary.n_flagged > 0 and (rows["flagged"] == 1).all()
    with zipfile.ZipFile(io.BytesIO(archive([file, file], excel)())) as packed:
        assert packed.namelist() == ["new_scored.xlsx", "new_scored_2.xlsx"]
        back = read_table(packed.read("new_scored.xlsx")).frame
    assert back["x1"].tolist() == pd.read_csv(io.BytesIO(_csv(150)))["x1"].tolist()


@pytest.mark.parametrize("record", [{"a": 1}, ["line", None, {"drift": 3}], [{"drift": [], "monitor": {}}]])
def test_a_damaged_history_is_passed_over(record):
    from flowlab.dashboard.shell import services

    run = next(run for run in services.store().list() if run.spec.seed == 0)
    services.store().put_json(run.run_id, "watched", record)
    at = upload(open_page("score", QUERY), _csv(300), f"{len(record)}.csv")
    assert {m.label: m.value for m in at.metric}["Rows"] == "300"


def test_one_row_gives_no_rate_of_nought():
    at = upload(open_page("score", QUERY), b"x1,x2\n0.5,0.1\n")
    assert not re.search(r"\b0 rows/s", said(at))


def test_drift_is_said():
    at = upload(open_page("score", QUERY), _csv(shift=5.0))
    assert "x1 has shifted strongly" in said(at) and "scores have shifted strongly" in said(at)


@pytest.mark.parametrize(
    "data, sentence", [(b"a,b\n1,2\n3,4\n", "lacks: x1, x2"), (b"\x00\x01\x02", "file"), (b"x1,x2\n", "row")]
)
def test_files_that_do_not_fit_are_answered_in_words(data, sentence):
    at = upload(open_page("score", QUERY), data)
    assert len(at.error) == 1 and sentence in said(at)


def test_without_a_trained_run_the_way_is_shown():
    assert "not trained yet" in said(open_page("score", {**QUERY, "seed": "99"}))


def test_a_file_that_is_no_detector_is_refused():
    at = open_page("score", QUERY, source="A detector file")
    enter(at, at.file_uploader(key="score.detector"), ("x.detector", b"junk", "application/zip"))
    assert "This is not a detector file" in said(at)


def test_an_uploaded_detector_is_described_without_being_opened_in_the_server(monkeypatch, tmp_path):
    from flowlab.serving import bundle

    orders, detector = ROOT / "tests" / "stories" / "written_by_0_1_0" / "orders.csv", tmp_path / "orders.detector"
    settings = ["--set", "n_flows=1", "n_steps=60"]
    assert main(["train", str(orders), "--label", "fraud", "-o", str(detector), *settings]) == 0

    def refuse(*_):
        raise AssertionError("a stranger's file was opened in the server")

    monkeypatch.setattr(bundle, "unpack", refuse)
    at = open_page("score", QUERY, source="A detector file")
    enter(at, at.file_uploader(key="score.detector"), ("x.detector", detector.read_bytes(), "application/zip"))
    assert "Detector trained on 187 rows of orders.csv" in said(at) and not at.error
    assert "Half moons" not in said(at)
    enter(at, at.file_uploader(key="score.detector"), ("x.detector", b"PK\x03\x04junk", "application/zip"))
    assert "This is not a detector file" in said(at)


def test_the_server_side_of_the_page_does_not_load_torch():
    import subprocess

    code = (
        "import sys, flowlab.dashboard.score.page, flowlab.dashboard.detect.page; "
        "sys.exit('torch' in sys.modules or 'plotly' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
