"""Reasons and repair: an injected fault is named first, and undoing it is what repair proposes."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from flowlab.explain import Reference, anomaly_scores, explain, repair
from flowlab.models.classical.density import Gaussian
from flowlab.models.classical.scorers import IsolationForestModel
from flowlab.models.classical.trivial import SumOfSquares
from flowlab.models.flows.families import AffineCouplingFlow

TABLES = {
    "wine": load_wine().data,
    "breast cancer, benign": load_breast_cancer().data[load_breast_cancer().target == 1],
    "iris": load_iris().data,
}


def _corrupted(X, seed=0, n_rows=40):
    """Fresh rows with one column moved by 6 standard deviations: (row, column, training rows)."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    train, fresh = X[order[n_rows:]], X[order[:n_rows]].copy()
    columns = np.arange(n_rows) % X.shape[1]
    fresh[np.arange(n_rows), columns] += rng.choice([-6, 6], n_rows) * train.std(axis=0)[columns]
    return train, fresh, columns


@pytest.mark.parametrize("table", TABLES)
def test_a_corrupted_column_comes_first_and_repair_restores_it(table):
    train, fresh, columns = _corrupted(TABLES[table])
    flow = AffineCouplingFlow(n_steps=500, scale_map="contract").fit(train)
    reference = Reference(train)
    threshold = float(np.quantile(anomaly_scores(flow, train), 0.99))
    first, repaired, touched = [], [], []
    for x, column in zip(fresh, columns, strict=True):
        first.append(explain(flow, x, reference).reasons[0].column == column)
        mended = repair(flow, x, reference, threshold)
        repaired.append(mended.succeeded and anomaly_scores(flow, mended.row[None])[0] < threshold)
        touched.append(mended.before < threshold or column in [edit.column for edit in mended.edits])
    assert np.mean(first) >= 0.9
    assert np.mean(repaired) >= 0.9
    assert np.mean(touched) >= 0.9


def test_a_broken_relation_is_found_although_each_value_is_usual():
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    X = np.c_[a, a + 0.1 * rng.normal(size=2000), rng.normal(size=2000)]
    x = np.array([1.5, -1.5, 0.0])
    found = explain(Gaussian().fit(X), x, Reference(X, ["temp", "speed", "noise"]))
    assert {found.reasons[0].name, found.reasons[1].name} == {"temp", "speed"}
    assert found.reasons[2].contribution < 0.1 * found.reasons[0].contribution
    assert "speed suggests" in found.reasons[0].sentence or "temp suggests" in found.reasons[0].sentence


def test_the_usual_range_is_the_one_given_the_other_features():
    rng = np.random.default_rng(1)
    a = rng.uniform(0, 10, 4000)
    X = np.c_[a, 3 * a + rng.normal(size=4000)]
    reason = next(r for r in explain(Gaussian().fit(X), [5.0, 40.0], Reference(X)).reasons if r.column == 1)
    assert reason.typical == pytest.approx(15, abs=1)
    assert 12 < reason.low < 15 < reason.high < 18  # 3 * 5 +- 1.3, not the 0 to 30 of all rows


def test_contributions_do_not_depend_on_the_order_of_features():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 4)) @ rng.normal(size=(4, 4))
    x, order = X[0] + [0, 5, 0, 0], np.array([2, 0, 3, 1])
    plain = explain(Gaussian().fit(X[1:]), x, Reference(X[1:]))
    moved = explain(Gaussian().fit(X[1:][:, order]), x[order], Reference(X[1:][:, order]))
    assert [order[r.column] for r in moved.reasons] == [r.column for r in plain.reasons]


def test_independent_features_get_their_own_share():
    """For a sum of squares the fall of the score is the feature's own z squared, less a usual one."""
    X = np.random.default_rng(3).normal(size=(3000, 3))
    found = explain(SumOfSquares().fit(X), [4.0, 0.0, 0.0], Reference(X))
    assert found.reasons[0].column == 0
    assert found.reasons[0].contribution == pytest.approx(16, rel=0.15)
    assert all(abs(r.contribution) < 2 for r in found.reasons[1:])


class _Reconstructs(SumOfSquares):
    scores_by_reconstruction = True

    def feature_errors(self, X):
        return np.asarray(X) ** 2


def test_models_that_score_by_reconstruction_are_explained_by_it():
    X = np.random.default_rng(4).normal(size=(200, 3))
    found = explain(_Reconstructs().fit(X), [0.0, 3.0, 0.0], Reference(X))
    assert found.method == "reconstruction" and found.reasons[0].column == 1
    assert found.reasons[0].contribution == pytest.approx(9, abs=1)


def test_similar_rows_are_the_nearest_and_not_the_row_itself():
    X = np.random.default_rng(5).normal(size=(300, 2))
    found = explain(Gaussian().fit(X), X[7], Reference(X))
    nearest = np.argsort(((X - X[7]) ** 2).sum(1))[1:3]
    assert 7 not in found.similar and set(nearest) <= set(found.similar)


def test_repair_keeps_to_values_of_features_that_have_few():
    rng = np.random.default_rng(6)
    X = np.c_[rng.integers(0, 2, 500), rng.normal(size=500)].astype(float)
    model = Gaussian().fit(X)
    mended = repair(model, [9.0, 0.0], Reference(X), float(np.quantile(anomaly_scores(model, X), 0.99)))
    assert mended.succeeded and mended.row[0] in (0.0, 1.0)


def test_repair_edits_as_little_as_the_threshold_allows():
    X = np.random.default_rng(7).normal(size=(2000, 2))
    model = SumOfSquares().fit(X)
    mended = repair(model, [6.0, 0.0], Reference(X), threshold=9.0)
    assert len(mended.edits) == 1 and mended.row[0] == pytest.approx(3.0, abs=0.1)
    assert mended.after < 9.0


def test_rows_that_are_not_flagged_need_no_edit():
    X = np.random.default_rng(8).normal(size=(200, 2))
    mended = repair(SumOfSquares().fit(X), [0.0, 0.1], Reference(X), threshold=9.0)
    assert mended.edits == () and mended.succeeded and "not flagged" in mended.sentence


@pytest.mark.parametrize("X", [np.ones((20, 3)), np.eye(3), np.random.default_rng(9).normal(size=(2, 1))])
def test_degenerate_tables_get_an_answer(X):
    model = IsolationForestModel(n_trees=5).fit(X)
    found = explain(model, X[0] + 1, Reference(X))
    assert len(found.reasons) == X.shape[1] and np.isfinite([r.contribution for r in found.reasons]).all()
    assert repair(model, X[0] + 1, Reference(X), -1.0).succeeded is False


def test_wrong_rows_are_named():
    with pytest.raises(ValueError, match="2 finite numbers"):
        explain(SumOfSquares().fit(np.eye(2)), [1.0, np.nan], Reference(np.eye(2)))
