"""ScoredTable: parts, units, and the rows a threshold flags."""

import numpy as np
import pytest

from flowlab.datasets.dataset import Dataset
from flowlab.detection.cost import CostModel
from flowlab.detection.rules import manual
from flowlab.detection.scored_table import ScoredTable


def _scored(n=600, labels=True, dates=True, split=None):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.1).astype(np.int8)
    time = np.datetime64("2024-01-01", "ns") + np.arange(n) * np.timedelta64(5, "m") if dates else None
    dataset = Dataset(np.zeros((n, 1)), ("x",), y=y if labels else None, time=time, split=split)
    return ScoredTable.of(dataset, rng.normal(4.0 * y)), y


def test_thresholds_are_chosen_on_validation_and_reported_on_test():
    scored, y = _scored()
    chosen = scored.choose("f_beta")
    rows = scored.rows("validation")
    best = max(
        2 * (y[rows] & (scored.scores[rows] >= t)).sum() / ((scored.scores[rows] >= t).sum() + y[rows].sum())
        for t in scored.scores[rows]
    )
    assert float(scored.curves("validation").at(chosen.value).f_beta) == pytest.approx(best)
    test = scored.rows("test")
    assert scored.curves("test").confusion(chosen.value).n_rows == len(test)
    changed = scored.scores.copy()
    changed[test] = 0.0
    assert ScoredTable.of(scored.dataset, changed).choose("f_beta").value == chosen.value


def test_a_tolerance_in_minutes_is_one_in_rows_of_five_minutes():
    scored, _ = _scored(split=np.repeat([0, 1, 2], 200).astype(np.int8))
    in_rows = scored.curves("test", CostModel(tolerance=3))
    in_minutes = scored.curves("test", CostModel(tolerance=15), "minutes")
    thresholds = in_rows.grid()
    assert np.array_equal(in_rows.at(thresholds).cost, in_minutes.at(thresholds).cost)
    with pytest.raises(ValueError, match="rows"):
        _scored(dates=False)[0].position("test", "minutes")


def test_the_default_rule_is_one_that_can_answer():
    assert _scored()[0].best_default_rule == "f_beta"
    assert _scored(n=900, labels=False)[0].best_default_rule == "conformal"
    assert _scored(n=60, labels=False)[0].best_default_rule == "quantile"


def test_rows_are_ranked_once_and_flagged_by_any_threshold():
    scored, _ = _scored()
    found = scored.row_scores
    assert found.columns(manual(2.0))["flagged"].tolist() == (scored.scores >= 2).astype(int).tolist()
    assert np.array_equal(np.isnan(found.p_value), scored.dataset.split == 0)
    assert found.p_value[scored.calibration_rows].min() == pytest.approx(1 / len(scored.calibration))
    assert np.all((found.percentile >= 0) & (found.percentile <= 100))
    order = scored.rows("test")[np.argsort(scored.scores[scored.rows("test")])]
    assert np.all(np.diff(found.p_value[order]) <= 0) and np.all(np.diff(found.percentile[order]) >= 0)
    flagged = scored.flagged(manual(2.0))
    assert set(flagged) == set(np.flatnonzero(scored.scores >= 2)) and np.all(np.diff(scored.scores[flagged]) <= 0)
    assert scored.row_scores is found and len(scored.flagged(manual(1e99))) == 0


def test_scores_that_are_not_numbers_are_flagged_as_the_strangest():
    scored, _ = _scored()
    scores = scored.scores.copy()
    scores[:2] = np.nan, np.inf
    assert set(ScoredTable.of(scored.dataset, scores).flagged(manual(1e6))) == {0, 1}


def test_a_part_without_rows_stands_for_all():
    scored, _ = _scored(split=np.zeros(600, np.int8))
    assert len(scored.rows("validation")) == 600
