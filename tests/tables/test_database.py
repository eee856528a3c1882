"""The rows of a query are read as the CSV of the same cells; nothing is changed, and no password is said."""

import datetime
import sqlite3

import pandas as pd
import pytest

from flowlab.__main__ import main
from flowlab.tables.database import read_query
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import read_table

pytest.importorskip("sqlalchemy", reason="queries need SQLAlchemy, which is not installed")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A database of 2,000 orders; its path."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    day = datetime.date(2024, 1, 1)
    rows = [(i, i % 7 + 0.5, f"{i % 90:05}", str(day + datetime.timedelta(i // 10))) for i in range(2000)]
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER, amount REAL, zip TEXT, day TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", [*rows[:-1], (1999, None, 'a,"b"', None)])
    connection.close()
    return path


def test_a_query_is_read_as_the_csv_of_its_rows(shop):
    found = read_query(f"sqlite:///{shop}", "SELECT amount, zip, day FROM orders WHERE id < 1500;")
    with sqlite3.connect(shop) as connection:
        text = pd.read_sql("SELECT amount, zip, day FROM orders WHERE id < 1500", connection).to_csv(index=False)
    connection.close()
    expected = read_table(text.encode())
    assert found.frame.equals(expected.frame) and found.schema == expected.schema and found.report.name == "query"
    odd = read_query(f"sqlite:///{shop}", "SELECT * FROM orders WHERE id > 1990 AND ':a %' != '12:30'").frame
    assert odd["zip"].iloc[-1] == 'a,"b"' and pd.isna(odd["amount"].iloc[-1])


@pytest.mark.parametrize(
    "query",
    ["DELETE FROM orders", "SELECT 1; DELETE FROM orders", "PRAGMA x", "WITH a AS (SELECT 1) DELETE FROM orders"],
)
def test_only_a_query_is_carried_out_and_nothing_changes(shop, query):
    before = shop.read_bytes()
    with pytest.raises(TableError, match="one SELECT|did not answer"):
        read_query(f"sqlite:///{shop}", query)
    assert shop.read_bytes() == before


def test_what_goes_wrong_is_one_sentence_without_the_password(shop, tmp_path):
    for address, words in {
        "nonsense": "no address of a database",
        f"sqlite:///{tmp_path}/none.db": "There is no database 'none.db'",
        "nosuch://user:sesame@host/x": "no address of a database",
    }.items():
        with pytest.raises(TableError, match=words) as found:
            read_query(address, "SELECT 1")
        assert "sesame" not in str(found.value) and "\n" not in str(found.value)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(TableError, match="did not answer: no such table: nowhere"):
        read_query(f"sqlite:///{shop}", "SELECT * FROM nowhere")
    with pytest.raises(TableError, match="more than 100 rows"):
        read_query(f"sqlite:///{shop}", "SELECT * FROM orders", limits=Limits(rows=100))


def test_the_command_line_trains_on_a_query_and_scores_one(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FLOWLAB_DATABASE", f"sqlite:///{shop}")
    detector, scored = tmp_path / "x.detector", tmp_path / "x.csv"
    query = "SELECT amount, id % 13 AS part FROM orders WHERE amount IS NOT NULL"
    assert main(["train", "--query", query, "-o", str(detector), "--model", "gaussian"]) == 0
    assert main(["score", str(detector), "--query", f"{query} LIMIT 50", "-o", str(scored)]) == 0
    assert len(pd.read_csv(scored)) == 50 and str(shop).encode() not in detector.read_bytes()
    assert main(["score", str(detector), "-o", str(scored)]) == 1
    assert "give either files or a --query" in capsys.readouterr().err
