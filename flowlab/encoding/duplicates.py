"""Columns that follow exactly from another one: the same numbers, another unit, the same categories by other names.

On such a pair the likelihood of a flow is unbounded: the density grows without limit on the line both lie on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from flowlab.columns import spread_of
from flowlab.encoding.categorical import as_levels
from flowlab.encoding.numeric import numbers
from flowlab.encoding.roles import ColumnRole, sample_rows

PRECISION = 1e-9
"""Largest deviation from the line, as a share of the column's range, that still counts as exact."""


def find_copies(frame: pd.DataFrame, roles: Sequence[ColumnRole]) -> dict[str, dict[str, Any]]:
    """For each column that follows from an earlier one, JSON-able: which one ("of"), and the map from it."""
    is_number = {
        role.name: role.role == "feature"
        and pd.api.types.is_numeric_dtype(frame[role.name].dtype)
        and not pd.api.types.is_bool_dtype(frame[role.name].dtype)
        for role in roles
    }
    copies = _linear_copies(frame, [name for name, number in is_number.items() if number])
    categories = [name for name, number in is_number.items() if not number]
    return copies | _category_copies(frame, [name for name in categories if not _is_date(frame[name])])


def decode_copy(original: pd.Series, copy: dict[str, Any]) -> pd.Series:
    """The copied column, computed from the decoded column it follows from."""
    if "pairs" in copy:
        table = dict(copy["pairs"])
        levels = as_levels(original).astype(object)
        values = levels.where(original.notna(), None).map(lambda value: table.get(value))
        return values == "True" if copy["dtype"] == "bool" else values.astype(copy["dtype"])
    values = original.astype(float) * copy["slope"] + copy["offset"]
    if copy["dtype"].lower().startswith(("int", "uint")):
        return values.round() if values.isna().any() else values.round().astype(copy["dtype"].lower())
    return values


def n_deviating(original: pd.Series, column: pd.Series, copy: dict[str, Any]) -> int:
    """Number of rows in which the column does not follow from the original."""
    sizes = np.abs(numbers(original)) if "pairs" not in copy else np.zeros(1)
    largest = float(np.nanmax(sizes, initial=0.0)) * abs(copy.get("slope", 0.0)) + abs(copy.get("offset", 0.0))
    return int(deviating(original, column, copy, largest).sum())


def deviating(original: pd.Series, column: pd.Series, copy: dict[str, Any], size: float) -> np.ndarray:
    """In which rows the column does not follow from the original, (n_rows,) bool; numbers are as large as `size`."""
    expected = decode_copy(original.reset_index(drop=True), copy)
    column = column.reset_index(drop=True)
    if "pairs" in copy:
        return (as_levels(expected).fillna("") != as_levels(column).fillna("")).to_numpy(bool)
    allowed = 1e-6 * (np.abs(numbers(expected)) + size * 1e-3)
    with np.errstate(invalid="ignore"):  # infinity of infinity is no deviation
        return np.abs(numbers(expected) - numbers(column)) > allowed


def _is_date(column: pd.Series) -> bool:
    return str(column.dtype).startswith("datetime")


def _linear_copies(frame: pd.DataFrame, names: list[str]) -> dict[str, dict[str, Any]]:
    if len(names) < 2:
        return {}
    sample = sample_rows(frame[names], 1000)
    Z = np.column_stack([numbers(sample[name]) for name in names])
    Z = np.where(np.isfinite(Z), Z, 0.0)
    Z = (Z - Z.mean(axis=0)) / spread_of(Z)
    correlation = np.abs(Z.T @ Z) / len(Z)
    candidates = np.argwhere(np.triu(correlation > 1 - 1e-8, k=1))
    copies: dict[str, dict[str, Any]] = {}
    for i, j in candidates:
        original, name = names[i], names[j]
        if original in copies or name in copies:
            continue
        line = _line(numbers(frame[original]), numbers(frame[name]))
        if line:
            copies[name] = {"of": original, "slope": line[0], "offset": line[1], "dtype": str(frame[name].dtype)}
    return copies


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    known = np.isfinite(x)
    if not np.array_equal(known, np.isfinite(y)) or not known.any():
        return None
    if np.array_equal(x[known], y[known]):
        return 1.0, 0.0
    low, high = np.nanargmin(np.where(known, x, np.nan)), np.nanargmax(np.where(known, x, np.nan))
    if x[high] == x[low]:
        return None
    slope = (y[high] - y[low]) / (x[high] - x[low])
    offset = y[low] - slope * x[low]
    largest = np.abs(y[known]).max()
    deviation = np.abs(slope * x[known] + offset - y[known]).max()
    return (float(slope), float(offset)) if deviation <= PRECISION * min(largest, np.ptp(y[known])) else None


def _category_copies(frame: pd.DataFrame, names: list[str]) -> dict[str, dict[str, Any]]:
    sample = sample_rows(frame[names], 1000)
    patterns = [pd.factorize(as_levels(sample[name]), use_na_sentinel=False)[0].tobytes() for name in names]
    seen: dict[bytes, str] = {}
    copies = {}
    for name, pattern in zip(names, patterns):
        if patterns.count(pattern) == 1:
            continue
        codes, levels = pd.factorize(as_levels(frame[name]), use_na_sentinel=False)
        if len(levels) < 2:
            continue
        original = seen.setdefault(codes.tobytes(), name)
        if original != name:
            _, before = pd.factorize(as_levels(frame[original]), use_na_sentinel=False)
            pairs = [[_plain(a), _plain(b)] for a, b in zip(before, levels)]
            copies[name] = {"of": original, "pairs": pairs, "dtype": _dtype_name(frame[name])}
    return copies


def _dtype_name(column: pd.Series) -> str:
    name = str(column.dtype)
    return "str" if name in ("object", "string") else name


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    return value.item() if isinstance(value, np.generic) else value
