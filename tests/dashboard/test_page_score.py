"""The Score page: the present run's detector or a saved one on a new file, with trouble said in words."""

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
QUERY = {"data": "moons", "data.n_samples": "2000", "model": "gaussian"}


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One empty store, one runner, one finished run; scoring in this process."""
    from flowlab import catalog
    from flowlab.records import RunSpec
    from pages.ui import score

    spec, _ = catalog.tidy(RunSpec.from_query(QUERY, catalog.DEFAULT)[0])
    run_id = own_server.runner().submit(spec, "somebody")
    deadline = time.monotonic() + 90
    while not ((run := own_server.store().load(run_id)) and run.is_usable):
        assert time.monotonic() < deadline, run
        time.sleep(0.1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "LANES", 0)
        yield


def app(**query) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for key, value in {**QUERY, **query}.items():
        at.query_params[key] = value
    at.switch_page("pages/6_score.py")
    at.run()
    assert not at.exception, at.exception
    return at


def words(at: AppTest) -> str:
    return " ".join(m.value for m in [*at.markdown, *at.caption, *at.error, *at.warning]).replace("\\", "")


def upload(at: AppTest, data: bytes, name: str = "new.csv") -> AppTest:
    at.file_uploader(key="score.file").set_value((name, data, "text/csv")).run()
    assert not at.exception, at.exception
    next(b for b in at.button if b.label == "Score this file").click().run()
    assert not at.exception, at.exception
    return at


def _csv(n=500, shift=0.0):
    rng = np.random.default_rng(0)
    return (
        pd.DataFrame({"x1": rng.normal(0.5, 0.8, n) + shift, "x2": rng.normal(0.25, 0.5, n)})
        .to_csv(index=False)
        .encode()
    )


def test_the_present_run_scores_a_file():
    at = app()
    assert "One Gaussian trained on" in words(at)
    upload(at, _csv())
    assert {m.label: m.value for m in at.metric}["Rows"] == "500"
    assert at.dataframe[0].value["anomaly_score"].is_monotonic_decreasing


def test_drift_is_said():
    at = upload(app(), _csv(shift=5.0))
    assert "x1 has shifted strongly" in words(at) and "scores have shifted strongly" in words(at)


@pytest.mark.parametrize(
    "data, said", [(b"a,b\n1,2\n3,4\n", "lacks: x1, x2"), (b"\x00\x01\x02", "file"), (b"x1,x2\n", "row")]
)
def test_files_that_do_not_fit_are_answered_in_words(data, said):
    at = upload(app(), data)
    assert len(at.error) == 1 and said in words(at)


def test_without_a_trained_run_the_way_is_shown():
    assert "not trained yet" in words(app(seed="99"))


def test_a_file_that_is_no_detector_is_refused():
    at = app(**{"score.source": "A detector file"})
    at.file_uploader(key="score.detector").set_value(("x.detector", b"junk", "application/zip")).run()
    assert "This is not a detector file" in words(at)


def test_the_server_side_of_the_page_does_not_load_torch():
    import subprocess

    code = (
        "import sys, pages.ui.score, pages.ui.detect; sys.exit('torch' in sys.modules or 'plotly' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
