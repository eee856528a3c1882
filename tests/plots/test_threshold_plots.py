"""Figures of the Detect page: their data and titles, with empty and awkward input too."""

import numpy as np
import pytest

from flowlab.detection import rules, timeline
from flowlab.detection.metrics import score_bins
from flowlab.explain.attribution import Reason
from flowlab.plots import attribution, threshold
from flowlab.plots import threshold as plots
from flowlab.plots.score_axis import ScoreAxis, bin_edges

RNG = np.random.default_rng(0)
SCORES = {
    "bulk": RNG.normal(size=500),
    "long tail": np.r_[RNG.normal(size=500), 1e6, 1e9],
    "constant": np.ones(20),
    "one row": np.array([3.0]),
    "highest": np.r_[RNG.normal(size=50), 1e100],
}


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("dark", [False, True])
def test_histograms_hold_every_row_and_mark_the_threshold(name, dark):
    scores = SCORES[name]
    axis = ScoreAxis.of(scores)
    edges, counts = score_bins(scores, None, bin_edges(axis, scores))
    assert counts["rows"].sum() == len(scores)
    fig = plots.score_histogram(axis, edges, counts, float(np.median(scores)), log_counts=True, dark=dark)
    assert len(fig.layout.shapes) == 1 and "rows per bin" in fig.layout.yaxis.title.text
    assert np.all(np.isfinite(fig.layout.xaxis.range))


def test_a_long_tail_is_compressed_and_a_bulk_is_not():
    assert ScoreAxis.of(SCORES["long tail"]).compressed and not ScoreAxis.of(SCORES["bulk"]).compressed
    axis = ScoreAxis.of(SCORES["long tail"])
    np.testing.assert_allclose(axis.score(axis.place(SCORES["long tail"])), SCORES["long tail"], rtol=1e-6, atol=1e-6)
    assert np.all(np.diff(axis.place(np.sort(SCORES["long tail"]))) >= 0)


def test_row_40_gaps_in_time_are_not_joined_and_no_peak_is_lost():
    time = np.datetime64("2024-01-01", "ns") + np.r_[np.arange(5000), np.arange(9000, 14000)] * np.timedelta64(1, "m")
    scores = RNG.normal(size=10_000)
    scores[1234] = 99.0
    shown_time, shown = timeline.signal(time, scores)
    assert np.isnan(shown).sum() == 1 and np.nanmax(shown) == 99.0 and len(shown) <= 4001
    gap = shown_time[np.flatnonzero(np.isnan(shown))[0]]
    assert time[4999] < gap < time[5000]
    fig = plots.score_over_time(
        ScoreAxis.of(scores), shown_time, shown, 3.0, [(time[10], time[20])], [("train", time[0], time[4999])], "time"
    )
    assert fig.data[0].connectgaps is False and len(fig.layout.shapes) == 3


def test_events_and_parts_follow_the_time_axis():
    time = np.arange(10.0)[::-1]
    y = np.array([0, 1, 1, 0, 0, 0, 1, 0, 0, 0])
    assert timeline.events(time, y) == [(3.0, 3.0), (7.0, 8.0)]
    assert [part[0] for part in timeline.parts_in_time(time, np.repeat([2, 1, 0], [3, 3, 4]))] == [
        "train",
        "validation",
        "test",
    ]
    assert timeline.parts_in_time(time, np.arange(10) % 3) == []


def test_rules_that_refuse_are_left_out_of_the_picture():
    scores = SCORES["bulk"]
    thresholds = rules.all_thresholds(scores)
    axis = ScoreAxis.of(scores)
    fig = threshold.rules_picture(
        axis, [t.rule for t in thresholds], np.array([t.value for t in thresholds]), [None] * len(thresholds),
        np.array([t.flag(scores).mean() for t in thresholds]), scores.min(), scores.max(), 0.0,
    )  # fmt: skip
    answered = [t.rule for t in thresholds if not t.refused]
    assert list(fig.layout.yaxis.ticktext) == answered


def test_empty_pictures_keep_axes_and_titles():
    assert attribution.reasons_bars([], "nats").layout.xaxis.title.text
    assert threshold.agreement_heatmap([], np.empty((0, 0))).data
    fig = threshold.rules_picture(ScoreAxis(), [], np.array([]), [], np.array([]), 0.0, 1.0, 0.5)
    assert fig.layout.xaxis.title.text == "anomaly score"


def reason(name, contribution):
    return Reason(1.0, 0.0, None, None, "1", "0", False, f"{name} 1, usually 0", 0, name, contribution)


def test_bars_and_curves_carry_units():
    fig = attribution.reasons_bars([reason("a", 2.0), reason("b", -1.0)], "nats")
    assert "nats" in fig.layout.xaxis.title.text and list(fig.data[0].y) == ["a", "b"]
    grid = np.linspace(0, 1, 5)
    band = np.vstack([grid - 0.1, grid + 0.1])
    fig = plots.curves_against_threshold(ScoreAxis(), grid, {"recall": grid}, {"recall": band}, 0.5, "share of rows")
    assert fig.layout.yaxis.title.text == "share of rows" and len(fig.data) == 2
