"""Two versions on the same rows: counts, places and measures are those one counts by hand."""

import numpy as np
import pytest

from flowlab.evaluation.versions import Versions
from flowlab.ranking import average_precision

RNG = np.random.default_rng(0)
Y = (np.arange(400) % 20 == 0).astype(int)
GOOD, POOR = Y * 2.0 + RNG.normal(size=400), Y * 0.3 + RNG.normal(size=400)


def versions(old, new, y=None):
    return Versions(old, new, old > 1.5, new > 1.5, y)


def test_flags_and_places():
    found = versions(np.array([3.0, 2.0, 1.0, 0.0]), np.array([0.0, 2.0, 5.0, 1.0]))
    assert (found.only_old.tolist(), found.both.tolist(), found.only_new.tolist()) == ([0], [1], [2])
    assert found.old_place.tolist() == [1, 2, 3, 4] and found.new_place.tolist() == [4, 2, 1, 3]
    assert found.moved()[:2].tolist() == [0, 2] and found.verdict(0) == "only old" and found.verdict(3) == "neither"
    assert "1 both, 1 only the old, 1 only the new" in found.sentences[0] and len(found.sentences) == 2


def test_the_better_one_is_called_better_and_the_same_one_the_same():
    precision = versions(POOR, GOOD, Y).measures[0]
    assert precision.new == pytest.approx(average_precision(GOOD, Y == 1)) and precision.interval[0] > 0
    assert "better by more than chance" in precision.sentence
    assert "worse by more than chance" in versions(GOOD, POOR, Y).measures[0].sentence
    assert all("the same for both" in measure.sentence for measure in versions(GOOD, 3 * GOOD, Y).measures)


def test_noise_is_called_better_no_more_often_than_the_interval_says():
    rng, called = np.random.default_rng(1), 0
    for _ in range(20):
        base = Y * 1.0 + rng.normal(size=400)
        pair = (base + 0.7 * rng.normal(size=400) for _ in range(2))
        called += "no clear difference" not in versions(*pair, Y).measures[0].sentence
    assert called <= 4  # 95 % intervals: more than 4 of 20 has a chance of 1 in 400


def test_quality_is_measured_on_the_held_out_rows_alone():
    rows = np.arange(200, 400)
    spoilt = np.where(np.arange(400) < 200, -GOOD, GOOD)
    found = Versions(GOOD, spoilt, GOOD > 2, spoilt > 2, Y, rows)
    assert found.measures[0].old == found.measures[0].new and "On 200 held-out rows" in found.sentences[2]
    with pytest.raises(ValueError, match="the same rows"):
        Versions(GOOD, POOR[:3], GOOD > 1, POOR > 1)
