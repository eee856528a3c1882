"""On tables with constant, copied or few-valued columns the log-likelihood settles; unencoded it runs away."""

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.datasets.encoding import TableEncoder
from flowlab.datasets.roles import ColumnRole
from flowlab.records import Spec


def awkward_table(n_rows: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "x": x,
            "constant": 3.0,
            "copy": x,
            "other unit": 1.8 * x + 32,
            "three": rng.choice([0.0, 1.0, 2.0], n_rows, p=[0.7, 0.2, 0.1]),
            "colour": rng.choice(["red", "green", "blue"], n_rows),
        }
    )


def gain_of_longer_training(X: np.ndarray) -> float:
    """By how many nats the log-likelihood of fresh rows grows from 400 to 1600 steps."""
    means = []
    for n_steps in (400, 1600):
        model = catalog.make_model(Spec("affine", {"n_steps": n_steps}), seed=0)
        model.fit(X[:2500])
        means.append(float(model.score_samples(X[2500:]).mean()))
    return means[1] - means[0]


@pytest.fixture(scope="module")
def encoded() -> np.ndarray:
    frame = awkward_table()
    X = TableEncoder([ColumnRole(name, "feature") for name in frame]).fit_transform(frame)
    assert X.shape[1] == 5  # x, three, and one feature for each colour
    return X


def test_log_likelihood_settles_on_the_encoded_table(encoded):
    assert abs(gain_of_longer_training(encoded)) < 0.25


def test_log_likelihood_runs_away_on_the_raw_columns():
    """What the encoder is for: a copied column alone is worth nats without end."""
    frame = awkward_table()
    raw = frame[["x", "copy", "three"]].to_numpy(float)
    assert gain_of_longer_training(raw) > 0.5
