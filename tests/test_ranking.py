"""Statistics of order against scikit-learn and scipy, with ties."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

from flowlab.detection.metrics import threshold_curves
from flowlab.ranking import (
    alarm_counts,
    area_under_roc,
    area_under_steps,
    auroc,
    average_precision,
    correlation_matrix,
    kolmogorov_distance,
    spearman_matrix,
)


def scored(seed: int, digits: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(300) < 0.2
    return (rng.normal(size=300) + y).round(digits), y


@pytest.mark.parametrize("digits", [0, 1, 8])
@pytest.mark.parametrize("seed", range(3))
def test_auroc_and_average_precision_are_scikit_learns(seed, digits):
    scores, y = scored(seed, digits)
    assert auroc(scores, y) == pytest.approx(roc_auc_score(y, scores), rel=1e-12)
    assert average_precision(scores, y) == pytest.approx(average_precision_score(y, scores), rel=1e-12)
    curves = threshold_curves(scores, y)
    assert (curves.auroc(), curves.average_precision()) == (auroc(scores, y), average_precision(scores, y))


def test_weights_count_rows_as_often_as_they_say():
    scores, y = scored(0, 1)
    weights = np.random.default_rng(1).integers(0, 4, size=(5, len(y))).astype(float)
    counts = alarm_counts(scores, y, weights)
    repeated = [(np.repeat(scores, w.astype(int)), np.repeat(y, w.astype(int))) for w in weights]
    np.testing.assert_allclose(area_under_roc(*counts), [auroc(*rows) for rows in repeated], rtol=1e-12)
    np.testing.assert_allclose(area_under_steps(*counts), [average_precision(*rows) for rows in repeated], rtol=1e-12)


def test_infinite_scores_tie_with_each_other():
    assert auroc([np.inf, np.inf, 0.0, -np.inf], [True, False, False, False]) == (0.5 + 1 + 1) / 3


def test_one_label_alone_has_no_measure():
    nothing, everything = np.zeros(3, bool), np.ones(3, bool)
    assert np.isnan(
        [auroc([1, 2, 3], nothing), auroc([1, 2, 3], everything), average_precision([1, 2, 3], nothing)]
    ).all()
    assert average_precision([1, 2, 3], everything) == 1.0


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_spearman_is_scipys(digits):
    X = np.random.default_rng(0).normal(size=(100, 4)).round(digits)
    X[:, 1] = (X[:, 0] ** 3 + X[:, 1]).round(digits)
    np.testing.assert_allclose(spearman_matrix(X), spearmanr(X).statistic, atol=1e-12)
    np.testing.assert_allclose(correlation_matrix(X), np.corrcoef(X, rowvar=False), atol=1e-12)


def test_a_constant_column_has_no_correlation():
    found = spearman_matrix(np.column_stack([np.ones(10), np.arange(10), -np.arange(10)]))
    assert np.isnan(found[0]).all() and np.isnan(found[:, 0]).all()
    np.testing.assert_allclose(found[1:, 1:], [[1, -1], [-1, 1]])


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_kolmogorov_distance_is_scipys(digits):
    rng = np.random.default_rng(digits)
    a, b = rng.normal(size=70).round(digits), rng.normal(0.5, 2, size=110).round(digits)
    assert kolmogorov_distance(a, b) == kolmogorov_distance(b, a) == pytest.approx(ks_2samp(a, b).statistic, abs=1e-14)
    assert kolmogorov_distance(a, np.r_[a, a]) == 0 and kolmogorov_distance(a, a + 100) == 1
