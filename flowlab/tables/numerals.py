"""How people write numbers: decimal and thousands signs, currencies, percent, units and clocks; and what is a code."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.tables.cells import ENOUGH, NUMBER, SPACES, Distinct, first_characters, holds

_UNIT = r"^(?P<number>[^A-Za-z°µ]*?\d[\d.,\s]*?)\s*(?P<unit>[A-Za-z°µ][A-Za-z°µ/²³]{0,7})$"
_HOURS = r"^\d{1,3}:[0-5]\d(:[0-5]\d(\.\d+)?)?$"


@dataclass(frozen=True)
class NumberStyle:
    """How one column writes numbers, and what a person should know of it."""

    decimal: str
    unit: str = ""
    is_clock: bool = False
    changes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def certain_values(cells: pa.ChunkedArray, decimal: str) -> np.ndarray | None:
    """`plain_values` where none of the cells looks like a code either, such as 007, 1E10 or +49; else None."""
    values = plain_values(cells, decimal)
    if values is None:
        return None
    first, second = first_characters(cells).T
    if (first == ord("+")).any() or ((first == ord("0")) & (second >= ord("0")) & (second <= ord("9"))).any():
        return None
    is_code = holds(cells, b"e", b"E") and pc.any(_matches(cells, r"\d[eE]\d")).as_py()
    return None if is_code else values


def plain_values(cells: pa.ChunkedArray, decimal: str) -> np.ndarray | None:
    """The numbers (n_rows,) float64, nan for empty cells, where all cells are as programs write numbers; else None."""
    if decimal == "," and holds(cells, b"."):
        return None  # the point may stand between thousands
    if not len(cells):
        return None
    filled = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
    if filled.null_count == len(cells):
        return None
    try:
        numbers = filled.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    values = numbers.to_numpy()
    beyond = np.abs(values) >= 2**53
    if (np.isnan(values).sum() != filled.null_count) or (beyond.any() and not np.isfinite(values[beyond]).all()):
        return None  # nan and inf are words
    if beyond.any() and pc.any(_matches(cells.filter(pa.array(beyond)), r"^[+-]?\d+$")).as_py():
        return None  # an identifier
    return values


def are_whole(cells: pa.ChunkedArray) -> bool:
    """Whether no cell has a decimal part, not even .0."""
    if not holds(cells, b".", b","):
        return True
    return not pc.any(_matches(cells, r"[.,]\d{0,2}$|[.,]\d{4}|[eE%]")).as_py()


def are_codes(distinct: Distinct) -> bool:
    """Whether digits name things: 00917, 1E10 beside 2E10, +49 170 1234567, numbers longer than a float is exact."""
    texts = distinct.texts
    digits = _matches(texts, r"^\d+$")
    if pc.any(_matches(texts, r"^0\d+$")).as_py() and distinct.share(_mask(digits)) > ENOUGH:
        return True
    if pc.any(_matches(texts, r"^\d+[eE]\d+$")).as_py() and not pc.any(_matches(texts, r"[.,]|[eE][+-]")).as_py():
        return True
    if distinct.share(_mask(_matches(texts, r"^\+\d[\d ()/-]{6,}$"))) > 0.5:
        return True
    odd = ~_mask(digits)
    if 3 <= odd.sum() < len(odd) and _mask(_matches(texts.filter(pa.array(odd)), r"^[A-Za-z]{1,3}-?\d+$")).all():
        return True  # M104 among 101, 102 and 103
    long = texts.filter(_matches(texts, r"^[+-]?\d{16,}$"))
    return any(abs(int(text)) >= 2**53 for text in long.slice(0, 10_000).to_pylist())


def style_of(distinct: Distinct, likely_decimal: str) -> NumberStyle | None:
    """How a column writes numbers; None where too few of its cells are numbers."""
    texts, unit = distinct.texts, ""
    fits = _mask(_matches(texts, NUMBER))
    if distinct.share(fits) < ENOUGH:
        if distinct.share(_mask(_matches(texts, _HOURS))) >= ENOUGH:
            return _clock(distinct)
        unit = _unit_of(distinct)
        if not unit:
            return None
        fits = _mask(_matches(_without_unit(texts, unit), NUMBER))
        texts = _without_unit(texts, unit)
    marked = texts.filter(pa.array(fits & _mask(_matches(texts, r"[.,]"))))
    decimal, is_open = decimal_of(marked, likely_decimal)
    values = values_of(distinct.texts, decimal, unit)
    odd = np.isnan(values)
    if distinct.share(~odd) < ENOUGH:
        return None
    return NumberStyle(decimal, unit, False, *_said(distinct, texts, odd, decimal, unit, is_open))


def values_of(texts: pa.Array, decimal: str, unit: str = "") -> np.ndarray:
    """Texts as numbers, (n,) float64, nan where one is none: a function of each text, `decimal` and `unit` alone.

    A text that can be read in one way only is read so, whatever the decimal sign: 1.234,5 and 1,5 and 1,234,567.
    """
    thousands = "." if decimal == "," else ","
    texts = _without_unit(texts, unit) if unit else texts
    is_number = _matches(texts, NUMBER)
    negative = _mask(_matches(texts, r"^\(|^[^\d]*[-−]"))
    infinite = _mask(_matches(texts, r"(?i)^[+-]?inf"))
    exponent = pc.replace_substring_regex(texts, r"^[^eE]*([eE][+-]?\d+)?[^eE]*$", r"\1")
    exponent = pc.if_else(_matches(texts, r"[eE][+-]?\d+\s*[^\d]*$"), exponent, "")
    core = pc.replace_substring_regex(texts, rf"[eE][+-]?\d+|[{SPACES}+()$€£¥₹%−-]|EUR|USD|GBP|CHF|INR|\s", "")
    ways = []
    for point, group in ((decimal, thousands), (thousands, decimal)):
        point, group = re.escape(point), re.escape(group)
        form = rf"^(\d+|[1-9]\d{{0,2}}({group}\d{{2,3}})*{group}\d{{3}})?({point}\d*)?$"
        ways.append((_matches(core, form), point, group))
    numbers = np.full(len(texts), np.nan)
    left = _mask(is_number) & ~infinite & _mask(_matches(core, r"\d"))
    for fits, point, group in ways:
        chosen = left & _mask(fits)
        if chosen.any():
            plain = pc.replace_substring_regex(core.filter(pa.array(chosen)), group, "")
            plain = pc.replace_substring_regex(plain, point, ".")
            plain = pc.binary_join_element_wise(plain, exponent.filter(pa.array(chosen)), pa.scalar("", plain.type))
            numbers[chosen] = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
            left &= ~chosen
    numbers[infinite] = np.inf
    return np.where(negative, -numbers, numbers)


def hours(texts: pa.Array) -> np.ndarray:
    """Clock times such as 12:34 or 1:02:03.5 as hours, (n,); nan where one is none."""
    parts = [re.fullmatch(_HOURS, text) and text.split(":") for text in texts.to_pylist()]
    return np.array([sum(float(p) / 60**i for i, p in enumerate(part)) if part else np.nan for part in parts], float)


def _clock(distinct: Distinct) -> NumberStyle:
    odd = np.isnan(hours(distinct.texts))
    cautions = (distinct.not_read(odd, "a time of the form 12:34", "times of the form 12:34"),) if odd.any() else ()
    return NumberStyle(".", "", True, ("times of the form 12:34 were read as hours",), cautions)


def _unit_of(distinct: Distinct) -> str:
    """The one unit behind most numbers, or ""."""
    found = [match["unit"] for text in distinct.head(300) if (match := re.match(_UNIT, text))]
    if not found:
        return ""
    unit = max(set(found), key=found.count)
    behind = _mask(_matches(distinct.texts, rf"\d\s*{re.escape(unit)}$"))
    return unit if distinct.share(behind) >= ENOUGH and unit not in ("e", "E") else ""


def _without_unit(texts: pa.Array, unit: str) -> pa.Array:
    return pc.replace_substring_regex(texts, rf"(\d)\s*{re.escape(unit)}$", r"\1") if unit else texts


def decimal_of(marked: pa.Array, likely: str) -> tuple[str, bool]:
    """The decimal sign of numbers that have a mark, and whether all of them could be read both ways."""
    votes = {".": 0, ",": 0}
    for mark, other in ((".", ","), (",", ".")):
        m, o = re.escape(mark), re.escape(other)
        # both marks, this one last; or this one once and not before exactly three digits; or the other one repeated
        clear = rf"{o}\d.*{m}\d*\D*$|^[^{m}{o}]*[{m}](\d{{0,2}}|\d{{4,}})(\D.*)?$|^\D*(\d{{4,}}|0?)[{m}]\d+|{o}\d+{o}"
        votes[mark] = int(pc.sum(_matches(marked, clear)).as_py() or 0)
    if votes["."] != votes[","]:
        return (".", False) if votes["."] > votes[","] else (",", False)
    has_comma = pc.any(pc.match_substring(marked, ",")).as_py()
    return likely, bool(len(marked) and not votes["."] and (has_comma or likely == ","))


def _said(
    distinct: Distinct, texts: pa.Array, odd: np.ndarray, decimal: str, unit: str, is_open: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was done to the texts of a column of numbers, and what a person should look at."""
    thousands = "." if decimal == "," else ","
    kept = texts.filter(pa.array(~odd))
    changes, cautions = [], []
    if decimal == "," and pc.any(pc.match_substring(kept, ",")).as_py():
        changes.append("the comma was read as decimal sign")
    if pc.any(pc.match_substring(kept, thousands)).as_py():
        changes.append(f"{'commas' if thousands == ',' else 'points'} between thousands were removed")
    if pc.any(pc.match_substring(kept, "%")).as_py():
        changes.append("percent signs were removed (12 % is 12)")
    if unit:
        changes.append(f"the unit {unit} behind the numbers was removed")
    if is_open:
        one = next(text for text in kept.to_pylist() if "," in text or "." in text)
        large, small = re.sub("[.,]", "", one), one.replace(",", ".")
        cautions.append(f"{one} could mean {large} or {small}; it was read as {small if decimal in one else large}")
    if odd.any():
        cautions.append(distinct.not_read(odd, "a number", "numbers"))
    return tuple(changes), tuple(cautions)


def _matches(texts: pa.Array | pa.ChunkedArray, pattern: str) -> pa.Array | pa.ChunkedArray:
    return pc.match_substring_regex(texts, pattern)


def _mask(array: pa.Array) -> np.ndarray:
    return np.asarray(array.to_numpy(zero_copy_only=False), bool)
