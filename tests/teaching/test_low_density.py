"""Alarms of a threshold, kernel widths, and the geometry of many columns, against what is known of them."""

import numpy as np
import pytest
from scipy.stats import chi
from sklearn.neighbors import KernelDensity

from flowlab.models.classical.density import KDE
from flowlab.teaching.exhibits.kernel_density import (
    BANDWIDTHS,
    bandwidth,
    dimensions,
    humped_rows,
    winding_log_density,
    winding_rows,
)
from flowlab.teaching.exhibits.low_density import STRANGE, alarm, concentration


@pytest.mark.parametrize("theta", [0.0, 2.5, 4.0, 12.0])
def test_row_1_alarms_are_the_rows_whose_score_reaches_the_threshold(theta):
    result = alarm(theta)
    flagged = result.score >= theta
    assert result.alarms == np.sum(result.score >= theta)
    assert result.caught == np.sum(flagged & (result.y == 1)) <= len(STRANGE)
    assert result.caught + result.false_alarms == result.alarms


def test_row_2_the_estimate_is_scikit_learns_and_cross_validation_beats_the_rules():
    result = bandwidth(0.3, 120)
    rows = humped_rows(120, 1)
    sd = rows.std()
    expected = KernelDensity(bandwidth=0.3).fit(rows / sd).score_samples(result.x[:, None] / sd) - np.log(sd)
    assert result.density == pytest.approx(np.exp(expected), rel=1e-6)
    assert result.scott == pytest.approx(120 ** (-1 / 5)) and result.silverman == pytest.approx((120 * 3 / 4) ** -0.2)
    assert result.cv == KDE("cv").fit(rows).bandwidth_
    assert result.loss_truth < result.loss_cv < result.loss_scott
    assert result.loss_cv < result.losses.min() + 0.05 and len(result.losses) == len(BANDWIDTHS)


def test_the_density_of_winding_rows_is_one():
    x, y = np.meshgrid(np.linspace(-4, 4, 161), np.linspace(-4, 4, 161))
    mass = np.exp(winding_log_density(np.column_stack([x.ravel(), y.ravel()]))).sum() * 0.05**2
    assert mass == pytest.approx(1, abs=1e-3)
    assert winding_log_density(winding_rows(5, 1, 0)).shape == (5,)


@pytest.mark.slow
def test_row_3_the_curves_of_kernel_density_and_flow_cross():
    result = dimensions()
    assert result.kde_gap[0] < result.flow_gap[0] and result.flow_gap[-1] < result.kde_gap[-1]
    assert 1 < result.crossing <= 8
    assert (result.kde_seconds > 0).all() and (result.flow_seconds > 0).all()


def test_row_101_lengths_concentrate_at_the_root_of_the_dimension_and_distances_become_alike():
    for n_columns in (1, 16, 256):
        result = concentration(n_columns)
        assert result.chi_mean == pytest.approx(chi.mean(n_columns))
        assert result.mean_norm == pytest.approx(result.chi_mean, abs=4 * chi.std(n_columns) / np.sqrt(200))
    assert chi.mean(256) == pytest.approx(16, abs=0.05) and result.root == 16
    assert (np.diff(result.nearest) > 0).all(), "the nearest row is relatively farther with every doubling"
    assert concentration(64).contrast == result.nearest[6]
