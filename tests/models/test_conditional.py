"""Flows under a context: exact toy densities given the class, and what pages show of a conditioned model."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flowlab import catalog, views
from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.finding import overall
from flowlab.evaluation.trust import audit
from flowlab.records import Spec
from flowlab.toys.class_conditional import GivenClass
from flowlab.toys.contaminated import WithOutliers
from flowlab.toys.dataset import TOYS, make_toy

CLASSED = sorted(name for name, toy in TOYS.items() if toy().n_classes > 1)


@pytest.mark.parametrize("name", CLASSED)
def test_the_density_given_the_class_averages_to_the_density(name):
    density = TOYS[name]()
    X = density.sample(400, 0)
    by_class = density.class_log_density(X)
    assert by_class.shape == (400, density.n_classes)
    mixed = np.logaddexp.reduce(by_class, axis=1) - np.log(density.n_classes)
    np.testing.assert_allclose(mixed, density.log_density(X), atol=1e-9)


@pytest.mark.parametrize("name", CLASSED)
def test_the_entropy_given_the_class_is_that_of_its_draws(name):
    given = GivenClass(TOYS[name]())
    losses = -given.log_density(given.sample(20_000, 1))
    assert losses.mean() == pytest.approx(given.entropy(), abs=4 * losses.std() / 20_000**0.5 + 1e-3)


def test_outliers_keep_a_class_of_their_own():
    given = GivenClass(WithOutliers(TOYS["moons"](), 0.1))
    X, component = given.sample_with_components(4000, 0)
    assert set(X[:, 2]) == {0.0, 1.0} and (component == 0).mean() == pytest.approx(0.1)
    losses = -given.log_density(X)
    assert losses.mean() == pytest.approx(given.entropy(), abs=4 * losses.std() / 4000**0.5)
    assert np.isneginf(given.log_density(np.array([[0.0, 0.0, 2.0], [0.0, 0.0, 0.5]]))).all()


@pytest.fixture(scope="module")
def moons():
    return make_toy(TOYS["moons"](), 4000, by_class=True)


@pytest.fixture(scope="module")
def flow(moons):
    model = catalog.make_model(Spec("spline", {"n_steps": 400, "n_layers": 4}), 0, moons)
    return model.fit(moons.part("train"))


def test_the_catalog_conditions_what_can_be_conditioned(moons):
    assert moons.context == 2 and moons.levels == ("class 1", "class 2") and moons.judged.tolist() == [0, 1]
    assert catalog.make_model(Spec("maf"), 0, moons).context_column == 2
    assert catalog.make_model(Spec("maf"), 0, make_toy(TOYS["moons"](), 400)).context_column is None
    assert not catalog.make_model(Spec("kde"), 0, moons).can_condition


def test_class_conditional_samples_are_of_their_class(moons, flow):
    """Generation with a chosen attribute: at least 90 % of the draws of a class are nearest to that class."""
    for level in (0, 1):
        drawn = views.samples(flow, moons, n=500, level=level).samples
        by_class = moons.density.base.class_log_density(drawn[:, :2])
        assert (by_class.argmax(1) == level).mean() >= 0.9
        assert (drawn[:, 2] == level).all()


@pytest.mark.parametrize("level", [-1, 0, 1])
def test_the_plane_shows_one_level_or_all_of_them(moons, flow, level):
    grid = views.density_grid(flow, moons, n=100, level=level)
    assert grid.learned.mass == pytest.approx(1.0, abs=0.05)
    assert grid.true.mass == pytest.approx(1.0, abs=0.01)
    assert np.abs(grid.difference).mean() < 0.3 * np.exp(grid.true.log_density).mean()


def test_every_view_of_a_conditioned_flow_leaves_the_context_out(moons, flow):
    frame = views.frame(flow, moons)
    assert frame.latent.shape[1] == 2 and frame.density is not None
    assert views.rows(flow, moons, n=50).latent.shape[1] == 2
    found = views.gap(flow, moons)
    assert -0.01 < found.nats < 0.25
    bill = views.receipt(flow, moons, row=3)
    assert abs(bill.difference) < 1e-4
    way = views.layers(flow, moons, n_points=300, level=1)
    assert way.points.shape[2] == 2 and way.grid.shape[-1] == 2
    assert (moons.X[way.rows, 2] == 1).all()
    assert views.layers(flow, moons, n_points=300).grid is None
    line = views.profile(flow, moons, start=(0.0, 0.0), end=(1.0, 0.5), level=0)
    assert line.points.shape[1] == 2 and line.true_log_density is not None


def test_the_trust_badge_measures_a_conditioned_flow_at_its_commonest_level(moons):
    model = catalog.make_model(Spec("spline"), 0, moons).fit(moons.part("train"))
    findings = {finding.name: finding for finding in audit(model, moons)}
    for name in ("Round trip", "Log-determinant", "Untouched columns", "Total mass"):
        assert findings[name].level == "green", findings[name]
    for name in ("Latent axes", "Latent norm"):  # a level's held-out rows are too few to be sure
        assert findings[name].level in ("green", "grey"), findings[name]
    for name in ("Round trip", "Log-determinant", "Untouched columns", "Latent axes", "Latent norm", "Total mass"):
        assert findings[name].sentence.endswith((" class 1.", " class 2."))
    assert overall(list(findings.values())) in ("green", "grey")


def test_a_way_between_classes_ends_at_both_rows(moons, flow):
    start, end = (int(np.flatnonzero(moons.X[:, 2] == level)[0]) for level in (0, 1))
    ways = views.latent_paths(flow, moons, start, end)
    for path in (ways.latent, ways.straight):
        np.testing.assert_allclose(path.x[[0, -1]], moons.X[[start, end]], atol=1e-5)
    at = views.latent_point(flow, moons, row=end)
    assert len(at.z) == 2 and np.allclose(at.x, moons.X[end], atol=1e-5)


def test_models_without_conditions_read_the_context_as_a_number(moons):
    model = catalog.make_model(Spec("gaussian"), 0, moons).fit(moons.part("train"))
    assert moons.truth_for(model) is None and not views.is_planar(model, moons)
    assert views.frame(model, moons).density is None
    assert views.final(model, moons).gap is None
    with pytest.raises(ValueError, match="the distance to the truth"):
        views.gap(model, moons)


def test_a_level_that_does_not_exist_is_named(moons, flow):
    with pytest.raises(ValueError, match="level must be from 0 to 1"):
        views.density_grid(flow, moons, level=5)
    with pytest.raises(ValueError, match="class is the context"):
        views.density_slice(flow, moons, columns=(0, 2))


def test_a_context_finds_rows_that_are_strange_among_their_kind_only():
    """Each machine runs at its own temperature; a fault is the ordinary temperature of another machine."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 4, 3000)
    fault = rng.random(3000) < 0.03
    warm = np.where(fault, (kind + rng.integers(1, 4, 3000)) % 4, kind)
    X = np.column_stack([10.0 * warm + rng.normal(size=3000), rng.normal(size=3000), kind])
    areas = {}
    for context in (None, 2):
        data = Dataset(X, ("warmth", "load", "machine"), y=fault.astype(np.int8), context=context, levels=tuple("abcd"))
        if context is None:
            data = Dataset(X[:, :2], data.columns[:2], y=data.y)
        model = catalog.make_model(Spec("detector"), 0, data).fit(data.part("train"))
        areas[context] = roc_auc_score(data.y, model.anomaly_score(data.X))
    assert areas[2] > 0.95 > 0.7 > areas[None]


def test_a_level_no_training_row_had_is_named_when_it_is_to_be_drawn(moons, flow):
    rare = replace(moons, levels=("class 1", "class 2", "class 3"))
    with pytest.raises(ValueError, match="No training row was of class 3"):
        views.samples(flow, rare, n=10, level=2)
    with pytest.raises(ValueError, match="no training row was of level 2"):
        flow.sample_given(2, 10)
