"""Auditing a threshold without labels: the intervals hold the truth, and few answers are no certainty."""

import numpy as np
import pytest

from flowlab.detection.audit import estimate, plan_audit


def _population(seed, n=5000):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.03
    return np.where(y, rng.normal(3.0, 1.2, n), rng.normal(0, 1, n)), y


def test_intervals_cover_the_truth():
    thresholds = np.array([1.5, 2.0, 3.0])
    covered = np.zeros((2, 3))
    for seed in range(150):
        scores, y = _population(seed)
        audit = plan_audit(scores, 2.0, random_state=seed)
        found = estimate(audit, {int(r): bool(y[r]) for r in audit.first_rows(20)}, thresholds)
        for i, t in enumerate(thresholds):
            truth = y[scores >= t].mean(), (y & (scores >= t)).sum() / y.sum()
            for j, (_, low, high) in enumerate((found.precision[:, i], found.recall[:, i])):
                covered[j, i] += low <= truth[j] <= high
    assert np.all(covered / 150 >= 0.9), covered / 150


def test_the_estimate_is_right_on_average_and_exact_when_all_rows_are_answered():
    scores, y = _population(1, 400)
    audit = plan_audit(scores, 2.0)
    everything = estimate(audit, {i: bool(v) for i, v in enumerate(y)}, [0.0, 2.0])
    assert everything.precision[0] == pytest.approx([y[scores >= 0].mean(), y[scores >= 2].mean()])
    assert everything.anomaly_rate[0] == pytest.approx(y.mean())
    averages = []
    for seed in range(300):
        audit = plan_audit(scores, 2.0, random_state=seed)
        answers = {int(r): bool(y[r]) for r in audit.first_rows(20)}
        averages.append(estimate(audit, answers, [2.0]).precision[0, 0])
    assert np.mean(averages) == pytest.approx(y[scores >= 2].mean(), abs=0.03)


def test_few_equal_answers_are_no_certainty():
    scores, _ = _population(2)
    audit = plan_audit(scores, 2.0)
    rows = audit.first_rows(20)
    found = estimate(audit, {int(r): True for r in rows}, [2.0])
    assert found.precision[0, 0] == 1 and found.precision[1, 0] < 0.9
    unsure = estimate(audit, {int(r): None for r in rows}, [2.0])
    assert unsure.n_answers == 0 and unsure.n_unsure == len(rows)
    assert unsure.precision[2, 0] - unsure.precision[1, 0] > 0.8


def test_rows_lie_on_both_sides_and_more_answers_narrow_the_interval():
    scores, y = _population(3)
    audit = plan_audit(scores, 2.0)
    rows = audit.first_rows(20)
    assert 18 <= len(rows) <= 22 and len(set(rows.tolist())) == len(rows)
    assert (scores[rows] >= 2).sum() >= 8 and (scores[rows] < 2).sum() >= 8
    answers = {int(r): bool(y[r]) for r in rows}
    before = estimate(audit, answers, [2.0]).recall
    for _ in range(100):
        row = audit.next_row(answers)
        assert row not in answers
        answers[row] = bool(y[row])
    after = estimate(audit, answers, [2.0]).recall
    assert after[2, 0] - after[1, 0] < before[2, 0] - before[1, 0]


@pytest.mark.parametrize("threshold", [-10.0, 10.0])
def test_thresholds_that_flag_everything_or_nothing(threshold):
    scores, y = _population(4, 30)
    audit = plan_audit(scores, threshold)
    answers = {int(r): bool(y[r]) for r in audit.first_rows(20)}
    found = estimate(audit, answers, [threshold, 0.5])
    assert np.isnan(found.precision[0, 0]) == (threshold > 0)
    while (row := audit.next_row(answers)) is not None:
        answers[row] = False
    assert len(answers) == 30
