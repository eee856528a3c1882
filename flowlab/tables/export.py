"""Tables as CSV whose cells a spreadsheet does not take for formulas."""

from __future__ import annotations

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_csv_bytes(frame: pd.DataFrame) -> bytes:
    """The frame as UTF-8 CSV; texts and names a spreadsheet would take for a formula get a ' in front.

    >>> to_csv_bytes(pd.DataFrame({"=x": ["=1+1", "a"], "n": [-1.5, 2.0]})).decode().splitlines()
    ["'=x,n", "'=1+1,-1.5", 'a,2.0']
    """
    safe = frame.copy(deep=False)
    for position in range(frame.shape[1]):
        column = frame.iloc[:, position]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(column.cat.categories.dtype)
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
            continue
        safe.isetitem(position, column.astype(object).map(_neutral))
    safe.columns = [_neutral(name) for name in frame.columns]
    text = safe.to_csv(index=False, lineterminator="\n")
    if "\r" in text:  # Python's csv quotes a carriage return only where it is part of the line end
        text = safe.to_csv(index=False, lineterminator="\r\n")
    return text.encode()


def _neutral(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell
