"""Toy densities are exact: mass one, the right entropy, draws that agree, minus infinity outside the support."""

import dataclasses

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from sklearn.datasets import make_moons
from sklearn.metrics import roc_auc_score

from flowlab.toys.base import gauss_legendre
from flowlab.toys.contaminated import Clump1D, Clump2D, WithOutliers
from flowlab.toys.curves import Moons, Rings, Spirals, SwissRoll
from flowlab.toys.dataset import TOYS, make_toy
from flowlab.toys.mixtures import GaussianModes, Pinwheel, Star
from flowlab.toys.shapes import Banana, Checkerboard, CorrelatedGaussian, Funnel, Sine
from flowlab.toys.table64 import Table64

DEFAULTS = {name: toy() for name, toy in TOYS.items()}
VARIED = {
    "wide moons": Moons(noise=0.5),
    "sharp moons": Moons(noise=0.02),
    "five overlapping modes": GaussianModes(n_modes=5, radius=1.0, noise=0.8),
    "one wide ring": Rings(n_rings=1, noise=0.6),
    "odd checkerboard": Checkerboard(n_cells=5, cell=0.5),
    "long spirals": Spirals(noise=0.2, turns=2.5),
    "twisted pinwheel": Pinwheel(n_arms=3, noise=0.3, bend=0.6),
    "straight banana": Banana(curvature=0.0, noise=1.0),
    "wide swiss roll": SwissRoll(noise=0.5),
    "cross": Star(n_arms=2, noise=0.4),
    "even sine": Sine(widening=0.0),
    "steep funnel": Funnel(steepness=1.2),
    "negative correlation": CorrelatedGaussian(correlation=-0.9),
    "clump inside the bulk": Clump1D(share=0.3, distance=2.0, width=0.5),
    "narrow clump": Clump2D(share=0.05, width=0.1),
    "moons with outliers": WithOutliers(Moons(), 0.05),
}
ALL = DEFAULTS | VARIED
PLANE = {name: toy for name, toy in ALL.items() if toy.n_features == 2}


def midpoints(density, n, box):
    """A plain midpoint grid: points (n * n, 2) and the area of a cell. Independent of the library's quadratures."""
    x0, x1, y0, y1 = box
    x = x0 + (np.arange(n) + 0.5) * (x1 - x0) / n
    y = y0 + (np.arange(n) + 0.5) * (y1 - y0) / n
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), (x1 - x0) * (y1 - y0) / n**2


def bounds(density):
    draws = density.sample(50_000, 11)
    low, high = draws.min(axis=0), draws.max(axis=0)
    if isinstance(density, Checkerboard):  # cells of the grid must not straddle cells of the board
        half = density.n_cells * density.cell / 2
        return -half, half, -half, half
    pad = 0.25 * (high - low)
    return low[0] - pad[0], high[0] + pad[0], low[1] - pad[1], high[1] + pad[1]


@pytest.mark.parametrize("name", [name for name in PLANE if "funnel" not in name])  # whose neck needs its own grid
def test_the_mass_is_one_and_the_entropy_is_its_integral(name):
    density = PLANE[name]
    if isinstance(density, Sine):
        box = (-np.pi, np.pi, -6.0, 6.0)
    elif isinstance(density, WithOutliers):
        box = density.window()
    else:
        box = bounds(density)
    points, cell = midpoints(density, 260 if isinstance(density, (Spirals, SwissRoll)) else 500, box)
    log_p = density.log_density(points)
    log_p = log_p[log_p > -700]
    assert np.exp(log_p).sum() * cell == pytest.approx(1, abs=2e-3)
    assert -(np.exp(log_p) * log_p).sum() * cell == pytest.approx(density.entropy(), abs=1e-2)


@pytest.mark.parametrize("steepness", [0.7, 1.2])
def test_the_funnel_has_mass_one(steepness):
    funnel = Funnel(steepness)
    x1, w1 = gauss_legendre(-9, 9, 40)
    u, wu = gauss_legendre(-9, 9, 20)
    width = np.exp(steepness * x1)[:, None]
    points = np.stack([np.broadcast_to(x1[:, None], (len(x1), len(u))), width * u], axis=-1).reshape(-1, 2)
    weights = (w1[:, None] * width * wu).ravel()
    log_p = funnel.log_density(points)
    assert np.sum(weights * np.exp(log_p)) == pytest.approx(1, abs=1e-9)
    assert -np.sum(weights * np.exp(log_p) * log_p) == pytest.approx(funnel.entropy(), abs=1e-9)


@pytest.mark.parametrize("clump", [Clump1D(), Clump1D(share=0.3, distance=2.0, width=0.5)])
def test_one_dimensional_clumps_have_mass_one_and_the_entropy_is_its_integral(clump):
    x = np.linspace(-15, 15, 300_001)
    log_p = clump.log_density(x[:, None])
    assert np.trapezoid(np.exp(log_p), x) == pytest.approx(1, abs=1e-9)
    assert -np.trapezoid(np.exp(log_p) * log_p, x) == pytest.approx(clump.entropy(), abs=1e-8)


def test_the_wide_table_has_mass_one_by_importance_sampling():
    """A second table's draws, heavier-tailed by a wider map, weigh the first one's density: the mean weight is one."""
    table = Table64()
    rng = np.random.default_rng(0)
    draws = table.sample(4000, rng)
    # Multiplying every draw by a factor near one is a proposal with a known density and weights that stay finite.
    factor = 1.01
    proposal = draws * factor
    log_q = table.log_density(draws) - 64 * np.log(factor)
    weight = np.exp(table.log_density(proposal) - log_q)
    assert weight.mean() == pytest.approx(1, abs=4 * weight.std() / np.sqrt(len(weight)))
    assert 0.1 < weight.std() < 3


@pytest.mark.parametrize("name", ALL)
def test_draws_agree_with_the_density(name):
    density = ALL[name]
    log_p = density.log_density(density.sample(20_000, 3))
    assert np.all(np.isfinite(log_p))
    error = log_p.std() / np.sqrt(len(log_p))
    assert -log_p.mean() == pytest.approx(density.entropy(), abs=4.5 * error + 2e-3)


@pytest.mark.parametrize("name", PLANE)
def test_draws_fall_where_the_density_says(name):
    """Shares of draws in a coarse grid of the window against the integrated density: a chi-squared test."""
    density = PLANE[name]
    x0, x1, y0, y1 = density.window()
    points, cell = midpoints(density, 240, (x0, x1, y0, y1))
    mass = np.exp(density.log_density(points)) * cell
    expected = mass.reshape(12, 20, 12, 20).sum(axis=(1, 3))
    draws = density.sample(20_000, 5)
    seen = np.histogram2d(draws[:, 1], draws[:, 0], bins=12, range=[(y0, y1), (x0, x1)])[0]
    enough = expected * 20_000 > 20
    square = (seen - expected * 20_000)[enough] ** 2 / (expected * 20_000)[enough]
    n = enough.sum()
    # Cells on a support's edge carry the midpoint rule's own error, so the mean square may exceed one a little.
    assert square.mean() < 1 + 6 * np.sqrt(2 / n) + 0.25


@pytest.mark.parametrize("density", [Moons(), Moons(0.02), Spirals(), SwissRoll()], ids=str)
def test_twice_the_panels_give_the_same_log_density(density):
    draws = density.sample(300, 1)
    t, weights = gauss_legendre(*density._range(), 4000, 16)
    exact = np.zeros(len(draws))
    for arm in range(density._arms()):
        square = ((draws[:, None] - density._point(t, arm)) ** 2).sum(axis=-1)
        noise = np.exp(-square / (2 * density.noise**2)) / (2 * np.pi * density.noise**2)
        exact += noise @ (weights * density._density_of_t(t)) / density._arms()
    np.testing.assert_allclose(density.log_density(draws), np.log(exact), atol=1e-8)


def test_known_entropies():
    assert Checkerboard().entropy() == pytest.approx(np.log(8))
    # 24,000 draws gave 1.124 +- 0.005 nats for standardised moons; standardising subtracts the log scales.
    moons = Moons(0.05)
    scales = moons.sample(200_000, 0).std(axis=0)
    assert moons.entropy() - np.log(scales).sum() == pytest.approx(1.124, abs=0.015)
    assert Clump2D().entropy() == pytest.approx(2.491, abs=5e-4)
    assert GaussianModes(radius=4, noise=0.05).entropy() == pytest.approx(
        np.log(8) + np.log(2 * np.pi * np.e) + 2 * np.log(0.05), abs=1e-6
    )


def test_the_wide_table_has_the_entropy_of_a_large_sample():
    table = Table64()
    log_p = np.concatenate([table.log_density(table.sample(20_000, seed)) for seed in range(3)])
    assert -log_p.mean() == pytest.approx(table.entropy(), abs=4 * log_p.std() / np.sqrt(len(log_p)))


def test_margins_of_the_wide_table_by_gauss_hermite():
    table = Table64()
    draws = table.sample(40_000, 1)
    from flowlab.toys.table64 import _table_parameters

    p = _table_parameters(7)
    nodes, weights = hermegauss(60)
    sd = np.sqrt((p.roots**2).sum(axis=2))
    margins = np.sinh((np.arcsinh(p.means[..., None] + sd[..., None] * nodes) + p.skew[:, None]) / p.tail[:, None])
    mean = np.einsum("k,kdq,q->d", p.weights, margins, weights / weights.sum())
    assert np.abs((draws.mean(axis=0) - mean) / (draws.std(axis=0) / 200)).max() < 4.5


def test_the_clump_of_the_lecture():
    """A perfect density is the worse detector: AUROC 0.978 against 1.000 of the bulk alone."""
    clump = Clump1D()
    X, component = dataclasses.replace(clump, share=0.5).sample_with_components(400_000, 0)
    assert roc_auc_score(component, -clump.log_density(X)) == pytest.approx(0.978, abs=0.002)
    assert roc_auc_score(component, -clump.log_density_of_bulk(X)) > 0.9999
    narrow = Clump1D(width=0.05)
    X, component = dataclasses.replace(narrow, share=0.5).sample_with_components(400_000, 0)
    assert roc_auc_score(component, -narrow.log_density(X)) == pytest.approx(0.951, abs=0.003)
    assert clump.log_density([[10.0], [3.0]]) == pytest.approx([-3.22, -5.43], abs=0.005)


def test_the_exercise_of_the_lecture():
    exercise = Clump2D()
    X, component = dataclasses.replace(exercise, share=0.5).sample_with_components(800_000, 0)
    clump = component == 1
    bulk, mixture = exercise.log_density_of_bulk(X), exercise.log_density(X)
    assert roc_auc_score(clump, -bulk) == pytest.approx(0.987, abs=0.002)
    assert roc_auc_score(clump, -mixture) == pytest.approx(0.987, abs=0.002)
    for scores, at_a_thousandth, at_minus_nine in ((bulk, 0.749, 0.717), (mixture, 0.707, 0.416)):
        caught = np.mean(scores[clump] <= np.quantile(scores[~clump], 0.001))
        assert caught == pytest.approx(at_a_thousandth, abs=0.016)
        assert np.mean(scores[clump] <= -9) == pytest.approx(at_minus_nine, abs=0.01)
    data = make_toy(exercise, 50_000)
    assert np.bincount(data.y).tolist() == [49_950, 50]


def test_row_27_moons_have_the_geometry_of_scikit_learn():
    X, y = make_moons(4000, noise=0.05, random_state=0)
    log_p = Moons(0.05).log_density(X)
    assert -log_p.mean() == pytest.approx(Moons(0.05).entropy(), abs=4 * log_p.std() / np.sqrt(4000))
    draws, component = Moons(0.05).sample_with_components(4000, 0)
    for moon in (0, 1):
        np.testing.assert_allclose(draws[component == moon].mean(axis=0), X[y == moon].mean(axis=0), atol=0.06)


def test_minus_infinity_outside_the_support():
    assert Checkerboard().log_density([[0.5, -0.5], [10, 10]]).tolist() == [-np.inf, -np.inf]
    assert Checkerboard().log_density([[0.5, 0.5]])[0] == pytest.approx(-np.log(8))
    assert Sine().log_density([[3.2, 0.0]])[0] == -np.inf
    far = np.array([[40.0, 40.0]])
    for name in ("moons", "spirals", "rings", "pinwheel", "star"):
        assert DEFAULTS[name].log_density(far)[0] < -1000
    assert WithOutliers(Moons(), 0.1).log_density([[2.2, 2.0]])[0] == pytest.approx(np.log(0.1 / 3.95**2), abs=1e-3)


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_same_seed_gives_the_same_data(name):
    density = DEFAULTS[name]
    np.testing.assert_array_equal(density.sample(100, 5), density.sample(100, 5))
    assert not np.array_equal(density.sample(100, 5), density.sample(100, 6))
    assert density.sample(0, 1).shape == (0, density.n_features)
    assert make_toy(density, 500, seed=1).digest() == make_toy(density, 500, seed=1).digest()
    assert make_toy(density, 500, seed=1).digest() != make_toy(density, 500, seed=2).digest()


@pytest.mark.parametrize("name", DEFAULTS)
def test_datasets_show_in_their_window_and_carry_their_density(name):
    density = DEFAULTS[name]
    data = make_toy(density, 2000, name=name)
    assert data.density is density and data.n_features == density.n_features == len(density.columns)
    assert np.bincount(data.split).tolist() == [1600, 200, 200]
    x0, x1, y0, y1 = density.window()
    assert all(isinstance(edge, float) for edge in (x0, x1, y0, y1))
    if density.n_features > 1:
        assert x1 - x0 == pytest.approx(y1 - y0, rel=1e-3)
        shown = (data.X[:, 0] >= x0) & (data.X[:, 0] <= x1) & (data.X[:, 1] >= y0) & (data.X[:, 1] <= y1)
        assert shown.mean() > 0.93
    else:
        assert np.mean((data.X[:, 0] >= x0) & (data.X[:, 0] <= x1)) > 0.99
        assert np.exp(density.log_density(np.linspace(x0, x1, 999)[:, None])).max() < y1


def test_outliers_are_labelled():
    data = make_toy(Moons(), 2000, anomaly_share=0.05)
    assert data.y.sum() == 100
    assert isinstance(data.density, WithOutliers)
    assert np.mean(Moons().log_density(data.X[data.y == 1])) < -50
    assert make_toy(Moons(), 2000).y is None


def test_wrong_parameters_name_themselves():
    with pytest.raises(ValueError, match="noise must be a number from"):
        Moons(noise=0)
    with pytest.raises(ValueError, match="n_modes"):
        GaussianModes(n_modes=0)
    with pytest.raises(ValueError, match=r"shape \(n_samples, 2\)"):
        Moons().log_density(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="n_samples"):
        make_toy(Moons(), 3)
    with pytest.raises(ValueError, match="base must have 2 features"):
        make_toy(Clump1D(), 100, anomaly_share=0.1)
