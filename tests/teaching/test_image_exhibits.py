"""Exhibits of flows of pictures, with a few steps of training: what holds whatever has been learned."""

import numpy as np
import pytest

from flowlab.models.flows.pca_flow import PCAFlow
from flowlab.nets.images.image_training import Contrast
from flowlab.teaching.exhibits import (
    image_digits,
    image_inside,
    image_laboratory,
    image_networks,
    image_off_support,
    image_training,
)

CACHED = (
    image_laboratory.laboratory,
    image_networks._log_densities,
    image_inside._two_levels,
    image_training._course,
    image_training.image_warm_start,
    image_digits.image_digits,
)


@pytest.fixture(scope="module", autouse=True)
def laboratory():
    def forget():
        for cached in CACHED:
            cached.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_laboratory, "N_STEPS", 50)
        patch.setattr(image_laboratory, "N_TRIED", 200)
        patch.setattr(image_inside, "N_VAE_STEPS", 100)
        patch.setattr(image_training, "N_STEPS", 50)
        patch.setattr(image_digits, "N_STEPS", 60)
        patch.setattr(image_digits, "N_CODE_STEPS", 60)
        forget()
        yield image_laboratory.laboratory()
        forget()


def test_row_53_of_two_flows_of_equal_loss_each_has_its_own_density_off_the_support():
    found = image_off_support.off_support()
    assert found.gap < 0.05 and found.on_support > found.off_support + 0.2
    assert 0.01 < found.is_support.mean() < 0.2


def test_row_56_log_determinants_and_the_norm_add_up_to_log_p():
    found = image_inside.image_balance("constant")
    assert found.error < 2e-3 and len(found.inside) == 10
    assert found.outside[-1] > found.inside[-1], "the latent points of grey squares are nearer to zero"


def test_row_60_the_differences_of_neighbours_rank_pictures_as_the_flow_does():
    found = image_networks.image_networks("differences", "convolutional")
    assert found.here > 0.6
    assert found.across.shape == found.up.shape == (7, 60)


def test_row_61_the_matrix_is_that_of_the_four_models_over_one_kind(laboratory):
    found = image_networks.image_networks(of="noise")
    assert found.correlations.shape == (4, 4) and np.diag(found.correlations) == pytest.approx(1)
    by_hand = image_laboratory.rank_correlation(
        laboratory.flow.score_samples(laboratory.rows("noise")), image_networks._log_densities()["local"]["noise"]
    )
    assert found.local_convolutional == pytest.approx(by_hand)


def test_row_62_dense_and_convolutional_flows_are_tried_on_the_same_pictures():
    found = image_networks.image_networks()
    assert 0 <= found.constant_convolutional < 0.5 and 0 <= found.constant_dense < 0.5
    assert f"{found.constant_dense:.2f} against {found.constant_convolutional:.2f}" in found.finding


def test_row_64_the_outlier_loss_makes_the_background_unlikely():
    found = image_training.image_losses("flower", weight=3.0, temperature=1.0)
    assert found.outlier > found.plain
    assert found.auroc.shape == (3, len(found.steps))


def test_row_65_the_margin_loss_is_a_hinge_and_its_drop_is_reported_or_its_absence():
    import torch

    loss = Contrast(torch.zeros(1, 1), torch.zeros(1), "margin", 3.0, 1.0, 100.0)
    inside, background = torch.tensor([0.0, 500.0]), torch.zeros(2)
    assert loss.of(inside, background, background).tolist() == [300.0, 0.0]
    rising = image_training.ImageLosses(np.arange(3), np.array([[0.4] * 3, [0.5] * 3, [0.5, 0.6, 0.7]]), "x")
    falling = image_training.ImageLosses(np.arange(3), np.array([[0.4] * 3, [0.5] * 3, [0.5, 0.9, 0.7]]), "x")
    assert "does not drop" in rising.finding and "ends 0.20 below its best" in falling.finding


def test_row_66_the_scale_that_is_climbed_rises():
    for scale in ("finest", "coarsest"):
        assert image_inside.image_maximised(scale).gain > 0


def test_row_74_the_levels_of_the_code_add_up_to_the_bound():
    found = image_inside.image_levels("noise")
    assert found.error < 1e-3 and found.auroc[0] > 0.9
    assert (found.inside[1:] > 0).all()


def test_row_76_a_warm_start_is_compared_with_one_from_scratch_and_one_of_twice_the_length():
    found = image_training.image_warm_start("flower")
    assert found.lead > 0 and found.steps[-1] == 50 and found.long_steps[-1] == 100
    assert found.lead == pytest.approx(found.scratch[0] - found.warm[0])


def test_row_58_a_flow_of_whitened_components_is_one_of_the_digits_models():
    rows = np.random.default_rng(0).normal(size=(200, 12)) @ np.random.default_rng(1).normal(size=(12, 12))
    code = PCAFlow(n_components=6, n_steps=30).fit(rows).code(rows)
    assert np.cov(code.T) == pytest.approx(np.eye(6), abs=0.01)
    assert 0.5 < image_digits.image_digits().code <= 1


def test_models_of_digits_stand_beside_each_other():
    found = image_digits.image_digits()
    assert found.auroc.shape == (5,) and (found.auroc > 0.5).all()
    assert np.isfinite(found.bits[:4]).all() and (found.bits[:4] > 0).all() and np.isnan(found.bits[4])


def test_row_71_without_and_with_labels():
    found = image_digits.image_digits()
    assert found.classes != found.convolutional and f"given the class {found.classes:.2f}" in found.finding


def test_row_79_bits_of_a_pixelcnn_compare_with_those_of_a_flow():
    found = image_digits.image_digits()
    assert 1 < found.bits_pixelcnn < 6 and 1 < found.bits_dense < 6
