"""A page with made-up frames for the browser tests of the live view: a Gaussian that becomes two moons."""

import sys
import time
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from flowlab.dashboard.canvas.live import live_view
from flowlab.records import TrainEvent
from flowlab.serving.canvas import TrainingScene
from flowlab.views.film import Frame
from flowlab.views.projection import angle_color

WINDOW = (-2.0, 3.0, -1.75, 2.25)
N_STEPS = 2000
PERIOD = float(st.query_params.get("period", "0.3"))
TICKS = int(st.query_params.get("ticks", "40"))
DENSITY = "flat" not in st.query_params


def moons(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t, up = rng.uniform(0, np.pi, n), rng.integers(0, 2, n)
    xy = np.stack([np.where(up, np.cos(t), 1 - np.cos(t)), np.where(up, np.sin(t), 0.5 - np.sin(t))], 1)
    return xy + 0.1 * rng.normal(size=(n, 2))


def made_up_frame(share: float, m: int = 600) -> dict:
    rng = np.random.default_rng(1)
    noise, target = rng.normal(size=(m, 2)), moons(m, 2)
    data = moons(m, 0)
    angle = np.arctan2(*(data - data.mean(0)).T[::-1])
    gauss = np.abs(rng.normal(size=(m, 1))) * np.stack([np.cos(angle), np.sin(angle)], 1) + 0.1 * rng.normal(
        size=(m, 2)
    )
    out = {
        "window": np.array(WINDOW),
        "latent": (data * (1 - share) + gauss * share).astype(np.float16),
        "samples": ((0.5 + noise) * (1 - share) + target * share).astype(np.float16),
    }
    if DENSITY:
        g = [np.linspace(lo, hi, 65)[:-1] + (hi - lo) / 128 for lo, hi in (WINDOW[:2], WINDOW[2:])]
        grid = np.stack(np.meshgrid(*g), -1).reshape(-1, 1, 2)
        centres = (moons(300, 3) * share + np.array([0.5, 0.25]) * (1 - share))[None]
        width = 0.6 * (1 - share) + 0.13
        d = np.exp(-0.5 * ((grid - centres) ** 2).sum(-1) / width**2).mean(1).reshape(64, 64) / (2 * np.pi * width**2)
        out |= {"density": (255 * d / d.max()).astype(np.uint8), "density_max": np.array(d.max())}
    return out


def event(i: int) -> TrainEvent:
    step = 50 * i
    loss = 0.287 + 0.05 + 2.2 * np.exp(-step / 250)
    return TrainEvent(step, N_STEPS, step / 80, float(loss + 0.03 * np.sin(9.0 * i)), float(loss), 0.1 * i, 4e4)


@st.fragment(run_every=PERIOD if PERIOD else None)
def live() -> None:
    begun = st.session_state.setdefault("begun", time.time())
    i = min(TICKS, int((time.time() - begun) / PERIOD)) if PERIOD else TICKS
    points = moons(600, 0)
    scene = TrainingScene(points, WINDOW, N_STEPS, 0.287 if DENSITY else None, angle_color(points), has_density=DENSITY)
    if "label" in st.query_params:
        anomalies = np.arange(600) % 20 == 0
        scene = TrainingScene(
            points, WINDOW, N_STEPS, 0.287, anomalies, "label", has_density=DENSITY, anomaly_share=0.01
        )
    live_view(
        scene,
        Frame(**made_up_frame(1 - np.exp(-i / 8))) if i else None,
        [event(k) for k in range(1, i + 1)],
        key="live",
    )


def main() -> None:
    st.set_page_config(layout="wide")
    st.html(Path(__file__).resolve().parents[3] / "assets" / "style.css")
    with st.sidebar:
        st.markdown("Data: moons")
    st.markdown("moons, 20 000 rows · spline flow, 8 layers")
    st.button("Train")
    live()


if __name__ == "__main__":
    main()
