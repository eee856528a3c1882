"""The trust badge: what was measured about the present model, each finding with its level and a sentence."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.explore import faults
from flowlab.dashboard.explore.scene import Scene
from flowlab.evaluation.finding import overall

MARKS = {"green": ":green[**●**]", "grey": ":gray[**○**]", "amber": ":orange[**▲**]", "red": ":red[**■**]"}
VERDICTS = {
    "green": "Everything that could be measured is as it should be.",
    "grey": "Nothing wrong is seen, but there are too few held-out rows to call this model good.",
    "amber": "Usable, with a reservation.",
    "red": "Do not trust this model's numbers before the red finding is understood.",
}


def panel(scene: Scene) -> None:
    """The verdict, one line per finding, and faults to try it on."""
    findings = scene.view(views.trust)
    measured = [finding.name for finding in findings]
    faults.notice(measured)
    worst = overall(findings)
    st.markdown(f"{MARKS[worst]} **{VERDICTS[worst]}**")
    for finding in findings:
        mark, what, why = st.columns([0.3, 2.2, 6], vertical_alignment="top")
        mark.markdown(MARKS[finding.level])
        number = f"{formatting.number(finding.value) if finding.value else 0} {finding.unit}".strip()
        what.markdown(f"**{formatting.escaped(finding.name)}**  \n{formatting.escaped(number)}")
        why.markdown(formatting.escaped(finding.sentence))
    st.caption(
        "Green ●, too few rows to tell ○, amber ▲, red ■. Measured from the model's outputs alone; the fit on "
        "validation and test rows."
    )
    faults.panel(scene, measured)
