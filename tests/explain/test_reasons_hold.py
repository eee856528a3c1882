"""What is said of a row is so: ordinary rows are not called unusual, and usual ranges hold what they say."""

import numpy as np
import pytest

from flowlab.explain import Reference, explain, not_flagged, reasons_of_rows, repair
from flowlab.explain.typical_values import compare
from flowlab.models.classical.density import Gaussian

NAMES = ["temp", "speed", "load", "noise"]


@pytest.fixture(scope="module")
def plant():
    """A fitted Gaussian, its reference, fresh rows with their scores, and the threshold of the top 2 %."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(4, 4))
    X, fresh = rng.normal(size=(2000, 4)) @ mix, rng.normal(size=(600, 4)) @ mix
    model = Gaussian().fit(X)
    return model, Reference(X, NAMES), fresh, model.anomaly_score(fresh), np.quantile(model.anomaly_score(X), 0.98)


def test_a_row_that_is_not_flagged_is_never_called_unusual(plant):
    model, reference, fresh, scores, threshold = plant
    ordinary = fresh[scores < threshold][:150]
    assert len(ordinary) == 150
    for x in ordinary:
        told = explain(model, x, reference, threshold=threshold)
        assert told.sentence == not_flagged(told.score, threshold)
        assert repair(model, x, reference, threshold).sentence == told.sentence


def test_a_reason_is_a_value_that_similar_rows_do_not_have(plant):
    model, reference, fresh, scores, threshold = plant
    strange = fresh[scores >= threshold]
    for x, why in zip(strange, reasons_of_rows(model, strange, reference), strict=True):
        told = explain(model, x, reference, threshold=threshold)
        assert 1 <= len(why.sentences) <= 3
        usual = {reason.sentence for reason in told.reasons if reason.is_usual}
        assert not usual & set(why.sentences) and not any("lies within" in sentence for sentence in why.sentences)
        assert "lies within" not in told.sentence


def test_reasons_of_many_rows_are_those_of_each_by_itself(plant):
    """Same columns, contributions, sentences and order: with so few columns the screening leaves none out."""
    model, reference, fresh, scores, threshold = plant
    strange = fresh[scores >= threshold]
    for x, why in zip(strange, reasons_of_rows(model, strange, reference), strict=True):
        alone = [r for r in explain(model, x, reference).reasons if r.contribution > 0 and not r.is_usual]
        assert [reason.sentence for reason in why.reasons] == [reason.sentence for reason in alone[:3]]
        np.testing.assert_allclose([r.contribution for r in why.reasons], [r.contribution for r in alone[:3]])
        assert why == reasons_of_rows(model, x[None], reference)[0]


def test_the_screening_finds_the_column_that_was_moved_among_many():
    rng = np.random.default_rng(5)
    X, mix = rng.normal(size=(2000, 24)), np.eye(24) + rng.normal(size=(24, 24)) / 10
    model, reference = Gaussian().fit(X @ mix), Reference(X @ mix, [f"c{j}" for j in range(24)])
    rows, moved = rng.normal(size=(60, 24)) @ mix, rng.integers(0, 24, 60)
    rows[np.arange(60), moved] += np.where(rng.random(60) < 0.5, -8.0, 8.0)
    found = reasons_of_rows(model, rows, reference)
    assert np.mean([why.reasons[0].column == column for why, column in zip(found, moved, strict=True)]) >= 0.95


def test_few_values_of_similar_rows_stand_for_all_of_them(plant):
    """The fall of the score by five of their values, evenly spaced, is near the one by all 24."""
    model, reference, fresh, scores, threshold = plant
    few, all_of_them = [], []
    for x in fresh[scores >= threshold]:
        usual = reference.usual_rows(x)
        after = model.anomaly_score(reference.exchanged(x, usual).reshape(-1, 4)).reshape(usual.shape)
        all_of_them += (model.anomaly_score(x[None])[0] - np.median(after, axis=1)).tolist()
        of_column = {reason.column: reason.contribution for reason in explain(model, x, reference).reasons}
        few += [of_column[k] for k in range(4)]
    assert np.corrcoef(few, all_of_them)[0, 1] > 0.99
    assert np.median(np.abs(np.subtract(few, all_of_them))) < 0.1 * np.median(np.abs(all_of_them))


def test_the_usual_range_holds_the_share_it_states():
    """Fresh values of independent columns lie in it in about 80 of 100 cases, not in 74."""
    rng = np.random.default_rng(1)
    reference = Reference(rng.normal(size=(3000, 3)), ["a", "b", "c"])
    inside = [compare(reference, 0, x, reference.usual_rows(x)[0]).is_usual for x in rng.normal(size=(1500, 3))]
    print(np.mean(inside))
    assert abs(np.mean(inside) - 0.8) < 2 * np.sqrt(0.16 / 1500) + 0.01


def test_where_every_value_is_usual_the_combination_is_named():
    """The centre of a ring: each value is usual among rows alike in the other column, or none raises the score."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=3000)
    X = np.c_[a, a + rng.normal(size=3000)]
    model, reference = Gaussian().fit(X), Reference(X, ["a", "b"])
    found = set()
    for x in rng.normal(size=(300, 2)) * 2:
        told = explain(model, x, reference)
        if told.reasons[0].contribution <= 0:
            assert told.sentence == "No single column raises the score above that of rows alike in all others."
            found.add("none")
        elif told.reasons[0].is_usual:
            assert told.sentence.startswith("The value that raises the score most is no unusual one")
            assert reasons_of_rows(model, x[None], reference)[0].sentences
            found.add("combination")
    assert "none" in found and "combination" in found


def test_no_edit_is_proposed_where_none_lowers_the_score(plant):
    model, reference, fresh, scores, _ = plant
    lowest = fresh[int(np.argmin(scores))]
    mode = model.anomaly_score(fresh).min() - 10
    told = repair(model, lowest, reference, mode)
    assert not told.succeeded
    assert told.sentence.startswith(("No single edit", "Even with"))
    assert told.after >= mode and (told.after < told.before) == bool(told.edits)
