"""Text cells read as numbers, dates or missing values, column by column, on the distinct texts only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_MISSING = """na n/a n.a. n.a nan -nan nat null (null) #null! none nil <na> missing \\n ? - -- --- – — . .. #n/a #na
#div/0! #value! #ref! #name? #num! 1.#ind -1.#ind 1.#qnan -1.#qnan"""
MISSING_TEXTS = frozenset(["", "#n/a n/a", *_MISSING.split()])
"""Texts read as a missing cell, in lower case and without surrounding blanks."""

READ_AS_DATES = "read as dates"

_SPACES = "\u00a0\u202f\u2009 '’_"
_CURRENCY = r"(?:[$€£¥]|EUR|USD|GBP|CHF)"
_DIGITS = rf"(?:\d+[.,]?\d*|[.,]\d+|\d{{1,3}}(?:[.,{_SPACES}]\d{{3}})+(?:[.,]\d*)?)"
_NUMBER = rf"(?:{_CURRENCY}\s*)?[+\-−]?\s*(?:{_CURRENCY}\s*)?{_DIGITS}(?:[eE][+-]?\d+)?\s*(?:%|{_CURRENCY})?"
_NUMBER = rf"^(?:{_NUMBER}|\({_NUMBER}\)|[+-]?(?i:inf|infinity))$"
_IS_NUMBER = re.compile(_NUMBER)
_CLOCK = r"([T ]\s*\d{1,2}:\d{2}.*)?"
_DATE = re.compile(
    rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}{_CLOCK}|\d{{4}}-\d{{2}}-\d{{2}}[T ].*"
    rf"|\d{{1,2}}[- ][A-Za-z]{{3,9}}[- ]\d{{2,4}}{_CLOCK}|[A-Za-z]{{3,9}} \d{{1,2}}, \d{{4}}{_CLOCK}"
)


def is_number(text: str) -> bool:
    """Whether a cell by itself could be a number in some notation: 12, -3.5e4, 1.234,56, 1 000, 12 %, (5)."""
    return len(text) < 80 and _IS_NUMBER.match(text.strip()) is not None


def is_date(text: str) -> bool:
    """Whether a cell by itself could be a date, or a date with a time."""
    return _DATE.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class NumberStyle:
    """How one column writes numbers.

    Attributes
    ----------
    decimal : decimal sign, "." or ","
    signs : the separators that occur in the column, sorted
    unsure : whether a text such as 1,234 could be 1234 or 1.234
    """

    decimal: str
    signs: str
    unsure: bool


def number_style(texts: Iterable[str], likely_decimal: str) -> NumberStyle | None:
    """The number style that explains all texts, or None when they contradict each other.

    Parameters
    ----------
    texts : cells that hold numbers
    likely_decimal : decimal sign assumed where the texts leave it open
    """
    decimal_votes, thousand_votes, open_votes = set(), set(), set()
    for text in texts:
        marks = re.findall(r"[.,]", text)
        if not marks:
            continue
        if len(set(marks)) == 2:
            decimal_votes.add(marks[-1])
            thousand_votes.add(marks[0])
        elif len(marks) > 1:
            thousand_votes.add(marks[0])
        else:
            before, after = re.split(r"[.,]", text)
            before, after = re.sub(r"\D", "", before), re.match(r"\d*", after).group()
            clear = len(after) != 3 or len(before) > 3 or before in ("", "0") or before.startswith("0")
            (decimal_votes if clear else open_votes).add(marks[0])
    if len(decimal_votes) > 1 or decimal_votes & thousand_votes:
        return None
    signs = "".join(sorted(decimal_votes | thousand_votes | open_votes))
    if decimal_votes:
        return NumberStyle(decimal_votes.pop(), signs, False)
    if thousand_votes:
        mark = thousand_votes.pop()
        return NumberStyle("," if mark == "." else ".", signs, False)
    return NumberStyle(likely_decimal, signs, bool(open_votes) and "," in open_votes)


@dataclass(frozen=True)
class Reading:
    """A text column after reading.

    Attributes
    ----------
    values : the cells as float64, datetime64[ns] or str, (n_rows,)
    kind : "number", "time" or "text"
    changes : what was done to the column, one phrase each
    warnings : what a person should check, one phrase each
    """

    values: pd.Series
    kind: str
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_column(column: pd.Series, decimal: str, missing: frozenset[str], keep_text: bool) -> Reading:
    """A column of text read as numbers or dates where nearly all its distinct texts are such, else as text.

    Parameters
    ----------
    column : text cells, (n_rows,)
    decimal : decimal sign assumed where the column leaves it open
    missing : texts that mean a missing value besides `MISSING_TEXTS`
    keep_text : whether the column stays text, as codes with leading zeros do
    """
    cells = text_cells(column)
    stamps = None if keep_text else iso_stamps(cells)
    if stamps is not None:
        return Reading(pd.Series(stamps, index=column.index), "time", (READ_AS_DATES,))
    coded = cells.dictionary_encode().combine_chunks()
    texts = pc.utf8_trim_whitespace(coded.dictionary)
    empty = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(sorted(MISSING_TEXTS), pa.large_string()))
    if missing:
        empty = pc.or_(empty, pc.is_in(texts, value_set=pa.array(sorted(missing), pa.large_string())))
    present = ~empty.to_numpy(zero_copy_only=False)
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    if not keep_text and present.any():
        for kind, read in (("number", _as_numbers), ("time", _as_dates)):
            reading = read(texts, counts, present, decimal, codes)
            if reading:
                values, changes, warnings = reading
                return Reading(_take(values, codes, column), kind, tuple(changes), tuple(warnings))
    n_blank = int(counts[pc.not_equal(texts, coded.dictionary).to_numpy(zero_copy_only=False) & present].sum())
    if not n_blank and present.all():
        return Reading(column, "text")
    changes = (f"blanks around the text of {n_blank:,} cells were removed",) if n_blank else ()
    kept = pc.if_else(pa.array(present), texts, pa.scalar(None, pa.large_string()))
    values = pd.Series(kept.take(coded.indices).to_pandas(), dtype="str")
    return Reading(values.set_axis(column.index), "text", changes)


def text_cells(column: pd.Series) -> pa.ChunkedArray:
    """The cells of a column of text, shape (n_rows,), without a copy."""
    cells = pa.array(column.array, type=pa.large_string())
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def iso_stamps(cells: pa.ChunkedArray) -> np.ndarray | None:
    """The cells as datetime64[ns], (n_rows,), where all are ISO dates without a zone or missing; else None."""
    if not len(cells):
        return None
    probe = [text for text in cells.take(pa.array(np.linspace(0, len(cells) - 1, 50).astype(int))).to_pylist() if text]
    if not probe or not all(re.match(r"\d{4}-\d{2}-\d{2}", text) for text in probe):
        return None
    try:
        return cells.cast(pa.timestamp("ns")).to_numpy()
    except pa.ArrowInvalid:
        return None


def _take(values: np.ndarray, codes: np.ndarray, column: pd.Series) -> pd.Series:
    return pd.Series(pd.api.extensions.take(values, codes, allow_fill=True), index=column.index)


def _sample(texts: pa.Array, present: np.ndarray, n: int) -> list[str]:
    where = np.flatnonzero(present)
    return texts.take(pa.array(where[np.linspace(0, len(where) - 1, min(len(where), n)).astype(int)])).to_pylist()


def _as_numbers(
    texts: pa.Array, counts: np.ndarray, present: np.ndarray, decimal: str, codes: np.ndarray
) -> tuple[np.ndarray, list[str], list[str]] | None:
    probe = _sample(texts, present, 1000)
    if np.mean([is_number(text) for text in probe]) < 0.8:
        return None
    fits = present & pc.match_substring_regex(texts, _NUMBER).to_numpy(zero_copy_only=False)
    marked = pc.match_substring_regex(texts, "[.,]").to_numpy(zero_copy_only=False)
    style = number_style(_sample(texts, fits & marked, 5000) if (fits & marked).any() else [], decimal)
    if style is None:
        return None
    thousands = "." if style.decimal == "," else ","
    whole, part = rf"([0-9]+|[0-9]{{1,3}}([{_SPACES}{thousands}][0-9]{{3}})+)?", rf"([{style.decimal}][0-9]*)?"
    strict = rf"^[^0-9.,]*{whole}{part}([eE][+-]?[0-9]+)?[^0-9]*$"  # texts of the other style are no numbers here
    fits &= pc.match_substring_regex(texts, strict).to_numpy(zero_copy_only=False)
    odd = present & ~fits
    if counts[odd].sum() > 0.1 * counts[present].sum() or odd.sum() > max(3, 0.01 * counts.sum()):
        return None
    values = np.full(len(texts), np.nan)
    number_texts = texts.filter(pa.array(fits))
    values[fits] = _to_float(number_texts, style.decimal, thousands)
    changes, warnings = [], []
    if style.decimal == ",":
        changes.append("the comma was read as decimal sign")
    if thousands in style.signs:
        changes.append(f"{'commas' if thousands == ',' else 'points'} between thousands were removed")
    if pc.any(pc.match_substring(number_texts, "%")).as_py():
        changes.append("percent signs were removed (12 % is 12)")
    if style.unsure:
        warnings.append(f"1,234 could mean 1234 or 1.234; it was read as {'1.234' if style.decimal == ',' else '1234'}")
    if odd.any():
        warnings.append(f"{int(counts[odd].sum()):,} cells are not numbers ({_few(texts, odd)}) and count as missing")
    return values, changes, warnings


def _to_float(texts: pa.Array, decimal: str, thousands: str) -> np.ndarray:
    negative = pc.starts_with(texts, "(").to_numpy(zero_copy_only=False)
    plain = pc.replace_substring_regex(texts, rf"[{_SPACES}{thousands}+()$€£¥%]|EUR|USD|GBP|CHF|\s", "")
    plain = pc.replace_substring(pc.replace_substring(plain, "−", "-"), decimal, ".")
    try:
        numbers = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        numbers = pd.to_numeric(plain.to_pandas(), errors="coerce").to_numpy(float)
    return np.where(negative, -numbers, numbers)


def _few(texts: pa.Array, is_example: np.ndarray) -> str:
    return ", ".join(repr(text[:40]) for text in _sample(texts, is_example, 3))


_DAY_FIRST = ("%d{0}%m{0}%Y", "%d{0}%m{0}%y")
_MONTH_FIRST = ("%m{0}%d{0}%Y", "%m{0}%d{0}%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")


def _as_dates(
    texts: pa.Array, counts: np.ndarray, present: np.ndarray, decimal: str, codes: np.ndarray
) -> tuple[np.ndarray, list[str], list[str]] | None:
    probe = _sample(texts, present, 500)
    if np.mean([is_date(text) for text in probe]) < 0.9:
        return None
    plain = texts.filter(pa.array(present))
    best: tuple[float, np.ndarray, str] | None = None
    for name, formats in _date_formats(probe[0]):
        for fmt in formats:
            stamps = _to_stamps(plain, fmt)
            share = float(counts[present][~np.isnat(stamps)].sum() / counts[present].sum())
            if share < 0.95:
                continue
            values = np.full(len(texts), np.datetime64("NaT", "ns"))
            values[present] = stamps
            # where two formats fit, the one that puts more rows in order of time is preferred
            order = np.diff(values[codes[codes >= 0]].astype("int64"))
            merit = share + 0.01 * float(np.mean(order >= 0)) if len(order) else share
            if best is None or merit > best[0] + 1e-12:
                best = merit, values, name
            break
    if best is None:
        return None
    _, values, name = best
    lost = present & np.isnat(values)
    changes, warnings = [READ_AS_DATES + (f", {name}" if name else "")], []
    if lost.any():
        warnings.append(f"{int(counts[lost].sum()):,} cells are not dates ({_few(texts, lost)}) and count as missing")
    return values, changes, warnings


def _to_stamps(texts: pa.Array, fmt: str) -> np.ndarray:
    if fmt == "ISO8601":
        try:  # much faster than pandas, but fails if one text does not fit
            return texts.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            pass
    parsed = pd.to_datetime(pd.Series(texts.to_pandas(), dtype="str"), format=fmt, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[ns]")


def _date_formats(example: str) -> list[tuple[str, list[str]]]:
    if re.search("[A-Za-z]{3}", example):
        shapes = ("%d-%b-%Y", "%d %b %Y", "%d-%b-%y", "%d-%B-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
        return [("", [shape + clock for shape in shapes for clock in _CLOCKS])]
    mark = next((sign for sign in "-/." if sign in example[:5]), "-")
    if re.match(r"\d{4}", example):
        year_first = [f"%Y{mark}%m{mark}%d{clock}" for clock in _CLOCKS]
        return [("", ["ISO8601", *year_first] if mark == "-" else year_first)]
    day = [fmt.format(mark) + clock for fmt in _DAY_FIRST for clock in _CLOCKS]
    month = [fmt.format(mark) + clock for fmt in _MONTH_FIRST for clock in _CLOCKS]
    named = [("day before month", day), ("month before day", month)]
    return named[::-1] if mark == "/" else named
