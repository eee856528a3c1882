"""read_table: a file as analysts have it becomes a DataFrame, and a report says what was recognised and changed."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from flowlab.datasets.cells import MISSING_TEXTS, read_column
from flowlab.datasets.sniffing import DELIMITERS, Dialect, TableError, refuse_foreign, sniff, to_utf8

__all__ = ["Limits", "ReadReport", "Table", "TableError", "read_table"]


@dataclass(frozen=True)
class Limits:
    """The largest table that is read, checked before memory is spent: bytes packed and unpacked, and its shape."""

    bytes: int = 250_000_000
    unpacked: int = 500_000_000
    rows: int = 3_000_000
    columns: int = 2_000
    cells: int = 100_000_000


@dataclass(frozen=True)
class ReadReport:
    """What was recognised in a file and what was changed on the way, in counts. `warnings` wants a person's eye."""

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

    def sentence(self) -> str:
        """One line for the head of a page."""
        text = f"{self.n_rows:,} rows, {self.n_columns:,} columns, {self.n_missing:,} missing cells · {self.kind}"
        if self.compressed:
            text += ", gzip"
        if self.kind == "text":
            header = "" if self.has_header else ", no header"
            text += f", {self.encoding}, {self.delimiter} delimited, decimal {self.decimal!r}{header}"
        return text


@dataclass(frozen=True)
class Table:
    """A table as read: columns are float, integer, bool, datetime64 or text (str); missing cells are NaN, NaT or NA."""

    frame: pd.DataFrame
    report: ReadReport


def read_table(
    data: bytes | str | Path,
    name: str = "",
    *,
    missing_codes: Sequence[str | float] = (),
    limits: Limits = Limits(),
    delimiter: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Table:
    """Read CSV, TSV or other delimited text, gzip of it, or Parquet, from bytes or a path.

    Encoding, delimiter, quotes, decimal sign, thousands separators, comment lines and header are found out unless
    given. `missing_codes` are cells that mean "no value" besides the usual ones (-999, "unknown"). Raises TableError,
    one sentence naming the trouble and a next step, for what is not a table or larger than `limits`. Pickles,
    archives and workbooks are never opened.

    >>> table = read_table(b"a;b\\n1,5;x\\n2,5;\\n")
    >>> table.frame["a"].tolist(), table.report.delimiter, table.report.n_missing
    ([1.5, 2.5], 'semicolon', 1)
    """
    if isinstance(data, (str, Path)):
        path = Path(data)
        name = name or path.name
        data = _bytes_of(path, limits)
    data = bytes(data)
    _check_size(len(data), limits.bytes, "The file")
    n_bytes, compressed = len(data), data[:2] == b"\x1f\x8b"
    if compressed:
        data = _gunzip(data, limits)
        if data[:2] == b"\x1f\x8b":
            raise TableError("The gzip file holds another gzip file; unpack it once and choose the result.")
    if not re.search(rb"[^ \t\r\n\x00]", data):
        raise TableError("The file is empty; choose a file with a header line and data rows.")
    facts = {"name": name, "n_bytes": n_bytes, "compressed": compressed}
    if data[:4] == b"PAR1":
        from flowlab.datasets.parquet import read_parquet

        frame, changes = read_parquet(data, limits)
        return _table(frame, {**facts, "kind": "Parquet"}, changes, [])
    refuse_foreign(data)
    return _read_text(data, facts, missing_codes, limits, delimiter, decimal, encoding, header)


def _bytes_of(path: Path, limits: Limits) -> bytes:
    try:
        _check_size(path.stat().st_size, limits.bytes, "The file")
        return path.read_bytes()
    except OSError as error:
        raise TableError(f"The file {path.name!r} cannot be opened ({error.strerror}); check the path.") from None


def _check_size(n_bytes: int, limit: int, what: str) -> None:
    if n_bytes > limit:
        raise TableError(
            f"{what} is larger than {limit / 1e6:,.0f} MB; keep fewer rows or columns, or save it as Parquet."
        )


def _gunzip(data: bytes, limits: Limits) -> bytes:
    unpacked, rest = bytearray(), memoryview(data)
    try:
        while rest:
            member = zlib.decompressobj(wbits=31)
            while rest and not member.eof:
                unpacked += member.decompress(rest, 1 << 20)
                rest = memoryview(member.unconsumed_tail or member.unused_data)
                if len(unpacked) > limits.unpacked:
                    raise TableError(
                        f"The gzip file unpacks to more than {limits.unpacked / 1e6:,.0f} MB and was refused; "
                        "keep fewer rows or columns."
                    )
            if not member.eof:
                raise TableError("The gzip file ends in the middle; download or pack it again.")
            if not rest[:64].tobytes().strip(b"\x00"):
                break  # padding after the last member
    except zlib.error as error:
        raise TableError(f"The gzip file is damaged ({error}); download or pack it again.") from None
    return bytes(unpacked)


def _read_text(
    data: bytes,
    facts: dict[str, object],
    missing_codes: Sequence[str | float],
    limits: Limits,
    delimiter: str | None,
    decimal: str | None,
    encoding: str | None,
    header: bool | None,
) -> Table:
    data, encoding, n_unreadable = to_utf8(data, encoding)
    controls = len(re.findall(rb"[\x01-\x08\x0e-\x1f\x7f]", data[:100_000]))
    if controls > 0.02 * min(len(data), 100_000):
        raise TableError("The file is binary, not text; choose a CSV, TSV or Parquet file.")
    dialect = sniff(data, delimiter=delimiter, decimal=decimal, header=header)
    changes, cautions = [], []
    if n_unreadable:
        cautions.append(f"{n_unreadable:,} characters are not valid {encoding} and show as \ufffd.")
    if dialect.n_skipped:
        changes.append(f"{dialect.n_skipped:,} lines above the table were skipped.")
    data = _without_comments(data, dialect, changes)
    _check_shape(data, dialect, limits)
    missing = frozenset(text for code in missing_codes for text in _spellings(code))
    frame = _parse(data, dialect, missing)
    frame, names_changed = _with_sound_names(frame, dialect.names)
    changes += names_changed
    frame = _tidy_columns(frame, dialect, missing, changes, cautions)
    facts = facts | {"kind": "text", "encoding": encoding, "decimal": dialect.decimal, "has_header": dialect.has_header}
    facts["delimiter"] = DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    if len(frame) and frame.iloc[:, -1].isna().any():
        cautions += _short_rows(data, dialect)
    return _table(frame, facts, changes, cautions)


def _table(frame: pd.DataFrame, facts: dict, changes: Sequence[str], cautions: Sequence[str]) -> Table:
    if not len(frame):
        raise TableError("The table has a header but no rows; choose a file with data rows.")
    types = {column: _type_name(frame[column].dtype) for column in frame}
    n_missing = int(frame.isna().to_numpy().sum()) if frame.size < 1_000_000 else int(frame.isna().sum().sum())
    report = ReadReport(
        n_rows=len(frame), n_columns=frame.shape[1], n_missing=n_missing, types=types,
        changes=tuple(changes), warnings=tuple(cautions), **facts,
    )  # fmt: skip
    return Table(frame, report)


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


def _without_comments(data: bytes, dialect: Dialect, changes: list[str]) -> bytes:
    """Comment lines in the body become blank, so that line numbers stay true. Marks inside quotes are left alone."""
    if not dialect.comment or dialect.comment.encode() not in data:
        return data
    mark, quote = dialect.comment.encode(), dialect.quotechar.encode()
    pieces, position, n_quotes, n_comments = [], 0, 0, 0
    for match in re.finditer(rb"(?:^|(?<=[\r\n]))" + re.escape(mark) + rb"[^\r\n]*", data):
        n_quotes += data.count(quote, position, match.start())
        if n_quotes % 2:
            n_quotes += data.count(quote, match.start(), match.end())
            pieces.append(data[position : match.end()])
        else:
            pieces.append(data[position : match.start()] + b" " * (match.end() - match.start()))
            n_comments += 1
        position = match.end()
    if n_comments:
        changes.append(f"{n_comments:,} comment lines starting with {dialect.comment} were skipped.")
    return b"".join([*pieces, data[position:]])


def _check_shape(data: bytes, dialect: Dialect, limits: Limits) -> None:
    """Refuse before parsing: line ends bound the rows from above."""
    width = len(dialect.names)
    if width > limits.columns:
        raise TableError(f"The table has {width:,} columns, more than {limits.columns:,}; keep those that matter.")
    n_lines = max(data.count(b"\n"), data.count(b"\r")) + 1
    if n_lines > limits.rows or n_lines * width > limits.cells:
        allowed = min(limits.rows, limits.cells // width)
        raise TableError(
            f"The table has about {n_lines:,} rows of {width:,} columns, more than the {allowed:,} rows that fit; "
            "take a sample of the rows."
        )


def _spellings(code: str | float) -> set[str]:
    text = str(code).strip()
    try:
        value = float(text)
    except ValueError:
        return {text}
    return {text, repr(value), f"{value:g}", f"{value:.1f}", f"{value:.2f}"}


def _parse(data: bytes, dialect: Dialect, missing: frozenset[str]) -> pd.DataFrame:
    width = len(dialect.names)
    options = {
        "sep": r"\s+" if dialect.delimiter == " " else dialect.delimiter,
        "quotechar": dialect.quotechar,
        "escapechar": dialect.escapechar,
        "decimal": dialect.decimal,
        "header": None,
        "names": range(width),
        "index_col": False,
        "na_values": sorted({spelling for text in MISSING_TEXTS | missing for spelling in (text, text.upper())}),
        "skip_blank_lines": width > 1,
        "encoding": "utf-8",
    }
    texts = dict.fromkeys(dialect.text_columns, "str")
    try:
        frame = _read_csv(data, dialect, options, texts)
        mixed = [index for index in frame if frame[index].dtype == object]
        if mixed:  # chunks disagreed about the type: read these columns again, as text
            again = _read_csv(data, dialect, options | {"usecols": mixed}, dict.fromkeys(mixed, "str"))
            for index in mixed:
                frame[index] = again[index]
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(_explain(str(error), data, dialect)) from None
    return frame


def _read_csv(data: bytes, dialect: Dialect, options: dict, dtypes: dict) -> pd.DataFrame:
    handle = io.BytesIO(data)  # shares the bytes, does not copy them
    handle.seek(dialect.body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(handle, dtype=dtypes, **options)
        except pd.errors.ParserWarning as error:
            raise pd.errors.ParserError(str(error)) from None


def _explain(message: str, data: bytes, dialect: Dialect) -> str:
    width = len(dialect.names)
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if found:
        line = int(found[2]) + dialect.body_line - 1
        return f"Line {line:,} has {found[3]} cells where {width} were expected; quote cells that hold the delimiter."
    found = re.search(r"EOF inside string starting at row (\d+)", message)
    if found:
        line = int(found[1]) + dialect.body_line
        return f"A quote opened in line {line:,} is never closed; close it or remove it."
    if "Length of header" in message:
        cells = _split_line(data[dialect.body : dialect.body + 100_000], dialect)
        return f"Line {dialect.body_line:,} has {cells} cells where {width} were expected; check the first data row."
    if "No columns" in message:
        return "The table has a header but no rows; choose a file with data rows."
    return f"The rows cannot be told apart ({message.strip()}); save the table again as plain CSV."


def _split_line(data: bytes, dialect: Dialect) -> int:
    lines = io.StringIO(data.decode("utf-8", "replace"), newline=None)
    return len(next(csv.reader(lines, delimiter=dialect.delimiter, quotechar=dialect.quotechar), []))


def _short_rows(data: bytes, dialect: Dialect) -> list[str]:
    """Rows with fewer cells than the header; looked for only when the last column has holes."""
    if len(data) > 30_000_000 or dialect.delimiter == " ":
        return []
    text = io.StringIO(data[dialect.body :].decode("utf-8", "replace"), newline=None)
    reader = csv.reader(text, delimiter=dialect.delimiter, quotechar=dialect.quotechar, escapechar=dialect.escapechar)
    short, width = [], len(dialect.names)
    csv.field_size_limit(10_000_000)
    for cells in reader:
        if 0 < len(cells) < width and any(cell.strip() for cell in cells):
            short.append(reader.line_num + dialect.body_line - 1)
    if not short:
        return []
    return [
        f"{len(short):,} rows are shorter than the header (first in line {short[0]:,}); "
        "their last cells count as missing."
    ]


def _with_sound_names(frame: pd.DataFrame, names: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Blank names become "column 3", repeated ones "a (2)"; line breaks and control characters become blanks."""
    sound, taken, n_blank, n_repeated, changes = [], set(), 0, 0, []
    for position, name in enumerate(names, start=1):
        plain = " ".join(re.sub(r"[\x00-\x1f\x7f\u200b\ufeff]", " ", str(name)).split())[:200]
        n_blank += not plain
        plain = plain or f"column {position}"
        unique, number = plain, 2
        while unique in taken:
            unique, number = f"{plain} ({number})", number + 1
        n_repeated += unique != plain
        taken.add(unique)
        sound.append(unique)
    empty = [i for i, name in enumerate(names) if not str(name).strip() and frame.iloc[:, i].isna().all()]
    frame.columns = pd.Index(sound, dtype=object)
    if empty and len(empty) < len(sound):
        frame = frame.drop(columns=[sound[i] for i in empty])
        n_blank -= len(empty)
        changes.append(f"{len(empty)} columns without name and values were dropped.")
    if n_blank and any(str(name).strip() for name in names):
        changes.append(f"{n_blank} columns without a name are called by their position.")
    elif n_blank:
        changes.append("There is no header line; columns are called by their position.")
    if n_repeated:
        changes.append(f"{n_repeated} repeated column names got a number.")
    return frame, changes


def _tidy_columns(
    frame: pd.DataFrame, dialect: Dialect, missing: frozenset[str], changes: list[str], cautions: list[str]
) -> pd.DataFrame:
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name].dtype)]
    if dialect.has_header and texts:
        repeated = np.logical_and.reduce([frame[name].eq(name).fillna(False).to_numpy(bool) for name in texts])
        if repeated.any():
            frame = frame[~repeated].reset_index(drop=True)
            changes.append(f"{int(repeated.sum()):,} repeated header lines inside the table were dropped.")
    codes = {frame.columns[position] for position in dialect.text_columns if position < frame.shape[1]}
    tidy = frame
    for name in texts:
        reading = read_column(frame[name], dialect.decimal, missing, keep_text=name in codes)
        changes += [f"{name}: {change}." for change in reading.changes]
        cautions += [f"{name}: {warning}." for warning in reading.warnings]
        tidy[name] = reading.values
    # pandas skips blank lines but keeps rows of nothing but delimiters
    blank = tidy.isna().all(axis=1).to_numpy() if tidy.iloc[:, 0].isna().any() and tidy.shape[1] > 1 else None
    if blank is not None and blank.any():
        tidy = tidy[~blank].reset_index(drop=True)
        for column in tidy.select_dtypes("float").columns[~tidy.select_dtypes("float").isna().any()]:
            if (tidy[column] % 1 == 0).all():  # float only because of the rows just dropped
                tidy[column] = tidy[column].astype("int64")
        changes.append(f"{int(blank.sum()):,} rows without any value were dropped.")
    return tidy
