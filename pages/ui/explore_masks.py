"""Masks on the Explore page: one can edit those of a coupling flow and train them, and see those of a MADE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from flowlab import catalog
from flowlab.plots import coupling
from flowlab.records import RunSpec, Spec
from pages.ui import engine, state, words
from pages.ui.explore import PAGE, PLOT, Scene, mirrored

MOST_TOGGLES = 16
MOST_NAMES = 8


def never_words(scene: Scene, never: np.ndarray, n_layers: int) -> str:
    """What it means for these columns that no layer transforms them."""
    names = [words.plain(scene.dataset.columns[j]) for j in never[:MOST_NAMES]]
    more = f" and {len(never) - MOST_NAMES} more" if len(never) > MOST_NAMES else ""
    one = len(never) == 1
    meaning = "is never transformed: its marginal stays" if one else "are never transformed: their marginals stay"
    way_out = "A second layer can transform" if n_layers == 1 else "Masks that take turns transform"
    return f"{', '.join(names)}{more} {meaning} a Gaussian's. {way_out} {'it' if one else 'them'}."


def made(scene: Scene, masks: dict, layer: int) -> None:
    """The masks of the layer's network, and their product."""
    fig = coupling.made_masks(masks, scene.dark, height=300)
    st.plotly_chart(fig, theme=None, config=PLOT, key="explore.made", alt="Masks of the layer's network")
    order = ", ".join(str(j + 1) for j in masks["order"][:MOST_NAMES])
    more = ", .." if len(masks["order"]) > MOST_NAMES else ""
    reach = (
        "It is filled on and above the diagonal: a feature's s and t depend on the feature itself, so the Jacobian is "
        "not triangular."
        if np.triu(masks["paths"]).any()
        else "It is empty on and above the diagonal, so each feature depends only on those before it."
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
    if not any(control.kind == "mask" for control in entry.controls) or scene.dataset.n_features < 2:
        return
    st.markdown("**Edit the mask**")
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        mask = _edited(scene, transformed[0], str(entry.complete(spec.model).params["mask"]))
        try:
            planned = engine.view("masks", mask=mask)
        except (ValueError, RuntimeError) as error:
            st.info(words.plain(error))
            return
        never = planned["never"]
        st.caption(
            never_words(scene, never, len(transformed))
            if len(never)
            else "With this mask every column is transformed by some layer."
        )
        new = replace(spec, model=Spec(spec.model.name, {**spec.model.params, "mask": mask}), parent="")
        known = np.array_equal(planned["transformed"], transformed)
        why = "These are the masks of this run; choose others." if known else None
        if st.button("Train with this mask", type="primary", key="explore.train_mask", disabled=known, help=why):
            _train(new)
    with right:
        height = 90 + min(20 * len(transformed), 200)
        fig = coupling.moved_features(planned["transformed"], scene.dark, 0, height)
        st.plotly_chart(
            fig, theme=None, config=PLOT, key="explore.planned", alt="Which layer would change which feature"
        )


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
            format_func=lambda j: words.plain(scene.dataset.columns[j])[:40],
            key=key,
            on_change=state.on_widget(key, lambda new: state.set_view(PAGE, mask=_digits(new, d))),
        )
        digits = _digits(chosen, d)
    same = mirrored(
        st.toggle,
        "The same in each layer",
        "same_mask",
        present.startswith("="),
        help="Off: the next layer transforms the others, and so on in turn.",
    )
    return "=" * bool(same) + digits


def _digits(chosen: list[int], d: int) -> str:
    return "".join("01"[j in chosen] for j in range(d))


def _train(new: RunSpec) -> None:
    try:
        engine.train(new)
    except (ValueError, RuntimeError) as error:
        st.error(words.plain(error))
        return
    state.show(new)
    st.switch_page("pages/2_train.py", query_params=state.query("train"))
