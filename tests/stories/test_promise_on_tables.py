"""A promised false-alarm rate holds for fresh rows of tables with many levels, repeated values and holes."""

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.datasets.from_table import NONE, make_table_dataset
from flowlab.detection.scored_table import ScoredTable
from flowlab.records import Spec

FRESH_ROWS = 4000
REPETITIONS = 30


def table(n_rows: int, n_levels: int, rng: np.random.Generator) -> pd.DataFrame:
    """A category of many levels, counts, rounded numbers and a column with holes; all rows are normal."""
    frame = pd.DataFrame(
        {
            "shop": pd.Series([f"s{i}" for i in rng.integers(0, n_levels, n_rows)], dtype="str"),
            "count": rng.poisson(2, n_rows),
            "rounded": rng.normal(size=n_rows).round(1),
            "paid": np.where(rng.random(n_rows) < 0.1, np.nan, rng.normal(size=n_rows)),
        }
    )
    return frame


def flagged_share(n_levels: int, model: str, rate: float, seed: int) -> float:
    """The share of fresh rows that is flagged by a threshold chosen on 2,000 rows to promise `rate`."""
    rng = np.random.default_rng([seed, n_levels])
    spec = Spec(model)
    dataset, encoder = make_table_dataset(
        table(2000, n_levels, rng), label=NONE, time=NONE, seed=seed, learner=catalog.learner(spec)
    )
    fitted = catalog.make_model(spec, seed, dataset).fit(dataset.fitting_rows())
    scored = ScoredTable.of(dataset, fitted.anomaly_score(dataset.X))
    threshold = scored.choose("conformal", rate=rate)
    fresh = fitted.anomaly_score(encoder.transform(table(FRESH_ROWS, n_levels, rng)))
    return float(threshold.flag(fresh).mean())


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gaussian", "pca"])
@pytest.mark.parametrize("n_levels", [13, 100, 400])
def test_fresh_rows_are_flagged_no_more_often_than_promised(n_levels, model):
    shares = [flagged_share(n_levels, model, 0.05, seed) for seed in range(REPETITIONS)]
    error = np.std(shares, ddof=1) / np.sqrt(REPETITIONS)
    assert np.mean(shares) <= 0.05 + 3 * error, f"{np.mean(shares):.4f} of fresh rows"
    assert np.mean(shares) > 0.03, "a promise kept by flagging next to nothing is none"
