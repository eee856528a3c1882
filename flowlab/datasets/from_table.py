"""make_table_dataset: the Dataset of a table that was read, set by scalars that fit into a link."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TypedDict

import numpy as np
import pandas as pd

from flowlab.constraints import TEXT, YES_OR_NO, Interval, OneOf, checked
from flowlab.datasets.dataset import Dataset, chronological_split, random_split
from flowlab.datasets.left_out import LEFT_OUT, left_out_words, rows_left_out
from flowlab.datasets.order import columns_in_order, is_series
from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.roles import ColumnRole, missing_from_text, propose_roles, roles_from_text
from flowlab.encoding.sources import silent_holes
from flowlab.formatting import count, plural
from flowlab.tables.limits import TableError

MIN_ROWS = 10
NONE = "(none)"
"""Value of `label` and `time` for no such column, although one would be proposed."""

TRAIN_ON = ("normal", "all", "known")
"""What `train_on` may say."""

_NORMAL_WORDS = ("normal", "benign", "ok", "good", "negative", "inlier", "no", "false", "healthy")


class RoleSettings(TypedDict, total=False):
    """Settings of `choose_roles`, as a dictionary."""

    label: str
    time: str
    roles: str
    missing: str


class TableSettings(RoleSettings, total=False):
    """Settings of `make_table_dataset`, as a dictionary."""

    anomaly_values: str
    train_on: str
    split: str
    fractions: str
    left_out: str
    clock: bool
    lags: int
    seed: int
    name: str
    learner: str


@checked(
    label=TEXT,
    anomaly_values=TEXT,
    time=TEXT,
    roles=TEXT,
    train_on=OneOf(*TRAIN_ON),
    split=OneOf("auto", "random", "chronological"),
    fractions=TEXT,
    left_out=TEXT,
    missing=TEXT,
    clock=YES_OR_NO,
    lags=Interval(int, 0),
    name=TEXT,
    learner=OneOf("density", "scorer"),
)
def make_table_dataset(
    frame: pd.DataFrame,
    *,
    label: str = "",
    anomaly_values: str = "",
    time: str = "",
    roles: str = "",
    train_on: str = "normal",
    split: str = "auto",
    fractions: str = "",
    left_out: str = "",
    missing: str = "auto",
    clock: bool = False,
    lags: int = 0,
    seed: int = 0,
    name: str = "",
    learner: str = "density",
) -> tuple[Dataset, TableEncoder]:
    """Encode a table and divide its rows.

    Levels, ranges and grids are learned from the rows that are fitted.

    Parameters
    ----------
    frame : the table, at least `MIN_ROWS` rows
    label, time : name of a column; "" as proposed, "(none)" for none
    anomaly_values : the label values that mean anomaly, separated by commas; "" for all but the normal one
    roles : what differs from the proposed roles, as `roles_to_text` writes it
    train_on : "normal" leaves labelled anomalies out of the fit; "all" does not; "known" says of a table without labels
        that all of its rows are normal, which nothing else tells
    split : "random" (stratified by label), "chronological", or "auto": chronological where there is a time column, in
        the order of the rows where neighbours resemble each other (`order.is_series`)
    fractions : training, validation and test rows in percent, such as "70/15/15"; "" for the default of the split
    left_out : rows that neither train nor help to choose the threshold, as `left_out.rows_left_out` reads them; test
        rows among them stay test rows, and with `lags` rows that see them as their past go too
    missing : what fills missing values, as `missing_to_text` writes it
    clock : whether the time column adds hour and weekday features
    lags : how many earlier rows are appended to each row as features
    seed : of the division of the rows and of the noise a density trains with
    learner : who will learn from the matrix, "density" or "scorer" (`TableEncoder`)
    name : name of the Dataset

    Returns
    -------
    dataset : the encoded rows
    encoder : the fitted encoder, which leads back to the columns of the table

    Raises
    ------
    TableError
        Where nothing can be learned from the table; one sentence.
    ValueError
        Where `split` or `fractions` cannot be read.
    """
    if len(frame) < MIN_ROWS:
        raise TableError(
            f"The table has {plural(len(frame), 'row')}; at least {MIN_ROWS} are needed to train, check and test on."
        )
    column_roles, problems = choose_roles(frame, label=label, time=time, roles=roles, missing=missing)
    label = next((role.name for role in column_roles if role.role == "label"), "")
    time = next((role.name for role in column_roles if role.role == "time"), "")
    y = label_rows(frame[label], anomaly_values) if label else None
    times = _time_axis(frame[time]) if time else None
    if times is None and split == "auto" and (resembling := _resembling(frame, column_roles)):
        times_of_split: np.ndarray | None = np.arange(len(frame))
        problems.append(
            f"Rows resemble the rows next to them ({', '.join(resembling[:3])}): they are divided in their order, the "
            "first to train on, the last to test on."
        )
    else:
        times_of_split = times
    parts = _divide(len(frame), y, times_of_split, split, read_fractions(fractions), seed)
    if left_out:
        parts = _without(parts, rows_left_out(left_out, len(frame), times), times, lags)
    fitted = parts == 0 if y is None or train_on == "all" else (parts == 0) & (y == 0)
    if fitted.sum() < MIN_ROWS // 2:
        instead = "leave out fewer rows" if left_out else "train on all rows, or choose other anomaly values"
        raise TableError(f"Only {int(fitted.sum())} rows are left to train on; {instead}.")
    encoder = TableEncoder(column_roles, clock=clock, lags=lags, learner=learner).fit(
        frame, rows=np.flatnonzero(fitted)
    )
    n_unlabelled = int(frame[label].isna().sum()) if label else 0
    if n_unlabelled:
        problems.append(
            f"{plural(n_unlabelled, 'row')} without a label {'counts' if n_unlabelled == 1 else 'count'} as normal."
        )
    encoder.notes_ = problems + encoder.notes_
    dataset = Dataset(
        X=encoder.transform(frame),
        columns=tuple(map(str, encoder.get_feature_names_out())),
        y=y,
        time=times,
        name=name,
        split=parts,
        train_on="all" if train_on == "all" or (y is None and train_on != "known") else "normal",
        classes=_classes(frame[label]) if label else None,
        context=encoder.context_,
        levels=encoder.levels_,
        encoder=encoder,
        silent_holes=silent_holes(encoder, frame),
        cells=encoder.cells(frame, seed),
        label_column=label,
        left_out=left_out_words(left_out, parts) if left_out else "",
    )
    return dataset, encoder


def _without(parts: np.ndarray, out: np.ndarray, times: np.ndarray | None, lags: int) -> np.ndarray:
    """The division of the rows without those `out` (n_rows,) of training and validation, and who sees them as past."""
    order = np.arange(len(out)) if times is None else np.argsort(times, kind="stable")
    reached = out.copy()
    for lag in range(1, lags + 1):
        reached[order[lag:]] |= out[order[:-lag]]
    had_validation = (parts == 1).any()
    parts = np.where(reached & (parts < 2), LEFT_OUT, parts).astype(np.int8)
    if had_validation and not (parts == 1).any():
        raise TableError("Without these rows no validation row is left to choose a threshold on; leave out fewer.")
    return parts


def _resembling(frame: pd.DataFrame, roles: tuple[ColumnRole, ...]) -> list[str]:
    """Names of the columns in which neighbouring rows resemble each other, where these make the rows a series."""
    names = [
        role.name for role in roles if role.role == "feature" and pd.api.types.is_numeric_dtype(frame[role.name].dtype)
    ]
    numbers = frame[names].ffill().bfill().fillna(0.0).to_numpy(np.float64)
    return [str(names[j]) for j in columns_in_order(numbers)] if is_series(numbers) else []


def _divide(
    n_rows: int,
    y: np.ndarray | None,
    times: np.ndarray | None,
    split: str,
    fractions: tuple[float, float, float] | None,
    seed: int,
) -> np.ndarray:
    """Training 0, validation 1 or test 2 for each row, (n_rows,): by time or at random, stratified by label."""
    if split == "chronological" and times is None:
        raise TableError("A chronological split needs a time column; choose one, or split at random.")
    if times is not None and split != "random":
        return chronological_split(times, fractions or (0.5, 0.2, 0.3))
    return random_split(n_rows, fractions or (0.7, 0.15, 0.15), seed, y)


def choose_roles(
    frame: pd.DataFrame, *, label: str = "", time: str = "", roles: str = "", missing: str = "auto"
) -> tuple[tuple[ColumnRole, ...], list[str]]:
    """The proposal as changed by the link: at most one label, time and context; and what made no sense."""
    proposed = propose_roles(frame)
    column_roles, problems = roles_from_text(roles, proposed)
    for role, wanted in (("label", label), ("time", time), ("context", "")):
        if wanted and wanted != NONE and wanted not in frame:
            problems.append(f"The table has no column {wanted[:40]!r} to be its {role}; the proposal is used.")
            wanted = ""
        if wanted:
            fallback = "category" if role == "label" else "feature"
            column_roles = tuple(
                replace(old, role=role, reason="chosen")
                if old.name == wanted
                else replace(old, role=fallback, reason=f"not the {role}")
                if old.role == role
                else old
                for old in column_roles
            )
        of_role = [i for i, old in enumerate(column_roles) if old.role == role]
        if len(of_role) > 1:  # two were chosen in the roles table: the one that was not proposed wins
            keep = next((i for i in of_role if proposed[i].role != role), of_role[0])
            instead = "category" if role == "context" else "ignore"
            column_roles = tuple(
                replace(r, role=instead) if i in of_role and i != keep else r for i, r in enumerate(column_roles)
            )
            problems.append(f"Only one column can be the {role}; {column_roles[keep].name!r} is.")
    column_roles, more = missing_from_text(missing, column_roles)
    return column_roles, problems + more


def label_values(column: pd.Series, limit: int = 50) -> list[tuple[str, int]]:
    """The values of a label column as texts with their counts, commonest first."""
    counts = _as_text(column).value_counts()
    return [(str(value), int(n)) for value, n in counts.head(limit).items()]


def anomaly_values_of(column: pd.Series) -> list[str]:
    """Label values that mean anomaly by default: all but the one named like normal, else but the commonest."""
    values = [value for value, _ in label_values(column, limit=1000)]
    normal = next((value for word in _NORMAL_WORDS for value in values if value.lower() == word), None)
    return [value for value in values if value != (normal or values[0])]


def label_rows(column: pd.Series, anomaly_values: str = "") -> np.ndarray:
    """1 where the label means anomaly, else 0, shape (n_rows,) int8; rows without a label count as normal."""
    texts = _as_text(column)
    present = set(texts.dropna().unique())
    if len(present) < 2 and not column.isna().any():
        raise TableError(
            f"The label column {column.name!r} is {str(next(iter(present), 'empty'))[:40]!r} in every row, so it tells "
            "nothing apart; choose another label column or none."
        )
    if len(present) > 1000:
        raise TableError(
            f"The label column {column.name!r} has {count(len(present))} different values; choose one that has a few."
        )
    anomalous = next(csv.reader([anomaly_values]), []) if anomaly_values else anomaly_values_of(column)
    y = texts.isin([text.strip() for text in anomalous]).to_numpy().astype(np.int8)
    if not y.any() or y.all():
        which = "No row" if not y.any() else "Every row"
        raise TableError(
            f"{which} of {column.name!r} is an anomaly by the values {', '.join(anomalous)[:60]!r}; "
            f"choose among {', '.join(sorted(present)[:6])}."
        )
    return y


def read_fractions(text: str) -> tuple[float, float, float] | None:
    """ "70/15/15" as three fractions that sum to 1; None for an empty text."""
    if not text:
        return None
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 3 or min(parts) <= 0 or abs(sum(parts) - 100) > 0.5:
        raise ValueError(f"fractions must be three percentages that sum to 100, such as 70/15/15, not {text[:40]!r}")
    train, validation, _ = (part / sum(parts) for part in parts)
    return train, validation, 1.0 - train - validation


def _as_text(column: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(column.dtype) and (column.dropna() % 1 == 0).all():
        return column.astype("Int64").astype("str")
    return column.astype("str")


def _time_axis(column: pd.Series) -> np.ndarray:
    """Times of the rows; a missing one is taken from the row before, so that rows stay in order."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.ffill().bfill().to_numpy(float)
    if not str(column.dtype).startswith("datetime"):
        raise TableError(f"The column {column.name!r} holds no times that can be read; choose another time column.")
    return column.ffill().bfill().to_numpy("datetime64[us]")


def _classes(column: pd.Series) -> np.ndarray:
    codes, _ = pd.factorize(_as_text(column), sort=True)
    return codes.astype(np.int64)
