"""A page with a made-up flow of four layers for the browser tests of the way through the layers."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from flowlab.dashboard.canvas.layer_player import layers_view
from flowlab.views.layers import LayerPath
from flowlab.views.projection import angle_color
from tests.browser.apps.live_app import moons


def standardise(x):
    return (x - [0.5, 0.25]) / [0.87, 0.5], np.full(len(x), -np.log(0.87 * 0.5))


def shear(x):
    return np.stack([x[:, 0], x[:, 1] + 1.2 * np.sin(1.6 * x[:, 0])], 1), np.zeros(len(x))


def stretch(x):
    s = 0.7 * np.tanh(x[:, 0])
    return np.stack([x[:, 0], x[:, 1] * np.exp(s)], 1), s


def bend(x):
    s = 0.5 * np.cos(x[:, 1])
    return np.stack([x[:, 0] * np.exp(s) - 0.5 * x[:, 1], x[:, 1]], 1), s


def through(x):
    path, log_det = [x], []
    for layer in (standardise, shear, stretch, bend):
        x, change = layer(x)
        path.append(x)
        log_det.append(change)
    return np.stack(path), np.stack(log_det)


st.set_page_config(layout="wide")
points = moons(int(st.query_params.get("points", "2000")), 0)
x, y, k = np.linspace(-2, 3, 21), np.linspace(-1.75, 2.25, 21), np.linspace(0, 1, 61)
upright = np.stack(np.broadcast_arrays(x[:, None], -1.75 + 4 * k), -1)
lines = np.concatenate([upright, np.stack(np.broadcast_arrays(-2 + 5 * k, y[:, None]), -1)])
way = LayerPath(np.arange(len(points)), np.zeros(len(points), np.uint8), *through(points))
if "flat" not in st.query_params:
    path, change = through(lines.reshape(-1, 2))
    way = replace(way, grid=path.reshape(-1, *lines.shape), grid_log_det=change.reshape(-1, *lines.shape[:2]))
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
choice = layers_view(
    way,
    "layers",
    names=["standardise", "affine coupling", "affine coupling", "affine coupling"],
    color=angle_color(points),
    layer=int(st.query_params.get("layer", "0")),
)
st.markdown(f"layer {choice.layer} · row {choice.row} · run {st.session_state['runs']}")
