"""What a fork may change, every model really takes; and a race shows each run's own losses."""

import math

import numpy as np
import pytest

from flowlab import catalog
from flowlab.controls import Flag, Number
from flowlab.evaluation import loss_curve
from flowlab.jobs import forks, run_slice
from flowlab.records import RunSpec, Spec, TrainEvent

SMALL = Spec("moons", {"n_samples": 500})
PARENT = "3f9a0c1d77e2ab41"
FORKABLE = [name for name, entry in catalog.MODELS.items() if any(c.learning for c in entry.controls)]


def other_value(control, value):
    if isinstance(control, Flag):
        return not value
    return next(v for v in (control.low + 2 * control.step, control.low + control.step) if v != value)


@pytest.mark.parametrize("name", FORKABLE)
def test_every_setting_of_learning_can_change_in_a_fork(name):
    entry = catalog.MODELS[name]
    data = Spec("digit_images") if entry.make.is_for_images else SMALL
    parent = catalog.tidy(RunSpec(data, Spec(name, {"n_steps": 100})))[0]
    start = run_slice(parent, None, 2, with_frame=False).checkpoint
    values = entry.complete(parent.model).params
    params = {c.name: other_value(c, values[c.name]) for c in entry.controls if c.learning}
    fork = catalog.tidy(RunSpec(data, Spec(name, {**parent.model.params, **params})))[0].forked(PARENT, 2)
    assert catalog.fork_problem(parent, fork) == ""
    assert run_slice(fork, start, 1, with_frame=False).events[-1].step == 3


@pytest.mark.parametrize("name", list(catalog.MODELS))
def test_nothing_else_can(name):
    entry = catalog.MODELS[name]
    parent = catalog.tidy(RunSpec(SMALL, Spec(name)))[0]
    for control in entry.controls:
        if not control.learning and isinstance(control, Number):
            value = other_value(control, entry.defaults[control.name])
            fork = catalog.tidy(RunSpec(SMALL, Spec(name, {control.name: value})))[0].forked(PARENT, 2)
            assert catalog.fork_problem(parent, fork).startswith(f"{control.label} cannot change in a fork")


def test_a_fork_with_more_patience_goes_on_where_its_parent_gave_up():
    impatient = RunSpec(SMALL, Spec("affine", {"n_steps": 5000, "patience": 1, "learning_rate": 0.3}))
    stopped = run_slice(impatient, None, 5000, with_frame=False)
    step = stopped.events[-1].step
    assert stopped.finished and step < 5000, "this parent stops early"
    assert not run_slice(impatient, stopped.checkpoint, 10, with_frame=False).events
    patient = RunSpec(SMALL, Spec("affine", {"n_steps": 5000, "learning_rate": 0.3}))
    assert run_slice(patient, stopped.checkpoint, 10, with_frame=False).events[-1].step == step + 10


def event(step, train_loss, val_loss=math.nan):
    return TrainEvent(step, 100, 0.0, train_loss, val_loss, 0.0, 0.0)


def test_a_forks_curve_begins_on_its_parents():
    way = [event(5, 9.0), event(50, 4.0, 3.0), event(60, 3.5, 3.0)]
    parent = loss_curve.own_losses([*way, event(100, 3.0, 2.0)])
    assert [list(values) for values in parent] == [[50, 100], [3.0, 2.0]], "a repeated evaluation is one point"
    fork = [*way, event(70, 3.4, 3.0), event(100, 2.0, 1.0)]
    assert [list(values) for values in loss_curve.own_losses(fork, 60, parent)] == [[60, 100], [2.8, 1.0]]
    steps, losses = loss_curve.own_losses(fork, 5, parent)
    assert list(steps) == [5, 50, 100] and np.isnan(losses[0]) and list(losses[1:]) == [3.0, 1.0]
    unvalidated = loss_curve.own_losses([event(5, 9.0), event(10, 8.0)])
    assert [list(values) for values in unvalidated] == [[5, 10], [9.0, 8.0]]
    assert len(loss_curve.own_losses([])[0]) == 0 and list(loss_curve.own_losses([], 7)[0]) == [7]


def test_words_for_what_a_fork_does_differently():
    parent = RunSpec(SMALL, Spec("spline"))
    fork = RunSpec(SMALL, Spec("spline", {"learning_rate": 0.01, "noise": 0.1})).forked(PARENT, 9)
    assert forks.differences(parent, fork) == "learning rate 0.01, input noise 0.1"
    assert forks.differences(parent, parent) == "unchanged"
    kept = Spec("affine", {**parent.model.params, "keep_best": False})
    assert forks.differences(parent, RunSpec(SMALL, kept)) == "restore the best step off"
