"""Thresholds and what they cost, against a count by hand, scipy and what is known of lecture 002's exercise."""

import numpy as np
import pytest

from flowlab.datasets.dataset import Part
from flowlab.evaluation import loss_curve
from flowlab.models.classical.density import KDE
from flowlab.records import RunSpec, TrainEvent
from flowlab.teaching.exhibits import decision
from flowlab.teaching.lessons import RunBlock, lessons
from flowlab.toys.contaminated import Clump2D


def test_row_38_the_lecture_s_flow_on_a_cluster_is_one_click():
    lesson = next(lesson for lesson in lessons() if lesson.key == "decision")
    block = next(block for block in lesson.blocks if isinstance(block, RunBlock))
    assert isinstance(block.spec, RunSpec) and block.spec.data.name == "cluster"
    wanted = {"n_layers": 6, "hidden_features": 32, "n_hidden": 1, "patience": 10}
    spec = {**{"hidden_features": 32}, **block.spec.model.params}
    assert {name: spec[name] for name in wanted} == wanted
    assert decision._cluster().n_features == 159
    assert "val_loss < 0" in block.claims, "the loss falls below 0, as in the lecture"


def test_row_39_the_best_loss_is_below_zero_for_columns_of_small_spread():
    result = decision.negative_loss(0.1, 159)
    assert result.loss == pytest.approx(159 * 0.5 * np.log(2 * np.pi * np.e * 0.01)) and result.loss < 0
    assert decision.negative_loss(result.zero_at, 5).loss == pytest.approx(0, abs=1e-9)
    events = [TrainEvent(i, 3, float(i), loss, loss, 1.0, 1.0, True, "") for i, loss in enumerate((5.0, 1.0, -2.0))]
    banner = [answer for answer in loss_curve.answers(events, 159) if answer.key == "negative"]
    assert len(banner) == 1 and "below 0" in banner[0].text
    assert not [answer for answer in loss_curve.answers(events[:2], 159) if answer.key == "negative"]


def test_row_40_a_gap_is_not_drawn_across_and_the_axis_holds_timestamps():
    with_gap, without = decision.alarm_signal(), decision.alarm_signal(gap=False)
    assert (with_gap.n_breaks, without.n_breaks) == (1, 0)
    assert np.issubdtype(with_gap.time.dtype, np.datetime64)
    fig = decision.draw_alarm_signal(with_gap)
    assert fig.data[0].connectgaps is False and len(fig.data[1].x) == with_gap.alarms
    assert len(with_gap.events) >= 2
    assert [part[0] for part in with_gap.parts] == [Part.TRAIN, Part.VALIDATION, Part.TEST]


def counted(scores, y, threshold, c_missed, tolerance):
    """The cost as the course counts it, row by row."""
    alarms, anomalies = np.flatnonzero(scores >= threshold), np.flatnonzero(y)
    false = sum(1 for a in alarms if not (np.abs(anomalies - a) <= tolerance).any())
    missed = sum(1 for b in anomalies if not (np.abs(alarms - b) <= tolerance).any())
    return false + c_missed * missed


def test_row_41_costs_and_their_plateau_are_those_of_a_count_by_hand():
    result = decision.costs("squares", c_missed=5.0, tolerance=12, n_steps=20)
    data, (scores, _) = decision._cluster(), decision._scores("squares")
    validation, test = data.rows(Part.VALIDATION), data.rows(Part.TEST)
    for rows, cost in ((validation, result.on_validation), (test, result.on_test)):
        assert counted(scores[rows], data.y[rows], result.value, 5.0, 12) == cost
    low, high = result.plateau
    for value in (low + 0.01 * (high - low), high):
        assert counted(scores[validation], data.y[validation], value, 5.0, 12) == result.on_validation
    assert result.validation.min() >= result.on_validation and result.coarse_on_validation >= result.on_validation
    assert result.never_on_test == 5 * data.y[test].sum()
    assert len(decision.draw_costs(result).layout.shapes) == 2, "plateau and threshold"


def test_a_finer_search_can_cost_more_on_other_rows():
    result = decision.costs("squares")
    assert result.on_validation < result.coarse_on_validation and result.on_test > result.coarse_on_test


def test_row_42_one_line_rivals_stand_beside_the_kernel_density():
    result = decision.rivals()
    assert {"kernel density", "sum of z²", "largest |z|", "a coin"} <= set(result.names)
    assert result.auroc[-1] == pytest.approx(0.5, abs=0.06) and (result.seconds >= 0).all()
    data, (scores, _) = decision._cluster(), decision._scores("kde")
    S = (data.X - data.part("train").mean(0)) / data.part("train").std(0)
    some = S[data.rows(Part.TEST)][:20]
    kde = KDE(bandwidth=0.5, standardize=False).fit(S[data.rows(Part.TRAIN)])
    np.testing.assert_allclose(scores[data.rows(Part.TEST)][:20], kde.anomaly_score(some), rtol=1e-6)


@pytest.mark.parametrize("alpha", [-12.0, -9.0, -3.5])
def test_row_102_alpha_and_theta_select_the_same_rows(alpha):
    result = decision.selected(alpha)
    assert result.theta == -alpha and result.differ == 0
    log_p = Clump2D().log_density(Clump2D(share=0.5).sample(2000, 0))
    np.testing.assert_array_equal(log_p <= alpha, -log_p >= result.theta)


def test_row_106_shares_of_both_gaussians_are_those_known_of_the_exercise():
    result = decision.selected(-9.0)
    assert (result.bulk_x2, result.mixture_x2) == pytest.approx((0.717, 0.416), abs=0.01)
    known = pytest.approx((0.749, 0.707), abs=0.025)
    assert (result.at_a_thousandth_bulk, result.at_a_thousandth_mixture) == known
    assert (np.diff(result.x1) >= 0).all() and (np.diff(result.x2) >= 0).all()
