"""A detector without rows set aside: from a table to its file, which scores new rows to the same numbers."""

import io

import numpy as np
import pandas as pd
import pytest

from flowlab.__main__ import main
from flowlab.records import RunSpec, Spec
from flowlab.serving.bundle import DetectorFileError, from_bytes, to_bytes
from flowlab.serving.detection import detect
from flowlab.serving.report import detection_report
from flowlab.serving.scored_rows import scored_rows
from flowlab.serving.scoring import score_file


def table(n_rows=240) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"load": rng.normal(size=n_rows), "kind": rng.choice(["a", "b"], n_rows), "bad": 0})
    frame.loc[::40, ["load", "bad"]] = 8.0, 1
    return frame


@pytest.fixture(scope="module")
def detection():
    return detect(table(), label="bad", model="gaussian", n_folds=4)


def test_training_and_validation_rows_all_calibrate(detection):
    scored = detection.scored
    normal = (scored.dataset.split != 2) & (scored.dataset.y == 0)
    assert np.array_equal(scored.calibration_rows, np.flatnonzero(normal))
    assert np.isfinite(scored.row_scores.p_value).all()
    threshold = detection.choose("conformal", rate=0.02)
    assert f"each of {normal.sum()} normal rows was scored by the one of 4 models" in threshold.sentence
    flagged = scored.flags(threshold)
    assert flagged[scored.dataset.y == 1].all() and flagged[normal].mean() <= 0.02
    assert not scored.certified(threshold), "that bound takes rows set aside"


def test_the_file_scores_rows_that_no_copy_saw_to_the_same_numbers(detection):
    threshold = detection.choose("conformal", rate=0.02)
    saved = detection.to_bytes(threshold)
    assert to_bytes(from_bytes(saved)) == saved and from_bytes(saved).n_folds == 4
    out = io.BytesIO()
    score_file(saved, io.BytesIO(table().to_csv(index=False).encode()), out)
    found = pd.read_csv(io.BytesIO(out.getvalue())).iloc[detection.scored.rows("test")]
    here = scored_rows(detection.scored, threshold, rows=detection.scored.rows("test"))
    for name in ("anomaly_score", "p_value", "flagged"):
        np.testing.assert_allclose(found[name], here[name], rtol=1e-12)
    assert np.array_equal(found["flagged"] == 1, found["p_value"] <= 0.02)


def test_the_report_says_what_the_threshold_was_chosen_on(detection):
    threshold = detection.choose("conformal", rate=0.02)
    page = detection_report("table", RunSpec(Spec("moons"), Spec("gaussian")), detection.scored, threshold).decode()
    assert "each scored by the one of 4 models that was not fitted to it, and is reported on 36 test rows" in page


def test_what_takes_rows_set_aside_is_refused(detection):
    scored = detection.scored
    assert "needs rows set aside" in scored.choose("conformal", confidence=0.9).sentence
    assert "against rows set aside" in scored.choose("false_discovery").sentence
    assert scored.group_columns == ()
    with pytest.raises(ValueError, match="folds and a context exclude each other"):
        detect(table(), context="kind", model="gaussian", n_folds=4)
    rng = np.random.default_rng(0)
    series = detect(pd.DataFrame({"x": rng.normal(size=(300)).cumsum()}), model="gaussian", n_folds=4).scored
    assert "folds part them at random" in series.choose("conformal").sentence
    with pytest.raises(DetectorFileError, match="damaged inside"):
        bundle = from_bytes(detection.to_bytes(scored.choose("quantile")))
        from_bytes(to_bytes(type(bundle)(**{**vars(bundle), "n_folds": 1})))


def test_the_command_line_trains_on_folds(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table().to_csv("t.csv", index=False)
    command = ["train", "t.csv", "-o", "d", "--label", "bad", "--model", "gaussian", "--rule", "conformal"]
    assert main([*command, "--folds", "4", "--rule-set", "rate=0.02"]) == 0
    assert "each of 199 normal rows was scored by the one of 4 models" in capsys.readouterr().out
    assert main([*command, "--folds", "4", "--by-group", "kind"]) != 0
    assert "exclude each other" in capsys.readouterr().err
    assert main([*command, "--rule-set", "rate=0.01"]) != 0
    assert "use a longer table, --folds 5 or another rule" in capsys.readouterr().err
    assert main([*command, "--folds", "1"]) != 0 and "--folds takes 2 to 1000" in capsys.readouterr().err
