"""What every view of the Explore page shares: the present run, and choosers for rows, columns and levels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from flowlab import views
from flowlab.dashboard.shell import links, services, state
from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.base import DensityModel
from flowlab.store.reading import Run
from flowlab.views import Stage

PAGE = "explore"
segmented = partial(links.segmented, PAGE)
linked = partial(links.linked, PAGE)


@dataclass(frozen=True, eq=False)
class Scene:
    """What every view of this page needs to know of the present run."""

    trained: services.Trained
    dataset: Dataset
    model: type[DensityModel]
    stage: Stage
    dark: bool

    @property
    def run(self) -> Run:
        """The present run."""
        return self.trained.run

    def view(self, compute: Callable[..., services.View], **kwargs: Any) -> services.View:
        """A view of the model, as `Trained.view` gives it."""
        return self.trained.view(compute, **kwargs)

    @property
    def planar(self) -> bool:
        """Whether the whole density can be drawn: as a picture over two columns, or as a curve over one."""
        return views.is_planar(self.model, self.dataset)

    @property
    def conditioned(self) -> bool:
        """Whether the model is conditioned on a column of the data."""
        return views.is_conditioned(self.model, self.dataset)

    @property
    def columns(self) -> list[int]:
        """Numbers of the columns the model judges: all but a context it is conditioned on."""
        return [int(j) for j in views.judged(self.model, self.dataset)]


def level_choice(scene: Scene) -> int:
    """The level of the context that pictures are given, or all of them; no choice where there is no context."""
    if not scene.conditioned:
        return views.ALL_LEVELS
    levels, context = scene.dataset.levels, scene.dataset.context
    given = "" if context is None else str(scene.dataset.columns[context])[:30]
    return linked(
        st.selectbox, f"Given {given}", "given", views.ALL_LEVELS,
        options=range(views.ALL_LEVELS, len(levels)), noun="level", width=190,
        show=lambda i: "all, in their shares" if i == views.ALL_LEVELS else levels[i],
    )  # fmt: skip


def column_choice(label: str, scene: Scene, name: str, default: int) -> int:
    """A column that the model judges, by number; its name is shown. The link's is the nearest there is."""
    columns, options = scene.dataset.columns, scene.columns
    wanted = int(state.view(PAGE, name, options[min(default, len(options) - 1)]))
    nearest = min(options, key=lambda j: abs(j - wanted))
    return linked(
        st.selectbox, label, name, wanted,
        options=options, present=nearest, noun="column", show=lambda j: str(columns[j])[:60],
    )  # fmt: skip


def row_choice(scene: Scene, label: str = "Row") -> int:
    """The row that single-row views look at."""
    row = linked(
        st.number_input, label, "row", first_row(scene),
        noun="row", min_value=0, max_value=len(scene.dataset) - 1, step=1,
    )  # fmt: skip
    return int(row)


def present_row(scene: Scene) -> int:
    """The row that the link names, or the nearest there is."""
    row = min(max(int(state.view(PAGE, "row", first_row(scene))), 0), len(scene.dataset) - 1)
    links.note_absent(PAGE, "row", "row", row)
    return row


def choose_row(key: str, then: str = "") -> Callable[[], None]:
    """A callback for a chart whose points are rows: the clicked one becomes the present row, shown in view `then`."""

    def changed() -> None:
        event = state.widget_value(key)
        for point in event["selection"]["points"] if event else ():
            # Plotly hands a row's number over bare or in a list of one.
            data = point.get("customdata")
            row = data[0] if isinstance(data, list) else data
            if row is not None:
                state.set_view(PAGE, row=int(row))
                if then:
                    state.set_view(PAGE, view=then)
                state.refresh_widgets()
                return

    return changed


def first_row(scene: Scene) -> int:
    """The first test row, or the first labelled anomaly where there are labels: something worth looking at."""
    dataset = scene.dataset
    if dataset.y is not None and (dataset.y == 1).any():
        return int((dataset.y == 1).argmax())
    rows = dataset.rows(Part.TEST)
    return int(rows[0]) if len(rows) else 0
