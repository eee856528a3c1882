"""The flow of a whitened principal-component code: what is whitened, slices, the saved state."""

import numpy as np
import pytest
from sklearn.base import clone

from flowlab import catalog
from flowlab.models.flows.pca_flow import PCAFlow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 20)) + 0.01 * RNG.normal(size=(300, 20)) + 3
MODEL = PCAFlow(n_components=4, n_layers=2, hidden_features=8, n_steps=40)


@pytest.fixture(scope="module")
def fitted():
    return clone(MODEL).fit(X)


def test_row_58_a_code_of_an_embedding_is_white_and_its_density_finds_what_is_outside(fitted):
    code = fitted.code(X)
    assert code.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-9)
    assert np.cov(code.T) == pytest.approx(np.eye(4), abs=1e-6)
    assert fitted.anomaly_score(3 + 6 * (X - 3)).mean() > np.quantile(fitted.anomaly_score(X), 0.95)
    assert "pca_flow" in catalog.MODELS and not PCAFlow.is_density


def test_slices_are_one_go_and_a_restored_model_scores_the_same(fitted):
    checkpoint = None
    for _ in range(2):
        model = clone(MODEL)
        list(model.fit_iter(X, checkpoint=checkpoint, n_steps=20))
        checkpoint = model.get_checkpoint()
    np.testing.assert_array_equal(model.score_samples(X), fitted.score_samples(X))
    restored = clone(MODEL).set_state(fitted.get_state())
    np.testing.assert_array_equal(restored.score_samples(X), fitted.score_samples(X))


def test_no_more_components_are_kept_than_there_are_and_equal_columns_do_not_matter():
    flow = PCAFlow(n_components=50, n_layers=1, hidden_features=4, n_steps=5).fit(np.column_stack([X, X[:, :1]])[:12])
    assert flow.code(np.column_stack([X, X[:, :1]])).shape == (300, 12)
    assert np.isfinite(flow.score_samples(np.column_stack([X, X[:, :1]]))).all()
