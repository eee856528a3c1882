"""Sweeps on the Compare page: one setting is varied, its runs are queued, and a picture shows what it does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from flowlab import formatting, views
from flowlab.catalog.sweeps import Sweep, sweeps
from flowlab.dashboard.compare import comparison
from flowlab.dashboard.shell import links, services, state
from flowlab.dashboard.shell.widgets import PLOT, chart, spelled
from flowlab.evaluation.comparison import detection_measures, has_labels, held_out, held_out_labels, normal_mean
from flowlab.plots import comparison as plots
from flowlab.records import RunSpec, Spec
from flowlab.store.reading import Run
from flowlab.tables.export import to_csv_bytes


def section(train: Callable[[list[RunSpec]], None]) -> None:
    """Choose a sweep, train what is missing, look at what is there. `train` queues runs and reruns the page."""
    dataset = services.dataset()
    offered = sweeps(state.spec(), dataset.n_features, has_labels(dataset))
    chosen = offered[links.segmented(comparison.PAGE, "Sweep", list(offered), "sweep", next(iter(offered)))]
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
    for column, plot in zip(columns, chosen.charts):
        series = {}
        for name, found in runs.items():
            for label, measure in plot.measures.items():
                line = name if len(plot.measures) == 1 else label if len(runs) == 1 else f"{name}, {label}"
                series[line] = [math.nan if run is None else _MEASURES[measure](run) for run in found]
        errors = None
        if chosen.over_seeds:
            series, errors = _over_seeds(series)
        fig = plots.sweep_curves(
            chosen.values, series, chosen.axis, plot.title, state.is_dark(), logarithmic=chosen.logarithmic,
            errors=errors,
        )  # fmt: skip
        best = ", ".join(
            f"{name} {formatting.fixed(float(np.nanmin(v)))} to {formatting.fixed(float(np.nanmax(v)))}"
            for name, v in series.items()
        )
        chart(column, fig, key=f"compare.sweep.{plot.title}", config=PLOT, theme=None, alt=best)
        shown = series if errors is None else series | {f"standard error, {n}": e for n, e in errors.items()}
        _table(column, chosen, plot.title, shown)


def _over_seeds(series: dict[str, list[float]]) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Mean and standard error of measures over seeds, where there are some; the error is nan for one alone."""
    values = np.array(list(series.values()))
    n = np.isfinite(values).sum(axis=0)
    mean = np.divide(np.nansum(values, axis=0), n, out=np.full(len(n), np.nan), where=n > 0)
    squares = np.nansum((values - mean) ** 2, axis=0)
    error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(len(n), np.nan), where=n > 1))
    name = f"mean of up to {formatting.plural(len(series), 'seed')}"
    return {name: mean.tolist()}, {name: error.tolist()}


def _table(place: DeltaGenerator, chosen: Sweep, title: str, series: dict[str, list[float]]) -> None:
    """The numbers of a chart, and a file of them."""
    table = pd.DataFrame({chosen.axis: chosen.values, **series})
    with place.expander("As a table"):
        st.dataframe(spelled(table, **dict.fromkeys(series, 3)), hide_index=True)
        st.download_button(
            "Download the table",
            lambda: to_csv_bytes(table),
            file_name="sweep.csv",
            mime="text/csv",
            key=f"compare.sweep_table.{title}",
            on_click="ignore",
        )


def _usable(spec: RunSpec) -> Run | None:
    run = services.run(spec)
    return run if run is not None and run.is_usable else None


def _held_out_scores(run: Run) -> tuple[np.ndarray, np.ndarray | None]:
    dataset = services.dataset(run.spec)
    return comparison.scores(run)[held_out(dataset)], held_out_labels(dataset)


def _auroc(run: Run) -> float:
    scores, y = _held_out_scores(run)
    return float("nan") if y is None else float(detection_measures(scores, y).auroc)


def _loss(run: Run) -> float:
    return normal_mean(*_held_out_scores(run))


def _error(run: Run) -> float:
    dataset = services.dataset(run.spec)
    return float(services.Trained(run).view(views.reconstruction).error[held_out(dataset)].mean())


def _rate(run: Run) -> float:
    dataset = services.dataset(run.spec)
    kl = services.Trained(run).view(views.reconstruction).kl
    return float("nan") if kl is None else float(kl[held_out(dataset)].mean())


def _sample_auroc(run: Run) -> float:
    return services.Trained(run).view(views.two_samples)[-1].effect  # the classifier's


def _score_seconds(run: Run) -> float:
    return services.Trained(run).view(views.cost).score_seconds


def _ratio_auroc(run: Run) -> float:
    """The run is the general model; the model is the same without corruption, nan where it is not trained."""
    params = {key: value for key, value in run.spec.model.params.items() if key != "corruption"}
    own = _usable(replace(run.spec, model=Spec(run.spec.model.name, params)))
    general, y = _held_out_scores(run)
    if own is None or y is None:
        return math.nan
    return float(detection_measures(_held_out_scores(own)[0] - general, y).auroc)


_MEASURES: dict[str, Callable[[Run], float]] = {
    "auroc": _auroc,
    "loss": _loss,
    "error": _error,
    "rate": _rate,
    "sample_auroc": _sample_auroc,
    "score_seconds": _score_seconds,
    "ratio_auroc": _ratio_auroc,
}
"""How a page comes by each measure that a sweep names."""
