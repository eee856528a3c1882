"""Real tables that ship with scikit-learn, one class of which is taken as the anomaly."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from sklearn import datasets as sklearn_datasets

from flowlab.constraints import TEXT, Interval, OneOf, checked
from flowlab.datasets.dataset import Dataset, random_split

FRACTIONS = (0.6, 0.2, 0.2)

_TABLES: dict[str, tuple[str, Callable]] = {
    "breast_cancer": ("Breast cancer", sklearn_datasets.load_breast_cancer),
    "wine": ("Wine", sklearn_datasets.load_wine),
    "digits": ("Digits", sklearn_datasets.load_digits),
    "iris": ("Iris", sklearn_datasets.load_iris),
}

BUNDLED = tuple(_TABLES)
"""Names that `make_bundled` knows."""

DEFAULT_ANOMALY = {"breast_cancer": "malignant", "wine": "class_2", "digits": "8", "iris": "virginica"}


def class_names(name: str) -> tuple[str, ...]:
    """The classes of a table, any of which can be the anomaly.

    >>> class_names("breast_cancer")
    ('malignant', 'benign')
    """
    return _load(name)[3]


@checked(
    name=OneOf(*BUNDLED),
    anomaly_class=TEXT,
    train_on=OneOf("normal", "all"),
    anomaly_share=Interval(float, 0, 1, closed="right"),
)
def make_bundled(
    name: str, anomaly_class: str = "", train_on: str = "normal", anomaly_share: float = 1.0, seed: int = 0
) -> Dataset:
    """A table with real column names; rows of `anomaly_class` are labelled 1.

    Parameters
    ----------
    name : "breast_cancer" (569 rows, 30 columns), "wine" (178, 13), "digits" (1797, 64) or "iris" (150, 4)
    anomaly_class : one of `class_names(name)`; empty for the table's usual one ("malignant", "class_2", "8",
        "virginica"), "none" for no labels
    train_on : "normal" leaves anomalies out of the fit; "all" does not
    anomaly_share : share of the anomalous rows that are kept, at random: with 0.1 they become rare
    seed : of that choice and of the division into training, validation and test rows, which is stratified

    >>> data = make_bundled("breast_cancer")
    >>> data.X.shape, int(data.y.sum()), data.columns[0]
    ((569, 30), 212, 'mean radius')
    """
    X, target, columns, names = _load(name)
    anomaly = anomaly_class or DEFAULT_ANOMALY[name]
    if anomaly != "none" and anomaly not in names:
        raise ValueError(f"anomaly_class must be 'none' or one of {', '.join(names)}, not {anomaly!r}")
    label = _TABLES[name][0]
    if anomaly == "none":
        split = random_split(len(X), FRACTIONS, seed, target)
        return Dataset(X, columns, name=label, split=split, classes=target)
    y = (target == names.index(anomaly)).astype(np.int8)
    anomalies = np.random.default_rng([seed, 0xB0D]).permutation(np.flatnonzero(y))
    dropped = anomalies[max(3, round(anomaly_share * len(anomalies))) :]
    kept = np.setdiff1d(np.arange(len(X)), dropped)
    X, target, y = X[kept], target[kept], y[kept]
    split = random_split(len(X), FRACTIONS, seed, y)
    return Dataset(X, columns, y=y, name=label, split=split, train_on=train_on, classes=target)


@lru_cache(maxsize=8)
def _load(name: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, ...]]:
    table = _TABLES[name][1]()
    return (
        np.asarray(table.data, np.float64),
        np.asarray(table.target),
        tuple(str(column) for column in table.feature_names),
        tuple(str(label) for label in table.target_names),
    )
