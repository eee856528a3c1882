"""The film of a training as a thing of its own: an HTML page that opens from disk, a notebook's widget."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from flowlab import catalog, formatting, views
from flowlab.app_folder import ASSETS
from flowlab.catalog.faults import keeps_density
from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation import loss_curve
from flowlab.models.base import DensityModel, FlowModel
from flowlab.plots import theme
from flowlab.records import RunSpec, TrainEvent
from flowlab.serving.canvas import (
    MAX_FRAMES,
    TrainingScene,
    join_modules,
    loss_arrays,
    pack,
    pack_layers,
    pack_scene,
    stack_frames,
    style_sheet,
    thin_frames,
    training_scene,
)
from flowlab.store.arrays import from_arrays
from flowlab.store.atomic import make_folder, on_disk, write_whole
from flowlab.store.reading import Run
from flowlab.store.runs import RunStore
from flowlab.toys.base import ToyDensity
from flowlab.toys.dataset import make_toy
from flowlab.views.film import Final, Frame
from flowlab.views.layers import LayerPath
from flowlab.views.projection import angle_color

FRAME_HEIGHT = 860
"""Pixels of the frame that shows the page in a notebook without anywidget."""
NO_NETWORK = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --text: %(light_text)s; --page: %(light_background)s; --link: %(light_model)s; }
@media (prefers-color-scheme: dark) {
  :root { --text: %(dark_text)s; --page: %(dark_background)s; --link: %(dark_model)s; } }
body { margin: 0 auto; max-width: 1100px; padding: 16px; font: 15px/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--page); }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 28px 0 4px; } a { color: var(--link); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 20px; margin: 4px 0; }
dt { opacity: 0.75; } dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
"""


@dataclass(frozen=True, eq=False)
class Film:
    """A training to look at again: its pictures from step to step, its layers, its loss, its settings.

    A notebook plays it where it is the last line of a cell: as a widget if anywidget is installed, else in a frame.

    Attributes
    ----------
    title : data and model, in words
    scene : what stays of the picture
    frames, steps : what `views.frame` gave, and after which training steps
    events : of the training, as they are drawn
    layers : the way through the layers of the trained flow, None where there is none
    layer_names : what each layer does, in few words
    facts : name and text of what was measured, the loss and its floor first
    settings : name and text of what was set
    missing : what the model or the data do not have, in a sentence; "" where nothing is missing
    link : address that opens the run in the dashboard, "" without one
    """

    title: str
    scene: TrainingScene
    frames: Sequence[Frame]
    steps: Sequence[int]
    events: Sequence[TrainEvent]
    layers: LayerPath | None = None
    layer_names: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    settings: Sequence[tuple[str, str]] = ()
    missing: str = ""
    link: str = ""

    def to_html(self) -> str:
        """The page, whole: scripts and pictures are in it, and it asks nothing of any network."""
        lists = [("Result", self.facts), ("Settings", self.settings)]
        told = "".join(f"<h2>{name}</h2><dl>{_pairs(pairs)}</dl>" for name, pairs in lists if pairs)
        link = f'<p><a href="{html.escape(self.link)}">Open this run in FlowLab</a></p>' if self.link else ""
        missing = f"<p>{html.escape(self.missing)}</p>" if self.missing else ""
        start = 'present(document.getElementById("canvases"), JSON.parse(document.getElementById("show").textContent)'
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f'<meta http-equiv="Content-Security-Policy" content="{NO_NETWORK}">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(self.title)}</title><style>{_page_style()}</style></head>\n"
            f"<body><h1>{html.escape(self.title)}</h1>{missing}"
            "<noscript>The pictures are drawn by JavaScript, which is switched off here.</noscript>"
            f'<main id="canvases"></main>{told}{link}\n'
            f'<script type="application/json" id="show">{self._show}</script>\n'
            f'<script type="module">\n{_script()}\n{start}, carriers);\n</script></body></html>\n'
        )

    def save(self, path: str | Path) -> None:
        """Write the page to a file. StoreError, one sentence, where that cannot be written."""
        with on_disk(f"{path} could not be written"):
            make_folder(Path(path).parent)
            write_whole(Path(path), self.to_html().encode())

    def widget(self) -> Any:
        """The film as an anywidget for Jupyter and marimo, whose `step`, `layer` and `row` are where its reader stands.

        ModuleNotFoundError where the package anywidget is not installed.
        """
        return _widget_class()(show=self._show)

    def _repr_html_(self) -> str:
        page = html.escape(self.to_html())
        return f'<iframe srcdoc="{page}" style="width:100%;height:{FRAME_HEIGHT}px;border:0"></iframe>'

    def _display_(self) -> Any:
        """What marimo shows: the widget, or the page in a frame."""
        try:
            return self.widget()
        except ModuleNotFoundError:
            return _Frame(self._repr_html_())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any] | tuple[dict[str, Any], dict[str, Any]] | None:
        try:
            return self.widget()._repr_mimebundle_()
        except ModuleNotFoundError:
            return {"text/html": self._repr_html_()}

    @cached_property
    def _show(self) -> str:
        """JSON that `present` in assets/standalone.js reads."""
        return json.dumps({"parts": self._parts(), "colors": theme.canvas_colors()})

    def _parts(self) -> list[dict[str, str]]:
        kept = thin_frames(len(self.steps))
        steps = [int(self.steps[i]) for i in kept]
        header, arrays = pack_scene(self.scene)
        film = (header, arrays | stack_frames([self.frames[i] for i in kept], steps))
        now = {"listed": np.array(steps, np.uint32)} | loss_arrays(self.events)
        title = "The training" if len(steps) > 1 else "The model"
        parts = [_part("film", title, film, ({"start": None, "growing": False}, now))]
        if self.layers is not None:
            names = (f"{self.scene.axes[0]} (scaled)", f"{self.scene.axes[1]} (scaled)")
            color, kind = _layer_colors(self.layers)
            header, arrays = pack_layers(self.layers, self.layer_names, names, color=color, color_kind=kind)
            halved = {name: a.astype(np.float16) if a.dtype == np.float32 else a for name, a in arrays.items()}
            parts.append(_part("layers", "The layers", (header, halved), ({"layer": 0, "row": None}, {})))
        return parts


def _layer_colors(layers: LayerPath) -> tuple[np.ndarray, str]:
    return (layers.labels, "label") if layers.labels.any() else (angle_color(layers.points[0]), "angle")


def film_of_run(
    run: Run, dataset: Dataset, layers: LayerPath | None = None, moved: np.ndarray | None = None, link: str = ""
) -> Film:
    """The film of a finished run.

    Parameters
    ----------
    run : done or stopped; ValueError, a sentence, for others
    dataset : it learned from
    layers : `views.layers` of its model, None where that is no flow
    moved : (n_layers, n_features) bool, which columns each layer changes (`views.masks`), None where it is not known
    link : address that opens the run in the dashboard
    """
    _check_usable(run)
    spec = run.spec
    entry, model = catalog.MODELS[spec.model.name], catalog.make_model(spec.model, spec.seed, dataset)
    values = {
        **{control.label: entry.complete(spec.model).params[control.name] for control in entry.controls},
        **{c.label: v for c in catalog.DATASETS[spec.data.name].controls
           if (v := catalog.DATASETS[spec.data.name].complete(spec.data).params[c.name]) != ""},
    }  # fmt: skip
    settings = [("Data", catalog.describe_data(spec.data)), ("Model", entry.label), ("Seed", str(spec.seed))]
    settings += [(name, str(value)) for name, value in values.items()]
    settings.append(("Made with", ", ".join(f"{name} {version}" for name, version in run.versions.items())))
    measured = None if run.views is None else from_arrays(Final, run.views)
    frames, steps = [from_arrays(Frame, arrays) for arrays in run.frames], list(run.frames.steps)
    if not frames and measured is not None:
        frames, steps = [measured.frame], [run.events[-1].step if run.events else 0]
    return _film(
        f"{catalog.describe_data(spec.data)} · {catalog.describe(entry, spec.model)}",
        model, dataset, frames, steps, run.events,
        label=entry.label, sound=keeps_density(spec.model), measured=measured,
        layers=layers, moved=moved, settings=settings, link=link,
    )  # fmt: skip


def stored_film(store: RunStore, name: str, address: str = "") -> Film:
    """The film of a run in a store, with the layers of its model.

    Parameters
    ----------
    store : where the run is
    name : its id, or how that begins
    address : of a dashboard, such as "http://localhost:8501", for the link

    ValueError, one sentence, where there is no such run or it is not finished.
    """
    run = store.find(name)
    _check_usable(run)
    dataset = catalog.dataset_of(run.spec, store.get_table)
    model = catalog.make_model(run.spec.model, run.spec.seed, dataset).set_state(run.state or {})
    return film_of_run(run, dataset, *layers_of(model, dataset), link=run_link(address, run.spec) if address else "")


def _check_usable(run: Run) -> None:
    if not run.is_usable:
        raise ValueError(f"the run {run.run_id} is {run.status}; only one that is done or stopped can be exported")


def run_link(address: str, spec: RunSpec) -> str:
    """The Explore page of a run, on the dashboard at `address`."""
    return f"{address.rstrip('/')}/explore?{urlencode(spec.to_query())}"


def layers_of(model: DensityModel, dataset: Dataset) -> tuple[LayerPath | None, np.ndarray | None]:
    """`layers` and `moved` of `film_of_run` for a trained model; None and None where that is no flow."""
    if not isinstance(model, FlowModel):
        return None, None
    return views.layers(model, dataset), views.masks(model, dataset).transformed


def film(model: DensityModel, data: Dataset | ToyDensity | Any) -> Film:
    """Train a model and keep its film.

    Parameters
    ----------
    model : to be trained from the start
    data : an exact density, of which 20,000 rows are drawn, a Dataset, or rows (n_samples, n_features)
    """
    dataset = dataset_of(data)
    X_val = dataset.fitting_rows(Part.MONITOR)
    frames: list[Frame] = []
    steps: list[int] = []
    events: list[TrainEvent] = []
    for event in model.configured_for(dataset).fit_iter(dataset.fitting_rows(), X_val if len(X_val) else None):
        events.append(event)
        if len(steps) < MAX_FRAMES * event.step / event.n_steps or event.step == event.n_steps:
            frames.append(views.frame(model, dataset))
            steps.append(event.step)
    if steps[-1] != events[-1].step:
        frames.append(views.frame(model, dataset))
        steps.append(events[-1].step)
    label = type(model).__name__
    layers, moved = layers_of(model, dataset)
    return _film(
        f"{dataset.name} · {label}" if dataset.name else label,
        model, dataset, frames, steps, events,
        label=label, sound=getattr(model, "fault", "none") == "none", measured=views.final(model, dataset),
        layers=layers, moved=moved,
        settings=[("Model", label), *((name, str(value)) for name, value in model.get_params().items())],
    )  # fmt: skip


def _film(
    title: str,
    model: DensityModel,
    dataset: Dataset,
    frames: Sequence[Frame],
    steps: Sequence[int],
    events: Sequence[TrainEvent],
    *,
    label: str,
    sound: bool,
    measured: Final | None,
    layers: LayerPath | None,
    moved: np.ndarray | None,
    settings: Sequence[tuple[str, str]],
    link: str = "",
) -> Film:
    scene = training_scene(model, dataset, sound)
    if events:  # those of several flows in turn count on
        scene = replace(scene, n_steps=events[-1].n_steps)
    exact = loss_curve.exact_validation_loss(dataset, model)
    if exact is not None and scene.entropy is not None:
        events = loss_curve.corrected(events, exact, scene.entropy)
    facts = _facts(scene, events, measured if sound else None)
    lacks = _lacks(label, model, frames[-1], layers)
    return Film(title, scene, frames, steps, events, layers, _changes(dataset, moved), facts, settings, lacks, link)


def dataset_of(data: Dataset | ToyDensity | Any) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, ToyDensity):
        return make_toy(data, name=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(data).__name__).lower())
    X = np.asarray(data, np.float64)
    if X.ndim != 2 or not len(X) or not np.isfinite(X).all():
        raise ValueError(f"data must be finite rows (n_samples, n_features), not of shape {X.shape}")
    names = getattr(data, "columns", None)
    return Dataset(X, tuple(f"x{j + 1}" for j in range(X.shape[1])) if names is None else tuple(map(str, names)))


def _facts(scene: TrainingScene, events: Sequence[TrainEvent], measured: Final | None) -> list[tuple[str, str]]:
    facts = []
    finite = [event.val_loss for event in events if math.isfinite(event.val_loss)]
    if finite:
        facts.append((f"Validation {scene.loss_unit.split(' (')[0]}", formatting.loss(finite[-1], scene.loss_unit)))
    if scene.entropy is not None:
        facts.append(("Its floor", f"{formatting.nats(scene.entropy)}, the entropy of the exact density"))
    if measured is not None and measured.gap is not None and measured.gap_error is not None:
        gap, error = (formatting.fixed(value) for value in (measured.gap, measured.gap_error))
        facts.append(("Above the truth", f"{gap} ± {error} nats"))
    if events:
        last = events[-1]
        facts.append(("Training", f"{formatting.plural(last.step, 'step')} in {formatting.seconds(last.seconds)}"))
    return facts


def _lacks(label: str, model: DensityModel, frame: Frame, layers: LayerPath | None) -> str:
    """What the page does not show, and whether that is the model's or the picture's."""
    lacks = ["density"] * (not model.is_density)
    lacks += [word for word, part in (("samples", frame.samples), ("latent space", frame.latent)) if part is None]
    lacks += ["layers"] * (layers is None)
    sentences = [f"{label} has no {', no '.join(lacks)}."] if lacks else []
    if model.is_density and frame.density is None:
        sentences.append("Its density is over more than two columns and is not drawn.")
    return " ".join(sentences)


def _changes(dataset: Dataset, moved: np.ndarray | None) -> list[str]:
    """Which columns each layer changes, in few words."""
    return [
        "" if row.all() else f"changes {', '.join(str(dataset.columns[j]) for j in np.flatnonzero(row))}"
        for row in (() if moved is None else moved)
    ]


def _part(component: str, title: str, scene: tuple[dict, dict], change: tuple[dict, dict]) -> dict[str, str]:
    digest = hashlib.sha256(pack(*scene)).hexdigest()[:16]
    header = {**scene[0], "scene": digest, "colors": theme.canvas_colors(), "css": style_sheet()}
    return {
        "component": component,
        "title": title,
        "digest": digest,
        "scene": _text(pack(header, scene[1])),
        "change": _text(pack(*change)),
    }


def _text(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in pairs)


@cache
def _page_style() -> str:
    return STYLE % {
        f"{name}_{part}": getattr(colors, part)
        for name, colors in (("light", theme.colors()), ("dark", theme.colors(dark=True)))
        for part in ("text", "background", "model")
    }


@cache
def _script() -> str:
    """The scripts of film and layers as `carriers`, and `present`, which shows them."""
    carriers = "".join(f"{name}: (() => {{\n{_returning(name)}\n}})(),\n" for name in ("film", "layers"))
    own = re.sub(r"^export (?=async function)", "", join_modules(ASSETS / "standalone.js"), flags=re.MULTILINE)
    return f"const carriers = {{\n{carriers}}};\n{own}"


def _returning(name: str) -> str:
    """A component's script as the body of a function that returns what the module exports."""
    return re.sub(r"^export default ", "return ", join_modules(ASSETS / f"{name}.js"), flags=re.MULTILINE)


def widget_script() -> str:
    """The ES module of the widget: it shows the trait `show` and sets `step`, `layer` and `row`."""
    return f"""{_script()}
function render({{ model, el }}) {{
  const told = (component, name, value) => {{
    model.set(name, value);
    model.save_changes();
  }};
  const begun = present(el, JSON.parse(model.get("show")), carriers, told);
  return () => begun.then((end) => end());
}}
export default {{ render }};
"""


@dataclass(frozen=True)
class _Frame:
    """HTML that a notebook shows."""

    markup: str

    def _repr_html_(self) -> str:
        return self.markup


@cache
def _widget_class() -> type:
    import anywidget  # type: ignore[import-not-found, unused-ignore]
    import traitlets  # type: ignore[import-not-found, unused-ignore]

    class FilmWidget(anywidget.AnyWidget):
        """The canvases over one film."""

        _esm = widget_script()
        show = traitlets.Unicode().tag(sync=True)
        step = traitlets.Int(None, allow_none=True).tag(sync=True)
        layer = traitlets.Int(0, allow_none=True).tag(sync=True)
        row = traitlets.Int(None, allow_none=True).tag(sync=True)

    return FilmWidget
