"""Two-sample tests: uniform p-values under equality, power, effect sizes."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest

from flowlab.evaluation.two_sample import classifier_test, energy_test, ks_test, mmd_test, two_sample_tests

TESTS = [ks_test, energy_test, mmd_test, classifier_test]


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("kind", ["normal", "rounded"])
def test_p_values_are_uniform_when_the_distributions_are_equal(test, kind):
    rng = np.random.default_rng(1)
    repetitions = 100 if test is classifier_test and kind == "rounded" else 200

    def p_value(seed):
        A, B = rng.normal(size=(2, 60, 2)) if kind == "normal" else np.round(rng.normal(size=(2, 60, 2)), 0)
        return test(A, B, random_state=seed, n_permutations=99).p_value

    assert kstest([p_value(seed) for seed in range(repetitions)], "uniform").pvalue > 0.01


@pytest.mark.parametrize("test", TESTS)
def test_a_shift_and_a_change_of_dependence_are_seen(test):
    rng = np.random.default_rng(2)
    A, B = rng.normal(size=(2, 500, 2))
    assert test(A, B + np.array([0.0, 0.5])).p_value <= 0.01
    ring = np.column_stack([A[:, 0], A[:, 0] * np.sign(rng.normal(size=500))])
    if test is not ks_test:  # the marginals are equal: only joint tests can see it
        assert test(ring, B).p_value <= 0.01


def test_ks_distance_per_column_equals_scipy():
    rng = np.random.default_rng(3)
    A, B = rng.normal(size=(300, 3)), rng.gamma(2, size=(200, 3))
    expected = [ks_2samp(A[:, j], B[:, j]).statistic for j in range(3)]
    np.testing.assert_allclose(ks_test(A, B).per_axis, expected)


def test_energy_distance_equals_its_definition():
    rng = np.random.default_rng(4)
    A, B = rng.normal(size=(50, 2)), rng.normal(1, 1, size=(40, 2))
    spread = np.vstack([A, B]).std(0)

    def mean_distance(P, Q):
        return np.linalg.norm((P[:, None] - Q[None]) / spread, axis=2).mean()

    expected = 2 * mean_distance(A, B) - mean_distance(A, A) - mean_distance(B, B)
    assert energy_test(A, B).effect == pytest.approx(expected)


def test_classifier_effect_is_the_auroc_it_could_reach():
    rng = np.random.default_rng(5)
    A, B = rng.normal(size=(3000, 1)), rng.normal(1, 1, size=(3000, 1))
    assert classifier_test(A, B).effect == pytest.approx(0.760, abs=0.025)  # Phi(1 / sqrt 2)


def test_same_seed_same_numbers_and_wrong_tables_are_refused():
    rng = np.random.default_rng(6)
    A, B = rng.normal(size=(2, 100, 2))
    assert [t.p_value for t in two_sample_tests(A, B, 3)] == [t.p_value for t in two_sample_tests(A, B, 3)]
    with pytest.raises(ValueError, match="equally many columns"):
        ks_test(A, B[:, :1])
