"""Sweeps on the Compare page: one setting is varied, its runs are queued, and a picture shows what it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from flowlab import catalog, formatting
from flowlab.dashboard.compare import comparison
from flowlab.dashboard.shell import links, services, state
from flowlab.dashboard.shell.widgets import PLOT
from flowlab.evaluation.comparison import detection_measures, has_labels, held_out, held_out_labels, normal_mean
from flowlab.plots import comparison as plots
from flowlab.records import RunSpec, Spec
from flowlab.store.reading import Run

Measure = Callable[[Run], float]


@dataclass(frozen=True)
class Chart:
    """One picture of a sweep: its axis and what is measured, by name."""

    title: str
    measures: dict[str, Measure]


@dataclass(frozen=True)
class Sweep:
    """One varied setting: values, the runs of each series at these values, and the charts."""

    what: str
    axis: str
    values: list[float]
    series: dict[str, list[RunSpec]]
    charts: list[Chart]
    logarithmic: bool = True

    def specs(self) -> list[RunSpec]:
        return [spec for specs in self.series.values() for spec in specs]


def section(train: Callable[[list[RunSpec]], None]) -> None:
    """Choose a sweep, train what is missing, look at what is there. `train` queues runs and reruns the page."""
    sweeps = _sweeps()
    chosen = sweeps[links.segmented(comparison.PAGE, "Sweep", list(sweeps), "sweep", next(iter(sweeps)))]
    st.caption(chosen.what)
    runs = {name: [_usable(spec) for spec in specs] for name, specs in chosen.series.items()}
    missing = [
        spec
        for name, specs in chosen.series.items()
        for spec, run in zip(specs, runs[name])
        if run is None
    ]  # fmt: skip
    done = len(chosen.specs()) - len(missing)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if st.button("Train the sweep", disabled=not missing, key="compare.sweep_train"):
            train(missing)
        st.markdown(f"{done} of {formatting.plural(len(chosen.specs()), 'run')} finished")
    if not done:
        return
    columns = st.columns(len(chosen.charts), gap="medium")
    for column, chart in zip(columns, chosen.charts):
        series = {}
        for name, found in runs.items():
            for label, measure in chart.measures.items():
                line = name if len(chart.measures) == 1 else label if len(runs) == 1 else f"{name}, {label}"
                series[line] = [math.nan if run is None else measure(run) for run in found]
        fig = plots.sweep_curves(
            chosen.values, series, chosen.axis, chart.title, state.is_dark(), logarithmic=chosen.logarithmic
        )
        best = ", ".join(f"{name} {np.nanmin(v):.3f} to {np.nanmax(v):.3f}" for name, v in series.items())
        column.plotly_chart(fig, key=f"compare.sweep.{chart.title}", config=PLOT, theme=None, alt=best)


def _sweeps() -> dict[str, Sweep]:
    """What can be swept on the present data."""
    present = state.spec()
    dataset = services.dataset()
    d, labelled = dataset.n_features, has_labels(dataset)

    def runs(model: str, key: str, values, **fixed) -> list[RunSpec]:
        specs = [RunSpec(present.data, Spec(model, {**fixed, key: value}), present.seed) for value in values]
        return [catalog.tidy(spec)[0] for spec in specs]

    def charts(*first: Chart) -> list[Chart]:
        return [*first, Chart("AUROC on held-out rows", {"AUROC": _auroc})] if labelled else list(first)

    code = 1 if d <= 2 else int(np.clip(round(d / 4), 2, 64))
    sizes = sorted({k for k in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64) if k <= max(4, d)})[:8]
    betas = [0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 20.0]
    depths = [1, 2, 4, 8, 12]
    flow = present.model.name if present.model.name in ("spline", "affine", "maf") else "spline"
    flow_name = catalog.MODELS[flow].label
    found = {
        "Code size": Sweep(
            "A wider code copies more: the error falls to zero, and with it what the error says about anomalies.",
            "code size", sizes, {"Autoencoder": runs("autoencoder", "n_latent", sizes)},
            charts(Chart("reconstruction error (squared sd)", {"error": _error})),
        ),
        "Beta": Sweep(
            "Rate is what the code tells of a row, distortion what it leaves out; a high beta buys one with the other.",
            "beta", betas, {"VAE": runs("vae", "beta", betas, n_latent=code)},
            [
                Chart("rate (nats) and distortion (squared sd)", {"rate": _rate, "distortion": _error}),
                Chart(
                    "AUROC",
                    {**({"detection": _auroc} if labelled else {}), "samples against held-out rows": _sample_auroc},
                ),
            ],
        ),
        "Layers": Sweep(
            "One coupling layer leaves half of the columns as they were; with more the loss falls, then flattens.",
            "layers", depths, {flow_name: runs(flow, "n_layers", depths)},
            charts(Chart("negative log-likelihood of held-out rows (nats)", {"loss": _loss})),
        ),
    }  # fmt: skip
    if "n_samples" in catalog.DATASETS[present.data.name].defaults:
        rows = [500, 1000, 2000, 5000, 10_000, 20_000]
        found["Rows"] = Sweep(
            "Kernel density needs more rows as columns are added, and scoring costs it a look at each of them.",
            "rows", rows, {"Kernel density": _with_rows("kde", rows), flow_name: _with_rows(flow, rows)},
            [
                Chart("negative log-likelihood of held-out rows (nats)", {"loss": _loss}),
                Chart("seconds to score 1 000 rows", {"score": lambda run: float(_cost(run)["score_seconds"])}),
            ],
        )  # fmt: skip
    return found


def _with_rows(model: str, rows: list[int]) -> list[RunSpec]:
    present = state.spec()
    data = [Spec(present.data.name, {**present.data.params, "n_samples": n}) for n in rows]
    return [catalog.tidy(RunSpec(spec, Spec(model), present.seed))[0] for spec in data]


def _usable(spec: RunSpec) -> Run | None:
    run = services.run(spec)
    return run if run is not None and run.is_usable else None


def _held_out_scores(run: Run) -> tuple[np.ndarray, np.ndarray | None]:
    dataset = services.dataset(run.spec)
    return comparison.scores(run)[held_out(dataset)], held_out_labels(dataset)


def _auroc(run: Run) -> float:
    return float(detection_measures(*_held_out_scores(run))["auroc"])


def _loss(run: Run) -> float:
    return normal_mean(*_held_out_scores(run))


def _error(run: Run) -> float:
    dataset = services.dataset(run.spec)
    return float(services.view("reconstruction", run.spec)["error"][held_out(dataset)].mean())


def _rate(run: Run) -> float:
    dataset = services.dataset(run.spec)
    return float(services.view("reconstruction", run.spec)["kl"][held_out(dataset)].mean())


def _sample_auroc(run: Run) -> float:
    return float(services.view("two_samples", run.spec)["effect"][3])


def _cost(run: Run) -> dict[str, np.ndarray]:
    return services.view("cost", run.spec)
