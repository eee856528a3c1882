"""Density views of the Explore page: the plane, conditional slices, and the profile along a line."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import streamlit as st

from flowlab import formatting, views
from flowlab.catalog.faults import keeps_density
from flowlab.dashboard.explore.scene import (
    PAGE,
    Scene,
    choose_row,
    column_choice,
    level_choice,
    linked,
    row_choice,
    segmented,
)
from flowlab.dashboard.shell import distance, state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.models.base import FlowModel
from flowlab.plots import density as plots
from flowlab.views import ALL_LEVELS
from flowlab.views.density import DensityGrid, Profile

QUANTITIES = {"density": "Density", "log_density": "Log-density", "energy": "Energy"}
GRID = 120
CURVE = 400


def density(scene: Scene) -> None:
    """Learned density beside the true one and their difference; points can be clicked for their receipt."""
    is_plane = len(scene.columns) == 2
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        quantity = segmented("Quantity", list(QUANTITIES), "quantity", "density", QUANTITIES.__getitem__)
        contours = with_points = False
        level = level_choice(scene)
        if is_plane:
            contours = linked(
                st.toggle, "Contours", "contours", True, help="Lines around 50, 80, 95 and 99 % of the probability"
            )
            with_points = linked(st.toggle, "Rows", "points", False, help="Click a row for its receipt")
    grid = scene.view(views.density_grid, n=GRID if is_plane else CURVE, level=level)
    stage = scene.stage
    points = None
    if with_points:
        in_level = _at_level(scene, stage.rows, level)
        points = plots.PickableRows(stage.points[in_level], stage.rows[in_level], state.view(PAGE, "row", -1))
    fig = plots.density_panels(grid, quantity, scene.dark, contours, points, stage.axes)
    key = state.widget_key(PAGE, "density", quantity)
    chart(
        st,
        fig,
        key=key,
        height="stretch",
        theme=None,
        config=PLOT,
        on_select=choose_row(key, "Receipt" if issubclass(scene.model, FlowModel) else ""),
        selection_mode="points",
        alt=_alt(grid),
    )
    if not state.is_presenting():
        st.markdown(_masses(scene, grid))
    if told := what_to_look_for(grid, keeps_density(state.spec().model)):
        st.caption(told)


def _at_level(scene: Scene, rows: np.ndarray, level: int) -> np.ndarray:
    """Which of the rows are of a level of the context, (n,) bool; all of them for all levels."""
    if level == ALL_LEVELS:
        return np.ones(len(rows), bool)
    return scene.dataset.X[rows, scene.dataset.context] == level


def slices(scene: Scene) -> None:
    """For many features: two columns given a row's values of all others."""
    left, right = st.columns([1, 2.4], gap="medium")
    with left:
        row = row_choice(scene, "At the values of row")
        first = column_choice("Across", scene, "col1", 0)
        second = column_choice("Up", scene, "col2", 1)
        if scene.conditioned and scene.dataset.context is not None:
            level = int(scene.dataset.X[row, scene.dataset.context])
            column, name = scene.dataset.columns[scene.dataset.context], scene.dataset.levels[level]
            st.caption(f"Given {formatting.escaped(column)}: {formatting.escaped(name)}.")
        st.caption(
            f"With {len(scene.columns)} features a density cannot be drawn whole. This is the density of two "
            "columns when all others are held at this row's values."
        )
    with right:
        if first == second:
            st.info("Choose two different columns.")
            return
        cut = scene.view(views.density_slice, row=row, columns=(first, second))
        names = str(scene.dataset.columns[first])[:60], str(scene.dataset.columns[second])[:60]
        chart(
            st, plots.slice_heatmap(cut, names, scene.dark), key="explore.slice", theme=None, config=PLOT,
            alt=f"Conditional density of {names[0]} and {names[1]} at row {row}",
        )  # fmt: skip


def bridge(scene: Scene) -> None:
    """The profile of the log-density along a line that the reader draws, or between two rows."""
    if scene.planar and len(scene.columns) == 2:
        _drawn_line(scene)
    else:
        _line_between_rows(scene)


def _drawn_line(scene: Scene) -> None:
    ends = _ends(scene)
    level = level_choice(scene)
    left, right = st.columns([1, 1.35], gap="medium")
    grid = scene.view(views.density_grid, n=GRID, level=level)
    with left:
        which = segmented("A click sets", ["start", "end"], "end", "start", lambda e: f"Click sets the {e}")
        fig = plots.density_panels(
            replace(grid, true=None), "log_density", scene.dark, axes=scene.stage.axes, height=420
        )
        fig.update_layout(coloraxis_showscale=False)
        key = state.widget_key(PAGE, "bridge")
        plots.add_line(fig, ends, scene.stage.window, scene.dark)
        between = " to ".join(f"({formatting.number(x)}, {formatting.number(y)})" for x, y in ends)
        chart(
            st, fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=_move_end(key, which, ends),
            alt=f"Learned log-density with the line from {between}; a click moves its {which}",
        )  # fmt: skip
    line = scene.view(views.profile, start=ends[0], end=ends[1], level=level)
    with right:
        _profile(line, scene, 350)


def _line_between_rows(scene: Scene) -> None:
    last = len(scene.dataset) - 1
    left, right = st.columns([1, 3], gap="medium")
    with left:
        start = row_choice(scene, "From row")
        default = min(1, last)
        end = linked(st.number_input, "To row", "to", default, noun="row", min_value=0, max_value=last, step=1)
    line = scene.view(views.profile, start=start, end=end)
    with right:
        _profile(line, scene, 330)


def _ends(scene: Scene) -> tuple[tuple[float, float], tuple[float, float]]:
    """Both ends of the line: from the link, else between the middles of two classes, else across the window."""
    try:
        x0, y0, x1, y1 = (float(v) for v in str(state.view(PAGE, "line", "")).split(","))
        if all(math.isfinite(v) and abs(v) < 1e9 for v in (x0, y0, x1, y1)):
            return (x0, y0), (x1, y1)
    except ValueError:
        pass
    X, classes = scene.dataset.X[:, scene.columns], scene.dataset.classes
    if classes is not None and len(np.unique(classes)) > 1:
        middles = []
        for name in np.unique(classes)[:2]:
            members = X[classes == name][:2000]
            middle = np.median(members, axis=0)
            middles.append(members[np.argmin(np.sum((members - middle) ** 2, axis=1))])
        (a, b), (c, d) = (map(float, np.round(middle, 3)) for middle in middles)
        return (a, b), (c, d)
    x0, x1, y0, y1 = scene.stage.window
    return (0.8 * x0 + 0.2 * x1, (y0 + y1) / 2), (0.2 * x0 + 0.8 * x1, (y0 + y1) / 2)


def _move_end(key: str, which: str, ends: tuple) -> Callable[[], None]:
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        if points:
            here = (round(points[0]["x"], 3), round(points[0]["y"], 3))
            start, end = (here, ends[1]) if which == "start" else (ends[0], here)
            other = "end" if which == "start" else "start"
            state.set_view(PAGE, line=",".join(f"{v:g}" for v in (*start, *end)), end=other)
            state.refresh_widgets()

    return changed


def _profile(line: Profile, scene: Scene, height: int) -> None:
    """The log-density along a line, and its lowest point in words."""
    lowest = _lowest(line)
    fig = plots.profile_curve(line, scene.dark, height)
    alt = f"Log-density along the line. {lowest.replace('**', '')}"
    chart(st, fig, theme=None, config=PLOT, key="explore.line", alt=alt)
    st.markdown(lowest)


def _lowest(line: Profile) -> str:
    places, lowest = formatting.count(len(line.log_density)), formatting.nats(float(line.log_density[line.lowest]))
    text = f"Lowest log-density of {places} places on the line: **{lowest}**"
    if line.true_log_density is not None:
        true = float(line.true_log_density[line.lowest])
        if math.isfinite(true):
            text += f", where the true one is {formatting.nats(true)}"
        else:
            text += ", where the true density is zero"
        known = line.true_log_density[np.isfinite(line.true_log_density)]
        if len(known) and known.min() < true:
            text += f". The true one falls to {formatting.nats(float(known.min()))}"
    return text + "."


def what_to_look_for(grid: DensityGrid, is_density: bool = True) -> str:
    """What the pictures say, from this run's own numbers; "" where they say nothing."""
    if not is_density:
        return ""
    if grid.difference is None:
        place = np.unravel_index(np.nanargmax(grid.learned.log_density), grid.learned.log_density.shape)
        at = [grid.x[place[-1]], *([] if grid.y is None else [grid.y[place[0]]])]
        return f"Look for mass where no rows are; the density is highest at {', '.join(map(formatting.number, at))}."
    cell = (grid.x[1] - grid.x[0]) * (1.0 if grid.y is None else grid.y[1] - grid.y[0])
    too_much, too_little = (float(np.nansum(np.maximum(sign * grid.difference, 0.0))) * cell for sign in (1, -1))
    return (
        f"Look at the difference: at least {formatting.percent(max(too_much, too_little))} of the probability would "
        "have to be moved, from where the difference is positive to where it is negative."
    )


def _masses(scene: Scene, grid: DensityGrid) -> str:
    text = f"Probability inside the window: learned {formatting.fixed(grid.learned.mass)}"
    if grid.true is not None:
        text += f", true {formatting.fixed(grid.true.mass)}"
    gap = distance.of_run(scene.run)
    if not keeps_density(state.spec().model):
        text += " · this flow is broken on purpose: what it calls a density is none"
    elif gap is not None:
        text += f" · **{gap.words()}** (± {formatting.fixed(gap.error)}, measured on fresh draws)"
    return text


def _alt(grid: DensityGrid) -> str:
    text = f"Learned density; {formatting.percent(grid.learned.mass)} of it lies in this window"
    if grid.difference is not None:
        largest = formatting.number(float(np.nanmax(np.abs(grid.difference))))
        text += f"; largest difference from the true density {largest}"
    return text
