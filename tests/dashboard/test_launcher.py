"""What no page foresaw ends in one sentence, however the dashboard was started; the traceback is in the log alone."""

import os
import subprocess
import sys

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
    from flowlab.__main__ import main
    page.page = failing_page
    main(["app", "--no-open", "--port", sys.argv[1], "--home", sys.argv[2]])
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
def test_a_page_and_a_callback_that_fail_under_the_launcher_say_one_sentence(tmp_path, open_page):
    script, log, port = tmp_path / "failing.py", tmp_path / "server.log", free_port()
    script.write_text(FAILING_SERVER)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "FLOWLAB_LANES": "1"}
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, str(script), str(port), str(tmp_path / "home")],
            cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until_healthy(server, port, log, seconds=90)
        at = open_page(f"http://127.0.0.1:{port}/learn")
        for press in (
            lambda: at.get_by_role("button", name="Fail", exact=True).click(timeout=60_000),
            lambda: at.get_by_text("Fail here").click(),
        ):
            press()
            at.get_by_text(frame.GENERAL_ERROR).wait_for(timeout=30_000)
            assert "secret" not in at.content() and "Traceback" not in at.content()
        assert log.read_text().count("KeyError: 'secret'") >= 2
    finally:
        server.terminate()
        server.wait(30)
