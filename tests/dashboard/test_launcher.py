"""What no page foresaw ends in one sentence, however the dashboard was started; the traceback is in the log alone."""

import os
import subprocess
import sys
import urllib.request

import pytest
from conftest import ROOT, free_port, wait_until_healthy
from pages_driver import APP
from streamlit.testing.v1 import AppTest

from flowlab.dashboard.learn import page
from flowlab.dashboard.shell import frame

FAILING_SERVER = """
import sys
import streamlit as st

def fail():
    raise KeyError("secret")

def failing_page():
    st.button("Fail", on_click=fail)
    if st.toggle("Fail here"):
        fail()

if __name__ == "__main__":
    from flowlab.dashboard.learn import page
    page.page = failing_page
    way, port = sys.argv[1:]
    if way == "flowlab app":
        from flowlab.__main__ import main
        main(["app", "--no-open", "--port", port])
    else:
        from flowlab import app_folder
        from streamlit.web.cli import main
        main(["run", str(app_folder.APP), "--server.port", port])
"""


def test_a_page_that_fails_under_streamlit_run_says_one_sentence(monkeypatch, tmp_path, caplog):
    def fail():
        raise KeyError("secret")

    monkeypatch.setattr(page, "page", fail)
    monkeypatch.setenv("FLOWLAB_HOME", str(tmp_path))
    at = AppTest.from_file(APP, default_timeout=90).switch_page("pages/7_learn.py").run()
    said = [error.value for error in at.error]
    assert said == [frame.GENERAL_ERROR] and not at.exception
    assert "secret" not in str(at) and "secret" in caplog.text


@pytest.mark.browser
@pytest.mark.parametrize("way", ["flowlab app", "streamlit run"])
def test_a_page_and_a_callback_that_fail_say_one_sentence(way, tmp_path, open_page):
    script, log, port = tmp_path / "failing.py", tmp_path / "server.log", free_port()
    script.write_text(FAILING_SERVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "FLOWLAB_LANES": "1"}
    environment["FLOWLAB_HOME"] = str(tmp_path / "home")
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, str(script), way, str(port)],
            cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until_healthy(server, port, log, seconds=90)
        at = open_page(f"http://127.0.0.1:{port}/learn")
        for press in (
            lambda: at.get_by_role("button", name="Fail", exact=True).click(timeout=60_000),
            lambda: at.get_by_text("Fail here").click(timeout=60_000),
        ):
            at.reload()  # a callback that fails leaves nothing of the page to press
            press()
            at.get_by_text(frame.GENERAL_ERROR).wait_for(timeout=60_000)
            assert "secret" not in at.content() and "Traceback" not in at.content()
        assert log.read_text().count("KeyError: 'secret'") >= 2
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as answer:
            assert answer.headers["X-Frame-Options"] == "SAMEORIGIN", "and both ways have what is around the pages"
    finally:
        server.terminate()
        server.wait(30)
