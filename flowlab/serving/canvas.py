"""What the canvases of assets/*.js draw, as bytes, and their code as one script: for the dashboard, a page, a notebook.

Nothing a user wrote goes into markup or script: it travels in `pack`ed data and is drawn as text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowlab import views
from flowlab.app_folder import ASSETS
from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, LatentModel
from flowlab.records import TrainEvent
from flowlab.views.film import Frame
from flowlab.views.layers import LayerPath
from flowlab.views.projection import angle_color

MAX_FRAMES = 60
MAX_LOSS_POINTS = 240
_IMPORT = re.compile(r'^import \{\s*\w+(?:,\s*\w+)*,?\s*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_TOP_LEVEL = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
_KINDS = {"float32": "f4", "float16": "f2", "uint8": "u1", "uint32": "u4"}


@dataclass(frozen=True)
class TrainingScene:
    """What stays while a run trains.

    points: (m, 2) data rows as shown on the left. window: x0, x1, y0, y1 of the left stage. color: (m,) uint8, either
    a place on the circle of hues (`color_kind` "angle": 0..255) or a class ("label": 1 = anomaly); None draws
    all alike. entropy: the floor of the loss in nats, or None where it is not known; gap_is_bound: whether the loss is
    an upper bound, so that it is only said how far above the floor it is at most. has_density: whether frames carry a
    density over `window`; has_samples, has_latent: draws of the model, latent points. n_features: of the data; a
    density over one feature is drawn as a curve. latent_is_gaussian: whether the model wants the latent points to be
    standard normal, so that circles and shares mean something; None: yes if the loss is in nats. keeps_density: false
    for a flow that is broken on purpose, whose loss is no likelihood and has no floor. anomaly_share: of all rows, of
    which anomalies are shown more often. truth: the exact density over `window`, (n, n) with row 0 lowest, or (n,) for
    one feature, a layer that can be shown over the learned one; truth_levels: those of its contours.
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
    has_samples: bool = True
    has_latent: bool = True
    n_features: int = 2
    latent_is_gaussian: bool | None = None
    keeps_density: bool = True
    anomaly_share: float = 0.0
    gap_is_bound: bool = False
    truth: np.ndarray | None = None
    truth_levels: Sequence[float] = ()


def training_scene(model: DensityModel, dataset: Dataset, keeps_density: bool = True) -> TrainingScene:
    """What stays of the picture while a model trains; a flow broken on purpose may not `keeps_density`."""
    stage = views.stage(dataset)
    labelled = dataset.y is not None and dataset.y.any()
    density = dataset.truth_for(model)
    planar = model.is_density and views.is_planar(model, dataset)
    truth, levels = views.truth(dataset) if density is not None and planar else (None, ())
    return TrainingScene(
        points=stage.points,
        window=stage.window,
        n_steps=model.n_steps,
        entropy=density.entropy() if density is not None and model.loss_is_likelihood else None,
        gap_is_bound=model.score_is_bound,
        color=stage.labels if labelled else angle_color(stage.points),
        color_kind="label" if labelled else "angle",
        axes=stage.axes,
        loss_unit=model.loss_label if keeps_density else "loss of a broken flow (nats)",
        unit="nats" if model.is_density else "",
        has_density=planar,
        has_samples=model.can_sample,
        has_latent=isinstance(model, LatentModel),
        n_features=len(dataset.judged),
        keeps_density=keeps_density,
        anomaly_share=float((dataset.y == 1).mean()) if labelled and dataset.y is not None else 0.0,
        truth=truth,
        truth_levels=tuple(levels),
    )


def pack_scene(scene: TrainingScene) -> tuple[dict, dict]:
    """Header and arrays of what stays. Also used by the film."""
    header = {
        "window": [float(v) for v in scene.window],
        "n_steps": int(scene.n_steps),
        "entropy": scene.entropy,
        "gap_is_bound": scene.gap_is_bound,
        "color_kind": scene.color_kind,
        "axes": [str(a)[:60] for a in scene.axes],
        "loss_unit": scene.loss_unit,
        "unit": scene.unit,
        "has_density": scene.has_density,
        "has_samples": scene.has_samples,
        "keeps_density": scene.keeps_density,
        "anomaly_share": scene.anomaly_share,
        "has_latent": scene.has_latent,
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


def loss_arrays(events: Sequence[TrainEvent], most: int = MAX_LOSS_POINTS) -> dict[str, np.ndarray]:
    """loss_step (uint32), loss_train and loss_val (float32) of at most `most` events, first and last among them."""
    if len(events) > most:
        events = [events[i] for i in np.linspace(0, len(events) - 1, most).round().astype(int)]
    return {
        "loss_step": np.array([e.step for e in events], np.uint32),
        "loss_train": np.array([e.train_loss for e in events], np.float32),
        "loss_val": np.array([e.val_loss for e in events], np.float32),
    }


def thin_frames(n: int, most: int = MAX_FRAMES) -> np.ndarray:
    """Indices of at most `most` of `n` frames, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))


def stack_frames(frames: Sequence[Frame], steps: Sequence[int]) -> dict[str, np.ndarray]:
    """(F, ...) arrays of the film: `steps` uint32, `density` uint8, `density_max` float32, `latent`, `samples` float16.

    An array that not every frame has in the same shape is left out.
    """
    arrays = {"steps": np.asarray(steps, np.uint32)}
    kinds = {"density": np.uint8, "density_max": np.float32, "latent": np.float16, "samples": np.float16}
    for name, kind in kinds.items():
        found = [getattr(frame, name) for frame in frames]
        parts = [np.asarray(part, kind) for part in found if part is not None]
        if parts and len(parts) == len(frames) and len({p.shape for p in parts}) == 1:
            arrays[name] = np.stack(parts)
    return arrays


def pack_layers(
    path: LayerPath,
    names: Sequence[str] = (),
    axes: tuple[str, str] = ("x", "y"),
    latent_axes: tuple[str, str] = ("latent 1", "latent 2"),
    color: np.ndarray | None = None,
    color_kind: str = "angle",
    hint: str = "Click a point to follow it.",
) -> tuple[dict, dict]:
    """Header and arrays of the way through a flow; `names` are of the layers, `color` as in `TrainingScene`.

    `hint` says what a click on a point does.
    """
    points = np.asarray(path.points, np.float32)
    if points.ndim != 3 or points.shape[2] != 2 or len(points) < 2:
        raise ValueError(f"points must have the shape (n_layers + 1, m, 2), got {points.shape}")
    header = {
        "names": ["", *(str(name)[:60] for name in names)],
        "axes": [[str(a)[:60] for a in axes], list(latent_axes)],
        "color_kind": color_kind,
        "hint": hint,
    }
    packed = {"positions": points, "rows": np.asarray(path.rows, np.uint32), "volume": _so_far(path.log_det)}
    if path.grid is not None and path.grid_log_det is not None:
        packed |= {"grid": np.asarray(path.grid, np.float32), "grid_volume": _so_far(path.grid_log_det)}
    if color is not None:
        packed["color"] = np.asarray(color).astype(np.uint8)
    return header, packed


def pack(header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """One block of bytes that `unpack` in assets/common.js reads: a JSON header, then the arrays.

    `arrays` may be float32, float16 (float32 in the browser), uint8 or uint32, of any shape; float64 is sent as
    float32. Numbers of the header that are not finite become null.

    >>> len(pack({"step": 1}, {"a": np.zeros(3, np.float32)})) % 4
    0
    """
    table: list[tuple[str, str, list[int], int]] = []
    blocks: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        array = np.ascontiguousarray(array, dtype=np.float32 if array.dtype == np.float64 else array.dtype)
        if array.dtype.name not in _KINDS:
            raise TypeError(f"array {name!r} must be one of {', '.join(_KINDS)}, got {array.dtype}")
        block = array.tobytes()
        block += b"\0" * (-len(block) % 4)
        table.append((name, _KINDS[array.dtype.name], list(array.shape), offset))
        blocks.append(block)
        offset += len(block)
    # The offsets count from the start of the message, and their digits are part of it: room for ten digits each.
    fields = {key: _finite(value) for key, value in header.items()}
    start = 4 + len(json.dumps({**fields, "arrays": table})) + 10 * len(table)
    start += -start % 4
    text = json.dumps({**fields, "arrays": [[n, k, s, o + start] for n, k, s, o in table]}).ljust(start - 4)
    return len(text).to_bytes(4, "little") + text.encode() + b"".join(blocks)


def join_modules(entry: Path) -> str:
    """One ES module that does what `entry` does: the modules that it imports, each once and before those that need it.

    Follows `import { names } from "./file.js";` and strips `export`. The modules share one scope, so their top-level
    names must differ. Only `entry` may have a default export.

    Raises
    ------
    ValueError
        A module is not there, imports itself by way of others, has an import or export of another form, or a
        top-level name that another module has too.
    """
    parts: dict[Path, str] = {}
    owners: dict[str, str] = {}

    def add(path: Path, importers: tuple[Path, ...]) -> None:
        if path in importers:
            raise ValueError(f"{' -> '.join(p.name for p in (*importers, path))}: a module must not import itself")
        if path in parts:
            return
        if not path.is_file():
            raise ValueError(
                f"{importers[-1].name if importers else 'the page'} imports {path.name}, which is not there"
            )
        text = path.read_text(encoding="utf-8")
        for file in _IMPORT.findall(text):
            add(path.parent / file, (*importers, path))
        body = re.sub(r"^export (?=(?:async )?function|class|const|let)", "", _IMPORT.sub("", text), flags=re.MULTILINE)
        for line in _OTHER.findall(body):
            if not (path == entry and line.startswith("export default ")):
                raise ValueError(f"{path.name}: cannot follow {line!r}")
        for name in _TOP_LEVEL.findall(body):
            if owners.setdefault(name, path.name) != path.name:
                raise ValueError(f"{path.name} and {owners[name]} both have {name} at their top level")
        parts[path] = body

    add(entry, ())
    return "\n".join(parts.values())


def style_sheet() -> str:
    """The style sheet of the canvases."""
    return (ASSETS / "stages.css").read_text(encoding="utf-8")


def _so_far(log_det: np.ndarray) -> np.ndarray:
    """(n_layers, ...) of each layer -> (n_layers + 1, ...) sum up to each layer, 0 at first."""
    total = np.cumsum(np.asarray(log_det, np.float64), axis=0)
    return np.concatenate([np.zeros_like(total[:1]), total]).astype(np.float32)


def _finite(value: object) -> object:
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
