"""The exercise of lecture 002: the default flow finds the rare second Gaussian."""

import dataclasses

import numpy as np
import pytest

from flowlab import catalog
from flowlab.detection.metrics import threshold_curves
from flowlab.records import Spec
from flowlab.toys.contaminated import Clump2D


@pytest.mark.slow
def test_the_default_flow_solves_the_exercise_in_two_dimensions():
    dataset = catalog.make_dataset(Spec("clump_2d"))
    flow = catalog.make_model(Spec("spline"), 0, dataset).fit(dataset.part("train"))
    X, component = dataclasses.replace(Clump2D(), share=0.5).sample_with_components(40_000, 5)
    scores = flow.anomaly_score(X)
    assert threshold_curves(scores, component).auroc() >= 0.97
    at_one_percent = np.quantile(scores[component == 0], 0.99)
    assert np.mean(scores[component == 1] >= at_one_percent) >= 0.80
