"""What is said of a new file: one level for the file, the shift that would have been seen, flagged rows both ways."""

import numpy as np
import pytest
from simulations import N_SIMULATIONS, is_above

from flowlab.detection.drift import FlaggedRows, baseline, drift_sentences, visible_shift


def sentences(seed, n, n_columns, n_training, n_validation, moved=0.0, n_moved=1):
    """What is said of `n` rows; the first `n_moved` columns move by `moved` standard deviations."""
    rng = np.random.default_rng([seed, n, n_columns])
    X, scores = rng.normal(size=(n_training, n_columns)), rng.gamma(2.0, size=n_validation)
    known = baseline(X, scores)
    threshold = np.quantile(scores, 0.98)
    new, new_scores = rng.normal(size=(n, n_columns)), rng.gamma(2.0, size=n)
    new[:, :n_moved] += moved
    flagged = FlaggedRows(n_validation, int((scores >= threshold).sum()), n, int((new_scores >= threshold).sum()))
    names = tuple(f"x{j}" for j in range(n_columns))
    return drift_sentences(names, known, known.count(new, new_scores), flagged), known


@pytest.mark.parametrize(
    "n, n_columns, n_training, n_validation", [(50, 50, 700, 150), (20, 3, 700, 150), (400, 5, 300, 60)]
)
def test_of_files_without_drift_one_in_twenty_is_told_anything(n, n_columns, n_training, n_validation):
    told = sum(bool(sentences(seed, n, n_columns, n_training, n_validation)[0]) for seed in range(N_SIMULATIONS))
    print(told / N_SIMULATIONS)
    assert not is_above(told, 0.05)


@pytest.mark.parametrize("n, n_columns", [(50, 5), (1000, 20)])
def test_the_shift_that_would_have_been_seen_is_seen_in_nine_of_ten_files(n, n_columns):
    said = visible_shift(sentences(0, n, n_columns, 2000, 400)[1], n)
    size = float(said.split(" by ")[1].split()[0])
    seen = [sentences(s, n, n_columns, 2000, 400, size)[0] for s in range(N_SIMULATIONS)]
    named = sum(any(text.startswith("x0 has shifted strongly") for text in texts) for texts in seen)
    print(size, named / N_SIMULATIONS)
    assert not is_above(N_SIMULATIONS - named, 0.1)
    assert size < 2


def test_a_few_rows_are_told_that_hardly_any_shift_would_be_seen():
    assert "hardly any shift" in visible_shift(sentences(0, 20, 50, 2000, 400)[1], 2)


def test_many_shifted_columns_are_counted():
    told, _ = sentences(0, 500, 9, 1000, 200, 2.0, 6)
    assert sum("has shifted strongly" in text for text in told) == 4 and told[-1] == "So have 2 further columns."
    assert sentences(0, 500, 9, 1000, 200, 2.0, 5)[0][-1] == "So has 1 further column."


def test_flagged_rows_are_told_in_both_directions_and_only_with_evidence():
    def told(flagged):
        rng = np.random.default_rng(0)
        known = baseline(rng.normal(size=(500, 1)), rng.normal(size=500))
        counts = known.count(rng.normal(size=(2000, 1)), rng.normal(size=2000))
        return drift_sentences(("x",), known, counts, FlaggedRows(1000, 20, 2000, flagged))

    assert told(40) == [] and told(55) == []
    more, fewer = told(300), told(2)
    assert more[0].startswith("15 % of these rows are flagged") and "promise on their false alarms is broken" in more[0]
    assert fewer[0].startswith("0.1 % of these rows are flagged") and "is kept" in fewer[0]


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_flagged_rows_of_the_same_source_are_seldom_called_others(share):
    broken = 0
    for seed in range(N_SIMULATIONS):
        rng = np.random.default_rng(seed)
        scores, new = rng.normal(size=500), rng.normal(size=3000)
        threshold = np.sort(scores)[-int(500 * share)]
        broken += FlaggedRows(500, int(500 * share), 3000, int((new >= threshold).sum())).p_value() <= 0.05
    print(broken / N_SIMULATIONS)
    assert not is_above(broken, 0.05)
