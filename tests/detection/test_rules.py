"""Curves, costs and threshold rules: truths that hold for any scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from flowlab.detection import rules
from flowlab.detection.bands import confidence_bands
from flowlab.detection.cost import CostModel, cost_curve, detection_delays
from flowlab.detection.metrics import percentiles, threshold_curves
from flowlab.detection.resampling import bootstrap_interval
from flowlab.detection.threshold import flag_at_most, just_above

RNG = np.random.default_rng(0)
BULK = RNG.normal(size=300)
LABELLED = (np.r_[BULK, RNG.normal(6, 1, 20)], np.r_[np.zeros(300), np.ones(20)])
EDGE_CASES = {
    "no labels": (BULK, None),
    "labels": LABELLED,
    "no anomalies": (BULK, np.zeros(300)),
    "all anomalies": (BULK, np.ones(300)),
    "constant": (np.ones(500), None),
    "constant with labels": (np.ones(500), np.r_[np.zeros(400), np.ones(100)]),
    "three values": (RNG.integers(0, 3, 600).astype(float), (RNG.random(600) < 0.2).astype(int)),
    "two values": (np.r_[np.zeros(900), np.ones(100)], None),
    "ten rows": (RNG.normal(size=10), np.r_[np.zeros(9), 1]),
    "ten rows, no labels": (RNG.normal(size=10), None),
    "one row": (np.array([1.0]), None),
    "one anomaly": (np.array([1.0]), np.array([1])),
    "infinite": (np.r_[BULK, np.inf, np.inf], None),
    "all infinite": (np.full(200, np.inf), None),
    "huge": (np.r_[BULK, 1e300], None),
    "heavy": (RNG.pareto(1, 2000), None),
    "anomalies score low": (np.r_[BULK, RNG.normal(-6, 1, 20)], LABELLED[1]),
}

# training flushes denormal numbers to zero for the whole process, and hypothesis minds
FLOATS = st.floats(-1e6, 1e6, allow_subnormal=False)
labelled_scores = st.lists(
    st.tuples(FLOATS | st.integers(-3, 3).map(float), st.integers(0, 1)), min_size=1, max_size=60
)


@given(labelled_scores, FLOATS | st.integers(-3, 3).map(float))
def test_row_1_counts_equal_their_definition(rows, threshold):
    scores, y = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    curves = threshold_curves(scores, y)
    at, confusion = curves.at(threshold), curves.confusion(threshold)
    flagged = scores >= threshold
    assert at.flagged == flagged.sum() == confusion.true_alarms + confusion.false_alarms
    assert confusion.true_alarms == (flagged & (y == 1)).sum()
    assert confusion.n_rows == len(scores)
    assert at.missed == (~flagged & (y == 1)).sum() == confusion.missed


@given(labelled_scores)
def test_curves_are_monotone(rows):
    curves = threshold_curves([r[0] for r in rows], [r[1] for r in rows])
    at = curves.at(curves.distinct())
    for values in (at.flagged, at.flagged_share, at.false_alarms, at.recall, at.false_alarm_rate):
        assert np.all((np.diff(values) <= 0) | np.isnan(values[1:]))
    assert np.all(np.diff(at.missed) >= 0)
    assert at.flagged[0] == len(rows) and at.flagged[-1] == 0


@given(labelled_scores)
def test_ranking_quality_equals_scikit_learn(rows):
    scores, y = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    curves = threshold_curves(scores, y)
    if 0 < y.sum() < len(y):
        assert curves.auroc() == pytest.approx(roc_auc_score(y, scores), abs=1e-12)
        assert curves.average_precision() == pytest.approx(average_precision_score(y, scores), abs=1e-12)
    else:
        assert np.isnan(curves.auroc())


def _cost_by_definition(scores, y, threshold, tolerance, c_alarm=1, c_missed=5):
    alarms, anomalies = np.flatnonzero(scores >= threshold), np.flatnonzero(y)
    false = sum(not np.any(np.abs(anomalies - a) <= tolerance) for a in alarms)
    missed = sum(not np.any(np.abs(alarms - a) <= tolerance) for a in anomalies)
    return c_alarm * false + c_missed * missed


@given(labelled_scores, st.integers(0, 15))
@settings(max_examples=60)
def test_cost_with_tolerance_equals_its_definition(rows, tolerance):
    scores, y = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    curve = cost_curve(scores, y, CostModel(tolerance=tolerance))
    for threshold in np.unique(scores):
        assert curve.cost(threshold) == _cost_by_definition(scores, y, threshold, tolerance)
    assert curve.cost(np.inf) == 5 * y.sum()


def test_cost_follows_times_not_the_order_of_rows():
    time_ = np.datetime64("2024-01-01") + np.array([0, 1, 2, 50]) * np.timedelta64(1, "h")
    scores, y = np.array([9.0, 1.0, 1.0, 9.0]), np.array([0, 0, 1, 0])
    near = cost_curve(scores, y, CostModel(tolerance=2 * 3600), time_)
    assert near.cost(5) == 1  # the alarm two hours before counts as a catch, the one two days later is false
    shuffled = [2, 0, 3, 1]
    again = cost_curve(scores[shuffled], y[shuffled], CostModel(tolerance=2 * 3600), time_[shuffled])
    assert again.cost(5) == 1


def test_late_rows_and_delays():
    y = np.array([0, 1, 1, 1, 0, 1, 1])
    scores = np.array([0, 0, 0, 5, 0, 1, 1.0])
    curve = cost_curve(scores, y, CostModel(c_alarm=0, c_missed=0, c_late=1))
    assert curve.cost(3) == 2 + 2  # two rows before the first alarm, and both rows of the unnoticed event
    delays = detection_delays(scores, y, 3)
    assert delays[0] == 2 and np.isnan(delays[1])


def test_cost_rule_finds_the_least_cost_of_any_threshold():
    scores, y = RNG.normal(size=400), (RNG.random(400) < 0.1).astype(int)
    scores[y == 1] += 2
    chosen = rules.choose("cost", scores, y, tolerance=3)
    reached = _cost_by_definition(scores, y, chosen.value, 3)
    assert reached == min(_cost_by_definition(scores, y, t, 3) for t in np.unique(scores)[1:])
    low, high = chosen.plateau
    assert low < chosen.value <= high


@pytest.mark.parametrize("case", EDGE_CASES)
@pytest.mark.parametrize("rule", rules.RULES)
def test_every_rule_answers_or_refuses_in_words_and_never_flags_everything(rule, case):
    scores, y = EDGE_CASES[case]
    threshold = rules.choose(rule, scores, y)
    assert threshold.rule == rule and threshold.sentence.endswith(".") and "nan" not in threshold.sentence
    flagged = threshold.flag(scores)
    if threshold.refused:
        assert not flagged.any() and np.isinf(threshold.value)
    else:
        assert np.isfinite(threshold.value)
        assert not flagged.all()
        assert flagged.mean() <= 0.5 or threshold.caution
    if len(np.unique(scores)) == 1:
        assert threshold.refused, "nothing can be told apart"
    if rules.RULES[rule].needs_labels and (y is None or len(np.unique(y)) < 2):
        assert threshold.refused


@pytest.mark.parametrize("rule", rules.RULES)
def test_every_rule_finds_anomalies_that_stand_apart(rule):
    scores, y = np.r_[RNG.normal(size=2000), RNG.normal(12, 1, 40)], np.r_[np.zeros(2000), np.ones(40)]
    settings_ = {"quantile": {"share": 0.02}}.get(rule, {})
    threshold = rules.choose(rule, scores, y, **settings_)
    flagged = threshold.flag(scores)
    assert flagged[y == 1].mean() >= 0.5, threshold.sentence
    assert flagged[y == 0].mean() <= (0.1 if rule == "knee" else 0.03), threshold.sentence


@pytest.mark.parametrize("name", rules.RULES)
def test_rules_take_both_ends_of_the_range_they_offer(name):
    scores, y = LABELLED
    for control in rules.RULES[name].controls:
        for value in (control.low, control.high):
            rules.choose(name, scores, y, **{control.name: value})


def test_unknown_rules_and_parameters_are_named():
    with pytest.raises(ValueError, match="no rule 'magic'"):
        rules.choose("magic", [1.0])
    with pytest.raises(ValueError, match="no parameter 'share'"):
        rules.choose("mad", [1.0, 2.0], share=0.1)
    with pytest.raises(ValueError, match="nan"):
        rules.choose("mad", [1.0, np.nan])


def test_just_above_nought_is_above_it_where_denormal_numbers_count_as_nought():
    assert just_above(0.0) >= np.finfo(float).tiny and just_above(-0.0) > 0
    assert just_above(1.0) == np.nextafter(1.0, 2.0)


@given(st.lists(st.integers(0, 8).map(float) | FLOATS, min_size=1, max_size=50), st.integers(0, 60))
def test_flag_at_most_keeps_its_word(values, k):
    ordered = np.sort(values)
    threshold, flagged = flag_at_most(ordered, k)
    assert np.sum(ordered >= threshold) == flagged <= k
    more = [np.sum(ordered >= v) for v in ordered if np.sum(ordered >= v) <= min(k, len(ordered) - 1)]
    assert flagged == max(more, default=0)


def test_budget_reads_the_arrivals_from_the_time_axis():
    time_ = np.datetime64("2024-01-01") + np.arange(2400) * np.timedelta64(6, "m")
    chosen = rules.choose("budget", RNG.normal(size=2400), None, {"time": time_}, rows_per_day=12)
    assert chosen.parameters["arrivals_per_day"] == pytest.approx(240)
    assert chosen.sentence.startswith("Flags 12 rows a day of the 240")


def test_agreement_is_the_overlap_of_flagged_rows():
    scores = np.arange(100.0)
    table = rules.agreement([rules.manual(90), rules.manual(80), rules.manual(1000)], scores)
    assert table[0, 1] == table[1, 0] == 0.5 and table[0, 0] == 1
    assert table[0, 2] == 0 and np.isnan(table[2, 2])


def test_bands_cover_fresh_data():
    def draw(n, seed):
        rng = np.random.default_rng(seed)
        y = (rng.random(n) < 0.2).astype(int)
        return rng.normal(2 * y), y

    thresholds = np.array([0.0, 1.0, 2.0])
    truth = vars(threshold_curves(*draw(400_000, 1)).at(thresholds))
    covered = {"precision": 0, "recall": 0, "flagged_share": 0}
    for seed in range(100):
        bands = vars(confidence_bands(threshold_curves(*draw(500, seed + 10)), thresholds))
        for name in covered:
            covered[name] += np.mean((bands[name][0] <= truth[name]) & (truth[name] <= bands[name][1]))
    for name, times in covered.items():
        assert 93 <= times <= 100, name  # 95 % is promised


def test_bootstrap_interval_contains_the_threshold_and_narrows_with_rows():
    def width(n):
        scores = np.random.default_rng(n).normal(size=n)
        chosen = bootstrap_interval(rules.choose("quantile", scores, share=0.05), scores)
        assert chosen.interval[0] <= chosen.value <= chosen.interval[1]
        return chosen.interval[1] - chosen.interval[0]

    assert width(10_000) < 0.6 * width(500)


def test_percentiles_count_ties_half():
    assert percentiles([0, 1, 2, 9], [1, 1, 2, 3]).tolist() == [0, 25, 62.5, 100]


def test_precision_and_lift_at_k_are_those_of_the_k_highest_rows():
    scores, y = LABELLED
    top = threshold_curves(scores, y).top()
    highest = y[np.argsort(-scores)]
    for k, precision, lift in zip(top.flagged, top.precision, top.lift, strict=True):
        assert precision == highest[:k].mean() and lift == pytest.approx(highest[:k].mean() / y.mean())
    assert top.flagged[0] == 1 and top.flagged[-1] == len(y) and top.lift[-1] == 1
    tied = threshold_curves([1, 1, 1, 0], [1, 0, 0, 0]).top()
    assert tied.flagged.tolist() == [3, 4] and tied.lift.tolist() == [4 / 3, 1]
    assert np.isnan(threshold_curves(BULK, np.zeros(300)).top().lift).all(), "without anomalies there is no lift"
