"""Learning from answers: nothing without them, the rows like them with them, and an estimate that does not flatter."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from flowlab.detection.learned import learn, ranked


def _table(seed, n=1500):
    """A cloud with two equally far groups, of which the second alone is an anomaly; scores are the distance."""
    rng = np.random.default_rng(seed)
    group = rng.choice(3, n, p=[0.92, 0.04, 0.04])
    X = rng.normal(size=(n, 4))
    X[group == 1, 0] += 5
    X[group == 2, 1] += 5
    return np.linalg.norm(X, axis=1), X, group == 2


def _answers(rows, y):
    return {int(row): bool(y[row]) for row in rows}


def test_without_decided_answers_the_order_is_the_detectors():
    scores, X, _ = _table(0)
    scores = scores.round(1)  # ties stay ties
    for answers in ({}, {3: None, 5: None}):
        learned = learn(scores, X, answers)
        np.testing.assert_array_equal(ranked(learned.scores), ranked(scores))
        assert learned.gain is None and learned.moved(scores, 50) == 0


def test_twenty_answers_tell_two_groups_apart_and_the_estimate_says_so():
    better = 0
    for seed in range(3):
        scores, X, y = _table(seed)
        top = ranked(scores)[: 2 * y.sum()]
        answers = _answers(np.random.default_rng(seed).choice(top, 20, replace=False), y)
        learned = learn(scores, X, answers)
        rest = np.setdiff1d(np.arange(len(y)), list(answers))
        before, after = (average_precision_score(y[rest], s[rest]) for s in (scores, learned.scores))
        assert after > before + 0.15
        assert learned.gain is not None and learned.gain.after > learned.gain.before
        better += learned.gain.interval[0] > 0
        assert learned.moved(scores, 60) > 0
    assert better >= 2


def test_answers_by_chance_are_seldom_called_better():
    called = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        scores, X, _ = _table(seed, 600)
        said = {int(row): bool(rng.random() < 0.5) for row in rng.choice(600, 20, replace=False)}
        learned = learn(scores, X, said)
        called += learned.gain is not None and "better by more" in learned.sentence
    assert called <= 2, called


def test_answers_that_agree_with_the_detector_cost_nothing():
    lost = []
    for seed in range(8):
        scores, X, _ = _table(seed, 600)
        y = scores > np.quantile(scores, 0.95)
        rows = np.random.default_rng(seed).choice(ranked(scores)[:60], 20, replace=False)
        learned = learn(scores, X, _answers(rows, y))
        rest = np.setdiff1d(np.arange(600), rows)
        lost.append(1 - average_precision_score(y[rest], learned.scores[rest]))
    assert np.mean(lost) < 0.03, lost


def test_few_answers_give_no_estimate():
    scores, X, _ = _table(1)
    learned = learn(scores, X, {int(row): False for row in ranked(scores)[:20]})
    assert learned.gain is None and "from 5 answers of each kind on" in learned.sentence
    with pytest.raises(ValueError, match="a row for each"):
        learn(scores, X[1:], {})


def test_the_row_asked_next_lies_at_the_border_or_where_members_disagree():
    scores, X, y = _table(2)
    learned = learn(scores, X, _answers(ranked(scores)[:20], y))
    place = np.argsort(ranked(learned.scores))
    row = learned.next_row(60, dict.fromkeys(range(0)))
    assert place[row] < 200
    apart = np.zeros(len(y))
    apart[np.argsort(place)[100]] = 400.0
    assert learned.next_row(60, {}, apart) == np.argsort(place)[100]
    assert learned.next_row(60, dict.fromkeys(range(len(y)))) is None
