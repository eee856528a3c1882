"""Pieces of a large table, as a parser hands them on, become one frame: each column is filled in place."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from flowlab.datasets.cells import text_cells

Column = np.ndarray | list[pa.Array]


def put_together(pieces: Iterable[pd.DataFrame], n_rows: int) -> pd.DataFrame | None:
    """The pieces one below the other, at most `n_rows` in all; None where a column changes its type on the way.

    Columns hold numbers, truth values, datetime64[ns] or str. Whole numbers may become numbers with decimals.
    """
    columns: dict[int, Column] = {}
    filled = 0
    for piece in pieces:
        for name in piece:
            held = columns.get(name) if filled else _room(piece[name], n_rows)
            held = _append(held, piece[name], filled) if filled + len(piece) <= n_rows else None
            if held is None:
                return None
            columns[name] = held
        filled += len(piece)
    return pd.DataFrame({name: _whole(column, filled) for name, column in columns.items()}, copy=False)


def _room(column: pd.Series, n_rows: int) -> Column:
    return [] if isinstance(column.dtype, pd.StringDtype) else np.empty(n_rows, column.dtype)


def _append(held: Column, column: pd.Series, filled: int) -> Column | None:
    """What is held with the piece behind its first `filled` rows; None where the piece is of another type."""
    is_text = isinstance(column.dtype, pd.StringDtype)
    kind = "text" if is_text else column.dtype.kind
    is_empty = kind == "f" and bool(column.isna().all())
    if isinstance(held, list):
        if not is_text and not is_empty:
            return None
        return held + (text_cells(column).chunks if is_text else [pa.nulls(len(column), pa.large_string())])
    kinds = held.dtype.kind + kind
    if kind == "O" or (held.dtype != column.dtype and kinds not in ("if", "fi") and not (kinds == "Mf" and is_empty)):
        return None  # objects are truth values with holes, or numbers beside texts
    if kinds == "if":
        held = np.concatenate([held[:filled], np.empty(len(held) - filled)])
    held[filled : filled + len(column)] = np.datetime64("NaT") if kinds == "Mf" else column.to_numpy()
    return held


def _whole(column: Column, n_rows: int) -> pd.Series:
    if isinstance(column, list):
        return pd.Series(pd.array(pa.chunked_array(column, pa.large_string()), dtype="str"), copy=False)
    return pd.Series(column[:n_rows], copy=False)
