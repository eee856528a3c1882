"""Rows of the lectures that pages other than Learn show, each against its number; one small flow serves them."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, kstest
from sklearn.datasets import make_moons

from flowlab import catalog, views
from flowlab.dashboard.train import page as train_page
from flowlab.datasets.dataset import Part
from flowlab.evaluation.trust import audit
from flowlab.evaluation.two_sample import ks_test
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.teaching.exhibits.moons import MOONS, trained
from flowlab.toys.dataset import make_toy

DATA = make_toy(MOONS, 3000)


@pytest.fixture(scope="module")
def flow():
    return trained().flow


def test_row_12_y_is_that_of_s_and_t_by_hand(flow):
    rows = DATA.X[:50]
    path, (s, t) = flow.transform_path(rows), flow.layer_readout(rows)
    assert path[:-1] * np.exp(s) + t == pytest.approx(path[1:], abs=1e-9)


def test_row_14_the_inverse_undoes_the_map(flow):
    assert flow.inverse_transform(flow.transform(DATA.X[:500])) == pytest.approx(DATA.X[:500], abs=1e-4)


def test_row_15_the_log_determinant_is_the_sum_of_s(flow):
    for row in DATA.X[:5]:
        s = flow.layer_readout(row[None])[0].sum()
        assert np.linalg.slogdet(flow.layer_jacobian(row))[1] == pytest.approx(s, abs=1e-4)


def test_row_17_one_layer_leaves_a_column_as_it_was():
    one = AffineCouplingFlow(1, 8, n_steps=50, regularize="none").fit(DATA.X[:500])
    standardised = (DATA.X[:500] - DATA.X[:500].mean(axis=0)) / DATA.X[:500].std(axis=0)
    same = [np.abs(one.transform(DATA.X[:500])[:, j] - standardised[:, j]).max() < 1e-6 for j in range(2)]
    assert sum(same) == 1
    column = one.sample(2000, random_state=0)[:, same.index(True)]
    center, scale = DATA.X[:500].mean(axis=0)[same.index(True)], DATA.X[:500].std(axis=0)[same.index(True)]
    assert kstest((column - center) / scale, "norm").pvalue > 0.001, "its marginal is N(0, 1)"
    assert len(views.masks(one, DATA).never) == 1, "and the page warns of it"


def test_row_19_samples_depend_on_seed_and_temperature(flow):
    assert np.array_equal(flow.sample(100, 3), flow.sample(100, 3))
    assert not np.array_equal(flow.sample(100, 3), flow.sample(100, 4))
    assert np.ptp(flow.sample(50, 0, temperature=0.0), axis=0).max() < 1e-6
    good = ks_test(DATA.X[:800], flow.sample(800, 1), n_permutations=19).effect
    assert good < ks_test(DATA.X[:800], trained().at(0).sample(800, 1), n_permutations=19).effect


def test_row_27_half_moons_are_those_of_scikit_learn():
    rows, other = MOONS.sample(3000, 0), make_moons(3000, noise=0.05, random_state=0)[0]
    assert all(ks_2samp(rows[:, j], other[:, j]).pvalue > 0.01 for j in range(2))


def test_row_28_without_standardising_the_loss_in_data_units_is_worse():
    rows = DATA.X[:800] * [1.0, 200.0]
    losses = [
        -AffineCouplingFlow(4, 8, n_steps=200, regularize="none", standardize=on).fit(rows).score_samples(rows).mean()
        for on in (True, False)
    ]
    assert losses[0] < losses[1]


def test_row_32_the_last_point_of_the_curve_is_the_evaluation():
    small = AffineCouplingFlow(2, 8, n_steps=100, regularize="none")
    train, monitor = DATA.fitting_rows()[:600], DATA.fitting_rows(Part.MONITOR)
    events = list(small.fit_iter(train, monitor))
    best = min(event.val_loss for event in events)
    assert best == pytest.approx(-small.score_samples(monitor).mean(), abs=1e-4)


def test_row_33_a_row_is_the_same_one_in_data_and_in_latent_space(flow):
    pair = views.rows(flow, DATA, n=200)
    assert pair.latent == pytest.approx(flow.transform(DATA.X[pair.rows]))
    assert pair.anomaly_score == pytest.approx(flow.anomaly_score(DATA.X[pair.rows]))


def test_row_34_the_density_over_the_window_has_mass_one(flow):
    grid = views.density_grid(flow, DATA, n=100, window=(-2.5, 3.5, -2.5, 3.0))
    assert grid.learned.log_density.shape == (100, 100)
    assert grid.learned.mass == pytest.approx(1, abs=0.03)


def test_row_36_as_many_samples_as_asked_for_by_seed(flow):
    drawn = views.samples(flow, DATA, n=3000, seed=5)
    assert drawn.samples.shape == (3000, 2)
    assert np.array_equal(drawn.samples, flow.sample(3000, random_state=5))


def test_row_104_steps_a_second_stand_beside_the_batch(monkeypatch):
    monkeypatch.setattr(train_page.services, "dataset", lambda spec: DATA)
    event = TrainEvent(100, 200, 1.0, 0.0, 0.0, 1.0, rows_per_second=2560.0)
    small = RunSpec(Spec("moons"), Spec("affine", {"batch_size": 64}))
    assert train_page._speed(event, small).startswith("40")
    whole = RunSpec(Spec("moons"), Spec("affine", {"batch_size": 100_000}))
    rows = len(DATA.fitting_rows())
    assert train_page._speed(event, whole).startswith(f"{2560 / rows:.3f}")
    assert "steps/s" in train_page._speed(event, small)
    assert "steps/s" not in train_page._speed(event, RunSpec(Spec("moons"), Spec("kde")))


def test_row_105_the_badge_tells_a_trained_flow_from_an_untrained_one(flow):
    rank = {"green": 0, "amber": 1, "red": 2}
    good = {finding.name: finding for finding in audit(flow, DATA)}
    bad = {finding.name: finding for finding in audit(trained().at(0), DATA)}
    truth = "Distance to the truth"
    assert rank[good[truth].level] < rank[bad[truth].level] == 2
    assert catalog.MODELS["affine"].make.is_density and good[truth].value < 0.2
