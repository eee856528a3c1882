"""Explore and Detect before training has ended: paused, interrupted, failed, with steps and without."""

import json
from pathlib import Path

import numpy as np
import pytest
from pages_driver import enter, open_page, press, rerun, said, wait_for_words
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.jobs import run_slice
from flowlab.records import RunSpec, Spec

ROOT = Path(__file__).parents[2]
VIEWS = ["Density", "Samples", "Latent", "Layers", "Coupling", "Receipt", "Bridge", "Margins", "Film", "Trust"]


def spec(seed: int) -> RunSpec:
    return RunSpec(Spec("moons", {"n_samples": 500}), Spec("affine", {"n_layers": 2, "n_steps": 300}), seed)


FAILED, FAILED_AT_ONCE, INTERRUPTED, PAUSED, STOPPED_AT_ONCE = (spec(seed) for seed in (1, 2, 3, 4, 5))


@pytest.fixture(scope="module", autouse=True)
def runs(own_server):
    """Runs that ended before their last step, as a server that died or failed leaves them, and a runner.

    It is there first: one that starts later would go on with what was interrupted.
    """
    own_server.runner()
    leave(FAILED, 100, "failed", "The worker was lost 3 times in a row; try fewer rows.")
    leave(FAILED_AT_ONCE, 0, "failed", "Training failed (ValueError: <b>no rows</b>); change a setting.")
    leave(INTERRUPTED, 150, "interrupted", "The server was restarted; press train to go on.")
    leave(PAUSED, 100, "paused")
    leave(STOPPED_AT_ONCE, 0, "stopped")


def leave(spec: RunSpec, step: int, status: str, error: str = "") -> None:
    """A run on disk that has taken `step` steps, fifty at a time."""
    from flowlab.dashboard.shell import services

    store, run_id, checkpoint = services.store(), catalog.run_id(spec), None
    store.create(run_id, spec)
    for _ in range(step // 50):
        checkpoint = further(spec, checkpoint)
    store.set_status(run_id, status, error)


def further(spec: RunSpec, checkpoint) -> dict:
    from flowlab.dashboard.shell import services

    brought = run_slice(spec, checkpoint, 50)
    services.store().append(catalog.run_id(spec), brought.events, brought.frame, brought.checkpoint)
    return brought.checkpoint


def labels(at: AppTest) -> list[str]:
    """The buttons below the headline."""
    return [button.label for button in at.button if button.label not in ("Share", "Save")]


def learned(at: AppTest) -> np.ndarray:
    """The numbers of the first picture."""
    return json.loads(at.get("plotly_chart")[0].proto.spec)["data"][0]["z"]["bdata"]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_an_interrupted_run_draws_its_last_checkpoint(view):
    at = open_page("explore", INTERRUPTED, view=view)
    assert not at.warning and "step 150 of 300, interrupted" in said(at)
    assert ("pictures are of **step 150**" in said(at)) == (view != "Film"), "the film has its own slider"
    assert labels(at)[:2] == ["Go on", "Stop"]


def test_a_failed_run_says_why_and_shows_what_it_had_learned():
    at = open_page("explore", FAILED)
    assert "worker was lost 3 times" in at.warning[0].value and "step 100 of 300, failed" in said(at)
    assert labels(at)[0] == "Train again" and "Stop" not in labels(at)
    assert "Change the settings" in [link.label for link in at.get("page_link")]
    assert learned(at) and "Probability inside the window" in said(at)
    open_page("explore", FAILED, view="Film")


def test_a_run_that_failed_before_its_first_step_says_why():
    at = open_page("explore", FAILED_AT_ONCE)
    assert at.warning[0].value.startswith("Training failed \\(ValueError: \\<b\\>".replace(": ", "\\: "))
    assert "Train again" in labels(at) and not at.get("plotly_chart")
    assert "density beside the truth" in said(at)


@pytest.mark.parametrize("page", ["explore", "detect", "train", "compare", "score"])
def test_a_run_stopped_before_its_first_step_can_go_on_from_every_page(page):
    at = open_page(page, STOPPED_AT_ONCE)
    assert "damaged" not in said(at) and not at.error
    if page in ("explore", "detect"):
        assert labels(at)[0] == "Go on training" and not at.get("plotly_chart")
    if page == "train":
        assert labels(at)[0] == "Go on"


def test_pictures_follow_the_training_unless_one_wants_them_still_and_go_over_to_the_final_model():
    from flowlab.dashboard.shell import services

    at = open_page("explore", PAUSED)
    first = learned(at)
    (follow,) = (toggle for toggle in at.toggle if toggle.label == "Follow")
    assert follow.value
    enter(at, follow, False)
    run = services.run(PAUSED)
    checkpoint = further(PAUSED, run.checkpoint)
    rerun(at)
    assert "step 150 of 300, paused · pictures are of **step 100**" in said(at) and learned(at) == first
    enter(at, next(toggle for toggle in at.toggle if toggle.label == "Follow"), True)
    wait_for_words(at, "pictures are of **step 150**")
    assert learned(at) != first
    further(PAUSED, checkpoint)
    enter(at, at.get("button_group")[0], "Samples")
    assert "pictures are of **step 200**" in said(at), "a view that is opened shows the newest"
    press(at, "trained.Go on")
    wait_for_words(at, "trained in")
    assert "pictures are of" not in said(at) and "Go on" not in labels(at)


def test_a_detector_still_training_can_be_looked_at():
    at = open_page("detect", INTERRUPTED)
    assert "pictures are of **step 150**" in said(at) and "threshold" in said(at).lower()
    assert at.dataframe[0].value["anomaly score"].notna().all()


def test_a_growing_film_sends_only_what_is_new():
    def sent() -> tuple[bytes, list[int], list[int]]:
        whole, change = (element.proto.bytes for element in at.get("bidi_component"))
        header = json.loads(change[4 : 4 + int.from_bytes(change[:4], "little")])
        offsets = {name: (shape, offset) for name, _, shape, offset in header["arrays"]}
        steps, listed = (
            np.frombuffer(change, np.uint32, shape[0], offset).tolist()
            for shape, offset in (offsets["steps"], offsets["listed"])
        )
        return whole, steps, listed

    at = rerun(AppTest.from_file(ROOT / "tests/browser/apps/growing_film_app.py"))
    whole, steps, listed = sent()
    assert steps == [] and listed == [10, 20, 30] and at.markdown[0].value == "30"
    for n, new in ((5, [40, 50]), (6, [40, 50, 60]), (6, [60]), (6, [])):
        at.session_state["n"] = n
        rerun(at)
        again, steps, listed = sent()
        assert again == whole, "what was there when it was opened is not sent again"
        assert steps == new and listed == [10 * (i + 1) for i in range(n)] and at.markdown[0].value == f"{10 * n}"
