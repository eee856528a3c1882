"""A scored file as a workbook and as Parquet: the same rows as the CSV, each cell as what its column holds."""

import io

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from python_calamine import CalamineWorkbook

from flowlab.serving.scored_file import write_scored
from flowlab.tables.schema import ColumnSchema

CSV = (
    b"when,amount,ok,weight,shift,zip,extra,note,anomaly_score\n"
    b'01/02/2024,"1,5",yes,5 kg,12:30,00123,7,\'=1+1,0.25\n'
    b'03/02/2024,lost,no,6 kg,,04567,8,"a\n""b""",1.5\n'
    b"soon,-999,,7 kg,01:00,00001,9,,2.5\n"
)
COLUMNS = {
    "when": ColumnSchema("when", "time", formats=("%d/%m/%Y",)),
    "amount": ColumnSchema("amount", "number", ",", missing=("-999",)),
    "ok": ColumnSchema("ok", "truth"),
    "weight": ColumnSchema("weight", "number", unit="kg"),
    "shift": ColumnSchema("shift", "clock"),
    "zip": ColumnSchema("zip", "text"),
    "extra": None,
    "note": None,
    "anomaly_score": ColumnSchema("anomaly_score", "number"),
}


def written(format: str, rows: list[int] | None = None) -> bytes:
    sink = io.BytesIO()
    write_scored(io.BytesIO(CSV), COLUMNS, sink, format, None if rows is None else np.array(rows, int))
    return sink.getvalue()


def test_cells_of_a_workbook_are_dates_numbers_and_truths_and_keep_what_does_not_fit():
    rows = sheet("xlsx")
    assert [row[1:] for row in rows[1:]] == [
        [1.5, True, "5 kg", "12:30", "00123", 7, "=1+1", 0.25],
        ["lost", False, "6 kg", "", "04567", 8, 'a\n"b"', 1.5],
        ["-999", "", "7 kg", "01:00", "00001", 9, "", 2.5],
    ]
    assert list(map(str, (row[0] for row in rows[1:]))) == ["2024-02-01", "2024-02-03", "soon"], "day before month"


def test_parquet_has_types_and_leaves_what_does_not_fit_empty():
    table = pq.read_table(io.BytesIO(written("parquet"))).to_pandas()
    assert table["amount"].isna().tolist() == [False, True, True] and table["amount"][0] == 1.5
    assert str(table["when"][1]) == "2024-02-03 00:00:00" and pd.isna(table["when"][2])
    assert table["ok"].tolist() == [True, False, None] and table["extra"].tolist() == [7, 8, 9]
    assert table["note"].dropna().tolist() == ["=1+1", 'a\n"b"'] and table["anomaly_score"].dtype == float


def test_some_rows_are_those_of_the_whole_file():
    assert written("csv") == CSV
    header, first, *_, last = CSV.splitlines(keepends=True)
    assert written("csv", [0, 2]) == header + first + last and written("csv", []) == header
    assert sheet("xlsx", [0, 2]) == [row for i, row in enumerate(sheet("xlsx")) if i != 2]
    assert len(sheet("xlsx", [])) == 1


def sheet(format: str, rows: list[int] | None = None) -> list[list[object]]:
    return CalamineWorkbook.from_filelike(io.BytesIO(written(format, rows))).get_sheet_by_index(0).to_python()
