"""FLOWLAB_LOG=json: each record is one line of JSON."""

import json
import subprocess
import sys

import pytest

from flowlab import log_lines

SERVER = """
import logging, warnings
from flowlab import log_lines
named = logging.getLogger("server")
named.addHandler(logging.StreamHandler())
named.propagate = False
log_lines.set_up()
named.warning('two\\nlines and "%s"', "quotes")
try:
    raise OSError("no space left")
except OSError:
    logging.getLogger("flowlab.jobs").exception("a run could not be saved")
warnings.warn("soon gone")
"""


def logged(value: str) -> str:
    command = [sys.executable, "-c", SERVER]
    return subprocess.run(command, env={"FLOWLAB_LOG": value}, capture_output=True, text=True, check=True).stderr


def test_a_record_is_one_line_whatever_it_says():
    first, second, third = map(json.loads, logged("json").splitlines())
    assert first["message"] == 'two\nlines and "quotes"' and first["level"] == "warning" and "traceback" not in first
    assert second["logger"] == "flowlab.jobs" and second["traceback"].endswith("OSError: no space left")
    assert second["time"].endswith("Z") and len(second["time"]) == len("2026-01-01T00:00:00.000Z")
    assert "soon gone" in third["message"]


def test_without_it_lines_are_plain_and_another_value_is_refused_in_a_sentence(monkeypatch):
    assert logged("").startswith('two\nlines and "quotes"')
    monkeypatch.setenv("FLOWLAB_LOG", "xml")
    with pytest.raises(ValueError, match="set it to json"):
        log_lines.set_up()
