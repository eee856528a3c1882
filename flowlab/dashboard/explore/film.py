"""The Film view of the Explore page: the kept frames of the training, and forks from any of them."""

from __future__ import annotations

import streamlit as st

from flowlab.dashboard.canvas.film_player import film_view
from flowlab.dashboard.explore import fork
from flowlab.dashboard.explore.scene import PAGE, Scene
from flowlab.dashboard.shell import address, run_status, services, state
from flowlab.dashboard.train import page

FILM_TICK_SECONDS = 0.8


def film(scene: Scene) -> None:
    """Every kept frame of the training, on one slider; any of them can be forked. It grows while the run trains."""
    live = run_status.is_live(services.status())
    st.fragment(_film, run_every=FILM_TICK_SECONDS if live else None)(scene)
    if not state.is_presenting():
        fork.race(scene, fork.family(scene))


def _film(scene: Scene) -> None:
    services.runner().watch(scene.run.run_id)  # a frame with each slice, as long as somebody looks
    run = services.run()
    if run is None or not len(run.frames):
        st.markdown("The film begins with the first picture of the training.")
        return
    frames = run.frames
    above = st.container(horizontal=True, vertical_alignment="center")
    start = state.view(PAGE, "step", -1)
    chosen = film_view(
        page.scene(state.spec()),
        frames,
        frames.steps,
        page.corrected(state.spec(), run.events),
        f"explore.film.{run.run_id}.{run.created}",
        None if start < 0 else start,
        growing=not run.is_usable,
        gap=page.final_nats(run),
    )
    opened = frames.steps[-1] if start < 0 else min(frames.steps, key=lambda step: abs(step - start))
    if chosen != opened:
        state.set_view(PAGE, step=chosen if chosen < frames.steps[-1] else None)
        address.write(PAGE, "film", slides=True)
    if not state.is_presenting():
        with above:
            fork.panel(scene, chosen)
