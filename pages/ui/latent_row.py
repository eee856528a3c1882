"""What the Latent view says of a row that the model decoded: its score, how typical it is, and its columns."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from flowlab import catalog
from pages.ui import state, words
from pages.ui.explore import Scene


def is_density(scene: Scene) -> bool:
    """Whether this very model's scores are log-densities; a VAE may be asked for other scores."""
    return bool(catalog.make_model(state.spec().model, state.spec().seed).is_density)


def score_title(scene: Scene) -> str:
    return "log p(x) (nats)" if is_density(scene) else catalog.make_model(state.spec().model).score_label


def score(scene: Scene, here: dict) -> str:
    value = float(here["score"])
    if is_density(scene):
        return f"log p(x) = {words.nats(value)}"
    return f"{score_title(scene)}: {words.number(value)}"


def typicality(scene: Scene, here: dict, anomaly_scores: np.ndarray) -> str:
    """How usual the decoded row and the latent point are, in one line."""
    text = f"**{score(scene, here)}**"
    if math.isfinite(float(here["score"])):
        more = float(np.mean(-anomaly_scores > float(here["score"])))
        text += f", less than that of {words.percent(more)} of the rows"
    norm, nearer, k = float(here["norm"]), float(here["nearer"]), len(here["z"])
    if not here["gaussian"]:
        return text + f" · norm of z {norm:.2f}; the code of this model has no prior to compare it with."
    low, high = (float(v) for v in here["usual"])
    side = f"farther out than {_share(nearer)}" if nearer >= 0.5 else f"nearer to the centre than {_share(1 - nearer)}"
    text += f" · norm of z **{norm:.2f}**, {side} of a Gaussian's in {words.plural(k, 'dimension')}"
    usual = f"95 % lie between {low:.2f} and {high:.2f}"
    if low <= norm <= high:
        return f"{text}: typical, {usual}."
    if norm > high:
        return f"{text}: not typical, {usual}. The model had few rows to learn from out there."
    if k <= 2:
        return f"{text}: near the centre, where the density of z is highest."
    return (
        f"{text}: not typical, {usual}. The density of z is highest here, but the room is so small that no draw comes."
    )


def _share(share: float) -> str:
    """A share in per cent that never says all when it is not all."""
    return "more than 99.99 %" if share > 0.9999 else f"{100 * share:.3g} %"


def decoded(scene: Scene, x: np.ndarray) -> None:
    """The decoded row, in the user's own columns where the data are an uploaded table."""
    if scene.planar or not np.isfinite(x).all():
        return
    st.dataframe(scene.dataset.table(x[None]), hide_index=True)
