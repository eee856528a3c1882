"""Each warning of the check-up on a table that has the trouble, and on one that has not."""

import numpy as np
import pandas as pd
import pytest

from flowlab.datasets.checkup import checkup
from flowlab.datasets.from_table import choose_roles, make_table_dataset
from flowlab.formatting import percent


def table(n=3000, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), **columns})


def found(frame, label=None, **settings):
    chosen = {"label": label} if label else {}
    dataset, _ = make_table_dataset(frame, **chosen, **settings)
    return " ".join(checkup(frame, choose_roles(frame, **chosen)[0], dataset))


RNG = np.random.default_rng(1)
RARE = (np.arange(3000) % 100 == 0).astype(int)
CASES = {
    "alone tells": (table(tell=RARE * 9 + RNG.random(3000), label=RARE), {"label": "label"}, "'tell' alone tells"),
    "missing code": (table(code=np.where(RNG.random(3000) < 0.1, -999, RNG.random(3000))), {}, "'code' is -999 in"),
    "unlabelled": (
        table(label=pd.array(np.where(np.arange(3000) < 30, pd.NA, RARE), dtype="Int64")),
        {"label": "label"},
        "rows (1.0 %) without a label count as normal",
    ),
    "trained on": (
        table(label=RARE), {"label": "label", "train_on": "all"}, "of the training rows are labelled anomalies"
    ),
    "few anomalies": (table(label=RARE), {"label": "label"}, "labelled anomalies are among the"),
    "most": (
        table(label=np.where(np.arange(3000) % 3 > 0, "anomaly", "normal")),
        {"label": "label"},
        "of the rows are labelled anomalies",
    ),
    "features": (pd.DataFrame(RNG.normal(size=(100, 30))).add_prefix("c"), {}, "training rows for 30 features are few"),
    "rows": (table(150), {}, "training rows are few; results will differ"),
    "heavy": (table(far=RNG.standard_t(2, 3000)), {}, "'far' has heavy tails"),
    "holes": (table(h=np.where(RNG.random(3000) < 0.7, np.nan, RNG.normal(size=3000))), {}, "'h' is missing in"),
    "repeated": (pd.concat([table(1000)] * 3, ignore_index=True), {}, "of the rows repeat another row"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_table_with_the_trouble_is_told_and_one_without_it_is_not(name):
    frame, settings, words = CASES[name]
    assert words in found(frame, **settings)
    assert words not in found(table(20_000, label=(np.arange(20_000) % 20 == 0).astype(int)), label="label")


def test_the_share_of_far_rows_is_the_one_of_the_training_rows():
    frame = table(far=RNG.standard_t(2, 3000))
    dataset, _ = make_table_dataset(frame)
    x = dataset.part("train")[:, list(dataset.columns).index("far")]
    low, median, high = np.quantile(x, [0.25, 0.5, 0.75])
    share = np.mean(np.abs(x - median) > 5 * (high - low) / 1.349)
    assert f"{percent(share)} of its training rows" in found(frame)


def test_several_columns_with_far_rows_are_counted():
    far = {f"far{i}": RNG.standard_t(2, 3000) for i in range(3)}
    assert "; 2 more columns have such tails. " in found(table(**far))
    assert "; 1 more column has such tails. " in found(table(**dict(list(far.items())[:2])))
