"""The Detect page: a threshold by rule, number or slider, kept in the link; flagged rows, reasons, a table to leave with."""

import os
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]
LABELLED = {"data": "moons", "data.n_samples": "2000", "data.anomaly_share": "0.05", "model": "gaussian"}
UNLABELLED = {"data": "moons", "data.n_samples": "2000", "model": "gaussian"}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    """One empty store and one runner for the whole file, and one finished run with labels, one without."""
    import streamlit as st

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWLAB_HOME", str(tmp_path_factory.mktemp("home")))
        st.cache_resource.clear()
        st.cache_data.clear()
        from pages.ui import engine

        for query in (LABELLED, UNLABELLED):
            train(query)
        yield
        engine.runner().close()
        st.cache_resource.clear()


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


def test_debug():
    at = app(LABELLED)
    print(words(at))
    print(at.query_params, os.getcwd(), np.pi)
