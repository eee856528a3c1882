"""The trust badge: what was measured about the present model, each finding with its level and a sentence."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.explore import faults
from flowlab.dashboard.explore.scene import Scene

MARKS = {"green": ":green[**●**]", "amber": ":orange[**▲**]", "red": ":red[**■**]"}
VERDICTS = {
    "green": "Everything that could be measured is as it should be.",
    "amber": "Usable, with a reservation.",
    "red": "Do not trust this model's numbers before the red finding is understood.",
}


def panel(scene: Scene) -> None:
    """The verdict, one line per finding, and faults to try it on."""
    arrays = scene.view(views.trust)
    measured = [str(name) for name in arrays["name"]]
    faults.notice(measured)
    levels = [str(level) for level in arrays["level"]]
    worst = next((level for level in ("red", "amber", "green") if level in levels), "green")
    st.markdown(f"{MARKS[worst]} **{VERDICTS[worst]}**")
    for name, value, unit, level, sentence in zip(
        *(arrays[key] for key in ("name", "value", "unit", "level", "sentence")), strict=True
    ):
        mark, what, why = st.columns([0.3, 2.2, 6], vertical_alignment="top")
        mark.markdown(MARKS[str(level)])
        number = formatting.escaped(f"{formatting.number(float(value)) if value else 0} {unit}".strip())
        what.markdown(f"**{formatting.escaped(name)}**  \n{number}")
        why.markdown(formatting.escaped(sentence))
    st.caption("Green ●, amber ▲, red ■. Measured from the model's outputs alone, on rows it was not trained on.")
    faults.panel(scene, measured)
