"""What Explore says beside its pictures is so: each sentence is held against the arrays it speaks of."""

from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi, norm
from simulations import N_SIMULATIONS, is_above

from flowlab import formatting, views
from flowlab.dashboard.explore import coupling, density, latent, marginals, pairs, receipt, samples
from flowlab.datasets.dataset import Dataset
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.families import AffineCouplingFlow, MaskedAutoregressiveFlow, PlanarFlow, RadialFlow
from flowlab.views.density import DensityGrid, DensityMap, Profile
from flowlab.views.latent import LatentPoint, LatentRows
from flowlab.views.pairs import pair_panels, telling_columns, two_tables
from flowlab.views.receipt import typical_row

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4))
DATA = Dataset(X, tuple("abcd"))


def fitted(kind, **parameters):
    return kind(**{"n_layers": 2, "n_steps": 20, **parameters}).fit(X)


def is_triangular_somehow(matrix):
    """Whether an order of rows and columns makes a matrix lower triangular."""
    orders = [list(order) for order in permutations(range(len(matrix)))]
    return any((np.abs(np.triu(matrix[order][:, order], 1)) < 1e-9).all() for order in orders)


@pytest.mark.parametrize(
    "model, layer",
    [
        (fitted(AffineCouplingFlow), 0),
        (fitted(AffineCouplingFlow, mask="=0101"), 0),
        (fitted(AffineCouplingFlow), 1),
        (fitted(MaskedAutoregressiveFlow), 1),
        (fitted(MaskedAutoregressiveFlow), 0),
        (fitted(MaskedAutoregressiveFlow, fault="no mask"), 1),
        (fitted(PlanarFlow), 1),
        (fitted(PlanarFlow), 0),
        (fitted(RadialFlow), 1),
        (fitted(MaskedAutoregressiveFlow, permutation="lu"), 2),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else f"layer {value}",
)
def test_the_form_that_is_told_is_that_of_the_jacobian(model, layer):
    found = views.jacobian(model, DATA, 3, layer)
    told = coupling._form(found)
    ordered = found.matrix[np.ix_(found.form.after, found.form.before)] if found.form.is_triangular else None
    if "in no common order" in told or "triangular in no order" in told:
        assert not is_triangular_somehow(found.matrix)
    elif "the masks are broken" in told:
        assert np.abs(np.triu(ordered, 1)).max() > 1e-6 and model.fault == "no mask"
    else:
        assert (np.abs(np.triu(ordered, 1)) < 1e-6).all() and "framed by dots is empty" in told
        k = found.form.n_kept
        if "Kept features" in told:
            np.testing.assert_allclose(ordered[:k, :k], np.eye(k), atol=1e-12)
            moved = ordered[k:, k:]
            np.testing.assert_allclose(moved, np.diag(np.diag(moved)), atol=1e-9)
    if "A planar layer is the identity" in told:
        assert np.linalg.matrix_rank(found.matrix - np.eye(4), tol=1e-9) <= 1
        assert np.exp(found.log_det) == pytest.approx(abs(1 + np.trace(found.matrix - np.eye(4))))
    if "A linear map L U" in told:
        layer_before, layer_after = model.transform_path(X[:50])[layer - 1 : layer + 1]
        step = np.linalg.lstsq(layer_before - layer_before[0], layer_after - layer_after[0], rcond=None)[0]
        np.testing.assert_allclose(step.T, found.matrix, atol=1e-5)
    if "multiple of the identity" in told:
        # the multiple is the eigenvalue that all but one direction share
        values = np.sort(np.linalg.eigvals(found.matrix).real)
        assert min(np.ptp(values[1:]), np.ptp(values[:-1])) < 1e-9
    if "product of their determinants" in told:
        parts = [views.jacobian(model, DATA, 3, number).log_det for number in (1, 2)]
        assert found.log_det == pytest.approx(sum(parts), abs=1e-6)


def test_one_feature_has_one_slope():
    one = Dataset(X[:, :1], ("a",))
    found = views.jacobian(MaskedAutoregressiveFlow(n_layers=1, n_steps=5).fit(one.X), one, 0, 1)
    assert found.matrix.shape == (1, 1) and "a single number, the slope" in coupling._form(found)


@pytest.mark.parametrize("fault", ["none", "no mask"])
def test_a_feature_that_a_layer_does_not_read_is_told_as_such(fault):
    """The scale of a feature changes with exactly the features that the layer is said to read for it."""
    model = fitted(MaskedAutoregressiveFlow, fault=fault)
    made = views.masks(model, DATA, 1).made
    matrix = views.jacobian(model, DATA, 3, 1).matrix
    for read in range(4):
        for changed in range(4):
            if read != changed:
                told = coupling._reading(1, read, changed, made)
                depends = abs(matrix[changed, read]) > 1e-9
                assert ("does not read" in told) == (not depends), (read, changed)


def grid(learned, true, window=(-8.0, 8.0)):
    x = np.linspace(*window, 1601)
    maps = [DensityMap(log_density(x), 1.0, np.zeros(0)) for log_density in (learned, true)]
    return DensityGrid((*window, 0.0, 1.0), x, None, *maps)


@pytest.mark.parametrize("window", [(-8.0, 8.0), (-1.0, 1.0), (0.0, 3.0)])
def test_what_would_have_to_be_moved_is_never_more_than_the_total_variation(window):
    """Also where the window holds only a part of either density."""
    found = grid(lambda x: norm.logpdf(x, 0, 2), norm.logpdf, window)
    told = density.what_to_look_for(found)
    share = float(told.split("at least ")[1].split("\N{NO-BREAK SPACE}%")[0].replace(" %", "").split()[0]) / 100
    x = np.linspace(-30, 30, 60_001)
    variation = 0.5 * np.abs(norm.pdf(x, 0, 2) - norm.pdf(x)).sum() * (x[1] - x[0])
    assert share <= variation + 0.002
    assert share > 0.3 or window != (-8.0, 8.0)


@pytest.mark.parametrize("support", [False, True])
def test_the_lowest_place_on_a_line_is_held_against_the_truth_there(support):
    t = np.linspace(0, 1, 201)
    true = -(t**2) if not support else np.where(t > 0.5, -np.inf, -1.0)
    line = Profile(np.c_[t, t], t, -((t - 0.7) ** 2) * -1.0 - 3, true, 0)
    line = replace(line, lowest=int(np.argmin(line.log_density)))
    told = density._lowest(line).replace("\u2212", "-")
    assert f"of 201 places on the line: **{line.log_density.min():.3f} nats**" in told
    at = true[line.lowest]
    assert ("where the true density is zero" in told) == (not np.isfinite(at))
    assert not np.isfinite(at) or f"where the true one is {at:.3f}" in told
    assert ("The true one falls to" in told) == bool((true[np.isfinite(true)] < at).any())


def point(norm_of_z, k):
    usual = tuple(chi(k).ppf([0.025, 0.975]))
    z = np.r_[norm_of_z, np.zeros(k - 1)]
    return LatentPoint(z, z, z[:2], -3.0, norm_of_z, True, float(chi(k).cdf(norm_of_z)), usual)


@pytest.mark.parametrize("k", [2, 3, 64])
@pytest.mark.parametrize("spread", [1.0, 3.0])
def test_how_typical_a_latent_point_is_told_by_draws_and_by_the_rows(k, spread):
    """A model that has not learned may have most of its rows far out: their number is told, not supposed."""
    Z = spread * np.random.default_rng(k).normal(size=(500, k))
    scores = np.arange(500.0)
    seen = LatentRows(np.arange(500), np.zeros(500, np.uint8), Z[:, :2], scores, 1, Z)
    low, high = point(1.0, k).usual
    for size in (0.5 * low, 0.5 * (low + high), 1.2 * high):
        told = latent.typicality("a score", point(size, k), seen)
        assert ("not typical" in told) == (size > high or (size < low and k > 2))
        beyond = int((np.linalg.norm(Z, axis=1) >= size).sum())
        assert (f"As far out lie {beyond} of 500 rows" in told) == (size > high)
        assert f"less than that of {formatting.percent(np.mean(-scores > -3.0))} of the rows shown" in told
        if "hardly a draw" in told:
            draws = np.linalg.norm(np.random.default_rng(0).normal(size=(20_000, k)), axis=1)
            assert np.mean(draws <= size) < 0.03


def test_of_samples_that_are_like_the_data_one_in_twenty_is_told_to_differ_in_some_column():
    told = 0
    for seed in range(N_SIMULATIONS):
        rng = np.random.default_rng(seed)
        model = Gaussian().fit(rng.normal(size=(20, 6)))
        model.sample = lambda n, random_state, rng=rng: rng.normal(size=(n, 6))
        found = views.marginals(model, Dataset(rng.normal(size=(300, 6)), tuple("abcdef")), n=500)
        told += "differs most" in marginals._finding(found, int(np.argmax(found.distance)), "a")
    print(told / N_SIMULATIONS)
    assert not is_above(told, 0.05)


def test_a_column_that_differs_is_named_with_its_distance():
    data = Dataset(RNG.normal(size=(2000, 2)), ("a", "b"))
    model = Gaussian().fit(data.X * [1.0, 3.0])
    found = views.marginals(model, data)
    exact = max(abs(norm.cdf(x / 3) - norm.cdf(x)) for x in np.linspace(0, 6, 600))
    assert found.distance[1] == pytest.approx(exact, abs=0.03) and found.distance[0] < found.chance
    assert marginals._finding(found, 1, "b").startswith(f"b differs most, by {found.distance[1]:.3f}")


def frames(A, B):
    names = [f"x{j}" for j in range(A.shape[1])]
    return two_tables(pd.DataFrame(A, columns=names), pd.DataFrame(B, columns=names))


@pytest.mark.parametrize("n_columns", [8, 20])
def test_of_samples_that_are_like_the_rows_one_in_twenty_is_told_to_differ_in_some_pair(n_columns):
    """The columns shown first are the worst of all pairs: luck had all of them to choose from."""
    told = 0
    for seed in range(N_SIMULATIONS):
        rng = np.random.default_rng(seed)
        tables = frames(rng.normal(size=(100, n_columns)), rng.normal(size=(200, n_columns)))
        columns = list(telling_columns(tables).columns)
        panels = pair_panels(tables, columns, are_telling=True)
        told += "The samples differ most" in pairs._finding(panels)
    print(told / N_SIMULATIONS)
    assert not is_above(told, 0.05)


def test_a_pair_that_differs_is_named_with_the_distance_of_its_reason():
    """Under one matrix the same pair has one distance, and the pair named is the one that was spoilt."""
    A, B = RNG.normal(size=(2, 800, 6))
    B[:, 4] = B[:, 1]
    tables = frames(A, B)
    telling = telling_columns(tables)
    panels = pair_panels(tables, list(telling.columns), are_telling=True)
    told, why = pairs._finding(panels), pairs._reason(tables, telling)
    assert told.startswith("The samples differ most in x1 and x4") and f"{telling.worst_distance:.2f} apart" in told
    assert f"the samples miss x1 and x4 most ({telling.worst_distance:.2f})" in why and "Of 15 pairs" in why


def test_the_largest_item_of_a_receipt_is_the_largest_in_size():
    model = fitted(AffineCouplingFlow)
    for row in range(10):
        bill = views.receipt(model, DATA, row)
        terms = {"scaling": bill.scaling, "base": bill.base}
        terms |= {f"layer {i + 1}": float(value) for i, value in enumerate(bill.log_det)}
        name = max(terms, key=lambda item: abs(terms[item]))
        told = receipt._finding(bill, row).replace("\u2212", "-")
        assert f"The largest in size is {name} with {terms[name]:.3f} nats" in told
        assert f"of {bill.log_density:.3f} nats for row {row}" in told


@pytest.mark.parametrize("n", [300, 5000])
def test_the_typical_row_has_the_median_of_up_to_2000_training_rows(n):
    data = Dataset(np.random.default_rng(1).normal(size=(n, 2)), ("a", "b"))
    model = Gaussian().fit(data.part("train"))
    row = typical_row(model, data)
    scores = np.sort(model.score_samples(data.part("train")[:2000]))
    assert model.score_samples(data.X[[row]])[0] == scores[len(scores) // 2]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_samples_in_the_window_are_counted(share):
    stage = views.stage(DATA)
    inside = np.median(X, axis=0)
    drawn = np.where(np.arange(400)[:, None] < 400 * share, inside, inside + 1e3 * stage.basis.sum(axis=1))
    told = samples._finding(SimpleNamespace(stage=stage), drawn)
    assert told.startswith("400 samples") and f"; {formatting.percent(share)} lie in the window" in told


@pytest.mark.parametrize("far", [0, 2])
def test_the_axis_and_the_lengths_told_are_those_of_the_latent_points(far):
    Z = np.random.default_rng(far).normal(size=(1000, 3))
    Z[:, far] *= 0.2 if far else 3.0
    axis, lengths = latent.normality(Z)
    assert f"is {Z[:, far].std():.3f}, of axis {far + 1}" in axis
    assert f"median {np.median(np.linalg.norm(Z, axis=1)):.3f}, a Gaussian's {chi(3).median():.3f}" in lengths


def test_the_log_likelihood_of_rows_is_the_sum_of_theirs():
    told = latent.collection(norm.logpdf(np.arange(4.0))).replace("\u2212", "-")
    total = norm.logpdf(np.arange(4.0)).sum()
    assert told.startswith(f"Together 4 rows have a log-likelihood of {total:.3f} nats")
    assert f": {total / 4:.3f} nats a row." in told
