"""Rows and samples side by side as numbers: categories as the numbers of their levels, dates as milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

MAX_LEVELS = 10


@dataclass(frozen=True, eq=False)
class TwoTables:
    """Rows and samples in the same columns, as numbers.

    Attributes
    ----------
    names : of the columns, without those in which nothing varies
    data : (n, d), samples : (m, d); nan where a value is missing
    on_grid : (m, d) samples, those of columns of whole numbers rounded: what a comparison of shares is fair with
    levels : for each column the names of its values 0, 1, .. where it is a category, else None
    is_date : for each column whether it holds dates, as milliseconds since 1970
    """

    names: tuple[str, ...]
    data: np.ndarray
    samples: np.ndarray
    on_grid: np.ndarray
    levels: tuple[tuple[str, ...] | None, ...]
    is_date: tuple[bool, ...]

    def of(self, columns: list[int]) -> TwoTables:
        """Only these columns."""
        names, levels, is_date = (
            tuple(all_of[j] for j in columns) for all_of in (self.names, self.levels, self.is_date)
        )
        return TwoTables(names, *(T[:, columns] for T in (self.data, self.samples, self.on_grid)), levels, is_date)


def two_tables(data: pd.DataFrame, samples: pd.DataFrame) -> TwoTables:
    """Two frames of the same columns as numbers: categories by frequency, rare ones together as the last.

    >>> frame = pd.DataFrame({"x": [1.5, 2.0, 2.5], "kind": ["a", "b", "b"]})
    >>> tables = two_tables(frame, frame.iloc[:2])
    >>> tables.levels, tables.samples.tolist()
    ((None, ('b', 'a')), [[1.5, 1.0], [2.0, 0.0]])
    """
    names, columns, levels, is_date = [], [], [], []
    for j, name in enumerate(data.columns):
        values, of_column = _numbers(pd.concat([data.iloc[:, j], samples.iloc[:, j]], ignore_index=True))
        of_rows, drawn = values[: len(data)], values[len(data) :]
        whole = (of_rows == np.rint(of_rows))[np.isfinite(of_rows)].all()
        on_grid = np.rint(drawn) if whole else drawn
        compared = np.concatenate([of_rows, on_grid])
        if len(np.unique(compared[np.isfinite(compared)])) > 1:
            names.append(str(name))
            columns.append((of_rows, drawn, on_grid))
            levels.append(of_column)
            is_date.append(pd.api.types.is_datetime64_any_dtype(data.iloc[:, j].dtype))
    tables = [np.column_stack(parts) for parts in zip(*columns)] if columns else [np.empty((0, 0))] * 3
    return TwoTables(tuple(names), *tables, tuple(levels), tuple(is_date))


def _numbers(column: pd.Series) -> tuple[np.ndarray, tuple[str, ...] | None]:
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return np.where(column.isna(), np.nan, column.to_numpy("datetime64[ms]").astype(float)), None
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=float, na_value=np.nan), None
    text = column.astype("object").where(column.notna(), "missing").astype(str)
    common = text.value_counts().index
    kept = tuple(common[: MAX_LEVELS - (len(common) > MAX_LEVELS)])
    codes = pd.Index(kept).get_indexer(text)
    return np.where(codes < 0, len(kept), codes).astype(float), kept + ("others",) * (len(common) > len(kept))
