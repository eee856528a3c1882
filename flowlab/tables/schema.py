"""The schema of a table: how each column is written. Decided once, over whole columns; then every cell is read by it.

What a cell means depends on the cell and the schema alone, never on its neighbours, so a file reads the same whole, in
pieces and row by row. A detector keeps the schema of the table it was trained on and reads new files by it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.formatting import plural
from flowlab.tables import dates, numerals
from flowlab.tables.cells import (
    Distinct,
    few,
    has_name_shape,
    missing_texts,
    text_cells,
    truth_of,
)

KINDS = ("number", "clock", "time", "truth", "text")
"""What a column holds. A clock is a time of day or a duration such as 12:34, read as hours."""
LARGEST = 1e100
"""From here on a number is as good as infinite: its square is."""
EXACT = 2**53
"""Whole numbers beyond it are not all floats: such columns are identifiers and stay text."""
MAX_VIOLATIONS = 1000
NO_NUMBER, HUGE = "is no number", "is infinite or beyond 1e100"
NO_DATE, NO_TRUTH = "is no date of its column's form", "is neither true nor false"
"""Rules of violations; they complete "the cell ..."."""


@dataclass(frozen=True)
class ColumnSchema:
    """How one column is written.

    Attributes
    ----------
    name : of the column
    kind : one of `KINDS`
    decimal : "." or ",", which decides where a cell such as 1.234 could be read both ways
    unit : text behind each number that is taken off ("kg"), or ""
    formats : how dates are written, as strptime formats or "ISO8601", tried in this order; or "epoch" (seconds)
    missing : texts that mean "no value" here, besides the usual ones
    levels : usual texts for "no value" that are values here, such as "NA" among countries
    """

    name: str
    kind: str
    decimal: str = "."
    unit: str = ""
    formats: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> ColumnSchema:
        """The schema again. Raises ValueError for anything else."""
        try:
            name, kind, decimal, unit = (str(fields[key]) for key in ("name", "kind", "decimal", "unit"))
            formats, missing, levels = (tuple(map(str, fields[key])) for key in ("formats", "missing", "levels"))
            schema = cls(name, kind, decimal=decimal, unit=unit, formats=formats, missing=missing, levels=levels)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no schema of a column ({error})") from None
        if schema.kind not in KINDS or schema.decimal not in (".", ","):
            raise ValueError(f"this is no schema of a column ({schema.kind!r}, {schema.decimal!r})")
        return schema


@dataclass(frozen=True)
class Violation:
    """A cell that does not fit its column: `row` counts data rows from 0, `value` is as written, `rule` completes
    "the cell ..."."""

    row: int
    column: str
    value: str
    rule: str


@dataclass(frozen=True, eq=False)
class Reading:
    """A column as values: int64, float64, bool, datetime64[us] or text; `wrong` has the rows of violations by rule."""

    values: pd.Series
    wrong: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Finding:
    """What was decided of a column.

    Attributes
    ----------
    schema : how it is written
    changes, cautions : one sentence for each thing done or doubted
    missing : the texts for "no value" that it holds
    looked_at : what `read` need not compute again: the values of plain cells, or the distinct texts
    """

    schema: ColumnSchema
    changes: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    looked_at: np.ndarray | Distinct | None = None


def infer(
    name: str,
    cells: pa.ChunkedArray,
    *,
    decimal: str = ".",
    missing: frozenset[str] = frozenset(),
    kind: str = "",
    formats: Sequence[str] = (),
) -> Finding:
    """How a column of text is written, judged on all its distinct cells.

    Parameters
    ----------
    name : of the column
    cells : (n_rows,) texts as written
    decimal : the sign that other columns of the file use
    missing : further texts that mean "no value"
    kind, formats : given by the user, else recognised
    """
    if kind and kind not in KINDS:
        raise ValueError(f"the type of {name!r} must be one of {', '.join(KINDS)}, not {kind!r}")
    schema = ColumnSchema(name, kind or "text", decimal, formats=tuple(formats), missing=tuple(sorted(missing)))
    if not kind and not missing:
        values = numerals.certain_values(cells, decimal)
        if values is not None:
            return Finding(replace(schema, kind="number", decimal="."), looked_at=values)
        stamps = dates.plain_stamps(cells)
        if stamps is not None:
            schema = replace(schema, kind="time", formats=("ISO8601",))
            return Finding(schema, (dates.READ_AS_DATES,), looked_at=stamps)
    distinct = Distinct.of(cells, missing_texts(missing))
    if kind:
        if kind == "time" and not formats:
            found = dates.formats_of(distinct)
            schema = replace(schema, formats=found.formats if found else ("ISO8601",))
        style = numerals.style_of(distinct, decimal) if kind == "number" else None
        return Finding(replace(schema, decimal=style.decimal, unit=style.unit) if style else schema)
    if not len(distinct):
        # a column without values is a column of numbers without values, as parsers have it
        return Finding(replace(schema, kind="number"))
    finding = (
        _as_truth(schema, distinct)
        or _as_number(schema, distinct)
        or _as_time(schema, distinct)
        or _as_text(schema, distinct)
    )
    return replace(finding, missing=distinct.missing, looked_at=None if finding.schema.levels else distinct)


def _as_truth(schema: ColumnSchema, distinct: Distinct) -> Finding | None:
    values = [truth_of(text) for text in distinct.head(50)]
    spelled = {text.lower() for text in distinct.head(50)}
    if len(distinct) > 12 or None in values or not spelled & {"true", "false"}:
        return None
    return Finding(replace(schema, kind="truth"))


def _as_number(schema: ColumnSchema, distinct: Distinct) -> Finding | None:
    if numerals.are_codes(distinct):
        return None
    style = numerals.style_of(distinct, schema.decimal)
    if style is None:
        return None
    kind = "clock" if style.is_clock else "number"
    return Finding(replace(schema, kind=kind, decimal=style.decimal, unit=style.unit), style.changes, style.cautions)


def _as_time(schema: ColumnSchema, distinct: Distinct) -> Finding | None:
    found = dates.formats_of(distinct)
    if found is None:
        return None
    return Finding(replace(schema, kind="time", formats=found.formats), found.changes, found.cautions)


def _as_text(schema: ColumnSchema, distinct: Distinct) -> Finding:
    """Text, in which a usual word for "no value" is a value where it looks like all the others."""
    cautions = []
    named = [text for text in distinct.missing if text not in ("", *schema.missing)]
    named = [text for text in named if has_name_shape(text, distinct.head(200))]
    if named:
        cautions.append(f"{few(named)} could mean that a value is missing; it was kept as a value like the others")
    if numerals.are_codes(distinct):
        cautions.append("the digits are codes, not amounts, and stay text")
    n_blank = distinct.n_blank
    changes = (f"blanks around the text of {plural(n_blank, 'cell')} were removed",) if n_blank else ()
    return Finding(replace(schema, levels=tuple(sorted(named))), changes, tuple(cautions))


def read(cells: pa.ChunkedArray, schema: ColumnSchema, looked_at: np.ndarray | Distinct | None = None) -> Reading:
    """A column of text as values, by its schema; what does not fit is missing and among the wrong rows.

    `looked_at` is what `infer` found out of the same cells on its way to the schema.
    """
    if not schema.missing:
        plain = looked_at if isinstance(looked_at, np.ndarray) else _plain_values(cells, schema)
        if plain is not None and schema.kind == "number":
            return _numbers(plain, np.zeros(len(plain), bool), cells)
        if plain is not None:
            return Reading(pd.Series(plain))
    distinct = looked_at
    if not isinstance(distinct, Distinct):
        levels = {level.lower() for level in schema.levels}
        distinct = Distinct.of(cells, missing_texts(frozenset(schema.missing)) - levels)
    if schema.kind in ("number", "clock"):
        texts = distinct.texts
        values = (
            numerals.values_of(texts, schema.decimal, schema.unit) if schema.kind == "number" else numerals.hours(texts)
        )
        return _numbers(distinct.spread(values, np.nan), distinct.spread(np.isnan(values), False), cells)
    if schema.kind == "time":
        stamps = dates.stamps_of(distinct.texts, schema.formats)
        wrong = np.flatnonzero(distinct.spread(np.isnat(stamps), False))
        return Reading(pd.Series(distinct.spread(stamps, np.datetime64("NaT"))), {NO_DATE: wrong})
    if schema.kind == "truth":
        truths = [truth_of(text) for text in distinct.texts.to_pylist()]
        wrong = np.flatnonzero(distinct.spread(np.array([t is None for t in truths], bool), False))
        texts = pa.array([None if t is None else str(t) for t in truths], pa.large_string())
        values = distinct.spread_texts(texts)
        if not values.isna().any():
            values = values == "True"
        return Reading(values, {NO_TRUTH: wrong})
    texts = distinct.texts
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        texts = pa.array([unicodedata.normalize("NFC", text) for text in texts.to_pylist()], pa.large_string())
    return Reading(distinct.spread_texts(texts))


def _plain_values(cells: pa.ChunkedArray, schema: ColumnSchema) -> np.ndarray | None:
    """The usual case at once: all cells are numbers, or all ISO dates, as programs write them; else None."""
    if schema.kind == "number":
        return numerals.plain_values(cells, schema.decimal)
    return dates.plain_stamps(cells) if schema.kind == "time" and schema.formats[:1] == ("ISO8601",) else None


def _numbers(values: np.ndarray, unreadable: np.ndarray, cells: pa.ChunkedArray) -> Reading:
    wrong = {NO_NUMBER: np.flatnonzero(unreadable), HUGE: np.flatnonzero(np.abs(values) >= LARGEST)}
    is_whole = len(values) and np.isfinite(values).all() and (np.abs(values) < EXACT).all()
    if is_whole and (values == np.rint(values)).all() and numerals.are_whole(cells):
        return Reading(pd.Series(values.astype(np.int64)), wrong)
    return Reading(pd.Series(values), wrong)


def breaches(
    name: str, reading: Reading, cells: Callable[[int], object], first_row: int = 0
) -> tuple[dict[tuple[str, str], int], list[Violation]]:
    """How many cells of a column broke which (column, rule), and the first `MAX_VIOLATIONS` of them in order."""
    counts = {(name, rule): len(rows) for rule, rows in reading.wrong.items() if len(rows)}
    found = sorted((int(row), rule) for rule, rows in reading.wrong.items() for row in rows[:MAX_VIOLATIONS])
    return counts, [
        Violation(first_row + row, name, str(cells(row))[:80], rule) for row, rule in found[:MAX_VIOLATIONS]
    ]


def read_frame(
    names: Sequence[str], columns: Sequence[pa.ChunkedArray], schemas: Sequence[ColumnSchema], first_row: int = 0
) -> tuple[pd.DataFrame, dict[tuple[str, str], int], list[Violation]]:
    """Columns of text as a frame; how many cells broke which (column, rule); the first `MAX_VIOLATIONS` of them."""
    values: dict[str, pd.Series] = {}
    counts: dict[tuple[str, str], int] = {}
    violations: list[Violation] = []
    for name, cells, schema in zip(names, columns, schemas, strict=True):
        reading = read(cells, schema)
        values[name] = reading.values
        more, found = breaches(name, reading, cells.__getitem__, first_row)
        counts |= more
        violations += found
    frame = pd.DataFrame(values)
    frame.columns = pd.Index(list(names), dtype=object)
    return frame, counts, violations


def schema_of_frame(frame: pd.DataFrame) -> tuple[ColumnSchema, ...]:
    """The schema of a table that came with types: that of its file where it was read from text."""
    known = {fields["name"]: ColumnSchema.from_dict(fields) for fields in frame.attrs.get("schema", ())}
    return tuple(known.get(str(name)) or ColumnSchema(str(name), _kind_of(frame[name])) for name in frame)


def _kind_of(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column.dtype):
        return "truth"
    if pd.api.types.is_numeric_dtype(column.dtype):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return "time"
    present = set(column.dropna().unique()) if len(column) else set()
    return "truth" if present and present <= {"True", "False"} else "text"


def as_schema(column: pd.Series, schema: ColumnSchema) -> Reading:
    """A column that came with a type, read by a schema: as it is where the type is that of the schema, else as text."""
    kind = _kind_of(column)
    if schema.kind == "time" and not schema.formats:
        schema = replace(schema, formats=("ISO8601",))
    if kind == schema.kind == "number":
        return Reading(column, {HUGE: np.flatnonzero(np.abs(column.to_numpy(float)) >= LARGEST)})
    if kind == schema.kind and kind != "truth":
        return Reading(column) if kind == "time" else read(text_cells(column), schema)
    texts = column.astype("str")
    if kind == "number":  # 101.0, where a column of whole numbers had holes
        texts = texts.str.replace(r"\.0$", "", regex=True)
    return read(pc.fill_null(text_cells(texts), ""), schema)
