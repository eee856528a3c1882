"""Each benchmark starts as the README says, from anywhere, with nothing but the repository."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_starts_and_says_what_it_takes(path, tmp_path):
    answer = subprocess.run([sys.executable, path, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0 and "usage" in answer.stdout, answer.stderr
