"""Rows left out: by number or by date, both ends included; they train nothing, and test rows stay test rows."""

import numpy as np
import pandas as pd
import pytest

from flowlab.datasets.dataset import Part
from flowlab.datasets.from_table import make_table_dataset
from flowlab.datasets.left_out import rows_left_out, text_of_rows
from flowlab.tables.limits import TableError

TIMES = pd.date_range("2024-03-01", periods=96, freq="6h").to_numpy("datetime64[us]")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("7, 3-5", [3, 4, 5, 7]),
        ("3 to 4", [3, 4]),
        ("2024-03-02", [4, 5, 6, 7]),
        ("2024-03-02 to 2024-03-03", range(4, 12)),
        ("2024-03-02 12:00 to 2024-03-02 18:00, 0", [0, 6, 7]),
        ("02.03.2024", [4, 5, 6, 7]),
    ],
)
def test_a_text_names_its_rows(text, rows):
    assert np.flatnonzero(rows_left_out(text, 96, TIMES)).tolist() == list(rows)


def test_numbers_lead_to_the_text_and_back():
    rows = np.random.default_rng(0).choice(900, 200, replace=False)
    assert np.flatnonzero(rows_left_out(text_of_rows(rows), 900)).tolist() == sorted(rows.tolist())
    with pytest.raises(TableError, match="too many for a link"):
        text_of_rows(range(0, 4000, 2))


@pytest.mark.parametrize(
    ("text", "times", "why"),
    [
        ("96", TIMES, "the rows are 0 to 95"),
        ("5-3", TIMES, "There are no rows"),
        ("last week", TIMES, "names no rows"),
        ("2024-03-02", None, "Rows have no dates"),
        ("2023-03-02", TIMES, "No row lies in .* of 2024-03-01 00:00:00 to 2024-03-24"),
    ],
)
def test_what_names_no_row_is_refused_in_a_sentence(text, times, why):
    with pytest.raises(TableError, match=why):
        rows_left_out(text, 96, times)


def test_left_out_rows_are_in_no_part_and_the_others_stay_in_theirs():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    whole = make_table_dataset(frame)[0]
    out = np.r_[whole.rows(Part.TRAIN)[:9], whole.rows(Part.VALIDATION)[:4], whole.rows(Part.TEST)[:3]]
    frame.loc[out, "a"] = 1e6
    less = make_table_dataset(frame, left_out=text_of_rows(out))[0]
    assert less.rows(Part.LEFT_OUT).tolist() == sorted(out[:13])
    for part, n_out in ((Part.TRAIN, 9), (Part.VALIDATION, 4), (Part.TEST, 0)):
        assert set(less.rows(part)) == set(whole.rows(part)[n_out:])
    assert set(less.rows(Part.UNSEEN)) == set(less.rows(Part.VALIDATION)) | set(less.rows(Part.TEST))
    assert "13 of 200 rows" in less.left_out and len(less.X) == 200
    assert less.encoder.transform(frame.iloc[[out[0]]])[0, 0] == less.X[out[0], 0]
    with pytest.raises(TableError, match="no validation row is left"):
        make_table_dataset(frame, left_out=text_of_rows(whole.rows(Part.VALIDATION)))


def test_rows_that_see_a_left_out_row_as_their_past_go_too():
    frame = pd.DataFrame(
        {"time": pd.date_range("2024-01-01", periods=100, freq="h"), "a": np.random.default_rng(0).normal(size=100)}
    )
    dataset = make_table_dataset(frame, left_out="10", lags=2)[0]
    assert dataset.rows(Part.LEFT_OUT).tolist() == [10, 11, 12]
