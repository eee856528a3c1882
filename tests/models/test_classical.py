"""The classical rivals: scikit-learn's contract, its and SciPy's numbers, and no score that is not finite."""

import warnings

import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal
from sklearn import mixture, neighbors
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import SkipTestWarning
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from flowlab.models.classical.density import KDE, Gaussian, GaussianMixture
from flowlab.models.classical.scorers import IsolationForestModel, NearestNeighbours, PCAResidual
from flowlab.models.classical.trivial import BestSingleColumn, LargestZ, RandomScore, SumOfSquares

DENSITIES = [KDE(), KDE(bandwidth="cv"), Gaussian(), GaussianMixture()]
SCORERS = [
    IsolationForestModel(n_trees=20),
    NearestNeighbours(),
    PCAResidual(),
    LargestZ(),
    SumOfSquares(),
    RandomScore(),
]
HINDSIGHT = [BestSingleColumn()]
ALL = [*DENSITIES, *SCORERS, *HINDSIGHT]


def name(model):
    return repr(model)


def clone_fit(model, X):
    from sklearn.base import clone

    return clone(model).fit(X, np.arange(len(X)) % 3 == 0)


@pytest.fixture(scope="module")
def table():
    """Correlated columns of very different units and places, 600 rows."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(600, 4)) @ rng.normal(size=(4, 4))
    return Z * [1e-3, 1.0, 50.0, 7.0] + [1.0, 0.0, 1e4, -3.0]


with warnings.catch_warnings():
    warnings.simplefilter("ignore", SkipTestWarning)
    checks = parametrize_with_checks(ALL)


@checks
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_row_2_kde_equals_scikit_learns(table):
    Z = (table - table.mean(0)) / table.std(0)
    volume = np.log(table.std(0)).sum()
    for bandwidth in ("scott", "silverman", 0.3):
        model = KDE(bandwidth).fit(table)
        expected = neighbors.KernelDensity(bandwidth=bandwidth).fit(Z).score_samples(Z[:100]) - volume
        np.testing.assert_allclose(model.score_samples(table[:100]), expected, rtol=1e-9)
    raw = KDE(0.7, standardize=False).fit(table)
    expected = neighbors.KernelDensity(bandwidth=0.7).fit(table).score_samples(table[:100])
    np.testing.assert_allclose(raw.score_samples(table[:100]), expected, rtol=1e-6)


def test_kde_cross_validation_finds_a_bandwidth_that_no_rule_knows():
    rng = np.random.default_rng(0)
    X = rng.choice([-1.0, 1.0], size=(1500, 1)) + 0.02 * rng.normal(size=(1500, 1))
    fresh = rng.choice([-1.0, 1.0], size=(1500, 1)) + 0.02 * rng.normal(size=(1500, 1))
    assert KDE("cv").fit(X).score(fresh) > KDE("scott").fit(X).score(fresh) + 0.5


def test_row_44_gaussian_equals_scipys(table):
    Z = (table - table.mean(0)) / table.std(0)  # SciPy calls the covariance of the unscaled columns singular
    expected = multivariate_normal(cov=np.cov(Z.T, bias=True)).logpdf(Z) - np.log(table.std(0)).sum()
    np.testing.assert_allclose(Gaussian().fit(table).score_samples(table), expected, rtol=1e-7)


def test_row_44_mixture_equals_scikit_learns(table):
    Z = (table - table.mean(0)) / table.std(0)
    for n_components in (1, 3):
        expected = mixture.GaussianMixture(n_components, reg_covar=1e-4, random_state=0).fit(Z).score_samples(Z)
        model = GaussianMixture(n_components).fit(table)
        np.testing.assert_allclose(model.score_samples(table), expected - np.log(table.std(0)).sum(), rtol=1e-7)


def test_bic_finds_the_number_of_components():
    rng = np.random.default_rng(1)
    centres = np.array([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
    X = centres[rng.integers(3, size=900)] + rng.normal(size=(900, 2))
    assert GaussianMixture().fit(X).n_components_ == 3


@pytest.mark.parametrize("model", DENSITIES, ids=name)
def test_densities_integrate_to_one_in_the_units_of_the_data(model):
    rng = np.random.default_rng(0)
    model = clone_fit(model, rng.normal(size=(300, 2)) * [0.01, 20.0] + [5.0, -100.0])
    u, v = np.linspace(-6, 6, 240) * 0.01 + 5, np.linspace(-6, 6, 240) * 20 - 100
    grid = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
    mass = np.exp(model.score_samples(grid)).sum() * (u[1] - u[0]) * (v[1] - v[0])
    assert mass == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("model", DENSITIES, ids=name)
def test_samples_come_from_the_density(model):
    """Sampled and fitted rows agree column by column; temperature 0 leaves no spread around the centres."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 2)) @ [[1.0, 0.8], [0.0, 0.6]] * [0.1, 30.0]
    model = clone_fit(model, X)
    drawn = model.sample(3000, random_state=1)
    assert drawn.shape == (3000, 2)
    widening = 1 + getattr(model, "bandwidth_", 0.0) ** 2  # a kernel estimate is wider than its data
    for column in range(2):
        assert kstest(drawn[:, column] / np.sqrt(widening), X[:, column]).statistic < 0.06
    np.testing.assert_array_equal(drawn, model.sample(3000, random_state=1))
    assert np.mean(np.var(model.sample(500, 1, temperature=0.0), 0) / np.var(drawn, 0)) < 1


def test_isolation_forest_equals_scikit_learns(table):
    Z = ((table - table.mean(0)) / table.std(0)).astype(np.float32)
    forest = IsolationForest(n_estimators=50, max_samples=256, random_state=3).fit(Z)
    model = IsolationForestModel(n_trees=50, random_state=3).fit(table)
    np.testing.assert_allclose(model.score_samples(table), forest.score_samples(Z), atol=2e-3)
    assert np.corrcoef(model.score_samples(table), forest.score_samples(Z))[0, 1] > 0.9999


def test_neighbours_and_residual_equal_scikit_learns(table):
    Z = (table - table.mean(0)) / table.std(0)
    distances = neighbors.NearestNeighbors(n_neighbors=5).fit(Z).kneighbors(Z)[0]
    np.testing.assert_allclose(NearestNeighbours().fit(table).score_samples(table), -distances.mean(1), atol=1e-9)
    largest = NearestNeighbours(distance="largest").fit(table)
    np.testing.assert_allclose(largest.score_samples(table), -distances[:, 4], atol=1e-9)
    pca = PCA(2).fit(Z)
    residual = ((pca.inverse_transform(pca.transform(Z)) - Z) ** 2).sum(1)
    share = pca.explained_variance_ratio_.sum() - 1e-6
    np.testing.assert_allclose(PCAResidual(share).fit(table).score_samples(table), -residual, atol=1e-9)


def test_neighbours_training_scores_leave_the_row_itself_out(table):
    model = NearestNeighbours(n_neighbors=1).fit(table)
    assert np.all(model.score_samples(table) == 0)
    assert np.all(model.training_scores(table) < 0)


def test_residual_is_the_distance_to_the_reconstruction(table):
    model = PCAResidual(0.7).fit(table)
    Z, back = ((rows - model.mean_) / model.scale_ for rows in (table, model.reconstruct(table)))
    np.testing.assert_allclose(((Z - back) ** 2).sum(1), -model.score_samples(table))


def test_best_single_column_is_the_best_there_is(table):
    rng = np.random.default_rng(0)
    y = (rng.random(len(table)) < 0.1).astype(int)
    X = table.copy()
    X[y == 1, 2] -= 100
    model = BestSingleColumn().fit(X, y)
    assert (model.column_, model.direction_) == (2, "low")
    auroc = roc_auc_score(y, model.anomaly_score(X))
    assert auroc == pytest.approx(model.auroc_)
    for column in X.T:
        assert auroc >= max(roc_auc_score(y, column), roc_auc_score(y, -column))
    with pytest.raises(ValueError, match="both kinds"):
        BestSingleColumn().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="requires y"):
        BestSingleColumn().fit(X)


def test_random_scores_look_random_and_belong_to_the_row(table):
    model = RandomScore().fit(table)
    scores = model.score_samples(table)
    assert kstest(-scores, "uniform").pvalue > 0.01
    np.testing.assert_array_equal(model.score_samples(table[::-1])[::-1], scores)
    near = table[:1] + np.arange(1000)[:, None] * 1e-9
    assert abs(np.corrcoef(model.score_samples(near), np.arange(1000))[0, 1]) < 0.1
    assert RandomScore(random_state=1).fit(table).score_samples(table)[0] != scores[0]


BAD_TABLES = {
    "constant column": lambda rng: np.c_[rng.normal(size=(80, 2)), np.full(80, 0.1)],
    "all rows equal": lambda rng: np.full((80, 3), 0.3),
    "one row eighty times, and one other": lambda rng: np.r_[np.zeros((79, 2)), np.ones((1, 2))],
    "duplicated column": lambda rng: np.repeat(rng.normal(size=(80, 1)), 3, axis=1),
    "collinear one-hot columns": lambda rng: np.eye(4)[rng.integers(4, size=80)],
    "more columns than rows": lambda rng: rng.normal(size=(10, 40)),
    "two rows": lambda rng: rng.normal(size=(2, 2)),
    "one column": lambda rng: rng.normal(size=(80, 1)),
    "heavy tails": lambda rng: rng.standard_t(0.5, size=(80, 3)),
    "huge numbers": lambda rng: rng.normal(size=(80, 3)) * 1e300,
    "tiny numbers": lambda rng: rng.normal(size=(80, 3)) * 1e-300,
    "a small spread far out": lambda rng: rng.normal(size=(80, 3)) + 1e12,
}


@pytest.mark.parametrize("case", BAD_TABLES)
@pytest.mark.parametrize("model", ALL, ids=name)
def test_scores_are_finite_on_every_table(model, case):
    X = BAD_TABLES[case](np.random.default_rng(0))
    fitted = clone_fit(model, X)
    far = np.vstack([np.full(X.shape[1], value) for value in (0.0, 1e30, -1e300, 1e308)])
    for rows in (X, far):
        assert np.all(np.isfinite(fitted.score_samples(rows)))
    if model.can_sample:
        assert np.all(np.isfinite(fitted.sample(20, random_state=0)))


@pytest.mark.parametrize("model", ALL, ids=name)
def test_state_travels_without_pickle(model, table, tmp_path):
    from sklearn.base import clone

    fitted = clone_fit(model, table)
    np.savez(tmp_path / "state.npz", **fitted.get_state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        restored = clone(model).set_state(state)
    np.testing.assert_array_equal(restored.score_samples(table), fitted.score_samples(table))


@pytest.mark.parametrize("model", [*DENSITIES, *SCORERS], ids=name)
def test_fitting_is_one_step(model, table):
    from sklearn.base import clone

    model = clone(model)
    assert list(model.fit_iter(table, n_steps=0)) == []
    (event,) = model.fit_iter(table[:500], table[500:], n_steps=7)
    assert (event.step, event.n_steps) == (1, 1)
    assert event.val_loss == pytest.approx(model.anomaly_score(table[500:]).mean())
    again = clone(model)
    assert list(again.fit_iter(table[:500], checkpoint=model.get_checkpoint())) == []
    np.testing.assert_array_equal(again.score_samples(table), model.score_samples(table))


@pytest.mark.parametrize(
    "model", [KDE(bandwidth=-1.0), KDE(bandwidth="wide"), NearestNeighbours(distance="most")], ids=name
)
def test_wrong_parameters_are_named(model, table):
    with pytest.raises(ValueError, match=r"bandwidth|distance"):
        model.fit(table)
