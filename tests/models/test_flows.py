"""Our flows as estimators keep the contract: true densities, exact resumption, finite scores on bad tables."""

import io
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_moons
from sklearn.utils.estimator_checks import parametrize_with_checks

from flowlab.models.flows.families import (
    AffineCouplingFlow,
    InverseAutoregressiveFlow,
    MaskedAutoregressiveFlow,
    PlanarFlow,
    RadialFlow,
    SplineCouplingFlow,
)
from flowlab.models.flows.scaling import Scaling, squash, unsquash

FLOWS = {
    "spline": (SplineCouplingFlow, {"n_layers": 4, "hidden_features": 16}),
    "affine": (AffineCouplingFlow, {"n_layers": 4, "hidden_features": 16}),
    "nice": (AffineCouplingFlow, {"n_layers": 4, "hidden_features": 16, "scale_map": "additive"}),
    "normalised": (AffineCouplingFlow, {"n_layers": 4, "hidden_features": 16, "activation_norm": True}),
    "maf": (MaskedAutoregressiveFlow, {"n_layers": 3, "hidden_features": 16}),
    "iaf": (InverseAutoregressiveFlow, {"n_layers": 2, "hidden_features": 16}),
    "planar": (PlanarFlow, {"n_layers": 4}),
    "radial": (RadialFlow, {"n_layers": 4}),
}


def make(name, **parameters):
    cls, defaults = FLOWS[name]
    return cls(**{"n_steps": 40, **defaults, **parameters})


@pytest.fixture(scope="module")
def moons():
    X, _ = make_moons(3000, noise=0.1, random_state=0)
    return X * [3.0, 0.5] + [10.0, -2.0]


@pytest.fixture(scope="module", params=FLOWS)
def fitted(request, moons):
    return make(request.param, n_steps=150).fit(moons)


def test_density_integrates_to_one(fitted, moons):
    center, reach = moons.mean(0), 7 * moons.std(0)
    axes = [np.linspace(c - r, c + r, 700) for c, r in zip(center, reach)]
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    assert np.exp(fitted.score_samples(grid)).sum() * cell == pytest.approx(1, abs=0.01)


def test_training_beats_one_gaussian(moons):
    gaussian = -0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(moons.T))[1]
    for name in FLOWS:
        n_steps = 150 if name in ("spline", "maf", "affine") else 400
        assert make(name, n_steps=n_steps).fit(moons).score(moons) > gaussian - 0.05, name


def test_row_14_round_trip(fitted, moons):
    assert np.abs(fitted.inverse_transform(fitted.transform(moons)) - moons).max() < 1e-6
    far = moons[:5] * 1e4
    assert fitted.inverse_transform(fitted.transform(far)) == pytest.approx(far, rel=1e-5)


def test_paths_add_up_to_the_log_density(fitted, moons):
    X = np.concatenate([moons[:200], moons[:3] + 1e3])
    positions, log_dets = fitted.transform_path(X), fitted.log_det_path(X)
    assert positions.shape == (len(log_dets) + 1, len(X), 2)
    Z = positions[-1]
    assert np.allclose(Z, fitted.transform(X))
    base = -0.5 * (Z**2).sum(1) - np.log(2 * np.pi)
    total = base + log_dets.sum(0) + fitted.scaling_log_det(X)
    assert np.allclose(total, fitted.score_samples(X), rtol=1e-6, atol=1e-4)


def test_readout_of_affine_layers_is_what_they_did(moons):
    flow = make("affine").fit(moons)
    log_scale, shift = flow.layer_readout(moons[:50])
    positions = flow.transform_path(moons[:50])
    assert np.allclose(positions[1:], positions[:-1] * np.exp(log_scale) + shift)
    assert np.allclose(log_scale.sum(-1), flow.log_det_path(moons[:50]))


@pytest.mark.parametrize("name", ["maf", "iaf", "planar", "normalised"])
def test_row_92_readouts_of_other_layers(name, moons):
    flow = make(name).fit(moons)
    log_scale, shift = flow.layer_readout(moons[:50])
    before, after = flow.transform_path(moons[:50])[:-1], flow.transform_path(moons[:50])[1:]
    if name == "iaf":
        assert np.allclose(after, (before - shift) * np.exp(log_scale))
    else:
        assert np.allclose(after, before * np.exp(log_scale) + shift)


def test_steps_within_a_budget(moons):
    flow, ticks = make("affine"), iter([10.0, 11.5])  # 150 steps between the two looks at the clock
    assert flow.steps_within(2.0, moons, clock=lambda: next(ticks)) == 200
    assert flow.n_steps == 40 and not hasattr(flow, "parameters_")


def test_score_gradient_is_the_slope(fitted, moons):
    X, step = moons[:60], 1e-2
    gradient = fitted.score_gradient(X)
    for i in range(2):
        shift = step * np.eye(2)[i] * moons.std(0)
        slope = (fitted.score_samples(X + shift) - fitted.score_samples(X - shift)) / (2 * shift[i])
        assert np.median(np.abs(slope - gradient[:, i]) * moons.std(0)[i]) < 0.02


def test_a_score_depends_on_its_row_alone(fitted, moons):
    scores = fitted.score_samples(moons)
    some = [0, 1, 77, 1500, 2999]
    alone = [fitted.score_samples(moons[i : i + 1])[0] for i in some]
    assert np.abs(scores[some] - alone).max() < 1e-5
    assert np.abs(fitted.score_samples(moons[::-1])[::-1] - scores).max() < 1e-5


def test_samples_are_drawn_from_the_density(fitted, moons):
    drawn = fitted.sample(4000, random_state=0)
    assert drawn.shape == (4000, 2) and np.isfinite(drawn).all()
    assert np.array_equal(drawn, fitted.sample(4000, random_state=0))
    again = fitted.transform(drawn)
    assert np.abs(again.mean(0)).max() < 0.1 and np.abs(again.std(0) - 1).max() < 0.1
    cold = fitted.sample(10, random_state=0, temperature=0.0)
    assert np.allclose(cold, cold[0])


def _npz(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return dict(np.load(io.BytesIO(buffer.getvalue()), allow_pickle=False))


@pytest.mark.parametrize("name", FLOWS)
def test_slices_give_the_bits_of_one_run(name, moons):
    X = moons[:1500]
    whole = make(name, n_steps=40, noise=0.05).fit(X)
    checkpoint, steps = None, []
    for _ in range(4):
        flow = make(name, n_steps=40, noise=0.05)
        steps += [event.step for event in flow.fit_iter(X, checkpoint=checkpoint, n_steps=10)]
        checkpoint = _npz(flow.get_checkpoint())
    assert steps == [10, 20, 30, 40]
    a, b = whole.get_checkpoint(), flow.get_checkpoint()
    assert a.keys() == b.keys()
    for key in a.keys() - {"train.seconds"}:
        assert np.array_equal(a[key], b[key], equal_nan=a[key].dtype.kind == "f"), key


def test_saved_model_scores_the_same(fitted, moons):
    copy = type(fitted)(**fitted.get_params()).set_state(_npz(fitted.get_state()))
    assert np.array_equal(copy.score_samples(moons), fitted.score_samples(moons))
    assert np.array_equal(copy.sample(20, random_state=1), fitted.sample(20, random_state=1))
    unpickled = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(unpickled.score_samples(moons), fitted.score_samples(moons))


def test_usable_between_events_and_best_weights_stay(moons):
    flow = make("spline", n_steps=200)
    for i, event in enumerate(flow.fit_iter(moons)):
        between = flow.score(moons)
        assert np.isfinite(between) and event.n_steps == 200
        if i == 1:
            break
    assert flow.score(moons) == between
    assert flow.get_checkpoint()["train.step"] == 100


def test_listeners_may_use_autograd_between_events(moons):
    import torch

    for _ in make("affine").fit_iter(moons):
        weight = torch.ones(2, requires_grad=True)
        (weight * 3).sum().backward()
        assert weight.grad.tolist() == [3, 3]


def test_same_seed_same_flow(moons):
    a, b, c = (make("spline", random_state=seed).fit(moons).score_samples(moons[:5]) for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_the_log_density_belongs_to_the_units_of_the_data(moons):
    flow = make("spline").fit(moons)
    scaled = make("spline").fit(moons * 1000)
    assert np.allclose(scaled.score_samples(moons * 1000), flow.score_samples(moons) - 2 * np.log(1000), atol=1e-3)


def test_row_28_without_standardisation_the_fit_is_worse_in_the_same_units(moons):
    X = moons * [100.0, 0.1]
    on, off = (make("affine", n_steps=150, standardize=standardize).fit(X).score(X) for standardize in (True, False))
    assert -on < -off - 0.1


def test_row_32_the_loss_curve_ends_in_the_loss_of_the_model(moons):
    train, validation = moons[::2], moons[1::2]
    flow = make("affine", n_steps=150)
    events = list(flow.fit_iter(train, validation))
    assert -flow.score(validation) == pytest.approx(min(event.val_loss for event in events), abs=1e-3)


def test_squash_is_reversible_and_its_derivative_known():
    v = np.concatenate([np.linspace(-30, 30, 601), [-1e9, 1e9]])
    assert np.allclose(unsquash(squash(v)), v)
    assert np.isfinite(unsquash(np.array([1e6]))).all()
    step = 1e-5
    slope = (squash(v[:-2] + step) - squash(v[:-2] - step)) / (2 * step)
    scaling = Scaling(np.zeros(1), np.ones(1), np.array([True]), np.array([np.inf]))
    assert np.allclose(np.log(slope), scaling.log_det(squash(v[:-2])[:, None]), atol=1e-4)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"n_layers": 0}, "n_layers must be a whole number of at least 1, not 0"),
        ({"n_steps": 1.5}, "n_steps"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"noise": -1}, "noise"),
        ({"mask": "01"}, "mask must have one digit"),
        ({"tail_bound": -1}, "tail_bound"),
        ({"n_bins": 1}, "n_bins"),
        ({"regularize": "much"}, "regularize"),
    ],
)
def test_wrong_parameters_fail_at_the_call(parameters, message):
    X = np.random.default_rng(0).normal(size=(100, 3))
    with pytest.raises(ValueError, match=message):
        SplineCouplingFlow(**parameters).fit_iter(X)


def test_wrong_tables_fail_at_the_call():
    for X in (np.ones((1, 2)), np.full((10, 2), np.nan), np.ones(5), np.ones((0, 2))):
        with pytest.raises(ValueError):
            make("spline").fit_iter(X)


def _bad_tables():
    rng = np.random.default_rng(0)
    moons = make_moons(2000, noise=0.05, random_state=0)[0]
    wide = rng.normal(size=(1500, 64))
    wide[:, ::3] = wide[:, ::3] > 0
    wide[rng.integers(0, 1500, 40), rng.integers(0, 64, 40)] *= 30
    outlier = moons.copy()
    outlier[7] = [1e12, -1e12]
    return {
        "heavy tails": rng.standard_t(1.5, (2000, 2)),
        "not standardised": moons * 1000 + 5000,
        "three values": np.column_stack([moons[:, 0], rng.integers(0, 3, 2000) - 1.0]),
        "constant": np.column_stack([moons, np.full(2000, 3.0)]),
        "duplicated": np.column_stack([moons, moons[:, 0]]),
        "binary and outliers, 64 columns": wide,
        "one column": moons[:, :1],
        "one row far away": outlier,
        "all constant": np.full((200, 2), 5.0),
        "two rows": moons[:2],
        "tiny numbers": moons * 1e-12,
        "discrete": rng.poisson(0.3, (1000, 4)).astype(float),
    }


@pytest.mark.parametrize("case", _bad_tables())
@pytest.mark.parametrize("name", ["spline", "affine", "maf"])
def test_bad_tables_give_finite_answers(name, case):
    X = _bad_tables()[case]
    scaling = Scaling.fit(X)
    for learning_rate in (5e-3, 1e-2):
        flow = make(name, n_steps=120, learning_rate=learning_rate)
        events = list(flow.fit_iter(X))
        assert all(np.isfinite(event.train_loss) and not event.note for event in events)
        assert np.isfinite(flow.parameters_).all()
        assert np.isfinite(flow.score_samples(X)).all()
        assert np.isfinite(flow.score_samples(X * 1e6)).all()
        assert np.isfinite(flow.sample(500, random_state=0)).all()
        back = flow.inverse_transform(flow.transform(X))
        assert np.abs(scaling.forward(back) - scaling.forward(X)).max() < 1e-4


@pytest.mark.parametrize("case", _bad_tables())
def test_an_unbounded_scale_still_scores_every_row(case):
    X = _bad_tables()[case]
    flow = make("affine", scale_map="exp", n_steps=120, learning_rate=1e-2).fit(X)
    assert np.isfinite(flow.parameters_).all()
    assert np.isfinite(flow.score_samples(X)).all() and np.isfinite(flow.score_samples(X * 1e6)).all()


def test_a_constant_column_has_a_fixed_narrow_density(moons):
    X = np.column_stack([moons, np.full(len(moons), 4.0)])
    flow = make("spline").fit(X)
    plain = make("spline").fit(moons)
    expected = plain.score_samples(moons) - 0.5 * np.log(2 * np.pi) - np.log(0.004)
    assert np.allclose(flow.score_samples(X), expected, atol=1e-4)
    broken = X.copy()
    broken[:, 2] = 4.04
    assert (flow.score_samples(broken) < flow.score_samples(X) - 20).all()
    assert flow.sample(500, random_state=0)[:, 2].std() == pytest.approx(0.004, rel=0.2)


def test_a_mask_of_digits_counts_constant_columns_too(moons):
    X = np.column_stack([moons, np.full(len(moons), 4.0), moons[:, 0] + moons[:, 1] ** 2])
    assert np.isfinite(make("affine", mask="0110").fit(X).score_samples(X)).all()
    with pytest.raises(ValueError, match="mask must have one digit for each of the 4 columns"):
        make("affine", mask="011").fit_iter(X)


def test_a_loss_that_is_not_finite_never_reaches_the_weights(moons):
    import torch

    flow = make("affine", scale_map="exp", n_steps=100)
    training = flow.fit_iter(moons)
    first = next(training)
    real = flow._net.loss_and_gradient

    def broken(x, generator):
        loss = real(x, generator)
        flow._net.gradient.fill_(torch.nan)
        return loss

    flow._net.loss_and_gradient = broken
    second = next(training)
    assert "rolled back" in second.note and "the farthest value is in column" in second.note and first.note == ""
    assert np.isfinite(flow.parameters_).all() and np.isfinite(flow.score(moons))


@pytest.fixture(scope="module")
def labelled_moons():
    X, y = make_moons(2000, noise=0.08, random_state=0)
    return np.column_stack([X[:, 0], 3.0 * y + 1, X[:, 1]])


CONDITIONAL = {
    "spline": SplineCouplingFlow(n_layers=4, hidden_features=16),
    "affine": AffineCouplingFlow(n_layers=4, hidden_features=16),
    "maf": MaskedAutoregressiveFlow(n_layers=4, hidden_features=16, learning_rate=5e-3),
    "iaf": InverseAutoregressiveFlow(n_layers=4, hidden_features=16, learning_rate=5e-3),
}


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_flow_under_a_condition_tells_the_levels_apart(name, labelled_moons):
    X = labelled_moons
    before = X.copy()
    flow = clone(CONDITIONAL[name]).set_params(context_column=1, n_steps=300).fit(X)
    assert flow.levels_.tolist() == [1.0, 4.0]
    assert (flow.most_probable_level(X) == X[:, 1]).mean() > 0.98
    assert np.abs(flow.inverse_transform(flow.transform(X)) - X).max() < 1e-6
    by_level = flow.level_log_density(X)
    assert np.allclose(flow.score_samples(X), np.where(X[:, 1] == 1, by_level[:, 0], by_level[:, 1]))
    drawn = flow.sample(2000, random_state=0)
    assert set(drawn[:, 1]) == {1.0, 4.0} and abs((drawn[:, 1] == 1).mean() - 0.5) < 0.06
    assert (flow.most_probable_level(flow.sample_given(4.0, 200, random_state=0)) == 4).mean() > 0.95
    unseen = X[:5].copy()
    unseen[:, 1] = 2.0
    assert np.isfinite(flow.score_samples(unseen)).all()
    copy = clone(flow).set_state(_npz(flow.get_state()))
    assert np.array_equal(copy.score_samples(X), flow.score_samples(X))
    assert np.array_equal(X, before)


def test_a_state_restores_the_context_without_being_told_of_it(labelled_moons):
    flow = SplineCouplingFlow(n_layers=2, n_steps=50, context_column=1).fit(labelled_moons)
    copy = SplineCouplingFlow(n_layers=2, n_steps=50).set_state(_npz(flow.get_state()))
    assert np.array_equal(copy.score_samples(labelled_moons), flow.score_samples(labelled_moons))


def test_the_density_under_each_level_integrates_to_one_and_so_does_their_mixture(labelled_moons):
    flow = clone(CONDITIONAL["spline"]).set_params(context_column=1, n_steps=200).fit(labelled_moons)
    axis = np.linspace(-3, 4, 500)
    x, y = np.meshgrid(axis, axis)
    grid = np.column_stack([x.ravel(), np.full(x.size, 4.0), y.ravel()])
    cell = (axis[1] - axis[0]) ** 2
    assert np.exp(flow.level_log_density(grid)).sum(0) * cell == pytest.approx([1.0, 1.0], abs=0.03)
    assert np.exp(flow.marginal_log_density(grid)).sum() * cell == pytest.approx(1.0, abs=0.03)


def test_knowing_the_level_gains_what_the_level_tells(labelled_moons):
    """log p(x | level) exceeds log p(x) by the mutual information, log 2 for moons that do not touch."""
    kept = labelled_moons[:, [0, 2]]
    alone = SplineCouplingFlow(n_layers=4, n_steps=500).fit(kept).score(kept)
    told = SplineCouplingFlow(n_layers=4, n_steps=500, context_column=1).fit(labelled_moons).score(labelled_moons)
    assert told - alone == pytest.approx(np.log(2), abs=0.12)


def test_the_gradient_of_a_conditional_score_leaves_the_context_alone(labelled_moons):
    flow = SplineCouplingFlow(n_layers=2, n_steps=100, context_column=1).fit(labelled_moons)
    gradient = flow.score_gradient(labelled_moons[:50])
    step = np.array([1e-3, 0, 0])
    slope = (flow.score_samples(labelled_moons[:50] + step) - flow.score_samples(labelled_moons[:50] - step)) / 2e-3
    assert not gradient[:, 1].any()
    assert np.median(np.abs(gradient[:, 0] - slope)) < 0.05 * np.abs(slope).mean()


def test_a_context_needs_few_levels_and_must_exist():
    X = np.random.default_rng(0).normal(size=(300, 3))
    with pytest.raises(ValueError, match="at most 100 different values"):
        SplineCouplingFlow(context_column=-1).fit_iter(X)
    with pytest.raises(ValueError, match="context_column must be None or the number"):
        SplineCouplingFlow(context_column=3).fit_iter(X)
    with pytest.raises(ValueError, match="trained without a context"):
        SplineCouplingFlow(n_layers=1, n_steps=5).fit(X).level_log_density(X)


def _small():
    yield SplineCouplingFlow(n_layers=2, hidden_features=8, n_steps=20, context_column=-1)
    for cls, parameters in FLOWS.values():
        yield cls(**{**parameters, "n_steps": 20, **({"n_layers": 2} if "n_layers" in parameters else {})})


@parametrize_with_checks(list(_small()))
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)
