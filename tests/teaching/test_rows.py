"""The table from the rows of the lectures to the tests that hold their numbers: `test_row_82_...` is of row 82."""

import re
from collections import defaultdict
from pathlib import Path

from flowlab.teaching.lessons import lessons

ROWS = {*range(1, 144)}
"""Rows of all five lectures."""

NAMED = re.compile(r"^def (test_row_([0-9]+)_\w+)", re.M)


def table() -> dict[int, list[str]]:
    found = defaultdict(list)
    for path in sorted(Path(__file__).parents[1].rglob("test_*.py")):
        for name, row in NAMED.findall(path.read_text("utf-8")):
            found[int(row)].append(f"{path.name}::{name}")
    return dict(found)


def test_every_row_has_a_test_named_after_it():
    assert not ROWS - set(table())


def test_every_row_of_a_lesson_is_held_by_a_test():
    for lesson in lessons():
        assert set(lesson.rows) <= set(table()), lesson.key
