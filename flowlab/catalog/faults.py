"""Faults on purpose: what can be broken in a flow, its effect, and the findings of the trust badge that show it.

>>> broken = breaks(Spec("affine"), 2)["sigmoid"]
>>> broken.to_json()
'{"name":"affine","params":{"scale_map":"sigmoid"}}'
>>> [fault.name for fault in faults_of(broken)], mended(broken) == Spec("affine")
(['sigmoid'], True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowlab.catalog.models import MODELS
from flowlab.controls import Choice, Mask
from flowlab.records import Spec


@dataclass(frozen=True)
class Fault:
    """One setting that spoils a flow: `control` at `value`, in words for a button, a headline and a panel.

    `caught_by` are names of findings of `trust.audit`. Without `has_density` the log-density and the loss of the model
    are not those of a normalised density. Models without the control are broken as model `instead`, if there is one.
    """

    name: str
    label: str
    words: str
    what: str
    caught_by: tuple[str, ...]
    control: str
    value: str
    has_density: bool = True
    instead: str = ""


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "log-determinant",
            "Drop the log-determinant",
            "no log-determinant",
            "Loss and score are \u2212log N(z) alone, so nothing holds the rows apart: the flow squeezes them all into "
            "the centre of the latent space, and what it draws lies far outside the data.",
            ("Log-determinant", "Latent axes", "Total mass"),
            "fault",
            "no log-determinant",
            has_density=False,
        ),
        Fault(
            "mask",
            "Drop the masks",
            "no masks",
            "Each network also reads the columns it changes, so the Jacobian is not triangular and the map has no "
            "inverse: the loss claims a volume change that does not happen and falls far below the entropy.",
            ("Round trip", "Log-determinant", "Total mass"),
            "fault",
            "no mask",
            has_density=False,
        ),
        Fault(
            "fixed mask",
            "Never swap the mask",
            "one mask in all layers",
            "Every layer transforms the same columns; the others pass unchanged, and their shape stays a Gaussian's in "
            "all that the flow draws, which is right only where it is one.",
            ("Untouched columns",),
            "mask",
            "=",
        ),
        Fault(
            "sigmoid",
            "Scale as nflows 0.14",
            "nflows 0.14 scale",
            "No layer can stretch, its scale being at most 1.001: the loss stalls far above the entropy, and the "
            "latent points stay too close together.",
            ("Latent norm",),
            "scale_map",
            "sigmoid",
            instead="affine",
        ),
    )
}
BREAKABLE = ("spline", "affine", "maf", "iaf")


def faults_of(spec: Spec) -> list[Fault]:
    """The faults that the parameters of a model's spec make."""
    return [fault for fault in FAULTS.values() if _has(spec, fault)]


def keeps_density(spec: Spec) -> bool:
    """Whether loss and log-density of a model are those of a normalised density, whatever else is broken."""
    return all(fault.has_density for fault in faults_of(spec))


def breaks(spec: Spec, n_features: int, first_moved: Sequence[bool] = ()) -> dict[str, Spec]:
    """Fault name to the spec of the same model, otherwise sound, with this one fault; {} where none can be made.

    `first_moved` says of each column whether the first layer transforms it (by default every other one): with a fixed
    mask, all layers do as the first.
    """
    if spec.name not in BREAKABLE:
        return {}
    sound = mended(spec)
    broken = {}
    for fault in FAULTS.values():
        value = fault.value
        if fault.control == "mask":
            if n_features < 2:
                continue
            moved = first_moved or [i % 2 == 1 for i in range(n_features)]
            value += "".join("01"[bool(m)] for m in moved)
        if _takes(spec.name, fault):
            broken[fault.name] = Spec(spec.name, {**sound.params, fault.control: value})
        elif fault.instead:
            broken[fault.name] = Spec(fault.instead, {fault.control: value})
    return broken


def mended(spec: Spec) -> Spec:
    """The spec without its faults: their settings at the default."""
    spoilt = {fault.control for fault in faults_of(spec)}
    return Spec(spec.name, {name: value for name, value in spec.params.items() if name not in spoilt})


def _has(spec: Spec, fault: Fault) -> bool:
    value = str(spec.params.get(fault.control, ""))
    here = value.startswith("=") if fault.control == "mask" else value == fault.value
    return here and _takes(spec.name, fault)


def _takes(name: str, fault: Fault) -> bool:
    """Whether this setting spoils this model. An inverse flow contracts on its way to the data: sigmoid suits it."""
    if name not in BREAKABLE or (name == "iaf" and fault.name == "sigmoid"):
        return False
    controls = {control.name: control for control in MODELS[name].controls}
    control = controls.get(fault.control)
    return isinstance(control, Choice) and (isinstance(control, Mask) or fault.value in control.choices)
