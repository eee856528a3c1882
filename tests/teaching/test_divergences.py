"""Entropy and divergences of histograms, against their definitions."""

import numpy as np
import pytest
from scipy.stats import entropy

from flowlab.teaching.exhibits.divergences import two_histograms


@pytest.mark.parametrize("settings", [{}, {"distance": 0.0, "width": 0.7}, {"mean": 2.0, "width": 1.0, "n_bins": 10}])
def test_row_135_entropy_and_divergences_are_in_bits(settings):
    found = two_histograms(**settings)
    assert found.p.sum() == pytest.approx(1) and found.q.sum() == pytest.approx(1)
    assert found.entropy_p == pytest.approx(entropy(found.p, base=2))
    assert found.kl_p_q == pytest.approx(entropy(found.p, found.q, base=2), abs=1e-9)
    assert found.kl_q_p == pytest.approx(entropy(found.q, found.p, base=2), abs=1e-9)
    mean = (found.p + found.q) / 2
    assert found.jensen_shannon == pytest.approx(entropy(mean, base=2) - (found.entropy_p + found.entropy_q) / 2)


def test_row_135_the_divergence_is_not_symmetric_and_jensen_shannon_is_at_most_one_bit():
    found = two_histograms(distance=4.0, mean=0.0, width=2.0)
    assert abs(found.kl_p_q - found.kl_q_p) > 0.1
    apart = two_histograms(distance=8.0, mean=0.0, width=0.2)
    assert 0.9 < apart.jensen_shannon <= 1
    same = two_histograms(distance=0.0, mean=0.0, width=0.7)
    assert same.kl_p_q == same.kl_q_p == pytest.approx(0, abs=1e-12)


def test_row_135_a_bin_that_q_leaves_empty_makes_the_divergence_infinite():
    found = two_histograms(distance=0.0, mean=4.0, width=0.2)
    assert np.isinf(found.kl_p_q) and "infinite" in found.finding and found.jensen_shannon <= 1
