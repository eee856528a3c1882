"""Delimited text as cells: every cell as it is written, without its quotes. What the cells mean is for the schema."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flowlab.formatting import count, plural
from flowlab.tables.dialect import Dialect
from flowlab.tables.limits import TableError
from flowlab.tables.notes import Note
from flowlab.tables.threads import n_threads

if TYPE_CHECKING:
    from flowlab.tables.limits import Limits


@dataclass(frozen=True, eq=False)
class TextTable:
    """A table of text.

    Attributes
    ----------
    names : of the columns, sound and each once
    columns : for each the cells as written, (n_rows,) without nulls; a short row ends in empty cells
    changes, cautions : what was done on the way, to rows as notes, and what a person should look at
    """

    names: tuple[str, ...]
    columns: tuple[pa.ChunkedArray, ...]
    changes: tuple[str | Note, ...] = ()
    cautions: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def frame(self) -> pd.DataFrame:
        """The cells as a frame of texts."""
        return pd.DataFrame({name: cells.to_pandas() for name, cells in zip(self.names, self.columns)}, dtype="str")


def read_text(data: bytes, dialect: Dialect, limits: Limits) -> TextTable:
    """The cells of UTF-8 text from the dialect's first data row on. Raises TableError naming the line."""
    changes: list[str | Note] = (
        [f"Skipped {plural(dialect.n_skipped, 'line')} above the table."] if dialect.n_skipped else []
    )
    data = _without_comments(data, dialect, changes)
    _check_shape(data, dialect, limits)
    rows, cautions = _cells(data, dialect)
    rows = _without_empty_rows(rows, changes)
    names = sound_names(dialect.names, changes)
    columns = dict(zip(names, rows))
    if dialect.has_header:
        columns = _without_repeated_headers(columns, dialect.names, changes)
    empty = [n for n, given in zip(names, dialect.names) if not given.strip() and _is_blank(columns[n]).all()]
    if empty and len(empty) < len(names):
        columns = {name: cells for name, cells in columns.items() if name not in empty}
        changes.append(f"Dropped {plural(len(empty), 'column')} without name and values.")
    return TextTable(tuple(columns), tuple(columns.values()), tuple(changes), tuple(cautions))


def sound_names(names: Sequence[str], changes: list[str | Note]) -> list[str]:
    """Blank names become "column 3", repeated ones "a (2)"; line breaks and control characters become blanks."""
    sound: list[str] = []
    n_blank = n_repeated = 0
    taken: set[str] = set()
    for position, name in enumerate(names, start=1):
        plain = " ".join(re.sub(r"[\x00-\x1f\x7f\u200b\ufeff]", " ", unicodedata.normalize("NFC", name)).split())[:200]
        n_blank += not plain
        plain = plain or f"column {position}"
        unique, number = plain, 2
        while unique in taken:
            unique, number = f"{plain} ({number})", number + 1
        n_repeated += unique != plain
        taken.add(unique)
        sound.append(unique)
    if n_blank == len(names):
        changes.append("There is no header line; columns are called by their position.")
    elif n_blank:
        changes.append(
            f"{plural(n_blank, 'column')} without a name {'is' if n_blank == 1 else 'are'} called by position."
        )
    if n_repeated:
        changes.append(f"{n_repeated} repeated column names got a number.")
    return sound


def row_ends(data: bytes, quotechar: str, delimiter: str) -> tuple[int, bool]:
    """Where the last whole row of `data` ends, and whether a quote is open at the end; one pass over the bytes.

    A quote opens only where a cell begins, as parsers have it: the one in 5" pipe is a character.
    """
    quote = re.escape(quotechar.encode())
    opening = re.compile(rb"(?:\A|[\r\n]|" + re.escape(delimiter.encode()) + rb")" + quote)
    closing = re.compile(quote + rb"(?:" + quote + rb")?")
    position, end, is_open = 0, 0, False
    while True:
        if is_open:
            match = closing.search(data, position)
            while match and len(match[0]) == 2 * len(quotechar.encode()):
                match = closing.search(data, match.end())
            if match is None:
                return end, True
            position, is_open = match.end(), False
        match = opening.search(data, max(position - 1, 0) if position else 0)
        stop = match.start() + 1 if match and match[0][:1] in b"\r\n" else match.start() if match else len(data)
        last = max(
            data.rfind(b"\n", position, stop), data.rfind(b"\r", position, stop - 1) if b"\n" not in data else -1
        )
        if last >= 0:
            end = last + 1
        if match is None:
            return end, False
        position, is_open = match.end(), True


def _cells(data: bytes, dialect: Dialect) -> tuple[list[pa.ChunkedArray], list[Note]]:
    """The cells of each column, (n_rows,) each, and cautions about rows that are too short."""
    width = len(dialect.names)
    body: memoryview | bytes = memoryview(data)[dialect.body :]
    if dialect.delimiter == " ":
        body = re.sub(rb"(?m)^ | (?=\r?$)", b"", re.sub(rb"[ \t]+", b" ", bytes(body)))
    torn: list[int] = []

    def note(row: pa_csv.InvalidRow) -> str:
        torn.append(row.actual_columns)
        return "skip"

    names = [str(i) for i in range(width)]
    try:
        table = pa_csv.read_csv(
            pa.py_buffer(body),
            read_options=pa_csv.ReadOptions(column_names=names, use_threads=n_threads() > 1, block_size=1 << 22),
            parse_options=pa_csv.ParseOptions(
                delimiter=dialect.delimiter,
                quote_char=dialect.quotechar,
                escape_char=dialect.escapechar or False,
                newlines_in_values=dialect.quotechar.encode() in data,
                ignore_empty_lines=width > 1,
                invalid_row_handler=note,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            return _cells_one_by_one(bytes(body), dialect)
        raise TableError("The table has a header but no rows; choose a file with data rows.") from None
    if torn or _ends_open(data, dialect, table):
        return _cells_one_by_one(bytes(body), dialect)
    return list(table.columns), []


def _ends_open(data: bytes, dialect: Dialect, table: pa.Table) -> bool:
    """Whether a quote may be open at the end of the text, which Arrow takes for closed."""
    quote = dialect.quotechar.encode()
    if not len(table) or quote not in data:
        return False
    last = table.column(len(dialect.names) - 1)[-1].as_py()
    return row_ends(data[dialect.body :] + b"\n", dialect.quotechar, dialect.delimiter)[1] or "\n" in last


def _cells_one_by_one(body: bytes, dialect: Dialect) -> tuple[list[pa.ChunkedArray], list[Note]]:
    """Rows of different lengths: short ones are filled up, longer ones must end in empty cells."""
    csv.field_size_limit(10_000_000)
    width, first_line = len(dialect.names), dialect.body_line
    text = io.StringIO(body.decode("utf-8", "replace"), newline=None)
    reader = csv.reader(
        text, delimiter=dialect.delimiter, quotechar=dialect.quotechar, escapechar=dialect.escapechar, strict=False
    )
    columns: list[list[str]] = [[] for _ in range(width)]
    short: list[int] = []
    line = first_line
    try:
        for cells in reader:
            if not cells:
                if width == 1:
                    columns[0].append("")
                line = reader.line_num + first_line
                continue
            if len(cells) < width and any(cell.strip() for cell in cells):
                short.append(line)
            if any(cell.strip() for cell in cells[width:]):
                raise TableError(
                    f"Line {count(line)} has {len(cells)} cells where {width} were expected; quote cells that hold the "
                    "delimiter."
                )
            for column, cell in zip(columns, [*cells[:width], *[""] * (width - len(cells))]):
                column.append(cell)
            line = reader.line_num + first_line
    except csv.Error as error:
        raise TableError(f"The rows cannot be told apart ({error}); save the table again as plain CSV.") from None
    end, is_open = row_ends(body + b"\n", dialect.quotechar, dialect.delimiter)
    if is_open and not dialect.escapechar:
        opened = body.count(b"\n", 0, end) + first_line
        raise TableError(f"A quote opened in line {count(opened)} is never closed; close it or remove it.")
    cautions = []
    if short:
        after, first = " shorter than the header count as missing", f", first in line {count(short[0])}"
        cautions = [Note("The last cells of ", len(short), after=after, example=first)]
    return [pa.chunked_array([pa.array(column, pa.string())]) for column in columns], cautions


def _is_blank(cells: pa.ChunkedArray) -> np.ndarray:
    return pc.equal(pc.utf8_trim_whitespace(cells), "").to_numpy()


def _without_empty_rows(columns: list[pa.ChunkedArray], changes: list[str | Note]) -> list[pa.ChunkedArray]:
    """Rows of nothing but delimiters, as spreadsheets leave them, are dropped."""
    if len(columns) == 1:
        return columns
    empty = np.ones(len(columns[0]), bool)
    for cells in columns:
        empty &= _is_blank(cells)
        if not empty.any():
            return columns
    changes.append(Note("Dropped ", int(empty.sum()), after=" without any value"))
    return [cells.filter(pa.array(~empty)) for cells in columns]


def _without_repeated_headers(
    columns: dict[str, pa.ChunkedArray], header: Sequence[str], changes: list[str | Note]
) -> dict[str, pa.ChunkedArray]:
    repeated = np.ones(len(next(iter(columns.values()))), bool)
    for cells, name in zip(columns.values(), header):
        repeated &= pc.equal(pc.utf8_trim_whitespace(cells), name.strip()).to_numpy()
        if not repeated.any():
            return columns
    changes.append(Note("Dropped ", int(repeated.sum()), "repeated header line", " inside the table"))
    return {name: cells.filter(pa.array(~repeated)) for name, cells in columns.items()}


def _without_comments(data: bytes, dialect: Dialect, changes: list[str | Note]) -> bytes:
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
        changes.append(f"Skipped {plural(n_comments, 'comment line')} starting with {dialect.comment}.")
    return b"".join([*pieces, data[position:]])


def _check_shape(data: bytes, dialect: Dialect, limits: Limits) -> None:
    """Refuse what is too large before parsing."""
    width = len(dialect.names)
    if width > limits.columns:
        raise TableError(
            f"The table has {count(width)} columns, more than {count(limits.columns)}; keep those that matter."
        )
    n_lines = sum(_count_lines(data)) + 1
    if n_lines > limits.rows or n_lines * width > limits.cells:
        allowed = min(limits.rows, limits.cells // width)
        raise TableError(
            f"The table has about {count(n_lines)} rows of {count(width)} columns, more than the "
            f"{count(allowed)} rows that fit; "
            "take a sample of the rows."
        )


def _count_lines(data: bytes) -> Iterator[int]:
    cells, step = np.frombuffer(data, np.uint8), 1 << 18
    end = 10 if b"\n" in data[:100_000] else 13
    for start in range(0, len(cells), step):
        yield int(np.count_nonzero(cells[start : start + step] == end))
