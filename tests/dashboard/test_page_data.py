"""The Data page in the script runner: every source leads to a data set, an upload is read, seen, and can be changed."""

import numpy as np
import pandas as pd
import pytest
from pages_driver import enter, in_link, labelled, open_page, press, said
from streamlit.testing.v1 import AppTest

from flowlab.datasets.drawing import points_to_text
from flowlab.store.runs import RunStore
from flowlab.tables.read import read_table


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """The folder of one empty store for the whole file."""
    return own_server.store().root


def dirty_csv(n_rows: int = 300) -> bytes:
    rng = np.random.default_rng(0)
    rows = ["# export of the till", "when;betrag;stadt;id;<b>kind</b>;leer"]
    for i in range(n_rows):
        amount = "" if i % 37 == 0 else f"{rng.lognormal(3, 1):.2f}".replace(".", ",")
        city = rng.choice(["Bonn", "Köln", "n/a"])
        rows.append(f"2025-01-{1 + i // 24:02d} {i % 24:02d}:00;{amount};{city};K{i:05d};{int(i % 30 == 0)};")
    return "\r\n".join(rows).encode("latin-1")


def upload(data: bytes, name: str = "till.csv") -> AppTest:
    at = open_page("data", source="Uploaded table")
    return enter(at, at.file_uploader[0], (name, data, "text/csv"))


def test_toys_are_shown_as_pictures_and_one_click_chooses():
    at = open_page("data")
    assert "Half moons" in said(at)
    assert at.get("image") and len(at.get("plotly_chart")) == 1
    assert "Rings" in said(press(at, "data.toy.rings"))


@pytest.mark.parametrize("name", ["breast_cancer", "cluster", "malware"])
def test_example_tables_have_all_their_pictures(name: str):
    at = open_page("data", {"data": name})
    for tab in at.get("button_group")[1].proto.options:
        other = open_page("data", {"data": name}, tab=tab.content)
        assert len(other.get("plotly_chart")) + len(other.dataframe) == 1, tab.content


def test_an_upload_is_read_stored_and_described(home):
    at = upload(dirty_csv())
    text = said(at)
    assert "till.csv" in text and "Latin-1" in text and "semicolon" in text and "decimal ','" in text
    assert in_link(at, "data") == "upload"
    digest = in_link(at, "data.digest")
    table = RunStore(home).get_table(digest)
    assert table.shape == (300, 6) and table["betrag"].isna().sum() == 9
    assert "labelled anomal" in text and "10" in text
    sheet = at.dataframe[0].value if at.dataframe else None
    assert sheet is not None
    roles = dict(zip(sheet["column"], sheet["role"]))
    assert roles == {
        "when": "time",
        "betrag": "feature",
        "stadt": "category",
        "id": "identifier",
        "<b>kind</b>": "label",
        "leer": "ignore",
    }
    other = open_page("data", dict(at.session_state.link.query))
    assert "till.csv" in said(other) and other.dataframe[0].value.equals(sheet)


def test_label_and_anomaly_values_can_be_changed():
    at = upload(dirty_csv())
    label = labelled(at.selectbox, "Label column")
    assert label.value == "<b>kind</b>"
    enter(at, label, "(none)")
    assert "labelled anomal" not in said(at)
    enter(at, labelled(at.selectbox, "Label column"), "stadt")
    values = at.multiselect[0]
    assert len(values.value) == 1
    assert in_link(at, "data.label") == "stadt"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"\x80\x04\x95abc.", "pickle"),
        (b"PK\x03\x04abc", "zip archive"),
        (b"a,b\n1,2\n3,4,5\n", "Line 3"),
        (b"a\n1\n", "1 row"),
        (b"a,b\n" + b"7,\n" * 40, "No column is left"),
        (b"t\n" + b"".join(b"text %d\n" % i for i in range(40)), "No column is left"),
    ],
)
def test_bad_uploads_end_in_one_sentence(data: bytes, sentence: str):
    at = upload(data)
    assert len(at.error) == 1 and sentence in at.error[0].value.replace("\\", "")


def test_several_files_are_stacked_and_what_differs_is_said():
    rows = b"".join(b"%d.5,%d\n" % (i, i * i) for i in range(60))
    at = open_page("data", source="Uploaded table")
    files = [("jan.csv", b"a,b\n" + rows, "text/csv"), ("feb.csv", b"b,a\n" + rows, "text/csv")]
    read = enter(at, at.file_uploader[0], files)
    assert "120 rows" in said(read) and "2 tables" in said(read) and in_link(read, "data.name") == "jan.csv and 1 more"
    at = open_page("data", source="Uploaded table")
    at = enter(at, at.file_uploader[0], [files[0], ("mar.csv", b"a,c\n" + rows, "text/csv")])
    assert "mar.csv lacks 'b' and has 'c' beside them" in at.error[0].value.replace("\\", "")


def test_a_link_to_a_table_this_server_does_not_hold():
    at = open_page("data", {"data": "upload", "data.digest": "0123456789abcdef"})
    assert "upload the file again" in at.error[0].value


def test_a_drawing_travels_in_the_link():
    rng = np.random.default_rng(0)
    text = points_to_text(rng.uniform(-2, 2, (60, 2)), rng.random(60) < 0.1)
    at = open_page("data", {"data": "drawing", "data.points": text})
    assert "2 features" in said(at) and "labelled anomal" in said(at)
    assert in_link(at, "data.points") == text


def test_hundreds_of_columns_stay_usable(home):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(2000, 500)), columns=[f"c{i}" for i in range(500)])
    digest = RunStore(home).put_table(frame)
    for tab in ("Columns", "Correlation", "Rows"):
        at = open_page("data", {"data": "upload", "data.digest": digest}, tab=tab)
        assert len(at.get("plotly_chart")) + (tab == "Rows") == 1


def test_whoever_opens_a_table_later_sees_how_it_was_read(home):
    table = read_table(b"x;y\n1,5;a\n2,5;b\n" * 30, "orders.csv")
    digest = RunStore(home).put_table(table.frame, table.report.to_json())
    assert "decimal ','" in said(open_page("data", {"data": "upload", "data.digest": digest}))
