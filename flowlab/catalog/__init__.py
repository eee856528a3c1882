"""Names to data sets and models, and the controls that edit them.

Defaults live in the signatures of the makers and nowhere else; here stand labels, ranges and help texts. A link
or a form can only reach what is listed here, and only inside these ranges (`tidy`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from flowlab.catalog.data import DATASETS, UPLOADED
from flowlab.catalog.entry import Control, Entry
from flowlab.catalog.models import MODELS
from flowlab.records import RunSpec, Spec

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.models.base import DensityModel

__all__ = [
    "DATASETS",
    "DEFAULT",
    "MODELS",
    "UPLOADED",
    "Control",
    "Entry",
    "describe",
    "make_dataset",
    "make_model",
    "run_id",
    "tidy",
]

DEFAULT = RunSpec(Spec("moons"), Spec("spline"))
"""What a visitor without a link sees first."""


def tidy(spec: RunSpec) -> tuple[RunSpec, list[str]]:
    """A RunSpec the catalog can carry out, and one sentence for everything that was changed or ignored."""
    problems: list[str] = []
    tidied = []
    for part, entries, default in (
        (spec.data, DATASETS, DEFAULT.data),
        (spec.model, MODELS, DEFAULT.model),
    ):
        if part.name not in entries:
            problems.append(f"There is nothing named {part.name[:40]!r} here; {entries[default.name].label} is used.")
            part = default
        clean, more = entries[part.name].tidy(part)
        tidied.append(clean)
        problems += more
    return RunSpec(tidied[0], tidied[1], spec.seed), problems


def run_id(spec: RunSpec) -> str:
    """What names a run: the digest of the spec with all defaults written out, 16 hex digits."""
    return RunSpec(
        DATASETS[spec.data.name].complete(spec.data), MODELS[spec.model.name].complete(spec.model), spec.seed
    ).digest()


def make_dataset(spec: Spec, seed: int = 0, load_table: Callable[[str], Any] | None = None) -> Dataset:
    """The Dataset a Spec names. `load_table` turns the digest of an uploaded table into a pandas DataFrame."""
    entry = DATASETS[spec.name]
    arguments = {**entry.fixed, **entry.complete(spec).params}
    if entry.group == UPLOADED:
        if load_table is None:
            raise ValueError("this data set is an uploaded table; it can only be read where it is stored")
        return entry.make(load_table(str(arguments.pop("digest"))), seed=seed, **arguments)
    return entry.make(seed=seed, **arguments)


def make_model(spec: Spec, seed: int = 0) -> DensityModel:
    """The unfitted estimator a Spec names, its `random_state` set to the run's seed."""
    entry = MODELS[spec.name]
    model = entry.make(**entry.fixed, **entry.complete(spec).params)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=seed)
    return model


def describe(entry: Entry, spec: Spec) -> str:
    """A few words for a headline: "spline flow, 8 layers"."""
    parts = [entry.label]
    params = entry.complete(spec).params
    for control in entry.controls:
        if control.main and control.kind in ("int", "float") and control.name != "n_steps":
            parts.append(f"{control.label.lower()} {params[control.name]:g}")
    return ", ".join(parts[:3])
