"""Files as analysts have them, each with what must come of it. Made here, so that nothing needs to be stored."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

CSV = b"a,b\n1,2\n3,4\n5,6\n"


@dataclass(frozen=True)
class Awkward:
    """`data` loads with these counts, or is refused with a sentence that holds `refused`."""

    name: str
    data: bytes
    shape: tuple[int, int] = (0, 0)
    missing: int = 0
    types: dict[str, str] = field(default_factory=dict)
    cell: tuple[int, str, object] | None = None
    says: str = ""
    refused: str = ""


def awkward_files() -> Iterator[Awkward]:
    yield from _encodings()
    yield from _separators()
    yield from _lines()
    yield from _headers()
    yield from _cells()
    yield from _packed()
    yield from _refused()


def _encodings() -> Iterator[Awkward]:
    text = "Straße,Größe\nMüller,1.5\nČapek,2.5\n"
    west = "Straße,Größe\nMüller,1.5\nPère,2.5\n"
    for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield Awkward(f"in {codec}", text.encode(codec), (2, 2), cell=(1, "Straße", "Čapek"))
    yield Awkward("in latin-1", west.encode("latin-1"), (2, 2), cell=(1, "Straße", "Père"))
    yield Awkward("in windows-1252", "preis\n€ 5\n€ 7\n€ 9\n".encode("cp1252"), (3, 1), cell=(1, "preis", 7.0))
    broken = ("name,v\n" + "é,1\n" * 50).encode() + b"\xff,2\n"
    yield Awkward("utf-8 with one broken byte", broken, (51, 2), says="not valid")


def _separators() -> Iterator[Awkward]:
    yield Awkward("semicolons, decimal comma", b"x;y\n1,5;2,25\n-3,5;4,0\n", (2, 2), cell=(0, "y", 2.25))
    yield Awkward("tabs", b"x\ty\n1\t2\n3\t4\n", (2, 2), cell=(1, "y", 4))
    yield Awkward("bars", b"x|y|z\n1|a, b|2\n3|c; d|4\n", (2, 3), cell=(1, "y", "c; d"))
    yield Awkward("columns aligned by blanks", b"   t     v\n 1.0   2.5\n10.0  -3.5\n", (2, 2), cell=(1, "v", -3.5))
    yield Awkward("sep= line of Excel", b"sep=;\r\nx;y\r\n1;2\r\n3;4\r\n", (2, 2), cell=(0, "x", 1))
    yield Awkward(
        "thousands, quoted", b'n,amount\n1,"1,234,567.5"\n2,"1,000.0"\n', (2, 2), cell=(0, "amount", 1234567.5)
    )
    yield Awkward(
        "points between thousands", b"n;amount\n1;1.234.567,5\n2;3,5\n", (2, 2), cell=(0, "amount", 1234567.5)
    )
    yield Awkward("blanks between thousands", b"n;v\n1;1 234\n2;12 000\n3;5\n", (3, 2), cell=(1, "v", 12000.0))
    yield Awkward("single quotes", b"a,b\n'x, y',1\n'z, w',2\n'q','3'\n", (3, 2), cell=(0, "a", "x, y"))
    yield Awkward(
        "semicolons with commas in texts", b"t;v\nred, green;1\nblue, grey;2\n", (2, 2), cell=(0, "t", "red, green")
    )


def _lines() -> Iterator[Awkward]:
    yield Awkward("CR only", b"a,b\r1,2\r3,4\r", (2, 2), cell=(1, "b", 4))
    yield Awkward("CRLF and LF mixed", b"a,b\r\n1,2\n3,4\r\n5,6", (3, 2), cell=(2, "b", 6))
    yield Awkward("line breaks in quotes", b'a,b\n"x\ny",1\n"p\r\nq",2\n', (2, 2), cell=(0, "a", "x\ny"))
    yield Awkward("doubled quotes", b'a,b\n"say ""hi""",1\nz,2\n', (2, 2), cell=(0, "a", 'say "hi"'))
    yield Awkward("comments above and between", b"# made by x\n# y\na,b\n1,2\n# pause\n3,4\n", (2, 2), says="3 comment")
    yield Awkward("mark of comments inside texts", b'# top\na,b\n"x\n# y",1\nz,2\n', (2, 2), cell=(0, "a", "x\n# y"))
    yield Awkward("names in a comment", b"# time value\n0 1.5\n1 2.5\n2 3.5\n", (3, 2), cell=(2, "value", 3.5))
    yield Awkward(
        "title lines above", b"Report of May\n\na,b,c\n1,2,3\n4,5,6\n", (2, 3), cell=(1, "c", 6), says="Skipped 1 line "
    )
    yield Awkward("blank lines", b"a,b\n\n1,2\n\n\n3,4\n\n", (2, 2))
    yield Awkward(
        "rows of delimiters", b"a,b\n1,2\n,\n3,4\n,\n", (2, 2), types={"a": "whole number"}, says="2 rows without any"
    )
    yield Awkward(
        "header repeated inside", b"a,b\n1,2\na,b\n3,4\n", (2, 2), types={"a": "whole number"}, says="repeated header"
    )
    yield Awkward("short rows", b"a,b,c\n1,2,3\n4,5\n6,7,8\n", (3, 3), missing=1, says="line 3")
    yield Awkward("no newline at the end", b"a,b\n1,2\n3,4", (2, 2))
    yield Awkward("one column of numbers", b"v\n1\n\n3\n", (3, 1), missing=1)


def _headers() -> Iterator[Awkward]:
    yield Awkward("no header", b"1,2.5,x\n2,3.5,y\n3,4.5,z\n", (3, 3), cell=(0, "column 2", 2.5), says="no header")
    yield Awkward("blank and repeated names", b"a,,a,a\n1,2,3,4\n5,6,7,8\n", (2, 4), cell=(1, "a (3)", 8))
    yield Awkward("delimiter at the end of lines", b"a,b,\n1,2,\n3,4,\n", (2, 2), says="without name and values")
    yield Awkward("row names of R", b'x,y\n"1",5,6\n"2",7,8\n', (2, 3), cell=(1, "y", 8))
    yield Awkward("index of pandas", b",a\n0,1.5\n1,2.5\n", (2, 2), cell=(1, "a", 2.5))
    yield Awkward("markup in names", b'"<b>x</b>",y\n1,<script>\n2,b\n', (2, 2), cell=(0, "y", "<script>"))
    yield Awkward("line break in a name", b'"a\nb",c\n1,2\n3,4\n', (2, 2), cell=(0, "a b", 1))
    yield Awkward("400 columns", _wide(400), (3, 400))


def _cells() -> Iterator[Awkward]:
    codes = b"v,w\n1,x\nNA,?\nN/A,-\nnull,\n5,y\n?,n/a\n7,z\n"
    yield Awkward("missing codes", codes, (7, 2), missing=8, cell=(4, "v", 5.0))
    mixed = b"v\n" + b"".join(b"%d\n" % i for i in range(60)) + b"error\n"
    yield Awkward("a word among numbers", mixed, (61, 1), missing=1, says="'error'")
    yield Awkward(
        "types change late", b"v,w\n" + b"1,2\n" * 200_000 + b"x,3\n" * 100_000, (300_000, 2), types={"v": "text"}
    )
    yield Awkward("codes with zeros in front", b"id,zip\n1,00123\n2,04567\n", (2, 2), cell=(0, "zip", "00123"))
    yield Awkward("dates, day first", b"t;v\n13.02.2020;1\n14.02.2020;2\n", (2, 2), types={"t": "date and time"})
    yield Awkward(
        "dates, month first", b"t,v\n1/2/2020,1\n1/25/2020,2\n", (2, 2), cell=(0, "t", pd.Timestamp(2020, 1, 2))
    )
    yield Awkward("dates with zone", b"t,v\n2020-01-01T10:00:00+02:00,1\n2020-01-02T10:00:00+02:00,2\n", (2, 2),
                  cell=(0, "t", pd.Timestamp(2020, 1, 1, 8)))  # fmt: skip
    yield Awkward(
        "dates with names of months", b"t,v\n02-Jan-2020,1\n13-Feb-2020,2\n", (2, 2), types={"t": "date and time"}
    )
    yield Awkward("nulls of MySQL", b"v,w\n\\N,a\n2,\\N\n", (2, 2), missing=2)
    yield Awkward("euros", "v;w\n1.234,50 €;1\n7,00 €;2\n".encode(), (2, 2), cell=(0, "v", 1234.5))
    yield Awkward("minus signs of a word processor", "v,w\n−5,1\n−7.5,2\n3,3\n".encode(), (3, 2), cell=(1, "v", -7.5))
    yield Awkward(
        "blanks around cells", b" a , b \n 1 , x \n 2 , y \n", (2, 2), cell=(1, "b", "y"), types={"a": "whole number"}
    )
    yield Awkward("percents", b"v,w\n12 %,1\n7.5%,2\n", (2, 2), cell=(1, "v", 7.5), says="percent")
    yield Awkward("negative in brackets", b"v,w\n(5),1\n7,2\n(1.5),3\n", (3, 2), cell=(0, "v", -5.0))
    yield Awkward("infinities", b"v,w\ninf,1\n-inf,2\n1,3\n", (3, 2), cell=(0, "v", np.inf))
    yield Awkward("numbers beyond 64 bits", b"v,w\n123456789012345678901234567890,1\n5,2\n", (2, 2))
    yield Awkward("a column of holes", b"v,w\n1,\n2,\n3,\n", (3, 2), missing=3)
    yield Awkward("true and false with holes", b"v,w\ntrue,1\n,2\nfalse,3\n", (3, 2), missing=1, types={"v": "text"})


def _packed() -> Iterator[Awkward]:
    frame = pd.DataFrame({"x": [1.5, None], "s": ["a", "b"], "t": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    yield Awkward("gzip", gzip.compress(CSV), (3, 2))
    yield Awkward("gzip in two members", gzip.compress(CSV[:8]) + gzip.compress(CSV[8:]), (3, 2))
    yield Awkward("zip of one table, named to lead out", _zip({"../../evil.csv": CSV, "README.txt": b"x"}), (3, 2))
    feather = io.BytesIO()
    frame.to_feather(feather)
    yield Awkward("feather", feather.getvalue(), (2, 3), missing=1, types={"t": "date and time", "s": "text"})
    yield Awkward("parquet", _parquet(frame), (2, 3), missing=1, types={"t": "date and time", "s": "text"})
    yield Awkward("parquet with a list", _parquet(frame.assign(bag=[[1], [2, 3]])), (2, 3), missing=1, says="lists")


def _refused() -> Iterator[Awkward]:
    yield Awkward("empty", b"", refused="empty")
    yield Awkward("only blanks", b" \r\n\t\n", refused="empty")
    yield Awkward("only a header", b"a,b,c\n", refused="no rows")
    yield Awkward("only comments", b"# a\n# b\n# c\n", refused="no rows")
    yield Awkward("a row too long", b"a,b\n1,2\n3,4,5\n", refused="Line 3 has 3 cells where 2 were expected")
    yield Awkward("a quote never closed", b'a,b\n1,2\n"x,4\n5,6\n', refused="never closed")
    yield Awkward("pickle", pickle.dumps(pd.DataFrame({"a": [1]})), refused="pickle")
    yield Awkward("pickle, protocol 0", pickle.dumps([1, 2, 3], protocol=0), refused="pickle")
    yield Awkward("zip of no table", _zip({"a.exe": CSV, ".DS_Store": b""}), refused="zip archive")
    yield Awkward("zip cut off", _zip({"a.csv": CSV})[:-30], refused="zip archive")
    array = io.BytesIO()
    np.save(array, np.arange(3))
    yield Awkward("npy", array.getvalue(), refused="NumPy")
    yield Awkward("web page", b"<!DOCTYPE html><html><body>not found</body></html>", refused="web page")
    yield Awkward("json, no records", b"[[1, 2], [3, 4]]", refused="JSON")
    yield Awkward("json records", b'[{"a": 1, "b": "x"}, {"b": "y", "a": 2}]', (2, 2), cell=(1, "a", 2))
    yield Awkward("json lines", b'{"a": 1}\n\n{"a": 2, "b": true}\n', (2, 2), missing=1, cell=(1, "a", 2))
    yield Awkward("json, one object", b'{"a": {"b": 1}}', refused="flatten")
    yield Awkward("json, not only records", b'[{"a": 1}, 2]', refused="no list of records")
    yield Awkward("json, cut", b'[{"a": 1}, {"a"', refused="cannot be read")
    yield Awkward("json, nested without end", b'[{"a":' * 5000, refused="nests too deep")
    yield Awkward("picture", b"\x89PNG\r\n\x1a\n" + bytes(100), refused="picture")
    noise = struct.pack("<200d", *np.random.default_rng(0).normal(size=200))
    yield Awkward("binary", noise, refused="")
    yield Awkward("zero bytes", b"a,b\n1,2\n\x003,4\n" * 50, refused="zero byte")
    yield Awkward("gzip cut off", gzip.compress(CSV * 100)[:-30], refused="gzip")
    yield Awkward("gzip in gzip", gzip.compress(gzip.compress(CSV)), refused="another gzip")
    yield Awkward("parquet cut off", _parquet(pd.DataFrame({"x": [1.0, 2.0]}))[:-9], refused="Parquet")
    yield Awkward("2,500 columns", _wide(2500), refused="2\u2009500 columns")


def _wide(n_columns: int) -> bytes:
    rows = [",".join(f"c{i}" for i in range(n_columns))] + [",".join(["1"] * n_columns)] * 3
    return "\n".join(rows).encode()


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
