"""The Latent view of the Explore page: points beside the data, one latent point moved by hand, paths between rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from scipy.stats import chi2

from flowlab import catalog, formatting, views
from flowlab.dashboard.canvas.brush import brush_view
from flowlab.dashboard.explore.scene import PAGE, Scene, first_row, linked, segmented
from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.pictures import HALF_WIDTH, draw_sheet
from flowlab.dashboard.shell.widgets import PLOT, chart, spelled
from flowlab.datasets.dataset import Part
from flowlab.models.base import FlowModel
from flowlab.plots import latent as plots
from flowlab.plots import theme
from flowlab.records import Scalar
from flowlab.serving.scored_rows import beside
from flowlab.views import two_columns
from flowlab.views.latent import LatentPaths, LatentPoint, LatentRows
from flowlab.views.pictures import N_ON_PATH, PictureSheet, path_sheet, row_sheet
from flowlab.views.projection import Window, angle_color, column_window, display_rows


def is_density(scene: Scene) -> bool:
    """Whether this very model's scores are log-densities; a VAE may be asked for other scores."""
    return bool(catalog.make_model(state.spec().model, state.spec().seed).is_density)


def score_title(scene: Scene) -> str:
    """What this model's score is called on an axis, with its unit."""
    return "log p(x) (nats)" if is_density(scene) else catalog.make_model(state.spec().model).score_label


def score(scene: Scene, here: LatentPoint) -> str:
    """The score of one decoded row in words, with its unit."""
    if is_density(scene):
        return f"log p(x) = {formatting.nats(here.score)}"
    return f"{score_title(scene)}: {formatting.number(here.score)}"


def collection(log_density: np.ndarray) -> str:
    """The log-likelihood of independent rows, (n,) in nats each, in words: the sum of their log-densities."""
    total = float(np.sum(log_density))
    return (
        f"Together {formatting.plural(len(log_density), 'row')} have a log-likelihood of {formatting.nats(total)}, the "
        f"sum of theirs: {formatting.nats(total / len(log_density))} a row."
    )


def typicality(score: str, here: LatentPoint, pair: LatentRows) -> str:
    """How typical the decoded row, with its `score` in words, and the latent point are beside the rows `pair`."""
    text = f"**{score}**"
    if math.isfinite(here.score):
        more = float(np.mean(-pair.anomaly_score > here.score))
        text += f", less than that of {formatting.percent(more)} of the rows shown"
    norm, nearer, k = here.norm, here.nearer, len(here.z)
    if not here.gaussian:
        return (
            text + f" · norm of z {formatting.fixed(norm, 2)}; the code of this model has no prior to compare it with."
        )
    low, high = here.usual
    side = f"farther out than {_share(nearer)}" if nearer >= 0.5 else f"nearer to the centre than {_share(1 - nearer)}"
    text += (
        f" · norm of z **{formatting.fixed(norm, 2)}**, {side} of a Gaussian's in {formatting.plural(k, 'dimension')}"
    )
    usual = f"95 % lie between {formatting.fixed(low, 2)} and {formatting.fixed(high, 2)}"
    if low <= norm <= high:
        return f"{text}: typical, {usual}."
    if norm > high:
        beyond = int(np.count_nonzero(np.linalg.norm(_latent(pair), axis=1) >= norm))
        shown = formatting.plural(len(pair.rows), "row")
        return f"{text}: not typical, {usual}. As far out lie {formatting.count(beyond)} of {shown}."
    if k <= 2:
        return f"{text}: near the centre, where the density of z is highest."
    return (
        f"{text}: not typical, {usual}. The density of z is highest in the centre, but the room there is so small that "
        "hardly a draw falls into it."
    )


def _share(share: float) -> str:
    """A share in per cent that never says all when it is not all."""
    return "more than 99.99 %" if share > 0.9999 else formatting.short_percent(share)


def decoded(scene: Scene, x: np.ndarray) -> None:
    """The decoded row, in the user's own columns where the data are an uploaded table."""
    if scene.planar or scene.dataset.image_shape is not None or not np.isfinite(x).all():
        return
    st.dataframe(scene.dataset.table(x[None], drawn=True), hide_index=True)


CHOICES = ("Points", "Move z", "Between two rows")
"""What every latent space can be played with; pictures add two."""
REACH = 4.2
"""How far the picture and the sliders go where the prior is a standard normal."""
GRID = 120
PLACES = 601
"""Places on each path; the density can dip within a hundredth of a path."""
MOVED = ("move1", "move2")


def latent(scene: Scene) -> None:
    """Points, an editable latent point, or paths between two rows: a second choice, which stands in the link."""
    plays: dict[str, Callable[[Scene], None]] = {"Points": rows, "Move z": move, "Between two rows": between}
    if scene.dataset.image_shape is not None:
        plays |= {"Between four rows": between_four, "Latent pictures": latent_pictures}
    play = segmented("Latent", list(plays), "play", CHOICES[0])
    plays[play](scene)


def _latent(pair: LatentRows) -> np.ndarray:
    """The latent points of rows, for pages of models that have them; ValueError for others."""
    if pair.latent is None:
        raise ValueError("This model has no latent space; choose a flow or an autoencoder.")
    return pair.latent


def move(scene: Scene) -> None:
    """Sliders, or a click, set z; the picture of the data shows x, and a sentence says how usual both are."""
    pair = scene.view(views.rows, n=1500)
    Z = _latent(pair)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        at = _setting(st.selectbox, "Start at", "start", "row", options=["row", "zero"], width=110)
        row = -1
        if at == "row":
            last = len(scene.dataset) - 1
            row = _setting(
                st.number_input, "Row", "row", first_row(scene), min_value=0, max_value=last, step=1, width=120
            )
        axes = _axes(Z.shape[1])
        start = scene.view(views.latent_point, row=row)
        window = _latent_window(Z, axes, start.gaussian, start.z[None])
        values = [
            _slider(f"z{axis + 1}", MOVED[i], float(start.z[axis]), (window[2 * i], window[2 * i + 1]))
            for i, axis in enumerate(axes)
        ]
        if any(state.view(PAGE, name, "") for name in MOVED):
            st.button("Back to the start", on_click=_forget)
    moved = tuple(round(v, 6) for v in values)
    here = scene.view(views.latent_point, row=row, axes=axes, values=moved)
    left, right = st.columns(2, gap="medium")
    with left:
        key = state.widget_key(PAGE, "zplane")
        fig = plots.latent_plane(
            two_columns(Z, _pair(axes)), _axis_names(axes), window, scene.dark, here.gaussian,
            point=_on_plane(here.z[None], axes)[0],
        )  # fmt: skip
        chart(
            st, fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=_click(key, len(axes)),
            alt=f"Latent space; z has length {formatting.fixed(here.norm, 2)}",
        )  # fmt: skip
    with right:
        if scene.dataset.image_shape is not None:
            decoded_picture = PictureSheet.of(scene.dataset.pictures(here.x[None]))
            told = f"The picture decoded from z; {score(scene, here)}"
            draw_sheet(decoded_picture, "explore.zpicture", told, size=330, width=HALF_WIDTH)
        else:
            fig = _data_picture(scene, pair, here.place[None], point=here.place)
            chart(st, fig, key="explore.zdata", theme=None, config=PLOT, alt=f"Data space; {score(scene, here)}")
    st.markdown(typicality(score(scene, here), here, pair))
    decoded(scene, here.x)


def between(scene: Scene) -> None:
    """Straight in latent space, along a great circle there, and straight in data space: three paths, one profile."""
    last = len(scene.dataset) - 1
    pair = scene.view(views.rows, n=1500)
    Z = _latent(pair)
    first, second = _two_rows(scene, pair)
    limits: dict[str, Any] = {"min_value": 0, "max_value": last, "step": 1, "width": 120}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        start = int(linked(st.number_input, "From row", "row", first, noun="row", **limits))
        end = int(linked(st.number_input, "To row", "to", second, noun="row", **limits))
        axes = _axes(Z.shape[1] if scene.dataset.image_shape is None else 2)
        with_arc = Z.shape[1] > 1 and linked(
            st.toggle, "Great circle", "arc", False,
            help="Turns from one latent point to the other without cutting through the middle: the norm changes evenly",
        )  # fmt: skip
    paths = scene.view(views.latent_paths, start=start, end=end, n=PLACES)
    if not with_arc:
        paths = replace(paths, arc=None)
    gaussian = scene.view(views.latent_point).gaussian
    title = score_title(scene)
    lowest = _lowest(paths, title)
    told = lowest.replace("**", "")
    if scene.dataset.image_shape is not None:
        sheet = path_sheet(scene.dataset, paths, plots.PATH_NAMES)
        draw_sheet(sheet, "explore.waypictures", f"Pictures on the ways between two rows. {told}", across=N_ON_PATH)
        st.caption(f"Under each picture: its {title}.")
        fig = plots.path_profiles(paths, title, scene.dark, height=190)
        chart(st, fig, key="explore.wayprofile", theme=None, config=PLOT, alt=told)
        st.markdown(lowest)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        window = _latent_window(Z, axes, gaussian, paths.latent.z)
        lines = {name: _on_plane(path.z, axes) for name, path in paths.by_name().items()}
        fig = plots.latent_plane(
            two_columns(Z, _pair(axes)), _axis_names(axes), window, scene.dark, gaussian, paths=lines, height=275
        )
        chart(st, fig, key="explore.zways", theme=None, config=PLOT, alt=f"The ways in latent space. {told}")
    with right:
        lines = {name: path.place for name, path in paths.by_name().items()}
        fig = _data_picture(scene, pair, paths.latent.place, paths=lines, height=275)
        chart(st, fig, key="explore.xways", theme=None, config=PLOT, alt=f"The ways in data space. {told}")
    fig = plots.path_profiles(paths, title, scene.dark, height=190)
    chart(st, fig, key="explore.wayprofile", theme=None, config=PLOT, alt=told)
    st.markdown(lowest)
    if with_arc and paths.arc is None:
        st.caption("These two latent points lie on one line through the origin, so no great circle is theirs.")
    if not issubclass(scene.model, FlowModel):
        st.caption("A code keeps only part of a row: the latent way ends at the reconstructions, not at the rows.")


def between_four(scene: Scene) -> None:
    """A square of pictures decoded between four rows, which stand in its corners."""
    last = len(scene.dataset) - 1
    usual = _corners(scene)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        corners = tuple(
            int(
                linked(
                    st.number_input,
                    f"Row {place}",
                    f"corner{i + 1}",
                    usual[i],
                    noun="row",
                    min_value=0,
                    max_value=last,
                    step=1,
                    width=150,
                )
            )
            for i, place in enumerate(("top left", "top right", "bottom left", "bottom right"))
        )
        n = int(linked(st.slider, "Pictures a side", "side", 8, min_value=3, max_value=12, step=1, width=190))
    sheet = scene.view(views.between_four, corners=corners, n=n)
    draw_sheet(sheet, "explore.four", "Pictures decoded between four rows", across=n)
    st.caption(
        "Latent points are mixed evenly from the four corners, and get the mixture of their lengths where the prior "
        "is Gaussian."
    )


def latent_pictures(scene: Scene) -> None:
    """Pictures above their latent points, drawn as pictures."""
    rows = display_rows(scene.dataset, N_ON_PATH, 4, int(state.view(PAGE, "seed", 0)))
    try:
        sheet = scene.view(views.latent_sheet, rows=tuple(int(r) for r in rows))
    except RuntimeError as error:
        st.markdown(formatting.escaped(error))
        return
    draw_sheet(sheet, "explore.zpictures", "Pictures above their latent points", size=64)
    st.caption(
        "Below, each latent variable at its pixel, as the share of a Gaussian below it: a map that keeps nothing of "
        "the picture gives uniform noise. Where the outline of the picture is still seen, the flow has not used it up."
    )


def _corners(scene: Scene) -> list[int]:
    """Four rows of different classes, where there are as many; else the first rows."""
    classes, rows = scene.dataset.classes, scene.dataset.rows(Part.TRAIN)
    if classes is None or len(np.unique(classes[rows])) < 4:
        return [int(row) for row in rows[:4]]
    return [int(rows[np.flatnonzero(classes[rows] == k)[0]]) for k in np.unique(classes[rows])[:4]]


def _setting(widget: Callable[..., Any], label: str, name: str, default: Scalar, **settings: Any) -> Any:
    """A setting that says where z starts: changing it forgets how far z was moved."""
    value = state.view(PAGE, name, default)
    if "min_value" in settings:
        settings["value"] = value = min(max(value, settings["min_value"]), settings["max_value"])
    else:
        value = value if value in settings["options"] else default
        settings["index"] = settings["options"].index(value)
    key = state.widget_key(PAGE, name, "start")

    def apply(new: Scalar) -> None:
        state.set_view(PAGE, **{name: new})
        _forget()

    widget(label, key=key, on_change=state.on_widget(key, apply), **settings)
    return value


def _forget() -> None:
    state.set_view(PAGE, **dict.fromkeys(MOVED))
    state.refresh_widgets()


def _slider(label: str, name: str, default: float, ends: tuple[float, float]) -> float:
    """One coordinate of z; where it was not moved it is the start's own, to all digits."""
    low, high = (float(v) for v in ends)
    step = 0.05 if high - low > 5 else (high - low) / 200
    return float(
        linked(st.slider, label, name, default, min_value=low, max_value=high, step=step, format="%.2f", width=190)
    )


def _axes(n_latent: int) -> tuple[int, ...]:
    """The latent axes that are shown and moved, from 0; of more than two the reader chooses."""
    if n_latent <= 2:
        return tuple(range(n_latent))
    axes = [
        int(_setting(st.number_input, label, f"z{i + 1}", i + 1, min_value=1, max_value=n_latent, step=1, width=120))
        - 1
        for i, label in enumerate(("Axis across", "Axis up"))
    ]
    if axes[0] == axes[1]:
        raise ValueError("Choose two different latent axes.")
    return tuple(axes)


def _pair(axes: tuple[int, ...]) -> tuple[int, int]:
    return (axes[0], axes[-1])


def _axis_names(axes: tuple[int, ...]) -> tuple[str, str]:
    return (f"z{axes[0] + 1}", f"z{axes[1] + 1}" if len(axes) > 1 else "")


def _on_plane(Z: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """(n, 2) where latent points of a path or one point are drawn; a single latent axis lies level."""
    return Z[:, list(axes)] if len(axes) > 1 else np.column_stack([Z[:, 0], np.zeros(len(Z))])


def _latent_window(
    Z: np.ndarray, axes: tuple[int, ...], gaussian: bool, more: np.ndarray
) -> tuple[float, float, float, float]:
    """A window that holds nearly all rows, the start, and the circles where there are any."""
    limits: list[float] = []
    for axis in axes:
        low, high = (-REACH, REACH) if gaussian else np.quantile(Z[:, axis], [0.002, 0.998])
        margin = 0.0 if gaussian else 0.15 * (high - low) or 1.0
        low, high = min(low - margin, more[:, axis].min()), max(high + margin, more[:, axis].max())
        # To two digits: a link that was made on another machine then gives the same slider.
        limits += [math.floor(low * 20) / 20, math.ceil(high * 20) / 20]
    left, right, bottom, top = limits if len(axes) > 1 else [*limits, -1.0, 1.0]
    return left, right, bottom, top


def _click(key: str, n_axes: int) -> Callable[[], None]:
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        if points:
            here = [round(float(points[0][name]), 3) for name in ("x", "y")]
            state.set_view(PAGE, **dict(zip(MOVED[:n_axes], here, strict=False)))
            state.refresh_widgets()

    return changed


def _data_picture(scene: Scene, pair: LatentRows, places: np.ndarray, **drawn: Any) -> theme.Figure:
    """The learned density where it can be drawn, else the rows; grown so that what is drawn lies inside."""
    can_draw = scene.planar and len(scene.columns) == 2 and is_density(scene)
    grid = scene.view(views.density_grid, n=GRID) if can_draw else None
    x0, x1, y0, y1 = scene.stage.window
    finite = places[np.isfinite(places).all(axis=1)]
    window = (x0, x1, y0, y1)
    if len(finite):
        (a, c), (b, d) = finite.min(axis=0), finite.max(axis=0)
        margin = 0.05 * max(x1 - x0, y1 - y0)
        window = (
            x0 if a >= x0 else a - margin, x1 if b <= x1 else b + margin,
            y0 if c >= y0 else c - margin, y1 if d <= y1 else d + margin,
        )  # fmt: skip
    square = abs((x1 - x0) / (y1 - y0) - 1) < 1e-2
    return plots.data_plane(pair.points, scene.stage.axes, window, scene.dark, grid, square=square, **drawn)


def _lowest(paths: LatentPaths, title: str) -> str:
    """Lowest and mean score on every path; the mean is low where a long part of the path crosses a gap."""
    parts = []
    for name, path in paths.by_name().items():
        values = path.score[np.isfinite(path.score)]
        low, mean = (formatting.number(float(f(values))) if len(values) else "not finite" for f in (np.min, np.mean))
        parts.append(f"{plots.PATH_NAMES[name]} **{low}** (mean **{mean}**)")
    return f"Lowest {title} of {PLACES} places on the way: " + ", ".join(parts) + "."


def _two_rows(scene: Scene, pair: LatentRows) -> tuple[int, int]:
    """A good pair to begin with: of each of two classes an ordinary row near its middle, else the first rows."""
    rows = pair.rows
    classes = None if scene.dataset.classes is None else scene.dataset.classes[rows]
    if classes is None or len(np.unique(classes)) < 2:
        return first_row(scene), min(1, len(scene.dataset) - 1)
    picked = []
    for name in np.unique(classes)[:2]:
        members = np.flatnonzero(classes == name)
        X = scene.dataset.X[rows[members]]
        away = np.sum((X - np.median(X, axis=0)) ** 2, axis=1)
        near = members[np.argsort(away)[: max(1, len(members) // 5)]]
        picked.append(int(rows[near[np.argmin(pair.anomaly_score[near])]]))
    return picked[0], picked[1]


SELECTED = "explore.selected"
MAX_MARKED = 120
COLORS = {"direction": "Direction", "score": "Anomaly score", "label": "Label"}


def rows(scene: Scene) -> None:
    """Data, latent points and scores, coloured alike; a lasso in any of them marks the same rows in all."""
    pair = scene.view(views.rows, n=1500)
    Z, n_layers = pair.latent, pair.n_layers
    layer, title = n_layers, "Latent space"
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        names = [c for c in COLORS if c != "label" or _labelled(scene)]
        by = segmented("Colour by", names, "color", "label" if _labelled(scene) else "direction", COLORS.__getitem__)
        plane, window, titles = _data_plane(scene, pair)
        if Z is not None and scene.dataset.image_shape is not None:  # no axis says more than others but by its spread
            first, second = np.sort(np.argsort(-Z.std(axis=0), kind="stable")[:2])
            axes = int(first), int(second)
        else:
            axes = _chosen_latent_axes(Z.shape[1]) if Z is not None else (0, 0)
        if n_layers:
            layer = int(
                linked(
                    st.number_input, "After layer", "after", n_layers, min_value=0, max_value=n_layers, step=1,
                    width=130, help="The picture in the middle: 0 is the scaled data, the last layer the latent space",
                )
            )  # fmt: skip
    if layer != n_layers:
        Z = scene.view(views.rows, n=1500, layer=layer).latent
        title = f"After layer {layer} of {n_layers}" if layer else "Scaled data"
    row_numbers, scores = pair.rows, pair.anomaly_score
    color, kind = _coloring(plane, pair, by)
    axis_word = "latent" if layer == n_layers else "feature"
    marked = brush_view(
        plane,
        scores,
        window,
        f"explore.rows.{scene.run.run_id}.{by}.{axes}.{layer}.{titles}",
        latent=None if Z is None else two_columns(Z, axes),
        latent_title=title,
        latent_axes=(f"{axis_word} {axes[0] + 1}", f"{axis_word} {axes[1] + 1}"),
        labels=pair.labels,
        score_label="anomaly score (nats)" if scene.model.is_density else "anomaly score",
        axes=titles,
        color=color,
        color_kind=kind,
        rows=np.flatnonzero(np.isin(row_numbers, state.recall(SELECTED, []))).tolist(),
    )
    state.keep(SELECTED, [int(r) for r in row_numbers[marked]])
    if marked and scene.dataset.image_shape is not None:
        _marked_pictures(scene, row_numbers[marked], scores[marked])
    elif marked:
        table = _marked_rows(scene, row_numbers[marked], scores[marked])
        if is_density(scene):
            st.markdown(collection(-scores[marked]))
        st.dataframe(spelled(table, **{"row": 0, "anomaly score": 3}), hide_index=True, height=240)
    elif Z is not None and scene.model.is_density and layer == n_layers and not state.is_presenting():
        _normality(scene, Z)


PRINCIPAL = -1
"""In place of a column's number: the principal axes of the stage."""


def _data_plane(scene: Scene, pair: LatentRows) -> tuple[np.ndarray, Window, tuple[str, str]]:
    """Places (m, 2), window and titles of the rows: on the stage, or by two columns that the reader chooses."""
    columns, options = scene.dataset.columns, [PRINCIPAL, *scene.columns]
    if len(scene.columns) < 3 or scene.dataset.image_shape is not None:
        return pair.points, scene.stage.window, scene.stage.axes

    def name(j: int) -> str:
        return "principal axes" if j == PRINCIPAL else str(columns[j])[:60]

    across = linked(
        st.selectbox, "Rows drawn by", "across", PRINCIPAL, options=options, noun="column", show=name, width=190
    )
    if across == PRINCIPAL:
        return pair.points, scene.stage.window, scene.stage.axes
    others = [j for j in scene.columns if j != across]
    up = linked(st.selectbox, "and by", "up", others[0], options=others, noun="column", show=name, width=190)
    ends = (*column_window(scene.dataset, across), *column_window(scene.dataset, up))
    return scene.dataset.X[np.ix_(pair.rows, [across, up])], ends, (name(across), name(up))


def _chosen_latent_axes(n_latent: int) -> tuple[int, int]:
    if n_latent <= 2:
        return (0, min(1, n_latent - 1))
    axes = []
    for i, label in enumerate(("Latent across", "Latent up")):
        value = linked(st.number_input, label, f"z{i + 1}", i + 1, min_value=1, max_value=n_latent, step=1, width=120)
        axes.append(int(value) - 1)
    return axes[0], axes[1]


def _labelled(scene: Scene) -> bool:
    return scene.dataset.y is not None and bool((scene.dataset.y == 1).any())


def _coloring(plane: np.ndarray, pair: LatentRows, by: str) -> tuple[np.ndarray, str]:
    """(m,) uint8 and what it means, for the canvas."""
    if by == "label":
        return pair.labels, "label"
    if by == "score":
        order = np.argsort(np.argsort(pair.anomaly_score))
        return (255 * order / max(1, len(order) - 1)).astype(np.uint8), "value"
    return angle_color(plane), "angle"


def _marked_pictures(scene: Scene, rows: np.ndarray, scores: np.ndarray) -> None:
    """The marked pictures, the highest anomaly score first."""
    order = np.argsort(-scores)[:MAX_MARKED]
    if is_density(scene):
        st.markdown(collection(-scores))
    sheet = row_sheet(scene.dataset, rows[order], [f"{score:.4g}" for score in scores[order]])
    draw_sheet(sheet, "explore.marked", f"{formatting.plural(len(order), 'marked picture')}, the least likely first")
    st.caption("Under each picture: its anomaly score. Outlined: labelled anomalies.")


def _marked_rows(scene: Scene, rows: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    table = scene.dataset.table(scene.dataset.X[rows])
    facts = {"row": rows, "anomaly score": scores}
    if scene.dataset.y is not None:
        facts["label"] = scene.dataset.y[rows]
    return beside(facts, table).iloc[np.argsort(-scores)]


def _normality(scene: Scene, Z: np.ndarray) -> None:
    """Is the latent space normal? Quantiles of each axis, and lengths of the latent vectors."""
    worst, lengths = normality(Z)
    left, right = st.columns(2, gap="medium")
    with left:
        fig = plots.quantile_lines(Z, scene.dark, height=240)
        chart(st, fig, theme=None, config=PLOT, key="explore.quantiles", alt=worst)
        st.caption(f"{worst}.")
    with right:
        fig = plots.norm_histogram(np.linalg.norm(Z, axis=1), Z.shape[1], scene.dark, height=240)
        chart(st, fig, theme=None, config=PLOT, key="explore.norms", alt=lengths)
        st.caption(f"{lengths}.")


def normality(Z: np.ndarray) -> tuple[str, str]:
    """The axis of latent points (n, n_latent) whose spread is furthest from 1, and their lengths, in words."""
    spread, norms = Z.std(axis=0), np.linalg.norm(Z, axis=1)
    axis = int(np.argmax(np.abs(np.log(np.maximum(spread, 1e-12)))))
    usual = formatting.fixed(math.sqrt(chi2.median(Z.shape[1])))
    return (
        "Quantiles of each latent axis against a Gaussian's; the standard deviation furthest from 1 is "
        f"{formatting.fixed(float(spread[axis]))}, of axis {axis + 1}",
        f"Lengths of latent vectors: median {formatting.fixed(float(np.median(norms)))}, a Gaussian's {usual}",
    )
