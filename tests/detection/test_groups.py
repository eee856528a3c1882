"""Each group's promise holds for that group; small and unseen groups borrow, and the strangest group stands first."""

import numpy as np
import pandas as pd
import pytest

from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.calibration import Calibration
from flowlab.detection.conformal import false_alarm_promise
from flowlab.detection.groups import by_group
from flowlab.detection.rules import manual
from flowlab.detection.scored_table import ScoredTable


def _of(scores, levels, rate=0.05, worth=None):
    """The thresholds that all of these rows give."""
    rows = np.arange(len(scores))
    pooled = false_alarm_promise(scores, rate=rate, worth=worth)
    return by_group(pooled, "machine", scores, levels, rows, rows, worth)


def test_the_promise_holds_in_each_group_where_the_threshold_of_all_rows_breaks_it():
    """Normal scores of spread 1 and 2: the shares above a threshold are known, on average over calibration sets."""
    rng = np.random.default_rng(0)
    levels = np.repeat(["calm", "wild"], [180, 120]).astype(object)
    rates = []
    for _ in range(300):
        found = _of(rng.exponential(np.repeat([1.0, 2.0], [180, 120])), levels)
        own = found.groups.of_rows(np.array(["calm", "wild"]), found.value)
        rates.append(np.exp(-np.r_[own, found.value, found.value] / [1, 2, 1, 2]))
    calm, wild, _, wild_by_all = np.mean(rates, axis=0)
    print(f"false alarms: calm {calm:.4f}, wild {wild:.4f}, wild by the threshold of all rows {wild_by_all:.4f}")
    noise = 3 * 0.02 / np.sqrt(300)  # a rate with k of 120 rows above has a standard deviation of about 0.02
    assert 0.04 < calm <= 0.05 + noise and 0.04 < wild <= 0.05 + noise
    assert wild_by_all > 0.08


def test_small_and_unseen_groups_borrow_and_the_sentence_counts_them():
    rng = np.random.default_rng(1)
    levels = np.repeat(["A", "B", "C"], [200, 150, 18]).astype(object)
    found = _of(rng.normal(size=368), levels)
    borrows = {group.name: group.borrows for group in found.groups.groups}
    assert borrows == {"A": False, "B": False, "C": True}
    assert found.groups.of_rows(np.array(["C", "never seen"]), found.value).tolist() == [found.value] * 2
    assert "2 of 3 groups of machine have a threshold of their own" in found.sentence
    assert "C (18). Their own would take 19 independent normal rows" in found.sentence
    with pytest.raises(ValueError, match="levels must be the groups of machine"):
        found.flag(np.zeros(3))
    no_small = _of(rng.normal(size=350), levels[:350])
    assert "A group that was never seen takes the threshold of all rows" in no_small.sentence


def test_rows_of_a_series_are_worth_fewer_so_that_more_groups_borrow():
    scores, levels = np.random.default_rng(2).normal(size=300), np.repeat(["A", "B"], [220, 80]).astype(object)
    assert not any(group.borrows for group in _of(scores, levels).groups.groups)
    assert [g.name for g in _of(scores, levels, worth=0.2).groups.groups if g.borrows] == ["B"]


def test_the_strangest_group_is_first_and_two_odd_rows_do_not_make_one():
    rng = np.random.default_rng(3)
    levels = np.repeat(["usual", "odd", "tiny"], [300, 100, 2]).astype(object)
    scores = rng.normal(size=402) + 3.0 * ((levels == "odd") & (rng.random(402) < 0.5))
    scores[-1] = 9.0
    found = _of(scores, levels)
    names = [group.name for group in found.groups.groups]
    assert names == ["odd", "tiny", "usual"]
    tiny = found.groups.groups[1]
    assert (tiny.n_pooled, tiny.n_rows) == (1, 2) and tiny.low < 0.02 and tiny.high > 0.98
    assert found.groups.expected == np.mean(found.flag(scores, levels))


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"machine": rng.choice(["A", "B"], 2000), "shift": rng.integers(1, 4, 2000), "x": 0.0})
    frame["x"] = rng.normal(size=2000).round(6)
    dataset, _ = make_table_dataset(frame)
    return ScoredTable.of(dataset, rng.exponential(np.where(frame["machine"] == "A", 1.0, 3.0)), frame)


def test_a_scored_table_flags_each_row_by_its_own_group(scored):
    assert scored.group_columns == ("machine", "shift")
    pooled = scored.choose("conformal", rate=0.05)
    found = scored.by_group(pooled, "machine")
    own = {group.name: group.threshold for group in found.groups.groups}
    expected = scored.scores >= scored.frame["machine"].map(own)
    assert np.array_equal(scored.flags(found), expected)
    assert set(scored.flagged(found)) == set(np.flatnonzero(expected))
    assert (np.diff(scored.scores[scored.flagged(found)]) <= 0).all()
    row = int(np.flatnonzero(scored.frame["machine"] == "B")[0])
    assert scored.border(found, row) == own["B"] > pooled.value
    curves, there = scored.operating("test", found)
    assert curves.at(there).flagged == expected[scored.rows("test")].sum()
    assert scored.flagged(pooled).tolist() == scored.ranked[: int((scored.scores >= pooled.value).sum())].tolist()
    assert scored.certified(pooled) and not scored.certified(found)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_a_row_is_flagged_exactly_where_its_p_value_within_its_group_is_at_most_the_rate(rate):
    """With ties, a group that borrows and rows of a group never seen."""
    rng = np.random.default_rng(5)
    levels = np.repeat(["A", "B", "small"], [420, 260, 8]).astype(object)
    scores = np.round(rng.exponential(np.repeat([1.0, 3.0, 2.0], [420, 260, 8])), 2)
    found = _of(scores, levels, rate)
    of_new = rng.choice(["A", "B", "small", "never seen"], 4000).astype(object)
    new = np.round(rng.exponential(3.0, 4000), 2)
    p_values = Calibration.of(scores, levels, found.groups).p_values(new, of_new)
    assert np.array_equal(found.flag(new, of_new), p_values <= rate)
    least = {name: p_values[of_new == name].min() for name in ("A", "never seen")}
    assert least == {"A": 1 / 421, "never seen": 1 / 689}


def test_p_values_of_a_table_are_uniform_in_each_group_where_those_of_all_rows_are_not(scored):
    found = scored.by_group(scored.choose("conformal", rate=0.05), "machine")
    rows = scored.rows("test")
    within, among_all = scored.scores_of_rows(rows, found), scored.row_scores.take(rows)
    wild = (scored.frame["machine"] == "B").to_numpy()[rows]
    shares = [float(np.mean(p_values[wild] <= 0.2)) for p_values in (within.p_value, among_all.p_value)]
    assert abs(shares[0] - 0.2) < 0.12 and shares[1] > 0.3, shares
    assert np.array_equal(within.percentile, among_all.percentile)
    calibration = scored.scores_of_rows(scored.calibration_rows, found)
    own = np.sort(calibration.p_value[scored.frame["machine"].iloc[scored.calibration_rows] == "A"])
    assert own == pytest.approx(np.arange(1, len(own) + 1) / len(own)), "each compared with the others of its group"


def test_one_line_stands_for_all_groups_where_scores_are_counted_from_their_thresholds(scored):
    found = scored.by_group(scored.choose("conformal", rate=0.05), "machine")
    counted, at = scored.by_margin(found)
    assert at.value == 0 and np.array_equal(counted.flags(at), scored.flags(found))
    alone, own = scored.of_group(found, "B")
    assert set(alone.frame["machine"].iloc[alone.rows("test")]) == {"B"}
    assert alone.curves("test").at(own.value).flagged == scored.flags(found)[alone.rows("test")].sum()
    assert scored.by_margin(own) == (scored, own)


def test_only_a_promise_and_a_column_with_few_levels_give_groups(scored):
    with pytest.raises(ValueError, match="needs the rule 'conformal', not 'manual'"):
        scored.by_group(manual(3.0), "machine")
    with pytest.raises(ValueError, match="not 'x'; there are machine, shift"):
        scored.by_group(scored.choose("conformal"), "x")
    refused = scored.choose("conformal", rate=0.0001)
    assert scored.by_group(refused, "machine") is refused
