"""Which runs are compared, and what they scored: the present data set's finished runs, their seeds, their rivals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from flowlab import catalog, views
from flowlab.catalog.sweeps import comparison_set, more_seeds
from flowlab.dashboard.shell import services, state
from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.comparison import (
    Scored,
    Standing,
    check_comparable,
    held_out,
    leaderboard,
    score_held_out,
)
from flowlab.models.base import FlowModel, LatentModel
from flowlab.records import RunSpec, RunState
from flowlab.store.reading import Run

PAGE = "compare"


@dataclass(frozen=True, eq=False)
class Compared:
    """The chosen runs by name, the rows they are compared on, and everything they scored there."""

    dataset: Dataset
    rows: np.ndarray
    runs: dict[str, Run]
    models: dict[str, Scored]
    rivals: dict[str, Scored]
    board: list[Standing]

    @property
    def y(self) -> np.ndarray | None:
        """Labels of the compared rows, (n,), 1 where a row is an anomaly; None without labels."""
        return None if self.dataset.y is None else self.dataset.y[self.rows]

    def reconstructors(self) -> list[str]:
        """Names of the models that reconstruct rows from a code."""
        return [name for name, run in self.runs.items() if reconstructs(run.spec)]

    def densities(self) -> list[str]:
        """Names of the models whose scores are log-densities, flows first."""
        names = [name for name, run in self.runs.items() if catalog.make_model(run.spec.model).is_density]
        return sorted(names, key=lambda n: not issubclass(catalog.MODELS[self.runs[n].spec.model.name].make, FlowModel))

    def reconstruction(self, name: str) -> np.ndarray:
        """Squared reconstruction error of the compared rows, (n,)."""
        return services.Trained(self.runs[name]).view(views.reconstruction).error[self.rows]


def reconstructs(spec: RunSpec) -> bool:
    """Whether a model encodes rows and decodes them with a loss; flows, whose inverse is exact, do not count."""
    kind = catalog.MODELS[spec.model.name].make
    return issubclass(kind, LatentModel) and not issubclass(kind, FlowModel)


def set_specs() -> list[RunSpec]:
    """What the button trains on the present data: the present model, and the set with a code that fits the table."""
    return comparison_set(state.spec(), services.dataset().n_features)


def comparable_runs() -> list[Run]:
    """Finished runs on the present data and seed: the set's, and those this visitor saw."""
    present = state.spec()
    found: dict[str, Run] = {}
    for run in [services.run(spec) for spec in set_specs()] + services.visitor_runs():
        if run is not None and run.is_usable and (run.spec.data, run.spec.seed) == (present.data, present.seed):
            found.setdefault(run.run_id, run)
    return list(found.values())


def chosen_runs(comparable: list[Run]) -> list[Run]:
    """The runs the link names, whatever their data, or else those of the set and of the present model.

    `comparable` is what `comparable_runs` gave: asked again, it might hold a run that has finished meanwhile.
    """
    ids = [i for i in str(state.view(PAGE, "runs", "")).split(".") if i]
    if not ids:
        wanted = {catalog.run_id(spec) for spec in set_specs()}
        return [run for run in comparable if run.run_id in wanted]
    loaded = services.store().named(i for i in ids if len(i) == 16)
    return [run for run in loaded if run.is_usable and services.is_known(run)]


def run_names(runs: list[Run]) -> dict[str, str]:
    """Run id to a short name; where one model occurs twice, with the settings in which its runs differ.

    What people call a run stands first.
    """
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(run.spec.model.name, []).append(run)
    names = {}
    for model, group in alike.items():
        entry = catalog.MODELS[model]
        for run, text in zip(group, catalog.differences(entry, [run.spec.model for run in group]), strict=True):
            name = f"{entry.label}, {text}"[:70] if text else entry.label
            name = name if run.status is RunState.DONE else f"{name}, {run.status} early"
            names[run.run_id] = f"{run.label.name} · {name}" if run.label.name else name
    return names


def gather(runs: list[Run]) -> Compared:
    """Scores of all runs on the held-out rows, and the leaderboard; ValueError where they cannot be compared."""
    names = run_names(runs)
    spec = runs[0].spec
    dataset = services.dataset(spec)
    models = {names[run.run_id]: scored(run, names[run.run_id]) for run in runs}
    check_comparable(list(models.values()))
    rivals = trivial_rivals(runs[0])
    groups = {name: [model] for name, model in (models | rivals).items()}
    for run in runs:
        groups[names[run.run_id]] += [scored(other, names[run.run_id]) for other in other_seeds(run)]
    seeds = {other.spec.seed: other for run in runs for other in other_seeds(run)}
    for other in seeds.values():
        for name, rival in trivial_rivals(other).items():
            if name in groups:
                groups[name].append(rival)
    runs_by_name = {names[run.run_id]: run for run in runs}
    key = tuple((name, *(f"{r.data}{r.fit_seconds}" for r in group)) for name, group in groups.items())
    return Compared(dataset, held_out(dataset), runs_by_name, models, rivals, _board(key, groups))


def scored(run: Run, name: str) -> Scored:
    """One run's anomaly scores on held-out rows, and what they cost."""
    cost = services.Trained(run).view(views.cost)
    return score_held_out(
        name,
        services.dataset(run.spec),
        scores(run),
        catalog.make_model(run.spec.model),
        data=_digest(run.spec.data.to_json(), run.spec.seed, run.spec),
        fit_seconds=run.events[-1].seconds if run.events else float("nan"),
        score_seconds=cost.score_seconds,
        n_parameters=cost.n_parameters,
    )


def trivial_rivals(run: Run) -> dict[str, Scored]:
    """The one-line rivals on the data of a finished run."""
    return {rival.name: rival for rival in services.Trained(run).view(views.trivial_rivals)}


def seed_specs(runs: list[Run]) -> list[RunSpec]:
    """The same models with other seeds: other splits, weights and, for toys, other rows."""
    return [spec for run in runs for spec in more_seeds(run.spec)]


def other_seeds(run: Run) -> list[Run]:
    """Runs trained to their end that differ from this one in their seed only; one stopped early is another model."""
    found = [services.run(spec) for spec in seed_specs([run])]
    return [other for other in found if other is not None and other.status is RunState.DONE]


def scores(run: Run) -> np.ndarray:
    """Anomaly scores of all rows of a run's data."""
    return services.anomaly_scores(services.Trained(run))


@st.cache_data(show_spinner=False, max_entries=50)
def _board(key: tuple, _groups: dict[str, list[Scored]]) -> list[Standing]:
    return leaderboard(_groups)


@st.cache_data(show_spinner=False, max_entries=50)
def _digest(data_json: str, seed: int, _spec: RunSpec) -> str:
    return services.dataset(_spec).digest()
