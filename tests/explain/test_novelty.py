"""What is new in a row: what the rows learned from never showed, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.roles import ColumnRole
from flowlab.explain.novelty import range_novelty, row_novelty


def table(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"temp": rng.normal(20, 3, n).round(2), "city": rng.choice(["Rome", "Kyiv"], n)})
    frame["fahrenheit"] = frame["temp"] * 1.8 + 32
    frame["site"] = "north"
    frame["load"] = np.where(rng.random(n) < 0.2, np.nan, rng.integers(0, 9, n))
    frame["day"] = pd.Timestamp("2025-03-01") + pd.to_timedelta(rng.integers(0, 60, n), unit="D")
    return frame


@pytest.mark.parametrize("learner", ["density", "scorer"])
def test_no_row_that_was_learned_from_is_new(learner):
    frame = table()
    assert not row_novelty(TableEncoder(learner=learner).fit(frame), frame).any()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"city": "Oslo"}, "city Oslo is new"),
        ({"city": None}, "city is missing, never before"),
        ({"temp": np.nan, "fahrenheit": np.nan}, "temp is missing, never before"),
        ({"temp": 90.0, "fahrenheit": 194.0}, "temp 90.00 is higher than all learned, to "),
        ({"temp": np.inf, "fahrenheit": np.inf}, "temp is infinite, or as good as"),
        ({"fahrenheit": 0.0}, "fahrenheit does not follow from temp, as always before"),
        ({"site": "south"}, "site is south instead of north, as always before"),
        ({"day": pd.Timestamp("2027-01-01")}, "day 2027-01-01 is later than all learned, to 2025-04-29"),
        ({"load": np.nan}, ""),
    ],
)
def test_each_change_is_named_in_its_row_alone(changes, words):
    frame = table()
    roles = [ColumnRole(name, "category" if name in ("city", "site") else "feature") for name in frame]
    encoder, new = TableEncoder(roles).fit(frame), frame.head(20).copy()
    for name, value in changes.items():
        new.loc[7, name] = value
    found = row_novelty(encoder, new)
    assert found[7].startswith(words) if words else found[7] == ""
    assert not found[[i for i in range(20) if i != 7]].any()
    assert row_novelty(encoder, new.iloc[[7]])[0] == found[7], "a row is judged by itself"


def test_two_novelties_of_a_row_are_both_said():
    frame = table()
    new = frame.head(2).assign(city="Oslo", site="south")
    assert row_novelty(TableEncoder().fit(frame), new)[0] == (
        "city Oslo is new; site is south instead of north, as always before"
    )


def test_numbers_without_an_encoder_have_ranges():
    found = range_novelty(("a", "b"), np.array([[0.5, 2.0], [3.0, 0.0]]), np.zeros(2), np.array([1.0, 2.0]))
    assert found.tolist() == ["", "a 3 is higher than all learned, to 1"]
