"""Every view of Explore, Compare and Detect says what it shows; its numbers exist and its lesson too."""

import ast
from pathlib import Path

import pytest

from flowlab.teaching.claims import NAMED
from flowlab.teaching.lessons import lessons
from flowlab.teaching.meanings import MEANINGS
from flowlab.teaching.measures import RunNumbers

DASHBOARD = Path(__file__).parents[2] / "flowlab" / "dashboard"
PLACES = {"explore": "explore/page.py", "compare": "compare/sections.py", "detect": "detect/page.py"}


def views_of(page):
    """The names of a page's views, but for those of presenter mode: the keys of the dict from which it draws one."""
    tree = ast.parse((DASHBOARD / PLACES[page]).read_text())
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Subscript) and getattr(target.value, "id", "") in ("drawers", "tabs"):
            found.add(target.slice.value)
        if getattr(target, "id", "") in ("drawers", "tabs"):
            dicts = [inner for inner in ast.walk(node.value) if isinstance(inner, ast.Dict)]
            found |= {key.value for inner in dicts for key in inner.keys}
    return found - {"Threshold", "Why there"}


@pytest.mark.parametrize("page", PLACES)
def test_every_view_has_its_meaning(page):
    assert views_of(page) == {view for of, view in MEANINGS if of == page}


@pytest.mark.parametrize("place", MEANINGS, ids=" ".join)
def test_a_meaning_names_numbers_and_a_lesson_that_exist(place):
    meaning = MEANINGS[place]
    known = vars(RunNumbers())
    for line in meaning.measured:
        assert {match[2] for match in NAMED.finditer(line)} <= known.keys()
    assert meaning.lesson in {lesson.key for lesson in lessons()}


def test_a_number_that_is_not_known_is_not_said():
    meaning = MEANINGS["explore", "Density"]
    assert "Here" not in meaning.text(None)
    text = meaning.text(vars(RunNumbers(loss=1.5)))
    assert "Here: 1.500 nats" in text and "exact density, give" not in text
