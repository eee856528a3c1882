"""The Detect page: a threshold by rule, number or slider, kept in the link; flagged rows, reasons, a table to keep."""

import numpy as np
import pytest
from pages_driver import enter, in_link, labelled, open_page, said, train
from streamlit.testing.v1 import AppTest

from flowlab.formatting import plain

LABELLED = {"data": "moons", "data.n_samples": "2000", "data.anomaly_share": "0.05", "model": "gaussian"}
UNLABELLED = {"data": "moons", "data.n_samples": "2000", "model": "gaussian"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store and one runner for the whole file, and one finished run with labels, one without."""
    train(LABELLED, UNLABELLED)


def flagged(at: AppTest) -> list[int]:
    """Numbers of the rows in the table of flagged rows."""
    return at.dataframe[0].value["row"].tolist()


def test_labels_choose_a_threshold_on_validation_and_report_on_test():
    at = open_page("detect", LABELLED)
    text = said(at)
    assert "Highest F1 on 300 rows" in text or "Highest F1 on 200 rows" in text
    assert "In 95 % of resamples of these rows it lies between" in text.replace("\\", "")
    assert "Chosen on validation rows, reported on test rows" in text
    scores = at.dataframe[0].value["anomaly score"]
    assert scores.min() >= labelled(at.number_input, "Threshold").value and (scores.diff().dropna() <= 0).all()


def test_without_labels_the_page_gives_a_promise_and_no_quality_it_cannot_know():
    at = open_page("detect", UNLABELLED)
    text = said(at)
    assert "At most 1 % of normal rows are flagged" in text
    options = labelled(at.selectbox, "Rule").options
    assert "Best F-beta" not in options and "Review budget" in options
    assert "labelled" not in at.dataframe[0].value


def test_a_number_typed_is_the_threshold_and_stands_in_the_link():
    at = open_page("detect", LABELLED)
    enter(at, labelled(at.number_input, "Threshold"), 5.0)
    assert in_link(at, "detect.rule") == "manual" and in_link(at, "detect.threshold") == "5.0"
    same = open_page("detect", LABELLED, rule="manual", threshold="5.0")
    assert flagged(same) == flagged(at)
    assert all(score >= 5 for score in same.dataframe[0].value["anomaly score"])


def test_a_stop_with_the_same_text_as_the_threshold_does_not_take_its_place():
    at = open_page("detect", LABELLED, rule="conformal")
    texts = at.select_slider[0].options
    assert len(set(texts)) == len(texts) > 200
    before = labelled(at.number_input, "Threshold").value
    enter(at, labelled(at.toggle, "Log counts"), False)
    assert in_link(at, "detect.rule") == "conformal" and labelled(at.number_input, "Threshold").value == before


@pytest.mark.parametrize("rule", ["f_beta", "mad", "conformal"])
def test_set_by_hand_keeps_the_threshold_that_stands(rule):
    at = open_page("detect", LABELLED, rule=rule)
    before = labelled(at.number_input, "Threshold").value
    enter(at, labelled(at.selectbox, "Rule"), "manual")
    assert labelled(at.number_input, "Threshold").value == before
    assert in_link(at, "detect.rule") == "manual" and float(in_link(at, "detect.threshold")) == before
    enter(at, labelled(at.selectbox, "Rule"), "iqr")
    moved = labelled(at.number_input, "Threshold").value
    enter(at, labelled(at.selectbox, "Rule"), "manual")
    assert labelled(at.number_input, "Threshold").value == moved != before


def test_the_headline_of_a_detector_gives_no_loss_of_a_flow():
    query = {**UNLABELLED, "model": "detector", "model.n_steps": "20", "model.n_flows": "1"}
    train(query)
    at = open_page("detect", query)
    assert "trained in" in at.markdown[0].value and "likelihood" not in at.markdown[0].value


def test_the_slider_moves_the_threshold_by_hand():
    at = open_page("detect", UNLABELLED)
    before = len(flagged(at))
    slider = at.select_slider[0]
    enter(at, slider, slider.value - 40)
    assert in_link(at, "detect.rule") == "manual"
    assert len(flagged(at)) > before


def test_rules_and_their_parameters_come_from_the_link():
    at = open_page("detect", LABELLED, rule="cost", cost_c_missed="20", cost_tolerance="3")
    labels = {n.label: n.value for n in at.number_input}
    assert labels["Price of a missed row"] == 20 and labels["Tolerance"] == 3
    assert "missed at 20" in said(at)


def test_a_refusal_is_said_and_something_sensible_is_shown():
    at = open_page("detect", UNLABELLED, rule="conformal", conformal_rate="0.001")
    assert any("needs at least 999 normal rows" in w.value.replace("\\", "") for w in at.warning)
    assert 0 < len(flagged(at)) < 100


def test_nonsense_in_the_link_is_harmless():
    at = open_page(
        "detect", LABELLED, rule="<b>", threshold="1e999", row="-7", tab="x", unit="years", cost_c_alarm="nan"
    )
    assert len(flagged(at)) > 0


@pytest.mark.parametrize("tab", ["Curves", "ROC and precision-recall", "Rules", "Audit without labels"])
@pytest.mark.parametrize("query", [LABELLED, UNLABELLED], ids=["labels", "no labels"])
def test_every_tab_opens(query, tab):
    at = open_page("detect", query, tab=tab)
    assert not at.error


def test_precision_and_lift_at_k_are_drawn_for_rows_with_labels():
    drawn = open_page("detect", LABELLED, tab="ROC and precision-recall").get("plotly_chart")
    titles = "".join(chart.proto.spec for chart in drawn)
    assert "precision at k" in titles and "lift at k" in titles


def test_reasons_and_repair_of_the_chosen_row():
    at = open_page("detect", LABELLED)
    row = flagged(at)[2]
    at = open_page("detect", LABELLED, row=row, repair="true")
    text = said(at)
    assert f"Row {row}" in text.replace("\u2009", "")
    assert "what" in text and "the score falls from" in text


def test_reasons_of_an_uploaded_table_speak_of_its_columns_and_values():
    import pandas as pd

    from flowlab.dashboard.shell import services

    rng = np.random.default_rng(0)
    hot = rng.random(400) < 0.5
    frame = pd.DataFrame({"machine": np.where(hot, "lathe", rng.choice(["mill", "saw"], 400))})
    frame["temperature"] = np.where(hot, 65, 30) + rng.integers(-30, 30, 400) / 10
    frame.loc[7, ["machine", "temperature"]] = ["saw", 65.5]
    query = {"data": "upload", "data.digest": services.store().put_table(frame), "model": "gaussian"}
    train(query)
    at = open_page("detect", query, row=7, repair="true", rule="manual", threshold="5")
    text = said(at)
    assert "machine saw is unusual for temperature 65.5: lathe (24 of 24 similar rows)" in text
    assert "Set machine from saw to lathe" in text or "Set temperature from 65.5 to " in text
    reasons = next(d.value for d in at.dataframe if list(d.value) == ["column", "value", "usual"])
    assert set(reasons["column"]) == {"machine", "temperature"} and set(reasons["value"]) == {"saw", "65.5"}


def test_under_a_context_every_score_of_the_page_is_calibrated_within_its_level():
    import pandas as pd

    from flowlab import catalog
    from flowlab.dashboard.shell import services
    from flowlab.detection.scored_table import ScoredTable
    from flowlab.records import Spec

    rng = np.random.default_rng(0)
    machine = np.repeat(["mill", "saw", "press"], [1000, 960, 40])
    spread = np.where(machine == "saw", 2.0, 1.0)[:, None]
    frame = pd.DataFrame(rng.normal(size=(2000, 2)) * spread, columns=["pressure", "speed"]).assign(machine=machine)
    data = {"digest": services.store().put_table(frame), "roles": "context=3"}
    query = {"data": "upload", **{f"data.{name}": value for name, value in data.items()}}
    query |= {"model": "affine", "model.n_steps": "60"}
    train(query)
    dataset = catalog.make_dataset(Spec("upload", data), 0, load_table=lambda digest: frame)
    model = catalog.make_model(Spec("affine", {"n_steps": 60}), 0, dataset).fit(dataset.part("train"))
    row = int(np.argmax(ScoredTable.of(dataset, model.anomaly_score(dataset.X)).scores))
    at = open_page("detect", query, row=row, repair="true")
    text = said(at).replace("\\", "")
    assert "Levels of machine with fewer than 100 training rows" in text and "press (" in text
    scores = at.dataframe[0].value["anomaly score"]
    assert scores.between(0, 30).all()
    told = plain(float(scores[at.dataframe[0].value["row"] == row].iloc[0]))
    assert f"score {told} · flagged" in text and f"the score falls from {told}" in text
    assert "within the level of machine (nats)" in str(at.get("plotly_chart")[0].proto.spec)


def test_an_untrained_model_is_offered_with_one_button():
    at = open_page("detect", {**UNLABELLED, "seed": "77"})
    assert any(b.label == "Train this model" for b in at.button)


@pytest.fixture(scope="module")
def uploaded():
    """A run on a table of two machines in which two kinds of anomaly were planted, and the table."""
    import pandas as pd

    from flowlab.dashboard.shell import services

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 3)).round(3), columns=["pressure", "flow", "load"])
    frame["machine"] = rng.choice(["mill", "saw"], 600)
    frame.loc[:11, "pressure"] += 9
    frame.loc[12:17, "load"] -= 9
    query = {"data": "upload", "data.digest": services.store().put_table(frame), "model": "gaussian"}
    train(query)
    return query, frame


def test_kinds_group_the_flagged_rows_and_show_only_one(uploaded):
    query, _ = uploaded
    at = open_page("detect", query, rule="manual", threshold="12", kinds="true")
    everything, shown = flagged(at), labelled(at.selectbox, "Show only")
    high, low = (next(kind for kind in shown.options if name in kind) for name in ("pressure high", "load low"))
    assert f" rows: {high}. Typical is row" in said(at) and f" rows: {low}. Typical is row" in said(at)
    enter(at, shown, low)
    assert set(flagged(at)) <= set(range(12, 18)) and 4 <= len(flagged(at)) < len(everything)
    assert at.dataframe[0].value["reason"].str.contains("load").all()


def test_each_group_is_flagged_by_its_own_threshold_and_stands_in_a_table(uploaded):
    query, frame = uploaded
    at = open_page("detect", query, rule="conformal", conformal_rate="0.05")
    pooled = set(flagged(at))
    assert labelled(at.selectbox, "Promise for each").options == ["(all rows as one)", "machine"]
    enter(at, labelled(at.selectbox, "Promise for each"), "machine")
    assert in_link(at, "detect.group") == "machine"
    assert "2 of 2 groups of machine have a threshold of their own" in said(at)
    rows = at.dataframe[0].value
    table = open_page("detect", query, rule="conformal", conformal_rate="0.05", group="machine", tab="Groups")
    groups = table.dataframe[0].value
    own = dict(zip(groups["group"], groups["threshold"]))
    assert len(set(own.values())) == 2 and set(groups["threshold of"]) == {"the group"}
    assert (rows["anomaly score"] >= frame["machine"].iloc[rows["row"]].map(own).to_numpy()).all()
    assert set(rows["row"]) != pooled
    assert "Scores are counted from the threshold of each row's group of machine" in said(at)
    enter(at, labelled(at.selectbox, "Show rows of"), "mill")
    assert "Rows of machine mill alone: the threshold is its own" in said(at)
    by_hand = enter(at, labelled(at.selectbox, "Rule"), "manual")
    assert not [s for s in by_hand.selectbox if s.label == "Promise for each"]


def test_what_if_judges_the_edited_row(uploaded, monkeypatch):
    from flowlab.dashboard.detect import what_if

    query, frame = uploaded
    settings = {"rule": "manual", "threshold": "12", "row": 3, "what_if": "true"}
    text = said(open_page("detect", query, **settings)).replace("\\", "")
    assert "As it is, the score is" in text and "): **flagged**" in text
    edited = frame[["pressure", "flow", "load", "machine"]].iloc[[3]].assign(pressure=0.0, machine="lathe")
    monkeypatch.setattr(what_if.st, "data_editor", lambda *_, **__: edited)
    text = said(open_page("detect", query, **settings)).replace("\\", "")
    assert "With 2 cells edited" in text and "): **not flagged**" in text and "machine lathe is new" in text


def test_reasons_are_computed_once_and_files_have_them(uploaded, monkeypatch):
    import io

    import pandas as pd

    from flowlab.dashboard.detect import page, reasons
    from flowlab.dashboard.shell import services
    from flowlab.detection.rules import manual
    from flowlab.serving.bundle import make_detector, to_bytes
    from flowlab.serving.scored_rows import to_csv
    from flowlab.serving.scoring import score_file

    at = open_page("detect", uploaded[0], rule="manual", threshold="12")
    spec = services.store().list()[0].spec
    trained = services.Trained(services.run(spec))
    scored = page.scored_table(trained)
    rows = scored.flagged(manual(12.0))
    assert sorted(flagged(at)) == sorted(rows.tolist())
    first = reasons.asker(trained, rows)()
    monkeypatch.setattr(services.runner(), "call", None)
    assert reasons.asker(trained, rows[:3])() == {row: first[row] for row in rows[:3].tolist()}
    page_file = pd.read_csv(io.BytesIO(to_csv(scored, manual(12.0), first)))
    detector = make_detector(spec.model, spec.seed, trained.weights, scored, manual(12.0))
    scored_file = io.BytesIO()
    score_file(to_bytes(detector), io.BytesIO(uploaded[1].to_csv(index=False).encode()), scored_file)
    there = pd.read_csv(io.BytesIO(scored_file.getvalue()))
    added = [name for name in page_file if name.startswith("reason")] + ["flagged"]
    pd.testing.assert_frame_equal(there[added], page_file[added])
    assert there.loc[there["flagged"] == 1, "reason_1"].notna().all()
    assert there.loc[there["flagged"] == 1, "reason_1_column"].notna().mean() > 0.8
    assert there.loc[there["flagged"] == 0, "reason_1"].isna().all()


def test_answers_stay_with_the_run_and_stand_beside_the_row(uploaded, monkeypatch):
    import json

    from flowlab.dashboard.detect import audit
    from flowlab.dashboard.shell import services

    query, _ = uploaded
    settings = {"rule": "manual", "threshold": "12"}

    def answer(frame, **_):
        edited = frame.copy()
        edited.loc[[0, len(edited) - 1], "anomaly?"] = ["yes", "no"]
        edited.iloc[0, 1] = "valve stuck"
        return edited

    with monkeypatch.context() as patch:
        patch.setattr(audit.st, "data_editor", answer)
        at = open_page("detect", query, tab="Audit without labels", **settings)
    assert "From 2 answers." in said(at)
    run = next(run for run in services.store().list() if run.extra("answers"))
    kept = json.loads((run.path / "answers.json").read_text())["answers"]
    row = next(entry[0] for entry in kept if entry[1] == "yes")
    table = open_page("detect", query, **settings).dataframe[0].value.set_index("row")
    assert table.loc[row, "answer"] == "yes: valve stuck"
    later = open_page("detect", query, tab="Audit without labels", rule="manual", threshold="11")
    assert "From 2 answers." in said(later), "in a new session, at another threshold"


@pytest.mark.parametrize("names", [("fraud", "label"), ("label", "kind")])
def test_who_answers_does_not_see_the_label_whatever_its_name(names):
    """The second column is a feature, also where it has the name that a label often has."""
    import pandas as pd

    from flowlab.dashboard.shell import services

    label, other = names
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"load": rng.normal(size=200), other: rng.normal(size=200), label: 0})
    frame.loc[:5, ["load", label]] = 8.0, 1
    query = {"data": "upload", "data.digest": services.store().put_table(frame), "model": "gaussian"}
    query["data.label"] = label
    train(query)
    at = open_page("detect", query, tab="Audit without labels", rule="manual", threshold="8", learn="true")
    asked = [d.value for d in at.dataframe if "anomaly?" in d.value]
    assert asked and all(label not in table and other in table for table in asked)


def test_what_was_learned_from_answers_stands_beside_the_detectors_own_order(uploaded):
    import json

    from flowlab.dashboard.shell import services

    query, _ = uploaded
    settings = {"rule": "manual", "threshold": "12", "tab": "Audit without labels", "learn": "true"}
    before = flagged(open_page("detect", query, rule="manual", threshold="12"))
    # pressure too high is an anomaly, load too low is none
    given = [[row, "yes", ""] for row in range(6)] + [[row, "no", ""] for row in range(12, 18)]
    run = next(run for run in services.store().list() if run.spec.data.params.get("digest") == query["data.digest"])
    services.store().put_json(run.run_id, "answers", {"answers": given, "began": {}, "more": {}})
    at = open_page("detect", query, **settings)
    assert "Learned from 6 yes and 6 no. Among the 12 answered rows" in said(at)
    table = next(d.value for d in at.dataframe if "place before" in d.value)
    assert table["place"].tolist() == list(range(1, len(before) + 1))
    assert set(table["row"][:12]) == set(range(12)), "the six rows like those called anomalies are among the first"
    assert [before.index(row) + 1 for row in table["row"][:12]] == table["place before"][:12].tolist()
    at.button[[b.label for b in at.button].index("Ask the most telling row")].click().run()
    assert not at.exception
    chosen = json.loads((run.path / "answers.json").read_text())["chosen"]
    assert len(chosen) == 1 and chosen[0] not in {row for row, *_ in given}
