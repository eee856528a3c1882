"""Workbooks and JSON records as delimited text, so that their cells are read as those of a CSV are."""

from __future__ import annotations

import csv
import datetime
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flowlab.formatting import count, fixed, plural
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.old_workbook import COMPOUND, MAX_CELLS, checked, is_old_workbook

ZIP = b"PK\x03\x04"
ODS_TYPE = b"application/vnd.oasis.opendocument.spreadsheet"
WORKBOOK_PART = "xl/workbook.xml"
MAX_PARTS = 10_000

_ODS_TAG = re.compile(
    rb"<(?P<end>/?)(?:[\w.-]+:)?(?P<what>table-row|table-cell|covered-table-cell|table)"
    rb"""(?P<attributes>(?:\s(?:[^>"']|"[^"]*+"|'[^']*+')*+)?)>"""
)
_REPEATED = re.compile(rb"""number-(?:rows|columns)-repeated\s*=\s*["']\s*\+?0*(\d+)""")
_REFERENCE = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')


@dataclass(frozen=True)
class AsText:
    """A table as UTF-8 text, comma delimited.

    Attributes
    ----------
    text : the table
    kind : what it was, such as "Excel workbook", "OpenDocument workbook", "JSON" or "3 tables"
    notes : what was chosen or left out, one sentence each
    decimal, header : its decimal sign, and whether its first line names the columns, where that is known
    """

    text: bytes
    kind: str
    notes: tuple[str, ...] = ()
    decimal: str | None = None
    header: bool | None = None


def as_text(data: bytes, limits: Limits) -> AsText | None:
    """A workbook (.xlsx, .xlsm, .xls, .ods) or JSON records as text; None for what is neither.

    JSON is a list of objects, or an object in each line.

    Raises
    ------
    TableError
        For a damaged file, one beyond `limits`, and one without a table.
    """
    if is_workbook(data) or is_old_workbook(data):
        return _workbook(data, limits)
    if begins_records(data):
        return _records(data, limits)
    return None


def is_workbook(data: bytes) -> bool:
    """Whether these are the bytes of a workbook: an archive with a part that lists its sheets, or of that type."""
    if not data.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return WORKBOOK_PART in archive.namelist() or _is_opendocument(archive)
    except Exception:  # zipfile, zlib and struct have a dozen ways to say that bytes are no archive
        return False


def _is_opendocument(archive: zipfile.ZipFile) -> bool:
    if not {"mimetype", "content.xml"} <= set(archive.namelist()):
        return False
    with archive.open("mimetype") as part:
        return part.read(len(ODS_TYPE)) == ODS_TYPE


def _workbook(data: bytes, limits: Limits) -> AsText:
    from python_calamine import CalamineWorkbook

    parts = checked(data) if data.startswith(COMPOUND) else _unpacked_parts(data, limits)
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(parts))
        names = book.sheet_names
        for name in names:
            rows = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
            if len(rows) > 1:
                break
        else:
            raise TableError("No sheet of the workbook holds a header and rows; choose another file.")
    except TableError:
        raise
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the library is no Exception
        said = str(error).strip().split("\n")[0][:120] or type(error).__name__
        raise TableError(f"The workbook is damaged ({said}); open it and save it again, or as CSV.") from None
    notes: tuple[str, ...] = ()
    if len(names) > 1:
        notes = (f"The workbook has {count(len(names))} sheets; the first with rows, “{name[:60]}”, was read.",)
    kind = "OpenDocument workbook" if ODS_TYPE in data[:200] else "Excel workbook"
    return AsText(_delimited(_spelled(rows)), kind, notes)


def _unpacked_parts(data: bytes, limits: Limits) -> bytes:
    """The workbook's parts that hold cells, in an archive without compression: what it unpacks to is known by then."""
    left, kept = limits.unpacked, io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(kept, "w") as plain:
            infos = archive.infolist()
            if len(infos) > MAX_PARTS:
                raise TableError(f"The workbook has more than {count(MAX_PARTS)} parts; save the sheet as CSV.")
            for info in infos:
                if not info.filename.endswith((".xml", ".rels", "mimetype")):
                    continue
                if info.flag_bits & 1:
                    raise TableError("The workbook is locked with a password; save it without one.")
                with archive.open(info) as part:
                    content = part.read(left + 1)
                left -= len(content)
                if left < 0:
                    size = fixed(limits.unpacked / 1e6, 0)
                    raise TableError(f"The workbook unpacks to more than {size} MB; save the sheet as CSV.")
                if info.filename.startswith("xl/worksheets/"):
                    _check_extent(content)
                if info.filename == "content.xml":
                    _check_opendocument(content)
                plain.writestr(info.filename, content)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        if isinstance(error, TableError):
            raise
        raise TableError(f"The workbook is damaged ({error}); open it and save it again, or as CSV.") from None
    return kept.getvalue()


def _check_extent(sheet: bytes) -> None:
    """Raise TableError where the cells of a sheet lie so far apart that what is between them does not fit memory."""
    columns, rows = {b"A"}, {1}
    for match in _REFERENCE.finditer(sheet):
        columns.add(match[1])
        rows.add(int(match[2]))
    _check_span(max(rows), max(_column_number(letters) for letters in columns))


def _check_opendocument(content: bytes) -> None:
    """Raise TableError where a sheet of repeated rows and cells does not fit memory; empty ones at an end are free."""
    n_rows = last_row = widest = n_columns = last_column = 0
    for tag in _ODS_TAG.finditer(content):
        what, attributes = tag["what"], tag["attributes"]
        repeated = _REPEATED.search(attributes)
        times = int(repeated[1][:9]) if repeated else 1
        if what == b"table" and not tag["end"]:
            n_rows = last_row = widest = 0
        elif what == b"table-row" and not tag["end"]:
            n_columns = last_column = 0
            n_rows += times
        elif what.endswith(b"cell") and not tag["end"]:
            n_columns += times
            if not attributes.endswith(b"/") or b"value" in attributes:
                last_column, last_row = n_columns, n_rows
        widest = max(widest, last_column)
        _check_span(last_row, widest)


def _check_span(n_rows: int, n_columns: int) -> None:
    if n_rows * n_columns > MAX_CELLS:
        raise TableError(
            f"A sheet of the workbook spans {count(n_rows)} rows of {count(n_columns)} columns, more than "
            f"{count(MAX_CELLS)} cells; save it as CSV or Parquet."
        )


def _column_number(letters: bytes) -> int:
    """The number of a column, from 1, as in A, Z, AA.

    >>> [_column_number(letters) for letters in (b"A", b"Z", b"AA", b"XFD")]
    [1, 26, 27, 16384]
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _spelled(rows: Sequence[Sequence[object]]) -> Iterable[Sequence[str]]:
    """The rows with each cell as text; a column whose times are all midnight is one of dates."""
    timed = {
        j
        for row in rows
        for j, cell in enumerate(row)
        if isinstance(cell, datetime.datetime) and cell.time() != datetime.time()
    }
    return ([cell_text(cell, j in timed) for j, cell in enumerate(row)] for row in rows)


def cell_text(cell: object, is_timed: bool = True) -> str:
    """A value as it would be written in a CSV; dates without their time where a column `is_timed` not."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime | datetime.date):
        moment = cell if isinstance(cell, datetime.datetime) else datetime.datetime.combine(cell, datetime.time())
        return moment.isoformat(" ") if is_timed else moment.date().isoformat()
    if isinstance(cell, datetime.timedelta):
        return repr(cell.total_seconds())
    return "" if cell is None else str(cell)


def begins_records(data: bytes) -> bool:
    """Whether a file begins as a list of JSON objects does, or a line of one."""
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    return re.match(rb'\[\s*\{\s*"|\{\s*"(?:[^"\\]|\\.)*"\s*:', head) is not None


def _records(data: bytes, limits: Limits) -> AsText:
    notes: tuple[str, ...] = ()
    try:
        text = data.decode("utf-8-sig")
        records: list[Any] = json.loads(text) if text.lstrip().startswith("[") else _lines(text)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        said = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        raise TableError(f"The JSON cannot be read ({said}); write a list of records, or one in each line.") from None
    if not all(isinstance(record, dict) for record in records):
        raise TableError("This JSON is no list of records; save it as CSV with one row per record.")
    names = list(dict.fromkeys(name for record in records for name in record))
    if len(names) > limits.columns or len(records) * len(names) > limits.cells or len(records) > limits.rows:
        raise TableError(
            f"The records have {count(len(records))} rows of {count(len(names))} columns, too many; take a sample."
        )
    nested = {name for record in records for name, value in record.items() if isinstance(value, dict | list)}
    kept = [name for name in names if name not in nested]
    if not kept:
        raise TableError("No field of the records holds numbers, dates or text; flatten them first.")
    if nested:
        were = "was" if len(nested) == 1 else "were"
        fields = plural(len(nested), "field")
        notes = (f"{fields} of lists or records {were} left out ({', '.join(sorted(nested)[:3])}).",)
    rows = ([cell_text(record.get(name)) for name in kept] for record in records)
    return AsText(_delimited([kept, *rows]), "JSON", notes)


def _lines(text: str) -> list[Any]:
    """A record from each line; an object alone, over many lines, is none."""
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        json.loads(text)  # says what is wrong, unless it is one object
        raise ValueError("it is one object, not a list of records") from None


def _delimited(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
