"""How people write dates: ISO, day or month first, named months, zones; all become UTC, to the microsecond."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.tables.cells import ENOUGH, Distinct, is_date

READ_AS_DATES = "read as dates"
ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180, "IST": 330,
    "JST": 540, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
}  # fmt: skip
"""Minutes east of Greenwich of the zones that files name."""
_ZONE = rf"\s*({'|'.join(ZONES)})$"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_DAY_FIRST = ("%d{0}%m{0}%Y", "%d{0}%m{0}%y")
_MONTH_FIRST = ("%m{0}%d{0}%Y", "%m{0}%d{0}%y")


@dataclass(frozen=True)
class DateStyle:
    """The formats in which a column writes dates, tried in order, and what a person should know of it."""

    formats: tuple[str, ...]
    changes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()


def plain_stamps(cells: pa.ChunkedArray) -> np.ndarray | None:
    """The usual case at once: every cell is an ISO date without a zone, or empty; datetime64[us], shape (n_rows,)."""
    first = next((text for text in cells[:1000].to_pylist() if text), "")
    if not re.match(r"\d{4}-\d{2}-\d{2}", first):
        return None
    try:
        return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells).cast(pa.timestamp("us")).to_numpy()
    except pa.ArrowInvalid:
        return None


def formats_of(distinct: Distinct) -> DateStyle | None:
    """How a column writes dates; None where too few of its cells are dates."""
    probe = distinct.head(500)
    if np.mean([is_date(_bare(text)) for text in probe]) < ENOUGH:
        return None
    example = next(_bare(text) for text in probe if is_date(_bare(text)))
    readings = []
    for name, formats in _families(example):
        stamps = stamps_of(distinct.texts, formats)
        share = distinct.share(~np.isnat(stamps))
        if share >= ENOUGH:
            # of two readings that fit alike, rows in order of time speak for one
            order = np.diff(stamps[distinct.codes[distinct.codes >= 0]].astype("int64"))
            merit = share + 0.01 * float(np.mean(order >= 0)) if len(order) else share
            readings.append((merit, share, name, formats, stamps))
    if not readings:
        return None
    _, share, name, formats, stamps = max(readings, key=lambda reading: reading[0])
    changes, cautions = [READ_AS_DATES + (f", {name}" if name else "")], []
    other = next((reading[2] for reading in readings if reading[2] != name and abs(reading[1] - share) < 1e-9), "")
    if other:
        cautions.append(f"{example} could be read {name} or {other}; it was read {name}")
    if pc.any(pc.match_substring_regex(distinct.texts, _ZONE + r"|\d[+-]\d{2}:?\d{2}$")).as_py():
        cautions.append("times with a zone were turned into UTC")
    lost = np.isnat(stamps)
    if lost.any():
        cautions.append(distinct.not_read(lost, "a date", "dates"))
    return DateStyle(formats, tuple(changes), tuple(cautions))


def stamps_of(texts: pa.Array, formats: tuple[str, ...]) -> np.ndarray:
    """Texts as UTC, (n,) datetime64[us], NaT where one has none of the formats: a function of each text alone."""
    stamps = np.full(len(texts), np.datetime64("NaT"), "datetime64[us]")
    left = np.arange(len(texts))
    shift = np.zeros(len(texts), np.int64)
    named = pc.match_substring_regex(texts, _ZONE).to_numpy(zero_copy_only=False)
    if named.any():
        zones = [match[1] if (match := re.search(_ZONE, text)) else "UTC" for text in texts.to_pylist()]
        shift = np.array([ZONES[zone] for zone in zones])
        texts = pc.replace_substring_regex(texts, _ZONE, "")
    for fmt in formats:
        if not len(left):
            break
        found = _parse(texts.take(pa.array(left)), fmt)
        stamps[left] = found
        left = left[np.isnat(found)]
    return stamps - shift.astype("timedelta64[m]")


def _parse(texts: pa.Array, fmt: str) -> np.ndarray:
    if fmt == "epoch":
        seconds = pd.to_numeric(pd.Series(texts.to_pylist()), errors="coerce").to_numpy(float)
        known = np.abs(seconds) < 1e12
        micros = np.where(known, np.rint(np.where(known, seconds, 0) * 1e6), np.iinfo(np.int64).min)
        return micros.astype("datetime64[us]")
    if fmt == "ISO8601":
        try:  # much faster than pandas, but all or nothing
            return texts.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            pass
    parsed = pd.to_datetime(pd.Series(texts.to_pylist(), dtype="str"), format=fmt, errors="coerce", utc=True)
    return parsed.dt.tz_localize(None).to_numpy("datetime64[us]")


def _bare(text: str) -> str:
    return re.sub(_ZONE, "", text)


def _families(example: str) -> list[tuple[str, tuple[str, ...]]]:
    """Ways of writing that the example may be one of: how each is called, and its formats."""
    if re.search("[A-Za-z]{3}", example):
        shapes = ("%d-%b-%Y", "%d %b %Y", "%d-%b-%y", "%d-%B-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y")
        return [("", tuple(shape + clock for shape in shapes for clock in _CLOCKS))]
    mark = next((sign for sign in "-/." if sign in example[:5]), "-")
    if re.match(r"\d{4}", example):
        year_first = (*(f"%Y{mark}%m{mark}%d{clock}" for clock in _CLOCKS), f"%Y{mark}%m")
        return [("", ("ISO8601", *year_first) if mark == "-" else year_first)]
    day = ("day before month", tuple(fmt.format(mark) + clock for fmt in _DAY_FIRST for clock in _CLOCKS))
    month = ("month before day", tuple(fmt.format(mark) + clock for fmt in _MONTH_FIRST for clock in _CLOCKS))
    return [month, day] if mark == "/" else [day, month]
