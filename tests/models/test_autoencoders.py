"""Autoencoders: gradients, PCA, the bounds of the VAE, exact resume, scikit-learn's contract."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_moons
from sklearn.decomposition import PCA
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.nn.functional import logsigmoid

from flowlab.models.autoencoders.autoencoder import Autoencoder, gaussian_reading
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.nets.autoencoder import AutoencoderNet, VariationalNet

torch.set_num_threads(1)
SHORT = {"n_steps": 60, "width": 16, "batch_size": 64}


@parametrize_with_checks(
    [
        Autoencoder(n_steps=20, width=8),
        VariationalAutoencoder(n_steps=20, width=8, n_draws=4),
        Autoencoder(n_steps=20, n_layers=0, prior="laplace", noise=0.1, penalty=0.1),
    ]
)
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def moons():
    return make_moons(3000, noise=0.05, random_state=0)[0]


@pytest.fixture(scope="module")
def moons_vae(moons):
    return VariationalAutoencoder(n_latent=1, n_steps=1500).fit(moons)


def gradient_error(net, x, step=0):
    """Relative error of the hand-derived gradient against autograd over the same forward formulas, float64."""
    net.parameters.copy_(0.3 * torch.randn(len(net.parameters), generator=torch.Generator().manual_seed(0)).double())
    net.step = step
    net.loss_and_gradient(x, torch.Generator().manual_seed(1))
    flat = net.parameters.clone().requires_grad_()
    reference_loss(net, flat, x, step).backward()
    return float((net.gradient - flat.grad).norm() / flat.grad.norm())


def reference_loss(net, flat, x, step):
    generator = torch.Generator().manual_seed(1)
    ones = torch.ones(1, x.shape[1], dtype=x.dtype)
    act = {"relu": torch.relu, "tanh": torch.tanh, "silu": torch.nn.functional.silu, "elu": torch.nn.functional.elu}
    start = 0

    def chain(layers, h):
        nonlocal start
        for i, (n_in, n_out) in enumerate(zip(layers.sizes, layers.sizes[1:])):
            w = flat[start : start + n_out * (n_in + 1)].view(n_out, n_in + 1)
            start += w.numel()
            h = w @ torch.cat([h, ones])
            if i < len(layers.sizes) - 2:
                h = act[layers.activation](h)
        return h

    if isinstance(net, AutoencoderNet):
        seen = x + net.noise * torch.randn(x.shape, generator=generator, dtype=x.dtype) if net.noise else x
        code = chain(net.encoder, seen)
        r = chain(net.decoder, code) - x
        huber = torch.where(r.abs() < 1, r * r / 2, r.abs() - 0.5)
        losses = {"squared": r.square(), "absolute": r.abs(), "huber": huber}
        logit, target = r + x, 0.5 + 0.1 * x
        losses["cross_entropy"] = -target * logsigmoid(logit) - (1 - target) * logsigmoid(-logit)
        penalty = net.penalty * (code.square() + 1e-8).pow(net.power / 2)
        return (losses[net.loss_name].sum(0) + penalty.sum(0)).mean()
    mu, raw = chain(net.encoder, x).chunk(2)
    q = torch.distributions.Normal(mu, (5 * torch.tanh(raw / 5)).exp())
    z = mu + q.stddev * torch.randn(mu.shape, generator=generator, dtype=x.dtype)
    mean = chain(net.decoder, z)
    std = flat[start:, None].exp() if net.sigma is None else torch.full((len(x), 1), net.sigma, dtype=x.dtype)
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu)))
    weight = net.beta * min(1, step / net.kl_warmup)
    return (weight * kl.sum(0) - torch.distributions.Normal(mean, std).log_prob(x).sum(0)).mean() + net.log_scale


def in_float64(kind, *args):
    return kind(*args, parameters=np.zeros(len(kind(*args).parameters)))


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "silu"])
def test_gradients_equal_autograd(activation):
    x = torch.randn(3, 17, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    for loss in ("squared", "absolute", "huber"):
        net = in_float64(AutoencoderNet, 3, 2, [5, 4], activation, loss, 0.1, 0.3, 1.5)
        assert gradient_error(net, x) < 1e-9
    net = in_float64(AutoencoderNet, 3, 2, [5, 4], activation, "cross_entropy", 0.1, 0.3, 1.5)
    net._center, net._scale = net._center + 0.5, net._scale * 0.1
    assert gradient_error(net, x) < 1e-9
    for sigma in (None, 0.7):
        net = in_float64(VariationalNet, 3, 2, [5, 4], activation, 2.5, sigma, 7, 0.3)
        assert gradient_error(net, x, step=3) < 1e-9
        assert gradient_error(net, x, step=9) < 1e-9


@pytest.mark.parametrize(
    ("load", "n_latent"), [(load_breast_cancer, 3), (load_breast_cancer, 5), (load_wine, 2), (load_digits, 8)]
)
def test_linear_autoencoder_is_pca(load, n_latent):
    X = load().data
    model = Autoencoder(n_latent, n_layers=0).fit(X)
    S = (X - model.mean_) / model.scale_
    pca = PCA(n_latent).fit(S)
    images = (model.inverse_transform(np.vstack([np.zeros(n_latent), np.eye(n_latent)])) - model.mean_) / model.scale_
    basis = np.linalg.qr((images[1:] - images[0]).T)[0]
    cosines = np.linalg.svd(basis.T @ pca.components_.T)[1]
    assert np.degrees(np.arccos(cosines.min())) < 5
    error = ((S - pca.inverse_transform(pca.transform(S))) ** 2).sum(1).mean()
    assert model.reconstruction_error(X).mean() == pytest.approx(error, rel=0.01)


def test_over_complete_code_without_a_regulariser_copies_its_input(moons):
    assert Autoencoder(n_latent=4, n_layers=0, n_steps=1000).fit(moons).reconstruction_error(moons).mean() < 1e-4


def test_score_is_minus_the_row_wise_squared_error(moons):
    model = Autoencoder(loss="huber", **SHORT).fit(moons)
    errors = ((moons - model.reconstruct(moons)) / model.scale_) ** 2
    np.testing.assert_allclose(-model.score_samples(moons), errors.sum(1), atol=1e-12)
    np.testing.assert_allclose(model.feature_errors(moons), errors, atol=1e-12)
    assert model.compression() == 0.5


def test_cross_entropy_keeps_reconstructions_within_0_and_1_and_refuses_other_columns(moons):
    X = load_digits().data[:400] / 16
    model = Autoencoder(8, loss="cross_entropy", n_steps=300, width=32)
    events = list(model.fit_iter(X[:300], X[300:]))
    images = model.reconstruct(X[300:])
    assert images.min() >= 0 and images.max() <= 1 and "nats" in model.loss_label
    v = images.clip(1e-7, 1 - 1e-7)
    by_hand = -(X[300:] * np.log(v) + (1 - X[300:]) * np.log(1 - v)).sum(1).mean()
    assert by_hand == pytest.approx(min(e.val_loss for e in events), rel=1e-3)
    constant = X[:300].mean(0)
    assert np.square(X[300:] - images).sum() < 0.6 * np.square(X[300:] - constant).sum()
    with pytest.raises(ValueError, match=r"columns within 0 and 1, and column 1 goes from -.* choose the squared"):
        model.fit_iter(moons)


def test_denoising_points_back_to_the_data(moons):
    model = Autoencoder(n_latent=2, noise=0.3, n_steps=1500).fit(moons)
    noisy = moons + 0.3 * model.scale_ * np.random.default_rng(0).standard_normal(moons.shape)
    clean_error = np.linalg.norm((model.reconstruct(noisy) - moons) / model.scale_, axis=1).mean()
    assert clean_error < 0.85 * np.linalg.norm((noisy - moons) / model.scale_, axis=1).mean()


def test_penalty_makes_codes_smaller():
    X = load_wine().data
    sizes = [
        np.abs(Autoencoder(6, penalty=p, weight_decay=0.01, n_steps=600).fit(X).transform(X)).mean()
        for p in (0, 0.3, 3)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("prior", ["laplace", "gaussian"])
def test_samples_of_the_autoencoder_are_decoded_draws_from_the_codes(moons, prior):
    model = Autoencoder(prior=prior, **SHORT).fit(moons)
    rows = model.sample(4000, random_state=0)
    assert rows.shape == (4000, 2)
    np.testing.assert_array_equal(rows, model.sample(4000, random_state=0))
    cold = model.sample(50, random_state=0, temperature=0.0)
    np.testing.assert_allclose(cold, np.broadcast_to(cold[0], cold.shape), atol=1e-12)
    np.testing.assert_allclose(model.reconstruction_error(rows).mean(), 0, atol=0.5)


def test_gaussian_reading_of_the_squared_error(moons):
    from scipy.stats import norm

    model = Autoencoder(**SHORT).fit(moons)
    S, back = ((rows - model.mean_) / model.scale_ for rows in (moons[:50], model.reconstruct(moons[:50])))
    nll = -norm.logpdf(S, back, 0.4).sum(1)
    readings = [gaussian_reading(e, 2, 0.4) for e in model.reconstruction_error(moons[:50])]
    np.testing.assert_allclose([r.negative_log_likelihood for r in readings], nll, rtol=1e-9)
    assert readings[0].slope * readings[0].squared_error + readings[0].intercept == pytest.approx(nll[0])


def test_kl_in_closed_form_equals_monte_carlo(moons, moons_vae):
    mu, std = moons_vae.posterior(moons[:200])
    z = mu + std * np.random.default_rng(0).standard_normal((20_000, *mu.shape))
    log_ratio = 0.5 * (z**2 - ((z - mu) / std) ** 2) - np.log(std)
    assert log_ratio.sum(2).mean() == pytest.approx(moons_vae.kl(moons[:200]).mean(), rel=0.01)


@pytest.mark.parametrize("load", ["moons", load_wine, load_breast_cancer])
def test_bound_is_below_the_importance_weighted_one_which_rises_with_draws(load, moons):
    X = moons[:600] if load == "moons" else load().data
    model = VariationalAutoencoder(n_steps=500).fit(X)
    means = []
    for n_draws in (1, 4, 16, 64, 256):
        log_likelihood, elbo = model.bounds(X, n_draws)
        assert np.all(log_likelihood >= elbo - 1e-9)
        means.append(log_likelihood.mean())
    assert np.all(np.diff(means) > 0)
    assert np.mean(elbo) < means[-1]


def test_likelihood_of_the_variational_autoencoder_integrates_to_one(moons, moons_vae):
    low, high = moons.min(0) - 1, moons.max(0) + 1
    grid = np.stack(np.meshgrid(*np.linspace(low, high, 90).T), -1).reshape(-1, 2)
    density = np.exp(moons_vae.bounds(grid, 256)[0])
    assert density.sum() * np.prod((high - low) / 89) == pytest.approx(1, abs=0.03)


def test_beta_trades_rate_against_distortion():
    X = load_wine().data
    models = [VariationalAutoencoder(beta=b, n_steps=800).fit(X) for b in (0.1, 1, 10)]
    assert np.all(np.diff([m.kl(X).mean() for m in models]) < 0)
    assert np.all(np.diff([m.reconstruction_error(X).mean() for m in models]) > 0)


def test_scores_of_the_variational_autoencoder(moons, moons_vae):
    parts = moons_vae.score_parts(moons)
    np.testing.assert_allclose(parts["norm"], np.sqrt((moons_vae.transform(moons) ** 2).sum(1)))
    for name, values in parts.items():
        moons_vae.score_by = name
        np.testing.assert_allclose(moons_vae.anomaly_score(moons), values)
        assert moons_vae.is_density == (name == "log_likelihood")
    moons_vae.score_by = "log_likelihood"
    assert moons_vae.decodes(moons[:3], 50, random_state=0).var(0).min() > 0


def test_fixed_variance_is_the_one_asked_for(moons):
    model = VariationalAutoencoder(variance="fixed", sigma=0.2, **SHORT).fit(moons)
    np.testing.assert_allclose(model.output_std(), 0.2 * moons.std(0))


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
def test_four_slices_of_ten_steps_are_forty_steps(moons, kind):
    def new():
        return kind(n_steps=40, width=16, noise=0.1) if kind is Autoencoder else kind(n_steps=40, kl_warmup=0.7)

    whole = new().fit(moons)
    checkpoint = None
    for _ in range(4):
        part = new()
        events = list(part.fit_iter(moons, checkpoint=checkpoint, n_steps=10))
        checkpoint = part.get_checkpoint()
    assert events[-1].step == 40
    np.testing.assert_array_equal(part.parameters_, whole.parameters_)
    np.testing.assert_array_equal(part.score_samples(moons[:20]), whole.score_samples(moons[:20]))


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
def test_saved_model_scores_the_same(moons, kind, tmp_path):
    model = kind(**SHORT).fit(moons)
    np.savez(tmp_path / "model.npz", **model.get_state())
    with np.load(tmp_path / "model.npz", allow_pickle=False) as state:
        copy = kind(**SHORT).set_state(state)
    np.testing.assert_array_equal(copy.score_samples(moons), model.score_samples(moons))
    np.testing.assert_array_equal(copy.sample(9, random_state=1), model.sample(9, random_state=1))


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
def test_row_scores_do_not_depend_on_the_batch(moons, kind):
    model = kind(**SHORT).fit(moons)
    alone = [model.score_samples(row[None])[0] for row in moons[:20]]
    np.testing.assert_allclose(model.score_samples(moons)[:20], alone, rtol=1e-9)


@pytest.mark.parametrize("kind", [Autoencoder, VariationalAutoencoder])
@pytest.mark.parametrize("case", ["one feature", "ten rows", "constant column", "wide code"])
def test_awkward_tables_train(kind, case):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10 if case == "ten rows" else 200, 1 if case == "one feature" else 3))
    if case == "constant column":
        X[:, 1] = 7.0
    model = kind(n_latent=9 if case == "wide code" else 1, **SHORT).fit(X)
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.sample(10, random_state=0)).all()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"n_latent": 0}, "n_latent must be a whole number of at least 1"),
        ({"loss": "cubic"}, "loss must be one of squared, absolute, huber"),
        ({"penalty": -1.0}, "penalty must be a number of at least 0"),
        ({"learning_rate": 0.0}, "learning_rate must be a number above 0"),
    ],
)
def test_wrong_parameters_fail_at_the_call(parameters, words, moons):
    with pytest.raises(ValueError, match=words):
        Autoencoder(**parameters).fit_iter(moons)
