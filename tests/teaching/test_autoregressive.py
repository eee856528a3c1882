"""Masks, updates and inverse passes of autoregressive layers, against finite differences and the engine."""

import numpy as np
import pytest

from flowlab import catalog
from flowlab.records import RunSpec, Spec
from flowlab.teaching.exhibits import autoregressive
from flowlab.teaching.exhibits.autoregressive import Made, inverse_passes, mask_matrices, one_update


@pytest.mark.parametrize("order", ["1234", "4321", "3142"])
@pytest.mark.parametrize("n_hidden", [1, 3])
def test_row_87_the_jacobian_is_strictly_triangular_in_the_chosen_order(order, n_hidden):
    found = mask_matrices(order, n_hidden=n_hidden)
    assert np.triu(found.jacobian, 1) == pytest.approx(0, abs=0) and found.n_paths == 0
    assert found.log_det_error < 1e-12
    assert (np.tril(found.paths, -1)[np.tril_indices(4, -1)] > 0).all(), "each column sees all before it"
    assert mask_matrices(order, n_hidden=n_hidden, masked=False).above > 1e-3


def test_row_87_the_jacobian_is_that_of_finite_differences():
    made, x, step = Made((2, 0, 3, 1), n_hidden=2), np.array([0.3, -0.4, 1.0, 0.2]), 1e-6

    def z(x):
        mu, alpha = made.readout(x)
        return (x - mu) * np.exp(-alpha)

    columns = [(z(x + step * e) - z(x - step * e)) / (2 * step) for e in np.eye(4)]
    assert made.jacobian(x) == pytest.approx(np.stack(columns, 1), abs=1e-6)


def test_row_87_the_masks_are_those_of_the_engine():
    X = np.random.default_rng(0).standard_normal((100, 4))
    maf = catalog.MODELS["maf"].make(n_layers=1, n_steps=1, hidden_features=8, n_hidden=2).fit(X)
    engine, found = maf.made_masks(1), mask_matrices("1234", n_units=8, n_hidden=2)
    assert engine.order.tolist() == [0, 1, 2, 3]
    for theirs, ours in zip((engine.input, *engine.hidden, engine.output), found.masks, strict=True):
        assert (theirs == ours).all()


@pytest.mark.parametrize("d", range(1, 10))
def test_row_88_the_inverse_takes_a_pass_for_each_column(d):
    for n_passes in range(d + 1):
        found = inverse_passes(d, n_passes)
        assert found.passes == d and found.known == n_passes
    figure = autoregressive.draw_inverse_passes(inverse_passes(d, 0))
    assert np.isnan(np.array(figure.data[1].z, float)).all(), "nothing is known before the first pass"


def test_row_92_mu_and_alpha_reproduce_the_output():
    found = one_update(0.7, -1.2, 2.0)
    assert found.z == pytest.approx((found.x - found.mu) * np.exp(-found.alpha))
    assert found.rebuilt == pytest.approx(found.x, abs=1e-12)
    moved = one_update(0.7, -1.2, -2.0)
    assert (moved.mu == found.mu).all() and (moved.z[:2] == found.z[:2]).all()


def test_row_92_the_readout_of_a_trained_layer_reproduces_its_output():
    X = np.random.default_rng(0).normal(3, 2, (300, 3))
    maf = catalog.MODELS["maf"].make(n_layers=1, n_steps=30, activation_norm=False).fit(X)
    log_scale, shift = maf.layer_readout(X[:5])
    before, after = maf.transform_path(X[:5])
    assert after == pytest.approx(before * np.exp(log_scale[0]) + shift[0], abs=1e-5)
    assert maf.log_det_path(X[:5])[0] == pytest.approx(log_scale[0].sum(1), abs=1e-5)


@pytest.mark.parametrize("permutation", ["none", "reverse", "random", "lu"])
def test_row_94_the_columns_between_layers_are_permuted_or_mixed(permutation):
    X = np.random.default_rng(0).standard_normal((200, 4))
    spec, _ = catalog.tidy(RunSpec(Spec("moons"), Spec("maf", {"permutation": permutation, "n_steps": 50})))
    maf = catalog.make_model(spec.model).fit(X)
    orders = [maf.made_masks(i + 1) for i in range(len(maf.log_det_path(X[:1])))]
    first, *others = [tuple(masks.order) for masks in orders if masks is not None]
    assert len(others) == 4 and (set(others) == {first}) == (permutation == "none")
    assert orders.count(None) == (4 if permutation == "lu" else 0)
    assert maf.inverse_transform(maf.transform(X)) == pytest.approx(X, abs=1e-5)


@pytest.mark.slow
def test_row_93_the_flow_of_the_notebook_is_built_by_nflows():
    X = np.random.default_rng(0).standard_normal((200, 3))
    entry = catalog.MODELS["notebook_maf"]
    assert entry.defaults | {"n_layers": 5, "hidden_features": 4, "n_blocks": 2} == entry.defaults
    flow = catalog.make_model(Spec("notebook_maf", {"n_steps": 50})).fit(X)
    assert np.isfinite(flow.score_samples(X)).all()
