"""`import flowlab` is a table of contents: each public name is there, and nothing heavy is loaded for it."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flowlab

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", flowlab.__all__)
def test_each_public_name_is_what_its_module_defines(name):
    value = getattr(flowlab, name)
    assert name in dir(flowlab)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Flow'"):
        flowlab.Flow  # noqa: B018


def test_modules_are_still_imported_by_from():
    code = "from flowlab import catalog, Moons; print(catalog.__name__, Moons.__name__)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "flowlab.catalog Moons\n"


def test_importing_it_loads_nothing_heavy_and_neither_do_its_names_load_streamlit():
    heavy = "[m for m in ('torch', 'streamlit', 'plotly', 'sklearn', 'pandas') if m in sys.modules]"
    names = "[getattr(flowlab, name) for name in flowlab.__all__]"
    code = (
        f"import sys, flowlab; print({heavy}); {names}; print([m for m in ('torch', 'streamlit') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout == "[]\n[]\n"


def readme_script(name: str) -> str:
    """The Python lines of the README below the comment with this name."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"<!-- {name} -->\n```python\n(.*?)```", text, re.DOTALL)[1]


def run_script(name: str, folder: Path) -> str:
    """What the script prints, run alone in a folder."""
    answer = subprocess.run(
        [sys.executable, "-c", readme_script(name)], capture_output=True, text=True, cwd=folder, timeout=280,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.mark.parametrize("name", ["analyst", "teacher"])
def test_five_lines_are_five_lines(name):
    lines = [line for line in readme_script(name).splitlines() if line]
    assert lines[0] == "import flowlab" and len(lines) == 6
    assert all(len(line) <= 120 and ";" not in line for line in lines)


@pytest.mark.slow
def test_the_analysts_five_lines(tmp_path):
    rng = np.random.default_rng(0)
    n, fraud = 1200, np.arange(1200) % 40 == 39
    items = rng.integers(1, 9, n)
    orders = pd.DataFrame(
        {
            "amount": (items * rng.lognormal(3, 0.3, n)).round(2) * np.where(fraud, 12, 1),
            "items": items,
            "country": rng.choice(["DE", "FR", "PL"], n),
            "fraud": np.where(fraud, "yes", "no"),
        }
    )
    orders.to_csv(tmp_path / "orders.csv", index=False)
    printed = run_script("analyst", tmp_path)
    rows = printed.splitlines()[2:]
    assert all(name in printed for name in ("anomaly_score", "p_value", "reason_1")) and len(rows) >= 3
    assert "yes" in rows[0] and "amount" in rows[0], "the strangest row is a fraud, by its amount"
    from flowlab.serving.bundle import from_bytes

    saved = from_bytes((tmp_path / "orders.detector").read_bytes())
    assert saved.threshold.rule == "quantile" and saved.threshold.sentence in printed


@pytest.mark.slow
def test_the_teachers_five_lines(tmp_path):
    run_script("teacher", tmp_path)
    page = (tmp_path / "moons.html").read_text(encoding="utf-8")
    assert "moons · SplineCouplingFlow" in page and "Above the truth" in page
    assert len(page.encode()) < 1_500_000


@pytest.mark.slow
def test_the_estimators_lines(tmp_path):
    gap = float(re.match(r"(\S+) nats above the truth", run_script("estimator", tmp_path))[1])
    assert 0 < gap < 0.05
