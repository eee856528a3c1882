"""What may spoil a detector before it is trained: warnings about a table and its Dataset, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from flowlab.datasets.dataset import Dataset, Part
from flowlab.datasets.tails import FAR, far_share, has_heavy_tails
from flowlab.encoding.numeric import is_known, numbers
from flowlab.encoding.roles import ENCODED, ColumnRole, sample_rows
from flowlab.formatting import count, percent, plural, short_percent
from flowlab.ranking import auroc

CODES = (-1, -9, -99, -999, -9999, -99999, 99, 999, 9999, 99999, 999999)
"""Numbers people write for "no value"."""


def checkup(frame: pd.DataFrame, roles: Sequence[ColumnRole], dataset: Dataset) -> list[str]:
    """One sentence for each trouble, ordered by harm: first what makes results wrong, then what makes them rough."""
    features = [role.name for role in roles if role.role in ENCODED and role.name in frame]
    notes = _tell_tales(frame, features, dataset)
    notes += _missing_codes(frame, features)
    notes += _unlabelled(frame, roles)
    notes += _labels(dataset)
    notes += _sizes(dataset)
    notes += _heavy_tails(dataset)
    notes += _holes(frame, features)
    notes += _repeated_rows(frame, features)
    return notes


def _tell_tales(frame: pd.DataFrame, features: Sequence[str], dataset: Dataset) -> list[str]:
    """A sentence on columns that separate the label by themselves: copies of it, or recorded after the event."""
    if dataset.y is None:
        return []
    rows = np.unique(np.r_[np.flatnonzero(dataset.y)[:2000], np.linspace(0, len(frame) - 1, 4000).astype(int)])
    y = dataset.y[rows]
    if y.sum() < 5 or y.all():
        return []
    names = []
    for name in features:
        column = frame[name].iloc[rows]
        if not pd.api.types.is_numeric_dtype(column.dtype):
            column = pd.Series(pd.factorize(column)[0], name=name)
        values = numbers(column)
        known = is_known(values)
        if min(np.sum(known & (y == 0)), np.sum(known & (y == 1))) < 5:
            continue
        area = auroc(values[known], y[known] == 1)
        if max(area, 1 - area) > 0.999:
            names.append(name)
    if not names:
        return []
    what = f"{names[0]!r} alone tells" if len(names) == 1 else f"Each of {', '.join(map(repr, names[:3]))} alone tells"
    return [f"{what} anomalies from normal rows: if it is the label by another name, set it to ignore."]


def _missing_codes(frame: pd.DataFrame, features: Sequence[str]) -> list[str]:
    notes = []
    for name in features:
        if not pd.api.types.is_numeric_dtype(frame[name].dtype) or pd.api.types.is_bool_dtype(frame[name].dtype):
            continue
        values = numbers(sample_rows(frame[[name]])[name])
        values = values[is_known(values)]
        for code in CODES:
            if np.count_nonzero(values == code) < 3:
                continue
            rest = values[values != code]
            if len(rest) < 20:
                continue
            low, high = np.quantile(rest, [0.001, 0.999])
            reach = 1.5 * (high - low)
            if code < low - reach or code > high + reach:
                share = np.mean(values == code)
                notes.append(
                    f"{name!r} is {code} in {percent(share)} of rows, far from all else: is that a missing code?"
                )
    return notes[:5]


def _unlabelled(frame: pd.DataFrame, roles: Sequence[ColumnRole]) -> list[str]:
    label = next((role.name for role in roles if role.role == "label"), None)
    n_missing = 0 if label is None else int(frame[label].isna().sum())
    if not n_missing:
        return []
    share = f"{percent(n_missing / len(frame))}"
    return [
        f"{plural(n_missing, 'row')} ({share}) without a label {'counts' if n_missing == 1 else 'count'} as normal; "
        "leave them out of the file if they may not."
    ]


def _labels(dataset: Dataset) -> list[str]:
    if dataset.y is None:
        return []
    notes = []
    training = dataset.y[dataset.split == 0]
    if dataset.train_on == "all" and training.any():
        notes.append(
            f"{percent(training.mean())} of the training rows are labelled anomalies; the model learns them too."
        )
    for part, words in ((1, "validation rows, where thresholds are chosen"), (2, "test rows, where they are judged")):
        n_anomalies = int(dataset.y[dataset.split == part].sum())
        if n_anomalies < 10:
            notes.append(f"Only {n_anomalies} labelled anomalies are among the {words}; shares of them are rough.")
    if dataset.y.mean() > 0.5:
        notes.append(
            f"{short_percent(dataset.y.mean())} of the rows are labelled anomalies; check which values mean anomaly."
        )
    return notes


def _sizes(dataset: Dataset) -> list[str]:
    n_train, n_features = len(dataset.rows(Part.TRAIN)), dataset.n_features
    if n_train < 10 * n_features:
        return [
            f"{count(n_train)} training rows for {count(n_features)} features are few; a simple model may do "
            "better than a flow."
        ]
    if n_train < 200:
        return [f"{count(n_train)} training rows are few; results will differ from seed to seed."]
    return []


def _heavy_tails(dataset: Dataset) -> list[str]:
    """A sentence on features that are heavy-tailed as a model sees them; training rows alone are looked at."""
    X = dataset.part(Part.TRAIN)
    heavy = dataset.judged[has_heavy_tails(X)[dataset.judged]] if len(X) else []
    if not len(heavy):
        return []
    worst = heavy[np.argmax(far_share(X)[heavy])]
    others = f"; {plural(len(heavy) - 1, 'more column')} {'has' if len(heavy) == 2 else 'have'} such tails"
    return [
        f"{dataset.columns[worst]!r} has heavy tails: {percent(far_share(X)[worst])} of its training rows lie more "
        f"than {FAR:.0f} robust standard deviations from the median{others if len(heavy) > 1 else ''}. A spline flow "
        "learns such a tail; others call far rows less likely than they are."
    ]


def _holes(frame: pd.DataFrame, features: Sequence[str]) -> list[str]:
    shares = frame[list(features)].isna().mean().sort_values(ascending=False)
    empty = shares[shares > 0.5]
    if empty.empty:
        return []
    if len(empty) == 1:
        return [f"{empty.index[0]!r} is missing in more than half of the rows."]
    return [f"{count(len(empty))} columns are missing in more than half of the rows, most of all {empty.index[0]!r}."]


def _repeated_rows(frame: pd.DataFrame, features: Sequence[str]) -> list[str]:
    sample = sample_rows(frame[list(features)])
    share = float(sample.duplicated().mean())
    if share < 0.05 or not len(features):
        return []
    return [
        f"{short_percent(share)} of the rows repeat another row; rows of the training part may come back in the test "
        "part."
    ]
