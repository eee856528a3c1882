"""The certificate holds for all thresholds at once, as often as it says and hardly more often."""

import numpy as np
import pytest
from scipy import stats

from flowlab.detection.certificate import certify


@pytest.mark.parametrize("n", [60, 1000])
def test_no_threshold_exceeds_its_bound_in_the_stated_share_of_calibration_sets(n):
    """Scores are uniform, so the share above a threshold is known; just above a score is the worst place."""
    rng = np.random.default_rng(0)
    exceeded = 0
    for _ in range(1000):
        scores = np.sort(rng.random(n))
        bound = certify(scores, 0.95).at(np.nextafter(scores, 2))
        exceeded += bool((1 - scores > bound).any())
    print(f"exceeded in {exceeded / 10:.1f} % of 1000 calibration sets of {n} rows")
    assert 20 <= exceeded <= 50 + 3 * np.sqrt(1000 * 0.05 * 0.95)


def test_it_is_no_smaller_than_the_bound_for_one_threshold_and_not_much_larger():
    scores = np.arange(2000.0)
    for k in (0, 1, 10, 100, 700):
        single = stats.beta.ppf(0.95, k + 1, 2000 - k)
        joint = certify(scores).at(2000.0 - k)
        assert single <= joint <= 3 * single


def test_bounds_rise_as_thresholds_fall_and_rows_that_resemble_each_other_promise_less():
    scores = np.random.default_rng(1).normal(size=500)
    thresholds = np.linspace(-4, 4, 200)
    bounds = certify(scores).at(thresholds)
    assert (np.diff(bounds) <= 0).all() and bounds[0] == 1.0
    assert (certify(scores, worth=0.2).at(thresholds) >= bounds).all()
    assert certify(np.array([1.0])).at(2.0) > 0.9
