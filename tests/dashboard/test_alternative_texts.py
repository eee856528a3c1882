"""What is said of a picture to those who do not see it is so."""

import numpy as np

from flowlab.dashboard.compare.sections import _least_alike
from flowlab.dashboard.detect.page import _spread
from flowlab.detection.threshold import Threshold


def test_the_rules_named_are_those_at_the_ends():
    thresholds = [Threshold(value, rule, "") for value, rule in ((3.0, "quantile"), (-1.5, "budget"), (2.0, "iqr"))]
    said = _spread(["a", "b", "c"], thresholds)
    assert said == "Thresholds of 3 rules, from b at \u22121.5 to a at 3"
    assert _spread([], []) == "No rule gives a threshold"


def test_the_scores_named_are_those_that_agree_least():
    correlations = np.array([[1.0, 0.9, 0.2], [0.9, 1.0, 0.4], [0.2, 0.4, 1.0]])
    assert _least_alike(["flow", "kde", "forest"], correlations).endswith("flow and forest agree least (0.200)")
    assert "there is only one" in _least_alike(["flow"], np.ones((1, 1)))
