"""A latent point moved by hand and ways between rows: what is shown is what the model computes."""

import json

import numpy as np
import pandas as pd
import pytest
from pages_driver import enter, in_link, labelled, open_page, said, train
from scipy.stats import chi

from flowlab import views
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.classical.density import KDE
from flowlab.models.flows.families import AffineCouplingFlow, SplineCouplingFlow
from flowlab.plots import latent
from flowlab.records import RunSpec, Spec
from flowlab.toys.contaminated import Clump1D
from flowlab.toys.curves import Moons
from flowlab.toys.dataset import make_toy
from flowlab.toys.table64 import Table64

MOONS = make_toy(Moons(), 3000)


@pytest.fixture(scope="module")
def flow():
    return SplineCouplingFlow(n_steps=400).fit(MOONS.part("train"))


@pytest.fixture(scope="module")
def wide():
    data = make_toy(Table64(), 500)
    return AffineCouplingFlow(n_layers=2, n_steps=40).fit(data.X), data


def test_every_way_of_a_flow_ends_at_the_rows_and_scores_are_the_models(flow):
    paths = views.latent_paths(flow, MOONS, 3, 40, n=51)
    for path in (paths.latent, paths.arc, paths.straight):
        np.testing.assert_allclose(path.x[[0, -1]], MOONS.X[[3, 40]], atol=1e-4)
        np.testing.assert_array_equal(path.score, flow.score_samples(path.x))
        np.testing.assert_allclose(flow.transform(path.x), path.z, atol=1e-3)
        np.testing.assert_array_equal(path.true_log_density, MOONS.density.log_density(path.x))
    np.testing.assert_allclose(np.diff(paths.latent.z, n=2, axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(paths.straight.x, n=2, axis=0), 0, atol=1e-9)


def test_on_the_great_circle_norm_and_direction_change_evenly(wide):
    model, data = wide
    Z = views.latent_paths(model, data, 0, 1, n=41).arc.z
    norms = np.linalg.norm(Z, axis=1)
    np.testing.assert_allclose(np.diff(norms, n=2), 0, atol=1e-9)
    turn = np.sum(Z[1:] * Z[:-1], axis=1) / norms[1:] / norms[:-1]
    np.testing.assert_allclose(turn, turn[0], atol=1e-9)
    straight = np.linalg.norm(views.latent_paths(model, data, 0, 1, n=41).latent.z, axis=1)
    assert straight.min() < norms.min(), "the straight way cuts through the middle"


def test_there_is_no_great_circle_in_one_dimension_or_from_a_row_to_itself(flow):
    assert views.latent_paths(flow, MOONS, 5, 5).arc is None
    clump = make_toy(Clump1D(), 500)
    paths = views.latent_paths(AffineCouplingFlow(n_layers=2, n_steps=20).fit(clump.X), clump, 0, 1)
    assert paths.arc is None and not paths.latent.place[:, 1].any()


def test_along_the_moon_the_latent_way_keeps_to_likely_rows_where_the_straight_one_does_not(flow):
    """Both tips of one moon: the chord crosses the empty middle, the latent way goes round by the arc."""
    first = np.flatnonzero(MOONS.classes == 0)
    tips = [int(first[np.argmin(MOONS.X[first, 0])]), int(first[np.argmax(MOONS.X[first, 0])])]
    paths = views.latent_paths(flow, MOONS, *tips)
    assert paths.latent.score.min() > paths.straight.score.min()


def test_from_moon_to_moon_the_latent_way_stays_likelier_for_most_rows(flow):
    """No theorem, so not for every pair: the latent way, too, must cross the gap somewhere. 95 of 100 were measured."""
    rng = np.random.default_rng(0)
    starts, ends = (rng.choice(np.flatnonzero(MOONS.classes == name), 30) for name in (0, 1))
    paths = [views.latent_paths(flow, MOONS, int(i), int(j)) for i, j in zip(starts, ends, strict=True)]
    lowest = np.array([[way.latent.score.min(), way.straight.score.min()] for way in paths])
    mean = np.array([[way.latent.score.mean(), way.straight.score.mean()] for way in paths])
    assert np.mean(lowest[:, 0] > lowest[:, 1]) >= 0.8
    assert np.mean(mean[:, 0] > mean[:, 1]) >= 0.9


def test_a_latent_point_without_edits_is_the_row_and_with_edits_the_models_inverse(flow):
    here = views.latent_point(flow, MOONS, row=7)
    np.testing.assert_allclose(here.x, MOONS.X[7], atol=1e-4)
    np.testing.assert_allclose(here.place, here.x)
    moved = views.latent_point(flow, MOONS, row=7, axes=(1,), values=(1.5,))
    np.testing.assert_array_equal(moved.z, [here.z[0], 1.5])
    np.testing.assert_array_equal(moved.x, flow.inverse_transform(moved.z[None])[0])
    assert moved.score == flow.score_samples(moved.x[None])[0]
    np.testing.assert_array_equal(views.latent_point(flow, MOONS).z, [0, 0])


@pytest.mark.parametrize("norm", [0.1, 1.0, 3.4])
def test_the_norm_is_compared_with_chi(flow, norm):
    here = views.latent_point(flow, MOONS, axes=(0, 1), values=(norm, 0.0))
    assert here.norm == pytest.approx(norm)
    assert here.nearer == pytest.approx(chi(2).cdf(norm), abs=1e-12)
    np.testing.assert_allclose(here.usual, chi(2).ppf([0.025, 0.975]))


def test_a_point_far_out_is_an_answer_and_wrong_questions_are_named(flow):
    far = views.latent_point(flow, MOONS, axes=(0, 1), values=(1e300, 1e300))
    assert far.nearer == 1 and np.isnan(far.score) == (not np.isfinite(far.x).all())
    with pytest.raises(ValueError, match="axes must be different numbers from 0 to 1"):
        views.latent_point(flow, MOONS, axes=(2,), values=(0.0,))
    with pytest.raises(ValueError, match="values must be finite"):
        views.latent_point(flow, MOONS, axes=(0,), values=(float("nan"),))
    with pytest.raises(ValueError, match="row must be"):
        views.latent_paths(flow, MOONS, 0, 10**9)
    with pytest.raises(ValueError, match="KDE has no latent space"):
        views.latent_paths(KDE().fit(MOONS.X[:50]), MOONS)


@pytest.mark.parametrize("maker", [Autoencoder, VariationalAutoencoder])
def test_the_way_of_an_autoencoder_ends_at_the_reconstructions(maker):
    model = maker(n_latent=1, n_steps=60).fit(MOONS.X[:600])
    paths = views.latent_paths(model, MOONS, 3, 40)
    np.testing.assert_allclose(paths.latent.x[[0, -1]], model.reconstruct(MOONS.X[[3, 40]]), atol=1e-6)
    assert views.latent_point(model, MOONS).gaussian == (maker is VariationalAutoencoder)


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_show_the_ways_and_the_point(flow, dark):
    paths = views.latent_paths(flow, MOONS, 3, 40)
    pair = views.rows(flow, MOONS, 200)
    lines = {"latent": paths.latent.z, "straight": paths.straight.z}
    fig = latent.latent_plane(pair.latent, ("z1", "z2"), (-4, 4, -4, 4), dark, paths=lines)
    named = {trace.name: trace for trace in fig.data if trace.name}
    np.testing.assert_array_equal(named["straight in data space"].y, paths.straight.z[:, 1])
    radii = [np.hypot(t.x, t.y).mean() for t in fig.data[1:4]]
    inside = [np.mean(np.hypot(*np.random.default_rng(0).standard_normal((2, 200_000))) < r) for r in radii]
    np.testing.assert_allclose(inside, latent.CIRCLES, atol=3e-3)
    fig = latent.path_profiles(paths, "log p(x) (nats)", dark)
    np.testing.assert_array_equal(fig.data[0].y, paths.latent.score)
    point = np.array([1.0, -1.0])
    fig = latent.data_plane(pair.points, ("x1", "x2"), (-3, 3, -3, 3), dark, point=point)
    assert (fig.data[-1].x[0], fig.data[-1].y[0]) == (1.0, -1.0)


RUNS = {
    "moons": RunSpec(Spec("moons", {"n_samples": 1000}), Spec("affine", {"n_layers": 3, "n_steps": 60})),
    "wide": RunSpec(Spec("table_64d", {"n_samples": 500}), Spec("affine", {"n_layers": 2, "n_steps": 50})),
    "curve": RunSpec(Spec("clump_1d", {"n_samples": 500}), Spec("affine", {"n_layers": 2, "n_steps": 50})),
    "code": RunSpec(Spec("moons", {"n_samples": 1000}), Spec("autoencoder", {"n_steps": 60})),
}


@pytest.fixture(scope="module")
def server(own_server):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(50, 5, (300, 2)), columns=["load", "heat"])
    table["place"] = rng.choice(["hall", "yard"], 300)
    digest = own_server.store().put_table(table)
    RUNS["table"] = RunSpec(
        Spec("upload", {"digest": digest, "name": "table.csv"}), Spec("affine", {"n_layers": 2, "n_steps": 50})
    )
    train(*RUNS.values())
    yield own_server
    del RUNS["table"]


def open_latent(name, **view):
    at = open_page("explore", RUNS[name], **{"view": "Latent", **view})
    assert not at.warning, [w.value for w in at.warning]
    return at


def test_moving_z_on_the_page_shows_what_the_model_answers_and_is_in_the_link(server):
    at = open_latent("moons", play="Move z", row=5, move1=3.0)
    enter(at, at.slider[1], 2.0)
    assert in_link(at, "explore.move2") == "2.0"
    here = server.Trained(server.run(RUNS["moons"])).view(views.latent_point, row=5, axes=(0, 1), values=(3.0, 2.0))
    assert f"log p(x) = {here.score:.3f}".replace("-", "\u2212") in said(at)
    assert "norm of z **3.61**, farther out than 99.8 % of a Gaussian's in 2 dimensions" in said(at)
    enter(at, labelled(at.number_input, "Row"), 6)
    assert in_link(at, "explore.move1") is None, "another start forgets how far z was moved"
    x = server.Trained(server.run(RUNS["moons"])).view(views.latent_point, row=6).x
    np.testing.assert_allclose(x, server.dataset(RUNS["moons"]).X[6], atol=1e-4)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("play", ["Move z", "Between two rows"])
def test_every_kind_of_model_plays(server, name, play):
    at = open_latent(name, play=play, arc="true", start="zero", row=10**9, move1="nan")
    assert len(at.get("plotly_chart")) == (2 if play == "Move z" else 3)
    if play == "Move z" and name == "wide":
        assert "hardly a draw falls" in said(at) and at.dataframe[0].value.shape == (1, 64)
    if name == "code":
        assert ("no prior" if play == "Move z" else "ends at the reconstructions") in said(at)
    assert all(json.loads(chart.proto.spec)["data"] for chart in at.get("plotly_chart"))


def test_the_decoded_row_of_a_table_stands_in_the_users_columns(server):
    at = open_latent("table", play="Move z", start="row", row=0)
    decoded = at.dataframe[0].value
    assert list(decoded.columns) == ["load", "heat", "place"]
    dataset = server.dataset(RUNS["table"])
    assert decoded["load"].iloc[0] == pytest.approx(dataset.X[0, dataset.columns.index("load")], rel=1e-3)
    assert decoded["place"].iloc[0] in ("hall", "yard")
