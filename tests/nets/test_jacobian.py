"""Jacobians of the catalog's flows: exact, with the determinant the layers report, triangular in the order told."""

import numpy as np
import pytest

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import FlowModel
from flowlab.models.flows.families import (
    AffineCouplingFlow,
    InverseAutoregressiveFlow,
    MaskedAutoregressiveFlow,
    SplineCouplingFlow,
)
from flowlab.models.flows.jacobian_form import LayerForm
from flowlab.plots import coupling
from flowlab.records import Spec
from flowlab.views.coupling import Jacobian

FLOWS = [
    name for name, entry in catalog.MODELS.items() if issubclass(entry.make, FlowModel) and not entry.make.is_for_images
]
SHORT = {"n_layers": 3, "n_steps": 60, "hidden_features": 12}
RNG = np.random.default_rng(0)
X = RNG.gamma(2.0, size=(300, 4)) * [1.0, 30.0, 0.1, 1.0]
X[:, 1] += 20 * X[:, 0]
X[0, 2] = 9.0  # so far out that it is compressed
DATA = Dataset(X, ("a", "b", "c", "d"))
PLANE = Dataset(X[:, :2], ("a", "b"))


@pytest.fixture(scope="module")
def flows():
    """Every flow of the catalog, trained for a moment."""
    made = {}
    for name in FLOWS:
        known = catalog.MODELS[name].make().get_params()
        made[name] = catalog.make_model(Spec(name)).set_params(**{k: v for k, v in SHORT.items() if k in known}).fit(X)
    return made


@pytest.mark.parametrize("name", FLOWS)
def test_the_determinant_is_what_the_layer_reports(flows, name):
    model = flows[name]
    for row in (0, 5, 17):
        reported = model.log_det_path(X[[row]])[:, 0]
        product = np.eye(4)
        for layer in range(1, len(reported) + 1):
            matrix = model.layer_jacobian(X[row], layer)
            assert np.linalg.slogdet(matrix)[1] == pytest.approx(reported[layer - 1], abs=1e-6)
            product = matrix @ product
        np.testing.assert_allclose(model.layer_jacobian(X[row]), product, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FLOWS)
def test_jacobians_are_the_slopes_of_the_path(flows, name):
    model, step = flows[name], 1e-6 * X.std(axis=0)
    for row in (3, 8):
        ends = model.transform_path(np.concatenate([X[row] + np.diag(step), X[row] - np.diag(step)]))
        slopes = np.swapaxes((ends[:, :4] - ends[:, 4:]) / (2 * step)[:, None], 1, 2)
        expected = slopes[2] @ np.linalg.inv(slopes[1])
        np.testing.assert_allclose(model.layer_jacobian(X[row], 2), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in FLOWS if name.startswith(("nflows", "lecture", "notebook"))])
def test_jacobians_of_nflows_are_autograds(flows, name):
    import torch

    model = flows[name]
    row = torch.tensor(model._enter(X[[2]])[0])
    expected = torch.autograd.functional.jacobian(lambda v: model._flow.layers[0](v)[0], row)[0, :, 0]
    np.testing.assert_allclose(model.layer_jacobian(X[2], 1), expected.numpy(), atol=1e-10)


@pytest.mark.parametrize("name", FLOWS)
def test_in_the_order_told_the_jacobian_is_triangular_and_its_diagonal_is_the_determinant(flows, name):
    for layer in (1, 2):
        found = views.jacobian(flows[name], DATA, 9, layer)
        assert found.log_det == pytest.approx(found.reported, abs=1e-6)
        if name in ("planar", "radial"):
            assert found.form.kind == name
        if name in ("planar", "radial", "glow"):  # a layer of Glow mixes all columns, then couples them
            assert not len(found.form.after), "triangular in no order"
            continue
        ordered = found.matrix[np.ix_(found.form.after, found.form.before)]
        assert np.abs(np.triu(ordered, 1)).max() == found.above < 1e-12 < np.abs(np.tril(ordered, -1)).max()
        np.testing.assert_allclose(found.log_diagonal, np.log(np.abs(np.diag(ordered))))
        assert found.log_diagonal.sum() == pytest.approx(found.reported, abs=1e-6)
        n_kept = found.form.n_kept
        np.testing.assert_allclose(ordered[:n_kept, :n_kept], np.eye(n_kept), atol=1e-12)
    whole = views.jacobian(flows[name], DATA, 9, 0)
    assert whole.form.kind == "flow" and not len(whole.form.after), "layers that take turns are triangular in no order"
    assert whole.log_det == pytest.approx(whole.reported, abs=1e-6)


def test_layers_in_one_order_make_a_triangular_flow():
    for model, n_kept in ((MaskedAutoregressiveFlow(permutation="none"), 0), (AffineCouplingFlow(mask="=0110"), 2)):
        model.set_params(**SHORT, activation_norm=n_kept == 0).fit(X)
        found = views.jacobian(model, DATA, 4, 0)
        assert np.abs(np.triu(found.matrix[np.ix_(found.form.after, found.form.before)], 1)).max() < 1e-12
        assert found.form.n_kept == n_kept and found.log_diagonal.sum() == pytest.approx(found.reported, abs=1e-6)


@pytest.mark.parametrize("kind", [AffineCouplingFlow, MaskedAutoregressiveFlow, InverseAutoregressiveFlow])
def test_constant_columns_and_a_context_pass_as_they_are(kind):
    table = X.copy()
    table[:, 1], table[:, 2] = 5.0, RNG.integers(0, 3, len(X))
    model = kind(**SHORT, context_column=2).fit(table)
    for layer in (0, 1):
        matrix, form = model.layer_jacobian(table[3], layer), model.layer_form(layer)
        np.testing.assert_array_equal(matrix[[1, 2]], np.eye(4)[[1, 2]])
        if layer:
            assert form.after[:2].tolist() == [1, 2] and form.n_kept >= 2
            assert np.linalg.slogdet(matrix)[1] == pytest.approx(model.log_det_path(table[[3]])[layer - 1, 0], abs=1e-6)


def test_a_layer_without_its_masks_is_not_triangular_and_reports_a_wrong_determinant():
    model = MaskedAutoregressiveFlow(**SHORT, fault="no mask").fit(X)
    found = views.jacobian(model, DATA, 3, 1)
    assert found.above > 0.01 and abs(found.log_det - found.reported) > 0.01


def test_one_feature_and_a_layer_that_does_not_exist():
    one = Dataset(X[:, :1], ("a",))
    model = SplineCouplingFlow(n_layers=2, n_steps=50).fit(one.X)
    found = views.jacobian(model, one, 0, 1)
    assert found.matrix.shape == (1, 1) and found.log_diagonal.sum() == pytest.approx(found.reported, abs=1e-9)
    for call in (lambda: model.layer_jacobian(one.X[0], 3), lambda: views.jacobian(model, one, 0, 3)):
        with pytest.raises(ValueError, match="layer must be a whole number from 1 to 2, not 3"):
            call()


@pytest.mark.parametrize("kind", [SplineCouplingFlow, MaskedAutoregressiveFlow, InverseAutoregressiveFlow])
def test_wide_tables_have_a_jacobian_too(kind):
    wide = np.random.default_rng(0).normal(size=(300, 64))
    model = kind(n_steps=5).fit(wide)
    data = Dataset(wide, tuple(f"x{j}" for j in range(64)))
    for layer in (0, 1):
        assert views.jacobian(model, data, 0, layer).matrix.shape == (64, 64)


def test_a_jacobian_stands_beside_its_triangular_order():
    flow = AffineCouplingFlow(**SHORT).fit(PLANE.X)
    found = views.jacobian(flow, PLANE, 3, 2)
    fig = coupling.jacobian_panels(found, ["<b>x1</b>", "x2"])
    own, ordered = fig.data
    np.testing.assert_allclose(own.z, found.matrix, rtol=1e-6)
    np.testing.assert_allclose(ordered.z, found.matrix[np.ix_(found.form.after, found.form.before)], rtol=1e-6)
    assert own.text[0][0] == f"{found.matrix[0, 0]:.3f}".replace("-", "\u2212")
    assert list(fig.layout.xaxis2.ticktext) == [str(j + 1) for j in found.form.before] and own.zmin == -own.zmax
    assert "&lt;b&gt;" in own.customdata[0][0] and "<b>" not in own.customdata[0][0]
    diagonal, zero = (shape.path for shape in fig.layout.shapes)
    assert diagonal.count("M") == 2 and zero.startswith("M0.5,-0.5"), "squares on the diagonal, a frame right of them"
    assert coupling.jacobian_panels(found, ["a", "b"]).layout.annotations[1].text.startswith("kept features first")
    assert len(coupling.jacobian_panels(views.jacobian(flow, PLANE, 3, 0), ["a", "b"]).data) == 1


@pytest.mark.parametrize("n", [1, 7, 100])
def test_a_jacobian_of_any_size_is_drawn(n):
    order = np.arange(n)[::-1]
    found = Jacobian(np.eye(n), 0.0, 0.0, LayerForm("autoregressive", order, order), np.zeros(n), 0.0)
    fig = coupling.jacobian_panels(found, [f"column {j}" for j in range(n)], dark=True)
    assert len(fig.data) == min(n, 2) and len(fig.layout.xaxis.tickvals) <= 16


def test_a_wide_jacobian_is_drawn_in_blocks_that_lose_no_large_entry():
    n = 401
    matrix = np.eye(n)
    matrix[200, 7] = -9.0
    form = LayerForm("autoregressive", np.arange(n), np.arange(n))
    found = Jacobian(matrix, 0.0, 0.0, form, np.zeros(n), 0.0)
    fig = coupling.jacobian_panels(found, [f"column {j}" for j in range(n)])
    drawn = np.asarray(fig.data[0].z)
    assert drawn.shape == (134, 134) and drawn[200 // 3, 7 // 3] == -9 and (np.diag(drawn) == 1).all()
    assert fig.data[0].x[1] == 4 and "largest of 3 × 3" in fig.layout.annotations[0].text
