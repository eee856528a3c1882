"""The promised false-alarm rate over many calibration sets: the rule itself, and the Beta law of its rates."""

import numpy as np
import pytest
from scipy.special import ndtr

from flowlab.detection.conformal import false_alarm_promise
from flowlab.teaching.exhibits.promise import coverage


@pytest.mark.parametrize("kind, confidence", [("average", 0.0), ("confidence", 0.95)])
def test_the_rates_are_those_of_the_rule_and_follow_the_law(kind, confidence):
    found = coverage(150, 0.05, kind)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(300, 150))
    rates = [1 - ndtr(false_alarm_promise(row, rate=0.05, confidence=confidence).value) for row in scores]
    assert found.law.cdf(rates).mean() == pytest.approx(0.5, abs=0.05), "the rule, set by set, has this law"
    assert found.distance < 0.045, "and so have the exhibit's sets (0.043 at a level of 5 %)"
    by_law = [coverage(int(n), 0.05, kind).law_kept for n in found.sizes]
    assert np.abs(found.kept_by_size - by_law).max() < 0.11, "three standard errors of 200 sets"
    assert found.law_kept >= confidence and found.mean < 0.0515


def test_too_few_rows_promise_nothing_and_drift_breaks_a_promise():
    refused = coverage(50, 0.01)
    assert refused.needed == 99 and not len(refused.rates) and "gives no threshold" in refused.finding
    assert coverage(shift=1.0).mean > 3 * coverage().mean
