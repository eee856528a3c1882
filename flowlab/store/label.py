"""What people call a run: a name, a note and tags, all of them text that is never markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_NAME, MAX_NOTE, MAX_TAG, MAX_TAGS = 60, 500, 24, 8
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]+")


@dataclass(frozen=True)
class RunLabel:
    """Name, note and tags of a run, each empty where nobody gave one."""

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str = "", note: str = "", tags: str | Iterable[str] = ()) -> RunLabel:
        """From what was typed, tags separated by commas; ValueError, one sentence, where one is too long.

        >>> RunLabel.of(" pump  7 ", tags="june, final, june").tags
        ('june', 'final')
        """
        lines = (_line(line) for line in note.splitlines())
        each = (_line(tag) for tag in (tags.split(",") if isinstance(tags, str) else tags))
        label = cls(_line(name), "\n".join(lines).strip(), tuple(dict.fromkeys(filter(None, each))))
        for what, text, most in (("name", label.name, MAX_NAME), ("note", label.note, MAX_NOTE)):
            if len(text) > most:
                raise ValueError(f"a {what} has at most {most} characters, this one {len(text)}")
        if len(label.tags) > MAX_TAGS:
            raise ValueError(f"a run has at most {MAX_TAGS} tags, these are {len(label.tags)}")
        long = [tag for tag in label.tags if len(tag) > MAX_TAG or "," in tag]
        if long:
            raise ValueError(f"a tag has at most {MAX_TAG} characters and no comma: {long[0][:40]!r}")
        return label

    @classmethod
    def from_record(cls, record: Any) -> RunLabel:
        """What `to_record` gave; an empty label for anything else."""
        try:
            return cls.of(str(record["name"]), str(record["note"]), [str(tag) for tag in record["tags"]])
        except (KeyError, TypeError, ValueError):
            return cls()

    def to_record(self) -> dict[str, Any]:
        """The label as JSON."""
        return {"name": self.name, "note": self.note, "tags": list(self.tags)}

    @property
    def tags_text(self) -> str:
        """The tags as they are typed: "june, final"."""
        return ", ".join(self.tags)

    def __bool__(self) -> bool:
        return bool(self.name or self.note or self.tags)


def _line(text: str) -> str:
    """One line without what cannot be seen: control characters, marks that turn the direction of writing."""
    return " ".join(_UNSEEN.sub(" ", text).split())
