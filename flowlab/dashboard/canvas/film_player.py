"""The film of a run: every kept frame on one slider, played in the browser without reruns, growing while it trains."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from flowlab.dashboard.canvas.component import canvas_component
from flowlab.dashboard.shell import state
from flowlab.records import TrainEvent
from flowlab.serving.canvas import TrainingScene, loss_arrays, pack_scene, stack_frames, thin_frames
from flowlab.store.arrays import from_arrays
from flowlab.views.film import Frame

_mount = canvas_component("film")


def film_view(
    scene: TrainingScene,
    frames: Sequence[Mapping[str, np.ndarray]],
    steps: Sequence[int],
    events: Sequence[TrainEvent],
    key: str,
    start: int | None = None,
    growing: bool = False,
    gap: float | None = None,
) -> int:
    """Show the film; the step that the reader has stopped at (the last one at first).

    frames: arrays of the `views.film.Frame`s as a run keeps them, one for each entry of `steps` (rising); at most
    `MAX_FRAMES` of them are shown, evenly chosen. start: the step to open at. growing: the run still trains. gap: as of
    `live_view`. Call it again with the same `key` when there are more frames: only the new ones are read and sent, and
    a film that stands at its end follows. The page reruns when the slider is released or the film pauses, never while
    it plays. Each drawing in the browser dispatches `flowlab:draw` with position, step, length and playing in its
    detail.
    """
    if len(frames) != len(steps) or not len(steps):
        raise ValueError(f"frames and steps must be equally many and at least one, got {len(frames)} and {len(steps)}")
    kept = thin_frames(len(steps))
    index_of_step = {int(steps[i]): i for i in kept}
    default = None if start is None or start >= steps[-1] else _nearest(index_of_step, start)
    base, new = _sent(key, index_of_step, frames)
    header, arrays = pack_scene(scene)
    new["listed"] = np.array(list(index_of_step), np.uint32)
    result = _mount(
        (header, arrays | base),
        ({"start": default, "growing": growing, "gap": gap}, new | loss_arrays(events)),
        key,
        default={"step": default},
        on_step_change=lambda: None,
    )
    return max(index_of_step) if not isinstance(result.step, int) else _nearest(index_of_step, result.step)


def _nearest(steps: Iterable[int], step: int) -> int:
    return min(steps, key=lambda other: abs(other - step))


def _sent(key: str, index_of_step: Mapping[int, int], frames: Sequence[Mapping[str, np.ndarray]]) -> tuple[dict, dict]:
    """The film as it was when it was opened, and what came since: two messages, of which only the second changes.

    A frame is sent twice, because Streamlit may drop a tick that a newer one overtakes.
    """
    memory = state.recall(key)
    if memory is None or state.widget_value(key) is None:
        memory = (_read(frames, index_of_step), set(index_of_step), set(index_of_step))
    base, before, last = memory
    state.keep(key, (base, last, last | set(index_of_step)))
    return base, _read(frames, {step: i for step, i in index_of_step.items() if step not in before})


def _read(frames: Sequence[Mapping[str, np.ndarray]], wanted: Mapping[int, int]) -> dict[str, np.ndarray]:
    read = {}
    for step, i in wanted.items():
        with contextlib.suppress(RuntimeError):  # a film that grows loses frames in between
            read[step] = from_arrays(Frame, frames[i])
    return stack_frames(list(read.values()), list(read))
