"""The clump and its cures, against what is known of the mixture and of lecture 002's exercise."""

import numpy as np
import pytest
from scipy.stats import kstest

from flowlab.detection.metrics import LabelledMeasures, threshold_curves
from flowlab.evaluation.two_sample import energy_test, ks_test, mmd_test
from flowlab.ranking import auroc
from flowlab.teaching.exhibits.clump import SCORES, anomaly_score, cures, learned, paradox, weighted_auroc
from flowlab.teaching.exhibits.clump_labels import draw_hidden, draw_noisy_labels, hidden, noisy_labels
from flowlab.teaching.exhibits.two_samples import compared
from flowlab.toys.contaminated import Clump1D


def test_row_97_known_equal_samples_have_uniform_p_values():
    rng = np.random.default_rng(3)
    for test in (ks_test, energy_test, mmd_test):
        p = [test(*rng.normal(size=(2, 40, 2)), random_state=i, n_permutations=99).p_value for i in range(60)]
        assert kstest(p, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_the_exhibit_tests_columns_and_rows_jointly():
    result = compared(share=0.2, n=1000)
    assert result.per_axis.shape == (2,) and len(result.p_values) == 4
    assert result.effects[0] == result.per_axis.max()
    assert result.lowest_p < 0.01


def test_row_98_the_clump_is_over_dense_and_a_wide_one_is_out_of_density():
    over, out = paradox(width=0.1), paradox(width=5.0)
    assert (over.log_p_clump, over.log_p_3) == pytest.approx((-3.22, -5.43), abs=0.005)
    assert over.caught < 0.2 < 0.85 < out.caught and out.log_p_clump < out.log_p_3
    by_score = {score: paradox(score=score).auroc for score in SCORES}
    assert by_score["bulk"] > 0.9999 and by_score["ratio"] > 0.9999
    assert by_score["density"] == pytest.approx(0.978, abs=0.001)
    assert paradox(width=0.05).auroc == pytest.approx(0.951, abs=0.002)


def test_row_100_oracle_aurocs_of_the_mixture_and_its_histogram():
    result = paradox(share=0.01, distance=10, width=0.1)
    assert result.auroc == pytest.approx(0.978, abs=0.001)
    assert paradox(score="bulk").auroc == pytest.approx(1.0, abs=1e-6)
    assert result.counts.sum() == pytest.approx(20_000, abs=5)
    assert result.counts[result.edges[:-1] > 8].sum() == 200


def test_areas_and_shares_of_quantiles_equal_those_of_draws():
    clump = Clump1D(0.3, 3.0, 0.4)
    X, component = clump.sample_with_components(200_000, 1)
    drawn = auroc(anomaly_score(clump, X[:, 0], "density"), component)
    result = paradox(0.3, 3.0, 0.4)
    assert result.auroc == pytest.approx(drawn, abs=0.004)
    assert np.trapezoid(result.recall, result.false_alarm_rate) == pytest.approx(result.auroc, abs=0.002)
    assert np.isnan(weighted_auroc(np.arange(3.0), np.zeros(3), np.ones(3)))


def test_row_99_noise_in_labels_lets_the_clump_in_and_without_labels_no_measure_is_shown():
    caught = [noisy_labels(missed).caught for missed in (0, 0.1, 0.5, 1)]
    assert caught[0] > 0.999 and (np.diff(caught) < 0).all()
    assert noisy_labels(1.0).auroc == pytest.approx(paradox().auroc, abs=1e-3)
    unlabelled = noisy_labels(has_labels=False)
    assert np.isnan([unlabelled.caught, unlabelled.auroc, unlabelled.measured_auroc]).all()
    assert len(draw_noisy_labels(unlabelled).data[0].x) == 0
    curves = threshold_curves(np.arange(4.0))
    assert not curves.has_labels and not isinstance(curves.at(1.0), LabelledMeasures)


def test_row_103_the_exercise_hides_fifty_rows_until_they_are_revealed():
    secret, open_ = hidden(), hidden(reveal=True)
    assert (open_.n_normal, open_.n_anomalous) == (49_950, 50)
    assert {trace.name for trace in draw_hidden(secret).data} == {"rows", "flagged"}
    named = {trace.name: len(trace.x) for trace in draw_hidden(open_).data}
    assert named["anomalies caught"] + named["anomalies missed"] == 50
    assert named["anomalies caught"] + named["false alarms"] == 50
    assert "anomal" not in secret.finding.replace("Which of them are anomalies is not shown yet", "")


@pytest.mark.slow
def test_row_108_recall_falls_once_the_clump_is_learned():
    result = learned()
    assert result.caught[0] > 0.95 and result.caught[-1] < 0.4
    assert result.nats[-1] < result.nats[0] / 3
    assert result.truth_caught <= result.caught.min() + 0.05


def test_a_smoothed_density_fails_where_the_clump_is_no_longer_rare():
    few, many = cures(), cures(share=0.3)
    assert few.wide_kernel > 0.99 > 0.9 > many.wide_kernel
    assert few.before < 0.2 and few.bulk_only > 0.99 and few.one_gaussian > 0.99
