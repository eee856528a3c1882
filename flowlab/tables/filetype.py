"""Recognise by their bytes files that are not tables, and decode text to UTF-8. Nothing of a file is executed."""

from __future__ import annotations

import codecs
import pickletools
import re

import charset_normalizer

from flowlab.tables.limits import TableError

SAMPLE_BYTES = 256_000


# First bytes of files people upload by mistake, and what to do instead.
_FOREIGN = (
    (b"PK\x03\x04", "a zip archive", "unpack it and choose the table inside"),
    (b"PK\x05\x06", "an empty zip archive", "pack nothing and choose the CSV itself"),
    (b"\xd0\xcf\x11\xe0", "an old Office file", "save the table in it as CSV"),
    (b"%PDF", "a PDF document", "export the table behind it as CSV"),
    (b"\x89PNG", "a picture (PNG)", "choose a CSV or Parquet file"),
    (b"\xff\xd8\xff", "a picture (JPEG)", "choose a CSV or Parquet file"),
    (b"GIF8", "a picture (GIF)", "choose a CSV or Parquet file"),
    (b"\x89HDF", "an HDF5 file", "save the table as Parquet or CSV"),
    (b"\x93NUMPY", "a NumPy array", "save it as CSV with column names"),
    (b"FEA1", "a Feather file of version 1", "save it as Feather of version 2, or Parquet"),
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

ENCODINGS = {
    "cp1252": "Latin-1 (Windows-1252)", "latin-1": "Latin-1", "cp1250": "Windows-1250", "cp1251": "Windows-1251",
    "cp1253": "Windows-1253", "koi8_r": "KOI8-R", "cp932": "Shift-JIS", "euc_jp": "EUC-JP", "gb18030": "GB 18030",
    "big5": "Big5", "euc_kr": "EUC-KR",
}  # fmt: skip
"""Codecs from before UTF-8 that are recognised, and what people call them."""


def codec_of(name: str) -> str:
    """The codec of an encoding as `to_utf8` names it."""
    return next((codec for codec, known in ENCODINGS.items() if known == name), "utf-8-sig")


def refuse_foreign(data: bytes) -> None:
    """Raise TableError for what is not a table: archives, pickles, pictures, web pages, JSON."""
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
                return n_codes > 2 and position is not None and position >= len(data.rstrip()) - 1
    except Exception:  # text that is no pickle
        return n_codes > 200
    return False


def encoding_doubt(encoding: str) -> str:
    """What is said of an encoding that was recognised by the letters alone, by its name in `to_utf8`; else ""."""
    if encoding not in list(ENCODINGS.values())[2:]:
        return ""
    return f"The file does not say its encoding; it was read as {encoding}."


def to_utf8(data: bytes, encoding: str | None = None) -> tuple[bytes, str, int]:
    """The text as UTF-8 without a byte order mark, the name of its encoding, the number of unreadable characters.

    Parameters
    ----------
    data : the file's bytes
    encoding : a codec's name; None to recognise it

    Raises
    ------
    TableError
        For binary data, and for bytes that `encoding` cannot decode.
    """
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
    n_controls = len(re.findall(rb"[\x01-\x08\x0e-\x1f\x7f]", data[:SAMPLE_BYTES]))
    if n_controls > 0.02 * min(len(data), SAMPLE_BYTES):
        raise TableError("The file is binary, not text; choose a CSV, TSV or Parquet file.")
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
    codec = _older_codec(data)
    return data.decode(codec, "replace").encode(), ENCODINGS[codec], 0


def _has_words(text: str) -> bool:
    """Whether most letters beyond ASCII stand beside another one, as in words of other scripts."""
    letters = re.findall(r"[^\W\d_a-zA-Z]+", text)
    return sum(len(word) for word in letters if len(word) > 1) > 0.7 * sum(map(len, letters)) > 0


_SIGN_AS_LETTER = re.compile(
    r"(?<=[^\W\d_])[\u00a1-\u00bf](?=[^\W\d_])"
    r"|(?<!\w)[\u00af\u00b3\u00b9\u00bc\u00be](?=[^\W\d_])"
    r"|(?<!\w)[\u00a3\u00a5](?=[a-z]*[\u00c0-\u00ff\u0152-\u017e])"
)


def _older_codec(data: bytes) -> str:
    """The codec of text from before UTF-8; where several fit alike, one of western Europe."""
    sample = b"".join(re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*[\r\n]*", data[: 4 * SAMPLE_BYTES])[:500])
    matches = list(charset_normalizer.from_bytes(sample, cp_isolation=list(ENCODINGS), threshold=0.5))
    best = matches[0] if matches else None
    if best is not None and not any(m.encoding in ("cp1250", "cp1252") and m.chaos <= best.chaos for m in matches):
        found = best.encoding
        if _has_words(sample.decode(found, "replace")):
            return found
    # a sign that is part of a word, as in L\u00b3\u00f3d\u017a, is a letter of central Europe
    western = sample.decode("cp1252", "replace")
    beyond_ascii = sum(not character.isascii() for character in western)
    if len(_SIGN_AS_LETTER.findall(western)) > 0.1 * beyond_ascii:
        return "cp1250"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
