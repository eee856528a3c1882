"""Rows left out and trained again: the page says what goes, keeps the old version and compares both on all rows."""

import numpy as np
import pandas as pd
import pytest
from pages_driver import enter, in_link, labelled, open_page, press, rerun, said, train, wait_for_run

from flowlab import formatting
from flowlab.records import RunSpec, Spec


@pytest.fixture(scope="module")
def whole(own_server):
    """A finished run on a table of 300 rows in which 10 February is broken."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"time": pd.date_range("2024-02-08", periods=300, freq="30min"), "load": rng.normal(5, 1, 300)}
    )
    frame["temp"] = frame["load"] + rng.normal(0, 0.1, 300) + 9.0 * (frame["time"].dt.day == 10)
    spec = RunSpec(
        Spec("upload", {"digest": own_server.store().put_table(frame), "name": "plant.csv"}), Spec("gaussian")
    )
    train(spec)
    return spec


def test_a_period_is_left_out_and_both_versions_are_compared_on_all_rows(whole, own_server):
    at = open_page("detect", whole, tab="Versions")
    assert "Another version on this table will be compared here" in said(at)
    typed = "Rows or a period to leave out"
    enter(at, labelled(at.text_input, typed), "2024-03-01")
    assert "No row lies in '2024-03-01'" in said(at)
    enter(at, labelled(at.text_input, typed), "2024-02-10, 3")
    assert "Names 49 rows of 300 (49 train, 0 validation, 0 test)" in said(at).replace("\u2009", " ")
    press(at, "Train again without them")
    new = at.session_state.spec
    assert new.data.params["left_out"] == "2024-02-10, 3" and in_link(at, "detect.version") == own_server.run_id(whole)
    wait_for_run(new)
    at = open_page("detect", new, tab="Versions", version=own_server.run_id(whole), rule="quantile")
    text = said(at)
    assert "Left out of training and of the choice of the threshold: 49 of 300 rows (2024-02-10, 3)." in text
    assert "Of 300 rows the old version flags" in text and "| rows trained on | 150 | 101 |" in text
    places = at.dataframe[-1].value
    broken = places[places["part"] == "left out"]
    assert len(broken) and (broken["new place"] <= 60).mean() > 0.9, "rows the new version never saw stand out in it"
    press(at, "Show the old version")
    assert at.session_state.spec == whole


def test_the_other_case_is_trained_and_compared_on_the_same_rows(whole, own_server):
    unsaid = RunSpec(whole.data, Spec("detector", {"n_flows": 1, "n_steps": 50}))
    train(unsaid)
    at = open_page("detect", unsaid, tab="Versions", rule="quantile")
    assert "there are no labels, and nobody said that all are normal" in said(at)
    press(at, "Train as on rows known to be normal")
    new = at.session_state.spec
    assert new.data.params["train_on"] == "known"
    wait_for_run(new)
    text = said(open_page("detect", new, tab="Versions", version=own_server.run_id(unsaid), rule="quantile"))
    assert "there are no labels, but somebody said so" in text and "Of 300 rows the old version flags" in text


def test_the_owner_names_a_run_and_a_guest_reads_the_name(whole, own_server):
    run_id = own_server.run_id(whole)
    at = open_page("data", whole)
    assert not at.text_area, "a guest has nothing to change"
    at.session_state.visitor = "visitor0"  # who trained it
    rerun(at)
    for box, text in (("Name of this run", "plant *2024* <b>"), ("Tags, separated by commas", "june, final")):
        labelled(at.text_input, box).set_value(text)
    labelled(at.text_area, "Note").set_value("with 10 February")
    press(at, "Save")
    label = own_server.store().load(run_id).label
    assert (label.name, label.note, label.tags) == ("plant *2024* <b>", "with 10 February", ("june", "final"))
    named = formatting.escaped(label.name)
    assert named in rerun(at).markdown[0].value and "*2024*" not in named, "a name is no markup"
    assert any(button.label.startswith(named) and button.label.endswith("june, final") for button in at.button)
    guest = open_page("compare", whole, runs=run_id)
    assert not guest.text_area
    table = guest.dataframe[0].value
    assert table["model"].str.startswith(label.name).any() and "june, final" in table["tags"].tolist()
    assert "with 10 February" in said(open_page("data", whole))


def test_a_new_file_sets_the_threshold_anew_or_trains_a_version_that_is_compared_on_its_rows(
    whole, own_server, monkeypatch
):
    monkeypatch.setattr("flowlab.dashboard.score.files.LANES", 0)
    rng = np.random.default_rng(1)
    april = pd.DataFrame({"time": pd.date_range("2024-04-01", periods=240, freq="h"), "load": rng.normal(6, 1, 240)})
    april["temp"] = april["load"] + rng.normal(0, 0.2, 240)
    at = open_page("score", whole)
    enter(at, at.file_uploader(key="score.file"), ("april.csv", april.to_csv(index=False).encode(), "text/csv"))
    press(press(at, "Score this file"), "Set the threshold anew on these rows")
    assert "The threshold was" in said(at) and "Of 240 rows the old threshold flags" in said(at)
    press(at, "Train again on this file")
    new = at.session_state.spec
    assert new.data.params["name"] == "april.csv" and new.data.params["digest"] != whole.data.params["digest"]
    assert in_link(at, "detect.version") == own_server.run_id(whole) and own_server.store().table_owner(
        new.data.params["digest"]
    )
    wait_for_run(new)
    text = said(open_page("detect", new, tab="Versions", version=own_server.run_id(whole), rule="quantile"))
    assert "Of 240 rows the old version flags" in text and "| old | new, shown here |" in text
