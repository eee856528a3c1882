"""Runs that race: the validation losses of a run and its forks on one chart that grows without blinking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component

_mount = canvas_component("race")


@dataclass(frozen=True)
class Racer:
    """One run in a race: its name, steps (n,) and validation losses (n,).

    A fork has its branch point first, at step `start`; the `present` run is the one looked at.
    """

    name: str
    steps: Sequence[int]
    losses: Sequence[float]
    start: int = 0
    present: bool = False


def race_view(racers: Sequence[Racer], n_steps: int, loss_label: str, floor: float | None, key: str) -> None:
    """Validation loss against the step up to `n_steps`, a line for each run, branch points ringed.

    loss_label: what is drawn upwards, with its unit. floor: the entropy, or None where it is not known. Call it again
    with the same `key` while the runs train.
    """
    header = {
        "names": [racer.name[:120] for racer in racers],
        "starts": [int(racer.start) for racer in racers],
        "lengths": [len(racer.steps) for racer in racers],
        "present": next((i for i, racer in enumerate(racers) if racer.present), -1),
        "n_steps": int(n_steps),
    }
    arrays = {
        "steps": np.concatenate([np.asarray(r.steps, np.uint32) for r in racers] or [np.zeros(0, np.uint32)]),
        "losses": np.concatenate([np.asarray(r.losses, np.float32) for r in racers] or [np.zeros(0, np.float32)]),
    }
    _mount(({"loss_label": loss_label, "floor": floor}, {}), (header, arrays), key)
