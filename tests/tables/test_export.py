"""Tables that leave for a spreadsheet are the same when they are read back, and no cell is a formula."""

import numpy as np
import pandas as pd
import pytest

from flowlab.tables.export import PLAIN, Writing, to_csv_bytes
from flowlab.tables.read import read_table

FRAME = pd.DataFrame(
    {
        "load": [1.25, -3.5, 1234.0625] * 20,
        "city": ["Köln", "=1+1", 'a;b,"c"\t'] * 20,
        "as it was": ["-2,5", "+3", "@home"] * 20,
    }
)


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("delimiter", ["comma", "semicolon", "tab", "bar", ""])
def test_a_table_for_excel_is_read_back_by_the_signs_of_the_file_it_came_from(delimiter, decimal):
    writing = Writing.for_excel(delimiter, decimal)
    assert writing.delimiter in ",;\t" and writing.delimiter != writing.decimal
    written = to_csv_bytes(FRAME, as_written=True, writing=writing)
    assert written.startswith(b"\xef\xbb\xbf"), "Excel takes it for UTF-8"
    back = read_table(written).frame
    assert np.array_equal(back["load"], FRAME["load"])
    assert back["city"][0] == "Köln" and back["city"][1] == "'=1+1"
    assert f"1234{decimal}0625".encode() in written and b"-2,5" in written and b"'-2,5" not in written
    assert b"'@home" in written


def test_a_plain_table_has_no_mark():
    assert to_csv_bytes(FRAME, writing=PLAIN).startswith(b"load,city,")
