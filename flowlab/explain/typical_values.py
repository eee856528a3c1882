"""A row's value of a column beside the typical values of similar rows, in the column's own terms and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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


def row_values(reference: Reference, x: np.ndarray) -> list[Any]:
    """The values of a row (n_features,), as displayed, in the user's types; one of each column."""
    return [source.read(x[None]).iloc[0] for source in reference.sources]


def compare(
    reference: Reference, k: int, x: np.ndarray, rows: np.ndarray, values: Sequence[Any] | None = None
) -> Usual:
    """Column `k` of a row against similar rows.

    Parameters
    ----------
    reference : normal rows
    k : number of the column
    x : (n_features,) the row, in data units
    rows : (n_similar,) positions of the similar rows in `reference.X`
    values : what `row_values` gives, where it is known already
    """
    values = row_values(reference, x) if values is None else values
    kind = _kind(reference, k, values[k], rows)
    if kind == "category":
        return _category(reference, k, x, values, rows)
    if kind == "holes":
        return _with_holes(reference, k, values[k], rows)
    if kind == "clock":
        return _clock(reference, k, values, rows)
    return _number(reference, k, x, values[k], rows)


def is_usual(reference: Reference, k: int, x: np.ndarray, rows: np.ndarray, values: Sequence[Any]) -> bool:
    """Whether the value is among those of similar rows: `compare` without its words, for a tenth of the time."""
    kind = _kind(reference, k, values[k], rows)
    if kind == "category":
        return _verdict(reference, k, x, values[k], rows)[0]
    if kind == "holes":
        return bool(pd.isna(values[k])) and len(rows) - len(reference.known(k, rows)) >= SELDOM * len(rows)
    if kind == "clock":
        return _clock(reference, k, values, rows).is_usual
    low, _, high = _central(reference, k, reference.known(k, rows))
    return bool(low <= values[k] <= high)


def _kind(reference: Reference, k: int, value: Any, rows: np.ndarray) -> str:
    """How a value is compared: as the kind of its column, or as one of a column with holes."""
    kind = reference.sources[k].kind
    has_holes = kind != "category" and (pd.isna(value) or 2 * len(reference.known(k, rows)) < len(rows))
    return "holes" if has_holes else kind


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


def _number(reference: Reference, k: int, x: np.ndarray, value: Any, rows: np.ndarray) -> Usual:
    """ "pressure 7.2 is far above what temp and speed suggest: 3.1 to 3.6"."""
    source, rows = reference.sources[k], reference.known(k, rows)
    low, typical, high = _central(reference, k, rows)
    own = told(source, value)
    inside = bool(low <= value <= high)
    if inside:
        where = "lies within what"
    else:
        ends = _shares(reference.X[rows, source.start], (0.1, 0.9))
        width = max(ends[1] - ends[0], 0.5 * float(reference.scale[source.start]))
        off = (ends[0] - x[source.start] if value < low else x[source.start] - ends[1]) / width
        far = "far " if off > 1 else "slightly " if off < 0.25 else ""
        if source.kind == "date":
            where = f"is {far}{'earlier' if value < low else 'later'} than what"
        else:
            where = f"is {far}{'below' if value < low else 'above'} what"
    named = [reference.sources[i].name for i in _related(reference, k)]
    suggest = f"{' and '.join(named)} suggest{'s' if len(named) == 1 else ''}" if named else "is usual"
    usual = _range(source, low, high)
    return Usual(value, typical, low, high, own, usual, inside, f"{source.name} {own} {where} {suggest}: {usual}")


def _category(reference: Reference, k: int, x: np.ndarray, values: Sequence[Any], rows: np.ndarray) -> Usual:
    """ "machine lathe is unusual for temperature 68.7 and vibration 4.78: saw (24 of 24 similar rows)"."""
    source, value = reference.sources[k], values[k]
    is_usual, verdict, counts = _verdict(reference, k, x, value, rows)
    own, commonest = told(source, value), next(iter(counts))
    if pd.isna(value) and own != commonest:
        common = [text for text, count in counts.items() if text != own and count >= SELDOM * len(rows)][:2]
        sentence = f"{source.name} is missing, usually {' or '.join(common or list(counts)[:1])}"
    else:
        sentence = _judged(reference, k, values, own, verdict, _listed(counts, " similar rows"))
    typical = next(v for v in reference.values(k)[rows] if told(source, v) == commonest)
    value, typical = (None if pd.isna(v) else v for v in (value, typical))
    return Usual(value, typical, None, None, own, _listed(counts), is_usual, sentence)


def _verdict(
    reference: Reference, k: int, x: np.ndarray, value: Any, rows: np.ndarray
) -> tuple[bool, str, dict[str, int]]:
    """Whether a category is usual, in words how much so, and how often similar rows hold which."""
    source = reference.sources[k]
    own, counts = told(source, value), _counts(told(source, v) for v in reference.values(k)[rows])
    is_usual = counts.get(own, 0) >= SELDOM * len(rows)
    verdict = ("usual" if own == next(iter(counts)) else "less usual") if is_usual else "unusual"
    is_rarity = isinstance(source.plan, CategoryColumn) and source.plan.is_rarity
    if is_rarity and not is_usual:  # of many levels similar rows hold others: what counts is how rare
        is_usual = bool(x[source.start] <= np.quantile(reference.X[rows, source.start], 1 - SELDOM))
        verdict = "no rarer than usual" if is_usual else "rarer than usual"
    return is_usual, verdict, counts


def _clock(reference: Reference, k: int, values: Sequence[Any], rows: np.ndarray) -> Usual:
    """ "time Sunday 03:12 is unusual for load 3.1: 08:10 to 17:50, Monday (9 of 24 similar rows)"."""
    source, value = reference.sources[k], values[k]
    known = reference.values(k)[reference.known(k, rows)].astype(float)
    turns = 2j * np.pi * known / 24
    middle = float(np.angle(np.exp(turns).mean()) / (2 * np.pi) * 24)
    off = (np.append(known, value) - middle + 12) % 24 - 12  # hours before or after the middle of the day's cluster
    low, high = _shares(off[:-1], (0.1, 0.9))
    days = [DAYS[int(hours // 24) % 7] for hours in known]
    day = DAYS[int(value // 24) % 7]
    is_usual = bool(low <= off[-1] <= high) and days.count(day) >= SELDOM * len(days)
    hours = f"{_hours(middle + low)} to {_hours(middle + high)}"
    counts, own = _counts(days), told(source, value)
    usual, in_words = (f"{hours}, {_listed(counts, of_what)}" for of_what in ("", " similar rows"))
    sentence = _judged(reference, k, values, own, "usual" if is_usual else "unusual", in_words)
    return Usual(value, middle % 24, None, None, own, usual, is_usual, sentence)


def _with_holes(reference: Reference, k: int, value: Any, rows: np.ndarray) -> Usual:
    """ "pressure is missing, usually 3.1 to 3.6"; for a column with an order."""
    source, known, n = reference.sources[k], reference.known(k, rows), len(rows)
    n_missing = n - len(known)
    low = typical = high = None
    usual = f"missing ({n_missing} of {n})"
    if 2 * n_missing <= n and source.kind != "clock":
        low, typical, high = _central(reference, k, known)
        usual = _range(source, low, high)
    own = told(source, value)
    if not pd.isna(value):
        sentence = f"{source.name} is {own}, usually missing ({n_missing} of {n} similar rows)"
        return Usual(value, typical, low, high, own, usual, False, sentence)
    is_usual = n_missing >= SELDOM * n
    if 2 * n_missing > n:
        sentence = f"{source.name} is missing, as in {n_missing} of {n} similar rows"
    else:
        sentence = f"{source.name} is missing, usually {'given' if low is None else usual}"
    return Usual(None, typical, low, high, own, usual, is_usual, sentence)


def _judged(reference: Reference, k: int, values: Sequence[Any], own: str, verdict: str, usual: str) -> str:
    condition = " and ".join(
        f"{reference.sources[i].name} {told(reference.sources[i], values[i])}" for i in _related(reference, k)
    )
    return f"{reference.sources[k].name} {own} is {verdict}{f' for {condition}' if condition else ''}: {usual}"


def _related(reference: Reference, k: int) -> list[int]:
    """At most two columns that predict column k."""
    strongest = np.argsort(-reference.correlation[k])[:2]
    return [int(i) for i in strongest if reference.correlation[k, i] >= RELATED]


def _central(reference: Reference, k: int, rows: np.ndarray) -> tuple[Any, Any, Any]:
    """Low end, median and high end: 80 % of further such rows lie between (more of few); of a table, values in it."""
    if reference.sources[k].plan is None:
        low, middle, high = _shares(reference.values(k)[rows], (0.1, 0.5, 0.9))
        return low, middle, high
    n, ordered = len(rows), reference.in_order(k, rows)
    below = max(int(0.1 * (n + 1)) - 1, 0)  # of n + 1 rows in random order each is as likely to take each place
    low, middle, high = reference.values(k)[ordered[[below, round(0.5 * (n - 1)), n - 1 - below]]].tolist()
    return low, middle, high


def _shares(values: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Values below which such shares of further ones lie: numpy's quantiles by the method "weibull", for few values."""
    ordered, n = np.sort(values).tolist(), len(values)
    places = [min(max(share * (n + 1) - 1, 0.0), n - 1.0) for share in shares]
    return [ordered[int(at)] + (at % 1) * (ordered[min(int(at) + 1, n - 1)] - ordered[int(at)]) for at in places]


def _range(source: Source, low: Any, high: Any) -> str:
    return told(source, low) if low == high else f"{told(source, low)} to {told(source, high)}"


def _counts(texts: Iterable[str]) -> dict[str, int]:
    """How often each text occurs, commonest first."""
    return dict(sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0])))


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
