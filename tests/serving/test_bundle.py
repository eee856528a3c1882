"""Detector files and the command line: the same scores elsewhere, bounded memory, and trouble said in words."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest

import flowlab.commands.score as score_command
from flowlab import catalog
from flowlab.__main__ import main
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.drift import baseline
from flowlab.detection.scored_table import ScoredTable
from flowlab.records import Spec
from flowlab.serving import blocks
from flowlab.serving.bundle import DetectorFileError, from_bytes, make_detector, to_bytes
from flowlab.serving.scorer import NO_P_VALUES, Scorer
from flowlab.serving.scoring import score_file
from flowlab.tables.limits import TableError


def _table(n=900, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.05).astype(int)
    frame = pd.DataFrame(rng.normal(size=(n, 3)).round(4), columns=["temp", "speed", "flow"])
    frame["temp"] += 9 * y
    frame["colour"] = rng.choice(["red", "blue", "green"], n)
    frame["count"] = rng.integers(0, 4, n)
    frame.loc[rng.integers(0, n, 20), "flow"] = np.nan
    frame["fault"] = y
    return frame


def _detector(model="affine", roles="", **params):
    dataset, _ = make_table_dataset(_table(), label="fault", name="plant.csv", roles=roles)
    spec = Spec(model, params or ({"n_steps": 60} if model == "affine" else {}))
    fitted = catalog.make_model(spec, 0, dataset).fit(dataset.fitting_rows())
    scored = ScoredTable.of(dataset, fitted.anomaly_score(dataset.X))
    detector = make_detector(spec, 0, fitted.get_state(), scored, scored.choose("f_beta"))
    return detector, dataset, scored


@pytest.fixture(scope="module")
def saved():
    return _detector()


def _csv(frame, **options):
    return frame.to_csv(index=False, **options).encode()


def _score(detector, data):
    out = io.BytesIO()
    summary = score_file(to_bytes(detector), io.BytesIO(data), out)
    return summary, pd.read_csv(io.BytesIO(out.getvalue()))


@pytest.mark.parametrize("model", ["affine", "gaussian", "forest", "detector"])
def test_a_detector_that_was_saved_scores_the_same(model):
    params = {"n_steps": 50} if model == "affine" else {}
    detector, dataset, scored = _detector(model, **params)
    again = from_bytes(to_bytes(detector))
    np.testing.assert_allclose(again.model().anomaly_score(dataset.X), scored.scores, rtol=1e-6)
    assert again.threshold == detector.threshold and again.columns == detector.columns


@pytest.mark.parametrize("model", ["affine", "detector"])
def test_a_detector_that_judges_rows_among_their_kind_scores_the_same(model):
    detector, dataset, scored = _detector(model, roles="context=4", n_steps=50)
    assert dataset.columns[dataset.context] == "colour"
    again = from_bytes(to_bytes(detector))
    np.testing.assert_allclose(again.anomaly_score(again.model(), dataset.X), scored.scores, rtol=1e-6)
    later = _table(seed=5)
    later.loc[:9, "colour"] = "violet"
    _, scored = _score(detector, _csv(later))
    assert np.isfinite(scored.filter(like="score").to_numpy()).all()


def test_it_scores_the_same_in_another_process(saved, tmp_path):
    detector, _, scored = saved
    (tmp_path / "d").write_bytes(to_bytes(detector))
    _table().drop(columns="fault").to_csv(tmp_path / "new.csv", index=False)
    command = [sys.executable, "-m", "flowlab", "score", "d", "new.csv", "-o", "out.csv"]
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == 0, done.stderr
    out = pd.read_csv(tmp_path / "out.csv")
    np.testing.assert_allclose(out["anomaly_score"], scored.scores, rtol=1e-6)
    assert np.array_equal(out["flagged"], scored.scores >= detector.threshold.value)


def test_equal_detectors_are_equal_files_and_hold_no_pickle(saved):
    detector, _, _ = saved
    data = to_bytes(detector)
    assert data == to_bytes(from_bytes(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert sorted(archive.namelist()) == ["detector.json", "manifest.json", "model.npz", "statistics.npz"]


def _rewritten(data, change):
    """The file with its members changed by `change(members)`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def _later_version(members):
    manifest = json.loads(members["manifest.json"])
    members["manifest.json"] = json.dumps({**manifest, "version": 99}).encode()


def _altered(members):
    members["model.npz"] = members["model.npz"][:-1] + b"x"


def _extra(members):
    members["evil.pkl"] = b"cos\nsystem"


@pytest.mark.parametrize(
    "change, words", [(_later_version, "version 99"), (_altered, "altered or damaged"), (_extra, "not a detector file")]
)
def test_altered_files_are_refused_in_words(saved, change, words):
    with pytest.raises(DetectorFileError, match=words):
        from_bytes(_rewritten(to_bytes(saved[0]), change))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04junk", b"a,b\n1,2\n", b"\x80\x04pickle"])
def test_other_files_are_no_detectors(data):
    with pytest.raises(DetectorFileError, match="not a detector file"):
        from_bytes(data)


def test_every_truncation_is_refused(saved):
    data = to_bytes(saved[0])
    for end in np.linspace(0, len(data) - 1, 40).astype(int):
        with pytest.raises(DetectorFileError):
            from_bytes(data[:end])


def test_blocks_give_what_the_whole_gives(saved, monkeypatch):
    data = _csv(_table(seed=5))
    whole_summary, whole = _score(saved[0], data)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 2000)
    summary, pieces = _score(saved[0], data)
    pd.testing.assert_frame_equal(pieces, whole)
    assert summary.n_rows == whole_summary.n_rows == 900 and summary.n_flagged == whole_summary.n_flagged
    np.testing.assert_allclose(summary.shift, whole_summary.shift)
    assert len(summary.highest) == 100


@pytest.mark.parametrize(
    "options", [{"sep": ";", "decimal": ","}, {"sep": "\t"}, {"quoting": 1}, {"lineterminator": "\r\n"}]
)
def test_other_ways_to_write_a_table_give_the_same_scores(saved, monkeypatch, options):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 3000)
    frame = _table(seed=6)
    _, plain = _score(saved[0], _csv(frame))
    _, other = _score(saved[0], _csv(frame, **options))
    np.testing.assert_allclose(other["anomaly_score"], plain["anomaly_score"])


def test_line_ends_inside_quotes_do_not_cut_a_row(saved, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1500)
    frame = _table(seed=7)
    frame["note"] = 'two\nlines, and a "quote"'
    _, out = _score(saved[0], _csv(frame))
    assert out["note"].tolist() == frame["note"].tolist()
    assert out["temp"].tolist() == frame["temp"].tolist()


def test_characters_of_several_bytes_are_not_cut(saved, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 777)
    frame = _table(200, seed=8)
    frame["ort"] = "Zürich, 東京"
    _, out = _score(saved[0], _csv(frame))
    assert set(out["ort"]) == {"Zürich, 東京"}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_other_encodings_are_read(saved, monkeypatch, encoding):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1000)
    frame = _table(100, seed=8)
    frame["ort"] = "Zürich"
    _, out = _score(saved[0], frame.to_csv(index=False).encode(encoding))
    assert set(out["ort"]) == {"Zürich"} and len(out) == 100


def test_columns_are_matched_by_name_and_trouble_is_named(saved):
    frame = _table(seed=9)
    _, plain = _score(saved[0], _csv(frame))
    _, moved = _score(saved[0], _csv(frame[frame.columns[::-1]]))
    np.testing.assert_allclose(moved["anomaly_score"], plain["anomaly_score"])
    with pytest.raises(DetectorFileError, match="lacks: speed"):
        _score(saved[0], _csv(frame.drop(columns="speed")))
    with pytest.raises(TableError):
        _score(saved[0], b"temp,speed,flow,colour,count\n")


def test_new_categories_are_said(saved):
    frame = _table(seed=10)
    frame.loc[:9, "colour"] = "purple"
    summary, _ = _score(saved[0], _csv(frame))
    assert any("colour has new values" in note and "purple" in note for note in summary.notes)


def test_cells_that_are_missing_for_the_first_time_are_said_as_such(saved):
    frame = _table(seed=10)
    frame.loc[:9, "colour"] = None
    summary, _ = _score(saved[0], _csv(frame))
    assert "colour was never missing; it is in 10 rows." in summary.notes
    assert not any("such as" in note for note in summary.notes)


def test_formulas_are_neutralised_on_the_fast_way_too(saved):
    frame = _table(50, seed=11)
    frame["note"] = "=1+1"
    out = io.BytesIO()
    score_file(to_bytes(saved[0]), io.BytesIO(_csv(frame)), out)
    assert b"'=1+1" in out.getvalue() and b",=1+1" not in out.getvalue()


def test_drift_is_seen_and_its_absence_too(saved):
    frame = _table(2000, seed=12)
    calm, _ = _score(saved[0], _csv(frame))
    assert not calm.drift
    frame["speed"] += 2
    moved, _ = _score(saved[0], _csv(frame))
    assert any(sentence.startswith("speed has shifted strongly") for sentence in moved.drift)


def test_the_stability_index_is_nought_on_average_without_drift():
    rng = np.random.default_rng(0)
    base = baseline(rng.normal(size=(3000, 2)), rng.normal(size=1000))
    found = [
        base.shift(base.count(r.normal(size=(300, 2)), r.normal(size=300)))
        for r in map(np.random.default_rng, range(60))
    ]
    assert np.mean(found) < 0.03


def test_the_command_line_trains_scores_and_lists(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _table().to_csv("plant.csv", index=False)
    assert main(["train", "plant.csv", "--label", "fault", "--model", "gaussian", "-o", "d"]) == 0
    assert "AUROC" in capsys.readouterr().out
    assert main(["score", "d", "plant.csv", "-o", "out.csv"]) == 0
    assert "900 rows scored" in capsys.readouterr().out
    given = ["train", "plant.csv", "--label", "fault", "--context", "colour", "--model", "affine", "-o", "g"]
    assert main([*given, "--set", "n_steps=50"]) == 0
    assert main(["score", "g", "plant.csv", "-o", "given.csv"]) == 0
    assert main(["runs", "--home", "nowhere"]) == 0
    assert "no runs" in capsys.readouterr().out


def _not_to_be_called(*_):
    raise AssertionError("what can be refused is refused before training")


@pytest.mark.parametrize(
    "command, words",
    [
        (["score", "missing", "plant.csv", "-o", "o"], "missing"),
        (["train", "plant.csv", "--label", "nothing", "-o", "o"], "nothing"),
        (["train", "plant.csv", "--context", "temp", "-o", "o"], "more than 100; give it the role category"),
        (["train", "plant.csv", "--no-label", "--rule", "cost", "-o", "o"], "needs labels"),
        (["train", "plant.csv", "--set", "steps", "-o", "o"], "NAME=VALUE"),
        (["train", "plant.csv", "--set", "steps=3", "-o", "o"], "has no setting 'steps'"),
        (["train", "plant.csv", "--set", "n_steps=many", "-o", "o"], "n_steps=many"),
        (["train", "plant.csv", "--set", "n_flows=1000", "-o", "o"], "is a number from"),
        (["train", "plant.csv", "--rule-set", "share=0.1", "-o", "o"], "needs --rule"),
        (["train", "plant.csv", "--rule", "quantile", "--rule-set", "shore=0.1", "-o", "o"], "it has share"),
        (
            ["train", "plant.csv", "--rule", "quantile", "--rule-set", "share=x", "-o", "o"],
            "is a number from 0.0001 to 0.5",
        ),
        (["train", "plant.csv", "--rule", "quantile", "--rule-set", "share=nan", "-o", "o"], "is a number from"),
        (["train", "plant.csv", "--rule", "quantile", "--rule-set", "share=5", "-o", "o"], "from 0.0001 to 0.5"),
        (["train", "plant.csv", "--no-label", "-o", "o"], "Nothing was trained"),
        (["train", "plant.csv", "--rule", "extreme_value", "-o", "o"], "Nothing was trained"),
        (["train", "plant.csv", "--by-group", "temp", "--rule-set", "rate=0.05", "-o", "o"], "not 'temp'; there are"),
        (["train", "plant.csv", "--by-group", "colour", "--rule", "cost", "-o", "o"], "needs the rule 'conformal'"),
        (["train", "plant.csv", "-o", "nowhere/o"], "there is no folder"),
        (["train", "plant.csv", "-o", "plant.csv"], "is the file that is read"),
        (["score", "plant.csv", "plant.csv", "-o", "o"], "not a detector file"),
    ],
)
def test_errors_of_the_command_line_are_one_sentence_and_leave_no_file(tmp_path, capsys, monkeypatch, command, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalog, "make_model", _not_to_be_called)
    _table(300).to_csv("plant.csv", index=False)
    assert main(command) == 1
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said and said.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plant.csv"]


@pytest.mark.parametrize(
    "option, words",
    [
        (["--delimiter", "ab"], "one character"),
        (["--encoding", "base64"], "is no encoding"),
        (["--encoding", "klingon"], "is no encoding"),
        (["--seed", "-1"], "whole number"),
        (["--rule", "guess"], "guess"),
        (["--label", "fault", "--no-label"], "not allowed with"),
    ],
)
def test_wrong_use_of_the_command_line_is_said_with_code_2(capsys, option, words):
    with pytest.raises(SystemExit) as stopped:
        main(["train", "plant.csv", "-o", "o", *option])
    assert stopped.value.code == 2 and words in capsys.readouterr().err


def test_the_command_line_proposes_the_label_as_the_page_does(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = _table()
    frame["fault"] = frame["fault"].astype(object).where(frame.index > 4)
    frame.to_csv("plant.csv", index=False)
    assert main(["train", "plant.csv", "--model", "gaussian", "-o", "proposed"]) == 0
    said = capsys.readouterr().out
    assert "The column fault is taken as the label" in said and "1 as anomalies" in said
    assert "5 rows (0.6 %) without a label count as normal" in said
    assert main(["train", "plant.csv", "--label", "fault", "--model", "gaussian", "-o", "asked"]) == 0
    assert "taken as the label" not in capsys.readouterr().out
    assert (tmp_path / "proposed").read_bytes() == (tmp_path / "asked").read_bytes()
    assert main(["train", "plant.csv", "--no-label", "--model", "gaussian", "-o", "without"]) == 0
    assert any("fault" in name for name in from_bytes((tmp_path / "without").read_bytes()).columns)


def test_the_command_line_warns_of_codes_for_missing_values_as_the_page_does(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = _table()
    frame.loc[::9, "temp"] = -999
    frame.to_csv("plant.csv", index=False)
    assert main(["train", "plant.csv", "--model", "gaussian", "-o", "d"]) == 0
    assert any("temp" in line and "-999" in line for line in capsys.readouterr().out.splitlines())


def test_an_encoding_that_had_to_be_guessed_is_said_of_a_scored_file(saved):
    detector, _, scored = saved
    later = _table().drop(columns="fault").assign(ort="Łódź, województwo łódzkie")
    summary, file = _score(detector, later.to_csv(index=False).encode("cp1250"))
    assert any("does not say its encoding" in note for note in summary.notes)
    np.testing.assert_allclose(file["anomaly_score"], scored.scores, rtol=1e-6)
    assert not any("encoding" in note for note in _score(detector, _csv(later))[0].notes)


def test_options_of_reading_reach_the_reader(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = _table().drop(columns="colour")
    frame.loc[:400, "speed"] = -999
    frame.to_csv("plant.txt", index=False, header=False, sep="|", encoding="utf-16")
    options = ["--delimiter", "bar", "--encoding", "utf-16", "--decimal", ".", "--no-header", "--missing", "-999"]
    assert main(["train", "plant.txt", "--no-label", "--model", "gaussian", "-o", "d", *options]) == 0
    columns = from_bytes((tmp_path / "d").read_bytes()).columns
    assert any("is missing" in name for name in columns) and not any("temp" in name for name in columns)
    asked = {}

    def score_file(*_, progress, **given):
        asked.update(given)
        raise ValueError("seen")

    monkeypatch.setattr(score_command, "score_file", score_file)
    assert main(["score", "d", "plant.txt", "-o", "out.csv", *options]) == 1
    assert asked["reading"] == {
        "delimiter": "|", "encoding": "utf-16", "decimal": ".", "header": False, "missing_codes": ("-999",)
    }  # fmt: skip
    assert main(["score", "d", "plant.txt", "-o", "out.csv"]) == 1


def test_columns_of_numbers_need_no_encoder():
    detector, dataset, scored = _detector("gaussian")
    bare = from_bytes(to_bytes(detector))
    bare = type(bare)(**{**bare.__dict__, "encoder": ""})
    frame = pd.DataFrame(dataset.X, columns=list(dataset.columns))
    found, *_ = Scorer(bare).score(frame)
    np.testing.assert_allclose(found.score, scored.scores, rtol=1e-9)


@pytest.mark.parametrize("trouble", ["no validation rows", "a series divided at random"])
def test_a_detector_of_which_nothing_can_be_promised_gives_no_p_values(trouble):
    """The p-values of a new file rest on the same rows as those of the table that the detector was made of."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    if trouble == "a series divided at random":
        dataset = Dataset(X.cumsum(axis=0), ("a", "b"))
    else:
        dataset = Dataset(X, ("a", "b"), split=np.zeros(600, np.int8))
    model = catalog.make_model(Spec("gaussian"), 0, dataset).fit(dataset.part("train"))
    scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X))
    detector = make_detector(Spec("gaussian"), 0, model.get_state(), scored, scored.choose("quantile"))
    summary, found = _score(from_bytes(to_bytes(detector)), _csv(pd.DataFrame(X, columns=["a", "b"])))
    assert np.isnan(scored.row_scores.p_value).all() and found["p_value"].isna().all()
    assert found["percentile"].notna().all() and NO_P_VALUES in summary.notes


def test_a_detector_that_can_promise_gives_p_values(saved):
    summary, found = _score(saved[0], _csv(_table()))
    assert found["p_value"].notna().all() and NO_P_VALUES not in summary.notes
