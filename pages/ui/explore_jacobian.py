"""The Jacobian of a layer or of the whole flow at a row, on the Explore page, and the triangle that makes it cheap."""

from __future__ import annotations

import streamlit as st

from flowlab.plots import coupling
from pages.ui import engine, words
from pages.ui.explore import PLOT, Scene, segmented

AGREE = 1e-6
"""Relative to its size, an exact log-determinant and the reported one agree within this."""
WHOLE = "The whole flow"


def jacobian(scene: Scene, layer: int, row: int) -> None:
    """Heat maps in the columns' own order and in the triangular one, and what the diagonal adds up to."""
    whole = segmented("Jacobian of", ["This layer", WHOLE], "jacobian", "This layer") == WHOLE
    try:
        found = engine.view("jacobian", row=row, layer=0 if whole else layer)
    except ValueError as error:
        st.info(words.plain(error))
        return
    subject = "the whole flow" if whole else f"layer {layer}"
    agreement = _agreement(found, "its layers report together" if whole else "the layer reports")
    fig = coupling.jacobian_panels(found, scene.dataset.columns, scene.dark)
    st.plotly_chart(
        fig, theme=None, config=PLOT, key="explore.jacobian", alt=f"Jacobian of {subject} at row {row}. {agreement}"
    )
    st.markdown(agreement)
    st.caption(f"Jacobian of {subject} at row {row}, in scaled units, by automatic differentiation. {_form(found)}")


def _agreement(found: dict, reporter: str) -> str:
    """The log-determinant three ways: of the matrix, by the diagonal where it is triangular, and as reported."""
    own, told = float(found["log_det"]), float(found["reported"])
    ways = ["log-determinant"]
    if len(found["log_diagonal"]) and abs(found["log_diagonal"].sum() - own) <= AGREE * max(1.0, abs(own)):
        ways.append("sum of the log-diagonal")
    equal = " = ".join(ways).capitalize()
    if _agrees(found):
        return f"{equal} = what {reporter} = {words.nats(own)}."
    return f"{equal} = {words.nats(own)}, but what {reporter} is {words.nats(told)}."


def _agrees(found: dict) -> bool:
    """Whether the layer reports the logarithm of the determinant that its Jacobian has."""
    own = float(found["log_det"])
    return abs(float(found["reported"]) - own) <= AGREE * max(1.0, abs(own))


def _form(found: dict) -> str:
    """Why the matrix is triangular, or why it is not."""
    kind, n_kept, n = str(found["kind"]), int(found["n_kept"]), len(found["matrix"])
    if n == 1:
        return "With one feature it is a single number, the slope."
    if found["above"] > AGREE:
        return (
            f"The part above the diagonal should be empty and holds up to {words.number(float(found['above']))}: this "
            "layer breaks its own rule, and the diagonal alone does not give the determinant."
        )
    if kind == "planar":
        return (
            "A planar layer is the identity plus a product of two vectors: triangular in no order, but its determinant "
            "is one plus the product's trace."
        )
    if kind == "radial":
        return (
            "A radial layer is a multiple of the identity plus a product of two vectors: triangular in no order, but "
            "its determinant is known in closed form."
        )
    if kind == "flow" and not len(found["after"]):
        if not _agrees(found):
            return "The layers report something else: look at them one by one for the one that breaks its rule."
        return (
            "Each layer is easy, all of them together are full: layers that take turns are triangular in no common "
            "order. The determinant of the product is the product of their determinants, so logarithms add up."
        )
    if not len(found["after"]):
        return ""
    if kind == "rescaling":
        return "This layer only rescales: the matrix is diagonal."
    if kind == "coupling" and n_kept:
        return (
            "Kept features leave as they entered and do not look at the moved ones: the block framed by dots is empty. "
            "Each moved feature is stretched by itself alone: what is left counts nothing, the outlined diagonal all."
        )
    turned = (
        " The layer first puts the columns in another order, so in their own order its matrix is not triangular; read "
        "in the layer's order it is."
    )
    return "Each feature depends on itself and on those before it: the triangle framed by dots is empty." + (
        turned if (found["after"] != found["before"]).any() else ""
    )
