"""Rules that people add to a detector: rows that are never, or always, flagged, whatever their score."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

VERDICTS = ("never", "always")
MAX_RULES = 100
MAX_LENGTH = 500
_COMPARE: dict[str, Callable] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip
_PART = re.compile(r"\s*(?P<column>.+?)\s*(?P<sign><=|>=|!=|=|<|>)\s*(?P<value>.+?)\s*")
_MISSING = re.compile(r"\s*(?P<column>.+?)\s+is\s+(?P<not>not\s+)?missing\s*")


@dataclass(frozen=True)
class FlagRule:
    """Rows that meet all conditions are never, or always, flagged.

    Attributes
    ----------
    verdict : "never" or "always"
    condition : as it was written: `city = Rome and price > 100 and load is missing`
    parts : (column, sign, value) of each condition; the sign is one of = != < <= > >=, "missing" or "given"
    """

    verdict: str
    condition: str
    parts: tuple[tuple[str, str, str], ...]

    @property
    def sentence(self) -> str:
        """The rule in words, which stands as the reason of the rows it decides."""
        return f"{self.verdict} flagged when {self.condition}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it asks for."""
        return tuple(dict.fromkeys(column for column, _, _ in self.parts))

    def holds(self, frame: pd.DataFrame) -> np.ndarray:
        """Which rows of a typed frame meet all conditions, (n_rows,) bool; a missing value meets none but its own."""
        met = np.ones(len(frame), bool)
        for column, sign, value in self.parts:
            met &= _met(frame[column], sign, value)
        return met


def flag_rule(verdict: str, condition: str, columns: Sequence[str]) -> FlagRule:
    """A rule from its text; ValueError, one sentence, where it is none or asks for another column.

    >>> flag_rule("never", "city = Rome and price > 100", ["city", "price"]).parts
    (('city', '=', 'Rome'), ('price', '>', '100'))
    """
    if verdict not in VERDICTS:
        raise ValueError(f"a rule says never or always, not {verdict[:20]!r}")
    if len(condition) > MAX_LENGTH:
        raise ValueError(f"a rule has at most {MAX_LENGTH} characters")
    parts = []
    for text in re.split(r"\s+and\s+", condition.strip()):
        missing, compared = _MISSING.fullmatch(text), _PART.fullmatch(text)
        if missing:
            part = (missing["column"], "given" if missing["not"] else "missing", "")
        elif compared:
            part = (compared["column"], compared["sign"], compared["value"].strip("\"'"))
        else:
            raise ValueError(f"a condition is written like price > 100, city = Rome or load is missing, not {text!r}")
        if part[0] not in columns:
            raise ValueError(f"a rule asks for the column {part[0]!r}; there are {', '.join(columns[:12])}")
        parts.append(part)
    return FlagRule(verdict, condition.strip(), tuple(parts))


def decided_by(rules: Sequence[FlagRule], frame: pd.DataFrame) -> np.ndarray:
    """The number of the first rule that decides each row, (n_rows,); -1 where none does."""
    first = np.full(len(frame), -1)
    for i, rule in reversed(list(enumerate(rules))):
        first[rule.holds(frame)] = i
    return first


def _met(column: pd.Series, sign: str, value: str) -> np.ndarray:
    missing = column.isna().to_numpy()
    if sign in ("missing", "given"):
        return missing if sign == "missing" else ~missing
    compare = _COMPARE[sign]
    if str(column.dtype).startswith("datetime"):
        bound = pd.to_datetime(value, errors="coerce")
        if pd.isna(bound):
            return np.zeros(len(column), bool)
        if bound.tzinfo is None and column.dt.tz is not None:
            bound = bound.tz_localize(column.dt.tz)
        return compare(column, bound).to_numpy(bool, na_value=False) & ~missing
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        try:
            return compare(column.to_numpy(float, na_value=np.nan), float(value)) & ~missing
        except ValueError:
            return np.full(len(column), sign == "!=") & ~missing
    texts = [str(text) for text in column]
    if pd.api.types.is_bool_dtype(column.dtype):
        texts, value = [text.lower() for text in texts], value.lower()
    return np.array([compare(text, value) for text in texts], bool) & ~missing
