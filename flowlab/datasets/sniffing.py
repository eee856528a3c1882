"""What a file is before it is read: its kind, encoding, delimiter, quotes, decimal sign and header. Works on bytes."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import pickletools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flowlab.datasets.cells import MISSING_TEXTS, is_date, is_number, number_style

SAMPLE_BYTES = 256_000
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "^": "caret", "~": "tilde", " ": "space"}


class TableError(ValueError):
    """What cannot be read as a table: one sentence naming the trouble, and a next step."""


# First bytes of files people upload by mistake, and what to do instead.
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it or save the sheet as CSV"),
    (b"PK\x05\x06", "an empty zip archive", "pack nothing and choose the CSV itself"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Office file", "save the sheet as CSV"),
    (b"%PDF", "a PDF document", "export the table behind it as CSV"),
    (b"\x89PNG", "a picture (PNG)", "choose a CSV or Parquet file"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "choose a CSV or Parquet file"),
    (b"GIF8", "a picture (GIF)", "choose a CSV or Parquet file"),
    (b"\x89HDF", "an HDF5 file", "save the table as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array", "save it as CSV with column names"),
    (b"ARROW1", "an Arrow or Feather file", "save it as Parquet"),
    (b"ORC", "an ORC file", "save it as Parquet"),
    (b"Obj\x01", "an Avro file", "save it as Parquet or CSV"),
    (b"SQLite format 3", "an SQLite database", "export one table as CSV"),
    (b"BZh", "a bzip2 archive", "unpack it, or pack the CSV with gzip"),
    (b"\xfd7zXZ", "an xz archive", "unpack it, or pack the CSV with gzip"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it, or pack the CSV with gzip"),
    (b"\x7fELF", "a program", "choose a CSV or Parquet file"),
    (b"MZ", "a program", "choose a CSV or Parquet file"),
    (b"{\\rtf", "an RTF document", "save the table as CSV"),
)


def refuse_foreign(data: bytes) -> None:
    """Raise TableError for what is not a table: archives, workbooks, pickles, pictures, web pages, JSON."""
    for magic, what, instead in _FOREIGN:
        if data.startswith(magic) and (len(magic) > 3 or b"\x00" in data[:4096] or magic == b"BZh"):
            raise TableError(f"This is {what}, not a table that can be read here; {instead}.")
    if data[257:262] == b"ustar":
        raise TableError("This is a tar archive, not a table; unpack it and choose the CSV inside.")
    if _is_pickle(data):
        raise TableError("This is a Python pickle, which is never opened because it can run code; save it as CSV.")
    head = data[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg", b"<table")):
        raise TableError("This is a web page or XML, not a table; download the data itself as CSV.")
    if head.startswith((b"{", b"[")) and re.match(rb'[{\[]\s*("[^"]*"\s*[:,\]]|[{\[]|[-\d])', head):
        raise TableError("This is JSON, not a table; save it as CSV with one row per record.")


def _is_pickle(data: bytes) -> bool:
    if len(data) > 2 and data[0] == 0x80 and 2 <= data[1] <= 5:
        return True
    if not data[:1] or data[:1] not in b"(]}lcdIFSVN":
        return False
    n_codes = 0
    try:  # protocol 0 is text; genops reads the opcodes and executes nothing
        for opcode, _, position in pickletools.genops(data[:100_000]):
            n_codes += 1
            if opcode.name == "STOP":
                return n_codes > 2 and position >= len(data.rstrip()) - 1
    except Exception:  # any text that is no pickle ends here
        return n_codes > 200
    return False


def to_utf8(data: bytes, encoding: str | None = None) -> tuple[bytes, str, int]:
    """The text as UTF-8 without a byte order mark, the encoding it had, the number of unreadable characters."""
    if encoding:
        try:
            return data.decode(encoding).encode(), encoding, 0
        except (LookupError, UnicodeDecodeError) as error:
            raise TableError(f"The file cannot be read as {encoding}: {error}; choose another encoding.") from None
    for mark, name in (
        (codecs.BOM_UTF8, "UTF-8 with byte order mark"),
        (codecs.BOM_UTF32_LE, "UTF-32"),
        (codecs.BOM_UTF32_BE, "UTF-32"),
        (codecs.BOM_UTF16_LE, "UTF-16"),
        (codecs.BOM_UTF16_BE, "UTF-16"),
    ):
        if data.startswith(mark):
            if mark == codecs.BOM_UTF8:
                rest, _, bad = to_utf8(data[3:])
                return rest, name, bad
            return _from_wide(data, name.replace("-", "").lower(), name)
    if b"\x00" in data[:SAMPLE_BYTES]:
        even, odd = data[0:4000:2].count(0), data[1:4000:2].count(0)
        few, many, order = (even, odd, "le") if odd > even else (odd, even, "be")
        if many > 0.3 * len(data[0:4000:2]) and few < 0.1 * many:
            return _from_wide(data, f"utf-16-{order}", "UTF-16 without byte order mark")
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise TableError(f"Line {line} holds a zero byte, so this is not text; choose a CSV or Parquet file.")
    if data.isascii():
        return data, "UTF-8", 0
    try:
        codecs.utf_8_decode(data, "strict", True)
        return data, "UTF-8", 0
    except UnicodeDecodeError:
        return _from_bytes(data)


def _from_wide(data: bytes, codec: str, name: str) -> tuple[bytes, str, int]:
    text = data.decode(codec, "replace")
    return text.removeprefix("\ufeff").encode("utf-8", "replace"), name, text.count("\ufffd")


def _from_bytes(data: bytes) -> tuple[bytes, str, int]:
    text = data.decode("utf-8", "replace")
    unreadable = text.count("\ufffd")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    if unreadable <= 0.1 * beyond_ascii:  # mostly sound UTF-8 with a few broken characters
        return text.encode(), "UTF-8", unreadable
    try:
        return data.decode("cp1252").encode(), "Latin-1 (Windows-1252)", 0
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), "Latin-1", 0


@dataclass(frozen=True)
class Dialect:
    """How a text table is written. `body` is the byte offset, `body_line` the line number of the first data row."""

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
    text_columns: tuple[int, ...]


def sniff(data: bytes, *, delimiter: str | None, decimal: str | None, header: bool | None) -> Dialect:
    """The dialect of UTF-8 text, judged on its first 256 kB; what is given is taken, the rest is found out."""
    sample = data[:SAMPLE_BYTES].decode("utf-8", "ignore")
    lines = io.StringIO(sample, newline="").readlines() if "\n" in sample else sample.splitlines(keepends=True)
    if len(data) > SAMPLE_BYTES and len(lines) > 2:
        lines = lines[:-1]  # the last line is cut
    if any(len(line) > 200_000 for line in lines[:-1]) or (len(lines) == 1 and len(data) > SAMPLE_BYTES):
        raise TableError("The first line is longer than 200,000 characters, so this is no table; choose a CSV file.")
    said = re.fullmatch(r"sep=(.)", lines[0].strip("\r\n ")) if lines else None
    if said and delimiter is None:
        delimiter = said.group(1)
    comment = _comment_mark(lines)
    plain = [line for line in lines if line.strip() and not (comment and line.startswith(comment))]
    quotechar = _quotechar(plain)
    escapechar = (
        "\\" if f"\\{quotechar}" in sample and quotechar * 2 not in sample.replace(f",{quotechar * 2}", "") else None
    )
    if delimiter is None:
        delimiter = _delimiter(plain, quotechar)
    first = 1 if said else 0
    rows = _split(lines[first:], delimiter, quotechar, escapechar, comment)
    if not rows:
        raise TableError("The file holds no rows, only blank or comment lines; choose a file with data.")
    width = Counter(len(cells) for cells, _ in rows[len(rows) // 4 :]).most_common(1)[0][0]
    start = next((i for i, (cells, _) in enumerate(rows[:60]) if len(cells) >= max(width - 1, min(width, 2))), 0)
    top = rows[start][0]
    body = [cells for cells, _ in rows[start + 1 :] if len(cells) == width and cells != top][:500]
    has_header = _looks_like_header(top, body) if header is None else header
    names: Sequence[str] = ()
    n_skipped = start
    if has_header:
        names = top
        start += 1
        if len(names) == width - 1:  # R writes row names without a name of their own
            names = ["", *names]
    elif comment:
        names = _commented_header(lines, comment, delimiter, width) or ()
    width = max(width, len(names))
    line = first + (rows[start - 1][1] if start else 0)
    return Dialect(
        delimiter=delimiter,
        quotechar=quotechar,
        escapechar=escapechar,
        decimal=decimal or _decimal(body, delimiter),
        names=tuple(names) if names else ("",) * width,
        has_header=bool(names),
        body=len("".join(lines[:line]).encode()),
        body_line=line + 1,
        n_skipped=n_skipped,
        comment=comment,
        text_columns=_leading_zeros(body, width),
    )


def _comment_mark(lines: list[str]) -> str:
    for mark in ("#", "%", "//"):
        n = sum(line.startswith(mark) for line in lines)
        if 0 < n < 0.5 * len(lines) or (n and len(lines) < 10 and n < len(lines)):
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
            score *= sum(map(is_number, cells)) / len(cells)
        if score > best_score + 1e-9:
            best, best_score = candidate, score
    return best


def _looks_like_header(top: list[str], body: list[list[str]]) -> bool:
    if not body:
        return not any(is_number(cell) for cell in top)
    above_values = numbers_above = 0
    for index, cell in enumerate(top):
        column = [row[index] for row in body if index < len(row) and row[index].strip().lower() not in MISSING_TEXTS]
        if column and sum(is_number(value) or is_date(value) for value in column) >= 0.9 * len(column):
            value = is_number(cell) or is_date(cell)
            numbers_above += value
            above_values += not value and cell.strip().lower() not in MISSING_TEXTS
    if above_values:
        return True
    if numbers_above:
        return False
    seen = [cell for index, cell in enumerate(top) for row in body if index < len(row) and row[index] == cell and cell]
    return not seen and len(set(top)) == len(top)


def _decimal(body: list[list[str]], delimiter: str) -> str:
    votes: Counter[str] = Counter()
    for column in zip(*body):
        style = number_style([cell for cell in column if is_number(cell)], "," if delimiter != "," else ".")
        if style and style.signs:
            votes[style.decimal] += 1
    return "," if votes[","] > votes["."] else "."


def _leading_zeros(body: list[list[str]], width: int) -> tuple[int, ...]:
    """Columns of codes such as 00917: reading them as numbers would lose the zeros."""
    found = []
    for index in range(width):
        cells = [row[index].strip() for row in body if index < len(row) and row[index].strip()]
        if any(re.fullmatch(r"0\d+", cell) for cell in cells) and all(cell.isdecimal() for cell in cells):
            found.append(index)
    return tuple(found)
