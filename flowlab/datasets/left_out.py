"""Rows left out of training, by number or by a period of time, as a text that fits into a link."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from flowlab.formatting import count, plural
from flowlab.tables.limits import TableError

LEFT_OUT = 3
"""The part of such rows in `Dataset.split`."""
MAX_TEXT = 3000
"""Characters that a text of single rows may have, so that it fits into a link."""
_ROWS = re.compile(r"(\d{1,12})(?:\s*(?:-|to)\s*(\d{1,12}))?")
_PERIOD = re.compile(r"(.*\S)\s+to\s+(\S.*)")
_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{4}")


def rows_left_out(text: str, n_rows: int, times: np.ndarray | None = None) -> np.ndarray:
    """The rows that a text names, (n_rows,) bool.

    Parameters
    ----------
    text : parts separated by commas: a row number (from 0), "40-57" or "40 to 57", a date, or two with "to" between
        them; both ends are among them, the last day as a whole
    n_rows : number of rows of the table
    times : (n_rows,) datetime64 times of the rows, where they have any

    TableError, one sentence, for a part that is none of these, or names no row.

    >>> np.flatnonzero(rows_left_out("2, 5-6", 10)).tolist()
    [2, 5, 6]
    """
    chosen = np.zeros(n_rows, bool)
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        rows = _ROWS.fullmatch(part)
        if rows:
            low, high = int(rows[1]), int(rows[2] or rows[1])
            if not low <= high < n_rows:
                raise TableError(
                    f"There are no rows {part[:40]!r} to leave out; the rows are 0 to {count(n_rows - 1)}."
                )
            chosen[low : high + 1] = True
        else:
            chosen |= _in_period(part, times)
    return chosen


def text_of_rows(rows: Iterable[int]) -> str:
    """Row numbers as the text that `rows_left_out` reads; TableError where it is too long for a link.

    >>> text_of_rows([7, 3, 4, 5])
    '3-5, 7'
    """
    numbers = np.unique(np.fromiter(rows, int))
    stretches = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1) if len(numbers) else []
    text = ", ".join(f"{s[0]}-{s[-1]}" if len(s) > 1 else str(s[0]) for s in stretches)
    if len(text) > MAX_TEXT:
        raise TableError(
            f"{plural(len(numbers), 'row')} one by one are too many for a link; leave out a period or a range of rows."
        )
    return text


def left_out_words(text: str, split: np.ndarray) -> str:
    """How many rows are left out, and which, for the story of a run; `split` (n_rows,) as of `Dataset`."""
    n_rows = int((split == LEFT_OUT).sum())
    which = text if len(text) <= 80 else f"{text[:80]}..."
    rows = f"{count(n_rows)} of {count(len(split))} rows ({which})"
    return f"Left out of training and of the choice of the threshold: {rows}"


def _in_period(part: str, times: np.ndarray | None) -> np.ndarray:
    ends = _PERIOD.fullmatch(part)
    first, last = (ends[1], ends[2]) if ends else (part, part)
    begin, end = _moment(first), _moment(last)
    if begin is None or end is None:
        raise TableError(
            f"{part[:60]!r} names no rows; write row numbers (17, 40-57) or dates (2024-03-01 to 2024-03-09)."
        )
    if times is None or times.dtype.kind != "M":
        raise TableError(f"Rows have no dates here, so {part[:60]!r} cannot be left out; give row numbers.")
    if _DAY.fullmatch(last):
        end += np.timedelta64(1, "D") - np.timedelta64(1, "us")
    found = (times >= begin) & (times <= end)
    if not found.any():
        raise TableError(f"No row lies in {part[:60]!r}; the rows are of {_told(times.min())} to {_told(times.max())}.")
    return found


def _moment(text: str) -> np.datetime64 | None:
    """A date or time as it is written; None where it is none."""
    try:
        moment = pd.to_datetime(text, dayfirst="." in text)
    except (ValueError, OverflowError):
        return None
    return None if pd.isna(moment) else moment.tz_localize(None).to_datetime64().astype("datetime64[us]")


def _told(moment: np.datetime64) -> str:
    return str(np.datetime_as_string(moment, unit="s")).replace("T", " ")
