"""What of a row the rows learned from never showed: a new level or hole, a value out of range, a broken constant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from flowlab.encoding.duplicates import deviating
from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.numeric import NumberColumn, is_known, numbers
from flowlab.encoding.plans import column_as_learned
from flowlab.encoding.sources import Source
from flowlab.explain.typical_values import told

Finding = tuple[np.ndarray, Callable[[int], str]]
"""In which rows something is new, and what is said of one of them."""


def row_novelty(encoder: TableEncoder, frame: pd.DataFrame) -> np.ndarray:
    """What is new in each row of a table, (n_rows,) of text; "" where nothing is.

    Each row by itself: a new level of a category, a hole in a column that had none, a number or date outside the
    range learned, a constant that changed, and a column that no longer follows from another as it did. Infinite
    numbers are outside any range.
    """
    return _joined(len(frame), _findings(encoder, frame))


def range_novelty(names: tuple[str, ...], X: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The same of rows X (n_rows, n_features) of numbers, from the ends of each column's range in training."""
    sources = [Source(name, j, j + 1) for j, name in enumerate(names)]
    findings = (_outside(source, pd.Series(X[:, j]), X[:, j], low[j], high[j]) for j, source in enumerate(sources))
    return _joined(len(X), findings)


def _joined(n_rows: int, findings: Iterator[Finding]) -> np.ndarray:
    texts = np.full(n_rows, "", dtype=object)
    for is_new, words in findings:
        for row in np.flatnonzero(is_new):
            texts[row] += f"{'; ' if texts[row] else ''}{words(int(row))}"
    return texts


def _findings(encoder: TableEncoder, frame: pd.DataFrame) -> Iterator[Finding]:
    ranges: dict[str, float] = {}
    for plan in encoder.columns_:
        if plan.name not in frame:
            continue
        column = column_as_learned(frame, plan).reset_index(drop=True)
        missing = column.isna().to_numpy()
        if isinstance(plan, NumberColumn):
            values = numbers(column, plan.epoch)
            ranges[plan.name] = max(abs(plan.low), abs(plan.high))
            if not plan.holes:
                yield missing, _fixed(f"{plan.name} is missing, never before")
            far = np.where(np.isinf(values), ~np.full(len(values), plan.infinite), True) & ~missing
            yield _outside(Source(plan.name, 0, 1, plan), column, np.where(far, values, np.nan), plan.low, plan.high)
            continue
        is_new = plan.codes(column) == len(plan.levels)
        yield is_new & missing, _fixed(f"{plan.name} is missing, never before")
        yield is_new & ~missing, _with_cell(column, f"{plan.name} ", " is new")
    for name, constant in encoder.constants_.items():
        if name in frame:
            value = pd.Series([constant["value"]]).astype(constant["dtype"]).iloc[0]
            column = frame[name].reset_index(drop=True)
            changed = (column != value).fillna(True).to_numpy(bool)
            yield changed, _with_cell(column, f"{name} is ", f" instead of {_short(value)}, as always before")
    for name, copy in encoder.copies_.items():
        if name in frame and copy["of"] in frame:
            size = ranges.get(copy["of"], 0.0) * abs(copy.get("slope", 0.0)) + abs(copy.get("offset", 0.0))
            is_off = deviating(frame[copy["of"]], frame[name], copy, size)
            yield is_off, _fixed(f"{name} does not follow from {copy['of']}, as always before")


def _outside(source: Source, column: pd.Series, values: np.ndarray, low: float, high: float) -> Finding:
    """Where numbers (n_rows,) leave a range; `column` holds them as they are displayed."""

    def words(i: int) -> str:
        if not is_known(values[i : i + 1])[0]:
            return f"{source.name} is infinite, or as good as"
        end = low if values[i] < low else high
        if source.kind == "date" and isinstance(source.plan, NumberColumn):
            end = pd.Timestamp(source.plan.epoch * 1000 + round(end * 1e9))
            where = "earlier" if values[i] < low else "later"
        else:
            where = "lower" if values[i] < low else "higher"
        return f"{source.name} {told(source, column.iloc[i])} is {where} than all learned, to {told(source, end)}"

    with np.errstate(invalid="ignore"):
        return (values < low) | (values > high), words


def _fixed(text: str) -> Callable[[int], str]:
    return lambda _: text


def _with_cell(column: pd.Series, before: str, after: str) -> Callable[[int], str]:
    """The words around the row's cell."""
    return lambda i: f"{before}{'missing' if pd.isna(column.iloc[i]) else _short(column.iloc[i])}{after}"


def _short(value: Any) -> str:
    return str(value)[:40]
