"""Tables as CSV whose cells a spreadsheet does not take for formulas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.tables.cells import NUMBER, is_number
from flowlab.tables.dialect import DELIMITERS

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_STARTS = frozenset(FORMULA_STARTS)


@dataclass(frozen=True)
class Writing:
    """How a CSV is written.

    Attributes
    ----------
    delimiter, decimal : single characters, which differ
    has_mark : whether it begins with a byte-order mark, without which Excel does not read UTF-8
    """

    delimiter: str = ","
    decimal: str = "."
    has_mark: bool = False

    @classmethod
    def for_excel(cls, delimiter: str = "", decimal: str = "") -> Writing:
        """As Excel of the country reads it in which a file was written: by that one's delimiter, in words, and decimal.

        >>> Writing.for_excel("tab", ","), Writing.for_excel("comma", ",").delimiter
        (Writing(delimiter='\\t', decimal=',', has_mark=True), ';')
        """
        decimal = decimal or "."
        named = next((sign for sign, name in DELIMITERS.items() if name == delimiter and sign in ",;\t"), ",")
        return cls(";" if named == decimal else named, decimal, has_mark=True)


PLAIN = Writing()


def to_csv_bytes(frame: pd.DataFrame, as_written: bool = False, writing: Writing = PLAIN) -> bytes:
    """The frame as UTF-8 CSV; texts and names a spreadsheet would take for a formula get a ' in front.

    Where cells are texts as a file had them (`as_written`), those that are numbers are left alone.

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
        neutral = _neutral_text if as_written else _neutral
        cells = [neutral(c) if isinstance(c, str) and c[:1] in _STARTS else c for c in column.astype(object)]
        safe.isetitem(position, pd.Series(cells, column.index, dtype=object))
    safe.columns = [_neutral(name) for name in frame.columns]
    written = {"index": False, "sep": writing.delimiter, "decimal": writing.decimal}
    text = safe.to_csv(lineterminator="\n", **written)
    if "\r" in text:  # Python's csv quotes a carriage return only where it is part of the line end
        text = safe.to_csv(lineterminator="\r\n", **written)
    return text.encode("utf-8-sig" if writing.has_mark else "utf-8")


def as_before(text: str) -> str:
    """A text of `to_csv_bytes` without the ' that it may have got in front.

    >>> as_before("'=1+1"), as_before("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_STARTS) else text


def may_execute(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Which cells of text a spreadsheet would take for a formula; negative numbers are none."""
    starts = pc.match_substring_regex(cells, r"^[=+\-@\t\r]")
    if not pc.any(starts).as_py():
        return starts
    return pc.and_(starts, pc.invert(pc.match_substring_regex(cells, NUMBER)))


def to_csv_lines(columns: Iterable[pa.ChunkedArray], is_guarded: bool = True) -> pa.ChunkedArray:
    """Rows of cells of text as lines of CSV, (n_rows,): each cell as it is, quoted where CSV needs it.

    What a spreadsheet would take for a formula gets a ' in front, unless the lines are for us alone (not `is_guarded`).
    """
    written = []
    for cells in columns:
        cells = cells.cast(pa.large_string())
        risky = may_execute(cells) if is_guarded else None
        if risky is not None and pc.any(risky).as_py():
            cells = pc.if_else(risky, pc.binary_join_element_wise(_text("'"), cells, _text("")), cells)
        special = pc.match_substring_regex(cells, r'[",\r\n]')
        if pc.any(special).as_py():
            doubled = pc.replace_substring(cells, '"', '""')
            cells = pc.if_else(special, pc.binary_join_element_wise(_text('"'), doubled, _text('"'), _text("")), cells)
        written.append(cells)
    return pc.binary_join_element_wise(*written, _text(",")) if len(written) > 1 else written[0]


def _text(literal: str) -> pa.Scalar:
    return pa.scalar(literal, pa.large_string())


def _neutral(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _neutral_text(cell: object) -> object:
    return cell if isinstance(cell, str) and is_number(cell) else _neutral(cell)
