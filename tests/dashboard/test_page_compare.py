"""The Compare page in the script runner: trains a set, ranks it beside one-line rivals, refuses other data."""

import pytest
from pages_driver import open_page, press, said, train

from flowlab import catalog
from flowlab.records import RunSpec, Spec

MOONS = {"data": "moons", "data.n_samples": "1500", "data.anomaly_share": "0.05"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One store for the whole file, in which a few short runs have finished."""


def spec(model, seed=0, data=None, **params):
    values = {"n_samples": 1500, "anomaly_share": 0.05} if data is None else data
    return catalog.tidy(RunSpec(Spec("moons", values), Spec(model, params), seed))[0]


@pytest.fixture(scope="module")
def runs(home):
    short = {"n_steps": 100}
    return train(
        spec("spline", **short), spec("autoencoder", **short), spec("vae", **short, n_latent=1), spec("gaussian")
    )


def compare(ids=(), link=MOONS, **view):
    """The Compare page with these runs in the link."""
    return open_page("compare", link, **({"runs": ".".join(ids)} if ids else {}), **view)


def test_the_empty_page_says_what_will_be_here_and_offers_it():
    at = compare(link={**MOONS, "seed": "77"})
    assert "no model yet" in said(at) and "Train the set first" in said(at)
    assert not at.button(key="compare.set").disabled
    assert [button.key for button in at.button if str(button.key).startswith("compare.")] == ["compare.set"]


def test_models_are_ranked_beside_one_line_rivals_with_a_verdict(runs):
    at = compare(runs)
    assert "4 models on 150 held" in said(at)
    table = at.dataframe[0].value
    assert {"Spline flow", "Autoencoder", "Variational autoencoder", "One Gaussian"} <= set(table["model"])
    assert {"largest |z|", "sum of z²", "PCA residual", "random score"} <= set(table["model"])
    aurocs = [float(cell.split(" ")[0]) for cell in table["AUROC"]]
    assert aurocs == sorted(aurocs, reverse=True)
    assert "AUROC" in said(at) or "detect equally well" in said(at)
    assert len(at.get("plotly_chart")) == 2


def test_the_affine_map_is_printed_with_its_numbers(runs):
    at = compare(runs, section="Error as likelihood", sigma="0.5")
    assert "=2.000" in at.latex[0].value and "+0.452" in at.latex[0].value


@pytest.mark.parametrize("section", ["Rows in dispute", "Agreement", "Samples", "Maps"])
def test_every_section_opens_from_its_link(runs, section):
    at = compare(runs, section=section, density="Spline flow")
    if section == "Rows in dispute":
        assert {"row", "alarm", "why (Autoencoder)"} <= set(at.dataframe[1].value.columns)
    if section == "Agreement":
        assert at.metric[0].label == "AUROC"
    if section == "Samples":
        assert "training rows (the yardstick)" in set(at.dataframe[1].value["held-out rows against"])
    if section in ("Agreement", "Maps"):  # below the two of the models; the maps are one for each of the pair
        assert len(at.get("plotly_chart")) == {"Agreement": 3, "Maps": 4}[section]


def test_runs_on_other_data_or_seeds_are_refused_in_words(runs):
    other = train(spec("gaussian", seed=5))
    at = compare([runs[0], *other])
    assert "cannot be compared: they were trained on different data or on another split" in said(at)


def test_more_seeds_give_the_spread(runs):
    train(spec("gaussian", seed=1), spec("gaussian", seed=2))
    at = compare(runs[3:])
    table = at.dataframe[0].value.set_index("model")
    assert table.loc["One Gaussian", "seeds"] == "3"
    assert "over seeds" in said(at)


def test_nonsense_in_the_link_shows_the_page_all_the_same(runs):
    at = compare(["zzz", "", "", "/etc/passwd"], section="Dreams", alarms="-3")
    assert "Train the set first" in said(at)


def test_one_button_trains_the_missing_models_of_the_set():
    at = compare(link={**MOONS, "seed": "9"})
    press(at, "compare.set")
    from flowlab.dashboard.shell import services

    live = [services.runner().status(catalog.run_id(spec(name, seed=9))) for name in ("spline", "kde", "forest")]
    assert all(status is not None for status in live)
    press(at, "compare.stop")


def test_a_sweep_is_trained_in_a_queue_and_drawn(runs):
    steps = {"n_latent": 1, "beta": 3.0}
    train(spec("vae", **steps))
    at = compare(runs, section="Sweeps", sweep="Beta")
    assert "1 of 7 runs finished" in said(at)
    assert len(at.get("plotly_chart")) == 4
    press(at, "compare.sweep_train")
    press(at, "compare.stop")
