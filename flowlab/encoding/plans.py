"""The plans an encoder keeps of its columns: to JSON and back, and applied to the columns of a new file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from flowlab.encoding.categorical import CategoryColumn
from flowlab.encoding.numeric import NumberColumn, is_known, numbers
from flowlab.encoding.roles import sample_rows
from flowlab.tables.limits import TableError

Plan = NumberColumn | CategoryColumn


def one_or_none(column: pd.Series) -> bool:
    """Whether all cells that are not missing hold the same value."""
    if not column.hasnans:
        return False  # constant columns were left out before
    return all(_is_one_value(part) for part in (sample_rows(column, 1000), column))


def _is_one_value(column: pd.Series) -> bool:
    present = column[is_known(numbers(column))] if pd.api.types.is_float_dtype(column.dtype) else column.dropna()
    return present.empty or bool((present == present.iloc[0]).all())


def column_as_learned(frame: pd.DataFrame, plan: NumberColumn | CategoryColumn) -> pd.Series:
    """The column a plan was learned from, converted to the learned type where a new file writes it differently.

    Raises TableError where the column is missing, or most of its cells cannot be converted.
    """
    if plan.name not in frame:
        raise TableError(f"The column {plan.name!r}, which the detector learned from, is not in this table; add it.")
    column = frame[plan.name]
    if plan.kind == "category":
        was_text = plan.dtype in ("str", "object", "string")
        return column.astype("str") if was_text and pd.api.types.is_numeric_dtype(column.dtype) else column
    is_date = plan.dtype.startswith("datetime")
    if is_date != str(column.dtype).startswith("datetime") or not (
        is_date or pd.api.types.is_numeric_dtype(column.dtype)
    ):
        present = column.notna()
        read = pd.to_datetime(column, errors="coerce") if is_date else pd.to_numeric(column, errors="coerce")
        if read[present].isna().mean() > 0.5:
            expected = "dates" if is_date else "numbers"
            example = str(column[present].iloc[0])[:40]
            raise TableError(
                f"The column {plan.name!r} held {expected} when the detector learned; here it holds {example!r}."
            )
        return read
    return column


def clock_features(frame: pd.DataFrame, time: str) -> np.ndarray:
    """Sine and cosine of the hour of the day and of the day of the week, (n_rows, 4); 0 where the time is missing.

    Raises TableError where the table has no column `time`.
    """
    if time not in frame:
        raise TableError(f"The time column {time!r}, which the detector learned from, is not in this table; add it.")
    stamps = pd.to_datetime(frame[time], errors="coerce")
    seconds = stamps.dt.hour * 3600 + stamps.dt.minute * 60 + stamps.dt.second
    angles = [2 * np.pi * seconds / 86_400, 2 * np.pi * (stamps.dt.day_of_week + seconds / 86_400) / 7]
    return np.nan_to_num(np.column_stack([f(angle.to_numpy(float)) for angle in angles for f in (np.sin, np.cos)]))


def to_dict(plan: NumberColumn | CategoryColumn) -> dict[str, Any]:
    """The plan as a JSON-able dict; `from_dict` is the inverse."""
    return {"kind": plan.kind, **asdict(plan)}


def from_dict(fields: dict[str, Any]) -> NumberColumn | CategoryColumn:
    """The plan in a dict of `to_dict`. Raises ValueError for an unknown kind."""
    fields = dict(fields)
    kind = {"number": NumberColumn, "category": CategoryColumn}.get(fields.pop("kind", ""))
    if kind is None:
        raise ValueError("an encoder's column is of kind 'number' or 'category'; save the detector again")
    for key in ("levels", "edges", "atoms"):
        if key in fields:
            fields[key] = tuple(tuple(v) if isinstance(v, list) else v for v in fields[key])
    return kind(**fields)
