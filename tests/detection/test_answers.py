"""Answers of people: they come back as they went, from a run and from a file, and nonsense is refused in words."""

import io

import numpy as np
import pandas as pd
import pytest

from flowlab.detection.answers import Answer, from_frame, from_record, to_csv, to_record
from flowlab.tables.limits import TableError

ANSWERS = {7: Answer(True, "broken, sensor"), 2: Answer(False), 4: Answer(None, 'so "so"')}


def test_answers_come_back_as_they_went():
    assert from_record(to_record(ANSWERS), 8) == ANSWERS
    table = pd.read_csv(io.BytesIO(to_csv(ANSWERS, np.arange(8.0))))
    assert table["row"].tolist() == [2, 4, 7] and table["anomaly_score"].tolist() == [2.0, 4.0, 7.0]
    assert from_frame(table, 8) == ANSWERS


def test_a_note_that_looks_like_a_formula_is_text_to_a_spreadsheet_and_comes_back():
    answers = {1: Answer(True, '=HYPERLINK("x")'), 3: Answer(False, "'tis fine")}
    written = to_csv(answers, np.arange(8.0))
    assert b"\"'=HYPERLINK" in written
    assert from_frame(pd.read_csv(io.BytesIO(written)), 8) == answers


def test_labels_of_other_tools_are_understood_and_rows_without_an_answer_passed_over():
    table = pd.DataFrame({"row": [0, 1, 2, 3], "anomaly": ["1", "False", " Unsure ", None]})
    assert from_frame(table, 4) == {0: Answer(True), 1: Answer(False), 2: Answer(None)}


@pytest.mark.parametrize(
    "table, words",
    [
        ({"row": [9], "anomaly": ["yes"]}, "row 9; the rows here are 0 to 7"),
        ({"row": [1], "anomaly": ["perhaps"]}, "not 'perhaps' (row 1)"),
        ({"id": [1], "label": [1]}, "the file has id, label"),
        ({"row": ["x"], "anomaly": ["yes"]}, "speaks of row nan"),
    ],
)
def test_what_is_no_answer_is_refused_in_a_sentence(table, words):
    with pytest.raises(TableError) as refused:
        from_frame(pd.DataFrame(table), 8)
    assert words in str(refused.value) and str(refused.value).endswith((".", ")."))


def test_damaged_records_are_passed_over():
    assert from_record([[1, "yes", ""], [99, "yes", ""], [2, "maybe", ""], 5, None], 8) == {1: Answer(True)}
    assert from_record([["x", "yes", ""], [1, ["no"], ""], [None, "no", ""], [float("inf"), "no", ""]], 8) == {}
    assert from_record(None, 8) == {}
