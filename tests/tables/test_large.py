"""A file that is parsed where it lies is the table that its bytes give, down to what is said of it."""

import pandas as pd
import pytest
from awkward_files import awkward_files

from flowlab.tables import large
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

MORE = {
    "a wrong line": b"a,b\n" + b"1,2\n" * 50 + b"1,2,3\n" + b"1,2\n" * 50,
    "a byte that is no UTF-8": b"a,b\n" + b"1,x\n" * 500 + b"2,\xff\n",
    "rows without values": b"a,b\n" + b"1,2\n" * 500 + b",\n" * 3 + b"4,5\n",
    "a zero byte": b"a,b\n" + b"1,2\n" * 500 + b"1,\x00\n",
    "a column that changes its type": b"a,b\n" + b"1,2\n" * 400_000 + b"x,2\n",
    "a quote that is never closed": b"a,b\n" + b"1,2\n" * 500 + b'"1,2\n' + b"1,2\n" * 5,
    "carriage returns": b"a,b\r\n" + b"1,2\r\n" * 500,
    "lines above, dates and codes": b"report\n\nwhen;code;x\n" + b"2024-01-05 10:00:00;007;1,5\n" * 500,
    "plain": b"a,b,c\n" + b"1,x,2024-01-05\n2,y,2024-01-06\n" * 500,
}
FILES = {**{f.name: f.data for f in awkward_files()}, **MORE}


def outcome(data: object) -> tuple[pd.DataFrame | None, object]:
    try:
        table = read_table(data, "t.csv")
    except TableError as error:
        return None, str(error)
    return table.frame, table.report


@pytest.mark.parametrize("name", FILES)
def test_a_file_reads_as_its_bytes_do(name, tmp_path, monkeypatch):
    monkeypatch.setattr(large, "MIN_BYTES", 0)
    path = tmp_path / "t.csv"
    path.write_bytes(FILES[name])
    frame, told = outcome(path)
    expected, expected_told = outcome(FILES[name])
    assert told == expected_told
    assert (frame is None) == (expected is None)
    if frame is not None:
        pd.testing.assert_frame_equal(frame, expected)


def test_a_plain_file_is_parsed_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(large, "MIN_BYTES", 0)
    monkeypatch.setattr("flowlab.tables.read.to_utf8", lambda *_: pytest.fail("its bytes were read"))
    for name in ("plain", "lines above, dates and codes"):
        (tmp_path / "t.csv").write_bytes(MORE[name])
        assert len(read_table(tmp_path / "t.csv").frame) >= 500
