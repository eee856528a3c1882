"""The live view: data space, latent space and the loss, drawn while a model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
from flowlab.records import TrainEvent

MAX_LOSS_POINTS = 240
_mount = canvas_component("live")


@dataclass(frozen=True)
class TrainingScene:
    """What stays while a run trains.

    points: (m, 2) data rows as shown on the left. window: x0, x1, y0, y1 of the left stage. color: (m,) uint8, either
    a place on the circle of hues (`color_kind` "angle": 0..255) or a class ("label": 1 = anomaly); None draws
    all alike. entropy: the floor of the loss in nats, or None where it is not known. has_density: whether frames
    carry a density over `window`. n_features: of the data; a density over one feature is drawn as a curve.
    latent_is_gaussian: whether the model wants the latent points to be standard normal, so that circles and shares
    mean something; None: yes if the loss is in nats. truth: the exact density over `window`, (n, n) with row 0 lowest,
    or (n,) for one feature, as a layer that can be shown over the learned one; truth_levels: those of its contours.
    """

    points: np.ndarray
    window: tuple[float, float, float, float]
    n_steps: int
    entropy: float | None = None
    color: np.ndarray | None = None
    color_kind: str = "angle"
    axes: tuple[str, str] = ("x", "y")
    loss_unit: str = "nats per row"
    unit: str = "nats"
    has_density: bool = True
    n_features: int = 2
    latent_is_gaussian: bool | None = None
    truth: np.ndarray | None = None
    truth_levels: Sequence[float] = ()


def live_view(
    scene: TrainingScene,
    frame: Mapping[str, np.ndarray] | None,
    events: Sequence[TrainEvent],
    key: str,
    ghost_of: str = "",
) -> None:
    """Draw the stage of a run; call it again with the same `key` on every tick, and points travel.

    `frame` is what `views.frame` gives (None before the first slice); `events` are all events so far. `ghost_of`: words
    for the other model that the frame is of, which is then drawn faintly and named, until there is one of the run. Each
    drawing in the browser dispatches `flowlab:draw` with step, `picture` (false before there is anything of the model
    to show) and ms (the time it took) in its detail.
    """
    header, arrays = pack_frame(frame or {}, events)
    if ghost_of:
        header["ghost"] = ghost_of[:120]
    _mount(pack_scene(scene), (header, arrays), key)


def pack_scene(scene: TrainingScene) -> tuple[dict, dict]:
    """Header and arrays of what stays. Also used by the film."""
    header = {
        "window": [float(v) for v in scene.window],
        "n_steps": int(scene.n_steps),
        "entropy": scene.entropy,
        "color_kind": scene.color_kind,
        "axes": [str(a)[:60] for a in scene.axes],
        "loss_unit": scene.loss_unit,
        "unit": scene.unit,
        "has_density": scene.has_density,
        "n_features": scene.n_features,
        "latent_is_gaussian": scene.unit == "nats" if scene.latent_is_gaussian is None else scene.latent_is_gaussian,
    }
    arrays = {"points": np.asarray(scene.points, np.float32).reshape(-1, 2)}
    if scene.truth is not None:
        header["truth_levels"] = [float(level) for level in scene.truth_levels]
        arrays["truth"] = np.asarray(scene.truth, np.float32)
    if scene.color is not None:
        arrays["color"] = np.asarray(scene.color).astype(np.uint8)
    return header, arrays


def pack_frame(frame: Mapping[str, np.ndarray], events: Sequence[TrainEvent]) -> tuple[dict, dict]:
    """Header and arrays of what changes: the newest frame, and the whole loss curve, thinned out.

    The curve is sent whole because Streamlit may drop a tick that a newer one overtakes.
    """
    header: dict[str, object] = {"step": events[-1].step if events else 0}
    if "density_max" in frame:
        header["density_max"] = float(frame["density_max"])
    arrays = {name: np.asarray(frame[name]) for name in ("density", "latent", "samples") if name in frame}
    return header, arrays | loss_arrays(events)


def loss_arrays(events: Sequence[TrainEvent], most: int = MAX_LOSS_POINTS) -> dict[str, np.ndarray]:
    """loss_step (uint32), loss_train and loss_val (float32) of at most `most` events, first and last among them."""
    if len(events) > most:
        events = [events[i] for i in np.linspace(0, len(events) - 1, most).round().astype(int)]
    return {
        "loss_step": np.array([e.step for e in events], np.uint32),
        "loss_train": np.array([e.train_loss for e in events], np.float32),
        "loss_val": np.array([e.val_loss for e in events], np.float32),
    }
