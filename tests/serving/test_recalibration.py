"""A threshold set anew on newer rows, a version that leaves rows out, and what their files tell of themselves."""

import io

import numpy as np
import pandas as pd
import pytest

from flowlab.__main__ import main
from flowlab.detection.rules import manual
from flowlab.serving.bundle import describe_detector, from_bytes, to_bytes
from flowlab.serving.detection import detect
from flowlab.serving.recalibration import recalibrated, renewed
from flowlab.serving.scoring import score_file
from flowlab.store.label import RunLabel


def table(n: int, mean: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    load = rng.normal(mean, 1, n)
    return pd.DataFrame({"load": load, "temp": load + rng.normal(0, 0.2, n), "line": rng.choice(["a", "b"], n)})


@pytest.fixture(scope="module")
def month():
    """A detector of March with each rule, and what the plain one says of April, when all loads are higher."""
    detection = detect(table(900, 5, 0), model="gaussian")
    rules = {"conformal": {"rate": 0.02}, "quantile": {"share": 0.02}}
    made = {
        name: from_bytes(detection.to_bytes(detection.choose(name, **parameters), label=RunLabel("march")))
        for name, parameters in rules.items()
    }
    made["groups"] = from_bytes(detection.to_bytes(detection.choose(by_group="line", rate=0.02)))
    april = table(1000, 7, 1)
    return detection, made, april, score(made["groups"], april)


def score(detector, frame):
    return score_file(to_bytes(detector), io.BytesIO(frame.to_csv(index=False).encode()), io.BytesIO())


def test_the_rule_is_applied_again_and_nothing_else_changes(month):
    _, made, april, summary = month
    old = made["conformal"]
    before = to_bytes(old)
    found = recalibrated(old, summary.scores, file="april.csv")
    assert found.new.rule == "conformal" and dict(found.new.parameters) == dict(old.threshold.parameters)
    assert found.old_flags.mean() > 0.1 >= 0.02 >= found.new_flags.mean()
    assert to_bytes(old) == before, "the old detector is kept"
    told = describe_detector(to_bytes(found.detector))
    assert "1 000 rows of april.csv; before it was" in told["recalibrated"].replace("\u2009", " ")
    assert told["label"]["name"] == "march"
    again = score(found.detector, april)
    assert np.array_equal(again.scores, summary.scores), "the model and its scores are as they were"
    assert again.n_flagged == found.new_flags.sum() and len(summary.drift) > len(again.drift)
    assert not any("scores have shifted" in sentence or "flagged" in sentence for sentence in again.drift)


def test_each_group_gets_its_own_threshold_anew(month):
    _, made, april, summary = month
    found = recalibrated(made["groups"], summary.scores, summary.levels)
    assert found.new.groups is not None and {group.name for group in found.new.groups.groups} == {"a", "b"}
    for name in "ab":
        assert found.new_flags[(april["line"] == name).to_numpy()].mean() <= 0.02


def test_a_threshold_that_scores_alone_do_not_give_keeps_its_share(month):
    detection, _, _, summary = month
    value = float(np.quantile(detection.scored.calibration, 0.95))
    old = from_bytes(detection.to_bytes(manual(value)))
    found = recalibrated(old, summary.scores)
    there = old.facts["validation_flagged"] / old.facts["validation_rows"]
    assert found.new_flags.mean() == pytest.approx(there, abs=0.002) and "set by hand" in found.new.caution
    nothing = from_bytes(detection.to_bytes(manual(1e6)))
    found = renewed((to_bytes(nothing), summary.scores, None, "april.csv"))
    assert "there is no share to keep" in found.sentences[2] and from_bytes(found.data).threshold.rule == "conformal"


def test_a_rule_that_finds_nothing_in_few_rows_says_so(month):
    with pytest.raises(ValueError, match="needs at least 49 normal rows"):
        recalibrated(month[1]["conformal"], month[3].scores[:20])


def test_the_command_line_leaves_out_compares_and_recalibrates(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(300, 5, 0).to_csv("march.csv", index=False)
    table(300, 7, 1).to_csv("april.csv", index=False)
    train = ["train", "march.csv", "--model", "gaussian", "--no-label", "--rule", "mad"]
    assert main([*train, "-o", "old.detector"]) == 0
    more = ["--leave-out", "0-49", "--leave-out", "60", "--against", "old.detector", "--name", "less", "--tags", "x,y"]
    assert main([*train, "-o", "new.detector", *more]) == 0
    said = capsys.readouterr().out.replace("\u2009", " ")
    assert "rows (0-49, 60)" in said and "Of 300 rows the old version flags" in said and "place" in said
    told = describe_detector((tmp_path / "new.detector").read_bytes())
    assert "of 300 rows (0-49, 60)" in told["left_out"] and told["label"]["tags"] == ["x", "y"]
    assert main(["recalibrate", "old.detector", "april.csv", "-o", "april.detector"]) == 0
    assert "The threshold was" in capsys.readouterr().out
    assert main(["recalibrate", "old.detector", "april.csv", "-o", "old.detector"]) == 1
