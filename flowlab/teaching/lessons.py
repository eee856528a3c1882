"""Lessons: Markdown files in assets/lessons whose links open the app in a given state."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flowlab.app_folder import ASSETS

FOLDER = ASSETS / "lessons"


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes
    ----------
    key : name of its file without number and ending
    title, summary : its heading and its quoted line
    body : the Markdown below them
    """

    key: str
    title: str
    summary: str
    body: str

    @property
    def steps(self) -> list[str]:
        """The body in parts that are shown one at a time: what stands before the numbered list, its items, the rest.

        >>> parse("x", "# A\\n> B\\nBefore.\\n\\n1. One,\\n   more\\n2. Two\\n\\nAfter.").steps
        ['Before.', '1. One,\\n   more', '2. Two', 'After.']
        """
        *before, last = re.split(r"\n(?=\d+\. )", self.body)
        return [part.strip() for part in (*before, *re.split(r"\n\n(?=\S)", last)) if part.strip()]


def parse(key: str, text: str) -> Lesson:
    """The lesson in a Markdown text: a `# title` line, a `> summary` line, then the body.

    ValueError where one of these lines is missing.

    >>> parse("x", "# Title\\n\\n> In short.\\n\\nText.").summary
    'In short.'
    """
    lines = text.strip().splitlines()
    if not lines or not lines[0].startswith("# "):
        raise ValueError(f"lesson {key!r} must begin with a line '# title'")
    rest = [line for line in lines[1:] if line.strip()][:1]
    if not rest or not rest[0].startswith("> "):
        raise ValueError(f"lesson {key!r} must have a line '> summary' under its title")
    body = "\n".join(lines[lines.index(rest[0]) + 1 :]).strip()
    return Lesson(key, lines[0][2:].strip(), rest[0][2:].strip(), body)


def lessons(folder: Path = FOLDER) -> list[Lesson]:
    """All lessons in the order of their files' numbers: `01-bridge.md` is lesson "bridge".

    FileNotFoundError where there is no such folder, which then is a broken installation.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder of lessons at {folder}; install FlowLab again")
    return [parse(path.stem.partition("-")[2], path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))]
