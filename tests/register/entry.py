"""Entry: sentences that may be said under one condition, and the test that tries to make them false."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One line of the register.

    Attributes
    ----------
    holds_when : the condition under which the sentences are true, in plain words
    test : "tests/room/test_module.py::test_name", which tries to make them false
    templates : the sentences as `sentences_of` finds them, {} for each value
    """

    holds_when: str
    test: str
    templates: tuple[str, ...]


def entry(holds_when: str, test: str, *templates: str) -> Entry:
    """An Entry: condition and test first, then all sentences they hold for."""
    return Entry(holds_when, test, templates)
