"""The Compare page in the script runner: trains a set, ranks it beside one-line rivals, refuses other data."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.records import RunSpec, Spec

ROOT = Path(__file__).parents[2]
MOONS = {"data": "moons", "data.n_samples": "1500", "data.anomaly_share": "0.05"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One store for the whole file, in which a few short runs have finished."""


def spec(model, seed=0, data=None, **params):
    values = {"n_samples": 1500, "anomaly_share": 0.05} if data is None else data
    return catalog.tidy(RunSpec(Spec("moons", values), Spec(model, params), seed))[0]


def train(*specs):
    """Finish runs through the real runner and return their ids."""
    from pages.ui import engine

    runner = engine.runner()
    ids = runner.submit_many(list(specs), "tester")
    deadline = time.monotonic() + 120
    while any(runner.status(i).state != "done" for i in ids):
        assert time.monotonic() < deadline, [runner.status(i) for i in ids]
        time.sleep(0.2)
    return ids


@pytest.fixture(scope="module")
def runs(home):
    short = {"n_steps": 100}
    return train(
        spec("spline", **short), spec("autoencoder", **short), spec("vae", **short, n_latent=1), spec("gaussian")
    )


def app(**query):
    at = AppTest.from_file(ROOT / "app.py", default_timeout=120)
    at.switch_page(str(ROOT / "pages" / "4_compare.py"))
    for key, value in {**MOONS, **query}.items():
        at.query_params[key.replace("__", ".")] = value
    at.run()
    assert not at.exception
    return at


def text(at):
    return " ".join(m.value for m in [*at.markdown, *at.caption, *at.info, *at.warning])


def link(ids):
    return ".".join(ids)


def test_the_empty_page_says_what_will_be_here_and_offers_it():
    at = app(seed="77")
    assert "no model yet" in text(at) and "Train the set first" in text(at)
    assert not at.button(key="compare.set").disabled
    assert at.button(key="compare.seeds").disabled


def test_models_are_ranked_beside_one_line_rivals_with_a_verdict(runs):
    at = app(compare__runs=link(runs))
    assert "4 models on 150 held" in text(at)
    table = at.dataframe[0].value
    assert {"Spline flow", "Autoencoder", "Variational autoencoder", "One Gaussian"} <= set(table["model"])
    assert {"largest |z|", "sum of z²", "PCA residual", "random score"} <= set(table["model"])
    aurocs = [float(cell.split(" ")[0]) for cell in table["AUROC"]]
    assert aurocs == sorted(aurocs, reverse=True)
    assert "AUROC" in text(at) or "detect equally well" in text(at)
    assert len(at.get("plotly_chart")) == 2


def test_the_affine_map_is_printed_with_its_numbers(runs):
    at = app(compare__runs=link(runs), compare__section="Error as likelihood", compare__sigma="0.5")
    assert "=2.000" in at.latex[0].value and "+0.452" in at.latex[0].value


@pytest.mark.parametrize("section", ["Rows in dispute", "Agreement", "Samples", "Maps"])
def test_every_section_opens_from_its_link(runs, section):
    at = app(compare__runs=link(runs), compare__section=section, compare__density="Spline flow")
    if section == "Rows in dispute":
        assert {"row", "alarm", "why (Autoencoder)"} <= set(at.dataframe[1].value.columns)
    if section == "Agreement":
        assert at.metric[0].label == "AUROC"
    if section == "Samples":
        assert "training rows (the yardstick)" in set(at.dataframe[1].value["held-out rows against"])
    if section in ("Agreement", "Maps"):
        assert len(at.get("plotly_chart")) == 3


def test_runs_on_other_data_or_seeds_are_refused_in_words(runs):
    other = train(spec("gaussian", seed=5))
    at = app(compare__runs=link([runs[0], *other]))
    assert "cannot be compared: they were trained on different data or on another split" in text(at).replace("\\", "")


def test_more_seeds_give_the_spread(runs):
    train(spec("gaussian", seed=1), spec("gaussian", seed=2))
    at = app(compare__runs=link(runs[3:]))
    table = at.dataframe[0].value.set_index("model")
    assert table.loc["One Gaussian", "seeds"] == "3"
    assert "over seeds" in text(at)


def test_nonsense_in_the_link_shows_the_page_all_the_same(runs):
    at = app(compare__runs="zzz.../etc/passwd", compare__section="Dreams", compare__alarms="-3")
    assert not at.exception


def test_one_button_trains_the_missing_models_of_the_set():
    at = app(seed="9")
    at.button(key="compare.set").click().run()
    from pages.ui import engine

    live = [engine.runner().status(catalog.run_id(spec(name, seed=9))) for name in ("spline", "kde", "forest")]
    assert all(status is not None for status in live)
    at.button(key="compare.stop").click().run()
    assert not at.exception


def test_a_sweep_is_trained_in_a_queue_and_drawn(runs):
    steps = {"n_latent": 1, "beta": 3.0}
    train(spec("vae", **steps))
    at = app(compare__runs=link(runs), compare__section="Sweeps", compare__sweep="Beta")
    assert "1 of 7 runs finished" in text(at)
    assert len(at.get("plotly_chart")) == 4
    at.button(key="compare.sweep_train").click().run()
    assert not at.exception
    at.button(key="compare.stop").click().run()
    assert not at.exception
