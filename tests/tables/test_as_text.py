"""A workbook and JSON records are read as the CSV of the same cells is; hostile ones are refused before they grow."""

import gzip
import json
import struct

import pytest
import workbooks
from old_workbooks import cell as old_cell
from old_workbooks import old_stream, old_workbook, record
from workbooks import cell, date, row, workbook

from flowlab.tables import as_text as module
from flowlab.tables.as_text import is_workbook
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.old_workbook import COMPOUND, compound
from flowlab.tables.read import read_table

HEADER = row(1, "id", "amount", "city", "zip", "ok") + cell("F1", "day")
ROWS = [
    (1, 1.5, "Rome", "00123", True, "2024-02-01"),
    (2, "", "a, b", "04567", False, "2024-02-02"),
    (3, 1e-9, '"x"', "00001", True, "2024-02-03"),
]
SERIAL = 45323
"""The first of February 2024 in days since the end of 1899."""


def sheet(rows=ROWS):
    return [HEADER, *(row(i + 2, *r[:-1]) + date(f"F{i + 2}", SERIAL + i) for i, r in enumerate(rows))]


def test_a_workbook_is_read_as_the_csv_of_its_cells():
    lines = [
        "id,amount,city,zip,ok,day",
        "1,1.5,Rome,00123,true,2024-02-01",
        '2,,"a, b",04567,false,2024-02-02',
        '3,1e-09,"""x""",00001,true,2024-02-03',
    ]
    found = read_table(workbook({"Cover": [row(1, "Sales")], "Orders": sheet()}), "orders.xlsx")
    expected = read_table("\n".join(lines).encode())
    assert found.frame.equals(expected.frame) and found.schema == expected.schema
    assert (
        found.report.kind == "Excel workbook" and "the first with rows, “Orders”, was read" in found.report.changes[0]
    )


def test_records_are_read_as_the_csv_of_their_fields():
    records = [{"a": 1, "b": "x", "c": [1]}, {"b": None, "a": 2.5}, {"a": 3, "d": True}]
    expected = read_table(b"a,b,d\n1,x,\n2.5,,\n3,,true\n")
    for text in (json.dumps(records), "\n".join(map(json.dumps, records))):
        found = read_table(text.encode())
        assert (
            found.frame.equals(expected.frame)
            and "1 field of lists or records was left out (c)." in found.report.changes
        )


def test_a_table_of_text_that_begins_with_a_brace_is_one_of_text():
    assert read_table(b"{a},{b}\n1,2\n3,4\n").frame.shape == (2, 2)


FAR = [cell("A1", 1), cell("XFD1048576", 1)]
HOSTILE = {
    "cells far apart": (workbook({"a": FAR}), "spans 1.048.576 rows of 16.384 columns"),
    "one long row": (workbook({"a": [cell("A1048576", 1) + cell("ZZ1", 1)]}), "more than 10.000.000 cells"),
    "a part that unpacks": (
        workbook({"a": sheet()}, **{"xl/sharedStrings.xml": bytes(30_000_000)}),
        "unpacks to more than 20 MB",
    ),
    "no sheet": (workbook({}), "No sheet of the workbook|damaged"),
    "empty sheets": (workbook({"a": [], "b": [row(1, "x")]}), "No sheet of the workbook holds a header and rows"),
    "cut off": (workbook({"a": sheet()})[:-60], "zip archive"),
    "broken in the middle": (workbook({"a": sheet()}).replace(b"PK\x03\x04", b"PK\x03\x05", 3), "not|damaged"),
    "no markup": (workbook({"a": ["<c r="]}), "damaged|No sheet"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_is_refused_in_a_sentence(name):
    data, words = HOSTILE[name]
    with pytest.raises(TableError, match=words):
        read_table(data, limits=Limits(unpacked=20_000_000))


def test_a_panic_of_the_library_is_a_damaged_workbook(monkeypatch):
    class Panic(BaseException):
        pass

    def fail(_):
        raise Panic("index out of bounds")

    monkeypatch.setattr("python_calamine.CalamineWorkbook.from_filelike", fail, raising=False)
    with pytest.raises(TableError, match="damaged"):
        module.as_text(workbook({"a": sheet()}), Limits())


def test_only_workbooks_are_workbooks():
    assert is_workbook(workbook({"a": sheet()})) and not is_workbook(b"PK\x03\x04") and not is_workbook(b"a,b\n")
    assert workbooks.cell("A1", "<b>") == '<c r="A1" t="inlineStr"><is><t>&lt;b&gt;</t></is></c>'


OLD_ROWS = [["id", "amount", "city", "zip", "ok"], *(list(r[:-1]) for r in ROWS)]


def test_an_old_workbook_is_read_as_the_new_one_of_its_cells():
    new = read_table(workbook({"Rows": [row(i + 1, *r) for i, r in enumerate(OLD_ROWS)]}), "x.xlsx")
    for data in (old_workbook(OLD_ROWS), gzip.compress(old_workbook(OLD_ROWS))):
        found = read_table(data, "x.xls")
        assert found.frame.equals(new.frame) and found.schema == new.schema
        assert found.report.kind == "Excel workbook"
    long = [["a", "b"], *([i, f"text {i}"] for i in range(3000))]
    assert read_table(old_workbook(long)).frame["a"].tolist() == list(range(3000))


WHOLE = old_workbook(OLD_ROWS)
MANY_TEXTS = record(0x00FC, struct.pack("<II", 2**31, 2**31))
OLD_HOSTILE = {
    "cells far apart": (old_workbook(OLD_ROWS, old_cell(65_535, 65_535, 1)), "spans 65.536 rows of 65.536 columns"),
    "dimensions": (old_workbook(OLD_ROWS, record(0x0200, struct.pack("<IIHHH", 0, 2**31, 0, 200, 0))), "more than 10"),
    "more texts than bytes": (compound(old_stream(OLD_ROWS)[:20] + MANY_TEXTS), "damaged"),
    "a password": (old_workbook(OLD_ROWS, record(0x002F, bytes(6))), "locked with a password"),
    "a new one with a password": (COMPOUND + "EncryptedPackage".encode("utf-16-le") + bytes(999), "with a password"),
    "cut off": (WHOLE[:900], "damaged|old Office"),
    "a chain without end": (WHOLE[:-512] + struct.pack("<128I", *[0] * 128), "damaged"),
    "another Office file": (COMPOUND + bytes(2000), "This is an old Office file"),
}


@pytest.mark.parametrize("name", OLD_HOSTILE)
def test_a_hostile_old_workbook_is_refused_in_a_sentence(name):
    data, words = OLD_HOSTILE[name]
    with pytest.raises(TableError, match=words):
        read_table(data)
