"""The trust badge on the Explore page: break the flow with a button, see what tells, go back to the sound model."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from flowlab.catalog.faults import FAULTS
from flowlab.records import RunSpec, Spec

ROOT = Path(__file__).parents[2]
PARAMS = {"n_layers": 4, "n_steps": 150}
SOUND = RunSpec(Spec("moons", {"n_samples": 2000}), Spec("spline", PARAMS), seed=3)


@pytest.fixture(scope="module", autouse=True)
def engine(own_server):
    """A store with one short finished run, and one runner, for the whole file."""
    engine = own_server
    runner = engine.runner()
    runner.submit(SOUND, "somebody")
    wait(engine, SOUND)
    yield engine


def wait(engine, spec, *states):
    deadline = time.monotonic() + 120
    while (status := engine.status(spec)) is None or status.state not in (states or ("done",)):
        assert time.monotonic() < deadline and (status is None or status.state != "failed"), status
        time.sleep(0.05)


def open_page(page: str, spec: RunSpec, **view: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=90)
    for key, value in (spec.to_query() | {f"{page}.{name}": value for name, value in view.items()}).items():
        at.query_params[key] = value
    at.switch_page({"explore": "pages/3_explore.py", "train": "pages/2_train.py"}[page])
    at.run()
    assert not at.exception, at.exception
    return at


def text(at: AppTest) -> str:
    return " ".join(element.value for elements in (at.markdown, at.caption, at.warning) for element in elements)


def press(at: AppTest, key: str) -> AppTest:
    at.button(key=key).click().run()
    assert not at.exception, at.exception
    return at


@pytest.mark.parametrize(
    "name, broken, finding",
    [
        ("log-determinant", Spec("spline", {**PARAMS, "fault": "no log-determinant"}), "leave out or misstate"),
        ("mask", Spec("spline", {**PARAMS, "fault": "no mask"}), "no invertible map"),
        ("fixed mask", Spec("spline", {**PARAMS, "mask": "=01"}), "pass every layer unchanged"),
    ],
)
def test_a_fault_is_trained_told_and_mended(engine, name, broken, finding):
    at = open_page("explore", SOUND, view="Trust")
    assert "Broken on purpose" not in text(at)
    press(at, f"faults.{name}")
    spec = RunSpec(SOUND.data, broken, SOUND.seed)
    wait(engine, spec)
    at.run()
    said = text(at)
    assert f"Broken on purpose: {FAULTS[name].words}." in said and finding in said
    headline = next(element.value for element in at.markdown if element.value.startswith("####"))
    assert "broken on purpose" in headline
    assert at.button(key=f"faults.{name}").disabled
    press(at, "faults.back")
    assert "Broken on purpose" not in text(at)
    assert at.query_params["model"] in ("spline", ["spline"]) and "model.fault" not in at.query_params


def test_splines_are_given_the_scale_of_nflows_as_an_affine_flow_and_come_back_as_splines(engine):
    at = press(open_page("explore", SOUND, view="Trust"), "faults.sigmoid")
    spec = RunSpec(SOUND.data, Spec("affine", {"scale_map": "sigmoid"}), SOUND.seed)
    assert engine.status(spec) is not None
    assert at.query_params["model"] in ("affine", ["affine"])
    engine.runner().stop(engine.run_id(spec))
    wait(engine, spec, "done", "stopped")
    at.run()
    press(at, "faults.back")
    assert at.query_params["model"] in ("spline", ["spline"])


def test_the_train_page_says_that_the_loss_of_a_broken_flow_is_none(engine):
    spec = RunSpec(SOUND.data, Spec("spline", {**PARAMS, "fault": "no mask"}), SOUND.seed)
    engine.runner().submit(spec, "somebody")
    wait(engine, spec)
    at = open_page("train", spec)
    said = text(at)
    assert "Broken on purpose: no masks." in said and FAULTS["mask"].what[:40] in said
    assert " left" not in said and "above the truth" not in said and "Is a negative loss an error" not in said
