"""Archives of tables, several files and Feather: the rows of each, what differs between them, and bounds that hold."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from workbooks import open_row, opendocument

from flowlab.encoding.roles import propose_roles
from flowlab.images.reading import holds_pictures
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.packed import holds_tables
from flowlab.tables.read import read_table

JANUARY = b"a,b,when\n1,x,2024-01-01\n2.5,y,2024-01-02\n"
FEBRUARY = b'when;b;a\n2024-02-01;"p;q";3\n2024-02-02;;4.25\n'
SMALL = Limits(unpacked=1_000_000)


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def feather(table: pd.DataFrame | pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    pa.feather.write_feather(table, buffer, **options)
    return buffer.getvalue()


def test_files_of_one_shape_are_stacked_in_their_own_columns():
    march = pd.DataFrame({"a": [5.5], "b": ["=1+1"], "when": pd.to_datetime(["2024-03-01"])})
    files = {"1.csv": JANUARY, "2.csv.gz": gzip.compress(FEBRUARY), "3.feather": feather(march)}
    lines = b"a,b,when\n1,x,2024-01-01\n2.5,y,2024-01-02\n3,p;q,2024-02-01\n4.25,,2024-02-02\n5.5,=1+1,2024-03-01\n"
    expected = read_table(lines).frame.assign(source_file=["1.csv"] * 2 + ["2.csv.gz"] * 2 + ["3.feather"])
    for data in (files, packed({**files, "__MACOSX/._1.csv": b"x", "readme.txt": b"hello", "x.exe": b"MZ"})):
        table = read_table(data, "months")
        pd.testing.assert_frame_equal(table.frame, expected.astype({"source_file": "str"}), check_column_type=False)
        assert table.report.kind == "3 tables" and "source_file names the file" in " ".join(table.report.changes)
    assert "3 files of the archive beside its tables" in table.report.changes[0]
    roles = {role.name: role.role for role in propose_roles(table.frame)}
    assert roles["source_file"] == "identifier", "which file a row came from is no feature of it"


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (b"a,b\n1,x\n2,y\n", "columns of 1.csv, 2.csv lacks 'when'; give"),
        (b"a,b,when,c\n1,x,2024-01-01,2\n", "columns of 1.csv, 2.csv has 'c' beside them; give"),
        (b"a,when,c\n1,2024-01-01,2\n", "2.csv lacks 'b' and has 'c' beside them"),
        (b"a;b;when\n1,5;x;2024-01-01\n2,5;x;2024-01-01\n", "1.csv has decimal points, 2.csv decimal commas"),
        (b"a,b,when\n", "2.csv: .* no rows"),
        (b"a,b,when\n1,2,3,4\n", "2.csv: Line 2 has 4 cells"),
        (packed({"1.csv": JANUARY, "2.csv": JANUARY}), "2.csv: This is a zip archive"),
    ],
)
def test_files_that_differ_are_refused_with_what_differs(other, sentence):
    files = {"1.csv": JANUARY, "2.csv": other}
    for data in (files, packed(files)):
        with pytest.raises(TableError, match=sentence):
            read_table(data)


def test_a_zip_of_one_table_is_that_table():
    assert read_table(packed({"jan.csv": JANUARY})).frame.equals(read_table(JANUARY).frame)
    assert read_table({"jan.csv": JANUARY}).frame.equals(read_table(JANUARY).frame)


def test_decimal_commas_stay_what_they_are():
    files = {"1.csv": b"a;b\n1,5;x\n2,25;y\n", "2.csv": b"a;b\n3,75;z\n"}
    assert read_table(files).frame["a"].tolist() == [1.5, 2.25, 3.75]


def test_only_archives_without_pictures_are_ones_of_tables():
    assert holds_tables(packed({"a.csv": b""})) and not holds_pictures(packed({"a.csv": b""}))
    for files in ({"cats/1.png": b"", "labels.csv": b""}, {"x.npy": b""}, {"a.pdf": b""}):
        assert not holds_tables(packed(files)) and holds_pictures(packed(files))


BOMB = packed({"a.csv": b"a,b\n" + b"1,2\n" * 100, "b.csv": bytes(3_000_000)})
BROKEN = bytearray(packed({"a.csv": JANUARY, "b.csv": JANUARY}))
BROKEN[40] ^= 255  # within the packed bytes of the first
ZEROS = pa.table({"x": np.zeros(500_000)})
LONG = pa.table({"t": pa.array(["y" * 5000] * 1000).dictionary_encode()})
HOSTILE = {
    "zip that unpacks": (BOMB, "The archive unpacks to more than 1 MB"),
    "one table that unpacks": (packed({"a.csv": bytes(3_000_000)}), "The archive unpacks to more than 1 MB"),
    "zip that is broken inside": (bytes(BROKEN), "damaged in the archive"),
    "feather that unpacks": (feather(ZEROS, compression="zstd"), "unpacks to more than 1 MB"),
    "feather, one long text many times": (feather(LONG, compression="zstd"), "unpacks to more than 1 MB"),
    "feather cut off": (feather(ZEROS, compression="zstd")[:200], "damaged"),
    "feather without columns that can be read": (feather(pa.table({"x": [[1]]})), "No column of the Feather file"),
    "cells repeated": (opendocument([open_row(1, wide=16_000, times=1_000_000)]), "more than 10.000.000 cells"),
    "cells far apart": (
        opendocument([open_row(1, times=1), open_row("", times=1_000_000), open_row("", 2, wide=8000)]),
        "more than 10.000.000 cells",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_grows_or_is_broken_is_refused_in_a_sentence(name):
    data, words = HOSTILE[name]
    with pytest.raises(TableError, match=words):
        read_table(data, limits=SMALL)


def test_a_feather_whose_offsets_lead_out_is_refused_before_they_are_followed():
    data = feather(pa.table({"t": ["one", "two", "three"]}), compression="uncompressed")
    offsets = np.array([0, 3, 6, 11], np.int32).tobytes()
    assert data.count(offsets) == 1
    with pytest.raises(TableError, match="damaged"):
        read_table(data.replace(offsets, np.array([0, 3, 6, 2**30], np.int32).tobytes()))


def test_an_opendocument_is_read_as_the_csv_of_its_cells_and_empty_ends_are_free():
    rows = [open_row("a", "b", "", "ok"), open_row(1, "x", "", True), open_row(2.5, "", "", False)]
    tail = [open_row("", wide=16_384, times=1_048_573)]
    found = read_table(opendocument(rows + tail))
    assert found.report.kind == "OpenDocument workbook"
    pd.testing.assert_frame_equal(found.frame, read_table(b"a,b,ok\n1,x,true\n2.5,,false\n").frame)
