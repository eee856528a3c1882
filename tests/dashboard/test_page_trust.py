"""The trust badge on the Explore page: break the flow with a button, see what tells, go back to the sound model."""

import pytest
from pages_driver import in_link, open_page, press, rerun, said, train, wait_for_run

from flowlab.catalog.faults import FAULTS
from flowlab.records import RunSpec, Spec

PARAMS = {"n_layers": 4, "n_steps": 150}
SOUND = RunSpec(Spec("moons", {"n_samples": 2000}), Spec("spline", PARAMS), seed=3)


@pytest.fixture(scope="module", autouse=True)
def engine(own_server):
    """A store with one short finished run, and one runner, for the whole file."""
    train(SOUND)
    return own_server


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
    assert "Broken on purpose" not in said(at)
    press(at, f"faults.{name}")
    spec = RunSpec(SOUND.data, broken, SOUND.seed)
    wait_for_run(spec)
    rerun(at)
    words = said(at)
    assert f"Broken on purpose: {FAULTS[name].words}." in words and finding in words
    headline = next(element.value for element in at.markdown if element.value.startswith("####"))
    assert "broken on purpose" in headline
    assert at.button(key=f"faults.{name}").disabled
    press(at, "faults.back")
    assert "Broken on purpose" not in said(at)
    assert in_link(at, "model") == "spline" and in_link(at, "model.fault") is None


def test_splines_are_given_the_scale_of_nflows_as_an_affine_flow_and_come_back_as_splines(engine):
    at = press(open_page("explore", SOUND, view="Trust"), "faults.sigmoid")
    spec = RunSpec(SOUND.data, Spec("affine", {"scale_map": "sigmoid"}), SOUND.seed)
    assert engine.status(spec) is not None
    assert in_link(at, "model") == "affine"
    engine.runner().stop(engine.run_id(spec))
    wait_for_run(spec, "done", "stopped")
    rerun(at)
    press(at, "faults.back")
    assert in_link(at, "model") == "spline"


def test_the_train_page_says_that_the_loss_of_a_broken_flow_is_none(engine):
    spec = RunSpec(SOUND.data, Spec("spline", {**PARAMS, "fault": "no mask"}), SOUND.seed)
    train(spec)
    at = open_page("train", spec)
    words = said(at)
    assert "Broken on purpose: no masks." in words and FAULTS["mask"].what[:40] in words
    assert " left" not in words and "above the truth" not in words and "Is a negative loss an error" not in words
