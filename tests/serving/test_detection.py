"""A detector on a table in a few lines: flagged rows with reasons, from every kind of frame, and saved whole."""

import importlib.util
import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flowlab.serving.bundle import DetectorFileError, describe_detector, from_bytes, to_bytes
from flowlab.serving.detection import detect
from flowlab.serving.scored_rows import scored_rows
from flowlab.serving.scorer import Scorer
from flowlab.serving.scoring import score_file
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

FAST = {"n_flows": 1, "n_steps": 50}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    strange = np.arange(400) % 50 == 49
    return pd.DataFrame(
        {
            "length": rng.normal(10, 1, 400) + 15 * strange,
            "width": rng.normal(0, 1, 400),
            "kind": rng.choice(["a", "b"], 400),
            "broken": strange.astype(int),
        }
    )


@pytest.fixture(scope="module")
def detection(frame):
    return detect(frame, label="broken", settings=FAST)


def test_flagged_rows_come_strangest_first_with_their_reasons(detection, frame):
    threshold = detection.choose("quantile", share=0.02)
    flagged = detection.flagged(threshold)
    assert list(flagged)[:4] == list(frame) and {"anomaly_score", "p_value", "reason_1"} <= set(flagged)
    assert (flagged["anomaly_score"].diff().dropna() <= 0).all()
    assert (flagged["anomaly_score"] >= threshold.value).all()
    assert flagged["broken"].head(8).tolist() == [1] * 8
    assert flagged["reason_1"].head(8).str.contains("length").all()
    few = detection.flagged(threshold, n_explained=2)
    assert (few["reason_1"] != "").sum() == 2 and len(few) == len(flagged)
    assert detection.choose().rule == "f_beta"


def test_the_saved_detector_scores_as_the_trained_one(detection, frame, tmp_path):
    threshold = detection.choose("quantile", share=0.02)
    detection.save(tmp_path / "parts.detector", threshold)
    scorer = Scorer(from_bytes((tmp_path / "parts.detector").read_bytes()))
    scores, *_ = scorer.score(scorer.typed(frame).frame)
    np.testing.assert_array_equal(scores.score, detection.scored.scores)


def test_thresholds_of_groups_travel_in_the_file_and_decide_there(detection, frame):
    threshold = detection.choose(by_group="kind", rate=0.1)
    assert threshold.rule == "conformal" and [g.borrows for g in threshold.groups.groups] == [False, False]
    saved = detection.to_bytes(threshold, never=["length > 24"])
    assert from_bytes(saved).threshold == threshold and to_bytes(from_bytes(saved)) == saved
    new = pd.concat([frame, frame.head(5).assign(kind="c", length=20.0)], ignore_index=True)
    out = io.BytesIO()
    summary = score_file(saved, io.BytesIO(new.to_csv(index=False).encode()), out, with_reasons=False)
    scored = pd.read_csv(io.BytesIO(out.getvalue()))
    borders = new["kind"].map({g.name: g.threshold for g in threshold.groups.groups}).fillna(threshold.value)
    assert scored["threshold"].to_numpy() == pytest.approx(borders.to_numpy(), rel=1e-12) and borders.nunique() == 3
    assert np.array_equal(scored["flagged"] == 1, (scored["anomaly_score"] >= borders) & (new["length"] <= 24))
    assert np.array_equal(scored["flagged"][:400] == 1, detection.scored.flags(threshold) & (frame["length"] <= 24))
    assert any("Groups of kind that were never seen take the threshold of all rows." in note for note in summary.notes)
    of_table = scored_rows(detection.scored, threshold)["p_value"]
    fresh = detection.scored.rows("test")
    assert scored["p_value"][fresh].to_numpy() == pytest.approx(of_table[fresh].to_numpy(), rel=1e-12)
    assert np.array_equal(scored["p_value"] <= 0.1, scored["anomaly_score"] >= borders)
    told = describe_detector(saved)
    normal = detection.scored.calibration_rows
    assert told["grouped_by"] == "kind"
    assert told["expected"] == pytest.approx(detection.scored.flags(threshold)[normal].mean())
    assert (detection.flagged(threshold, 0)["threshold"] <= detection.flagged(threshold, 0)["anomaly_score"]).all()


def test_a_file_without_groups_is_as_it_was_and_damaged_groups_are_refused(detection):
    plain = from_bytes(detection.to_bytes(detection.choose("conformal", rate=0.1)))
    with zipfile.ZipFile(io.BytesIO(to_bytes(plain))) as archive:
        assert "groups" not in json.loads(archive.read("detector.json"))["threshold"]
    threshold = detection.choose(by_group="kind", rate=0.1)
    own, first = threshold.groups, threshold.groups.groups[0]
    grouped = from_bytes(detection.to_bytes(threshold))
    for groups in (
        replace(own, column="broken"),
        replace(own, groups=()),
        replace(own, groups=(first,) * 51),
        replace(own, groups=(replace(first, n_flagged=first.n_rows + 1),)),
        replace(own, groups=(replace(first, threshold=float("nan")),)),
    ):
        with pytest.raises(DetectorFileError, match="damaged inside"):
            from_bytes(to_bytes(replace(grouped, threshold=replace(threshold, groups=groups))))
    with pytest.raises(DetectorFileError, match="damaged inside"):
        from_bytes(to_bytes(replace(grouped, calibration=plain.calibration)))


def test_frames_of_every_kind_and_files_give_the_same_scores(detection, frame, tmp_path):
    frames = [pa.Table.from_pandas(frame, preserve_index=False)]
    if importlib.util.find_spec("polars"):
        import polars

        frames.append(polars.from_pandas(frame))
    frame.to_csv(tmp_path / "parts.csv", index=False)
    for table in [*frames, read_table(tmp_path / "parts.csv")]:
        again = detect(table, label="broken", settings=FAST)
        np.testing.assert_allclose(again.scored.scores, detection.scored.scores, rtol=1e-9)
    assert again.scored.dataset.name == "parts.csv"


def test_a_context_and_another_model_are_one_word_each(frame):
    found = detect(frame, label="(none)", context="kind", model="maf", settings={"n_layers": 1, "n_steps": 50})
    assert found.scored.level_calibration is not None and found.scored.dataset.y is None
    assert type(found.model).__name__ == "MaskedAutoregressiveFlow"


@pytest.mark.parametrize(
    "wrong, error, sentence",
    [
        ({"label": "price"}, TableError, "There is no column 'price'; the table has length, width, kind, broken."),
        ({"model": "magic"}, ValueError, "there is no model 'magic'; the catalog has spline"),
        ({"settings": {"magic": 1}}, ValueError, "magic"),
        ({"table": [1, 2]}, TypeError, "table must be what read_table gives or a frame, not list"),
    ],
)
def test_what_cannot_be_done_is_said(frame, wrong, error, sentence):
    with pytest.raises(error, match=sentence):
        detect(**{"table": frame} | wrong)


def test_a_rule_that_finds_no_threshold_says_why(frame):
    found = detect(frame.drop(columns="broken").head(30), settings=FAST)
    with pytest.raises(ValueError, match="label"):
        found.choose("f_beta")
