"""The Coupling view of the Explore page: scale and shift of one layer, its Jacobian, its masks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.controls import Mask
from flowlab.dashboard.explore.scene import PAGE, Scene, first_row, linked, segmented
from flowlab.dashboard.shell import pages, services, state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.plots import coupling as plots
from flowlab.records import RunSpec, Spec
from flowlab.views.coupling import CouplingLayer, Jacobian, MadeMasks

AGREE = 1e-6
"""Relative to its size, an exact log-determinant and the reported one agree within this."""
WHOLE = "The whole flow"


def jacobian(scene: Scene, layer: int, row: int) -> None:
    """Heat maps in the columns' own order and in the triangular one, and what the diagonal adds up to."""
    whole = segmented("Jacobian of", ["This layer", WHOLE], "jacobian", "This layer") == WHOLE
    try:
        found = scene.view(views.jacobian, row=row, layer=0 if whole else layer)
    except ValueError as error:
        st.info(formatting.escaped(error))
        return
    subject = "the whole flow" if whole else f"layer {layer}"
    agreement = _agreement(found, "its layers report together" if whole else "the layer reports")
    fig = plots.jacobian_panels(found, scene.dataset.columns, scene.dark)
    chart(
        st, fig, theme=None, config=PLOT, key="explore.jacobian", alt=f"Jacobian of {subject} at row {row}. {agreement}"
    )
    st.markdown(agreement)
    st.caption(f"Jacobian of {subject} at row {row}, in scaled units, by automatic differentiation. {_form(found)}")


def _agreement(found: Jacobian, reporter: str) -> str:
    """The log-determinant three ways: of the matrix, by the diagonal where it is triangular, and as reported."""
    log_det, diagonal = found.log_det, found.log_diagonal
    terms = ["log-determinant"]
    if len(diagonal) and abs(diagonal.sum() - log_det) <= AGREE * max(1.0, abs(log_det)):
        terms.append("sum of the log-diagonal")
    equal = " = ".join(terms).capitalize()
    if _agrees(found):
        return f"{equal} = what {reporter} = {formatting.nats(log_det)}."
    return f"{equal} = {formatting.nats(log_det)}, but what {reporter} is {formatting.nats(found.reported)}."


def _agrees(found: Jacobian) -> bool:
    """Whether the layer reports the logarithm of the determinant that its Jacobian has."""
    return abs(found.reported - found.log_det) <= AGREE * max(1.0, abs(found.log_det))


def _form(found: Jacobian) -> str:
    """Why the matrix is triangular, or why it is not."""
    form = found.form
    if len(found.matrix) == 1:
        return "With one feature it is a single number, the slope."
    if found.above > AGREE:
        return (
            f"The part above the diagonal should be empty and holds up to {formatting.number(found.above)}: "
            "the masks are broken, and the diagonal alone does not give the determinant."
        )
    if form.kind == "planar":
        return (
            "A planar layer is the identity plus a product of two vectors: triangular in no order, but its determinant "
            "is one plus the product's trace."
        )
    if form.kind == "radial":
        return (
            "A radial layer is a multiple of the identity plus a product of two vectors: triangular in no order, but "
            "its determinant is known in closed form."
        )
    if form.kind == "linear":
        return (
            "A linear map L U mixes all columns: triangular in no order, but its determinant is the product of the "
            "diagonal of U, for L has ones on its own."
        )
    if form.kind == "flow" and not form.is_triangular:
        if not _agrees(found):
            return "The layers report something else: look at them one by one for the one that breaks its rule."
        return (
            "Each layer's determinant is easy, that of all of them together is not: they are triangular in no common "
            "order. The determinant of the product is the product of their determinants, so logarithms add up."
        )
    if not form.is_triangular:
        return ""
    if form.kind == "rescaling":
        return "This layer only rescales: the matrix is diagonal."
    if form.kind == "coupling" and form.n_kept:
        return (
            "Kept features leave as they entered and do not look at the moved ones: the block framed by dots is empty. "
            "Each moved feature is stretched by itself alone: what is left counts nothing, the outlined diagonal all."
        )
    turned = (
        " The layer first puts the columns in another order, so in their own order its matrix is not triangular; read "
        "in the layer's order it is."
    )
    return "Each feature depends on itself and on those before it: the triangle framed by dots is empty." + (
        turned if (form.after != form.before).any() else ""
    )


MOST_TOGGLES = 16
MOST_NAMES = 8


def never_words(scene: Scene, never: np.ndarray, n_layers: int) -> str:
    """What it means for these columns that no layer transforms them."""
    names = [formatting.escaped(scene.dataset.columns[j]) for j in never[:MOST_NAMES]]
    more = f" and {len(never) - MOST_NAMES} more" if len(never) > MOST_NAMES else ""
    one = len(never) == 1
    meaning = "is never transformed: its marginal stays" if one else "are never transformed: their marginals stay"
    way_out = "A second layer can transform" if n_layers == 1 else "Masks that take turns transform"
    return f"{', '.join(names)}{more} {meaning} a Gaussian's. {way_out} {'it' if one else 'them'}."


def made(scene: Scene, masks: MadeMasks, layer: int) -> None:
    """The masks of the layer's network, and their product."""
    fig = plots.made_masks(masks, scene.dark, height=300)
    chart(st, fig, theme=None, config=PLOT, key="explore.made", alt="Masks of the layer's network")
    order = ", ".join(str(j + 1) for j in masks.order[:MOST_NAMES])
    more = ", .." if len(masks.order) > MOST_NAMES else ""
    reach = (
        "It has cells on or above the diagonal: s and t of some feature depend on itself or on later ones, so the "
        "Jacobian is not triangular."
        if np.triu(masks.paths).any()
        else "It is empty on and above the diagonal, so a feature's s and t depend only on those before it."
    )
    st.caption(
        f"Masks of layer {layer}, whose features come in the order {order}{more}: "
        "a filled cell lets the row see the column. Their product counts the paths from one feature to another's s and "
        f"t. {reach}"
    )


def editor(scene: Scene, transformed: np.ndarray) -> None:
    """A mask to edit, what it would transform, and the button that trains it; only for flows that take a mask."""
    spec = state.spec()
    entry = catalog.MODELS[spec.model.name]
    if not any(isinstance(control, Mask) for control in entry.controls) or scene.dataset.n_features < 2:
        return
    st.markdown("**Edit the mask**")
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        mask = _edited(scene, transformed[0], str(entry.complete(spec.model).params["mask"]))
        try:
            planned = scene.view(views.masks, mask=mask)
        except (ValueError, RuntimeError) as error:
            st.info(formatting.escaped(error))
            return
        never = planned.never
        st.caption(
            never_words(scene, never, len(transformed))
            if len(never)
            else "With this mask every column that varies is transformed by some layer."
        )
        new = replace(spec, model=Spec(spec.model.name, {**spec.model.params, "mask": mask}), parent="")
        known = np.array_equal(planned.transformed, transformed)
        why = "These are the masks of this run; choose others." if known else None
        if st.button("Train with this mask", type="primary", key="explore.train_mask", disabled=known, help=why):
            _train_with(new)
    with right:
        height = 90 + min(20 * len(transformed), 200)
        fig = plots.moved_features(planned.transformed, scene.dark, 0, height)
        chart(st, fig, theme=None, config=PLOT, key="explore.planned", alt="Which layer would change which feature")


def _edited(scene: Scene, first: np.ndarray, present: str) -> str:
    """The mask on the page as text: "0110" in turn, "=0110" the same in each layer."""
    digits = str(state.view(PAGE, "mask", "".join("01"[int(moved)] for moved in first)))
    d = scene.dataset.n_features
    if d > MOST_TOGGLES:
        # A link cuts long texts: of many hundred columns it cannot hold the mask.
        digits = digits if len(digits) == d else "".join("01"[int(moved)] for moved in first)
        key = state.widget_key(PAGE, "mask")
        typed = st.text_input(
            "Digits, 1 for each column the first layer transforms",
            digits,
            key=key,
            on_change=state.on_widget(key, lambda new: state.set_view(PAGE, mask=new.strip())),
        )
        digits = typed.strip()
    else:
        if len(digits) != d or not set(digits) <= {"0", "1"}:
            digits = "".join("01"[int(moved)] for moved in first)
        key = state.widget_key(PAGE, "mask", d)
        chosen = st.pills(
            "Columns that the first layer transforms",
            range(d),
            selection_mode="multi",
            default=[j for j in range(d) if digits[j] == "1"],
            format_func=lambda j: formatting.escaped(scene.dataset.columns[j])[:40],
            key=key,
            on_change=state.on_widget(key, lambda new: state.set_view(PAGE, mask=_digits(new, d))),
        )
        digits = _digits(chosen, d)
    same = linked(
        st.toggle,
        "The same in each layer",
        "same_mask",
        present.startswith("="),
        help="Off: the next layer transforms the others, and so on in turn.",
    )
    return "=" * bool(same) + digits


def _digits(moved: list[int], d: int) -> str:
    return "".join("01"[j in moved] for j in range(d))


def _train_with(new: RunSpec) -> None:
    try:
        services.train(new)
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    state.show(new)
    st.switch_page(pages.path("train"), query_params=state.query("train"))


def coupling(scene: Scene) -> None:
    """One layer opened: what it reads, what it changes, and by how much the volume changes."""
    last = len(scene.view(views.coupling, layer=1).moved)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        layer = int(linked(st.number_input, "Layer", "layer", 1, min_value=1, max_value=last, step=1, width=130))
        row = int(
            linked(
                st.number_input, "Row", "row", first_row(scene), min_value=0, max_value=len(scene.dataset) - 1, step=1,
                width=160,
            )
        )  # fmt: skip
        opened, masks = scene.view(views.coupling, layer=layer), scene.view(views.masks, layer=layer)
        order = None if masks.made is None else masks.made.order
        told = opened.log_scale is not None
        pair = _read_and_moved(opened.moved[layer - 1], scene, order) if told else None
    left, right = st.columns([1, 2], gap="medium")
    with left:
        _scale_and_shift(scene, opened, pair, layer, row, masks.made)
    with right:
        jacobian(scene, layer, row)
    if masks.transformed.all():
        st.caption("Every layer changes every feature.")
    else:
        fig = plots.moved_features(masks.transformed, scene.dark, layer, 70 + min(22 * last, 260))
        chart(st, fig, theme=None, config=PLOT, key="explore.moved", alt="Which layer changes which feature")
        st.caption("Blue: the layer changes the feature; grey: it keeps it, and reads it where it varies.")
    if len(masks.never):
        st.warning(never_words(scene, masks.never, last))
    if masks.made is not None:
        made(scene, masks.made, layer)
    editor(scene, masks.transformed)


def _read_and_moved(moved: np.ndarray, scene: Scene, order: np.ndarray | None = None) -> tuple[int, int] | None:
    """The feature shown across, and the moved one whose s and t are shown; a choice where there are many.

    Without a choice: the first kept and the first moved one, or the first and the last in a MADE's `order`.
    """
    kept, changed = np.flatnonzero(~moved), np.flatnonzero(moved)
    if not len(changed):
        return None
    if order is not None:
        sources, first, last = np.sort(order), order[0], order[-1]
    else:
        sources = kept if len(kept) else np.arange(len(moved))
        first, last = sources[0], changed[0]
    if scene.dataset.n_features <= 2:
        return int(first), int(last)
    chosen = []
    for label, name, options, default in (
        ("Reads feature", "reads", sources, first),
        ("Changes feature", "changes", changed, last),
    ):
        number = linked(
            st.selectbox, label, name, int(default if default in options else options[0]) + 1,
            options=[int(j) + 1 for j in options], noun="feature", width=220,
            show=lambda number: f"{number}: {str(scene.dataset.columns[number - 1])[:40]}",
        )  # fmt: skip
        chosen.append(number - 1)
    return chosen[0], chosen[1]


def _reach(opened: CouplingLayer, feature: int, layer: int) -> str:
    """Between which values the scale and the shift of a feature lie."""
    ends = []
    for name, values in (("s", opened.log_scale), ("t", opened.shift)):
        if values is None:
            continue
        low, high = (formatting.fixed(float(end)) for end in np.nanquantile(values[..., feature], (0, 1)))
        ends.append(f"{name} from {low} to {high}")
    return f"Layer {layer} scales and shifts feature {feature + 1}: {', '.join(ends)} over the rows shown"


def _scale_and_shift(
    scene: Scene,
    opened: CouplingLayer,
    pair: tuple[int, int] | None,
    layer: int,
    row: int,
    made: MadeMasks | None,
) -> None:
    if opened.log_scale is None:
        st.info(
            "This model does not tell the scale and shift of its layers; the Jacobian on the right shows what they do."
        )
        return
    if pair is None:
        st.info(f"Layer {layer} changes no feature of these rows.")
        return
    fig = plots.scale_and_shift(opened, pair[0], pair[1], scene.dark, row, height=340)
    chart(st, fig, theme=None, config=PLOT, key="explore.coupling", alt=_reach(opened, pair[1], layer))
    st.caption(_reading(layer, *pair, made))


def _reading(layer: int, read: int, changed: int, made: MadeMasks | None) -> str:
    """What the picture of s and t shows; `made` are the masks of an autoregressive layer."""
    if read == changed:
        return f"What layer {layer} does to feature {changed + 1} of every row, against that feature before it."
    if made is not None and not made.paths[list(made.order).index(changed), list(made.order).index(read)]:
        return (
            f"Layer {layer} does not read feature {read + 1} for s and t of feature {changed + 1}: a pattern comes "
            "from features on which both depend."
        )
    return (
        f"Layer {layer} reads feature {read + 1} and sets s and t of feature {changed + 1} for every row. An affine "
        "layer that reads no other feature draws curves; a spline's slope also depends on the changed feature itself."
    )
