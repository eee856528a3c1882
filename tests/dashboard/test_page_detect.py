"""The Detect page: a threshold by rule, number or slider, kept in the link; flagged rows, reasons, a table to keep."""

from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
LABELLED = {"data": "moons", "data.n_samples": "2000", "data.anomaly_share": "0.05", "model": "gaussian"}
UNLABELLED = {"data": "moons", "data.n_samples": "2000", "model": "gaussian"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store and one runner for the whole file, and one finished run with labels, one without."""
    for query in (LABELLED, UNLABELLED):
        train(query)


def train(query):
    import time

    from flowlab import catalog
    from flowlab.records import RunSpec
    from pages.ui import engine

    spec, _ = catalog.tidy(RunSpec.from_query(query, catalog.DEFAULT)[0])
    run_id = engine.runner().submit(spec, "somebody")
    deadline = time.monotonic() + 60
    while not ((run := engine.store().load(run_id)) and run.is_usable):
        assert time.monotonic() < deadline and (run is None or run.status != "failed"), run
        time.sleep(0.1)


def app(query, **view) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for key, value in {**query, **{f"detect.{k}": str(v) for k, v in view.items()}}.items():
        at.query_params[key] = value
    at.switch_page("pages/5_detect.py")
    at.run()
    assert not at.exception, at.exception
    return at


def words(at: AppTest) -> str:
    return " ".join(m.value for m in [*at.markdown, *at.caption, *at.warning])


def flagged(at: AppTest) -> list[int]:
    """Numbers of the rows in the table of flagged rows."""
    return at.dataframe[0].value["row"].tolist()


def test_labels_choose_a_threshold_on_validation_and_report_on_test():
    at = app(LABELLED)
    text = words(at)
    assert "Highest F1 on 300 rows" in text or "Highest F1 on 200 rows" in text
    assert "Other rows of the same kind would have put it between" in text
    assert "Chosen on validation rows, reported on test rows" in text
    scores = at.dataframe[0].value["anomaly score"]
    assert scores.min() >= at.number_input(key=number_key(at)).value and (scores.diff().dropna() <= 0).all()


def link(at: AppTest, name: str) -> str:
    """What the address bar says of a view setting."""
    value = at.query_params[f"detect.{name}"]
    return value[0] if isinstance(value, list) else value


def number_key(at: AppTest) -> str:
    return next(n.key for n in at.number_input if n.label == "Threshold")


def test_without_labels_the_page_gives_a_promise_and_no_quality_it_cannot_know():
    at = app(UNLABELLED)
    text = words(at)
    assert "At most 1 % of normal rows are flagged" in text.replace("\\", "")
    options = next(s for s in at.selectbox if s.label == "Rule").options
    assert "Best F-beta" not in options and "Review budget" in options
    assert "labelled" not in at.dataframe[0].value


def test_a_number_typed_is_the_threshold_and_stands_in_the_link():
    at = app(LABELLED)
    at.number_input(key=number_key(at)).set_value(5.0).run()
    assert not at.exception
    assert link(at, "rule") == "manual" and link(at, "threshold") == "5.0"
    same = app(LABELLED, rule="manual", threshold="5.0")
    assert flagged(same) == flagged(at)
    assert all(score >= 5 for score in same.dataframe[0].value["anomaly score"])


def test_the_slider_moves_the_threshold_by_hand():
    at = app(UNLABELLED)
    before = len(flagged(at))
    slider = at.select_slider[0]
    slider.set_value(slider.value - 40).run()
    assert not at.exception
    assert link(at, "rule") == "manual"
    assert len(flagged(at)) > before


def test_rules_and_their_parameters_come_from_the_link():
    at = app(LABELLED, rule="cost", cost_c_missed="20", cost_tolerance="3")
    labels = {n.label: n.value for n in at.number_input}
    assert labels["Price of a missed row"] == 20 and labels["Tolerance"] == 3
    assert "missed at 20" in words(at)


def test_a_refusal_is_said_and_something_sensible_is_shown():
    at = app(UNLABELLED, rule="conformal", conformal_rate="0.001")
    assert any("needs at least 999 normal rows" in w.value.replace("\\", "") for w in at.warning)
    assert 0 < len(flagged(at)) < 100


def test_nonsense_in_the_link_is_harmless():
    at = app(LABELLED, rule="<b>", threshold="1e999", row="-7", tab="x", unit="years", cost_c_alarm="nan")
    assert len(flagged(at)) > 0


@pytest.mark.parametrize("tab", ["Curves", "ROC and precision-recall", "Rules", "Audit without labels"])
@pytest.mark.parametrize("query", [LABELLED, UNLABELLED], ids=["labels", "no labels"])
def test_every_tab_opens(query, tab):
    at = app(query, tab=tab)
    assert not at.exception and not at.error


def test_reasons_and_repair_of_the_chosen_row():
    at = app(LABELLED)
    row = flagged(at)[2]
    at = app(LABELLED, row=row, repair="true")
    text = words(at).replace("\\", "")
    assert f"Row {row}" in text.replace("\u2009", "")
    assert "what" in text and "the score falls from" in text


def test_reasons_of_an_uploaded_table_speak_of_its_columns_and_values():
    import pandas as pd

    from pages.ui import engine

    rng = np.random.default_rng(0)
    hot = rng.random(400) < 0.5
    frame = pd.DataFrame({"machine": np.where(hot, "lathe", rng.choice(["mill", "saw"], 400))})
    frame["temperature"] = np.where(hot, 65, 30) + rng.integers(-30, 30, 400) / 10
    frame.loc[7, ["machine", "temperature"]] = ["saw", 65.5]
    query = {"data": "upload", "data.digest": engine.store().put_table(frame), "model": "gaussian"}
    train(query)
    at = app(query, row=7, repair="true", rule="manual", threshold="5")
    text = words(at).replace("\\", "")
    assert "machine saw is unusual for temperature 65.5: lathe (24 of 24 similar rows)" in text
    assert "Set machine from saw to lathe" in text or "Set temperature from 65.5 to " in text
    reasons = next(d.value for d in at.dataframe if list(d.value) == ["column", "value", "usual"])
    assert set(reasons["column"]) == {"machine", "temperature"} and set(reasons["value"]) == {"saw", "65.5"}


def test_the_table_to_leave_with_has_the_users_columns_and_ours():
    import pandas as pd

    from flowlab.datasets.export import to_csv_bytes
    from flowlab.detection.export import with_scores

    frame = pd.DataFrame({"name": ["=cmd()", "b", "c"], "flagged": [1, 2, 3]}, index=[7, 8, 9])
    sheet = {"score": np.arange(3.0), "percentile": np.zeros(3), "p_value": np.ones(3), "flagged": np.array([0, 0, 1])}
    out = with_scores(frame, sheet, {2: ["name c is far above", "second"]})
    assert list(out) == [
        "name", "flagged", "anomaly_score", "percentile", "p_value", "flagged_2", "reason_1", "reason_2", "reason_3",
    ]  # fmt: skip
    assert out["reason_1"].tolist() == ["", "", "name c is far above"]
    assert b"'=cmd()" in to_csv_bytes(out)


def test_an_untrained_model_is_offered_with_one_button():
    at = app({**UNLABELLED, "seed": "77"})
    assert any(b.label == "Train this model" for b in at.button)
