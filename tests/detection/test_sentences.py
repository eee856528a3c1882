"""The numbers in a rule's sentence are those of its threshold, and what a refusal asks for is enough."""

import re

import numpy as np
import pytest
from scipy import stats

from flowlab.datasets.dataset import Dataset
from flowlab.detection import rules, unsupervised
from flowlab.detection.conformal import FIXED, for_new_files
from flowlab.detection.scored_table import ScoredTable
from flowlab.formatting import THIN, count

CASES = [
    ("quantile", r": ([\d\u2009]+) of [\d\u2009]+ rows here"),
    ("budget", r": ([\d\u2009]+) of [\d\u2009]+ rows here"),
    ("mad", r"([\d\u2009]+) of [\d\u2009]+ rows lie there"),
    ("iqr", r"([\d\u2009]+) of [\d\u2009]+ rows lie there"),
    ("knee", r"; ([\d\u2009]+) of [\d\u2009]+ rows lie beyond"),
    ("precision", r"rows: ([\d\u2009]+) of them are flagged"),
]


@pytest.mark.parametrize("rule, pattern", CASES, ids=[rule for rule, _ in CASES])
def test_counts_are_those_above_the_threshold_also_with_ties(rule, pattern):
    n_told = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = (rng.random(1500) < 0.1).astype(int)
        scores = np.round(rng.gamma(2.0, size=1500) + 8 * y, 1 if seed % 2 else 6)
        chosen = rules.choose(rule, scores, y)
        if chosen.refused:
            continue
        assert int(re.search(pattern, chosen.sentence)[1].replace(THIN, "")) == chosen.flag(scores).sum()
        n_told += 1
    assert n_told >= 10


def test_rules_for_normal_rows_count_those_alone():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = (rng.random(1500) < 0.1).astype(int)
        scores = np.round(rng.gamma(2.0, size=1500) + 4 * y, 1)
        chosen = rules.choose("conformal", scores, y, rate=0.05)
        assert f"{count((chosen.flag(scores) & (y == 0)).sum())} of them lie above" in chosen.sentence
        tail = rules.choose("extreme_value", scores, y, rate=0.01)
        assert tail.refused or f"this value; {(tail.flag(scores) & (y == 0)).sum():,} are" in tail.sentence


def test_costs_and_f_scores_are_those_of_the_rows():
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.1).astype(int)
    scores = rng.normal(size=800) + 2 * y
    cost = rules.choose("cost", scores, y)
    flagged = cost.flag(scores)
    false, missed = int((flagged & (y == 0)).sum()), int((~flagged & (y == 1)).sum())
    assert f"{false + 5 * missed}, from {false} false alarms at 1 and {missed} missed at 5" in cost.sentence
    assert f"Never alarming would cost {5 * y.sum()}" in cost.sentence
    best = rules.choose("f_beta", scores, y)
    caught = (best.flag(scores) & (y == 1)).sum()
    assert f"recall {caught / y.sum():.3f}" in best.sentence and "New rows will as a rule do worse" in best.sentence


def test_new_rows_do_worse_than_the_rows_that_chose_the_f_score():
    here, fresh = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], [200, 15])
        score = rng.normal(2.0 * y)
        chosen = rules.choose("f_beta", score, y)
        for values, said in ((score, here), (rng.normal(2.0 * y), fresh)):
            caught, flagged = (chosen.flag(values) & (y == 1)).sum(), chosen.flag(values).sum()
            said.append(2 * caught / (flagged + y.sum()))
    assert np.mean(here) > np.mean(fresh) + 0.02


@pytest.mark.parametrize("rule, parameters", [("conformal", {"rate": 0.02}), ("quantile", {"share": 0.02})])
def test_a_refusal_names_how_many_rows_are_enough(rule, parameters):
    rng = np.random.default_rng(0)
    refused = rules.choose(rule, rng.normal(size=20), **parameters)
    needed = int(re.search(r"at least ([\d\u2009]+) (?:normal )?rows", refused.sentence)[1].replace(THIN, ""))
    assert refused.refused
    assert not rules.choose(rule, rng.normal(size=needed), **parameters).refused
    assert rules.choose(rule, rng.normal(size=needed - 1), **parameters).refused


@pytest.mark.parametrize(
    "rule, scores, y, words",
    [
        ("mixture", np.arange(20.0), None, "at least 30 rows"),
        ("mixture", np.random.default_rng(0).normal(size=500), None, "No small high group"),
        ("mixture", np.r_[np.zeros(20) + np.arange(20) / 1e3, np.arange(400) / 1e2 + 50], None, "No small high group"),
        ("knee", np.arange(3.0), None, "at least 5 scores"),
        ("knee", np.arange(500.0), None, "no knee"),
        ("mad", np.ones(50), None, "no spread"),
        ("quantile", np.ones(50), None, "no row is higher"),
        ("conformal", np.ones(500), None, "no threshold tells rows apart"),
        ("false_discovery", np.ones(5), np.ones(5), "No row is labelled normal"),
        ("extreme_value", np.arange(50.0), None, "A tail is fitted to at least 20 rows"),
        ("f_beta", np.arange(5.0), None, "needs labels"),
        ("f_beta", np.arange(5.0), np.zeros(5), "None of the 5 rows"),
        ("f_beta", np.arange(5.0), np.ones(5), "All 5 rows are labelled"),
        ("cost", np.ones(5), np.r_[0, 0, 0, 1, 1], "All 5 scores equal"),
        ("f_beta", np.arange(5.0), np.r_[1, 1, 1, 1, 0], "do not tell these anomalies apart"),
        ("precision", np.arange(5.0), np.r_[0, 0, 0, 1, 1], "It takes at least 29 flagged rows"),
    ],
)
def test_each_refusal_is_said_where_its_reason_holds_and_flags_nothing(rule, scores, y, words):
    refused = rules.choose(rule, scores, y)
    assert refused.refused and words in refused.sentence and not refused.flag(scores).any()


@pytest.mark.parametrize(
    "rule, scores, y, parameters, words",
    [
        ("quantile", np.r_[np.arange(90.0), np.full(10, 99.0)], None, {"share": 0.05}, "Equal scores at the border"),
        (
            "budget",
            np.arange(100.0),
            None,
            {"rows_per_day": 10.0, "arrivals_per_day": 5.0},
            "Every row can be reviewed",
        ),
        ("cost", np.arange(10.0), np.r_[1, 1, 1, 1, 1, 1, 1, 1, 0, 0], {}, "Flagging every row would cost less"),
        ("cost", np.arange(9.0), np.r_[1, np.zeros(8)], {"c_missed": 1.0}, "No threshold is cheaper"),
        ("conformal", np.arange(500.0), None, {}, "Without labels all rows count as normal"),
        ("precision", np.arange(5.0), np.r_[0, 0, 0, 1, 1], {"precision": 1.0}, ""),
    ],
)
def test_each_caution_is_said_where_its_reason_holds(rule, scores, y, parameters, words):
    assert words in rules.choose(rule, scores, y, **parameters).caution


def test_a_false_discovery_threshold_does_not_carry_its_promise_to_other_files():
    """Of the rows it flags in a file without anomalies all are normal, whatever it said of its own batch."""
    rng = np.random.default_rng(0)
    chosen = rules.choose(
        "false_discovery", rng.normal(size=2000), context={"batch": np.r_[rng.normal(size=500), rng.normal(6, 1, 60)]}
    )
    assert "Benjamini-Hochberg" in chosen.sentence and chosen.flag(rng.normal(size=20_000)).any()
    travelling = for_new_files(chosen)
    assert travelling.sentence == FIXED and travelling.value == chosen.value
    other = rules.choose("quantile", rng.normal(size=500))
    assert for_new_files(other) is other


def test_false_discovery_says_what_set_of_rows_it_would_take():
    rng = np.random.default_rng(1)
    calibration = rng.normal(size=200)
    refused = rules.choose("false_discovery", calibration, context={"batch": rng.normal(size=100)})
    needed = int(re.search(r"at least (\d+) of 100", refused.sentence)[1])
    batch = np.r_[np.full(needed, calibration.max() + 1), np.full(100 - needed, calibration.min())]
    assert not rules.choose("false_discovery", calibration, context={"batch": batch}).refused
    batch[0] = calibration.min()
    assert rules.choose("false_discovery", calibration, context={"batch": batch}).refused
    few = rules.choose("false_discovery", rng.normal(size=5), context={"batch": rng.normal(size=10)})
    assert "too large for any of 10 rows" in few.sentence
    apart = rules.choose("false_discovery", calibration, context={"batch": np.full(5, 9.0) + np.arange(5)})
    assert "Every row of the batch lies apart" in apart.caution


def test_a_mixture_that_no_row_fits_so_surely_refuses(monkeypatch):
    """A narrow upper group that the lower one outweighs at every score."""

    class Fitted:
        means_, covariances_ = np.array([[0.0], [2.5]]), np.array([[[1.0]], [[0.04]]])
        weights_ = np.array([0.999, 0.001])

        def __init__(self, n_groups, **settings):
            self.n_groups = n_groups

        def fit(self, column):
            return self

        def bic(self, column):
            return -100.0 * self.n_groups

    monkeypatch.setattr(unsupervised, "GaussianMixture", Fitted)
    scores = np.random.default_rng(0).normal(size=200)
    assert "no score belongs to the upper group" in rules.choose("mixture", scores).sentence
    upper = 0.001 * stats.norm.pdf(2.5, 2.5, 0.2) / (0.999 * stats.norm.pdf(2.5))
    sure = upper / (1 + upper)
    assert not rules.choose("mixture", scores, posterior=0.5 * sure).refused


def test_the_reason_for_no_promise_is_said_of_all_rows():

    X = np.random.default_rng(0).normal(size=(800, 2)).cumsum(axis=0)
    scored = ScoredTable.of(Dataset(X, ("a", "b")), np.abs(X).sum(axis=1))
    assert scored.notes()[0].startswith("Rows resemble the rows next to them")
    assert scored.choose("extreme_value").refused and scored.with_interval(scored.choose("quantile")).interval is None
