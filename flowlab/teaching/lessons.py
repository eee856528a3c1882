"""Lessons: Markdown files in assets/lessons, of steps with exhibits, runs and numbers that are computed.

    ---
    title: A Gaussian, stretched
    minutes: 12
    needs: what a density is
    rows: 82, 83
    ---
    > One sentence for the gallery.

    ## Stretch a Gaussian
    Text with a computed number: the cell is {wide.width:.2f} wide.

    ```exhibit affine as wide
    sigma = 2
    claim: width > 1.9
    ```

    ### Ask: Where is the density highest?
    The answer, which opens on a click, with exhibits of its own.

Each `##` begins a step, which is one screen. A block ```run NAME leads to a page in a given state (`link: train?...`)
and holds claims of the run; names of blocks are the first part of the numbers in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from flowlab import catalog
from flowlab.app_folder import ASSETS
from flowlab.records import RunSpec, Scalar
from flowlab.teaching.claims import NAMED
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits import EXHIBITS

FOLDER = ASSETS / "lessons"

_FENCE = re.compile(r"^```(exhibit|run) +([^\n]+)\n(.*?)^```$", re.M | re.S)
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True)
class ExhibitBlock:
    """An exhibit in a step, as the lesson sets it.

    Attributes
    ----------
    name : what its numbers are called by
    exhibit, settings : the figure, and all its controls' values
    claims : of its numbers, see `claims.holds`
    """

    name: str
    exhibit: Exhibit
    settings: Mapping[str, Scalar]
    claims: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunBlock:
    """A place in the app that a step leads to.

    Attributes
    ----------
    name : what the run's numbers are called by
    label : what the button says
    page, query : where it leads, and in which state
    spec : the run there
    claims : of the run's numbers, see `measures.RunNumbers`
    """

    name: str
    label: str
    page: str
    query: Mapping[str, str]
    spec: RunSpec
    claims: tuple[str, ...] = ()


Part = str | ExhibitBlock | RunBlock


@dataclass(frozen=True)
class Step:
    """One screen of a lesson: its heading, its parts in order, and a question with the parts of its answer."""

    title: str
    parts: tuple[Part, ...]
    question: str = ""
    answer: tuple[Part, ...] = ()

    @property
    def blocks(self) -> list[ExhibitBlock | RunBlock]:
        """Its exhibits and runs, those of the answer too."""
        return [part for part in (*self.parts, *self.answer) if not isinstance(part, str)]


@dataclass(frozen=True)
class Lesson:
    """One lesson.

    Attributes
    ----------
    key : name of its file without number and ending; `formerly` are keys that older links have
    title, summary : its heading and a sentence
    minutes, needs : how long it takes in class, and what one needs to know
    rows : of the catalogue of lectures that it makes true
    steps : its screens
    """

    key: str
    title: str
    summary: str
    minutes: int
    needs: str
    rows: tuple[int, ...]
    steps: tuple[Step, ...]
    formerly: tuple[str, ...] = field(default=())

    @property
    def blocks(self) -> list[ExhibitBlock | RunBlock]:
        """All its exhibits and runs."""
        return [block for step in self.steps for block in step.blocks]

    @property
    def picture(self) -> Path:
        """A drawing for the gallery, an SVG whose colours are `currentColor` and the classes of the style sheet."""
        return FOLDER / f"{self.key}.svg"


def parse(key: str, text: str) -> Lesson:
    """The lesson in a text of the form above. ValueError says what is missing or does not exist.

    >>> lesson = parse("x", "---\\ntitle: T\\nminutes: 5\\n---\\n> In short.\\n\\n## One\\nText.")
    >>> lesson.summary, lesson.steps[0].parts
    ('In short.', ('Text.',))
    """
    try:
        head, summary, body = _divided(text)
        steps = tuple(_step(part) for part in re.split(r"^## ", body, flags=re.M)[1:])
        lesson = Lesson(
            key,
            head["title"],
            summary,
            int(head["minutes"]),
            head.get("needs", ""),
            tuple(int(row) for row in head.get("rows", "").replace(",", " ").split()),
            steps,
            tuple(head.get("formerly", "").replace(",", " ").split()),
        )
        _check(lesson)
    except (KeyError, ValueError) as error:
        raise ValueError(f"lesson {key!r}: {error}") from error
    return lesson


def lessons(folder: Path = FOLDER) -> list[Lesson]:
    """All lessons in the order of their files' numbers: `01-bridge.md` is lesson "bridge".

    FileNotFoundError where there is no such folder, which then is a broken installation.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder of lessons at {folder}; install FlowLab again")
    return [parse(path.stem.partition("-")[2], path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))]


def _divided(text: str) -> tuple[dict[str, str], str, str]:
    match = re.match(r"---\n(.*?)\n---\n\s*> ([^\n]+)\n(.*)", text.strip() + "\n", re.S)
    if not match:
        raise ValueError("it must begin with settings between two lines ---, then a line '> summary'")
    return _settings(match[1], ":"), match[2].strip(), match[3]


def _settings(text: str, sign: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if wrong := [line for line in lines if sign not in line]:
        raise ValueError(f"the line {wrong[0]!r} has no {sign!r}")
    return {line.partition(sign)[0].strip(): line.partition(sign)[2].strip() for line in lines}


def _step(text: str) -> Step:
    title, _, body = text.partition("\n")
    shown, _, asked = body.partition("\n### Ask: ")
    question, _, answer = asked.partition("\n")
    return Step(title.strip(), tuple(_parts(shown)), question.strip(), tuple(_parts(answer)))


def _parts(text: str) -> Iterator[Part]:
    end = 0
    for match in _FENCE.finditer(text):
        if before := text[end : match.start()].strip():
            yield before
        yield (_exhibit if match[1] == "exhibit" else _run)(match[2], match[3])
        end = match.end()
    if rest := text[end:].strip():
        yield rest


def _claims(text: str) -> tuple[str, tuple[str, ...]]:
    """A block's lines without its claims, and these."""
    lines = text.splitlines()
    claims = tuple(line.partition(":")[2].strip() for line in lines if line.startswith("claim:"))
    return "\n".join(line for line in lines if not line.startswith("claim:")), claims


def _exhibit(head: str, text: str) -> ExhibitBlock:
    key, _, name = (word.strip() for word in head.partition(" as "))
    if key not in EXHIBITS:
        raise ValueError(f"there is no exhibit {key!r}")
    exhibit = EXHIBITS[key]
    lines, claims = _claims(text)
    return ExhibitBlock(name or key, exhibit, exhibit.settings(_settings(lines, "=")), claims)


def _run(head: str, text: str) -> RunBlock:
    lines, claims = _claims(text)
    settings = _settings(lines, ":")
    page, _, query_text = settings["link"].partition("?")
    query = dict(parse_qsl(query_text))
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    spec, more = catalog.tidy(spec)
    if problems + more:
        raise ValueError(f"the link {settings['link']}: {' '.join(problems + more)}")
    return RunBlock(head.strip(), settings["label"], page, query, spec, claims)


def _check(lesson: Lesson) -> None:
    """ValueError where names of blocks are used twice or for nothing."""
    if not lesson.steps:
        raise ValueError("it has no step, which begins with ##")
    names = [block.name for block in lesson.blocks]
    if wrong := [name for name in names if names.count(name) > 1 or not _NAME.match(name)]:
        raise ValueError(f"the name {wrong[0]!r} of a block stands twice or is no name")
    texts = [part for step in lesson.steps for part in (*step.parts, *step.answer) if isinstance(part, str)]
    texts += [step.question for step in lesson.steps]
    if unknown := {match[1] for text in texts for match in NAMED.finditer(text)} - set(names):
        raise ValueError(f"a number is named after {unknown.pop()!r}, which is no block of it")
