"""What pages that need a trained model show before there is one: a sentence, the button, a bar while it trains."""

from __future__ import annotations

import streamlit as st

from flowlab.runs import Run
from pages.ui import engine, words

LIVE = ("queued", "running")


def run_or_button(what: str) -> Run | None:
    """The present run if it can be used; else a sentence saying `what` will be here, and the way there."""
    run = engine.run()
    if run is not None and run.is_usable:
        return run
    status = engine.status()
    live = status is not None and status.state in LIVE
    st.markdown(what)
    st.fragment(_wait, run_every=0.5 if live else None)()
    return None


def _wait() -> None:
    status = engine.status()
    if status is None or status.state not in LIVE:
        run = engine.run()
        if run is not None and run.is_usable:
            st.rerun()
        if run is not None and run.status == "failed":
            st.warning(words.plain(f"Training failed: {run.error}"))
        label = "Train this model" if status is None else "Go on training"
        if st.button(label, type="primary", key="trained.train"):
            engine.train()
            st.rerun()
        return
    run = engine.run()
    last = run.events[-1] if run and run.events else None
    share = last.step / max(last.n_steps, 1) if last else 0.0
    text = f"step {words.count(last.step)} of {words.count(last.n_steps)}" if last else "starting"
    st.progress(min(share, 1.0), text=text)
    if st.button("Stop", key="trained.stop", help="End here and keep the best weights"):
        engine.runner().stop(engine.run_id())
