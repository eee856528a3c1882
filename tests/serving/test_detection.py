"""A detector on a table in a few lines: flagged rows with reasons, from every kind of frame, and saved whole."""

import importlib.util

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flowlab.serving.bundle import from_bytes
from flowlab.serving.detection import detect
from flowlab.serving.scorer import Scorer
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
