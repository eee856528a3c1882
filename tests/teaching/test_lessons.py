"""Every lesson can be read, and every claim it makes is true of its exhibits and of the runs its links lead to."""

import re
from functools import lru_cache

import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.records import RunSpec
from flowlab.teaching import measures
from flowlab.teaching.claims import NAMED, fill, holds, written
from flowlab.teaching.exhibit import numbers
from flowlab.teaching.exhibits import EXHIBITS as EXHIBITS_BY_KEY
from flowlab.teaching.lessons import ExhibitBlock, RunBlock, lessons, parse

LESSONS = {lesson.key: lesson for lesson in lessons()}
EXHIBITS = [
    (key, block) for key, lesson in LESSONS.items() for block in lesson.blocks if isinstance(block, ExhibitBlock)
]
RUNS = [(key, block) for key, lesson in LESSONS.items() for block in lesson.blocks if isinstance(block, RunBlock)]


@lru_cache
def numbers_of_run(spec: RunSpec) -> dict[str, float]:
    """Trains the run as the page does; several claims, and lessons, share it."""
    dataset = catalog.make_dataset(spec.data, spec.seed)
    model = catalog.make_model(spec.model, spec.seed, dataset)
    validation = dataset.fitting_rows(Part.MONITOR)
    events = list(model.fit_iter(dataset.fitting_rows(), validation if len(validation) else None))
    return numbers(measures.of_run(measures.measure(model, dataset), events))


@lru_cache
def result_of(key, settings):
    """What an exhibit computes; several claims and numbers share it."""
    return EXHIBITS_BY_KEY[key].compute(**dict(settings))


def numbers_of_exhibit(key, settings):
    return numbers(result_of(key, settings))


def names(blocks):
    return [f"{key}-{block.name}" for key, block in blocks]


@pytest.mark.parametrize("key, block", EXHIBITS, ids=names(EXHIBITS))
def test_what_a_lesson_claims_of_an_exhibit_is_so(key, block):
    values = numbers_of_exhibit(block.exhibit.key, tuple(block.settings.items()))
    for claim in block.claims:
        assert holds(claim, values), f"{claim}: {values}"
    result = result_of(block.exhibit.key, tuple(block.settings.items()))
    assert len(block.exhibit.draw(result, False, 400).data) > 0
    assert re.fullmatch(r"(?s)[A-Z0-9].*\.", result.finding), "the figure in a sentence"


@pytest.mark.slow
@pytest.mark.parametrize("key, block", RUNS, ids=names(RUNS))
def test_what_a_lesson_claims_of_a_run_is_so(key, block):
    values = numbers_of_run(block.spec) if block.claims else {}
    for claim in block.claims:
        assert holds(claim, values), f"{claim}: {values}"


@pytest.mark.parametrize("key", LESSONS)
def test_every_number_of_a_lesson_exists_and_is_claimed(key):
    lesson = LESSONS[key]
    kinds = {block.name: block for block in lesson.blocks}
    texts = [p for step in lesson.steps for p in (*step.parts, step.question, *step.answer) if isinstance(p, str)]
    for text in texts:
        for match in NAMED.finditer(text):
            block = kinds[match[1]]
            known = vars(measures.RunNumbers()) if isinstance(block, RunBlock) else None
            if known is None:
                known = numbers_of_exhibit(block.exhibit.key, tuple(block.settings.items()))
            assert match[2] in known, f"{match[0]} of lesson {key}"
            assert block.claims, f"{match[0]} of lesson {key} is of a block that claims nothing"
            written(1.0, match[3] or "")


@pytest.mark.parametrize("key", LESSONS)
def test_a_lesson_is_complete(key):
    lesson = LESSONS[key]
    assert lesson.picture.is_file(), "the gallery has a picture of it"
    assert lesson.minutes > 0 and lesson.summary[-1] in ".?"
    assert lesson.rows or key == "continuous", "but for the lesson that goes beyond the lectures"
    assert any(block.claims for block in lesson.blocks)
    for step in lesson.steps:
        shown = [p for p in step.parts if isinstance(p, ExhibitBlock)]
        assert len(shown) <= 1, f"{step.title}: one exhibit a screen"
        for text in (p for p in step.parts if isinstance(p, str)):
            longest = max(len(paragraph) for paragraph in text.split("\n\n") if not paragraph.startswith("$$"))
            assert longest <= 420, f"{step.title}: a paragraph of more than about four lines"


HEAD = "---\ntitle: T\nminutes: 5\n---\n> S.\n"


@pytest.mark.parametrize(
    "text, problem",
    [
        ("# Title", "it must begin with settings"),
        (HEAD, "it has no step"),
        (HEAD + "\n## A\n{ghost.width}", "'ghost', which is no block"),
        (HEAD + "\n## A\n```exhibit dreams\n```\n", "there is no exhibit 'dreams'"),
        (HEAD + "\n## A\n```exhibit affine\nsigma = 99\n```\n", "Stretch sigma is a number"),
        (HEAD + "\n## A\n```run a\nlabel: L\nlink: train?data=dreams\n```\n", "dreams"),
    ],
)
def test_a_lesson_that_names_what_is_not_there_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse("x", text)


def test_numbers_stand_in_the_text():
    assert fill("{a.b:.2f} of {c.d}", {"a": {"b": 0.125}, "c": None}) == "0.13 of …"
    with pytest.raises(ValueError, match="a number is written as"):
        written(1.0, "x")


@pytest.mark.parametrize("claim", ["__import__('os')", "a.b.c < 1", "a if b else c", "a < f(2)", "a"])
def test_a_claim_is_a_comparison_and_nothing_else(claim):
    with pytest.raises((ValueError, KeyError)):
        holds(claim, {"a": 1.0, "b": 1.0, "c": 1.0})


def test_a_claim_that_is_false_does_not_hold():
    assert not holds("caught < 0.2", {"caught": 0.5})
    assert holds("0 <= caught < 0.2 + 2 * 0.2", {"caught": 0.5})
