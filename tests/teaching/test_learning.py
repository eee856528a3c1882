"""How a flow learns: the loss and its parts, batches, stopping, the bridge, families, against what is known of each."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.datasets.from_table import make_table_dataset
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.models.flows.mixture_base import TwoGaussianFlow
from flowlab.records import RunSpec, Spec
from flowlab.teaching import measures
from flowlab.teaching.exhibits import batches, bridge, collections, families, learning, one_class, stopping
from flowlab.teaching.exhibits.moons import MOONS, plane, trained
from flowlab.toys.class_conditional import GivenClass
from flowlab.views.samples import in_columns_of


def test_row_8_every_family_of_the_cards_trains():
    for name, card in families.CARDS.items():
        model = catalog.make_model(Spec(card.model.name, {**card.model.params, "n_steps": 60}))
        rows = MOONS.sample(600, 0)
        before = None
        for event in model.fit_iter(rows):
            before = event.train_loss if before is None else before
        assert model.score_samples(rows).mean() > -before, name
        assert len(card.text) > 100, name


def test_glow_undoes_its_map_and_tells_its_log_determinant():
    model = catalog.make_model(Spec("glow", {"n_layers": 3, "n_steps": 50}))
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 5.0, 0.1]
    model.fit(X)
    assert model.inverse_transform(model.transform(X)) == pytest.approx(X, abs=1e-9)
    measured = np.linalg.slogdet(model.layer_jacobian(X[0]))[1]
    assert measured == pytest.approx(model.log_det_path(X[:1]).sum(), abs=1e-9)


def test_row_18_the_parts_add_to_the_loss_at_every_recorded_step():
    result = learning.loss_parts()
    assert len(result.steps) > 10 and result.steps[0] == 0
    assert result.square + result.constant - result.log_det == pytest.approx(result.loss, abs=1e-5)
    assert result.loss[-1] + trained().unit_shift == pytest.approx(-trained().flow.score_samples(trained().X).mean())


def test_row_20_synthetic_rows_have_the_files_columns_ranges_and_types():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "id": np.arange(300),
            "amount": rng.gamma(2, 3, 300).round(2),
            "items": rng.integers(1, 9, 300),
            "kind": rng.choice(["card", "cash"], 300),
            "fraud": rng.choice(["no", "yes"], 300, p=[0.95, 0.05]),
        }
    )
    dataset, _ = make_table_dataset(table)
    flow = AffineCouplingFlow(2, 8, n_steps=50, random_state=0).configured_for(dataset).fit(dataset.fitting_rows())
    drawn = in_columns_of(dataset.table(flow.sample(200, random_state=0), drawn=True), table)
    assert list(drawn.columns) == list(table.columns) and len(drawn) == 200
    for name in ("amount", "items", "kind"):
        assert drawn[name].dtype == table[name].dtype, name
    assert drawn["amount"].between(table["amount"].min(), table["amount"].max()).all()
    assert drawn["items"].between(1, 8).all() and set(drawn["kind"]) <= {"card", "cash"}
    assert drawn["id"].isna().all() and drawn["fraud"].isna().all()
    when = table.assign(when=pd.date_range("2024-01-01", periods=300, freq="D"), same="shop")
    timed, _ = make_table_dataset(when)
    whole = in_columns_of(drawn[["amount", "items", "kind"]], when, timed)
    assert (
        whole["id"].tolist() == list(range(300, 500))
        and set(whole["fraud"]) == {"no"}
        and set(whole["same"]) == {"shop"}
    )
    assert whole["when"].is_monotonic_increasing and whole["when"].max() <= when["when"][timed.split == 0].max()
    assert (whole["when"] == whole["when"].dt.normalize()).all(), "days, as in the file"
    assert (whole.dtypes.drop("when") == when.dtypes.drop("when")).all()
    features = ["amount", "items", "kind"]
    copies = pd.merge(whole[features].drop_duplicates(), table[features].drop_duplicates(), on=features)
    chance = pd.merge(table[features][:100], table[features][100:], on=features)
    assert not len(pd.merge(whole, when, on=list(when))), "no row is a copy"
    assert len(copies) <= len(chance) + 5, "nor more of its numbers than rows of the file share by chance"


def test_row_21_draws_of_a_class_are_of_that_class():
    result = one_class.one_class("lower")
    assert result.right >= 0.9
    classes = MOONS.class_log_density(result.draws).argmax(axis=1)
    assert (classes == 1).mean() >= 0.9
    flow, rows = one_class._conditional(), GivenClass(MOONS).sample(500, 5)
    assert (flow.most_probable_level(rows) == rows[:, 2]).mean() >= 0.9


def test_row_30_the_weights_kept_are_those_of_the_best_evaluation():
    X, X_val = MOONS.sample(200, 0), MOONS.sample(500, 1)
    settings = {"n_layers": 4, "hidden_features": 16, "n_steps": 700, "regularize": "none", "random_state": 0}
    curve = [e.val_loss for e in AffineCouplingFlow(**settings).fit_iter(X, X_val)]
    for delta, restore in ((0.0, True), (0.05, False)):
        flow = AffineCouplingFlow(**settings, patience=3, min_delta=delta, keep_best=restore)
        seen = [e.val_loss for e in flow.fit_iter(X, X_val)]
        assert len(seen) == stopping.stop_of(np.array(curve), 3, delta) + 1 < len(curve)
        assert min(seen) < seen[-1]
        assert -flow.score_samples(X_val).mean() == pytest.approx(min(seen) if restore else seen[-1], abs=1e-4)


def test_row_30_patience_delta_and_restoring_say_what_is_kept():
    result = stopping.stopping(patience=3)
    assert result.kept_loss == min(result.val_loss[: result.stop + 1])
    assert result.steps[result.kept] == result.best_step < result.stop_step
    assert stopping.stopping(3, 0.15).stop_step <= result.stop_step
    assert stopping.stopping(0).stop == len(result.steps) - 1
    last = stopping.stopping(3, restore=False)
    assert last.kept == last.stop and last.kept_loss > result.kept_loss


def test_row_31_the_curve_of_larger_batches_varies_less():
    result = batches.batch_noise("64")
    assert (np.diff(result.spreads) < 0).all()
    expected = result.row_spread / np.sqrt(result.sizes[:-1])
    assert result.spreads[:-1] == pytest.approx(expected, rel=0.5)
    assert batches.batch_noise("all").expected == 0


def test_row_35_a_mixture_base_removes_the_bridge():
    one, two = bridge.bridge("one"), bridge.bridge("two")
    assert one.height == one.other > one.truth + 5
    assert two.height < one.height - 3
    assert bridge.bridge("truth").height == one.truth


def test_the_density_over_two_gaussians_has_mass_one_and_the_gradient_of_autograd():
    rows = MOONS.sample(500, 0)
    flow = TwoGaussianFlow(3, 8, distance=6.0, n_steps=50).fit(rows)
    x = np.linspace(-6, 7, 260)
    y = np.linspace(-5, 5, 220)
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    mass = np.exp(flow.score_samples(points)).sum() * (x[1] - x[0]) * (y[1] - y[0])
    assert mass == pytest.approx(1, abs=0.02)
    step = 1e-3
    numeric = [
        (flow.score_samples(rows[:5] + step * e) - flow.score_samples(rows[:5] - step * e)) / (2 * step)
        for e in np.eye(2)
    ]
    assert flow.score_gradient(rows[:5]) == pytest.approx(np.array(numeric).T, abs=0.05, rel=0.02)
    draws = flow.sample(2000, random_state=0)
    assert flow.score_samples(draws).mean() > flow.score_samples(draws + 3).mean()


def test_row_37_forty_nine_arrows_end_at_the_inverse_of_the_grid():
    result = learning.arrows()
    history = trained()
    inverse = (history.flow.inverse_transform(result.latent) - history.X.mean(axis=0)) / history.X.std(axis=0)
    assert result.data == pytest.approx(inverse)
    assert len(result.latent) == 49
    fig = learning.draw_arrows(result)
    ends = [trace for trace in fig.data if trace.mode == "lines+markers"]
    assert len(ends) == 49
    assert [t.x[1] for t in ends] == pytest.approx(list(inverse[:, 0]))


def test_row_95_the_state_before_the_first_step_is_kept():
    history = trained()
    assert history.steps[0] == 0
    untrained = history.at(0)
    assert np.abs(untrained.transform(history.X).std(axis=0) - 1).max() < 0.1, "the flow starts near the identity"
    result = learning.before_after(border=100)
    points = plane()[2]
    assert result.shown.ravel() == pytest.approx(untrained.score_samples(points))
    assert learning.before_after(border=0).shown.ravel() == pytest.approx(history.flow.score_samples(points))
    assert result.loss_before == pytest.approx(-untrained.score_samples(history.X_new).mean())


def test_row_96_a_thousand_full_batch_steps_draw_like_the_rows():
    result = batches.full_batch(1000)
    assert result.n_steps == 1000
    for j in range(2):
        assert ks_2samp(result.rows[:, j], result.draws[:, j]).pvalue > 0.01
    assert batches.full_batch(0).lowest_p < result.lowest_p
    batch, _ = next(c for c in catalog.MODELS["affine"].controls if c.name == "batch_size").read(20_000)
    assert batch == 20_000, "the page offers all rows of the default data in one batch"


def test_row_119_the_log_likelihood_of_a_collection_is_additive():
    for n_moons, n_spread in ((20, 5), (0, 7), (9, 0), (0, 0)):
        result = collections.collections(n_moons, n_spread)
        assert result.log_union == pytest.approx(result.sum_moons + result.sum_spread, abs=1e-9)
    small, large = collections.collections(10, 0), collections.collections(30, 0)
    assert large.sum_moons == pytest.approx(MOONS.log_density(large.moons).sum())
    assert small.sum_moons != large.sum_moons


@pytest.mark.slow
def test_row_29_the_lectures_settings_fall_from_three_to_one_point_two_nats():
    model = Spec("affine", {"n_layers": 10, "learning_rate": 0.001, "n_steps": 2300})
    spec = RunSpec(Spec("moons", {"n_samples": 3000}), model)
    dataset = catalog.make_dataset(spec.data)
    flow = catalog.make_model(model, 0, dataset)
    assert (flow.hidden_features, flow.n_hidden, flow.batch_size, flow.scale_map) == (32, 2, 256, "tanh")
    events = list(flow.fit_iter(dataset.fitting_rows(), dataset.fitting_rows(Part.MONITOR)))
    found = measures.of_run(measures.measure(flow, dataset), events)
    assert found.standard_first_loss == pytest.approx(2.96, abs=0.3)
    assert found.standard_loss == pytest.approx(1.2, abs=0.06)
    assert found.standard_entropy == pytest.approx(1.124, abs=0.02)
    assert math.isclose(found.standard_loss - found.standard_entropy, found.loss - found.entropy)
