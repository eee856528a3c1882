"""The one-file report: complete, and nothing a user brought is executed."""

import ast
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.cost import CostModel
from flowlab.detection.rules import manual
from flowlab.detection.scored_table import ScoredTable
from flowlab.formatting import count, escaped, plain
from flowlab.plots import threshold as plots
from flowlab.plots.html import figures_html
from flowlab.records import RunSpec, Spec
from flowlab.serving.report import data_dictionary, detection_report, meaning
from flowlab.serving.script import comparison_script, python_script

EVIL = "<script>alert(1)</script>"


def _scored(labels=True):
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.1).astype(np.int8)
    return ScoredTable.of(Dataset(np.zeros((400, 1)), ("x",), y=y if labels else None), rng.normal(4.0 * y))


def test_the_report_says_what_the_threshold_means():
    scored = _scored()
    figures = figures_html([("agreement", plots.agreement_heatmap(["a"], np.ones((1, 1))))])
    page = detection_report(
        "plant", RunSpec(Spec("moons"), Spec("spline"), 3), scored, scored.choose("f_beta"), figures
    ).decode()
    assert "Highest F1 on 60 rows" in page and "60 validation rows" in page
    assert "precision" in page and "AUROC" in page and "plotly" in page.lower()
    assert "<td>seed</td>\n      <td>3</td>" in page


def test_no_markup_from_data_gets_through():
    rows = pd.DataFrame({EVIL: [EVIL]})
    page = detection_report(
        EVIL, RunSpec(Spec("upload", {"name": EVIL}), Spec("spline")), _scored(), manual(1.0), rows=rows, link=EVIL
    ).decode()
    assert "<script" not in page and page.count("&lt;script&gt;") >= 4


def test_it_loads_nothing_from_elsewhere():
    figures = figures_html([("a", plots.agreement_heatmap(["a"], np.ones((1, 1))))] * 2)
    assert not re.search(r'<(script|link)[^>]+(src|href)="http', figures[0][1] + figures[1][1])
    assert len(figures[0][1]) > 1_000_000 > len(figures[1][1])


def test_the_report_is_whole_in_html_and_in_markdown():
    frame = pd.DataFrame(
        {
            "id": np.arange(400),
            "city": ["Rome", EVIL] * 200,
            "load": np.r_[np.linspace(0, 1, 200), np.linspace(3, 4, 200)],
            "same": [7] * 400,
            "bad": ["no", *["yes"] * 3] * 100,
        }
    )
    dataset, _ = make_table_dataset(frame, label="bad", split="random")
    scored = ScoredTable.of(dataset, np.random.default_rng(0).normal(size=400), frame)
    threshold, cost = manual(0.0), CostModel(c_alarm=2.0, c_missed=7.0)
    spec = RunSpec(Spec("moons", {"noise": 0.1}), Spec("kde"), 3)
    page, text = (
        detection_report("plant", spec, scored, threshold, cost=cost, as_markdown=as_markdown).decode()
        for as_markdown in (False, True)
    )
    for part in ("Drift", "Columns", "Settings", "What it does", "The threshold"):
        assert f"<h2>{part}</h2>" in page and f"## {part}" in text
    flags, y, test = scored.flags(threshold), dataset.y, scored.rows("test")
    price = 2 * np.sum(flags[test] & (y[test] == 0)) + 7 * np.sum(~flags[test] & (y[test] == 1))
    assert f"and {plain(float(price))} on test rows" in page and f"and {plain(7.0 * y[test].sum())}." in page
    dictionary = data_dictionary(scored)
    assert dictionary.loc["bad", "role"] == "label" and dictionary.loc["load", "values"].startswith("0 to 4, median")
    assert "same is 7 in every row and was left out" in page, "decisions on columns are told"
    known = catalog.DATASETS["moons"].defaults, catalog.MODELS["kde"].defaults
    assert all(f"<td>{name}</td>" in page and f"| {escaped(name)} |" in text for of in known for name in of)
    assert "<script" not in page and EVIL not in text and "at least 0 are flagged. " in text


def test_without_labels_it_does_not_speak_of_labels():
    scored = _scored(labels=False)
    assert "count as normal" in meaning(scored, manual(1.0))
    page = detection_report("plant", RunSpec(Spec("moons"), Spec("spline")), scored, manual(1.0)).decode()
    assert "precision" not in page and "flagged share" in page


@pytest.mark.parametrize("rule", ["f_beta", "manual", "cost"])
def test_the_script_reproduces_weights_scores_and_flags(rule):
    spec = RunSpec(
        Spec("moons", {"n_samples": 400, "anomaly_share": 0.1}), Spec("affine", {"n_steps": 50, "n_layers": 4}), seed=3
    )
    dataset = catalog.make_dataset(spec.data, spec.seed)
    model = catalog.make_model(spec.model, spec.seed, dataset)
    for _ in model.fit_iter(dataset.part("train"), dataset.part("monitor")):
        pass
    scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X))
    threshold = manual(2.5) if rule == "manual" else scored.choose(rule)
    names: dict = {}
    exec(compile(python_script(spec, threshold), "script", "exec"), names)
    assert all(np.array_equal(value, names["model"].get_state()[key]) for key, value in model.get_state().items())
    assert np.array_equal(names["scored"].scores, scored.scores)
    assert names["threshold"].value == threshold.value


def test_the_script_of_a_comparison_reproduces_the_scores(capsys):
    data = Spec("moons", {"n_samples": 400, "anomaly_share": 0.1})
    names: dict = {}
    specs = {"one": RunSpec(data, Spec("gaussian")), "two's": RunSpec(data, Spec("kde", {}), 0)}
    exec(compile(comparison_script(specs), "script", "exec"), names)
    dataset = catalog.make_dataset(data, 0)
    for name, spec in specs.items():
        model = catalog.make_model(spec.model, spec.seed, dataset).fit(dataset.fitting_rows())
        rows = dataset.rows("test")
        assert np.array_equal(names["models"][name].anomaly_score, model.anomaly_score(dataset.X)[rows])
    said = capsys.readouterr().out
    assert "one: AUROC" in said and "two's: AUROC" in said and names["verdict"](names["board"]) in said
    assert 'read_table("it\'s.csv")' in comparison_script(specs, "it's.csv")


def test_the_script_of_an_uploaded_table_names_its_file_and_nothing_escapes_its_quotes():
    name = 'a"); import os; print(("'
    spec = RunSpec(Spec("upload", {"digest": "0" * 16, "name": name}), Spec("kde"))
    tree = ast.parse(python_script(spec, manual(1.0), table=name))
    imported = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import)] and all(
        m.startswith("flowlab") for m in imported
    )


def test_report_and_script_know_thresholds_of_groups():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 800)
    scores = rng.exponential(1.0 + kinds)
    scored = ScoredTable.of(Dataset(np.c_[kinds, rng.normal(size=800)].astype(float), ("kind", "x")), scores)
    threshold = scored.by_group(scored.choose("conformal", rate=0.05), "kind")
    spec = RunSpec(Spec("moons"), Spec("kde"))
    page = detection_report("plant", spec, scored, threshold).decode()
    assert ", or that of their group of kind, are flagged. 2 of 2 groups of kind" in page
    assert "<th>flagged by the threshold of all rows (%)</th>" in page
    share = 100 * scored.flags(threshold)[scored.calibration_rows].mean()
    assert f"{share:.2f} % lie above that of their group." in page
    assert "The p-values of their rows compare with normal rows of the group." in page
    program = python_script(spec, threshold, "kinds.csv")
    assert "scored.by_group(scored.choose('conformal'" in program and "read_table('kinds.csv').frame)" in program
    compile(program, "script", "exec")


def test_the_report_says_by_whom_the_threshold_was_chosen_and_on_what():
    scored = _scored()
    n, m = len(scored.dataset.rows("validation")), len(scored.dataset.rows("test"))
    by_rule, by_hand = meaning(scored, scored.choose("f_beta")), meaning(scored, manual(1.0))
    assert by_rule.startswith(f"It was chosen on {count(n)} validation rows") and f"on {count(m)} test rows" in by_rule
    assert by_hand.startswith(f"It was set by hand, is checked on {count(n)} validation rows")
    above = 100 * float(np.mean(scored.calibration >= 1.0))
    assert f"{above:.2f} % lie above it" in by_hand and "not fitted to" not in by_hand
    unlabelled = _scored(labels=False)
    assert "validation rows, which count as normal," in meaning(unlabelled, manual(1.0))
    nothing = replace(unlabelled.dataset, split=np.zeros(len(unlabelled.dataset), np.int8))
    assert "there are no others" in meaning(ScoredTable.of(nothing, unlabelled.scores), manual(1.0))
