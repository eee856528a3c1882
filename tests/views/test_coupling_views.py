"""Masks: those one types are validated, trained and drawn; what they never transform stays a Gaussian's."""

import json

import numpy as np
import pages_driver
import pytest
from pages_driver import enter, in_link, labelled, press, said, train, wait_for_run
from streamlit.testing.v1 import AppTest

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.models.flows.families import (
    AffineCouplingFlow,
    InverseAutoregressiveFlow,
    MaskedAutoregressiveFlow,
    PlanarFlow,
)
from flowlab.plots import coupling
from flowlab.records import RunSpec, Spec

X = np.random.default_rng(0).gamma(2.0, size=(400, 4))
X[:, 2] = 5.0  # a constant column, which no layer ever sees
DATA = Dataset(X, ["a", "b", "c", "d"])
FIXED = RunSpec(Spec("moons", {"n_samples": 600}), Spec("affine", {"n_layers": 3, "n_steps": 50, "mask": "=01"}))
MADE = RunSpec(Spec("gaussian", {"n_samples": 600, "n_features": 3}), Spec("maf", {"n_layers": 2, "n_steps": 50}))


def flow(kind=AffineCouplingFlow, **parameters):
    return kind(**{"n_layers": 4, "n_steps": 50, "hidden_features": 8, **parameters})


@pytest.fixture(scope="module")
def fixed():
    return flow(mask="=0101").fit(X)


@pytest.mark.parametrize("mask", ["0110", "=0110", "=0100", "1000"])
def test_the_masks_told_are_the_columns_that_move(mask):
    model = flow(mask=mask, n_layers=3).fit(X)
    told = views.masks(model, DATA)
    np.testing.assert_array_equal(told.transformed, views.coupling(model, DATA).moved)
    digits = np.array([digit == "1" for digit in mask.removeprefix("=")])
    varies = np.array([True, True, False, True])
    for layer, row in enumerate(told.transformed):
        expected = digits if layer % 2 == 0 or mask.startswith("=") else ~digits
        np.testing.assert_array_equal(row, expected & varies)
    never = np.flatnonzero(~digits & varies) if mask.startswith("=") else []
    np.testing.assert_array_equal(told.never, never)


def test_row_17_a_column_never_transformed_keeps_a_gaussian_marginal(fixed):
    path = fixed.transform_path(X)
    np.testing.assert_array_equal(path[-1][:, 0], path[0][:, 0])
    drawn = fixed.sample(4000, random_state=0)
    skewness = [((column - column.mean()) ** 3).mean() / column.std() ** 3 for column in (X[:, 0], drawn[:, 0])]
    assert skewness[0] > 1 and abs(skewness[1]) < 0.15  # of 4000 normal draws: 0 +- 0.04
    assert drawn[:, 0].mean() == pytest.approx(X[:, 0].mean(), abs=0.15)


def test_row_17_one_layer_leaves_half_of_the_columns_alone():
    model = flow(n_layers=1).fit(X)
    assert views.masks(model, DATA).never.tolist() == [0, 3]
    rescaled = flow(n_layers=1, activation_norm=True).fit(X)
    assert views.masks(rescaled, DATA).never.tolist() == [0, 3], "to rescale a column is not to shape it"


def test_a_mask_is_planned_without_training(fixed):
    planned = views.masks(fixed, DATA, mask="1001")
    np.testing.assert_array_equal(planned.transformed, flow(mask="1001").fit(X).transformed_columns())
    assert planned.never.size == 0 and views.masks(fixed, DATA).never.tolist() == [0]
    with pytest.raises(ValueError, match="mask must have one digit for each of the 4 columns"):
        views.masks(fixed, DATA, mask="01")


@pytest.mark.parametrize(
    "mask, message",
    [
        ("0000", "at least one 0 and one 1 among its digits of the 3 columns that vary, not be '0000'"),
        ("=1101", "at least one 0 and one 1 among its digits of the 3 columns that vary, not be '=1101'"),
        ("=011", "one digit for each of the 4 columns, not be '=011'"),
        ("", "one digit for each of the 4 columns"),
        ("0120", "mask must be one of alternate, half, random or one digit for each column"),
        ("==01", "mask must be"),
        (None, "mask must be"),
    ],
)
def test_wrong_masks_fail_at_fit_in_one_sentence(mask, message):
    with pytest.raises(ValueError, match=message):
        flow(mask=mask).fit_iter(X)


@pytest.mark.parametrize("mask", ["0110", "=0110", "01", "alternate", "random"])
def test_a_link_carries_a_mask(mask):
    spec = RunSpec(Spec("moons"), Spec("spline", {"mask": mask}))
    read, problems = catalog.tidy(RunSpec.from_query(spec.to_query(), catalog.DEFAULT)[0])
    assert not problems and catalog.make_model(read.model).mask == mask


@pytest.mark.parametrize("mask", ["0000", "111", "=1", "0120", "0110 x", "01" * 600, "", "<b>"])
def test_a_link_carries_no_nonsense_for_a_mask(mask):
    read, problems = catalog.tidy(RunSpec(Spec("moons"), Spec("affine", {"mask": mask})))
    assert read.model == Spec("affine") and "Mask is one of" in problems[0] and "0110" in problems[0]


@pytest.mark.parametrize("kind", [MaskedAutoregressiveFlow, InverseAutoregressiveFlow])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_made_masks_multiply_to_a_strictly_triangular_matrix(kind, depth):
    model = flow(kind, n_layers=2, n_hidden=depth).fit(X)
    for layer, order in ((1, [0, 1, 3]), (2, [3, 1, 0])):
        arrays = views.masks(model, DATA, layer)
        assert arrays.made.order.tolist() == order
        paths = arrays.made.input.astype(int)
        for mask in (*arrays.made.hidden, arrays.made.output):
            paths = mask.astype(int) @ paths
        np.testing.assert_array_equal(arrays.made.paths, paths)
        assert (np.triu(paths) == 0).all() and (paths[np.tril_indices(3, -1)] > 0).all()
        assert arrays.never.size == 0
        traces = coupling.made_masks(arrays.made).data
        assert len(traces) == depth + 2
        np.testing.assert_array_equal(np.asarray(traces[-1].z) > 0, paths > 0)
        assert list(traces[-1].x) == [str(j + 1) for j in order]


def test_the_weights_respect_the_masks_that_are_shown():
    """The measured Jacobian of a trained layer is empty where the product of the masks is, but for the diagonal."""
    model = flow(MaskedAutoregressiveFlow, n_layers=2, n_steps=100).fit(X[:, [0, 1, 3]])
    data = Dataset(X[:, [0, 1, 3]], ["a", "b", "d"])
    for layer in (1, 2):
        arrays = views.masks(model, data, layer)
        matrix = views.jacobian(model, data, 0, layer).matrix[np.ix_(arrays.made.order, arrays.made.order)]
        blocked = (arrays.made.paths == 0) & ~np.eye(3, dtype=bool)
        assert np.abs(matrix[blocked]).max() < 1e-6 < np.abs(matrix[~blocked]).max()


def test_layers_without_masks_say_so():
    arrays = views.masks(PlanarFlow(4, n_steps=50).fit(X), DATA)
    assert arrays.made is None and arrays.never.size == 0
    with pytest.raises(ValueError, match="layer must be a whole number from 1 to 4"):
        views.masks(flow().fit(X), DATA, layer=9)


@pytest.fixture(scope="module")
def runs(own_server):
    """A store with finished runs, and one runner."""
    train(FIXED, MADE)


def open_page(spec: RunSpec, **view: object) -> AppTest:
    return pages_driver.open_page("explore", spec, **{"view": "Coupling", **view})


def test_the_editor_says_what_is_never_transformed_and_trains_another_mask(runs):
    from flowlab.dashboard.shell import services

    at = open_page(FIXED)
    assert "x1 is never transformed: its marginal stays a Gaussian's" in at.warning[0].value
    button = at.button(key="explore.train_mask")
    assert button.disabled, "this mask is trained already"
    enter(at, labelled(at.toggle, "The same in each layer"), False)
    assert "With this mask every column that varies is transformed by some layer" in said(at)
    enter(at, next(group for group in at.get("button_group") if "explore.mask" in group.proto.id), [0])
    assert in_link(at, "explore.mask") == "10", "the edited mask stands in the link"
    press(at, "explore.train_mask")
    assert not at.error
    new = RunSpec(FIXED.data, Spec("affine", {**FIXED.model.params, "mask": "10"}))
    assert in_link(at, "model.mask") == "10"
    wait_for_run(new)
    assert services.run(new).events[-1].step == 50


def test_the_jacobian_of_a_layer_is_triangular_in_its_order_and_that_of_the_flow_is_not(runs):
    at = open_page(MADE, layer=2)
    drawn = [json.loads(e.proto.spec) for e in at.get("plotly_chart")]
    panels = next(f for f in drawn if [t["type"] for t in f["data"]] == ["heatmap", "heatmap"])
    assert panels["layout"]["xaxis2"]["ticktext"] == ["3", "2", "1"]
    assert "Log-determinant = sum of the log-diagonal = what the layer reports = " in said(at)
    whole = said(open_page(MADE, layer=2, jacobian="The whole flow"))
    assert "Log-determinant = what its layers report together = " in whole and "in no common order" in whole
    fixed = said(open_page(FIXED, jacobian="The whole flow"))
    assert "sum of the log-diagonal = what its layers report together" in fixed, "one mask, one order"


def test_a_mask_that_does_not_fit_is_refused_on_the_page(runs):
    at = open_page(FIXED, mask="11")
    assert "mask must have at least one 0 and one 1" in said(at)
    assert "explore.train_mask" not in [button.key for button in at.button]


def test_a_run_with_a_mask_that_does_not_fit_fails_in_its_sentence(runs):
    from flowlab.dashboard.shell import services

    wrong = RunSpec(FIXED.data, Spec("affine", {"n_steps": 50, "mask": "0110"}))
    services.runner().submit(wrong, "visitor")
    wait_for_run(wrong, "failed")
    assert "mask must have one digit for each of the 2 columns, not be '0110'" in services.status(wrong).message


def test_the_masks_of_a_made_are_drawn(runs):
    at = open_page(MADE, layer=2)
    assert "in the order 3, 2, 1" in said(at) and not at.warning
    drawn = [json.loads(e.proto.spec) for e in at.get("plotly_chart")]
    assert any(len(figure["data"]) == 4 and figure["data"][-1]["x"] == ["3", "2", "1"] for figure in drawn)
    assert "explore.train_mask" not in [button.key for button in at.button]
