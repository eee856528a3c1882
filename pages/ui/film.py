"""The film of a run: every kept frame on one slider, played in the browser without reruns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from flowlab.records import TrainEvent
from pages.ui.component import canvas_component
from pages.ui.live import Scene, loss_arrays, pack_scene

MAX_FRAMES = 60
_mount = canvas_component("film", "stages.css", "stages.js", "player.js", "film.js")


def film_view(
    scene: Scene,
    frames: Sequence[Mapping[str, np.ndarray]],
    steps: Sequence[int],
    events: Sequence[TrainEvent],
    key: str,
    start: int | None = None,
) -> int:
    """Show the film; the index into `frames` that the reader has stopped at (the last one at first).

    frames: what `views.frame` gave, one for each entry of `steps` (rising); at most `MAX_FRAMES` of them are shown,
    evenly chosen. start: frame to open at. The page reruns when the slider is released or the film pauses, never
    while it plays. In the browser `window.__flowlab_film` holds fps, frames, draw_ms, position and playing.
    """
    if len(frames) != len(steps) or not frames:
        raise ValueError(f"frames and steps must be equally many and at least one, got {len(frames)} and {len(steps)}")
    kept = thin_frames(len(frames))
    shown = int(np.abs(kept - start).argmin()) if start is not None else len(kept) - 1
    header, arrays = pack_scene(scene)
    arrays = arrays | stack_frames([frames[i] for i in kept], [steps[i] for i in kept]) | loss_arrays(events)
    result = _mount(
        (header, arrays), ({"frame": shown}, {}), key, default={"frame": shown}, on_frame_change=lambda: None
    )
    chosen = result.frame if isinstance(result.frame, int) else shown
    return int(kept[min(max(chosen, 0), len(kept) - 1)])


def thin_frames(n: int, most: int = MAX_FRAMES) -> np.ndarray:
    """Indices of at most `most` of `n` frames, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def stack_frames(frames: Sequence[Mapping[str, np.ndarray]], steps: Sequence[int]) -> dict[str, np.ndarray]:
    """(F, ...) arrays of the film: `steps` uint32, `density` uint8, `density_max` float32, `latent`, `samples` float16.

    An array that not every frame has in the same shape is left out.
    """
    arrays = {"steps": np.asarray(steps, np.uint32)}
    kinds = {"density": np.uint8, "density_max": np.float32, "latent": np.float16, "samples": np.float16}
    for name, kind in kinds.items():
        parts = [np.asarray(f[name], kind) for f in frames if name in f]
        if len(parts) == len(frames) and len({p.shape for p in parts}) == 1:
            arrays[name] = np.stack(parts)
    return arrays
