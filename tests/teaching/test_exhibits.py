"""Every exhibit draws something and says what it shows at its defaults and at the ends of its controls."""

import re
from itertools import product

import numpy as np
import pytest

from flowlab.controls import Choice, Flag, Number
from flowlab.teaching.exhibits import EXHIBITS, flow_matching, promise, two_forks, way_back
from flowlab.teaching.lessons import ExhibitBlock, lessons


def ends(control):
    """The extreme values of a control."""
    if isinstance(control, Number):
        return [control.typed(control.low), control.typed(control.high)]
    if isinstance(control, Choice):
        return list(control.choices)
    assert isinstance(control, Flag)
    return [False, True]


def corners(exhibit):
    """The defaults, each control at its ends with the others as they are, and all at their first or last ends."""
    base = exhibit.defaults
    found = [base]
    for control in exhibit.controls:
        found += [base | {control.name: value} for value in ends(control)]
    if not exhibit.is_slow:
        for pick in product((0, -1), repeat=min(len(exhibit.controls), 4)):
            found.append(base | {c.name: ends(c)[i] for c, i in zip(exhibit.controls, pick, strict=False)})
    return found


@pytest.mark.parametrize("key", [key for key, exhibit in EXHIBITS.items() if not exhibit.is_slow])
def test_an_exhibit_draws_and_speaks_at_the_ends_of_its_controls(key):
    exhibit = EXHIBITS[key]
    for settings in corners(exhibit):
        with np.errstate(all="ignore"):
            result = exhibit.compute(**settings)
        for dark in (False, True):
            fig = exhibit.draw(result, dark, 400)
            assert len(fig.data) > 0, settings
        assert re.fullmatch(r"(?s)[A-Z0-9].*\.", result.finding), settings
        assert not re.search(r"\b(nan|inf)\b", result.finding), (settings, result.finding)
        titles = [axis.title.text for axis in (*fig.select_xaxes(), *fig.select_yaxes()) if axis.visible is not False]
        assert any(titles), "axes have names"


def test_slow_exhibits_stand_in_lessons_whose_tests_draw_them():
    shown = {block.exhibit.key for lesson in lessons() for block in lesson.blocks if isinstance(block, ExhibitBlock)}
    assert {key for key, exhibit in EXHIBITS.items() if exhibit.is_slow} <= shown


@pytest.mark.parametrize("key", EXHIBITS)
def test_the_defaults_of_an_exhibit_are_allowed(key):
    exhibit = EXHIBITS[key]
    assert exhibit.settings({name: str(value) for name, value in exhibit.defaults.items()}) == exhibit.defaults
    beyond = {each.key for module in (flow_matching, promise, two_forks, way_back) for each in module.EXHIBITS}
    assert bool(exhibit.rows) != (key in beyond), "it makes a row of the lectures true, or goes beyond them"
