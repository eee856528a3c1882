"""Rules of people decide exactly the rows that they name, and what is no rule is refused in a sentence."""

import numpy as np
import pandas as pd
import pytest

from flowlab.detection.flag_rules import decided_by, flag_rule

FRAME = pd.DataFrame(
    {
        "city": pd.Series(["Rome", "Kyiv", None, "Rome"], dtype="str"),
        "unit price": [5.0, 150.0, np.nan, 200.0],
        "ok": [True, False, True, False],
        "day": pd.to_datetime(["2025-01-01", "2025-02-01", "2025-03-01", None]),
    }
)


@pytest.mark.parametrize(
    "condition, rows",
    [
        ("city = Rome", [0, 3]),
        ("city != Rome", [1]),
        ("unit price >= 150", [1, 3]),
        ("unit price<150", [0]),
        ("city = 'Rome' and unit price > 100", [3]),
        ("unit price is missing", [2]),
        ("city is not missing and day < 2025-02-01", [0]),
        ("day >= 2025-02-01", [1, 2]),
        ("ok = true", [0, 2]),
        ("unit price = cheap", []),
        ("unit price != cheap", [0, 1, 3]),
    ],
)
def test_a_condition_holds_for_the_rows_it_names(condition, rows):
    assert np.flatnonzero(flag_rule("never", condition, list(FRAME)).holds(FRAME)).tolist() == rows


def test_the_first_rule_that_fits_decides():
    rules = [flag_rule("always", "city = Rome", list(FRAME)), flag_rule("never", "unit price > 100", list(FRAME))]
    assert decided_by(rules, FRAME).tolist() == [0, 1, -1, 0] and decided_by([], FRAME).tolist() == [-1] * 4


@pytest.mark.parametrize(
    "verdict, condition, words",
    [
        ("never", "town = Rome", "asks for the column 'town'; there are city"),
        ("never", "city Rome", "is written like price > 100"),
        ("sometimes", "city = Rome", "never or always"),
        ("never", "x" * 501, "at most 500"),
    ],
)
def test_what_is_no_rule_is_refused(verdict, condition, words):
    with pytest.raises(ValueError, match=words):
        flag_rule(verdict, condition, list(FRAME))
