"""What a user of scikit-learn expects beyond the contract that every model's own tests check: tags, meta-estimators,
outlier labels, frames in and names out."""

import importlib.util

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.metrics import make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from flowlab import (
    KDE,
    Autoencoder,
    Detector,
    Gaussian,
    GaussianMixture,
    IsolationForestModel,
    MaskedAutoregressiveFlow,
    NearestNeighbours,
    NflowsMAF,
    PCAResidual,
    PlanarFlow,
    SplineCouplingFlow,
    VariationalAutoencoder,
    catalog,
)

SMALL = {"n_layers": 2, "hidden_features": 8, "n_steps": 20}
DETECTORS = [
    Detector(n_flows=1, **SMALL),
    IsolationForestModel(n_trees=20),
    NearestNeighbours(),
    PCAResidual(),
    Autoencoder(n_steps=20, width=8),
]
FLOWS = [SplineCouplingFlow(**SMALL), MaskedAutoregressiveFlow(**SMALL), PlanarFlow(n_layers=2, n_steps=20)]
DENSITIES = [
    *FLOWS,
    NflowsMAF(**SMALL),
    VariationalAutoencoder(n_steps=20, width=8),
    KDE(),
    Gaussian(),
    GaussianMixture(),
]
ALL = [*DETECTORS, *DENSITIES]

as_frame = {"pandas": pd.DataFrame, "arrow": lambda columns: pa.table(columns)}
if importlib.util.find_spec("polars"):
    import polars

    as_frame["polars"] = polars.DataFrame


def name(value):
    return type(value).__name__


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 3)) @ rng.normal(size=(3, 3)) * [0.01, 1.0, 300.0] + [5.0, 0.0, -1e4]


@pytest.mark.parametrize("model", ALL, ids=name)
def test_each_model_says_what_kind_of_estimator_it_is(model):
    assert is_outlier_detector(model) == (model in DETECTORS)
    assert get_tags(model).estimator_type == ("outlier_detector" if model in DETECTORS else "density_estimator")
    assert hasattr(model, "predict") == hasattr(model, "fit_predict") == (model in DETECTORS)


@pytest.mark.parametrize("model_name", catalog.MODELS)
def test_a_model_has_the_methods_it_can_carry_out_and_no_others(model_name):
    model = catalog.MODELS[model_name].make()
    assert hasattr(model, "sample") == model.can_sample
    assert hasattr(model, "inverse_transform") == hasattr(model, "transform") == hasattr(model, "set_output")


@pytest.mark.parametrize("model", DETECTORS, ids=name)
def test_outliers_are_the_share_of_training_rows_that_was_asked_for(model, table):
    fitted = clone(model).set_params(contamination=0.1).fit(table)
    assert (fitted.predict(table) == -1).sum() == 30
    assert fitted.predict(table + 100 * table.std(0)).tolist() == [-1] * 300
    np.testing.assert_allclose(fitted.decision_function(table), fitted.score_samples(table) - fitted.offset_)
    np.testing.assert_array_equal(clone(fitted).fit_predict(table), fitted.predict(table))
    alone = [fitted.decision_function(table[i : i + 1])[0] for i in range(3)]
    np.testing.assert_array_equal(alone, fitted.decision_function(table)[:3])
    for share in (0, 0.6):
        with pytest.raises(ValueError, match="contamination must be a number above 0 and at most 0.5, not"):
            clone(model).set_params(contamination=share).fit(table)


def test_without_fit_no_offset_is_made_up(table):
    fitted = clone(DETECTORS[0]).fit(table)
    restored = clone(fitted).set_state(fitted.get_state())
    np.testing.assert_array_equal(restored.score_samples(table), fitted.score_samples(table))
    with pytest.raises(NotFittedError, match="which fit sets; or choose a Threshold"):
        restored.predict(table)


@pytest.mark.parametrize("model", ALL, ids=name)
def test_pipelines_and_cross_validation(model, table):
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(table)
    assert pipeline.score_samples(table).shape == (300,)
    if hasattr(model, "inverse_transform") and model not in DETECTORS:
        decoded = pipeline.inverse_transform(pipeline.transform(table))
        assert decoded.shape == table.shape
    scores = cross_val_score(clone(model), table, cv=3)
    assert scores.shape == (3,) and np.isfinite(scores).all()
    expected = clone(model).fit(table[100:]).score_samples(table[:100]).mean()
    assert scores[0] == pytest.approx(expected, rel=1e-6)


def test_a_pipeline_leads_back_through_a_flow(table):
    pipeline = make_pipeline(StandardScaler(), clone(FLOWS[1])).fit(table)
    np.testing.assert_allclose(pipeline.inverse_transform(pipeline.transform(table)), table, rtol=1e-6)


@pytest.mark.parametrize(
    "model, grid",
    [
        (FLOWS[0], {"n_layers": [1, 2]}),
        (DETECTORS[0], {"n_flows": [0, 1]}),
        (IsolationForestModel(), {"n_trees": [5, 40]}),
        (KDE(), {"bandwidth": [0.01, "scott"]}),
    ],
    ids=name,
)
def test_a_grid_search_takes_the_best_of_the_grid(model, grid, table):
    search = GridSearchCV(clone(model), grid, cv=2).fit(table)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all() and search.best_score_ == scores.max()
    assert search.score_samples(table).shape == (300,)
    if isinstance(model, KDE):
        assert search.best_params_ == {"bandwidth": "scott"}


def test_labels_judge_a_detector_in_a_grid_search(table):
    """scikit-learn's scorers ask `decision_function`, where outliers, here 1, are low."""
    X = np.vstack([table, table[:30] + 5 * table.std(0) * np.random.default_rng(0).choice([-1, 1], (30, 3))])
    y = np.repeat([0, 1], [300, 30])
    auroc = make_scorer(lambda y, decision: roc_auc_score(y, -decision), response_method="decision_function")
    search = GridSearchCV(NearestNeighbours(), {"n_neighbors": [1, 5]}, scoring=auroc, cv=StratifiedKFold(3)).fit(X, y)
    assert search.best_score_ > 0.95


@pytest.mark.parametrize("kind", as_frame)
@pytest.mark.parametrize("model", [DETECTORS[0], DETECTORS[1], FLOWS[0], KDE()], ids=name)
def test_frames_go_in_and_give_the_scores_of_their_numbers(model, kind, table):
    names = ["length", "width", "height"]
    frame = as_frame[kind](dict(zip(names, table.T, strict=True)))
    fitted, plain = clone(model).fit(frame), clone(model).fit(table)
    assert fitted.feature_names_in_.tolist() == names and fitted.n_features_in_ == 3
    assert not hasattr(plain, "feature_names_in_")
    np.testing.assert_array_equal(fitted.score_samples(frame), plain.score_samples(table))
    np.testing.assert_array_equal(fitted.anomaly_score(frame), plain.anomaly_score(table))
    np.testing.assert_array_equal(fitted.anomaly_score(frame[:1]), plain.anomaly_score(table)[:1])
    if model in DETECTORS:
        np.testing.assert_array_equal(fitted.predict(frame), plain.predict(table))
    other = as_frame[kind](dict(zip(["length", "height", "width"], table.T, strict=True)))
    with pytest.raises(ValueError, match="feature names"):
        fitted.anomaly_score(other)


@pytest.mark.parametrize("model", [model for model in ALL if hasattr(model, "transform")], ids=name)
def test_latent_columns_have_names_and_come_as_a_frame_if_asked(model, table):
    frame = pd.DataFrame(table, columns=["a", "b", "c"], index=np.arange(300) + 7)
    fitted = clone(model).set_output(transform="pandas").fit(frame)
    latent = fitted.transform(frame)
    names = [f"{type(model).__name__.lower()}{i}" for i in range(latent.shape[1])]
    assert latent.columns.tolist() == fitted.get_feature_names_out().tolist() == names
    assert latent.index.equals(frame.index)
    np.testing.assert_array_equal(latent.to_numpy(), clone(model).fit(table).transform(table))
    assert fitted.reconstruct(frame).shape == table.shape
