"""The Data page in the script runner: every source leads to a data set, an upload is read, seen, and can be changed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from flowlab.datasets.drawing import points_to_text
from flowlab.datasets.tables import read_table
from flowlab.runs import RunStore

ROOT = Path(__file__).parents[2]


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


def page(**query: str) -> AppTest:
    at = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for key, value in query.items():
        at.query_params[key.replace("__", ".")] = value
    at.run()
    at.switch_page("pages/1_data.py").run()
    assert not at.exception
    return at


def upload(data: bytes, name: str = "till.csv") -> AppTest:
    at = page(table__source="Uploaded table")
    at.file_uploader[0].set_value((name, data, "text/csv")).run()
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    parts = [m.value for m in (*at.markdown, *at.caption, *at.warning, *at.error)]
    return " ".join(parts).replace("\\", "")


def test_toys_are_shown_as_pictures_and_one_click_chooses():
    at = page()
    assert "Half moons" in words(at)
    assert at.get("image") and len(at.get("plotly_chart")) == 1
    at.button(key="data.toy.rings").click().run()
    assert not at.exception and "Rings" in words(at)


@pytest.mark.parametrize("name", ["breast_cancer", "cluster", "malware"])
def test_example_tables_have_all_their_pictures(name: str):
    at = page(data=name)
    for tab in at.get("button_group")[1].proto.options:
        other = page(data=name, table__tab=tab.content)
        assert len(other.get("plotly_chart")) + len(other.dataframe) == 1, tab.content


def test_an_upload_is_read_stored_and_described(home):
    at = upload(dirty_csv())
    text = words(at)
    assert "till.csv" in text and "Latin-1" in text and "semicolon" in text and "decimal ','" in text
    assert at.query_params["data"] == "upload"
    digest = at.query_params["data.digest"]
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
    other = page(**dict(at.query_params.items()))
    assert "betrag" not in words(other) or not other.exception


def test_label_and_anomaly_values_can_be_changed():
    at = upload(dirty_csv())
    label = next(box for box in at.selectbox if box.label == "Label column")
    assert label.value == "<b>kind</b>"
    label.set_value("(none)").run()
    assert not at.exception and "labelled anomal" not in words(at)
    label = next(box for box in at.selectbox if box.label == "Label column")
    label.set_value("stadt").run()
    assert not at.exception
    values = at.multiselect[0]
    assert len(values.value) == 1
    assert at.query_params["data.label"] == "stadt"


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


def test_a_link_to_a_table_this_server_does_not_hold():
    at = page(data="upload", data__digest="0123456789abcdef")
    assert "upload the file again" in at.error[0].value


def test_a_drawing_travels_in_the_link():
    rng = np.random.default_rng(0)
    text = points_to_text(rng.uniform(-2, 2, (60, 2)), rng.random(60) < 0.1)
    at = page(data="drawing", data__points=text)
    assert "2 features" in words(at) and "labelled anomal" in words(at)
    assert at.query_params["data.points"] == text


def test_hundreds_of_columns_stay_usable(home):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(2000, 500)), columns=[f"c{i}" for i in range(500)])
    digest = RunStore(home).put_table(frame)
    for tab in ("Columns", "Correlation", "Rows"):
        at = page(data="upload", data__digest=digest, table__tab=tab)
        assert len(at.get("plotly_chart")) + (tab == "Rows") == 1


def test_whoever_opens_a_table_later_sees_how_it_was_read(home):
    table = read_table(b"x;y\n1,5;a\n2,5;b\n" * 30, "orders.csv")
    digest = RunStore(home).put_table(table.frame, table.report.to_json())
    assert "decimal ','" in words(page(data="upload", data__digest=digest))
