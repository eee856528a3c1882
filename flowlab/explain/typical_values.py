"""A row's value of a column beside the typical values of similar rows, in the column's own terms and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from flowlab.encoding.categorical import CategoryColumn
from flowlab.encoding.numeric import NumberColumn
from flowlab.encoding.sources import Source
from flowlab.explain.reference import Reference
from flowlab.formatting import MINUS, fixed, plain

RELATED = 0.3
"""From this absolute rank correlation on a column is named as one that predicts another."""
SELDOM = 0.1
"""A category that a smaller share of the similar rows has is unusual: the share beyond either end of a range."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Usual:
    """A row's value of one column against those of similar rows.

    Attributes
    ----------
    value : in the column's own type; None where it is missing
    typical, low, high : median of similar rows and the range in which 80 % of such rows lie, or their commonest
        category and None
    told, usual : the value, and what similar rows hold, as displayed texts
    is_usual : whether the value is among them
    sentence : value against usual, in words
    """

    value: Any
    typical: Any
    low: Any
    high: Any
    told: str
    usual: str
    is_usual: bool
    sentence: str


def compare(reference: Reference, k: int, x: np.ndarray, rows: np.ndarray, own: Any = None) -> Usual:
    """Column `k` of a row against similar rows.

    Parameters
    ----------
    reference : normal rows
    k : number of the column
    x : (n_features,) the row, in data units
    rows : (n_similar,) positions of the similar rows in `reference.X`
    own : the row's value of the column, where it has been read already
    """
    source = reference.sources[k]
    value = source.read(x[None]).iloc[0] if own is None else own
    held = reference.values(k).take(rows).reset_index(drop=True)
    if source.kind == "category":
        return _category(reference, k, x, value, held, rows)
    known = held.notna().to_numpy()
    if pd.isna(value) or 2 * known.sum() < len(known):
        return _with_holes(source, value, held)
    if source.kind == "clock":
        return _clock(reference, k, x, value, held[known])
    return _number(reference, k, x, value, held[known], rows[known])


def told(source: Source, value: Any) -> str:
    """A value of a column as displayed text: numbers with the column's decimals, dates with its resolution."""
    if pd.isna(value):
        return "missing"
    if source.kind == "clock":
        minutes = round(60 * value) % (7 * 24 * 60)
        return f"{DAYS[minutes // 1440]} {_hours(value)}"
    plan = source.plan
    if source.kind == "date" and isinstance(plan, NumberColumn):
        step = plan.step
        form = "%Y-%m-%d" if step and step % 86_400 == 0 else "%Y-%m-%d %H:%M" if step and step % 60 == 0 else ""
        return value.strftime(form or "%Y-%m-%d %H:%M:%S")
    if source.kind == "category":
        is_whole = isinstance(value, float) and value == int(value)
        return str(int(value) if is_whole else value)[:60]
    decimals = _decimals(plan.origin, plan.step) if isinstance(plan, NumberColumn) else None
    if decimals is None:
        return plain(float(value))
    return fixed(value, decimals) if abs(value) >= 10_000 else f"{value:.{decimals}f}".replace("-", MINUS)


def _number(reference: Reference, k: int, x: np.ndarray, value: Any, known: pd.Series, rows: np.ndarray) -> Usual:
    """ "pressure 7.2 is far above what temp and speed suggest: 3.1 to 3.6"."""
    source = reference.sources[k]
    low, typical, high = _central(source, known)
    own = told(source, value)
    inside = bool(low <= value <= high)
    if inside:
        where = "lies within what"
    else:
        ends = np.quantile(reference.X[rows, source.start], [0.1, 0.9], method="weibull")
        width = max(ends[1] - ends[0], 0.5 * float(reference.scale[source.start]))
        off = (ends[0] - x[source.start] if value < low else x[source.start] - ends[1]) / width
        far = "far " if off > 1 else "slightly " if off < 0.25 else ""
        if source.kind == "date":
            where = f"is {far}{'earlier' if value < low else 'later'} than what"
        else:
            where = f"is {far}{'below' if value < low else 'above'} what"
    named = [reference.sources[i].name for i in _related(reference, k)]
    suggest = f"{' and '.join(named)} suggest{'s' if len(named) == 1 else ''}" if named else "is usual"
    ends = [told(source, low), told(source, high)]
    usual = ends[0] if low == high else " to ".join(ends)
    return Usual(value, typical, low, high, own, usual, inside, f"{source.name} {own} {where} {suggest}: {usual}")


def _category(reference: Reference, k: int, x: np.ndarray, value: Any, held: pd.Series, rows: np.ndarray) -> Usual:
    """ "machine lathe is unusual for temperature 68.7 and vibration 4.78: saw (24 of 24 similar rows)"."""
    source = reference.sources[k]
    texts = held.map(lambda v: told(source, v), na_action=None)
    own = told(source, value)
    counts = _counts(texts)
    commonest = next(iter(counts))
    is_usual = counts.get(own, 0) >= SELDOM * len(texts)
    verdict = ("usual" if own == commonest else "less usual") if is_usual else "unusual"
    is_rarity = isinstance(source.plan, CategoryColumn) and source.plan.is_rarity
    if is_rarity and not is_usual:  # of many levels similar rows hold others: what counts is how rare
        is_usual = bool(x[source.start] <= np.quantile(reference.X[rows, source.start], 1 - SELDOM))
        verdict = "no rarer than usual" if is_usual else "rarer than usual"
    if pd.isna(value) and own != commonest:
        common = [text for text, count in counts.items() if text != own and count >= SELDOM * len(texts)][:2]
        sentence = f"{source.name} is missing, usually {' or '.join(common or list(counts)[:1])}"
    else:
        sentence = _judged(reference, k, x, own, verdict, _listed(counts, " similar rows"))
    typical = held[texts == commonest].iloc[0]
    value, typical = (None if pd.isna(v) else v for v in (value, typical))
    return Usual(value, typical, None, None, own, _listed(counts), is_usual, sentence)


def _clock(reference: Reference, k: int, x: np.ndarray, value: float, known: pd.Series) -> Usual:
    """ "time Sunday 03:12 is unusual for load 3.1: 08:10 to 17:50, Monday (9 of 24 similar rows)"."""
    source = reference.sources[k]
    turns = 2j * np.pi * known.to_numpy() / 24
    middle = float(np.angle(np.exp(turns).mean()) / (2 * np.pi) * 24)
    off = (np.append(known, value) - middle + 12) % 24 - 12  # hours before or after the middle of the day's cluster
    low, high = np.quantile(off[:-1], [0.1, 0.9], method="weibull")
    days = [DAYS[int(hours // 24) % 7] for hours in known]
    day = DAYS[int(value // 24) % 7]
    is_usual = bool(low <= off[-1] <= high) and days.count(day) >= SELDOM * len(days)
    hours = f"{_hours(middle + low)} to {_hours(middle + high)}"
    counts, own = _counts(pd.Series(days)), told(source, value)
    usual, in_words = (f"{hours}, {_listed(counts, of_what)}" for of_what in ("", " similar rows"))
    sentence = _judged(reference, k, x, own, "usual" if is_usual else "unusual", in_words)
    return Usual(value, middle % 24, None, None, own, usual, is_usual, sentence)


def _with_holes(source: Source, value: Any, held: pd.Series) -> Usual:
    """ "pressure is missing, usually 3.1 to 3.6"; for a column with an order."""
    known, n_missing = held.dropna(), int(held.isna().sum())
    low = typical = high = None
    usual = f"missing ({n_missing} of {len(held)})"
    if 2 * n_missing <= len(held) and source.kind != "clock":
        low, typical, high = _central(source, known)
        usual = told(source, low) if low == high else f"{told(source, low)} to {told(source, high)}"
    own = told(source, value)
    if not pd.isna(value):
        sentence = f"{source.name} is {own}, usually missing ({n_missing} of {len(held)} similar rows)"
        return Usual(value, typical, low, high, own, usual, False, sentence)
    is_usual = n_missing >= SELDOM * len(held)
    if 2 * n_missing > len(held):
        sentence = f"{source.name} is missing, as in {n_missing} of {len(held)} similar rows"
    else:
        sentence = f"{source.name} is missing, usually {'given' if low is None else usual}"
    return Usual(None, typical, low, high, own, usual, is_usual, sentence)


def _judged(reference: Reference, k: int, x: np.ndarray, own: str, verdict: str, usual: str) -> str:
    named = [reference.sources[i] for i in _related(reference, k)]
    condition = " and ".join(f"{source.name} {told(source, source.read(x[None]).iloc[0])}" for source in named)
    return f"{reference.sources[k].name} {own} is {verdict}{f' for {condition}' if condition else ''}: {usual}"


def _related(reference: Reference, k: int) -> list[int]:
    """At most two columns that predict column k."""
    strongest = np.argsort(-reference.correlation[k])[:2]
    return [int(i) for i in strongest if reference.correlation[k, i] >= RELATED]


def _central(source: Source, known: pd.Series) -> tuple[Any, Any, Any]:
    """Low end, median and high end: 80 % of further such rows lie between (more of few); of a table, values in it."""
    if source.plan is None:
        low, middle, high = np.quantile(known, [0.1, 0.5, 0.9], method="weibull").tolist()
        return low, middle, high
    n = len(known)
    ordered = np.sort(known.to_numpy()) if source.kind == "number" else known.sort_values().to_list()
    below = max(int(0.1 * (n + 1)) - 1, 0)  # of n + 1 rows in random order each is as likely to take each place
    return ordered[below], ordered[round(0.5 * (n - 1))], ordered[n - 1 - below]


def _counts(texts: pd.Series) -> dict[str, int]:
    """How often each text occurs, commonest first."""
    values, counts = np.unique(texts.to_numpy(dtype=str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(values[i]): int(counts[i]) for i in order}


def _listed(counts: dict[str, int], of_what: str = "") -> str:
    """ "red (14 of 24), blue (9)": as many as make up 80 %, at most three; `of_what` stands behind the 24."""
    listed: list[str] = []
    n_rows, n_listed = sum(counts.values()), 0
    for text, count in list(counts.items())[:3]:
        listed.append(f"{text} ({count}{'' if listed else f' of {n_rows}{of_what}'})")
        n_listed += count
        if n_listed >= 0.8 * n_rows:
            break
    return ", ".join(listed)


def _hours(hours: float) -> str:
    minutes = round(60 * hours) % 1440
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _decimals(origin: float, step: float) -> int | None:
    """How many decimals values on a grid have, which is at most six; None without a grid."""
    return max(len(f"{v:.6f}".rstrip("0").partition(".")[2]) for v in (origin, step)) if step else None
