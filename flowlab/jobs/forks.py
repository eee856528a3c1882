"""Forks: where a fork's way begins, which runs are of one family, and their losses for a race on one chart."""

from __future__ import annotations

import numpy as np

from flowlab import catalog
from flowlab.records import RunSpec
from flowlab.store.errors import RunNotFound
from flowlab.store.reading import Run
from flowlab.store.runs import RunStore

Way = tuple[tuple[RunSpec, int], ...]
"""Stretches of training: each spec up to its step."""


def parent_of(store: RunStore, spec: RunSpec) -> Run:
    """The run a fork goes on from. RunNotFound: it is not here or has not got so far; ValueError: it does not fit."""
    run_id, step = spec.branch
    parent = store.load(run_id)
    if parent is None:
        raise RunNotFound(f"The run this one was forked from, {run_id}, is not on this server; train that one first.")
    reached = parent.events[-1].step if parent.events else 0
    if reached < step:
        raise RunNotFound(f"The run to fork has {reached} steps behind it, not {step}; train it further first.")
    problem = catalog.fork_problem(parent.spec, spec)
    if problem:
        raise ValueError(problem)
    return parent


def way(store: RunStore, parent: Run, step: int) -> tuple[int, dict[str, np.ndarray] | None, Way]:
    """The nearest kept step up to `step` of `parent` (or 0), its checkpoint, and the stretches to train from there.

    What a run that is a fork itself did before its own branch, its parent did: those stretches are the parent's.
    """
    kept = max((at for at in parent.kept_steps if at <= step), default=0)
    if parent.spec.branch is None or kept >= min(step, parent.spec.branch[1]):
        checkpoint = parent.kept_checkpoint(kept) if kept else None
        return kept, checkpoint, ((parent.spec, step),) if kept < step else ()
    run_id, branch = parent.spec.branch
    origin = store.load(run_id)
    if origin is None:
        raise RunNotFound(f"The run {run_id}, which leads to step {step}, is gone; train it again first.")
    kept, checkpoint, before = way(store, origin, min(branch, step))
    return kept, checkpoint, before + (((parent.spec, step),) if step > branch else ())


def fork_spec(store: RunStore, run: Run, step: int, spec: RunSpec) -> RunSpec:
    """`spec` as the fork of `run` at `step`; of the run it was forked from, where that took the step."""
    while run.spec.branch and step <= run.spec.branch[1]:
        origin = store.load(run.spec.branch[0])
        if origin is None:
            break
        run = origin
    return spec.forked(run.run_id, step)


def family(store: RunStore, run: Run) -> list[Run]:
    """The run where it all began, its forks, theirs and so on, each after its parent, older before younger."""
    runs = {other.run_id: other for other in store.list()}
    root = run
    while root.spec.branch and root.spec.branch[0] in runs:
        root = runs[root.spec.branch[0]]
    children: dict[str, list[Run]] = {}
    for other in sorted(runs.values(), key=lambda other: other.created):
        if other.spec.branch:
            children.setdefault(other.spec.branch[0], []).append(other)
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop(0))
        waiting = children.get(found[-1].run_id, []) + waiting
    return found


def differences(parent: RunSpec, fork: RunSpec) -> str:
    """What a fork learns with that its parent did not, in words: "learning rate 0.01, steps 400"."""
    entry = catalog.MODELS[fork.model.name]
    old, new = entry.complete(parent.model).params, entry.complete(fork.model).params
    changed = [c for c in entry.controls if old[c.name] != new[c.name]]
    return ", ".join(f"{c.label.lower()} {new[c.name]:g}" for c in changed) or "unchanged"
