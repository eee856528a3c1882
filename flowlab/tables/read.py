"""Read a file into a DataFrame, with a report of what was recognised and changed."""

from __future__ import annotations

import contextlib
import ctypes
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

import pandas as pd
import pyarrow as pa

from flowlab.formatting import count, fixed
from flowlab.tables.as_text import AsText
from flowlab.tables.cells import few, spellings
from flowlab.tables.dialect import DELIMITERS, Written, sniff
from flowlab.tables.feather import FEATHER, read_feather
from flowlab.tables.filetype import encoding_doubt, refuse_foreign, to_utf8
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.packed import GZIP, unpacked
from flowlab.tables.parquet import PARQUET, read_parquet
from flowlab.tables.schema import KINDS, ColumnSchema, Finding, infer, read, schema_of_frame
from flowlab.tables.stack import delimited, stacked
from flowlab.tables.text import TextTable, read_text
from flowlab.tables.threads import in_threads

__all__ = ["Limits", "ReadReport", "Table", "TableError", "read_table"]


@dataclass(frozen=True)
class ReadReport:
    """What was recognised in a file, and what was changed while it was read.

    Attributes
    ----------
    name : file name
    kind : "text", "Parquet", "Feather", "Excel workbook", "OpenDocument workbook", "JSON", or "3 tables" for several
    n_bytes : size of the file as it came
    n_rows, n_columns, n_missing : shape of the table, and its missing cells
    encoding, delimiter, decimal, has_header : how a text table is written
    compressed : whether the file was gzip
    types : type of each column in words, by its name
    changes : what was changed, one sentence each
    warnings : what a person should check, one sentence each
    """

    name: str
    kind: str
    n_bytes: int
    n_rows: int
    n_columns: int
    n_missing: int
    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    has_header: bool = True
    compressed: bool = False
    types: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The report as JSON text; `ReadReport.from_json` is the inverse."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ReadReport:
        """The report in the text of `to_json`. Raises ValueError for anything else."""
        try:
            fields = json.loads(text)
            return cls(**{**fields, "changes": tuple(fields["changes"]), "warnings": tuple(fields["warnings"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no report of a read table ({error})") from None

    def sentence(self) -> str:
        """Shape, missing cells and format of the table in one line."""
        text = (
            f"{count(self.n_rows)} rows, {count(self.n_columns)} columns, {count(self.n_missing)} missing "
            f"cells · {self.kind}"
        )
        if self.compressed:
            text += ", gzip"
        if self.kind == "text":
            header = "" if self.has_header else ", no header"
            text += f", {self.encoding}, {self.delimiter} delimited, decimal {self.decimal!r}{header}"
        return text


@dataclass(frozen=True)
class Table:
    """A table as read, and the report of the reading.

    Columns of `frame` are float, integer, bool, datetime64[ns] or text (str); missing cells are NaN, NaT or NA.
    """

    frame: pd.DataFrame
    report: ReadReport
    text: TextTable | None = None
    """The cells as they are written, where the file was one of text."""

    @property
    def schema(self) -> tuple[ColumnSchema, ...]:
        """How each column is written."""
        return schema_of_frame(self.frame)


def read_table(
    data: bytes | str | Path | Mapping[str, bytes | Path],
    name: str = "",
    *,
    missing_codes: Sequence[str | float] = (),
    limits: Limits = Limits(),
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    types: Mapping[str, str] = MappingProxyType({}),
    formats: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """Read CSV, TSV or other delimited text, a workbook (.xlsx, .xls, .ods), JSON records, Parquet or Feather.

    Several files with the same columns, in a ZIP or as a mapping, are stacked; a column names the file of each row.
    Text is read in two steps: as cells, then by a schema that is decided over whole columns; the cells of workbooks
    and records as well. Pickles and archives of other kinds are never opened.

    Parameters
    ----------
    data : the file's bytes, or its path; several files by their names
    name : file name for the report; by default that of the path
    missing_codes : cells that mean "no value" besides the usual ones, such as -999 or "unknown"
    limits : the largest table that is read
    delimiter, decimal, encoding, header : how the text is written; None to recognise it
    types : column name -> what it holds (`schema.KINDS`), where that is not to be recognised
    formats : column name -> how its dates are written, as a strptime format such as "%d/%m/%Y", "ISO8601" or "epoch"

    Raises
    ------
    TableError
        For what is not a table, or is larger than `limits`: one sentence with the cause and a next step.

    >>> table = read_table(b"a;b\\n1,5;x\\n2,5;\\n")
    >>> table.frame["a"].tolist(), table.report.delimiter, table.report.n_missing
    ([1.5, 2.5], 'semicolon', 1)
    """
    if isinstance(data, (str, Path)):
        path = Path(data)
        name = name or path.name
        _size_of(path, limits)
        data = path.read_bytes()
    written = Written(delimiter=delimiter, decimal=decimal, encoding=encoding, header=header)
    found: AsText | None = None
    if isinstance(data, Mapping) and len(data) == 1:
        ((name, only),) = data.items()
        return read_table(
            only, name, missing_codes=missing_codes, limits=limits, types=types, formats=formats, **written
        )
    if isinstance(data, Mapping):
        files = _contents(data, limits)
        facts = {"name": name, "n_bytes": sum(map(len, files.values())), "compressed": False}
        found = stacked(files.items(), limits, **written)
        data = found.text
    data = bytes(data)
    if found is None:
        _check_size(len(data), limits.bytes, "The file is")
        facts = {"name": name, "n_bytes": len(data), "compressed": data[:2] == GZIP}
        data = unpacked(data, limits)
    if not re.search(rb"[^ \t\r\n\x00]", data):
        raise TableError("The file is empty; choose a file with a header line and data rows.")
    if found is None and data.startswith((PARQUET, FEATHER)):
        is_parquet = data.startswith(PARQUET)
        frame, changes = read_parquet(data, limits) if is_parquet else read_feather(data, limits)
        frame.attrs["schema"] = [column.to_dict() for column in schema_of_frame(frame)]
        return _table(frame, {**facts, "kind": "Parquet" if is_parquet else "Feather"}, changes, [])
    found = found or delimited(data, limits, **written)
    if found is None:
        refuse_foreign(data)
    else:
        data, encoding, delimiter = found.text, "utf-8", ","
        decimal, header = found.decimal or decimal, found.header if header is None else header
    data, encoding, n_unreadable = to_utf8(data, encoding)
    dialect = sniff(data, delimiter=delimiter, decimal=decimal, header=header)
    text = read_text(data, dialect, limits)
    del data
    facts |= {"encoding": encoding, "decimal": dialect.decimal, "has_header": dialect.has_header}
    facts |= {
        "kind": found.kind if found else "text",
        "delimiter": DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter)),
    }
    frame, changes, cautions = typed(text, dialect.decimal, spellings(missing_codes), types, formats)
    changes[:0] = found.notes if found else ()
    if doubt := encoding_doubt(encoding):
        cautions.insert(0, doubt)
    if n_unreadable:
        cautions.insert(0, f"{count(n_unreadable)} characters are not valid {encoding} and show as \ufffd.")
    return replace(_table(frame, facts, changes, cautions), text=text)


class ColumnReadings(TypedDict):
    """How single columns are read, by name, as arguments of `read_table`."""

    types: dict[str, str]
    formats: dict[str, str]


def column_readings(pairs: Iterable[str]) -> ColumnReadings:
    """Arguments `types` and `formats` of `read_table` from texts such as "zip=text" and "when=%d/%m/%Y".

    Raises ValueError, one sentence, for a text that is neither.

    >>> column_readings(["zip=text", "when=%d/%m/%Y"])
    {'types': {'zip': 'text'}, 'formats': {'when': '%d/%m/%Y'}}
    """
    types: dict[str, str] = {}
    formats: dict[str, str] = {}
    for pair in pairs:
        name, _, what = pair.rpartition("=")
        if not name or not (what in KINDS or what in ("epoch", "ISO8601") or "%" in what):
            raise ValueError(
                f"{pair[:60]!r} says not how to read a column; write its name, =, and {', '.join(KINDS)} or a date "
                "format such as %d/%m/%Y."
            )
        (types if what in KINDS else formats)[name.strip()] = what
    return {"types": types, "formats": formats}


def typed(
    text: TextTable,
    decimal: str,
    missing: frozenset[str],
    types: Mapping[str, str],
    formats: Mapping[str, str],
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The frame of a table of text with its schema in `attrs`; what was done, and what a person should look at."""
    for column in (*types, *formats):
        if column not in text.names:
            raise TableError(f"There is no column {column!r}; the table has {', '.join(text.names[:8])}.")
    changes, cautions = list(map(str, text.changes)), list(map(str, text.cautions))

    def judge(name: str, cells: pa.ChunkedArray, missing: frozenset[str]) -> Finding:
        kind = types.get(name, "time" if name in formats else "")
        given = (formats[name],) if name in formats else ()
        return infer(name, cells, decimal=decimal, missing=missing, kind=kind, formats=given)

    columns = dict(zip(text.names, text.columns))
    findings = dict(zip(columns, in_threads(lambda name: judge(name, columns[name], missing), text.names)))
    elsewhere = {word for finding in findings.values() if finding.schema.kind != "text" for word in finding.missing}
    for name, finding in findings.items():
        common = elsewhere.intersection(finding.schema.levels)
        if common:  # what is missing among the numbers of a file is missing among its texts
            findings[name] = judge(name, columns[name], missing | common)
            cautions.append(f"{name}: {few(sorted(common))} counts as missing, as in other columns.")
    for name, finding in findings.items():
        changes += [f"{name}: {sentence}." for sentence in finding.changes]
        cautions += [f"{name}: {sentence}." for sentence in finding.cautions]

    def values_of(name: str) -> pd.Series:
        return read(columns[name], findings[name].schema, findings[name].looked_at).values

    values = dict(zip(columns, in_threads(values_of, text.names)))
    frame = pd.DataFrame(values, copy=False)
    frame.columns = pd.Index(list(text.names), dtype=object)
    frame.attrs["schema"] = [finding.schema.to_dict() for finding in findings.values()]
    return frame, changes, cautions


def _contents(files: Mapping[str, bytes | Path], limits: Limits) -> dict[str, bytes]:
    """The bytes of several files, which together may be as large as one."""
    if not files:
        raise TableError("No file was chosen; choose one with a header line and data rows.")
    sizes = [_size_of(file, limits) if isinstance(file, Path) else len(file) for file in files.values()]
    _check_size(sum(sizes), limits.bytes, "The files together are")
    return {name: file.read_bytes() if isinstance(file, Path) else file for name, file in files.items()}


def _size_of(path: Path, limits: Limits) -> int:
    try:
        with path.open("rb"):
            n_bytes = path.stat().st_size
        _check_size(n_bytes, limits.bytes, "The file is")
        return n_bytes
    except OSError as error:
        raise TableError(f"The file {path.name!r} cannot be opened ({error.strerror}); check the path.") from None


def _check_size(n_bytes: int, limit: int, what: str) -> None:
    if n_bytes > limit:
        raise TableError(
            f"{what} larger than {fixed(limit / 1e6, 0)} MB; keep fewer rows or columns, or save it as Parquet."
        )


def _table(frame: pd.DataFrame, facts: dict, changes: Sequence[str], cautions: Sequence[str]) -> Table:
    if not len(frame):
        raise TableError("The table has a header but no rows; choose a file with data rows.")
    types = {column: _type_name(frame[column].dtype) for column in frame}
    n_missing = int(frame.isna().to_numpy().sum()) if frame.size < 1_000_000 else int(frame.isna().sum().sum())
    report = ReadReport(
        n_rows=len(frame), n_columns=frame.shape[1], n_missing=n_missing, types=types,
        changes=tuple(changes), warnings=tuple(cautions), **facts,
    )  # fmt: skip
    _give_back_memory()
    return Table(frame, report)


def _give_back_memory() -> None:
    """Return the memory that parsing freed to the system; the C library would keep about as much as the file."""
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _type_name(dtype: object) -> str:
    for name, is_type in (
        ("true or false", pd.api.types.is_bool_dtype),
        ("whole number", pd.api.types.is_integer_dtype),
        ("number", pd.api.types.is_float_dtype),
        ("date and time", pd.api.types.is_datetime64_any_dtype),
    ):
        if is_type(dtype):
            return name
    return "text"
