"""Kinds of files that were once read wrongly, each with the right reading or what is said of it."""

import datetime

import numpy as np
import pandas as pd
import pytest

from flowlab.datasets.from_table import make_table_dataset
from flowlab.encoding.roles import propose_roles
from flowlab.tables.limits import TableError
from flowlab.tables.read import Table, read_table


def lines(head: str, *rows: str, times: int = 1) -> bytes:
    return ("\n".join([head, *rows * times]) + "\n").encode()


def said(table: Table) -> str:
    return " ".join((*table.report.changes, *table.report.warnings))


@pytest.mark.parametrize(
    "cells",
    [["True", "False", ""], ["False", "True", "1"], ["0", "True", "false"], ["False", "True", "no"]],
    ids=["one empty cell", "True and 1", "0 and False", "words mixed"],
)
def test_truth_values_with_holes_or_in_several_spellings(cells):
    rng = np.random.default_rng(0)
    column = rng.choice(cells[:2], 200).tolist()
    column[5] = cells[-1]
    table = read_table(lines("x,ok", *(f"{x:.3f},{c}" for x, c in zip(rng.normal(size=200), column))))
    assert set(table.frame["ok"].dropna().astype(str)) <= {"True", "False"}
    assert table.frame["ok"].isna().sum() == (cells[-1] == "")
    assert [role.role for role in propose_roles(table.frame)][1] in ("category", "label")
    dataset, _ = make_table_dataset(table.frame, label="(none)")
    assert np.isfinite(dataset.X).all()


@pytest.mark.parametrize("day", ["9999-12-31", "1066-10-14", "0900-01-01"])
def test_dates_far_from_now(day):
    table = read_table(lines("when,x", "2024-01-05,1", f"{day},2"))
    assert table.frame["when"].dt.date.iloc[1] == datetime.date.fromisoformat(day)
    dataset, _ = make_table_dataset(read_table(lines("valid_to,x", f"{day},1", "2024-01-05,2", times=20)).frame)
    assert np.isfinite(dataset.X).all()


def test_a_far_date_in_parquet(tmp_path):
    frame = pd.DataFrame({"valid_to": pd.array(["9999-12-31", "2024-01-05"], dtype="datetime64[us]"), "x": [1, 2]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").frame["valid_to"].dt.year.tolist() == [9999, 2024]


def test_a_zone_is_heeded_and_said():
    table = read_table(lines("when,x", "2024-01-05T10:00:00+02:00,1", "2024-01-05 10:00:00 CET,2"))
    assert table.frame["when"].dt.hour.tolist() == [8, 9] and "UTC" in said(table)


@pytest.mark.parametrize("rows", [("0.1,5,0,", "0.2,6,1,"), ("0.1,5,0,", "0.2,6,1")], ids=["each row", "some rows"])
def test_a_delimiter_behind_the_data_lines_only(rows):
    table = read_table(lines("a,b,fraud", *rows, times=10))
    assert list(table.frame) == ["a", "b", "fraud"] and table.frame["fraud"].tolist()[:2] == [0, 1]


def test_a_header_of_years():
    table = read_table(lines("country,2019,2020", "Chad,1.5,1.7", "Peru,2.5,2.75"))
    assert list(table.frame) == ["country", "2019", "2020"] and len(table.frame) == 2


def test_one_column_of_numbers_with_decimal_commas():
    table = read_table(lines("wert", "1,5", "2,25", "3,75"))
    assert table.frame["wert"].tolist() == [1.5, 2.25, 3.75]


def test_grouping_by_lakhs():
    table = read_table(lines("n;v", "1;1,23,456", "2;12,34,567"))
    assert table.frame["v"].tolist() == [123_456, 1_234_567]


@pytest.mark.parametrize("odd", ["<LOD", "n.d.", "trace?"])
def test_numbers_among_which_some_are_none(odd):
    rng = np.random.default_rng(0)
    cells = [odd if i % 8 == 0 else f"{x:.3f}" for i, x in enumerate(rng.normal(size=400))]
    table = read_table(lines("i,v", *(f"{i},{cell}" for i, cell in enumerate(cells))))
    assert table.frame["v"].isna().sum() == 50 and table.report.types["v"] == "number"
    assert "50 cells are not numbers" in said(table) and odd in said(table)


def test_seven_odd_spellings_leave_a_column_of_numbers():
    cells = [*(f"{i}.5" for i in range(600)), "a1", "b2", "c3", "d4", "e5", "f6", "g7"]
    table = read_table(lines("v,w", *(f"{cell},1" for cell in cells)))
    assert table.frame["v"].notna().sum() == 600 and "7 cells are not numbers" in said(table)


@pytest.mark.parametrize(("cell", "value"), [("50 kg", 50.0), ("12:30", 12.5), ("1:30:00", 1.5), ("-3,5 °C", -3.5)])
def test_units_and_clocks(cell, value):
    table = read_table(lines("i;v", *(f"{i};{cell}" for i in range(20)), "20;"))
    assert table.frame["v"].iloc[0] == value and np.isnan(table.frame["v"].iloc[-1])


def test_months():
    table = read_table(lines("m,v", "2024-03,1", "2024-04,2", "2023-12,3"))
    assert table.frame["m"].dt.month.tolist() == [3, 4, 12]


@pytest.mark.parametrize(
    "cells",
    [["1E10", "2E10", "3E05"], ["+49 170 1234567", "+49 171 7654321"], [*(["17"] * 500), "01234"]],
    ids=["E in the middle", "telephone", "a leading zero after many rows"],
)
def test_codes_of_digits_stay_as_they_are(cells):
    table = read_table(lines("c,x", *(f"{cell},{i}.5" for i, cell in enumerate(cells * 3))))
    assert table.frame["c"].tolist() == cells * 3


@pytest.mark.parametrize("far", ["9007199254740993", "18446744073709551617"])
def test_long_identifiers_keep_their_digits(far):
    table = read_table(lines("id,x", f"{far},1", ",2", "12,3"))
    assert table.frame["id"].iloc[0] == far and pd.isna(table.frame["id"].iloc[1])


def test_a_country_and_a_surname_that_look_missing():
    table = read_table(lines("country,x", *(f"{c},1" for c in ["NA", "DE", "FR", "US", "CH", "AT", "", "IT"])))
    assert table.frame["country"].iloc[0] == "NA" and table.frame["country"].isna().sum() == 1
    assert "'NA' could mean" in said(table)
    table = read_table(lines("surname,x", *(f"{c},1" for c in ["Null", "Smith", "Ito", "Braun", "Khan", "Lee"])))
    assert table.frame["surname"].iloc[0] == "Null"
    assert read_table(lines("v,x", "NA,1", "2.5,2", "3.5,1")).frame["v"].isna().sum() == 1


def test_what_can_be_read_two_ways_is_said_with_both_and_can_be_changed():
    data = lines("when,x", "03/04/2025,1", "05/06/2025,2", "01/02/2025,3")
    table = read_table(data)
    assert "could be read month before day or day before month" in said(table)
    assert read_table(data, formats={"when": "%d/%m/%Y"}).frame["when"].dt.month.tolist() == [4, 6, 2]
    data = lines("n;v", "1;1,017", "2;2,025")
    assert "1,017 could mean" in said(read_table(data)) or "1,234 could mean" in said(read_table(data))
    assert read_table(data, decimal=".").frame["v"].tolist() == [1017, 2025]


def test_a_type_that_is_given_is_taken():
    data = lines("day,code,x", "20250301,1,5", "20250302,2,6")
    table = read_table(data, types={"code": "text"}, formats={"day": "%Y%m%d"})
    assert table.frame["code"].tolist() == ["1", "2"] and table.frame["day"].dt.day.tolist() == [1, 2]
    with pytest.raises(TableError, match="no column 'height'"):
        read_table(data, types={"height": "number"})


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Москва и Санкт-Петербург, город на Неве"),
        ("shift_jis", "東京都と大阪府の天気は晴れです"),
        ("cp1252", "Müller spät überall Straße"),
    ],
)
def test_text_in_older_encodings(encoding, text):
    rows = "".join(f"{i};{text} {i}\n" for i in range(30))
    table = read_table(f"n;ort\n{rows}".encode(encoding))
    assert table.frame["ort"].iloc[0] == f"{text} 0", table.report.encoding


def test_a_cell_that_was_decomposed_is_the_same_level():
    table = read_table("ort,x\nKöln,1\nKo\u0308ln,2\n".encode())
    assert table.frame["ort"].nunique() == 1


def test_infinite_cells_are_kept_as_infinite():
    table = read_table(lines("x,y", "1.5,1", "inf,2", "1e300,3", "-Infinity,4"))
    assert np.isinf(table.frame["x"]).sum() == 2 and table.frame["x"].iloc[2] == 1e300
