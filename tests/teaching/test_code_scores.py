"""Scores and samples of autoencoders and flows, side by side in the lessons."""

import numpy as np
import pytest

from flowlab.ranking import auroc
from flowlab.teaching.exhibits import code_samples, code_scores

pytestmark = pytest.mark.slow


def test_row_138_a_higher_beta_lowers_the_rate_and_raises_the_distortion():
    found = code_samples.beta_trade_off("wine")
    assert found.low_rate > 10 * found.high_rate and found.high_distortion > found.low_distortion
    assert (np.diff(found.rate) < 0.05).all()


def test_row_139_five_scores_on_one_roc_and_the_norm_is_that_of_mu():
    found = code_scores.five_scores("wine", "norm")
    assert found.norm_error < 1e-12
    assert found.curves.shape[0] == len(code_scores.SCORES) == 5
    areas = [np.trapezoid(curve[:, 1], curve[:, 0]) for curve in found.curves]
    assert areas == pytest.approx(found.aurocs, abs=0.03)
    figure = code_scores.draw_five_scores(found)
    assert [line.line.width for line in figure.data[1:]] == [2, 2, 2, 2, 4]


def test_a_roc_is_that_of_the_scores():
    rng = np.random.default_rng(0)
    y = rng.random(2000) < 0.3
    scores = rng.normal(y * 1.0)
    curve = code_scores._roc(scores, y)
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(auroc(scores, y), abs=0.005)
    assert tuple(curve[0]) == (0, 0) and tuple(curve[-1]) == (1, 1)


def test_row_141_samples_of_five_models_have_a_sharpness():
    found = code_samples.sample_gallery("moons")
    assert found.samples.shape == (5, 800, 2)
    assert found.data_inside == pytest.approx(0.99, abs=0.01)
    assert found.flow > found.autoencoder and (found.inside <= 1).all()


def test_row_142_what_draws_well_need_not_detect_well():
    found = code_samples.beta_trade_off("moons")
    assert len(found.auroc) == len(found.told_apart) == len(code_samples.BETAS)
    assert found.high_auroc < found.best_auroc - 0.02
    assert found.told_apart.min() < found.low_told_apart - 0.01
    assert found.told_apart.min() < found.high_told_apart
    figure = code_samples.draw_beta_trade_off(found)
    assert [line.name for line in figure.data if line.yaxis == "y2"] == ["detection", "samples told apart"]


def test_row_143_the_same_rows_scored_by_four_models():
    found = code_scores.four_scorers(0)
    assert found.correlation.shape == (4, 4)
    assert found.correlation == pytest.approx(found.correlation.T)
    assert np.diag(found.correlation) == pytest.approx(np.ones(4))
    assert found.flow_kde > found.ae_flow
    assert len(found.rows) == len(found.rank_gap)
