"""Snapshot: what a run has learned by one step, held still so that pages can look at it while training goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.jobs.slices import Arrays, weights
from flowlab.runs import Run


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The weights of a run after `step` steps, without what only training needs.

    created : when the run was begun, in seconds since 1970; a run that is started again has other weights at a step
    """

    run_id: str
    created: float
    step: int
    weights: dict[str, np.ndarray]

    @property
    def key(self) -> tuple:
        """A name for these weights."""
        return (self.run_id, self.created, self.step)


def snapshot_of(run: Run, checkpoint: Arrays | None = None) -> Snapshot | None:
    """The snapshot of a run at `checkpoint`, by default the newest on disk; None before the first.

    StoreError if what is on disk is damaged.
    """
    checkpoint = checkpoint or run.checkpoint
    step = run.events[-1].step if run.events else 0
    if checkpoint is None and run.kept_steps:
        # A fork that has not taken a step of its own stands where its parent did.
        step = run.kept_steps[-1]
        checkpoint = run.kept_checkpoint(step)
    if checkpoint is None:
        return None
    step = int(checkpoint.get("train.step", checkpoint.get("step", step)))
    return Snapshot(run.run_id, run.created, step, weights(checkpoint))
