"""Views are true: the arrays agree with the model, add up, and do not depend on anything but their arguments."""

import numpy as np
import pytest

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import FlowModel
from flowlab.models.classical.density import KDE, Gaussian
from flowlab.models.flows.families import AffineCouplingFlow, SplineCouplingFlow
from flowlab.records import Spec
from flowlab.store.arrays import from_arrays, to_arrays
from flowlab.toys.contaminated import Clump1D, Clump2D
from flowlab.toys.curves import Moons
from flowlab.toys.dataset import make_toy
from flowlab.toys.shapes import Banana, Checkerboard, CorrelatedGaussian
from flowlab.toys.table64 import Table64
from flowlab.views.density import tile_log_density
from flowlab.views.projection import angle_color


class ExactBanana(FlowModel):
    """A flow that is the banana: two layers known by formula, so every view of it has a known answer."""

    def __init__(self, curvature=0.7, noise=0.3):
        self.curvature = curvature
        self.noise = noise

    def _train(self, X, X_val, checkpoint, n_steps):
        return iter(())

    def score_samples(self, X):
        return Banana(self.curvature, self.noise).log_density(X)

    def transform(self, X):
        return self.transform_path(X)[-1]

    def inverse_transform(self, Z):
        return np.stack([Z[:, 0], self.noise * Z[:, 1] + self.curvature * (Z[:, 0] ** 2 - 1)], axis=-1)

    def sample(self, n_samples=1, random_state=None, temperature=1.0):
        rng = np.random.default_rng(random_state)
        return self.inverse_transform(temperature * rng.standard_normal((n_samples, 2)))

    def transform_path(self, X):
        X = np.asarray(X, float)
        halved = X / [1, 2.0]  # the "scaling" of this flow: the second column in units of 2
        straight = np.stack([X[:, 0], (X[:, 1] - self.curvature * (X[:, 0] ** 2 - 1)) / 2], axis=-1)
        return np.stack([halved, straight, straight * [1, 2 / self.noise]])

    def log_det_path(self, X):
        return np.repeat([[0.0], [np.log(2 / self.noise)]], len(X), axis=1)

    def scaling_log_det(self, X):
        return np.full(len(X), -np.log(2))

    def layer_jacobian(self, x, layer=0):
        bent = np.array([[1, 0], [-self.curvature * x[0], 1]])
        stretched = np.diag([1, 2 / self.noise])
        return {0: stretched @ bent, 1: bent, 2: stretched}[layer]

    def get_state(self):
        return {}

    def set_state(self, state):
        return self


BANANA = make_toy(Banana(), 4000, name="banana")
EXACT = ExactBanana().fit(BANANA.X)


@pytest.fixture(scope="module")
def wide():
    return make_toy(Table64(), 1500)


@pytest.fixture(scope="module")
def flows(wide):
    """Flows of several kinds, trained for a moment, each with its data."""
    moons, clump = make_toy(Moons(), 3000), make_toy(Clump1D(), 2000)
    return {
        "spline on moons": (SplineCouplingFlow(n_steps=150).fit(moons.part("train")), moons),
        "affine on moons": (AffineCouplingFlow(n_layers=4, n_steps=150).fit(moons.part("train")), moons),
        "shift then scale": (
            AffineCouplingFlow(n_layers=4, n_steps=100, convention="shift then scale").fit(moons.part("train")),
            moons,
        ),
        "spline in one dimension": (SplineCouplingFlow(n_layers=2, n_steps=100).fit(clump.part("train")), clump),
        "spline on 64 features": (SplineCouplingFlow(n_layers=4, n_steps=60).fit(wide.part("train")), wide),
    }


FLOWS = (
    "spline on moons",
    "affine on moons",
    "shift then scale",
    "spline in one dimension",
    "spline on 64 features",
)


def test_a_perfect_model_is_no_nats_above_the_truth():
    measured = views.gap(EXACT, BANANA)
    assert measured.n == 20_000
    assert measured.nats == 0 and measured.error == 0
    grid = views.density_grid(EXACT, BANANA, n=100)
    np.testing.assert_array_equal(grid.difference, 0)
    assert grid.learned.mass == pytest.approx(1, abs=0.03)


def test_the_gap_is_the_divergence():
    """A Gaussian of the wrong scale against a Gaussian: the divergence is known by formula."""
    data = make_toy(CorrelatedGaussian(correlation=0.0), 2000)
    wrong = Gaussian().fit(data.X)
    wrong.values_ = wrong.values_ * 4
    scale = 2 * wrong.scale_.mean()
    expected = 2 * np.log(scale) + 1 / scale**2 - 1
    measured = views.gap(wrong, data)
    assert measured.nats == pytest.approx(expected, abs=4 * measured.error + 0.01)
    assert 0 < measured.error < 0.02


def test_contours_hold_the_mass_they_promise():
    gaussian = make_toy(CorrelatedGaussian(correlation=0.0), 2000)
    grid = views.density_grid(Gaussian().fit(gaussian.X), gaussian, n=200)
    # The contour of a standard normal that holds a share m lies at log p = log p(0) + log(1 - m).
    expected = -np.log(2 * np.pi) + np.log(1 - np.array(views.MASSES))
    np.testing.assert_allclose(grid.true.levels, expected, atol=0.05)
    np.testing.assert_allclose(grid.learned.levels, grid.true.levels, atol=0.15)
    inside = grid.true.log_density >= grid.true.levels[0]
    cell = (grid.x[1] - grid.x[0]) ** 2
    assert np.exp(grid.true.log_density[inside]).sum() * cell == pytest.approx(0.5, abs=0.01)


def test_the_grid_shows_the_model_where_it_says():
    grid = views.density_grid(EXACT, BANANA, n=60, window=(-1.0, 1.0, -2.0, 2.0))
    assert grid.learned.log_density.shape == (60, 60)
    here = np.array([[grid.x[7], grid.y[33]]])
    assert grid.learned.log_density[33, 7] == pytest.approx(EXACT.score_samples(here)[0])
    assert views.density_grid(EXACT, BANANA, n=10_000).x.shape == (400,)


def test_row_34_the_mass_in_the_window_is_told_and_about_one():
    grid = views.density_grid(EXACT, BANANA, n=100)
    assert grid.learned.log_density.shape == (100, 100)
    cell = (grid.x[1] - grid.x[0]) * (grid.y[1] - grid.y[0])
    assert grid.learned.mass == pytest.approx(np.exp(grid.learned.log_density).sum() * cell, abs=0.02)
    assert grid.learned.mass == pytest.approx(1, abs=0.03)


def test_densities_of_one_feature_are_curves():
    data = make_toy(Clump1D(), 2000)
    grid = views.density_grid(KDE().fit(data.X), data, n=300)
    assert grid.learned.log_density.shape == grid.true.log_density.shape == (300,)
    assert grid.learned.mass == pytest.approx(1, abs=0.02) and grid.true.mass == pytest.approx(1, abs=0.02)
    assert views.frame(KDE().fit(data.X), data).density.shape == (64, 64)


def test_outside_the_support_the_truth_is_minus_infinity():
    data = make_toy(Checkerboard(), 2000)
    grid = views.density_grid(KDE().fit(data.X), data, n=50)
    assert np.isneginf(grid.true.log_density).any() and np.all(np.isfinite(grid.difference))
    assert grid.true.mass == pytest.approx(1, abs=0.05)
    assert np.all(np.isfinite(grid.true.levels))


def test_a_slice_is_the_conditional_density():
    """For a Gaussian the conditional of two columns given the rest is known."""
    data = make_toy(CorrelatedGaussian(n_features=4, correlation=0.6), 4000)
    model = Gaussian().fit(data.X)
    cut = views.density_slice(model, data, row=5, columns=(0, 3), n=120)
    cell = (cut.x[1] - cut.x[0]) * (cut.y[1] - cut.y[0])
    assert np.exp(cut.log_conditional).sum() * cell == pytest.approx(1)
    covariance = np.cov(data.X.T)
    rest, pair = [1, 2], [0, 3]
    gain = covariance[np.ix_(pair, rest)] @ np.linalg.inv(covariance[np.ix_(rest, rest)])
    mean = data.X.mean(axis=0)[pair] + gain @ (data.X[5, rest] - data.X.mean(axis=0)[rest])
    weights = np.exp(cut.log_conditional) * cell
    assert (weights.sum(axis=0) @ cut.x, weights.sum(axis=1) @ cut.y) == pytest.approx(tuple(mean), abs=0.05)
    np.testing.assert_array_equal(cut.point, data.X[5, [0, 3]])


def test_a_profile_is_the_density_on_the_segment():
    line = views.profile(EXACT, BANANA, (-1.0, 0.0), (1.0, 0.0), n=101)
    assert line.distance[-1] == pytest.approx(2)
    np.testing.assert_allclose(line.log_density, line.true_log_density)
    assert line.log_density[line.lowest] == line.log_density.min()
    between = views.profile(EXACT, BANANA, 3, 4)
    np.testing.assert_allclose(between.points[[0, -1]], BANANA.X[[3, 4]])


def test_the_grid_stretches_as_the_log_determinants_say():
    """The area of a small cell after the last layer against its area before the first: crossing lines agree on it."""
    way = views.layers(EXACT, BANANA, n_lines=41)
    upright, level = way.grid[:, :41], way.grid[:, 41:]
    assert way.grid_log_det.sum(axis=0) == pytest.approx(np.log(2 / 0.3), abs=1e-5)
    i, j = 20, 30
    area = []
    for up, flat in zip(upright[[0, -1]].astype(float), level[[0, -1]].astype(float)):
        side, rise = flat[i, j + 1] - flat[i, j], up[i, j + 1] - up[i, j]
        area.append(abs(side[0] * rise[1] - side[1] * rise[0]))
    assert np.log(area[1] / area[0]) == pytest.approx(np.log(2 / 0.3), abs=2e-2)


def test_row_114_a_receipt_with_a_known_answer():
    bill = views.receipt(EXACT, BANANA, (1.0, 0.3))
    assert bill.scaling == pytest.approx(-np.log(2), abs=1e-6)
    np.testing.assert_allclose(bill.log_det, [0, np.log(2 / 0.3)])
    np.testing.assert_allclose(bill.position[-1], [1, 1])
    assert bill.base == pytest.approx(-1 - np.log(2 * np.pi))
    assert bill.difference == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.diff(bill.running), [*bill.log_det, bill.base])


@pytest.mark.parametrize("name", FLOWS)
def test_row_9_receipts_add_up(flows, name):
    model, data = flows[name]
    for row in range(25):
        bill = views.receipt(model, data, row)
        total = bill.scaling + bill.log_det.sum() + bill.base
        assert total == pytest.approx(model.score_samples(data.X[row : row + 1])[0], abs=1e-4)
        assert abs(bill.difference) < 1e-4
        assert bill.running[-1] == pytest.approx(total)
    assert bill.typical_row in data.rows("train")
    assert abs(views.receipt(model, data, bill.typical_row).difference) < 1e-4


@pytest.mark.parametrize(
    "name", [n for n, e in catalog.MODELS.items() if issubclass(e.make, FlowModel) and not e.make.is_for_images]
)
def test_row_116_receipts_add_up_for_every_flow_of_the_catalog(name):
    data = make_toy(Moons(), 1000)
    steps = {"n_steps": 20} if "n_steps" in catalog.MODELS[name].defaults else {}
    model = catalog.make_model(Spec(name, steps)).fit(data.part("train"))
    points = np.concatenate([data.X[:90], np.random.default_rng(0).uniform(-4, 4, (10, 2))])
    path, log_dets = model.transform_path(points), model.log_det_path(points)
    base = -0.5 * np.sum(path[-1] ** 2, axis=1) - np.log(2 * np.pi)
    total = model.scaling_log_det(points) + log_dets.sum(axis=0) + base
    # Far from the data log p is in the thousands, where single precision holds six digits.
    np.testing.assert_allclose(total, model.score_samples(points), atol=1e-4, rtol=1e-6)
    assert abs(views.receipt(model, data, tuple(points[0])).difference) < 1e-4


@pytest.mark.parametrize("name", ["affine on moons", "shift then scale"])
def test_row_12_the_scale_and_shift_of_a_receipt_reproduce_the_next_position(flows, name):
    model, data = flows[name]
    bill = views.receipt(model, data, 11)
    for before, after, s, t in zip(bill.position, bill.position[1:], bill.log_scale, bill.shift):
        made = (before + t) * np.exp(s) if name == "shift then scale" else before * np.exp(s) + t
        np.testing.assert_allclose(made, after, atol=1e-5)


@pytest.mark.parametrize("name", FLOWS)
def test_the_way_through_the_layers_ends_in_latent_space(flows, name):
    model, data = flows[name]
    way = views.layers(model, data, n_points=50)
    assert way.points.shape == (len(way.log_det) + 1, len(way.rows), 2)
    latent = model.transform(data.X[way.rows])
    np.testing.assert_allclose(way.log_det, model.log_det_path(data.X[way.rows]), atol=1e-4)
    if data.n_features == 2:
        np.testing.assert_allclose(way.points[-1], latent, atol=1e-4)
        assert way.grid.shape[:2] == (len(way.points), 26)
        assert way.grid_log_det.shape == (len(way.log_det), *way.grid.shape[1:3])
    if data.n_features > 2:
        pair = views.layers(model, data, n_points=50, columns=(3, 1))
        np.testing.assert_allclose(pair.points[-1], latent[:, [3, 1]], atol=1e-4)


@pytest.mark.parametrize("name", FLOWS)
def test_row_15_jacobians_have_the_determinants_that_layers_report(flows, name):
    model, data = flows[name]
    for layer in (0, 1, len(model.log_det_path(data.X[:1]))):
        found = views.jacobian(model, data, 3, layer)
        assert found.log_det == pytest.approx(found.reported, abs=1e-6)
        assert found.matrix.shape == (data.n_features, data.n_features)


def test_couplings_are_triangular_and_keep_what_they_read(flows):
    model, data = flows["affine on moons"]
    arrays = views.coupling(model, data, layer=2, n=200)
    assert arrays.moved.sum(axis=1).tolist() == [1] * 4 and arrays.moved.any(axis=0).all()
    kept, moved = (int(np.flatnonzero(arrays.moved[1] == flag)[0]) for flag in (False, True))
    np.testing.assert_allclose(arrays.before[:, kept], arrays.after[:, kept])
    s, t = arrays.log_scale[:, moved], arrays.shift[:, moved]
    np.testing.assert_allclose(arrays.before[:, moved] * np.exp(s) + t, arrays.after[:, moved], atol=1e-5)
    matrix = views.jacobian(model, data, 5, 2).matrix
    assert matrix[kept, kept] == pytest.approx(1, abs=1e-3) and matrix[kept, moved] == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match="layer must be a whole number from 1 to 4, not 5"):
        views.coupling(model, data, layer=5)


@pytest.mark.parametrize("name", FLOWS)
def test_rows_have_scores_and_latent_points(flows, name):
    model, data = flows[name]
    seen = views.rows(model, data, n=300)
    np.testing.assert_allclose(seen.latent, model.transform(data.X[seen.rows]))
    np.testing.assert_allclose(seen.anomaly_score, model.anomaly_score(data.X[seen.rows]), rtol=1e-4, atol=1e-4)
    assert views.two_columns(seen.latent).shape == (len(seen.rows), 2)
    path = model.transform_path(data.X[seen.rows])
    assert seen.n_layers == len(path) - 1
    np.testing.assert_allclose(views.rows(model, data, n=300, layer=1).latent, path[1])
    with pytest.raises(ValueError, match="layer must be a whole number from 0"):
        views.rows(model, data, n=300, layer=99)


@pytest.mark.parametrize("name", FLOWS)
def test_frames_are_small_and_the_same_noise_moves(flows, name):
    model, data = flows[name]
    first = views.frame(model, data)
    again = views.frame(model, data)
    stored = to_arrays(first)
    assert sum(array.nbytes for array in stored.values()) < 10_000
    for key, array in to_arrays(again).items():
        np.testing.assert_array_equal(stored[key], array)
    assert first.latent.dtype == first.samples.dtype == np.float16
    assert (first.density is not None) == (data.n_features <= 2)
    if data.n_features == 2:
        assert first.density.dtype == np.uint8 and first.density.max() == 255
        mass = first.density.sum(dtype=float) / 255 * first.density_max
        x0, x1, y0, y1 = first.window
        assert mass * (x1 - x0) * (y1 - y0) / 64**2 == pytest.approx(1, abs=0.15)


def test_final_holds_the_scores_of_all_rows(flows):
    model, data = flows["spline on moons"]
    final = views.final(model, data)
    np.testing.assert_allclose(final.anomaly_score, -model.score_samples(data.X))
    assert final.gap > 0 and final.gap_error < 0.05
    stored = to_arrays(final)
    assert all(array.dtype != object for array in stored.values())
    again = to_arrays(from_arrays(type(final), stored))
    assert list(again) == list(stored) and all(np.array_equal(again[key], stored[key]) for key in stored)


def test_row_36_samples_have_a_count_and_a_seed_and_know_their_nearest_training_row():
    model = KDE().fit(BANANA.part("train"))
    drawn = views.samples(model, BANANA, n=200, seed=3, nearest=7)
    assert drawn.samples.shape == (200, 2)
    train = BANANA.rows("train")
    distances = np.linalg.norm((BANANA.X[train] - drawn.samples[7]) / BANANA.X[train].std(axis=0), axis=1)
    assert drawn.nearest_row == train[distances.argmin()]
    assert drawn.nearest_distance == pytest.approx(distances.min())
    np.testing.assert_array_equal(drawn.samples, views.samples(model, BANANA, n=200, seed=3).samples)
    assert not np.array_equal(drawn.samples, views.samples(model, BANANA, n=200, seed=4).samples)
    still = views.samples(EXACT, BANANA, n=10, temperature=0.0).samples
    np.testing.assert_allclose(still, np.tile([0, -0.7], (10, 1)))


def test_margins_of_equal_samples_agree():
    same = views.marginals(EXACT, BANANA)
    other = views.marginals(Gaussian().fit(BANANA.X), BANANA)
    assert np.all(same.distance < 0.04)
    assert other.distance.max() > 0.08
    widths = np.diff(same.edges, axis=1)
    np.testing.assert_allclose((same.data * widths).sum(axis=1), 1, atol=0.01)


def test_stages():
    data = make_toy(Clump2D(), 20_000)
    shown = views.stage(data)
    assert views.stage(data) is shown
    assert len(shown.rows) == 600 and shown.labels.sum() == 20  # every anomaly is on the stage
    np.testing.assert_array_equal(shown.points, data.X[shown.rows])
    assert shown.window == data.density.window() and shown.axes == ("x1", "x2")


def test_the_stage_of_many_features_shows_the_principal_axes(wide):
    shown = views.stage(wide)
    assert shown.points.shape == (600, 2) and "principal axis 1" in shown.axes[0]
    x0, x1, y0, y1 = shown.window
    assert x1 - x0 == pytest.approx(y1 - y0)
    variances = shown.project(wide.part("train")).var(axis=0)
    standard = (wide.part("train") - shown.offset) / shown.scale
    np.testing.assert_allclose(variances, np.linalg.eigvalsh(np.cov(standard.T, bias=True))[[-1, -2]], rtol=1e-6)


def test_a_constant_column_and_few_rows_can_be_staged():
    X = np.column_stack([np.arange(6.0), np.ones(6), np.zeros(6)])
    table = Dataset(X, ("a", "b", "c"), split=np.zeros(6, np.int8))
    shown = views.stage(table)
    assert np.all(np.isfinite(shown.points)) and len(shown.rows) == 6
    single = Dataset(X[:, :1], ("a",), split=np.zeros(6, np.int8))
    assert np.all(np.isfinite(views.stage(single).points))


def test_views_say_what_is_not_there(wide):
    kde = KDE().fit(BANANA.X)
    with pytest.raises(ValueError, match="KDE has no layers"):
        views.layers(kde, BANANA)
    assert views.rows(kde, BANANA).latent is None
    with pytest.raises(ValueError, match="one or two features, not 64"):
        views.density_grid(KDE().fit(wide.X), wide)
    with pytest.raises(ValueError, match="row must be a whole number from 0 to 3999, not 4000"):
        views.receipt(EXACT, BANANA, 4000)
    with pytest.raises(ValueError, match="columns must be two different numbers"):
        views.density_slice(EXACT, BANANA, 0, (1, 1))
    with pytest.raises(ValueError, match="a point must be 2 finite numbers"):
        views.profile(EXACT, BANANA, (0.0, np.nan), 3)
    with pytest.raises(ValueError, match="needs a toy density"):
        views.gap(EXACT, Dataset(BANANA.X, BANANA.columns))


def test_angle_color_is_the_direction_from_the_median():
    directions = 2 * np.pi * np.arange(8) / 8 + 0.1
    points = 5.0 + np.column_stack([np.cos(directions), np.sin(directions)])
    color = angle_color(points)
    assert color.dtype == np.uint8
    assert np.allclose(color, 256 * directions / (2 * np.pi), atol=1)


@pytest.mark.parametrize("density", [Moons(), Clump1D(), Table64()], ids=lambda density: type(density).__name__)
def test_a_tile_shows_where_the_rows_are(density):
    dataset = make_toy(density, n_samples=2000)
    tile = tile_log_density(dataset)
    assert tile.shape == (72, 72) and np.isfinite(tile).all() and tile.min() < tile.max()
    x0, x1, y0, y1 = density.window()
    if density.n_features == 1:
        heights = (tile == 0).sum(axis=0)
        grid = density.log_density(np.linspace(x0, x1, 72)[:, None])
        assert heights.argmax() == grid.argmax() and heights.max() == 1 + int(71 / 1.1)
    elif density.n_features == 2:
        corner = density.log_density(np.array([[x0, y0], [x1, y0], [x0, y1]]))
        assert np.allclose([tile[0, 0], tile[0, -1], tile[-1, 0]], np.maximum(corner, -700))
    else:
        counts = np.rint(np.exp(tile[::3, ::3]) - 0.1)
        x, y = dataset.X[:, 0], dataset.X[:, 1]
        assert counts.sum() == ((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).sum()
