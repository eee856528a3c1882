"""Comparison of models: measures against scikit-learn and SciPy, refusals in words, honest verdicts."""

import numpy as np
import pytest
from simulations import N_SIMULATIONS, is_above
from sklearn.metrics import average_precision_score, roc_auc_score

from flowlab import catalog
from flowlab.evaluation.comparison import (
    QUADRANTS,
    Scored,
    check_comparable,
    consensus,
    detection_measures,
    disagreement,
    has_labels,
    held_out,
    held_out_labels,
    lead,
    leaderboard,
    normal_mean,
    quadrants,
    rank_shares,
    same_likelihoods,
    score_held_out,
    verdict,
)
from flowlab.records import Spec
from flowlab.views.comparison import trivial_rivals

COST = {"data": "d", "fit_seconds": 2.0, "score_seconds": 0.5, "n_parameters": 7}


def scored(name, separation, seed=0, trivial=False, n=2000, labelled=True, **more):
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=n) < 0.05).astype(np.int8)
    return Scored(name, rng.normal(size=n) + separation * y, y if labelled else None, "d", trivial=trivial, **more)


def test_measures_equal_scikit_learn():
    run = scored("flow", 2)
    (standing,) = leaderboard({"flow": [run]})
    assert standing.auroc.mean == pytest.approx(roc_auc_score(run.y, run.anomaly_score))
    assert standing.average_precision.mean == pytest.approx(average_precision_score(run.y, run.anomaly_score))
    top = np.argsort(-run.anomaly_score)[: run.y.sum()]
    assert standing.precision_at_k.mean == pytest.approx(run.y[top].mean())
    assert not standing.over_seeds and 0 < standing.auroc.spread < 0.05


def test_measures_with_ties_equal_scikit_learn():
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=500) < 0.1).astype(int)
    scores = (rng.normal(size=500) + y).round(0)
    found = detection_measures(scores, y)
    assert found.auroc == pytest.approx(roc_auc_score(y, scores))
    assert found.average_precision == pytest.approx(average_precision_score(y, scores))
    assert detection_measures(np.zeros(4), [1, 0, 0, 0], k=2).precision_at_k == 0.25
    assert np.isnan(detection_measures(scores, np.zeros(500)).auroc)


def test_weights_count_rows_as_often_as_they_say():
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=200) < 0.2).astype(int)
    scores = rng.normal(size=200) + y
    weights = rng.integers(0, 4, size=(3, 200)).astype(float)
    found = detection_measures(scores, y, k=20, weights=weights)
    for i in range(3):
        repeated = np.repeat(np.arange(200), weights[i].astype(int))
        assert found.auroc[i] == pytest.approx(roc_auc_score(y[repeated], scores[repeated]))
        assert found.precision_at_k[i] == pytest.approx(
            float(detection_measures(scores[repeated], y[repeated], k=20).precision_at_k)
        )


def test_spread_is_over_seeds_when_there_are_several():
    runs = [scored("flow", 2, seed) for seed in range(4)]
    (standing,) = leaderboard({"flow": runs})
    aurocs = [roc_auc_score(run.y, run.anomaly_score) for run in runs]
    assert standing.auroc.mean == pytest.approx(np.mean(aurocs))
    assert standing.auroc.spread == pytest.approx(np.std(aurocs, ddof=1))
    assert standing.over_seeds and standing.n_seeds == 4


def test_best_comes_first_and_without_labels_likelihood_decides():
    board = leaderboard({"a": [scored("a", 1)], "b": [scored("b", 3)], "coin": [scored("coin", 0, trivial=True)]})
    assert [s.name for s in board] == ["b", "a", "coin"]
    board = leaderboard({n: [scored(n, 0, labelled=False, log_likelihood=v)] for n, v in (("a", -2.0), ("b", -1.0))})
    assert [s.name for s in board] == ["b", "a"]
    assert "Without labels nobody knows" in verdict(board)


def test_verdict_says_when_one_column_solves_it():
    board = leaderboard({"Spline flow": [scored("f", 6)], "|z| of ips": [scored("z", 6, trivial=True)]})
    assert "|z| of ips already solves this" in verdict(board)
    assert "Spline flow adds nothing that shows" in verdict(board)


def test_a_rival_that_is_worse_by_more_than_the_noise_does_not_solve_it():
    """0.971 against 1.000 on the same rows is a difference, however near to one both are."""
    flow, z = scored("f", 9), scored("z", 2.7, trivial=True)
    board = leaderboard({"flow": [flow], "largest |z|": [z]})
    assert min(s.auroc.mean for s in board) > 0.95
    assert verdict(board).startswith("Flow detects best")


def test_verdict_names_the_winner_or_the_tie():
    coin = {"coin": [scored("coin", 0, trivial=True)]}
    clear = verdict(leaderboard({"flow": [scored("f", 4)], "forest": [scored("g", 1)]} | coin))
    assert clear.startswith("Flow detects best") and "coin" in clear
    tie = verdict(leaderboard({"flow": [scored("f", 3)], "forest": [scored("g", 3)]} | coin))
    assert "cannot be told apart on these rows" in tie
    weak = verdict(leaderboard({"flow": [scored("f", 1)], "max |z|": [scored("z", 1.1, trivial=True)]}))
    assert "No model beats the one-line rival max |z|" in weak


def test_detectors_that_differ_among_the_highest_scores_are_not_called_equal():
    """AUROC alike, average precision not: one buries some of the anomalies, the other mixes in all of them a little."""
    rng = np.random.default_rng(0)
    n, m = 3000, 100
    y = np.r_[np.zeros(n), np.ones(m)]
    split = np.r_[rng.normal(size=n), rng.normal(6, 0.5, 80), rng.normal(0.2, 1, 20)]
    even = np.r_[rng.normal(size=n), rng.normal(1.93, 1, m)]
    board = leaderboard({name: [Scored(name, s, y, "d")] for name, s in (("split", split), ("even", even))})
    found = {s.name: s for s in board}
    assert abs(found["split"].auroc.mean - found["even"].auroc.mean) < 0.03
    assert found["split"].average_precision.mean > found["even"].average_precision.mean + 0.2
    assert lead(found["split"], found["even"])[1] == 1
    assert "cannot be told apart" not in verdict(board)


@pytest.mark.parametrize("n_anomalies", [6, 40])
def test_of_equal_detectors_none_is_called_better_beyond_the_level(n_anomalies):
    """Two noisy looks at one truth: either leads by either measure in at most a twentieth of the repetitions."""
    rng, leads = np.random.default_rng(0), []
    y = np.r_[np.zeros(300), np.ones(n_anomalies)]
    for _ in range(N_SIMULATIONS):
        common = rng.normal(size=len(y)) + 2 * y
        board = leaderboard({name: [Scored(name, common + rng.normal(size=len(y)), y, "d")] for name in "ab"})
        leads.append(lead(*board))
    led = np.count_nonzero(leads, axis=0)
    print(led / N_SIMULATIONS)
    assert not any(is_above(times, 0.05, among=len(led)) for times in led), f"{led} of {N_SIMULATIONS}"


def test_a_column_chosen_on_validation_rows_does_not_beat_the_best_detector_by_chance():
    """160 columns that tell hardly anything each: chosen with the test labels, one of them won every time."""
    from flowlab.datasets.dataset import Dataset, random_split
    from flowlab.models.classical.density import Gaussian

    beaten, reached = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(600, 160)), np.zeros(600, np.int8)
        y[rng.choice(600, 40, replace=False)] = 1
        X[y == 1] += 0.25  # in all columns together
        data = Dataset(X, tuple(f"c{j}" for j in range(160)), y, split=random_split(600, seed=seed, y=y))
        (rival,) = [r for r in trivial_rivals(Gaussian(), data) if "alone" in r.name]
        best = Scored("best", X[held_out(data)].sum(1), rival.y, rival.data)
        beaten.append(
            "No model beats the one-line rival column" in verdict(leaderboard({"best": [best], "c": [rival]}))
        )
        reached.append(float(detection_measures(rival.anomaly_score, rival.y).auroc))
    assert not any(beaten)
    assert np.mean(reached) < 0.7


def test_likelihoods_of_different_things_are_not_ranked_together():
    def run(name, likelihood, of="", seed=0):
        return scored(name, 0, seed, labelled=False, log_likelihood=likelihood, likelihood_of=of)

    given, joint = "given the context", "with the context as a number"
    board = leaderboard({"flow": [run("flow", -0.4, given)], "mixture": [run("mixture", 4.0, joint)]})
    assert "of different things, so they are not ranked" in verdict(board)
    alike = leaderboard({"a": [run("a", 3.0)], "b": [run("b", 1.0, seed=1)], "vae": [run("vae", 9.0, "a lower bound")]})
    assert [s.name for s in same_likelihoods(alike)] == ["a", "b"]
    assert "vae" not in verdict(alike) and "of those that are of the same" in verdict(alike)


def test_what_a_likelihood_is_of_is_said_by_model_and_table():
    from dataclasses import replace

    def of(name, data):
        model = catalog.make_model(Spec(name))
        return score_held_out("m", data, np.zeros(len(data)), model, **COST).likelihood_of

    data = toy(0.0)
    assert of("spline", data) == of("kde", data) == of("forest", data) == "" and of("vae", data) == "a lower bound"
    constant = replace(data, X=np.c_[data.X, np.ones(len(data))], columns=("x", "y", "one"), density=None)
    assert len({of(name, constant) for name in ("spline", "kde", "gaussian")}) == 3, "each by its own convention"
    classes = catalog.make_dataset(Spec("moons", {"by_class": True, "n_samples": 500}), 0)
    assert of("spline", classes) == "given the context" and of("mixture", classes) == "with the context as a number"


def test_models_that_catch_everything_are_not_certain_to():
    """A spread of nought would say that no anomaly could have been missed."""
    y = np.r_[np.zeros(150), np.ones(8)]
    (standing,) = leaderboard({"m": [Scored("m", y + 0.0, y, "d")]})
    assert standing.auroc.mean == 1 and standing.auroc.spread > 0.05
    assert standing.precision_at_k.mean == 1 and standing.precision_at_k.spread > 0.05


def test_other_data_or_splits_are_refused_in_words():
    a, b = scored("flow", 1), scored("forest", 1)
    check_comparable([a, b])
    with pytest.raises(ValueError, match="flow and tree cannot be compared: they were trained on different data"):
        check_comparable([a, Scored("tree", b.anomaly_score, b.y, "other")])


def test_consensus_does_not_depend_on_units():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50))
    np.testing.assert_allclose(consensus([a, b]), consensus([np.exp(a), 1000 * b]))
    assert rank_shares(a).min() == 0.01 and rank_shares(a).max() == 0.99


def test_quadrants_and_disagreement():
    reconstruction = np.array([0.0, 9.0, 0.1, 8.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    likelihood = np.array([0.0, 9.0, 8.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    kinds = [QUADRANTS[i] for i in quadrants(reconstruction, likelihood, share=0.2)]
    assert kinds[:4] == ["neither alarmed", "both alarmed", "only likelihood", "only reconstruction"]
    assert set(kinds[4:]) == {"neither alarmed"}
    assert np.argmax(disagreement(reconstruction, likelihood)) == 3
    assert np.argmin(disagreement(reconstruction, likelihood)) == 2
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        quadrants(reconstruction, likelihood, 0)


def toy(anomaly_share=0.05):
    return catalog.make_dataset(Spec("moons", {"n_samples": 1000, "anomaly_share": anomaly_share}), 0)


def test_models_are_scored_on_the_test_rows_and_by_their_normal_ones():
    data = toy()
    scores = np.arange(len(data.X), dtype=float)
    cost = {"data": "d", "fit_seconds": 2.0, "score_seconds": 0.5, "n_parameters": 7}
    run = score_held_out("flow", data, scores, catalog.make_model(Spec("spline")), **cost)
    test = data.split == 2
    assert np.array_equal(held_out(data), np.flatnonzero(test)) and has_labels(data)
    assert np.array_equal(run.anomaly_score, scores[test])
    assert np.array_equal(run.y, held_out_labels(data)) and np.array_equal(run.y, data.y[test])
    assert run.log_likelihood == pytest.approx(-scores[test & (data.y == 0)].mean())
    assert (run.data, run.fit_seconds, run.score_seconds, run.n_parameters, run.trivial) == ("d", 2.0, 0.5, 7, False)
    code = catalog.make_model(Spec("autoencoder"))
    assert np.isnan(score_held_out("code", data, scores, code, **cost).log_likelihood)


def test_a_mean_over_no_normal_rows_is_unknown():
    values = np.array([1.0, 2.0, 6.0])
    assert normal_mean(values, None) == 3.0 and normal_mean(values, np.array([0, 0, 1])) == 1.5
    assert np.isnan(normal_mean(values, np.ones(3)))
    assert not has_labels(toy(0.0))
