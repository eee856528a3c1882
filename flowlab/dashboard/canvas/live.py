"""The live stage of a run while it trains: data space, latent space, density and loss, moved by every new frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
from flowlab.records import TrainEvent
from flowlab.serving.canvas import TrainingScene, loss_arrays, pack_scene
from flowlab.views.film import Frame

_mount = canvas_component("live")


@dataclass(frozen=True)
class Beside:
    """The run that another stage shows beside this one: its scene and all its events so far."""

    scene: TrainingScene
    events: Sequence[TrainEvent]


def live_view(
    scene: TrainingScene,
    frame: Frame | None,
    events: Sequence[TrainEvent],
    key: str,
    gap: float | None = None,
    ghost_of: str = "",
    beside: Beside | None = None,
) -> None:
    """Draw the stage of a run; call it again with the same `key` on every tick, and points travel.

    `frame` is what `views.frame` gives (None before the first slice); `events` are all events so far; `gap` are the
    nats above the truth of the finished run, which its last validation loss only estimates. `ghost_of`: words for the
    other model that the frame is of, which is then drawn faintly and named. `beside`: the run of another stage, so that
    this one takes half the page, and their losses have the same axes where they have the same unit. Each drawing in
    the browser dispatches `flowlab:draw` with step, `picture` (false before there is anything of the model to show)
    and ms (the time it took) in its detail.
    """
    header, arrays = pack_frame(frame, events, gap)
    if ghost_of:
        header["ghost"] = ghost_of[:120]
    if beside is not None:
        header["twin"] = True
        if beside.scene.loss_unit == scene.loss_unit:
            header["beside_n_steps"] = beside.scene.n_steps
            losses = loss_arrays(beside.events)
            arrays |= {"beside_train": losses["loss_train"], "beside_val": losses["loss_val"]}
    _mount(pack_scene(scene), (header, arrays), key)


def pack_frame(frame: Frame | None, events: Sequence[TrainEvent], gap: float | None = None) -> tuple[dict, dict]:
    """Header and arrays of what changes: the newest frame, and the whole loss curve, thinned out.

    The curve is sent whole because Streamlit may drop a tick that a newer one overtakes.
    """
    header: dict[str, object] = {"step": events[-1].step if events else 0, "gap": gap}
    if frame is None:
        return header, loss_arrays(events)
    if frame.density_max is not None:
        header["density_max"] = float(frame.density_max)
    arrays: dict[str, np.ndarray | None] = {"density": frame.density, "latent": frame.latent, "samples": frame.samples}
    return header, {name: array for name, array in arrays.items() if array is not None} | loss_arrays(events)
