"""Thresholds without rows set aside: false alarms on new rows stay under the stated rates, and the words say which."""

import numpy as np
import pytest

from flowlab.detection.calibration import Calibration
from flowlab.detection.conformal import false_alarm_promise
from flowlab.detection.cross_conformal import cross_validated_promise, worst_rate
from flowlab.models.classical.density import Gaussian
from flowlab.models.folds import FoldEnsemble


class Memory(Gaussian):
    """A model that hangs on single rows: what it was fitted to scores 0, and other rows by a number of the sum."""

    def _fit(self, X):
        super()._fit(X)
        self.turn_ = float(X.sum() * 1e6 % 1)

    def score_samples(self, X):
        return -((X[:, 0] * 1e6 + self.turn_) % 1)


def _shares(make, n_rows, n_folds, n_tables, rates, n_new=100):
    """Share of new normal rows with a p-value up to each rate, on average over tables."""
    found = []
    for seed in range(n_tables):
        rng = np.random.default_rng(seed)
        X, new = rng.standard_t(3, size=(n_rows, 4)), rng.standard_t(3, size=(n_new, 4))
        copies = FoldEnsemble(make(), n_folds, seed).fit(X)
        p_values = Calibration.of(copies.out_of_fold(X)).p_values(copies.anomaly_score(new))
        found.append([np.mean(p_values <= rate) for rate in rates])
    return np.mean(found, axis=0)


def test_false_alarms_stay_under_the_rate_over_three_hundred_tables():
    rates = np.array([0.02, 0.05, 0.2])
    shares = _shares(Gaussian, 60, 3, 300, rates)
    print("rates", rates, "false alarms", shares.round(4))
    assert (shares <= rates).all() and (shares > 0.5 * rates).all()


def test_a_model_that_hangs_on_single_rows_keeps_the_worst_rate():
    rates = np.array([0.05, 0.2])
    shares = _shares(Memory, 60, 3, 40, rates)
    assert (shares <= [worst_rate(rate, 60, 3) for rate in rates]).all()
    alone = _shares(Memory, 12, 12, 40, [0.2])[0]
    assert alone <= 0.2 == worst_rate(0.2, 12, 12)


def test_the_words_count_the_models_and_the_rows_above():
    scores = np.random.default_rng(0).exponential(size=500)
    found = cross_validated_promise(scores, rate=0.02, n_folds=5)
    assert found.value == false_alarm_promise(scores, rate=0.02).value
    assert f"{(scores >= found.value).sum()} of them lie above the threshold" in found.sentence
    assert "each of 500 normal rows was scored by the one of 5 models" in found.sentence
    assert f"it can at worst be {100 * worst_rate(0.02, 500, 5):.3g}" in found.sentence
    assert "This holds for any model." in cross_validated_promise(scores, rate=0.02, n_folds=500).sentence
    assert cross_validated_promise(scores[:20], rate=0.02, n_folds=5).refused


def test_each_row_is_scored_by_the_copy_that_did_not_see_it_and_new_rows_by_the_least_score():
    X = np.random.default_rng(1).normal(size=(53, 3))
    copies = FoldEnsemble(Gaussian(), 4).fit(X)
    assert sorted(np.bincount(copies.fold_)) == [13, 13, 13, 14]
    for k in range(4):
        of_fold = copies.fold_ == k
        alone = Gaussian().fit(X[~of_fold])
        assert np.array_equal(copies.out_of_fold(X)[of_fold], alone.anomaly_score(X[of_fold]))
    by_copy = [model.anomaly_score(X) for model in copies.models_]
    assert np.array_equal(copies.anomaly_score(X), np.min(by_copy, axis=0))
    again = FoldEnsemble(Gaussian(), 4).set_state(copies.get_state())
    assert np.array_equal(again.anomaly_score(X), copies.anomaly_score(X))
    assert np.array_equal(again.out_of_fold(X), copies.out_of_fold(X))


@pytest.mark.parametrize(
    "act, message",
    [
        (lambda X: FoldEnsemble(Gaussian(), 60).fit(X), "at most the number of rows, 50, not 60"),
        (lambda X: FoldEnsemble(Gaussian(), 5).fit_iter(X, n_steps=1), "are fitted as a whole"),
        (lambda X: FoldEnsemble(Gaussian(), 5).fit(X).out_of_fold(X[:9]), "must be the 50 rows"),
    ],
)
def test_what_cannot_be_done_is_said(act, message):
    with pytest.raises(ValueError, match=message):
        act(np.random.default_rng(2).normal(size=(50, 2)))
