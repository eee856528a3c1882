"""The monitor may be looked at after every row: it keeps its error bound, finds what changed, and can be put away."""

import numpy as np
import pytest

from flowlab.detection.monitor import Monitor, promised_share


def test_streams_that_keep_the_promise_are_called_broken_no_more_often_than_stated():
    """200 streams of 10,000 rows at exactly the promised share, looked at after each row; 33 of 1,000 were broken."""
    rng = np.random.default_rng(0)
    broken = sum(Monitor(0.02, 0.05).seen(rng.random(10_000) < 0.02).is_broken for _ in range(200))
    print(f"broken in {broken} of 200 streams in control, at most 10 stated")
    assert 0 < broken <= 10


def test_a_doubled_share_is_found_soon_and_placed_where_it_began():
    rng = np.random.default_rng(1)
    delays, places = [], []
    for _ in range(40):
        rates = np.where(np.arange(40_000) < 5000, 0.02, 0.04)
        found = Monitor(0.02, 0.01).seen(rng.random(40_000) < rates)
        delays.append(found.broken_at - 5000)
        places.append(found.broken_since)
    print(f"median delay {np.median(delays):.0f} rows, 90 % within {np.quantile(delays, 0.9):.0f}")
    assert np.sum(np.array(delays) <= 0) <= 2 and np.quantile(delays, 0.9) < 5000
    assert np.median(np.abs(np.array(places) - 5000)) < 1500


def test_piece_by_piece_gives_what_one_piece_gives_also_through_a_file():
    rng = np.random.default_rng(2)
    flagged = rng.random(6000) < np.where(np.arange(6000) < 2000, 0.01, 0.05)
    whole, parts = Monitor(0.01).seen(flagged), Monitor(0.01)
    for part in np.split(flagged, [1, 700, 2500, 2500, 4001]):
        parts = Monitor.from_record(parts.seen(part).to_record())
    assert (parts.broken_at, parts.broken_since, parts.n_flagged) == (
        whole.broken_at, whole.broken_since, whole.n_flagged
    )  # fmt: skip
    np.testing.assert_allclose(parts.log_wealth, whole.log_wealth)
    assert "has been broken since about row" in whole.sentence


def test_fewer_flagged_rows_than_promised_break_nothing():
    assert not Monitor(0.1, 0.2).seen(np.zeros(50_000, bool)).is_broken
    found = Monitor(0.5).seen(np.ones(200, bool))
    assert found.is_broken and "200 of 200 rows so far are flagged" in found.sentence


@pytest.mark.parametrize("record", [{}, {"share": 0.1, "log_wealth": [1]}, {"share": "x", "log_wealth": []}])
def test_a_damaged_history_is_refused_in_a_sentence(record):
    with pytest.raises(ValueError, match="cannot be read"):
        Monitor.from_record(record)


def test_the_promised_share_is_an_upper_confidence_bound():
    rng = np.random.default_rng(3)
    held = np.mean([promised_share(400, int(rng.binomial(400, 0.03))) >= 0.03 for _ in range(4000)])
    assert held >= 0.95 and promised_share(10, 10) == 1.0
