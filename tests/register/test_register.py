"""Every sentence that FlowLab says stands in the register, with its condition and a test that tries to refute it."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from register import datasets, detection, evaluation, explain, explore, pages, serving
from register.sentences import sentences_of

ROOT = Path(__file__).parents[2]
ROOMS = {
    module.__name__.rpartition(".")[2]: module
    for module in (datasets, detection, evaluation, explain, explore, pages, serving)
}
"""A module of entries for each room: SPEAKERS, patterns of files; NO_STATEMENTS; ENTRIES."""


def spoken(room: str) -> set[str]:
    """Sentence templates in the modules of a room, less those it lists as no statements."""
    paths = [path for pattern in ROOMS[room].SPEAKERS for path in sorted(ROOT.glob(pattern))]
    assert all(list(ROOT.glob(pattern)) for pattern in ROOMS[room].SPEAKERS), "a module of the register is gone"
    return {text for path in paths for text in sentences_of(path)}


@pytest.mark.parametrize("room", ROOMS)
def test_every_sentence_has_one_entry_and_every_entry_a_sentence(room):
    registered = Counter(text for entry in ROOMS[room].ENTRIES for text in entry.templates)
    registered.update(ROOMS[room].NO_STATEMENTS)
    missing = spoken(room) - set(registered)
    assert not missing, "say when each of these holds, and which test tries to make it false:\n" + "\n".join(
        map(repr, sorted(missing))
    )
    assert not set(registered) - spoken(room), "nobody says these any more"
    assert max(registered.values(), default=1) == 1, "a sentence has two entries"


@pytest.mark.parametrize("room", ROOMS)
def test_every_entry_names_its_condition_and_a_test_that_exists(room):
    for entry in ROOMS[room].ENTRIES:
        assert len(entry.holds_when.split()) >= 3, f"no condition: {entry.templates}"
        assert entry.templates, f"no sentence: {entry.holds_when}"
        file, _, name = entry.test.partition("::")
        path = ROOT / file
        assert file.startswith("tests/") and path.is_file(), f"{entry.test}: there is no such file"
        functions = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        assert name.startswith("test_") and name in functions, f"{entry.test}: there is no such test"
