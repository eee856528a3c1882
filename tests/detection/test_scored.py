"""Evidence: parts, units and sheets that a page shows."""

import numpy as np
import pytest

from flowlab.datasets.dataset import Dataset
from flowlab.detection.cost import CostModel
from flowlab.detection.rules import manual
from flowlab.detection.scored import Evidence


def _evidence(n=600, labels=True, dates=True, split=None):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.1).astype(np.int8)
    time = np.datetime64("2024-01-01", "ns") + np.arange(n) * np.timedelta64(5, "m") if dates else None
    dataset = Dataset(np.zeros((n, 1)), ("x",), y=y if labels else None, time=time, split=split)
    return Evidence.of(dataset, rng.normal(4.0 * y)), y


def test_thresholds_are_chosen_on_validation_and_reported_on_test():
    evidence, y = _evidence()
    chosen = evidence.choose("f_beta")
    rows = evidence.rows("validation")
    best = max(
        2 * (y[rows] & (evidence.scores[rows] >= t)).sum() / ((evidence.scores[rows] >= t).sum() + y[rows].sum())
        for t in evidence.scores[rows]
    )
    assert float(evidence.curves("validation").at(chosen.value).f_beta) == pytest.approx(best)
    test = evidence.rows("test")
    assert evidence.curves("test").confusion(chosen.value).n_rows == len(test)
    changed = evidence.scores.copy()
    changed[test] = 0.0
    assert Evidence.of(evidence.dataset, changed).choose("f_beta").value == chosen.value


def test_a_tolerance_in_minutes_is_one_in_rows_of_five_minutes():
    evidence, _ = _evidence(split=np.repeat([0, 1, 2], 200).astype(np.int8))
    in_rows = evidence.curves("test", CostModel(tolerance=3))
    in_minutes = evidence.curves("test", CostModel(tolerance=15), "minutes")
    thresholds = in_rows.grid()
    assert np.array_equal(in_rows.at(thresholds).cost, in_minutes.at(thresholds).cost)
    with pytest.raises(ValueError, match="rows"):
        _evidence(dates=False)[0].position("test", "minutes")


def test_the_default_rule_is_one_that_can_answer():
    assert _evidence()[0].best_default_rule == "f_beta"
    assert _evidence(n=900, labels=False)[0].best_default_rule == "conformal"
    assert _evidence(n=60, labels=False)[0].best_default_rule == "quantile"


def test_the_sheet_flags_what_the_threshold_says():
    evidence, _ = _evidence()
    sheet = evidence.sheet(manual(2.0))
    assert np.array_equal(sheet["flagged"], evidence.scores >= 2)
    assert sheet["p_value"].min() == pytest.approx(1 / (len(evidence.calibration) + 1))
    assert np.all((sheet["percentile"] >= 0) & (sheet["percentile"] <= 100))
    order = np.argsort(evidence.scores)
    assert np.all(np.diff(sheet["p_value"][order]) <= 0) and np.all(np.diff(sheet["percentile"][order]) >= 0)


def test_scores_that_are_not_numbers_are_flagged_as_the_strangest():
    evidence, _ = _evidence()
    scores = evidence.scores.copy()
    scores[:2] = np.nan, np.inf
    assert Evidence.of(evidence.dataset, scores).sheet(manual(1e6))["flagged"].sum() == 2


def test_a_part_without_rows_stands_for_all():
    evidence, _ = _evidence(split=np.zeros(600, np.int8))
    assert len(evidence.rows("validation")) == 600
