"""The Marginals view of the Explore page: one column at a time, data against samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import formatting, views
from flowlab.dashboard.explore.scene import Scene, column_choice
from flowlab.dashboard.shell.widgets import PLOT, chart, spelled
from flowlab.plots import marginals as plots
from flowlab.views.marginals import Marginals


def marginals(scene: Scene) -> None:
    """One column at a time, data against samples; columns that differ most come first in the table."""
    found = scene.view(views.marginals)
    worst = int(np.argmax(found.distance))
    left, right = st.columns([2, 1], gap="medium")
    with left:
        column = column_choice("Column", scene, "column", worst)
        name = str(scene.dataset.columns[column])[:60]
        chart(
            st, plots.marginal_histogram(found, column, name, scene.dark), theme=None, config=PLOT,
            key="explore.margin",
            alt=f"Distribution of {name}: the samples are {formatting.fixed(found.distance[column])} from the data",
        )  # fmt: skip
    with right:
        order = np.argsort(-found.distance)
        table = pd.DataFrame(
            {"column": [str(scene.dataset.columns[j]) for j in order], "distance": found.distance[order]}
        )
        st.dataframe(spelled(table), hide_index=True, height=340)
    st.markdown(formatting.escaped(_finding(found, worst, str(scene.dataset.columns[worst])[:60])))
    st.caption(
        "Distance: largest difference between the two distribution functions (Kolmogorov-Smirnov), from 0 for equal "
        "ones to 1."
    )


def _finding(found: Marginals, worst: int, name: str) -> str:
    """The column that differs most, by how much, and the largest difference expected by chance."""
    distance, luck = (formatting.fixed(float(value)) for value in (found.distance[worst], found.chance))
    if found.distance[worst] <= found.chance:
        return (
            f"No column differs by more than luck: the largest distance is {distance}, of {name}; "
            f"luck alone gives up to {luck}."
        )
    return f"{name} differs most, by {distance}; luck alone gives up to {luck}."
