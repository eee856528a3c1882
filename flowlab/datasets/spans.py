"""Choices for single columns as little text, by column number: "ignore=3-5,9;category=2"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NUMBERS = re.compile(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*")


def to_text(choices: Mapping[int, str]) -> str:
    """Column number (from 0) to choice, as text that counts from 1.

    >>> to_text({1: "category", 2: "ignore", 3: "ignore", 8: "ignore"})
    'category=2;ignore=3-4,9'
    """
    columns: dict[str, list[int]] = {}
    for column in sorted(choices):
        columns.setdefault(choices[column], []).append(column + 1)
    return ";".join(f"{choice}={_ranges(numbers)}" for choice, numbers in sorted(columns.items()))


def from_text(text: str, allowed: Sequence[str], n_columns: int, what: str) -> tuple[dict[int, str], list[str]]:
    """The choices of such a text, and one sentence for each part that makes no sense; `what` names the choices.

    >>> from_text("ignore=2-3;eat=1", ["ignore"], 5, "column roles")
    ({1: 'ignore', 2: 'ignore'}, ["The column roles 'eat=1' make no sense and were ignored."])
    """
    choices: dict[int, str] = {}
    problems = []
    for part in filter(None, text.split(";")):
        choice, _, numbers = part.partition("=")
        if choice not in allowed or not _NUMBERS.fullmatch(numbers):
            problems.append(f"The {what} {part[:40]!r} make no sense and were ignored.")
            continue
        for span in numbers.split(","):
            first, _, last = span.partition("-")
            low, high = int(first), int(last or first)
            choices |= dict.fromkeys(range(max(low, 1) - 1, min(high, n_columns)), choice)
            if high > n_columns or low < 1:
                problems.append(f"Column {span[:20]} is not in this table of {n_columns} columns.")
    return choices, problems


def _ranges(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
