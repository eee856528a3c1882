"""Names to data sets and models, and the controls that edit them.

Defaults and what is valid live with the makers and nowhere else; here stand labels, ranges and help texts. A link
or a form can only reach what is listed here, and only inside these ranges (`tidy`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flowlab.catalog.data import DATASETS, IMAGES, UPLOADED
from flowlab.catalog.entry import Entry
from flowlab.catalog.models import MODELS
from flowlab.controls import Number, Text
from flowlab.encoding.encoder import VERSION as ENCODING
from flowlab.formatting import plural, shortened
from flowlab.records import RunSpec, Spec

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.models.base import DensityModel

__all__ = [
    "DATASETS",
    "DEFAULT",
    "MODELS",
    "TABLE",
    "UPLOADED",
    "Entry",
    "dataset_key",
    "dataset_of",
    "describe",
    "differences",
    "describe_data",
    "fork_problem",
    "learner",
    "make_dataset",
    "make_model",
    "models_for",
    "run_id",
    "tidy",
]

TABLE = "upload"
"""Name of the uploaded table in `DATASETS`: the one that an encoder turns into numbers."""
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
    return replace(spec, data=tidied[0], model=tidied[1]), problems


def run_id(spec: RunSpec) -> str:
    """Identifier of a run: the digest of the spec with its defaults written out, 16 hex digits."""
    data, model = DATASETS[spec.data.name].identity(spec.data), MODELS[spec.model.name].identity(spec.model)
    if data.name == TABLE:
        data = replace(data, params={**data.params, "encoding": ENCODING})
    return replace(spec, data=data, model=model).digest()


def fork_problem(parent: RunSpec, fork: RunSpec) -> str:
    """Why `fork` cannot go on from its step of `parent`, in a sentence; "" if it can.

    Weights, scaling and the division of the rows are the parent's, so only settings of learning may differ: another
    seed or other data would also train on rows that the parent's loss is validated on.
    """
    before, entry = MODELS[parent.model.name], MODELS[fork.model.name]
    data, own_data = (DATASETS[spec.data.name].complete(spec.data) for spec in (parent, fork))
    if data != own_data or parent.seed != fork.seed:
        return "A fork goes on with its parent's data and seed; train a new run for others."
    if before is not entry:
        return f"A fork of {before.label} stays one; train a new run for {entry.label}."
    old, new = before.complete(parent.model).params, entry.complete(fork.model).params
    fixed = [c.label for c in entry.controls if not c.learning and old[c.name] != new[c.name]]
    if fixed:
        free = ", ".join(c.label.lower() for c in entry.controls if c.learning)
        return f"{', '.join(fixed)} cannot change in a fork; {f'change {free}' if free else 'train a new run'} instead."
    step = fork.branch[1] if fork.branch else 0
    total = int(new["n_steps"]) if any(c.name == "n_steps" and c.learning for c in entry.controls) else step + 1
    return f"This fork goes on from step {step}, so it needs more steps than {total}." if total <= step else ""


def learner(model: Spec) -> str:
    """Who a model is to the encoder of a table: a "density" in nats, or a "scorer" that takes numbers as they are."""
    entry = MODELS[model.name]
    return entry.make(**entry.complete(model).params).learner


def dataset_key(spec: RunSpec) -> tuple[str, int, str]:
    """What the Dataset of a run depends on: data, seed, and for an uploaded table who learns from it."""
    return spec.data.to_json(), spec.seed, learner(spec.model) if spec.data.name == TABLE else ""


def dataset_of(spec: RunSpec, load_table: Callable[[str], Any] | None = None) -> Dataset:
    """The Dataset a run learns from. `load_table` turns the digest of an uploaded table into a pandas DataFrame."""
    return make_dataset(spec.data, spec.seed, load_table, dataset_key(spec)[2] or "density")


def make_dataset(
    spec: Spec, seed: int = 0, load_table: Callable[[str], Any] | None = None, learner: str = "density"
) -> Dataset:
    """The Dataset a Spec names.

    Parameters
    ----------
    spec : of an entry of `DATASETS`
    seed : of the draws and the division of the rows
    load_table : gives the DataFrame of an uploaded table by its digest
    learner : who will learn from it, "density" or "scorer"; it matters for uploaded tables alone

    Raises
    ------
    ValueError
        Where the spec is of something uploaded but names none, or `load_table` is None.
    """
    entry = DATASETS[spec.name]
    arguments = dict(entry.complete(spec).params)
    if entry.group != UPLOADED:
        return entry.make(seed=seed, **arguments)
    digest = str(arguments.pop("digest"))
    if not digest or load_table is None:
        what = "table" if spec.name == TABLE else "pictures"
        raise ValueError(f"This link names no uploaded {what}; upload the file on the Data page.")
    if spec.name == TABLE:
        arguments["learner"] = learner
    return entry.make(load_table(digest), seed=seed, **arguments)


def models_for(spec: RunSpec) -> dict[str, Entry]:
    """The models that can learn from the data of `spec`, and the one it names: those of pictures need pictures."""
    has_pictures = spec.data.name == "pictures" or DATASETS[spec.data.name].group == IMAGES
    return {
        name: entry
        for name, entry in MODELS.items()
        if has_pictures or not entry.make.is_for_images or name == spec.model.name
    }


def make_model(spec: Spec, seed: int = 0, dataset: Dataset | None = None) -> DensityModel:
    """The unfitted estimator a Spec names, with the run's seed as its `random_state`, and configured for `dataset`."""
    entry = MODELS[spec.name]
    model = entry.make(**entry.complete(spec).params)
    if "random_state" in model.get_params(deep=False):
        model.set_params(random_state=seed)
    return model if dataset is None else model.configured_for(dataset)


def describe(entry: Entry, spec: Spec) -> str:
    """A few words for a headline: "spline flow, 8 layers"."""
    parts = [entry.label]
    params = entry.complete(spec).params
    for control in entry.controls:
        if control.main and isinstance(control, Number) and control.name != "n_steps":
            parts.append(f"{control.label.lower()} {params[control.name]:g}")
    return ", ".join(parts[:3])


def differences(entry: Entry, specs: Sequence[Spec]) -> list[str]:
    """For each of several specs of one entry the settings in which they differ, as "layers 9, bins 8"."""
    values = [entry.complete(spec).params for spec in specs]
    settings = [c for c in entry.controls if not isinstance(c, Text)]
    varied = [c for c in settings if len({str(each[c.name]) for each in values}) > 1]
    return [", ".join(f"{c.label.lower()} {c.spelled(each[c.name])}" for c in varied) for each in values]


def describe_data(spec: Spec) -> str:
    """The data in a few words: their name and how many rows."""
    entry = DATASETS[spec.name]
    params = entry.complete(spec).params
    name = str(params.get("name") or entry.label)
    rows = params.get("n_samples")
    condition = " given the class" if params.get("by_class") else ""
    if params.get("left_out"):
        return f"{name} without rows {shortened(str(params['left_out']), 40)}"
    return f"{name}{condition}, {plural(int(rows), 'row')}" if rows else name
