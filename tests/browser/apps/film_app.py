"""A page with a made-up film for the browser tests: a cloud of 2,000 points that becomes two moons in 60 frames."""

import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from flowlab.dashboard.canvas.film_player import film_view
from flowlab.serving.canvas import TrainingScene
from flowlab.views.projection import angle_color
from tests.browser.apps.live_app import N_STEPS, WINDOW, event, made_up_frame, moons

M = int(st.query_params.get("points", "2000"))
GROWING = int(st.query_params.get("growing", "0"))


@st.cache_data
def film() -> list[dict]:
    return [made_up_frame(1 - np.exp(-i / 12), M) for i in range(60)]


st.set_page_config(layout="wide")
points = moons(M, 0)
scene = TrainingScene(points, WINDOW, N_STEPS, 0.287, angle_color(points))
steps = np.linspace(0, N_STEPS, 60).astype(int)
st.session_state["runs"] = st.session_state.get("runs", 0) + 1


def show() -> None:
    """The whole film, or with ?growing=n one that begins with n frames and gains one with each tick."""
    st.session_state["length"] = n = min(60, st.session_state.get("length", GROWING - 1) + 1) if GROWING else 60
    events = [event(k) for k in range(1, 41)]
    chosen = film_view(scene, film()[:n], steps[:n], events, key="film", growing=bool(GROWING))
    st.markdown(f"frame {steps.tolist().index(chosen)} · run {st.session_state['runs']}")


if GROWING:
    st.fragment(show, run_every=0.3)()
else:
    show()
