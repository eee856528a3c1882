"""A page with linked brushing, a painting or a picture to paint on, for the browser tests."""

import sys
from pathlib import Path

import numpy as np
import streamlit as st

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from flowlab.dashboard.canvas.brush import brush_view
from flowlab.dashboard.canvas.paint import paint_view
from flowlab.dashboard.canvas.pixels import pixels_view
from flowlab.views.projection import angle_color
from tests.browser.apps.live_app import WINDOW, moons

st.set_page_config(layout="wide")
st.html(Path(__file__).resolve().parents[3] / "assets" / "style.css")
if "paint" in st.query_params:
    drawn, labels = paint_view("paint")
    st.markdown(f"drawn {len(drawn)} · anomalies {labels.sum()}")
elif "pixels" in st.query_params:
    picture = np.full((4, 6, 3), 0.3)
    painted = pixels_view("pixels", picture)
    st.markdown(f"painted {(painted != picture).any(axis=2).sum()} · light {(painted == 1).all(axis=2).sum()}")
else:
    points = moons(600, 0)
    latent = (points - points.mean(0)) / points.std(0)
    marked = brush_view(
        points,
        (latent**2).sum(1) / 2,
        WINDOW,
        "brush",
        latent=latent,
        labels=points[:, 0] > 1.9,
        threshold=3.0,
        color=angle_color(points),
    )
    st.markdown(f"marked {len(marked)} · least score {(latent[marked] ** 2).sum(1).min(initial=99) / 2:.2f}")
