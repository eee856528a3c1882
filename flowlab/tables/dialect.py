"""How a text table is written: delimiter, quotes, decimal sign, comments and header, judged on its beginning."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import pyarrow as pa

from flowlab.tables.cells import MISSING_TEXTS, is_date, is_number
from flowlab.tables.filetype import SAMPLE_BYTES
from flowlab.tables.limits import TableError
from flowlab.tables.numerals import decimal_of

SAMPLE_LINES = 400
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "^": "caret", "~": "tilde", " ": "space"}


class Written(TypedDict, total=False):
    """How a text is written, as far as the user says it: arguments of `read_table`."""

    delimiter: str | None
    decimal: str | None
    encoding: str | None
    header: bool | None


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes
    ----------
    delimiter, quotechar, escapechar, decimal : single characters; `escapechar` may be None
    names : one text per column, blank where there is none
    has_header : whether the names were read from the file
    body : byte offset of the first data row
    body_line : line number of the first data row, from 1
    n_skipped : lines above the table that are left out
    comment : mark that starts comment lines, "" for none
    decimal_is_sure : whether the decimal sign was given, or shows in a number that has only one reading
    """

    delimiter: str
    quotechar: str
    escapechar: str | None
    decimal: str
    names: tuple[str, ...]
    has_header: bool
    body: int
    body_line: int
    n_skipped: int
    comment: str
    decimal_is_sure: bool


def sniff(data: bytes, *, delimiter: str | None, decimal: str | None, header: bool | None) -> Dialect:
    """The dialect of a UTF-8 text, judged on its first lines.

    Parameters
    ----------
    data : the text, or its beginning
    delimiter, decimal, header : used as they are; None to recognise them

    Raises
    ------
    TableError
        Where the text holds no rows, or no lines of a table's length.
    """
    if delimiter is not None and len(delimiter) != 1:
        raise TableError(f"The delimiter must be one character, not {delimiter[:20]!r}; name one such as ; or a tab.")
    sample = data[:SAMPLE_BYTES].decode("utf-8", "ignore")
    lines = io.StringIO(sample, newline="").readlines() if "\n" in sample else sample.splitlines(keepends=True)
    if len(data) > SAMPLE_BYTES and len(lines) > 2:
        lines = lines[:-1]  # the last line is cut
    lines = lines[:SAMPLE_LINES]
    if any(len(line) > 200_000 for line in lines[:-1]) or (len(lines) == 1 and len(data) > SAMPLE_BYTES):
        raise TableError("The first line is longer than 200,000 characters, so this is no table; choose a CSV file.")
    declared = re.fullmatch(r"sep=(.)", lines[0].strip("\r\n ")) if lines else None
    if declared and delimiter is None:
        delimiter = declared.group(1)
    comment = _comment_mark(lines)
    plain = [line for line in lines if line.strip() and not (comment and line.startswith(comment))]
    quotechar = _quotechar(plain)
    doubled = quotechar * 2 in sample.replace(f",{quotechar * 2}", "")
    escapechar = "\\" if not doubled and any(_escapes(line, quotechar) for line in plain) else None
    if delimiter is None:
        delimiter = _delimiter(plain, quotechar)
    first = 1 if declared else 0
    rows = _split(lines[first:], delimiter, quotechar, escapechar, comment)
    if not rows:
        raise TableError("The file holds no rows, only blank or comment lines; choose a file with data.")
    width = Counter(len(cells) for cells, _ in rows[len(rows) // 4 :]).most_common(1)[0][0]
    start = next((i for i, (cells, _) in enumerate(rows[:60]) if len(cells) >= max(width - 1, min(width, 2))), 0)
    top = rows[start][0]
    body = [cells for cells, _ in rows[start + 1 :] if len(cells) == width and cells != top][:300]
    has_header = _looks_like_header(top, body) if header is None else header
    names: Sequence[str] = ()
    n_skipped = start
    if has_header:
        names = top
        start += 1
        if len(names) == width - 1:
            # a delimiter ends each data row but not the header; else R wrote row names without a name of their own
            is_trailing = bool(body) and not any(cells[-1].strip() for cells in body)
            names = [*names, ""] if is_trailing else ["", *names]
    elif comment:
        names = _commented_header(lines, comment, delimiter, width) or ()
    width = max(width, len(names))
    found_decimal, is_sure = _decimal(body, delimiter)
    line = first + (rows[start - 1][1] if start else 0)
    return Dialect(
        delimiter=delimiter,
        quotechar=quotechar,
        escapechar=escapechar,
        decimal=decimal or found_decimal,
        decimal_is_sure=bool(decimal) or is_sure,
        names=tuple(names) if names else ("",) * width,
        has_header=bool(names),
        body=len("".join(lines[:line]).encode()),
        body_line=line + 1,
        n_skipped=n_skipped,
        comment=comment,
    )


def _escapes(line: str, quotechar: str) -> bool:
    """Whether a backslash escapes a quote; it may also be the last character of a quoted cell."""
    inside = re.search(rf"\\{quotechar}[^,;\t|^~\r\n]", line)
    return bool(inside) or (f"\\{quotechar}" in line and line.count(quotechar) % 2 == 1)


def _comment_mark(lines: list[str]) -> str:
    for mark in ("#", "%", "//"):
        n = sum(line.startswith(mark) for line in lines)
        if 0 < n < 0.5 * len(lines) or (n and len(lines) < 10 and n < len(lines)):
            return mark
        if n and all(line.startswith(f"{mark} ") for line in lines if line.strip()):
            return mark
    return ""


def _commented_header(lines: list[str], comment: str, delimiter: str, width: int) -> list[str] | None:
    """Names written in the last comment line before the data, as gnuplot and numpy.savetxt do."""
    head = list(itertools.takewhile(lambda line: line.startswith(comment) or not line.strip(), lines))
    head = [line for line in head if line.strip()]
    if not head:
        return None
    cells = next(csv.reader([head[-1].lstrip(comment).strip()], delimiter=delimiter, skipinitialspace=True))
    cells = [cell for cell in cells if cell] if delimiter == " " else cells
    return cells if len(cells) == width and not any(is_number(cell) for cell in cells) else None


def _quotechar(lines: list[str]) -> str:
    single = sum(bool(re.search(r"(^|[,;\t|])'[^']*'([,;\t|]|\s*$)", line)) for line in lines)
    double = sum('"' in line for line in lines)
    return "'" if single > 0.5 * len(lines) and not double else '"'


def _split(
    lines: list[str], delimiter: str, quotechar: str, escapechar: str | None, comment: str
) -> list[tuple[list[str], int]]:
    """Cells of each row that is not blank, and the number of the line it ends in."""
    kept = [
        "\n" if comment and line.startswith(comment) else line.replace("\r\n", "\n").replace("\r", "\n")
        for line in lines
    ]
    reader = csv.reader(
        kept, delimiter=delimiter, quotechar=quotechar, escapechar=escapechar, skipinitialspace=delimiter == " "
    )
    rows = []
    try:
        for cells in reader:
            if delimiter == " " and cells and not cells[-1]:
                cells = cells[:-1]
            if any(cell.strip() for cell in cells) or len(cells) > 1:
                rows.append((cells, reader.line_num))
    except csv.Error as error:
        if not rows:
            raise TableError(
                f"Line {reader.line_num} cannot be split into cells: {error}; save the file again."
            ) from None
    return rows


def _delimiter(lines: list[str], quotechar: str) -> str:
    if len(lines) > 2 and "," not in lines[0] and all(re.fullmatch(r"\s*[+-]?\d+(,\d+)?\s*", x) for x in lines[1:]):
        return ";"  # one column of numbers with decimal commas
    best, best_score = ",", 0.0
    for candidate in DELIMITERS:
        rows = [cells for cells, _ in _split(lines[:300], candidate, quotechar, None, "")]
        width, n_agreeing = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        if width < 2:
            continue
        cells = [cell for row in rows if len(row) == width for cell in row]
        others = set(DELIMITERS) - {candidate, " "}
        clean = sum(not (set(cell) & others) or is_number(cell) or is_date(cell) for cell in cells) / len(cells)
        filled = sum(bool(cell.strip()) for cell in cells) / len(cells)
        score = n_agreeing / len(rows) * clean * (0.5 + 0.5 * filled)
        if candidate == " ":  # blanks stand in prose too: they delimit only columns of numbers
            share = sum(map(is_number, cells)) / len(cells)
            score *= share * (share > 0.5)
        if score > best_score + 1e-9:
            best, best_score = candidate, score
    return best


def _looks_like_header(top: list[str], body: list[list[str]]) -> bool:
    if not body:
        return not any(is_number(cell) for cell in top)
    if _counts_columns(top, body):
        return True
    above_values = numbers_above = 0
    for index, cell in enumerate(top):
        column = [row[index] for row in body if index < len(row) and row[index].strip().lower() not in MISSING_TEXTS]
        if column and sum(is_number(value) or is_date(value) for value in column) >= 0.9 * len(column):
            value = (is_number(cell) or is_date(cell)) and not _is_year_above(cell, column)
            numbers_above += value
            above_values += not value and cell.strip().lower() not in MISSING_TEXTS
    if above_values:
        return True
    if numbers_above:
        return False
    seen = [cell for index, cell in enumerate(top) for row in body if index < len(row) and row[index] == cell and cell]
    return not seen and len(set(top)) == len(top)


def _is_year_above(cell: str, column: list[str]) -> bool:
    """Whether a year or a date in the first row names its column: what stands below are none."""
    year = re.compile(r"\s*(19|20)\d{2}(-\d{2}){0,2}\s*")
    return bool(year.fullmatch(cell)) and sum(bool(year.fullmatch(below)) for below in column) < 0.5 * len(column)


def _counts_columns(top: list[str], body: list[list[str]]) -> bool:
    """Whether the first row numbers the columns, as data frames without names are written."""
    numbered = [cell.strip() for cell in top if cell.strip()]
    first = int(numbered[0]) if numbered and numbered[0] in ("0", "1") else None
    if first is None or len(numbered) < 2 or numbered != [str(first + i) for i in range(len(numbered))]:
        return False
    return any("." in cell or not is_number(cell) for row in body for cell in row if cell.strip())


def _decimal(body: list[list[str]], delimiter: str) -> tuple[str, bool]:
    """The decimal sign, and whether any number of the table shows it rather than could be read both ways."""
    clear: Counter[str] = Counter()
    unclear: Counter[str] = Counter()
    likely = "," if delimiter != "," else "."
    for column in zip(*body):
        marked = [cell.strip() for cell in column if is_number(cell) and ("." in cell or "," in cell)]
        if marked:
            decimal, is_open = decimal_of(pa.array(marked, pa.large_string()), likely)
            (unclear if is_open else clear)[decimal] += 1
    votes = clear or unclear
    return "," if votes[","] > votes["."] else ".", bool(clear)
