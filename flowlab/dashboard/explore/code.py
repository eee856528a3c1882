"""The Code view of the Explore page: the run as a program in plain PyTorch, or with nflows."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.explore.scene import Scene, segmented
from flowlab.dashboard.shell import state
from flowlab.serving.pytorch_script import LIBRARIES, pytorch_script, script_problem, script_rows
from flowlab.tables.export import to_csv_bytes
from flowlab.teaching import measures


def code(scene: Scene) -> None:
    """The program, the file it reads, and the loss it ends with here."""
    if problem := script_problem(state.spec()):
        st.info(problem)
        return
    library = segmented("Written with", list(LIBRARIES), "library", LIBRARIES[0])
    program = pytorch_script(state.spec(), len(scene.dataset.fitting_rows()), library)
    loss = formatting.nats(scene.view(measures.measure).loss)
    st.markdown(
        f"Put both files into one folder and run the program. This run has **{loss}** on held-out rows; the program "
        "begins with the same weights, batches and noise, and differs by what training makes of rounding."
    )
    with st.container(horizontal=True):
        st.download_button("Download the program", program, "flow.py", "text/x-python", on_click="ignore")
        st.download_button(
            "Download its rows",
            lambda: to_csv_bytes(script_rows(scene.dataset)),
            "rows.csv",
            "text/csv",
            on_click="ignore",
        )
    st.code(program, language="python", height=520)
