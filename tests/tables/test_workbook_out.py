"""Tables that leave as Excel workbooks come back through our own reader as they were, and no cell is a formula."""

import io
import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from flowlab.tables import workbook
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table
from flowlab.tables.workbook import to_workbook, write_workbook

N = 60
FRAME = pd.DataFrame(
    {
        "=load": np.linspace(-3.5, 1e9, N),
        "whole": np.arange(N),
        "text": ["=1+1", "+3 kg", "@home", "http://a.b", "_x0041_", "{=A1}", 'a;b,"c"', "Köln 😀", "line\nbreak", "-"]
        * 6,
        "zip": ["00123", "04567"] * 30,
        "yes": [True, False, True] * 20,
        "day": pd.date_range("1900-03-01", periods=N, freq="730D"),
        "moment": pd.date_range("2024-02-28 23:59:59.5", periods=N, freq="37min"),
    }
)


def sheet_of(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def test_a_workbook_is_read_back_as_the_table_it_was():
    data = to_workbook(FRAME)
    back = read_table(data, "x.xlsx").frame
    for name in ("=load", "whole", "zip", "yes", "day", "moment"):
        assert back[name].tolist() == FRAME[name].tolist(), name
    assert back["text"].dropna().tolist() == [text for text in FRAME["text"] if text != "-"]
    assert data == to_workbook(FRAME), "equal tables give equal bytes"


def test_no_cell_is_a_formula_or_a_link_and_the_header_stands_still():
    sheet = sheet_of(to_workbook(FRAME))
    assert "<f>" not in sheet and "hyperlink" not in sheet
    assert 'state="frozen"' in sheet and f'<autoFilter ref="A1:G{N + 1}"' in sheet
    widths = {int(number): float(width) for number, width in re.findall(r'<col min="(\d+)".*? width="([\d.]+)"', sheet)}
    assert all(8 <= width < 52 for width in widths.values())


def test_what_excel_cannot_hold_is_written_as_text():
    odd = pd.DataFrame(
        {
            "id": [10**17 + 1, 2],
            "early": pd.to_datetime(["1871-01-18", None]),
            "x": [np.inf, np.nan],
            "mixed": pd.Series([pd.Timestamp("2024-02-01"), "soon"], dtype=object),
        }
    )
    from python_calamine import CalamineWorkbook

    data = to_workbook(odd)
    rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    assert rows[1][:3] == ["100000000000000001", "1871-01-18", "inf"] and rows[2][:3] == [2, "", ""]
    assert str(rows[1][3]) == "2024-02-01" and rows[2][3] == "soon"
    assert len(read_table(to_workbook(pd.DataFrame({"t": ["x" * 40_000, "y"]}))).frame["t"][0]) == workbook.MAX_TEXT


def test_more_rows_than_a_sheet_holds_are_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(workbook, "MAX_ROWS", 100)
    pieces = [FRAME.head(50)] * 2
    write_workbook(pieces, io.BytesIO())
    with pytest.raises(TableError, match="holds 100 rows below its header .* write CSV or Parquet"):
        write_workbook([*pieces, FRAME.head(1)], io.BytesIO())
    with pytest.raises(TableError, match="16.384 columns"):
        to_workbook(pd.DataFrame(np.zeros((1, 16_385))))
