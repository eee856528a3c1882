"""Tables as Excel workbooks, row by row: dates are dates, numbers are numbers, and no text is a formula."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable, Iterable
from itertools import chain
from typing import IO, Any

import numpy as np
import pandas as pd

from flowlab.formatting import count
from flowlab.tables.limits import TableError

MAX_ROWS, MAX_COLUMNS, MAX_TEXT = 1_048_575, 16_384, 32_767
"""What a sheet of Excel holds: rows below its header, columns, and characters of a cell."""
EXACT_DIGITS = 10**15
"""Excel keeps fifteen digits: whole numbers from here on are written as text."""
NARROWEST, WIDEST = 8, 50
N_MEASURED = 500
"""Rows of which the widths of the columns are found out."""
_FIRST_DATE = np.datetime64("1900-03-01")
"""Excel counts a 29th of February 1900, so that its days are right from here on; earlier ones are written as text."""
_DAY_NOUGHT = np.datetime64("1899-12-30", "ms")
_MADE = datetime.datetime(2000, 1, 1)


class _Exact(float):
    """A number that is written with all of its digits, where XlsxWriter would round it to sixteen."""

    def __format__(self, _: str) -> str:
        return float.__repr__(self)


def write_workbook(frames: Iterable[pd.DataFrame], sink: IO[bytes]) -> None:
    """Write a table that comes in pieces with the same columns as one sheet, in bounded memory.

    The header stands still and filters. Missing cells are empty. Equal tables give equal bytes.

    Raises
    ------
    TableError
        For more rows or columns than a sheet of Excel holds; what the sink has by then is no workbook of all rows.
    """
    from xlsxwriter import Workbook

    pieces = iter(frames)
    first = next(pieces)
    if first.shape[1] > MAX_COLUMNS:
        raise _too_large()
    with Workbook(sink, {"constant_memory": True, "use_zip64": True}) as book:
        book.set_properties({"created": _MADE})
        sheet, bold = book.add_worksheet("Rows"), book.add_format({"bold": True})
        formats = {name: book.add_format({"num_format": name}) for name in ("yyyy-mm-dd", _TIMED, _TO_THE_MILLISECOND)}
        for j, (name, column) in enumerate(first.items()):
            sheet.set_column(j, j, _width(str(name), column.head(N_MEASURED)))
        for j, name in enumerate(first):
            sheet.write_string(0, j, str(name)[:MAX_TEXT], bold)
        sheet.freeze_panes(1, 0)
        writers: dict[type, Callable[..., Any]] = {
            bool: sheet.write_boolean,
            int: sheet.write_number,
            _Exact: sheet.write_number,
            str: sheet.write_string,
        }
        n_rows = 0
        for frame in chain([first], pieces):
            check_rows(n_rows + len(frame))
            columns = [_cells(frame.iloc[:, j]) for j in range(frame.shape[1])]
            shown = [formats.get(name) for _, name in columns]
            for i, row in enumerate(zip(*(cells for cells, _ in columns)), n_rows + 1):
                for j, cell in enumerate(row):
                    if cell is not None:
                        is_number = isinstance(cell, int | float)
                        writers[type(cell)](i, j, cell, *([shown[j]] if shown[j] and is_number else []))
            n_rows += len(frame)
        if first.shape[1]:
            sheet.autofilter(0, 0, n_rows, first.shape[1] - 1)


def to_workbook(frame: pd.DataFrame) -> bytes:
    """The frame as an .xlsx file; see `write_workbook`.

    >>> to_workbook(pd.DataFrame({"x": [1.5]}))[:2]
    b'PK'
    """
    buffer = io.BytesIO()
    write_workbook([frame], buffer)
    return buffer.getvalue()


_TIMED, _TO_THE_MILLISECOND = "yyyy-mm-dd hh:mm:ss", "yyyy-mm-dd hh:mm:ss.000"


def check_rows(n_rows: int) -> None:
    """Raise TableError, one sentence, where a sheet of Excel does not hold so many rows."""
    if n_rows > MAX_ROWS:
        raise _too_large()


def _too_large() -> TableError:
    return TableError(
        f"A sheet of Excel holds {count(MAX_ROWS)} rows below its header and {count(MAX_COLUMNS)} columns, and there "
        "are more; write CSV or Parquet."
    )


def _cells(column: pd.Series) -> tuple[list[Any], str]:
    """The cells of a column as numbers, truth values, texts or None, and the format of its dates, "" where it has none.

    Dates are numbers: days since the end of 1899.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _dates(column)
    if column.dtype == np.float64 and not np.isinf(column.to_numpy()).any():
        return [None if value != value else _Exact(value) for value in column.tolist()], ""
    cells = column.astype(object).where(column.notna(), None)
    is_date = cells.map(lambda value: isinstance(value, datetime.datetime)).to_numpy(bool)
    if not is_date.any():
        return [_cell(value) for value in cells.tolist()], ""
    dates, name = _dates(pd.to_datetime(cells.where(is_date, None)))
    return [date if is_one else _cell(value) for date, is_one, value in zip(dates, is_date, cells.tolist())], name


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value) if abs(int(value)) < EXACT_DIGITS else str(value)
    if isinstance(value, float | np.floating):
        return _Exact(value) if np.isfinite(value) else str(value)
    return None if value is None else str(value)


def _dates(column: pd.Series) -> tuple[list[Any], str]:
    if getattr(column.dtype, "tz", None) is not None:
        column = column.dt.tz_localize(None)
    stamps = column.to_numpy("datetime64[ms]")
    milliseconds = (stamps - _DAY_NOUGHT).astype(np.int64)
    days = milliseconds / 86_400_000
    is_early, is_missing = stamps < _FIRST_DATE, np.isnat(stamps)
    of_day = milliseconds[~is_missing] % 86_400_000
    name = "yyyy-mm-dd" if not of_day.any() else _TO_THE_MILLISECOND if (of_day % 1000).any() else _TIMED
    cells: list[Any] = [_Exact(day) for day in days]
    for i in np.flatnonzero(is_missing):
        cells[i] = None
    for i in np.flatnonzero(is_early):
        cells[i] = column.iloc[i].isoformat(" ").removesuffix(" 00:00:00")
    return cells, name


def _width(name: str, column: pd.Series) -> int:
    """The width of a column in characters: its header's with the sign of the filter, or that of nine in ten cells."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        lengths = [19]
    else:
        lengths = [min(len(str(cell)), 12 if isinstance(cell, float) else WIDEST) for cell in column.dropna().tolist()]
    usual = float(np.quantile(lengths, 0.9)) if lengths else 0
    return int(np.clip(max(len(name) + 3, usual + 2), NARROWEST, WIDEST))
