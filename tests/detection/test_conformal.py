"""Promises about rows not seen yet, kept over repetitions on fresh data."""

import numpy as np
import pytest
from scipy import stats

from flowlab.detection.conformal import conformal_p_values, false_alarm_promise, false_discovery, rows_needed
from flowlab.detection.extreme_value import extreme_value
from flowlab.formatting import count


def _scores(rng, n):
    """A stand-in for any detector: skewed scores with ties."""
    return np.round(rng.gamma(2.0, size=n), 3)


@pytest.mark.parametrize("n_calibration", [99, 250, 1000])
def test_the_promised_rate_is_kept_over_200_repetitions(n_calibration):
    rates = []
    for seed in range(200):
        rng = np.random.default_rng([seed, n_calibration])
        threshold = false_alarm_promise(_scores(rng, n_calibration), rate=0.01)
        rates.append(np.mean(threshold.flag(_scores(rng, 5000))))
    half_width = 1.96 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) - half_width <= 0.01


def test_the_promise_is_not_idle():
    """With continuous scores the realised rate is close to the promise, not far under it."""
    rates = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rates.append(np.mean(false_alarm_promise(rng.normal(size=999), rate=0.01).flag(rng.normal(size=5000))))
    assert np.mean(rates) == pytest.approx(0.01, abs=0.001)


def test_a_promise_with_confidence_holds_for_most_calibration_sets():
    broken = 0
    for seed in range(300):
        calibration = np.random.default_rng(seed).normal(size=600)
        threshold = false_alarm_promise(calibration, rate=0.02, confidence=0.9)
        broken += stats.norm.sf(threshold.value) > 0.02
    assert stats.binomtest(broken, 300, 0.1, alternative="greater").pvalue > 0.01


@pytest.mark.parametrize("rate, confidence", [(0.01, 0.0), (0.001, 0.0), (0.05, 0.95), (0.01, 0.9)])
def test_it_refuses_one_row_before_it_can_promise(rate, confidence):
    needed = rows_needed(rate, confidence)
    scores = np.random.default_rng(0).normal(size=needed)
    assert not false_alarm_promise(scores, rate=rate, confidence=confidence).refused
    refused = false_alarm_promise(scores[1:], rate=rate, confidence=confidence)
    assert refused.refused and count(needed) in refused.sentence


def test_flagging_by_threshold_and_by_p_value_are_the_same():
    rng = np.random.default_rng(3)
    calibration, fresh = _scores(rng, 500), _scores(rng, 2000)
    threshold = false_alarm_promise(calibration, rate=0.03)
    assert np.array_equal(threshold.flag(fresh), conformal_p_values(fresh, calibration) <= 0.03)
    assert conformal_p_values([1e9], calibration)[0] == 1 / 501


def test_labels_keep_anomalies_out_of_the_calibration():
    rng = np.random.default_rng(4)
    normal, anomalous = rng.normal(size=1000), rng.normal(8, 1, 100)
    with_labels = false_alarm_promise(np.r_[normal, anomalous], np.r_[np.zeros(1000), np.ones(100)])
    assert with_labels.value == false_alarm_promise(normal).value
    assert not with_labels.caution and false_alarm_promise(normal).caution


def test_false_discoveries_stay_under_the_promise():
    shares, caught = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        y = (rng.random(400) < 0.1).astype(int)
        batch = rng.normal(4.0 * y)
        threshold = false_discovery(rng.normal(size=1000), q=0.1, batch=batch)
        flagged = threshold.flag(batch)
        shares.append((flagged & (y == 0)).sum() / max(flagged.sum(), 1))
        caught.append(flagged[y == 1].mean())
    assert np.mean(shares) - 1.96 * np.std(shares) / np.sqrt(200) <= 0.1
    assert np.mean(caught) > 0.7


def test_false_discovery_equals_benjamini_hochberg_of_scipy():
    rng = np.random.default_rng(5)
    calibration, batch = rng.normal(size=800), np.r_[rng.normal(size=200), rng.normal(5, 1, 30)]
    adjusted = stats.false_discovery_control(conformal_p_values(batch, calibration))
    assert np.array_equal(false_discovery(calibration, q=0.1, batch=batch).flag(batch), adjusted <= 0.1)


def test_pure_noise_gives_no_discoveries():
    found = [
        false_discovery(rng.normal(size=500), q=0.1, batch=rng.normal(size=500)).refused
        for rng in map(np.random.default_rng, range(100))
    ]
    assert np.mean(found) >= 0.85


def test_the_fitted_tail_reaches_beyond_the_data():
    ratios = []
    for seed in range(40):
        scores = np.random.default_rng(seed).exponential(size=2000)
        ratios.append(extreme_value(scores, rate=1e-4).value / -np.log(1e-4))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.1)
