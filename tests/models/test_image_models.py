"""Models of pictures as estimators: scales add up, slices equal one go, 8-bit cells, classes, backgrounds, scores."""

import zlib

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from flowlab import catalog
from flowlab.images.complexity import NeighbourDifferences, coded_bits
from flowlab.images.pixels import as_bytes
from flowlab.images.shape import ImageShape
from flowlab.jobs.slices import run_slice
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.pca_flow import PCAFlow
from flowlab.models.images import scores
from flowlab.models.images.image_flow import ImageFlow
from flowlab.models.images.image_model import bits_per_dimension
from flowlab.models.images.pixelcnn_model import PixelCNN
from flowlab.models.images.two_level_vae import TwoLevelVAE
from flowlab.records import RunSpec, Spec

DATA = catalog.make_dataset(Spec("digit_images"))
X, CLASSES = DATA.part("train"), DATA.classes[DATA.rows("train")]
SHAPE = ImageShape(8, 8)
SMALL = {"n_couplings": 2, "hidden_channels": 6, "n_steps": 20, "batch_size": 64}
IDENTITY = {"mask": "checkerboard", "activation_norm": False, "mix_channels": False, "squash": "probit"}
MODELS = {
    "flow": ImageFlow(**SMALL),
    "pixelcnn": PixelCNN(hidden_channels=6, n_layers=1, n_steps=20, batch_size=32),
    "vae": TwoLevelVAE(hidden_features=16, n_steps=20),
}
each = pytest.mark.parametrize("name", list(MODELS))


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(model).fit(X) for name, model in MODELS.items()}


@each
def test_four_slices_of_five_steps_are_twenty_steps(fitted, name):
    checkpoint = None
    for _ in range(4):
        model = clone(MODELS[name])
        events = list(model.fit_iter(X, checkpoint=checkpoint, n_steps=5))
        checkpoint = model.get_checkpoint()
    assert events[-1].step == 20
    np.testing.assert_array_equal(model.parameters_, fitted[name].parameters_)


@each
def test_a_restored_model_scores_the_same_and_a_row_alone_scores_as_among_others(fitted, name):
    model = fitted[name]
    restored = clone(model).set_state({key: value.copy() for key, value in model.get_state().items()})
    whole = model.score_samples(X[:300])
    np.testing.assert_array_equal(restored.score_samples(X[:300]), whole)
    np.testing.assert_array_equal(model.score_samples(X[[7]]), whole[[7]])
    assert model.n_parameters() == model.parameters_.size
    with pytest.raises(ValueError, match="use the parameters it was trained with"):
        clone(model).set_state(model.get_state() | {"parameters": model.parameters_[:-1]})


@each
def test_samples_are_8_bit_pictures_and_are_drawn_again_alike(fitted, name):
    drawn = fitted[name].sample(5, random_state=3)
    assert drawn.shape == (5, 64) and drawn.min() >= 0 and drawn.max() <= 1
    np.testing.assert_allclose(as_bytes(drawn) / 255, drawn)
    np.testing.assert_array_equal(fitted[name].sample(5, random_state=3), drawn)


@each
def test_training_goes_through_the_jobs_in_slices(name):
    key = {"flow": "image_flow", "pixelcnn": "pixelcnn", "vae": "two_level_vae"}[name]
    few = {"hidden_features": 8} if name == "vae" else {"hidden_channels": 4}
    spec = catalog.tidy(RunSpec(Spec("digit_images"), Spec(key, {"n_steps": 50, **few})))[0]
    first = run_slice(spec, None, 20)
    last = run_slice(spec, first.checkpoint, 30)
    assert last.finished and last.views and np.isfinite(last.events[-1].val_loss)


def test_scale_contributions_sum_to_the_log_density(fitted):
    flow = fitted["flow"]
    parts = flow.scale_contributions(X)
    assert parts.shape == (len(X), 2) and flow.latent_sizes() == [32, 32]
    np.testing.assert_allclose(parts.sum(1), flow.score_samples(X), atol=1e-4)


def test_pictures_come_back_from_latent_ones_and_layers_add_up(fitted):
    flow = fitted["flow"]
    latent = flow.transform(X[:50])
    np.testing.assert_allclose(flow.inverse_transform(latent), flow.dequantized(X[:50]), atol=1e-4)
    np.testing.assert_array_equal(flow.quantized(flow.inverse_transform(latent)), X[:50])
    path, log_dets = flow.transform_path(X[:50]), flow.log_det_path(X[:50])
    total = flow.scaling_log_det(X[:50]) + log_dets.sum(0) - 0.5 * (path[-1] ** 2).sum(1) - 32 * np.log(2 * np.pi)
    np.testing.assert_allclose(total, flow.score_samples(X[:50]), atol=1e-3)
    for layer in (0, 2):
        expected = log_dets[:, 0].sum() if layer == 0 else log_dets[layer - 1, 0]
        assert np.linalg.slogdet(flow.layer_jacobian(X[0], layer))[1] == pytest.approx(expected, rel=1e-6)
    log_scale, shift = flow.layer_readout(X[:3])
    assert log_scale.shape == shift.shape == (4, 3, 64)
    assert not log_scale[:, 0][~flow.layer_masks()].any()


def test_noise_under_the_identity_has_8_bits_for_each_pixel():
    noise = np.random.default_rng(0).integers(0, 256, (500, 64)) / 255
    flow = ImageFlow(**{**SMALL, "n_steps": 1, "learning_rate": 1e-12}, **IDENTITY).fit(noise)
    assert flow.bits_per_dimension(noise).mean() == pytest.approx(8, abs=1e-3)
    assert bits_per_dimension(np.array([0.0]), 64)[0] == pytest.approx(np.log2(255))


def test_a_row_of_8_bits_is_scored_within_its_cell(fitted):
    flow = fitted["flow"]
    inside = flow.dequantized(X[:20])
    assert ((inside - X[:20]) > 0).all() and ((inside - X[:20]) < flow.cell_).all()
    np.testing.assert_array_equal(flow.dequantized(inside), inside)
    np.testing.assert_array_equal(flow.score_samples(inside), flow.score_samples(X[:20]))
    np.testing.assert_array_equal(flow.quantized(inside), X[:20])


def test_classes_condition_the_flow():
    rows = np.column_stack([X, CLASSES])
    flow = ImageFlow(context_column=64, **{**SMALL, "n_steps": 60}).fit(rows)
    assert np.mean(flow.most_probable_level(rows) == CLASSES) > 0.4
    drawn = flow.sample_given(3, 4, random_state=0)
    assert drawn.shape == (4, 65) and (drawn[:, 64] == 3).all()
    np.testing.assert_array_equal(flow.transform(rows[:9])[:, 64], CLASSES[:9])
    np.testing.assert_allclose(flow.inverse_transform(flow.transform(rows[:9])), flow.dequantized(rows[:9]), atol=1e-4)
    np.testing.assert_allclose(
        flow.level_log_density(rows[:9])[np.arange(9), CLASSES[:9]], flow.score_samples(rows[:9])
    )
    given = flow.given(2)
    assert given.transform(X[:3]).shape == (3, 64)
    reported = given.log_det_path(X[:1]).sum()
    assert np.linalg.slogdet(given.layer_jacobian(X[0]))[1] == pytest.approx(reported, rel=1e-6)
    with pytest.raises(ValueError, match="no training row was of class 77"):
        flow.sample_given(77)


@pytest.mark.parametrize("loss", ["outlier", "margin"])
def test_training_against_a_background_makes_it_less_likely(fitted, loss):
    background = np.random.default_rng(0).permuted(X, axis=1)
    general = Gaussian().fit(background)
    flow = ImageFlow(**SMALL).fit_against(X, background, general, loss=loss, weight=2.0, temperature=10.0, margin=50.0)
    away = flow.score_samples(X).mean() - flow.score_samples(background).mean()
    before = fitted["flow"].score_samples(X).mean() - fitted["flow"].score_samples(background).mean()
    assert away > before + 5


def test_climbing_one_scale_raises_its_contribution(fitted):
    flow = fitted["flow"]
    for scale in (0, 1):
        climbed = flow.maximized(X[:4], scale, n_steps=10)
        gained = flow.scale_contributions(climbed)[:, scale] - flow.scale_contributions(X[:4])[:, scale]
        assert (gained > 0).all()
    with pytest.raises(ValueError, match="scale must be from 0 to 1, not 2"):
        flow.maximized(X[:1], 2)


def test_the_gradient_is_the_slope_of_the_score(fitted):
    flow = fitted["flow"]
    inside = flow.dequantized(X[:1])
    step = np.zeros((1, 64))
    step[0, 20] = 1e-3
    slope = (flow.score_samples(inside + step) - flow.score_samples(inside - step))[0] / 2e-3
    assert flow.score_gradient(X[:1])[0, 20] == pytest.approx(slope, rel=0.05, abs=0.5)


def test_levels_of_the_code_add_up_to_the_bound(fitted):
    terms = fitted["vae"].bound_terms(X[:30])
    np.testing.assert_allclose(terms[:, 0] - terms[:, 1] - terms[:, 2], fitted["vae"].score_samples(X[:30]))
    assert (terms[:, 1:] > -1).all()
    assert fitted["vae"].codes(X[:3]).shape == (3, 20)


def test_cells_are_as_wide_as_the_levels_of_the_pictures_are_apart(fitted):
    flow = fitted["flow"]
    assert len(flow.picture_levels_) == 17 and flow.cell_ == pytest.approx(15 / 255)
    assert set(as_bytes(flow.sample(20, random_state=0)).ravel()) <= set(flow.picture_levels_)
    assert len(ImageFlow(**{**SMALL, "n_steps": 1}).fit(X * 0.7).picture_levels_) == 17
    noise = np.random.default_rng(0).integers(0, 256, (60, 64)) / 255
    assert ImageFlow(**{**SMALL, "n_steps": 1}).fit(noise).cell_ == pytest.approx(1 / 255)


def test_row_75_bits_are_nats_over_the_pixels_and_log_2_of_the_levels(fitted):
    nats = -fitted["flow"].score_samples(X[:20]) / (64 * np.log(2))
    assert fitted["flow"].bits_per_dimension(X[:20]) == pytest.approx(nats + np.log2(17), abs=0.01)


def test_pixels_of_a_pixelcnn_multiply_to_the_probability(fitted):
    log_probability = fitted["pixelcnn"].pixel_log_probability(X[:30]).sum(1)
    expected = log_probability - 64 * np.log(fitted["pixelcnn"].cell_)
    np.testing.assert_allclose(fitted["pixelcnn"].score_samples(X[:30]), expected, atol=1e-2)


def test_scores_are_what_their_formulas_say(fitted):
    flow, general = fitted["flow"], ImageFlow(**{**SMALL, "n_steps": 5}).fit(X)
    difference = general.score_samples(X) - flow.score_samples(X)
    np.testing.assert_allclose(scores.likelihood_ratio(flow, general, X), difference)
    np.testing.assert_allclose(scores.scale_scores(flow, X, general).sum(1), difference, atol=1e-3)
    np.testing.assert_array_equal(scores.last_scale(flow, X), scores.scale_scores(flow, X)[:, 1])
    bits = coded_bits(as_bytes(SHAPE.of(X[:3])), "zlib")
    assert bits[0] == 8 * len(zlib.compress(as_bytes(X[0]).tobytes(), 9))
    np.testing.assert_allclose(scores.complexity(flow, X[:3], SHAPE), -flow.score_samples(X[:3]) - bits * np.log(2))
    assert coded_bits(as_bytes(SHAPE.of(X[:1])), "png")[0] > 8 * 60
    with pytest.raises(ValueError, match="coder must be 'png' or 'zlib', not 'rar'"):
        scores.complexity(flow, X[:3], SHAPE, "rar")
    mean = flow.score_samples(X).mean()
    np.testing.assert_allclose(scores.typicality(flow, X, X), np.abs(mean - flow.score_samples(X)))
    three = ImageFlow(**{**SMALL, "n_scales": 3, "n_steps": 1}).fit(X)
    with pytest.raises(ValueError, match="the general model has 3 scales, the model 2"):
        scores.scale_scores(flow, X, three)


@pytest.mark.parametrize(
    "fit",
    [
        lambda X: PCAFlow(n_components=8, n_steps=60).fit(X),
        lambda X: scores.AutoencoderFlow.fit(X, n_code=8, n_steps=60),
    ],
    ids=["pca", "autoencoder"],
)
def test_a_code_and_its_density_find_negatives(fit):
    found = fit(X)
    assert np.median(found.anomaly_score(1 - X)) > np.quantile(found.anomaly_score(X), 0.9)


def test_a_classifier_tells_a_background_from_what_is_inside():
    background = np.random.default_rng(0).permuted(X, axis=1)
    for kind in ("logistic", "mlp"):
        found = scores.BackgroundClassifier.fit(X, background, kind)
        assert np.mean(found.anomaly_score(background) > 0) > 0.8 > 0.2 > np.mean(found.anomaly_score(X) > 0)
    odds = scores.BackgroundClassifier.fit(X, background, "logistic")
    model = odds.pipeline[-1]
    assert isinstance(model, LogisticRegression)
    np.testing.assert_allclose(odds.anomaly_score(X[:5]), odds.pipeline.decision_function(X[:5]), rtol=1e-6)


def test_a_histogram_of_differences_prefers_what_it_learned():
    learned, shuffled = (as_bytes(SHAPE.of(rows)) for rows in (X, np.random.default_rng(0).permuted(X, axis=1)))
    found = NeighbourDifferences.of(learned)
    assert found.log_likelihood(learned).mean() > found.log_likelihood(shuffled).mean()
    assert np.exp(found.log_probability).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "model, rows, sentence",
    [
        (ImageFlow(), np.random.default_rng(0).random((20, 5)), "rows of 5 numbers are no pictures of 2 x 2 pixels"),
        (ImageFlow(height=4, width=4), X[:20], "rows of 64 numbers are no pictures of 4 x 4 pixels"),
        (ImageFlow(mask="0110"), X[:20], "mask must hold 0 and 1 for each of 8 x 8 pixels"),
        (ImageFlow(height=1, width=64), X[:20], "channels can be coupled where height and width are even"),
        (ImageFlow(context_column=99), X[:20], "context_column must be None or the number of a column of the 64"),
        (ImageFlow(dequantize="none"), np.ones((20, 64)), "all pixels have one value, so there is no density"),
        (ImageFlow(mask="sideways"), X[:20], "mask must be one of checkerboard, channel, half, cycle or a 0 or 1"),
    ],
)
def test_what_cannot_be_learned_is_refused_in_a_sentence(model, rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        model.fit_iter(rows)


def test_pictures_that_are_all_equal_train_without_a_number_that_is_not_finite():
    flow = ImageFlow(**SMALL).fit(np.full((60, 64), 10 / 255))
    assert np.isfinite(flow.score_samples(np.vstack([np.zeros((1, 64)), np.ones((1, 64))]))).all()


def test_each_network_and_mask_trains():
    for settings in (
        {"network": "dense"},
        {"network": "local", "bottleneck": 2},
        {"mask": "cycle"},
        {"squash": "logit"},
    ):
        flow = ImageFlow(**{**SMALL, "n_steps": 5, **settings}).fit(X[:100])
        assert np.isfinite(flow.score_samples(X[:100])).all()
