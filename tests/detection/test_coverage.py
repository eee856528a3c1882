"""Bands, intervals and promises hold as often as they say, over simulations of scores."""

import numpy as np
import pytest
from scipy import signal, stats
from simulations import ERROR, N_SIMULATIONS, is_above, is_below

from flowlab.datasets.dataset import Dataset, chronological_split
from flowlab.datasets.order import independent_share, is_series
from flowlab.detection import rules
from flowlab.detection.bands import confidence_bands
from flowlab.detection.conformal import false_alarm_promise
from flowlab.detection.cost import CostModel
from flowlab.detection.metrics import threshold_curves
from flowlab.detection.resampling import bootstrap_interval
from flowlab.detection.scored_table import ScoredTable

THRESHOLDS = np.array([0.5, 1.0, 2.0, 3.0])


def autoregressive(rng, n, coefficient, n_columns=1):
    """(n, n_columns) rows of unit variance, each the one before times `coefficient`, plus noise."""
    noise = rng.normal(size=(n, n_columns)) * np.sqrt(1 - coefficient**2)
    noise[0] = rng.normal(size=n_columns)
    return signal.lfilter([1], [1, -coefficient], noise, axis=0)


@pytest.mark.parametrize(
    "n_normal, n_anomalous, shift", [(150, 8, 3.0), (400, 60, 2.0), (2000, 50, 2.0), (150, 8, 6.0)]
)
def test_bands_of_independent_rows_cover_the_truth(n_normal, n_anomalous, shift):
    recall, false = stats.norm.sf(THRESHOLDS - shift), stats.norm.sf(THRESHOLDS)
    caught, alarms = n_anomalous * recall, n_normal * false
    truth = {
        "recall": recall,
        "false_alarm_rate": false,
        "precision": caught / (caught + alarms),
        "f_beta": 2 * caught / (caught + alarms + n_anomalous),
        "flagged_share": (caught + alarms) / (n_normal + n_anomalous),
        "cost": alarms + 5 * (n_anomalous - caught),
    }
    covered = {name: np.zeros(len(THRESHOLDS), int) for name in truth}
    y = np.repeat([0, 1], [n_normal, n_anomalous])
    for seed in range(N_SIMULATIONS):
        scores = np.random.default_rng([seed, n_normal]).normal(shift * y)
        bands = vars(confidence_bands(threshold_curves(scores, y), THRESHOLDS))
        for name, value in truth.items():
            covered[name] += (bands[name][0] <= value) & (value <= bands[name][1])
    print({name: (times / N_SIMULATIONS).round(3).tolist() for name, times in covered.items()})
    for name, times in covered.items():
        among = len(covered) * len(times)
        assert not any(is_below(t, 0.95, among=among) for t in times), f"{name}: {times} of {N_SIMULATIONS}"


def test_bands_have_a_width_where_nothing_was_missed():
    y = np.repeat([0, 1], [150, 8])
    bands = confidence_bands(threshold_curves(10.0 * y, y), [5.0])
    assert bands.recall[:, 0] == pytest.approx([0.631, 1.0], abs=0.001)
    assert bands.cost[1, 0] > 5


@pytest.mark.parametrize("n_events, length", [(12, 20), (30, 5)])
def test_bands_cover_where_anomalies_come_in_events(n_events, length):
    """Each event has a height of its own, so its rows are caught or missed together."""

    def series(seed, n=3000):
        rng = np.random.default_rng([seed, n_events])
        y = np.zeros(n, np.int8)
        height = np.zeros(n)
        for start in rng.choice(n // (2 * length), n_events, replace=False) * 2 * length:
            y[start : start + length] = 1
            height[start : start + length] = 2 + rng.normal()
        scores = autoregressive(rng, n, 0.8)[:, 0] + height
        dataset = Dataset(np.zeros((n, 1)), ("x",), y=y, time=np.arange(n, dtype=float), split=np.ones(n, np.int8))
        return ScoredTable.of(dataset, scores)

    recall, false = stats.norm.sf((THRESHOLDS - 2) / np.sqrt(2)), stats.norm.sf(THRESHOLDS)
    n_anomalous = n_events * length
    caught, alarms = n_anomalous * recall, (3000 - n_anomalous) * false
    truth = {
        "recall": recall,
        "false_alarm_rate": false,
        "precision": caught / (caught + alarms),
        "cost": alarms + 5 * (n_anomalous - caught),
    }
    covered = {name: np.zeros(len(THRESHOLDS), int) for name in truth}
    for seed in range(N_SIMULATIONS):
        scored = series(seed)
        stretches = scored.stretches("validation")
        bands = vars(confidence_bands(scored.curves("validation"), THRESHOLDS, stretches=stretches))
        for name, value in truth.items():
            covered[name] += (bands[name][0] <= value) & (value <= bands[name][1])
    print({name: (times / N_SIMULATIONS).round(3).tolist() for name, times in covered.items()})
    for name, times in covered.items():
        among = len(covered) * len(times)
        assert not any(is_below(t, 0.95, among=among) for t in times), f"{name}: {times} of {N_SIMULATIONS}"


@pytest.mark.parametrize("tail", [stats.expon(), stats.norm(), stats.t(3)], ids=["exponential", "normal", "heavy"])
@pytest.mark.parametrize("n, rate", [(300, 0.001), (1000, 0.01)])
def test_the_achieved_rate_of_the_extreme_value_rule_lies_in_its_interval(tail, n, rate):
    inside = 0
    for seed in range(N_SIMULATIONS):
        chosen = rules.choose("extreme_value", tail.rvs(n, random_state=np.random.default_rng([seed, n])), rate=rate)
        low, high = (float(end.split()[-1]) / 100 for end in chosen.sentence.split(" between ")[1].split(" %")[:2])
        inside += low - 5e-5 <= tail.sf(chosen.value) <= high + 5e-5
    print(inside / N_SIMULATIONS)
    assert not is_below(inside, 0.95)


@pytest.mark.parametrize("n_normal, n_anomalous, shift", [(500, 60, 4.0), (2000, 200, 3.0), (2000, 40, 5.0)])
def test_the_asked_precision_is_missed_in_at_most_five_of_a_hundred(n_normal, n_anomalous, shift):
    y = np.repeat([0, 1], [n_normal, n_anomalous])
    missed = answers = 0
    for seed in range(N_SIMULATIONS):
        scores = np.random.default_rng([seed, n_normal]).normal(shift * y)
        chosen = rules.choose("precision", scores, y)
        if not chosen.refused:
            caught = n_anomalous * stats.norm.sf(chosen.value - shift)
            missed += caught < 0.9 * (caught + n_normal * stats.norm.sf(chosen.value))
            answers += 1
    print(answers, missed)
    assert not is_below(answers, 0.1), "a rule that never answers keeps any promise"
    assert not is_above(missed, 0.05, max(answers, 1))


@pytest.mark.parametrize("coefficient", [0.9, 0.99])
@pytest.mark.parametrize("n", [2000, 20_000])
@pytest.mark.parametrize("by_time", [True, False])
def test_a_promise_in_a_series_holds_or_is_not_said(coefficient, n, by_time):
    """Scores are the distance from the mean of the training rows, so rows later in time are further away."""
    shares, bounds_broken, said = [], 0, 0
    for seed in range(N_SIMULATIONS if n == 2000 else N_SIMULATIONS // 5):
        rng = np.random.default_rng([seed, n])
        X = autoregressive(rng, 3 * n, coefficient, 2)
        split = chronological_split(np.arange(n)) if by_time else None
        dataset = Dataset(X[:n], ("a", "b"), split=split)
        scores = np.linalg.norm(X - dataset.part("train").mean(axis=0), axis=1)
        scored = ScoredTable.of(dataset, scores[:n])
        assert scored.is_series
        chosen = scored.choose("conformal", rate=0.02)
        if chosen.refused:
            assert "resemble" in chosen.sentence or "independent" in chosen.sentence
            assert by_time or np.isnan(scored.row_scores.p_value).all()
            continue
        said += 1
        shares.append(np.mean(scores[n:] >= chosen.value))
        bound = float(chosen.sentence.split("confidence, at most ")[1].split(" %")[0]) / 100
        centre = dataset.part("train").mean(axis=0)
        bounds_broken += stats.ncx2.sf(chosen.value**2, 2, float(centre @ centre)) > bound
    print(said, np.mean(shares) if shares else None, bounds_broken)
    assert by_time or said == 0
    if said >= 10:
        assert stats.ttest_1samp(shares, 0.02, alternative="greater").pvalue > ERROR
        assert not is_above(bounds_broken, 0.05, said)


def test_independent_rows_are_no_series_also_where_they_are_sorted_into_groups():
    found = grouped = in_order = 0
    for seed in range(N_SIMULATIONS):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(300, 4))
        found += is_series(X)
        grouped += is_series(X + 3 * np.repeat([[0], [1], [2]], 100, axis=0))
        ordered = np.sort(rng.normal(size=300))
        in_order += is_series(np.c_[ordered, ordered + 0.5 * X[:, 0]])
    print(found, grouped, in_order)
    assert found == 0 and not is_above(grouped, 0.02, among=2) and not is_above(in_order, 0.02, among=2)


@pytest.mark.parametrize("coefficient", [0.0, 0.5, 0.9])
def test_rows_of_a_series_are_worth_what_their_mean_tells(coefficient):
    truth = (1 - coefficient) / (1 + coefficient)
    worth = [
        independent_share(autoregressive(np.random.default_rng(seed), 2000, coefficient)[:, 0]) for seed in range(30)
    ]
    assert np.mean(worth) == pytest.approx(truth, rel=0.25)


def test_ties_at_the_border_are_counted_after_the_threshold_was_set():
    scores = np.repeat([0.0, 1.0, 2.0], [800, 150, 49])
    chosen = false_alarm_promise(scores, rate=0.05)
    assert f"{int(chosen.flag(scores).sum()):,} of them lie above" in chosen.sentence


def test_a_validation_row_is_not_compared_with_itself():
    """The p-value of a validation row is uniform, and the highest of n rows has 1 / n."""
    rng = np.random.default_rng(0)
    small, n_rows = 0, 0
    for _ in range(N_SIMULATIONS):
        dataset = Dataset(np.zeros((400, 1)), ("x",))
        scored = ScoredTable.of(dataset, rng.normal(size=400))
        rows = dataset.rows("validation")
        p_values = scored.row_scores.p_value[rows]
        assert p_values.min() == pytest.approx(1 / len(rows))
        assert scored.row_scores.percentile[rows].max() == 100
        assert np.isnan(scored.row_scores.p_value[dataset.rows("train")]).all()
        small, n_rows = small + int((p_values <= 0.05).sum()), n_rows + len(rows)
    assert abs(small / n_rows - 0.05) < 0.01


def test_a_budget_counts_the_rows_of_all_parts():
    rng = np.random.default_rng(0)
    time = np.datetime64("2024-01-01", "s") + np.sort(rng.integers(0, 20 * 86_400, 20_000))
    scored = ScoredTable.of(Dataset(np.zeros((20_000, 1)), ("x",), time=time), rng.normal(size=20_000))
    chosen = scored.choose("budget", rows_per_day=20)
    assert chosen.parameters["arrivals_per_day"] == pytest.approx(1000, rel=0.01)
    assert chosen.flag(scored.scores).sum() / 20 == pytest.approx(20, abs=4)


@pytest.mark.parametrize(
    "steps, expected",
    [
        (np.full(200, 7.0), 1 / 7),
        (np.r_[np.full(100, 0.1), 60, np.full(100, 0.1)], 9.5),
        (np.tile([0.0] * 99 + [1.0], 10), 100),
    ],
    ids=["weekly", "a gap", "dates without hours"],
)
def test_arrivals_are_rows_a_day(steps, expected):
    time = np.datetime64("2024-01-01", "s") + np.r_[0, np.cumsum(steps * 86_400)].astype(int)
    chosen = rules.choose(
        "budget", np.random.default_rng(0).normal(size=len(time)), None, {"time": time}, rows_per_day=0.1
    )
    assert chosen.parameters["arrivals_per_day"] == pytest.approx(expected, rel=0.05)


def test_a_budget_without_dates_says_that_the_arrivals_are_assumed():
    assert "which no dates tell" in rules.choose("budget", np.arange(1000.0), rows_per_day=20).sentence


@pytest.mark.parametrize("wide", [1.0, 3.0])
def test_rows_of_the_upper_group_are_as_likely_as_is_said(wide):
    rng = np.random.default_rng(1)
    scores = np.r_[rng.normal(0, wide, 2000), rng.normal(5 * wide, 0.5, 200)]
    chosen = rules.choose("mixture", scores)
    assert not chosen.refused
    end = float(chosen.sentence.split(" up to ")[1].split()[0]) if " up to " in chosen.sentence else np.inf

    def posterior(x):
        upper, lower = 200 * stats.norm.pdf(x, 5 * wide, 0.5), 2000 * stats.norm.pdf(x, 0, wide)
        return upper / (upper + lower)

    inside = np.linspace(chosen.value, min(end, 5 * wide + 1), 50)[1:-1]
    assert posterior(inside).min() > 0.4
    if wide == 3.0:
        assert end < 25 and chosen.caution and posterior(end + 0.5) < 0.5


def test_a_cost_with_a_tolerance_sees_the_rows_of_all_parts():
    """Scattered validation rows lack the neighbours whose alarms count: the cost is judged beside all rows."""
    excess = {"scattered": [], "alone": []}
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = 4000
        y = np.zeros(n, np.int8)
        for start in rng.choice(n // 40, 20, replace=False) * 40:
            y[start : start + 10] = 1
        scores = rng.normal(size=n) + 2.5 * y * (rng.random(n) < 0.4)
        scored = ScoredTable.of(Dataset(np.zeros((n, 1)), ("x",), y=y), scores)
        whole = threshold_curves(scores, y, CostModel(tolerance=10)).costs.cost
        best = whole(np.unique(scores)).min()
        rows = scored.rows("validation")
        chosen = scored.choose("cost", tolerance=10.0)
        assert "rows, judged beside their neighbours in all parts: " in chosen.sentence
        excess["scattered"].append(whole(chosen.value) / best)
        alone = rules.choose("cost", scores[rows], y[rows], {"position": rows.astype(float)}, tolerance=10.0)
        excess["alone"].append(whole(alone.value) / best)
    print({name: np.mean(values) for name, values in excess.items()})
    assert np.mean(excess["scattered"]) < 1.3
    assert np.mean(excess["scattered"]) < np.mean(excess["alone"])


def test_without_validation_rows_nothing_is_promised():
    scored = ScoredTable.of(
        Dataset(np.zeros((600, 1)), ("x",), split=np.zeros(600, np.int8)), np.random.default_rng(0).normal(size=600)
    )
    for rule in ("conformal", "false_discovery", "extreme_value"):
        assert scored.choose(rule).refused and "no validation rows" in scored.choose(rule).sentence
    assert "no validation rows" in scored.choose("quantile").caution
    assert np.isnan(scored.row_scores.p_value).all() and scored.notes()


def test_an_interval_of_a_threshold_holds_its_share_of_resamples():
    rng = np.random.default_rng(0)
    scores = rng.normal(size=500)
    chosen = bootstrap_interval(rules.choose("quantile", scores, share=0.05), scores, n_boot=200)
    again = np.array([rules.choose("quantile", rng.choice(scores, 500), share=0.05).value for _ in range(400)])
    assert np.mean((chosen.interval[0] <= again) & (again <= chosen.interval[1])) > 0.92
