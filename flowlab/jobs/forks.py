"""Forks: the training that leads to a fork, which runs belong to one family, and how their settings differ."""

from __future__ import annotations

import numpy as np

from flowlab import catalog
from flowlab.records import RunSpec
from flowlab.store.errors import RunNotFound
from flowlab.store.reading import Run
from flowlab.store.runs import RunStore

Lineage = tuple[tuple[RunSpec, int], ...]
"""Stretches of training, one after the other: each spec up to its step."""


def parent_of(store: RunStore, spec: RunSpec) -> Run:
    """The run that the fork `spec` goes on from.

    RunNotFound if it is not here or has not reached the step; ValueError if the fork changes more than it may.
    """
    if spec.branch is None:
        raise ValueError("This run goes on from no other; name its parent and step.")
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


def lineage(store: RunStore, parent: Run, step: int) -> tuple[int, dict[str, np.ndarray] | None, Lineage]:
    """The last kept step of `parent` up to `step` (or 0), its checkpoint, and the stretches to train from there.

    Where `parent` is a fork itself, stretches before its own branch are trained by its parent's spec. RunNotFound if
    such an earlier run is needed and gone.
    """
    kept = max((at for at in parent.kept_steps if at <= step), default=0)
    if parent.spec.branch is None or kept >= min(step, parent.spec.branch[1]):
        checkpoint = parent.kept_checkpoint(kept) if kept else None
        return kept, checkpoint, ((parent.spec, step),) if kept < step else ()
    run_id, branch = parent.spec.branch
    origin = store.load(run_id)
    if origin is None:
        raise RunNotFound(f"The run {run_id}, which leads to step {step}, is gone; train it again first.")
    kept, checkpoint, stretches = lineage(store, origin, min(branch, step))
    return kept, checkpoint, stretches + (((parent.spec, step),) if step > branch else ())


def fork_spec(store: RunStore, run: Run, step: int, spec: RunSpec) -> RunSpec:
    """`spec` as the fork of `run` at `step`, or of the run among its ancestors that trained this step."""
    seen = set()
    while run.spec.branch and step <= run.spec.branch[1] and run.run_id not in seen:
        seen.add(run.run_id)
        origin = store.load(run.spec.branch[0])
        if origin is None:
            break
        run = origin
    shared = store.load(run.copy_of) if run.copy_of else None
    if shared is not None and shared.events and shared.events[-1].step >= step:
        run = shared  # the same weights, under the name that outlives a copy
    return spec.forked(run.run_id, step)


def family(store: RunStore, run: Run, user: str = "") -> list[Run]:
    """The first ancestor of a run and all its forks, theirs and so on, each after its parent, older before younger.

    With `user` without the forks that other users began, unless the run goes on from them.
    """
    runs = {other.run_id: other for other in store.list() if not other.copy_of or other.run_id == run.run_id}
    if run.copy_of:
        runs.pop(run.copy_of, None)
    root, seen = run, {run.run_id}
    while root.spec.branch and root.spec.branch[0] in runs and root.spec.branch[0] not in seen:
        root = runs[root.spec.branch[0]]
        seen.add(root.run_id)
    children: dict[str, list[Run]] = {}
    for other in sorted(runs.values(), key=lambda other: other.created):
        if other.spec.branch:
            children.setdefault(other.spec.branch[0], []).append(other)
    related, waiting, is_own = [], [root], {"", user} if user else None
    while waiting:
        related.append(waiting.pop(0))
        # A damaged record may name a run as its own ancestor.
        waiting = [child for child in children.pop(related[-1].run_id, []) if child is not root] + waiting
    return [each for each in related if is_own is None or each.run_id in seen or each.user in is_own]


def differences(parent: RunSpec, fork: RunSpec) -> str:
    """The settings in which a fork differs from its parent, in words: "learning rate 0.01, steps 400"."""
    entry = catalog.MODELS[fork.model.name]
    old, new = entry.complete(parent.model).params, entry.complete(fork.model).params
    changed = [c for c in entry.controls if old[c.name] != new[c.name]]
    return ", ".join(f"{c.label.lower()} {c.spelled(new[c.name])}" for c in changed) or "unchanged"
