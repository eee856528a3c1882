"""Cells of text that mean numbers, dates or nothing: recognised column by column, on the distinct texts only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

_MISSING = """na n/a n.a. n.a nan -nan nat null (null) #null! none nil <na> missing \\n ? - -- --- – — . .. #n/a #na
#div/0! #value! #ref! #name? #num! 1.#ind -1.#ind 1.#qnan -1.#qnan"""
MISSING_TEXTS = frozenset(["", "#n/a n/a", *_MISSING.split()])
"""What counts as an empty cell, in lower case and without surrounding blanks."""

_SPACES = "\u00a0\u202f\u2009 '’_"
_NUMBER = re.compile(
    r"(?P<open>\()?[+\-−]?\s*(?:[$€£¥]\s*)?"
    r"(?P<digits>\d+(?:[.,\u00a0\u202f\u2009 '’_]\d+)*[.,]?|[.,]\d+)(?P<exponent>[eE][+-]?\d+)?"
    r"\s*(?:%|€|\$|£|¥|EUR|USD|GBP|CHF)?(?P<close>\))?"
)
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ]\s*\d{1,2}:\d{2}.*)?|\d{4}-\d{2}-\d{2}[T ].*")


def is_number(text: str) -> bool:
    """Whether a cell alone could be a number in some way of writing: 12, -3.5e4, 1.234,56, 1 000, 12 %, (5)."""
    text = text.strip()
    if not text or len(text) > 60:
        return False
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return True
    match = _NUMBER.fullmatch(text)
    if not match or bool(match["open"]) != bool(match["close"]):
        return False
    parts = re.split(f"[.,{_SPACES}]", match["digits"])
    return (len(parts) <= 2 and not re.search(f"[{_SPACES}]", match["digits"])) or (
        all(len(p) == 3 for p in parts[1:-1])
        and (len(parts[-1]) == 3 or re.search(r"[.,]\d*$", match["digits"]) is not None)
    )


def is_date(text: str) -> bool:
    """Whether a cell alone could be a date or a date with a time."""
    return _DATE.fullmatch(text.strip()) is not None


@dataclass(frozen=True)
class NumberStyle:
    """How one column writes numbers; `signs` are the separators seen, `unsure` that 1,234 could be read both ways."""

    decimal: str
    signs: str
    unsure: bool


def number_style(texts: Iterable[str], likely_decimal: str) -> NumberStyle | None:
    """The one way of writing that explains all texts, or None when they contradict each other."""
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
    """A text column after reading: its values (float, datetime64 or text) and one sentence per thing done to it."""

    values: pd.Series
    kind: str
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read_column(column: pd.Series, decimal: str, missing: frozenset[str], keep_text: bool) -> Reading:
    """Read a column of text as numbers, as dates, or leave it text; decided on its distinct values."""
    codes, uniques = pd.factorize(column)
    raw = np.asarray(uniques, dtype=object).astype(object)
    texts = np.array([str(text).strip() for text in raw], dtype=object)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    present = np.array([text.lower() not in MISSING_TEXTS and text not in missing for text in texts], dtype=bool)
    changes = []
    if not keep_text and present.any():
        number = _as_numbers(texts, counts, present, decimal)
        if number:
            values, changes, warnings = number
            return Reading(_take(values, codes, column), "number", tuple(changes), tuple(warnings))
        dates = _as_dates(texts, counts, present, codes)
        if dates:
            values, changes, warnings = dates
            return Reading(_take(values, codes, column), "time", tuple(changes), tuple(warnings))
    n_blank = int(sum(counts[i] for i in range(len(texts)) if texts[i] != raw[i] and present[i]))
    if n_blank:
        changes.append(f"blanks around the text of {n_blank:,} cells were removed")
    texts[~present] = None
    values = pd.Series(_take(texts, codes, column), dtype="str")
    return Reading(values, "text", tuple(changes))


def _take(values: np.ndarray, codes: np.ndarray, column: pd.Series) -> pd.Series:
    if not len(values):
        return pd.Series(np.nan, index=column.index)
    return pd.Series(pd.api.extensions.take(values, codes, allow_fill=True), index=column.index)


def _as_numbers(
    texts: np.ndarray, counts: np.ndarray, present: np.ndarray, decimal: str
) -> tuple[np.ndarray, list[str], list[str]] | None:
    probe = np.flatnonzero(present)[:2000]
    if np.mean([is_number(texts[i]) for i in probe]) < 0.8:
        return None
    fits = np.array([ok and is_number(text) for text, ok in zip(texts, present)])
    odd = present & ~fits
    if counts[odd].sum() > 0.1 * counts[present].sum() or odd.sum() > max(3, 0.01 * counts.sum()):
        return None
    style = number_style(texts[fits], decimal)
    if style is None:
        return None
    thousands = "." if style.decimal == "," else ","
    plain = pd.Series(texts[fits], dtype="str")
    negative = plain.str.startswith("(").to_numpy(bool)
    plain = plain.str.replace(f"[{_SPACES}{re.escape(thousands)}()$€£¥%]|EUR|USD|GBP|CHF", "", regex=True)
    plain = plain.str.replace("−", "-", regex=False).str.replace(style.decimal, ".", regex=False)
    numbers = pd.to_numeric(plain, errors="coerce").to_numpy(float)
    values = np.full(len(texts), np.nan)
    values[fits] = np.where(negative, -numbers, numbers)
    changes, warnings = [], []
    if style.decimal == ",":
        changes.append("the comma was read as decimal sign")
    if thousands in style.signs:
        changes.append(f"{'commas' if thousands == ',' else 'points'} between thousands were removed")
    if any("%" in text for text in texts[fits][:2000]):
        changes.append("percent signs were removed (12 % is 12)")
    if style.unsure:
        warnings.append(f"1,234 could mean 1234 or 1.234; it was read as {'1.234' if style.decimal == ',' else '1234'}")
    if odd.any():
        shown = ", ".join(repr(str(text)) for text in texts[odd][:3])
        warnings.append(f"{int(counts[odd].sum()):,} cells are not numbers ({shown}) and count as missing")
    return values, changes, warnings


_DAY_FIRST = ("%d{0}%m{0}%Y", "%d{0}%m{0}%y")
_MONTH_FIRST = ("%m{0}%d{0}%Y", "%m{0}%d{0}%y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")


def _as_dates(
    texts: np.ndarray, counts: np.ndarray, present: np.ndarray, codes: np.ndarray
) -> tuple[np.ndarray, list[str], list[str]] | None:
    where = np.flatnonzero(present)
    probe = texts[where[np.linspace(0, len(where) - 1, min(len(where), 500)).astype(int)]]
    if np.mean([is_date(text) for text in probe]) < 0.9:
        return None
    plain = pd.Series(texts[present], dtype="str")
    best: tuple[float, np.ndarray, str] | None = None
    for name, formats in _date_formats(str(probe[0])):
        for fmt in formats:
            parsed = pd.to_datetime(plain, format=fmt, errors="coerce", utc=True)
            share = float(counts[present][parsed.notna().to_numpy()].sum() / counts[present].sum())
            if share < 0.95:
                continue
            values = np.full(len(texts), np.datetime64("NaT", "ns"))
            values[present] = parsed.dt.tz_localize(None).to_numpy("datetime64[ns]")
            order = np.diff(values[codes[codes >= 0]].astype("int64"))
            merit = share + 0.01 * float(np.mean(order >= 0)) if len(order) else share
            if best is None or merit > best[0] + 1e-12:
                best = merit, values, name
            break
    if best is None:
        return None
    _, values, name = best
    lost = present & np.isnat(values)
    changes, warnings = ["read as dates" + (f", {name}" if name else "")], []
    if lost.any():
        shown = ", ".join(repr(str(text)) for text in texts[lost][:3])
        warnings.append(f"{int(counts[lost].sum()):,} cells are not dates ({shown}) and count as missing")
    return values, changes, warnings


def _date_formats(example: str) -> list[tuple[str, list[str]]]:
    mark = next((sign for sign in "-/." if sign in example[:5]), "-")
    if re.match(r"\d{4}", example):
        year_first = [f"%Y{mark}%m{mark}%d{clock}" for clock in _CLOCKS]
        return [("", ["ISO8601", *year_first] if mark == "-" else year_first)]
    day = [fmt.format(mark) + clock for fmt in _DAY_FIRST for clock in _CLOCKS]
    month = [fmt.format(mark) + clock for fmt in _MONTH_FIRST for clock in _CLOCKS]
    named = [("day before month", day), ("month before day", month)]
    return named[::-1] if mark == "/" else named
