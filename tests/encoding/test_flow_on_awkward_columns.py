"""On tables with constant, copied or few-valued columns the log-likelihood settles; unencoded it runs away."""

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.numeric import NumberColumn
from flowlab.encoding.roles import ColumnRole
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


def spread(encoder: TableEncoder, frame: pd.DataFrame) -> np.ndarray:
    """The rows as a density trains on them."""
    return encoder.cells(frame).spread(encoder.transform(frame), np.arange(len(frame)))


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
    X = spread(TableEncoder([ColumnRole(name, "feature") for name in frame]).fit(frame), frame)
    assert X.shape[1] == 5  # x, three, and one feature for each colour
    return X


def test_log_likelihood_settles_on_the_encoded_table(encoded):
    assert abs(gain_of_longer_training(encoded)) < 0.25


def test_log_likelihood_runs_away_on_the_raw_columns():
    """What the encoder is for: a copied column alone is worth nats without end."""
    frame = awkward_table()
    raw = frame[["x", "copy", "three"]].to_numpy(float)
    assert gain_of_longer_training(raw) > 0.5


def nearly_zero_or_zero(n_rows: int = 3000) -> pd.DataFrame:
    """Two fifths are exactly zero, and among the others some are as near to it as numbers get."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    x[:10] = 10.0 ** -np.arange(1, 11)
    x[rng.random(n_rows) < 0.4] = 0.0
    return pd.DataFrame({"x": x, "y": x + rng.normal(size=n_rows)})


def test_log_likelihood_settles_on_a_value_that_many_share_among_near_ones():
    frame = nearly_zero_or_zero()
    encoder = TableEncoder([ColumnRole("x", "feature"), ColumnRole("y", "feature")])
    X = spread(encoder.fit(frame), frame)
    middle_half = np.diff(np.quantile(frame["x"], [0.25, 0.75])).item()
    assert np.ptp(X[frame["x"] == 0, 0]) > 0.05 * middle_half
    assert np.ptp(encoder.transform(frame)[frame["x"] == 0, 0]) == 0
    assert abs(gain_of_longer_training(X)) < 0.25
    back = encoder.inverse_transform(X)
    assert ((back["x"] == 0) == (frame["x"] == 0)).all()
    np.testing.assert_allclose(back["x"], frame["x"], rtol=1e-6, atol=1e-15)


def test_shared_values_keep_the_order_of_all_others():
    """Cells of two shared values that nearly touch open side by side: nothing changes places."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=2000), np.full(500, 0.25), np.full(500, 0.2500001)])
    column = pd.Series(x, name="x")
    plan = NumberColumn.learn(column, indicator=False)
    assert len(plan.atoms) == 2
    ((low, high),) = plan.extents(column)
    encoded = plan.encode(column)[:, 0] + np.random.default_rng(0).uniform(low, high)
    assert (np.diff(x[np.argsort(encoded)]) >= 0).all()
    np.testing.assert_allclose(plan.decode(encoded[:, None]), x, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("n_far", [1, 5])
def test_a_few_far_values_do_not_press_the_others_into_a_sliver(n_far: int):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=3000), "y": rng.normal(size=3000)})
    frame.loc[: n_far - 1, "x"] = 1e9
    encoder = TableEncoder([ColumnRole("x", "feature"), ColumnRole("y", "feature")])
    X = encoder.fit_transform(frame)
    middle = np.diff(np.quantile(X[:, 0], [0.25, 0.75])).item()
    assert middle > X[:, 0].std() / 2  # unsquashed it was a ten-millionth of it
    assert "x has heavy tails and was squashed (arcsinh)." in encoder.notes_
    np.testing.assert_allclose(encoder.inverse_transform(X)["x"], frame["x"], rtol=1e-6)
    model = catalog.make_model(Spec("affine", {"n_steps": 300}), seed=0).fit(X)
    scores = model.anomaly_score(X)
    assert scores[:n_far].min() > np.quantile(scores, 0.99)
    samples = encoder.inverse_transform(model.sample(1000, random_state=0))
    assert 1 < np.diff(np.quantile(samples["x"], [0.25, 0.75])).item() < 2
