"""The Explore page: which views the present model has."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.canvas.live import live_view
from flowlab.dashboard.explore import (
    code,
    coupling,
    density,
    film,
    latent,
    layers,
    marginals,
    pairs,
    receipt,
    samples,
    trust,
)
from flowlab.dashboard.explore.scene import PAGE, Scene, segmented
from flowlab.dashboard.shell import lesson, services, state
from flowlab.dashboard.shell.run_status import pictures_drawn, run_or_button
from flowlab.dashboard.train import page as train
from flowlab.models.base import FlowModel, LatentModel

WORDS = {"Margins": "Marginals"}
"""What the page calls a view, where links have another word for it."""

PIXELS = (
    "Density, margins, pairs, the bridge, layers and couplings are not drawn for pictures: they show one or two "
    "columns at a time, and a single pixel says little. "
)


def page() -> None:
    """All of the page below its headline."""
    what = "Here a trained model opens up: its density beside the truth, samples, layers, single rows."
    opened = state.view(PAGE, "view", "")
    trained = run_or_button(what, f"{PAGE} {opened}", grows=opened == "Film")
    if trained is None:
        live_view(train.scene(state.spec()), None, [], key="explore.data")
        return
    dataset = services.dataset()
    model = catalog.MODELS[state.spec().model.name].make
    scene = Scene(trained, dataset, model, views.stage(dataset), state.is_dark())
    drawers: dict[str, Callable[[Scene], None]] = {}
    pictures = dataset.image_shape is not None
    if model.is_density and not pictures:
        drawers["Density"] = density.density if scene.planar else density.slices
    if model.can_sample:
        drawers["Samples"] = samples.samples
    if issubclass(model, LatentModel):
        drawers["Latent"] = latent.latent
    else:
        drawers["Rows"] = latent.rows
    if issubclass(model, FlowModel):
        if not pictures:
            drawers["Layers"] = layers.layers
            drawers["Coupling"] = coupling.coupling
        drawers["Receipt"] = receipt.receipt
    if model.is_density and not pictures:
        drawers["Bridge"] = density.bridge
    if model.can_sample and not pictures:
        drawers["Margins"] = marginals.marginals
        if dataset.n_features > 2:
            drawers["Pairs"] = pairs.pairs
    if len(scene.run.frames) > 1 or not scene.run.is_usable:
        drawers["Film"] = film.film
    if state.spec().model.name == "affine":
        drawers["Code"] = code.code
    drawers["Trust"] = trust.panel
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = segmented("View", list(drawers), "view", next(iter(drawers)), lambda view: WORDS.get(view, view))
        lesson.meaning(PAGE, name)
    missing = _missing(scene)
    began = time.monotonic()
    try:
        drawers[name](scene)
    except (ValueError, RuntimeError) as error:
        st.warning(formatting.escaped(error))
    pictures_drawn(trained.key, began)
    if missing:
        st.caption(missing)


def _label() -> str:
    return catalog.MODELS[state.spec().model.name].label


def _missing(scene: Scene) -> str:
    """What this model does not have, in a sentence or two; empty for most flows."""
    model, context = scene.model, scene.dataset.context
    read = PIXELS if scene.dataset.image_shape is not None else ""
    if context is not None and not scene.conditioned:
        name = formatting.escaped(str(scene.dataset.columns[context])[:60])
        read += f"{_label()} cannot be conditioned: it reads {name} as a number. "
    if issubclass(model, FlowModel):
        return read
    lacks = [] if issubclass(model, LatentModel) else ["latent space"]
    lacks += ["layers", "receipt"] + ([] if model.is_density else ["density"])
    return f"{read}{_label()} has no {', no '.join(lacks)}: choose a flow to see them."
