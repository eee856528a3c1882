"""The detector: members seen and removable, scores finite, slices exact, and what the forest misses found."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from flowlab.models.classical.scorers import NearestNeighbours
from flowlab.models.detector import Detector
from flowlab.models.tail_probability import ExponentialTail, TailProbability

SMALL = {"n_steps": 20, "n_layers": 2, "hidden_features": 16}
MODELS = [Detector(**SMALL), Detector(trained_on="normal", **SMALL)]


@pytest.fixture(scope="module")
def mixed():
    """Rows near a curved surface in five dimensions, and a tenth beside it: within every column's range."""
    rng = np.random.default_rng(0)
    u = rng.uniform(-2, 2, size=(600, 2))
    X = np.c_[u, u[:, 0] ** 2, u[:, 0] * u[:, 1], np.sin(2 * u[:, 1])] + 0.1 * rng.normal(size=(600, 5))
    y = np.arange(600) < 60
    X[y] = np.take_along_axis(X[y], rng.permuted(np.tile(np.arange(60)[:, None], 5), axis=0), axis=0)
    return X * [1.0, 10.0, 0.01, 1.0, 300.0] + [0.0, 1e3, 0.0, -5.0, 0.0], y


@parametrize_with_checks(MODELS)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def test_members_and_weights_are_seen_and_add_up(mixed):
    X, _ = mixed
    model = clone(MODELS[0]).fit(X)
    classical = {"isolation forest": 0.25, "nearest neighbours": 0.25}
    assert model.weights_ == pytest.approx(classical | {f"flow {i}": 1 / 6 for i in (1, 2, 3)})
    parts = model.member_scores(X)
    assert set(parts) == set(model.weights_)
    expected = sum(model.weights_[name] * surprise for name, surprise in parts.items())
    np.testing.assert_allclose(model.anomaly_score(X), expected)
    assert (model.anomaly_score(X) >= 0).all()
    assert list(clone(MODELS[1]).fit(X).weights_)[:2] == ["nearest neighbours", "Gaussian mixture"]


def test_any_member_can_be_removed(mixed):
    X, _ = mixed
    flows = Detector(classical="none", n_flows=2, **SMALL).fit(X)
    assert flows.weights_ == {"flow 1": 0.5, "flow 2": 0.5}
    forest = Detector(n_flows=0, classical="isolation forest").fit(X)
    assert forest.weights_ == {"isolation forest": 1.0}
    with pytest.raises(ValueError, match="nothing to detect with"):
        Detector(n_flows=0, classical="none").fit(X)
    only_weight = Detector(classical="isolation forest", classical_weight=1.0, **SMALL).fit(X)
    assert roc_auc_score(mixed[1], only_weight.anomaly_score(X)) == pytest.approx(
        roc_auc_score(mixed[1], forest.anomaly_score(X)), abs=1e-9
    )


def test_flows_find_what_the_forest_cannot(mixed):
    """Rows off a curved surface, each column ordinary: flows see them, and the whole detector keeps most of that."""
    X, y = mixed
    model = Detector(trained_on="normal", random_state=0).fit(X[~y][:360])
    test = np.r_[np.flatnonzero(~y)[360:], np.flatnonzero(y)]
    parts = {name: roc_auc_score(y[test], surprise) for name, surprise in model.member_scores(X[test]).items()}
    forest = roc_auc_score(y[test], Detector(n_flows=0, classical="isolation forest").fit(X[~y]).anomaly_score(X[test]))
    assert min(auroc for name, auroc in parts.items() if name.startswith("flow")) > forest + 0.02
    assert roc_auc_score(y[test], model.anomaly_score(X[test])) > forest + 0.05


def test_tail_probability_is_the_share_of_rows_at_least_as_strange():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=500)
    tail = TailProbability.fit(scores)
    for score in np.sort(scores)[[0, 100, 400, 499]]:
        assert np.exp(-tail(np.array([score]))[0]) == pytest.approx((scores >= score).sum() / 501)
    fine = np.linspace(-6, 50, 20_001)
    surprise = tail(fine)
    assert (np.diff(surprise) >= 0).all()
    assert (np.diff(surprise[fine > scores.max()]) > 0).all()  # rows beyond all training rows keep an order
    assert np.abs(np.diff(surprise)).max() < 1.0  # no jump between neighbours: the largest step is one order statistic
    assert np.isfinite(TailProbability.fit(np.zeros(50))(np.array([-1e30, 0.0, 1e30]))).all()


def test_exponential_tail_goes_on_straight_and_is_not_set_by_the_strangest_tenth():
    rng = np.random.default_rng(0)
    scores = rng.exponential(size=4000)
    tail = ExponentialTail.fit(scores)
    assert np.exp(-tail(np.quantile(scores, [0.25, 0.5, 0.9]))) == pytest.approx([0.75, 0.5, 0.1], abs=1e-3)
    assert tail(np.array([20.0]))[0] == pytest.approx(20, rel=0.05)  # e^-20 of an exponential law, and of its fit
    far = np.where(scores > np.quantile(scores, 0.95), 1e6, scores)
    assert ExponentialTail.fit(far)(scores) == pytest.approx(tail(scores))
    assert np.isfinite(ExponentialTail.fit(np.zeros(50))(np.array([-1e30, 0.0, 1e30]))).all()


def test_scores_of_rows_beyond_all_normal_rows_differ_by_how_far_they_lie(mixed):
    X, y = mixed
    model = Detector(n_flows=0, trained_on="normal").fit(X[~y])
    far = model.anomaly_score(X[:1] + np.array([[10.0], [20.0], [40.0]]) * X[~y].std(0))
    assert far[2] > 1.8 * far[1] > 3.2 * far[0]


def test_flows_do_not_see_the_rows_that_look_strange_from_afar():
    """A dense far group is ordinary to near neighbours and to a flow that learned it; those around it are not."""
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(970, 4)), rng.normal(6, 0.05, size=(30, 4))]
    y = np.arange(1000) >= 970
    model = Detector(random_state=0, n_flows=1).fit(X)
    assert min(roc_auc_score(y, surprise) for surprise in model.member_scores(X).values()) > 0.99
    untrimmed = Detector(random_state=0, n_flows=1, trim=0).fit(X)
    assert roc_auc_score(y, untrimmed.member_scores(X)["flow 1"]) < 0.9
    near = NearestNeighbours(n_neighbors=5).fit(X)
    assert roc_auc_score(y, near.anomaly_score(X)) < 0.2


def test_wide_tables_are_read_by_their_components_and_by_what_those_leave_out():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5)) @ rng.normal(size=(5, 90)) + 0.1 * rng.normal(size=(600, 90))
    off = X[500:] + 0.15 * rng.normal(size=(100, 90))  # strange in no column and in no component, only off the plane
    model = Detector(trained_on="normal", n_flows=1, n_steps=200, classical="none").fit(X[:500])
    scores = model.anomaly_score(np.r_[X[500:], off])
    assert roc_auc_score(np.arange(200) >= 100, scores) > 0.95
    restored = clone(model).set_state(model.get_state())
    np.testing.assert_array_equal(restored.anomaly_score(X), model.anomaly_score(X))
    kind = rng.integers(3, size=600)
    table = np.insert(X + 3 * kind[:, None], 4, kind, axis=1)
    given = Detector(trained_on="normal", n_flows=1, n_steps=300, context_column=4).fit(table)
    swapped = table.copy()
    swapped[:, 4] = (kind + 1) % 3
    flow = {name: given.member_scores(rows)["flow 1"].mean() for name, rows in (("own", table), ("other", swapped))}
    assert flow["other"] > flow["own"] + 1
    np.testing.assert_array_equal(
        clone(given).set_state(given.get_state()).anomaly_score(table), given.anomaly_score(table)
    )


def test_slices_give_the_bits_of_one_run(mixed, tmp_path):
    """Slices end within flows and between them."""
    X, _ = mixed
    for model in MODELS:
        whole = clone(model).fit(X)
        sliced, checkpoint, steps = clone(model), None, []
        for _ in range(20):
            events = list(sliced.fit_iter(X, checkpoint=checkpoint, n_steps=7))
            assert np.isfinite(sliced.score_samples(X[:5])).all()
            steps += [event.step for event in events]
            if events[-1].step == events[-1].n_steps:
                break
            np.savez(tmp_path / "checkpoint.npz", **sliced.get_checkpoint())
            with np.load(tmp_path / "checkpoint.npz", allow_pickle=False) as file:
                checkpoint = dict(file)
            sliced = clone(model)
        assert steps == sorted(set(steps)) and steps[-1] == 60
        np.testing.assert_array_equal(sliced.score_samples(X), whole.score_samples(X))
        assert list(sliced.fit_iter(X, checkpoint=sliced.get_checkpoint())) == []


def test_closing_early_leaves_a_detector_that_works(mixed):
    X, _ = mixed
    model = clone(MODELS[0])
    training = model.fit_iter(X)
    next(training)
    training.close()
    assert np.isfinite(model.score_samples(X)).all()
    assert sum(model.weights_.values()) == pytest.approx(1)


def test_state_travels_without_pickle(mixed, tmp_path):
    X, _ = mixed
    for model in MODELS:
        fitted = clone(model).fit(X)
        np.savez(tmp_path / "state.npz", **fitted.get_state())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
            restored = clone(model).set_state(state)
        np.testing.assert_array_equal(restored.score_samples(X), fitted.score_samples(X))


def test_validation_rows_are_shown_and_change_nothing(mixed):
    X, _ = mixed
    with_them, without = clone(MODELS[1]), clone(MODELS[1])
    events = list(with_them.fit_iter(X, X[:50] * 3))
    plain = list(without.fit_iter(X))
    assert events[-1].val_loss != plain[-1].val_loss
    np.testing.assert_array_equal(with_them.score_samples(X), without.score_samples(X))


BAD_TABLES = {
    "constant column": lambda rng: np.c_[rng.normal(size=(80, 2)), np.full(80, 0.1)],
    "all rows equal": lambda rng: np.full((80, 3), 0.3),
    "duplicated rows": lambda rng: np.repeat(rng.normal(size=(4, 3)), 20, axis=0),
    "collinear one-hot columns": lambda rng: np.eye(4)[rng.integers(4, size=80)],
    "more columns than rows": lambda rng: rng.normal(size=(10, 40)),
    "two rows": lambda rng: rng.normal(size=(2, 2)),
    "one column": lambda rng: rng.normal(size=(80, 1)),
    "heavy tails": lambda rng: rng.standard_t(0.5, size=(80, 3)),
    "a small spread far out": lambda rng: rng.normal(size=(80, 3)) + 1e9,
}


@pytest.mark.parametrize("case", BAD_TABLES)
@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.trained_on)
def test_scores_are_finite_on_every_table(model, case):
    X = BAD_TABLES[case](np.random.default_rng(0))
    fitted = clone(model).fit(X)
    far = np.vstack([np.full(X.shape[1], value) for value in (0.0, 1e30, -1e100)])
    for rows in (X, far):
        assert np.isfinite(fitted.score_samples(rows)).all()


def test_wrong_parameters_are_named(mixed):
    for wrong in (
        {"trained_on": "some"},
        {"classical": "best"},
        {"classical_weight": 2},
        {"trim": 0.7},
        {"n_flows": -1},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Detector(**wrong).fit_iter(mixed[0])
