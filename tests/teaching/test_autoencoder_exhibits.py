"""Exhibits of autoencoders, against PCA, Gaussian densities and published counts."""

from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import laplace, norm
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss, silhouette_score

from flowlab.datasets.bundled import make_bundled
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.teaching.exhibits import code_priors, codes, convolutions
from flowlab.teaching.exhibits import reconstruction as errors


@lru_cache
def shown(make, **settings):
    """An exhibit's result, computed once for several tests."""
    return make(**settings)


@pytest.fixture(scope="module")
def wine():
    return make_bundled("wine", "none").X


@pytest.fixture(scope="module")
def small(wine):
    return Autoencoder(2, n_layers=1, width=8, n_steps=50).fit(wine)


def test_row_4_the_score_is_the_row_wise_squared_error(small, wine):
    gap = (wine - small.reconstruct(wine)) / small.scale_
    np.testing.assert_allclose(small.anomaly_score(wine), (gap**2).sum(1))
    assert (small.anomaly_score(wine) >= 5.0).sum() == ((gap**2).sum(1) >= 5.0).sum()


def test_row_126_rows_are_flagged_by_their_reconstruction_distance(small, wine):
    np.testing.assert_allclose(small.anomaly_score(wine), small.feature_errors(wine).sum(1))


@pytest.mark.parametrize("sigma", [0.2, 1.0, 2.5])
def test_row_5_a_squared_error_is_a_gaussian_likelihood(sigma):
    result = errors.reading(3.0, sigma, n_features=4)
    by_hand = -norm.logpdf([np.sqrt(3.0), 0, 0, 0], scale=sigma).sum()
    assert result.nll == pytest.approx(by_hand, abs=1e-5) and result.by_hand == pytest.approx(by_hand, abs=1e-9)
    assert result.nll == pytest.approx(3.0 / (2 * sigma**2) + result.intercept, abs=1e-5)


def test_row_6_one_ruler_is_worse_where_the_noise_widens():
    assert shown(errors.rulers, widening=1.5).margin > 0.01
    assert shown(errors.rulers, widening=1.0).margin > 0.005
    assert abs(shown(errors.rulers, widening=0.0).margin) < 0.003


@pytest.mark.slow
def test_row_7_errors_by_column_name_the_faulty_sensors():
    result = shown(errors.error_map)
    assert len(result.top_names) == 8 and (np.diff(result.top_errors) <= 0).all()
    assert result.kind == 1 and all(name.startswith("freq") for name in result.top_names[:4])
    assert result.errors.shape == (len(result.columns), len(result.rows))


def test_row_121_parameters_are_those_that_are_published():
    totals = [sum(parts.values()) for parts in convolutions.NETWORKS.values()]
    assert totals == [61_706, 61_100_840, 138_357_544, 11_689_512, 7_978_856]
    one = convolutions.networks(size=8, channels=16)
    assert (one.convolution, one.dense) == (16 * 10, 1024 * 65)


def test_row_122_the_code_has_k_numbers(small, wine):
    assert small.transform(wine).shape == (len(wine), 2)
    assert small.inverse_transform(np.zeros((3, 2))).shape == (3, 13)


@pytest.mark.slow
def test_row_123_the_error_falls_to_zero_as_the_code_reaches_the_table():
    result = shown(codes.bottleneck)
    assert result.errors[0] > result.errors[2] > result.errors[-2]
    assert result.errors[-2:].max() < 0.3 and result.sizes[-1] > 13


def test_row_124_compression_is_the_share_of_numbers_saved(small):
    assert small.compression() == pytest.approx((13 - 2) / 13)


def test_principal_errors_are_those_of_pca(wine):
    S = (wine - wine.mean(0)) / wine.std(0)
    pca = PCA(3).fit(S)
    left = ((S - pca.inverse_transform(pca.transform(S))) ** 2).sum(1).mean()
    assert codes.principal_errors(S)[[0, 3, 13]] == pytest.approx([13, left, 0])


def test_row_125_the_silhouette_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    points, classes = rng.normal(size=(60, 2)), rng.integers(0, 3, 60)
    assert codes.silhouette(points, classes) == pytest.approx(silhouette_score(points, classes))
    with pytest.raises(ValueError, match="at least two classes"):
        codes.silhouette(points, np.zeros(60))


@pytest.mark.slow
def test_classes_lie_apart_in_a_code_that_did_not_see_them():
    result = shown(codes.classes_in_code)
    assert result.silhouette > 0.3 > 0.05 > result.shuffled


def test_row_127_losses_settle_where_statistics_say():
    result = errors.losses(outliers=0.2)
    assert result.squared == pytest.approx(result.cross_entropy, abs=0.002) == pytest.approx(0.36, abs=0.01)
    assert result.absolute < 0.25
    for p in (0.1, 0.7):
        assert errors.loss_of("cross_entropy", 1.0, np.array([p]))[0] == pytest.approx(
            log_loss([1], [p], labels=[0, 1])
        )
    assert np.isfinite(errors.losses(value=0.0, outliers=0.0).curves["cross_entropy"]).all()


@pytest.mark.slow
def test_row_128_a_linear_autoencoder_spans_the_principal_axis():
    result = shown(codes.linear_code)
    assert result.angle < 5 and result.ratio == pytest.approx(1, rel=0.01)


@pytest.mark.slow
def test_row_129_noise_or_a_penalty_keeps_an_over_complete_code_from_copying():
    assert shown(code_priors.sparse_codes, penalty=3.0).error > 5 * shown(code_priors.sparse_codes, penalty=0.0).error


@pytest.mark.slow
def test_row_130_arrows_of_a_denoising_autoencoder_point_to_the_manifold():
    assert shown(codes.denoised).after < 0.5 * shown(codes.denoised).before
    assert shown(codes.denoised, noise=0.0).after > 0.7 * shown(codes.denoised, noise=0.0).before


@pytest.mark.slow
def test_row_131_codes_and_active_units_shrink_with_the_penalty():
    found = [shown(code_priors.sparse_codes, penalty=p) for p in (0.0, 0.5, 3.0)]
    assert found[0].mean_abs > found[1].mean_abs > found[2].mean_abs
    assert found[0].active > found[1].active > found[2].active


@pytest.mark.slow
def test_row_132_the_penalty_is_a_laplace_prior_but_for_a_constant():
    result = shown(code_priors.sparse_codes, penalty=0.5)
    middle = (result.edges[1:] + result.edges[:-1]) / 2
    np.testing.assert_allclose(result.prior, laplace.pdf(middle, scale=1 / 0.5))
    assert result.identity_gap < 1e-5
    constant = -laplace.logpdf(middle, scale=2.0) - 0.5 * np.abs(middle)
    assert np.ptp(constant) < 1e-9


@pytest.mark.slow
def test_row_133_samples_of_three_priors_are_told_from_rows_by_a_classifier():
    result = shown(code_priors.prior_samples)
    assert result.auroc.shape == (3,) and result.samples.shape == (3, 600, 2)
    assert result.variational < result.plain and result.sparse > 0.6
