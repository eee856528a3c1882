"""The live view: data space, latent space and the loss, drawn while a model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
from flowlab.records import TrainEvent
from flowlab.serving.canvas import TrainingScene, loss_arrays, pack_scene

_mount = canvas_component("live")


def live_view(
    scene: TrainingScene, frame: Mapping[str, np.ndarray] | None, events: Sequence[TrainEvent], key: str
) -> None:
    """Draw the stage of a run; call it again with the same `key` on every tick, and points travel.

    `frame` is what `views.frame` gives (None before the first slice); `events` are all events so far. Each
    drawing in the browser dispatches `flowlab:draw` with step, `picture` (false before there is anything of the model
    to show) and ms (the time it took) in its detail.
    """
    _mount(pack_scene(scene), pack_frame(frame or {}, events), key)


def pack_frame(frame: Mapping[str, np.ndarray], events: Sequence[TrainEvent]) -> tuple[dict, dict]:
    """Header and arrays of what changes: the newest frame, and the whole loss curve, thinned out.

    The curve is sent whole because Streamlit may drop a tick that a newer one overtakes.
    """
    header: dict[str, object] = {"step": events[-1].step if events else 0}
    if "density_max" in frame:
        header["density_max"] = float(frame["density_max"])
    arrays = {name: np.asarray(frame[name]) for name in ("density", "latent", "samples") if name in frame}
    return header, arrays | loss_arrays(events)
