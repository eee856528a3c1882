"""The Train page in the script runner: it starts alive, trains on real lanes, and says in words where it stands."""

import pytest
from pages_driver import FILES, open_page, press, rerun, said, wait_for_words, wait_until

from flowlab import catalog
from flowlab.dashboard.shell import state
from flowlab.dashboard.train.page import page_maker
from flowlab.records import RunSpec

SHORT = {"model.n_steps": "200", "data.n_samples": "2000"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store, and one runner, for the whole file."""


def test_the_first_screen_is_alive():
    at = open_page("train")
    assert "Half moons" in said(at) and "Spline flow" in said(at) and "not trained yet" in said(at)
    assert [b.label for b in at.button][:5] == ["Share", "Train", "One step", "Stop", "Start again"]


def test_train_to_the_end_and_the_link_shows_it_to_others(own_server, monkeypatch):
    at = open_page("train", SHORT)
    press(at, "train.Train")
    wait_for_words(at, "trained in")
    assert "above the truth" in said(at) and "step 200 of 200" in said(at)
    other = open_page("train", SHORT)
    assert "trained in" in said(other)
    assert [button.proto.label for button in at.get("download_button")] == ["Save as HTML"]
    run = own_server.run(catalog.tidy(RunSpec.from_query(SHORT, catalog.DEFAULT)[0])[0])
    saved = page_maker(run)().decode()
    assert saved.count('"component"') == 2 and "explore?" not in saved, "no half address where the site has none"
    monkeypatch.setattr(state, "site", lambda: "http://127.0.0.1:8501")
    saved = page_maker(run)().decode().replace("data=moons&amp;", "")
    assert "http://127.0.0.1:8501/explore?data.n_samples=2000" in saved


def test_one_step_pauses_and_stop_keeps_what_was_learned():
    at = open_page("train", {"model.n_steps": "5000", "seed": "4"})
    press(at, "train.One step")
    wait_for_words(at, "step 1 of")
    wait_for_words(at, "paused")
    press(at, "train.Go on")
    press(at, "train.Stop")
    wait_for_words(at, "stopped")


def test_a_link_with_nonsense_is_answered_in_words():
    at = open_page("train", {"data": "<b>moons</b>", "model.n_layers": "1e12", "seed": "x", "data.what": "1"})
    assert len(at.warning) >= 3
    assert "Half moons" in said(at)


@pytest.mark.parametrize(
    "data, model, is_said",
    [
        ("clump_1d", "maf", True),
        ("clump_1d", "notebook_maf", True),
        ("clump_1d", "kde", False),
        ("moons", "maf", False),
    ],
)
def test_row_94_with_one_column_the_page_says_that_there_is_one_order(data, model, is_said):
    at = open_page("train", {"data": data, "model": model})
    assert ("there is only one order" in said(at)) is is_said


@pytest.mark.slow
def test_every_data_set_and_model_of_the_catalog_can_be_shown():
    from flowlab import catalog

    for name in catalog.DATASETS:
        if catalog.DATASETS[name].group != catalog.UPLOADED:
            open_page("train", {"data": name})
    for name in catalog.MODELS:
        open_page("train", {"model": name})


@pytest.mark.parametrize("page", FILES)
def test_a_link_to_a_table_of_another_server_ends_in_a_sentence(page):
    at = open_page(page, {"data": "upload", "data.digest": "0123456789abcdef"})
    if page not in ("score", "learn"):
        assert any("upload the file again" in error.value for error in at.error)


def test_a_time_budget_becomes_steps_measured_here():
    from flowlab.dashboard.shell import services
    from flowlab.records import RunSpec, Spec

    spec = RunSpec(Spec("moons"), Spec("spline"))
    short, long = (services.runner().steps_within(spec, seconds) for seconds in (1, 30))
    assert short >= 50 and short % 50 == 0 and long > 5 * short


def test_somebody_elses_run_is_watched_and_copied_but_not_controlled():
    link = {"model.n_steps": "50000", "seed": "11"}
    teacher, student = open_page("train", link), open_page("train", link)
    press(teacher, "train.Train")
    wait_for_words(student, "somebody else's")
    offered = {b.label for b in student.button}
    assert "Make it mine" in offered and not {"Pause", "Stop", "Start again"} & offered
    assert "in training" in said(student)
    press(student, "Make it mine")
    wait_for_words(student, "your copy")
    press(student, "train.Stop")
    wait_for_words(student, "stopped")
    assert "Pause" in [b.label for b in rerun(teacher).button]
    press(teacher, "train.Stop")
    wait_for_words(teacher, "stopped")
    press(student, "Shared run")
    assert "your copy" not in said(rerun(student))


def test_a_finished_run_is_trained_longer_and_again():
    at = open_page("train", {**SHORT, "seed": "12"})
    press(at, "train.Train")
    wait_for_words(at, "trained in")
    press(at, "train.Start again")
    wait_for_words(at, "your copy")
    wait_until(lambda: "your copy" not in said(rerun(at)))
    press(at, "Train longer")
    assert "forked at step 200" in said(at)
    wait_for_words(at, "step 400 of 400")


def test_another_model_is_watched_beside_on_a_link():
    at = open_page("train", {**SHORT, "seed": "13", "train.beside": "affine"})
    assert {"train.Train", "beside.Train"} <= {b.key for b in at.button}
    assert open_page("train", {**SHORT, "train.beside": "nonsense"}).button


def test_the_first_visit_says_what_this_is_and_a_link_does_not():
    assert "first lesson" in said(open_page("train"))
    at = open_page("train", {"seed": "14"})
    assert "first lesson" not in said(at)


def test_what_training_takes_is_said_before_it_begins():
    at = open_page("train", {**SHORT, "seed": "13"})
    assert "Press Train" in said(at).replace("*", "")
    wait_for_words(at, "of a free core")
    press(at, "train.Train")
    assert "of a free core" not in said(at)
