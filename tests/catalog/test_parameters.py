"""Default, offered and valid: for every parameter of every data set, model and threshold rule the three agree."""

import inspect
import math
from typing import NamedTuple

import numpy as np
import pytest

from flowlab import catalog
from flowlab.constraints import Either, Interval, OneOf, check_parameters, constraints_of
from flowlab.controls import Choice, Control, Number, Rule
from flowlab.detection.rules import RULES


class Made(NamedTuple):
    """What is made from parameters: its controls, their defaults, what is valid, and who states it."""

    controls: tuple[Control, ...]
    defaults: dict
    valid: dict
    makers: tuple


MADE = {
    f"{kind}.{name}": Made(entry.controls, entry.defaults, entry.valid, entry.parts or (entry.make,))
    for kind, entries in (("data", catalog.DATASETS), ("model", catalog.MODELS))
    for name, entry in entries.items()
} | {
    f"rule.{name}": Made(rule.controls, rule.defaults, constraints_of(rule.choose), (rule.choose,))
    for name, rule in RULES.items()
}
NOT_SET = {
    "random_state", "seed", "scores", "y", "position", "candidates", "time", "batch", "frame", "density", "params",
    "self", "name", "contamination", "judged", "worth",
}  # fmt: skip
"""Parameters that are the data or the seed, stand for others, or serve scikit-learn alone."""
NOT_STATED = {"fractions"}
"""What else is not said to be valid: of `make_toy`, three numbers that sum to 1."""
each = pytest.mark.parametrize("made", list(MADE.values()), ids=list(MADE))


def offered(control: Control) -> list:
    """Ends of the range, or all choices."""
    if isinstance(control, Number):
        return [control.read(control.low)[0], control.read(control.high)[0]]
    if isinstance(control, Rule):
        return [*control.choices, control.low, control.high]
    return list(control.choices) if isinstance(control, Choice) else []


def outside(constraint) -> list:
    """Values just outside a constraint."""
    if isinstance(constraint, Interval):
        ends = [(constraint.low, -1, constraint.closed in ("both", "left"))]
        ends += [(constraint.high, 1, constraint.closed in ("both", "right"))]
        step = 1 if constraint.kind is int else 1e-9
        beyond = [end + side * step if holds else end for end, side, holds in ends if math.isfinite(end)]
        return [*beyond, math.nan, math.inf, "many", None, [1]] + [0.5] * (constraint.kind is int)
    if isinstance(constraint, Either):
        return [value for value in outside(constraint.parts[-1]) if not constraint.accepts(value)]
    return [7, None, 0.5, ["a"]] + ["no such thing"] * isinstance(constraint, OneOf)


@each
def test_every_default_is_offered(made):
    for control in made.controls:
        default = made.defaults[control.name]
        assert default is not inspect.Parameter.empty, f"{control.name} has no default"
        value, problem = control.read(default)
        assert value == default and not problem
        assert type(value) is type(default), f"{control.name}: {default!r} is read as {value!r}"


@each
def test_whatever_is_offered_is_valid(made):
    for control in made.controls:
        for value in (made.defaults[control.name], *offered(control)):
            check_parameters({control.name: value}, {control.name: made.valid[control.name]})


@each
def test_what_is_not_valid_is_refused_in_a_sentence(made):
    for name, constraint in made.valid.items():
        for value in outside(constraint):
            with pytest.raises(ValueError, match=f"^{name} must be .*, not "):
                check_parameters({name: value}, made.valid)


@each
def test_what_is_said_to_be_valid_is_taken_and_the_other_way_round(made):
    for maker in made.makers:
        taken = set(inspect.signature(maker).parameters) - NOT_SET
        stated = set(constraints_of(maker))
        assert taken - NOT_STATED <= stated
        assert stated - NOT_SET <= taken


@pytest.mark.parametrize("name", list(catalog.MODELS))
def test_models_refuse_at_the_call_what_is_not_valid(name):
    entry = catalog.MODELS[name]
    X = np.random.default_rng(0).normal(size=(60, 2))
    for control in entry.controls:
        wrong = outside(entry.valid[control.name])[0]
        with pytest.raises(ValueError, match=f"^{control.name} must be "):
            entry.make(**{control.name: wrong}).fit_iter(X)


@pytest.mark.parametrize("name", [name for name, entry in catalog.DATASETS.items() if entry.group != catalog.UPLOADED])
def test_data_sets_refuse_what_is_not_valid(name):
    entry = catalog.DATASETS[name]
    for control in entry.controls:
        wrong = outside(entry.valid[control.name])[0]
        with pytest.raises(ValueError, match=f"^{control.name} must be "):
            entry.make(**{control.name: wrong})


@pytest.mark.parametrize("name", list(RULES))
def test_rules_refuse_what_is_not_valid(name):
    scores = np.arange(50.0)
    for control in RULES[name].controls:
        wrong = outside(constraints_of(RULES[name].choose)[control.name])[0]
        with pytest.raises(ValueError, match=f"^{control.name} must be "):
            RULES[name](scores, np.r_[np.zeros(45), np.ones(5)], **{control.name: wrong})
