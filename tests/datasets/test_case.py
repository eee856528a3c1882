"""Which case a detector is in, and what says so: labels, or a person."""

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.datasets.case import case_of, other_case
from flowlab.datasets.from_table import make_table_dataset
from flowlab.models.detector import Detector
from flowlab.serving.detection import detect


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"a": rng.normal(size=300), "b": rng.normal(size=300), "label": ["normal"] * 288 + ["anomaly"] * 12}
    )


@pytest.mark.parametrize(
    ("columns", "train_on", "trained_on", "because"),
    [
        (["a", "b"], "normal", "all", "there are no labels, and nobody said"),
        (["a", "b"], "known", "normal", "there are no labels, but somebody said so"),
        (["a", "b", "label"], "normal", "normal", "the rows labelled so, without the"),
        (["a", "b", "label"], "known", "normal", "the rows labelled so, without the"),
        (["a", "b", "label"], "all", "all", "all rows were asked for"),
    ],
)
def test_labels_or_a_person_tell_the_case(frame, columns, train_on, trained_on, because):
    dataset, _ = make_table_dataset(frame[columns], train_on=train_on)
    assert Detector().configured_for(dataset).trained_on == trained_on
    assert because in case_of(dataset)
    other, _ = make_table_dataset(frame[columns], train_on=other_case(dataset)[0])
    assert Detector().configured_for(other).trained_on != trained_on
    assert other.digest() != dataset.digest()


def test_what_a_person_said_travels_with_the_detector(frame, tmp_path):
    small = {"n_steps": 20, "n_flows": 1}
    said = detect(frame[["a", "b"]], train_on="known", settings=small)
    assert said.model.trained_on == "normal" and "Gaussian mixture" in said.model.weights_
    unsaid = detect(frame[["a", "b"]], settings=small)
    assert unsaid.model.trained_on == "all" and "isolation forest" in unsaid.model.weights_
    control = {control.name: control for control in catalog.DATASETS["upload"].controls}["train_on"]
    assert set(control.choices) == {"normal", "all", "known"}
