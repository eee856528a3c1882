"""The Train page in the script runner: it starts alive, trains on real lanes, and says in words where it stands."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store, and one runner, for the whole file."""


def app(**query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for key, value in query.items():
        at.query_params[key.replace("__", ".")] = value
    at.run()
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    return " ".join(m.value for m in at.markdown)


def wait_until(at: AppTest, text: str, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while text not in words(at):
        assert time.monotonic() < deadline, f"no {text!r} in {words(at)!r}"
        time.sleep(0.2)
        at.run()
        assert not at.exception
    return words(at)


def test_the_first_screen_is_alive():
    at = app()
    assert "Half moons" in words(at) and "Spline flow" in words(at) and "not trained yet" in words(at)
    assert [b.label for b in at.button][:4] == ["Train", "One step", "Stop", "Start again"]


def test_train_to_the_end_and_the_link_shows_it_to_others():
    at = app(model__n_steps="200", data__n_samples="2000")
    at.button(key="train.main").click().run()
    wait_until(at, "trained in")
    assert "above the truth" in words(at) and "step 200 of 200" in words(at)
    other = app(model__n_steps="200", data__n_samples="2000")
    assert "trained in" in words(other)


def test_one_step_pauses_and_stop_keeps_what_was_learned():
    at = app(model__n_steps="5000", seed="4")
    at.button(key="train.step").click().run()
    wait_until(at, "step 1 of")
    wait_until(at, "paused")
    at.button(key="train.main").click().run()
    at.button(key="train.stop").click().run()
    wait_until(at, "stopped")


def test_a_link_with_nonsense_is_answered_in_words():
    at = app(data="<b>moons</b>", model__n_layers="1e12", seed="x", data__what="1")
    assert len(at.warning) >= 3
    assert "Half moons" in words(at)


def test_every_data_set_and_model_of_the_catalog_can_be_shown():
    from flowlab import catalog

    for name in catalog.DATASETS:
        if catalog.DATASETS[name].group != catalog.UPLOADED:
            app(data=name)
    for name in catalog.MODELS:
        app(model=name)


@pytest.mark.parametrize("page", ["1_data", "2_train", "3_explore", "4_compare", "5_detect", "6_score", "7_learn"])
def test_a_link_to_a_table_of_another_server_ends_in_a_sentence(page):
    at = app(data="upload", data__digest="0123456789abcdef")
    at.switch_page(f"pages/{page}.py").run()
    assert not at.exception
    if page not in ("6_score", "7_learn"):
        assert any("upload the file again" in error.value for error in at.error)


def test_a_time_budget_becomes_steps_measured_here():
    from flowlab.records import RunSpec, Spec
    from pages.ui import engine

    spec = RunSpec(Spec("moons"), Spec("spline"))
    short, long = (engine.runner().steps_within(spec, seconds) for seconds in (1, 30))
    assert short >= 50 and short % 50 == 0 and long > 5 * short
