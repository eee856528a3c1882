"""The Compare page: the queue that trains a set, one scatter, the leaderboard, and what the models disagree on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting
from flowlab.catalog.data import UPLOADED
from flowlab.dashboard.compare import comparison, cures, sections
from flowlab.dashboard.compare.comparison import PAGE, Compared
from flowlab.dashboard.compare.controls import alarm_share, pair
from flowlab.dashboard.shell import headline, links, services, state
from flowlab.dashboard.shell.run_status import is_live
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.evaluation.comparison import QUADRANTS, Measured, held_out, quadrants, verdict
from flowlab.plots import comparison as plots
from flowlab.records import RunSpec, RunState
from flowlab.serving.script import comparison_script
from flowlab.store.label import RunLabel
from flowlab.store.reading import Run

TOP_HEIGHT = 370
MOST_BARS = 6


def page() -> None:
    """All of the page below the frame."""
    comparable = comparison.comparable_runs()
    runs = comparison.chosen_runs(comparable)
    headline.draw(PAGE, _headline(len(runs)))
    if not (runs and state.is_presenting()):
        _choice(runs, comparable)
    sweeping = bool(runs) and state.view(PAGE, "section", "") in ("Sweeps", "Cures")
    if not sweeping:
        _queue()
    if not runs:
        st.info(
            "Here models meet on the same rows: reconstruction error against likelihood, a leaderboard with one-line "
            "rivals, and the rows they disagree on. Train the set first; a bar shows how far it is."
        )
        if cures.has_table():
            st.markdown("**Cures**")
            cures.section(_submit)
        return
    try:
        with st.spinner("Scoring the held-out rows"):
            compared = comparison.gather(runs)
        if state.is_presenting():  # one at a time on the screen
            sections.sections(compared, _submit, {"Models": _top})
        else:
            if state.view(PAGE, "section", "") != "Cures":  # the table is of runs of its own
                _top(compared)
            sections.sections(compared, _submit)
        if sweeping:
            _queue()
        if not state.is_presenting():
            _code(compared)
    except (ValueError, RuntimeError) as error:
        st.warning(formatting.escaped(error))


def _code(compared: Compared) -> None:
    """The comparison as a program."""
    data = state.spec().data
    is_uploaded = catalog.DATASETS[data.name].group == UPLOADED
    table = str(data.params.get("name") or "table.csv") if is_uploaded else ""
    st.download_button(
        "Python",
        comparison_script({name: run.spec for name, run in compared.runs.items()}, table),
        file_name="comparison.py",
        mime="text/x-python",
        on_click="ignore",
        help="Trains these models with the library alone, to the same weights, and prints the leaderboard",
    )


def _headline(n_models: int) -> str:
    spec = state.spec()
    dataset = services.dataset()
    rows = formatting.plural(len(held_out(dataset)), "held-out row")
    models = formatting.plural(n_models, "model") if n_models else "no model yet"
    return f"{services.data_words(spec)} · {models} on {rows}"


def _choice(runs: list, comparable: list) -> None:
    """Which runs, and the buttons that train the set and further seeds."""
    candidates = {run.run_id: run for run in [*comparable, *runs]}
    names = comparison.run_names(list(candidates.values()))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if candidates:
            # While runs finish by themselves the box only shows; a choice is a person's, and stands in the link.
            live = any(is_live(services.status(spec)) for spec in state.recall("compare.queue", []))
            key = state.widget_key(PAGE, "runs", live, len(runs), *sorted(candidates))

            def apply(ids: list[str]) -> None:
                state.set_view(PAGE, runs=".".join(ids) or None)

            st.multiselect(
                "Models on these rows",
                list(candidates),
                default=[run.run_id for run in runs],
                format_func=lambda i: names[i],
                key=key,
                on_change=None if live else state.on_widget(key, apply),
                disabled=live,
                placeholder="Choose finished runs on this data",
            )
        _by_tag(list(candidates.values()))
        missing = [spec for spec in comparison.set_specs() if not _usable(spec)]
        help_set = "A flow, an autoencoder, a VAE, kernel density and an isolation forest, one after the other"
        if st.button("Train the set", type="primary", disabled=not missing, key="compare.set", help=help_set):
            _submit(missing)
        if not runs:
            return
        seeds = [spec for spec in comparison.seed_specs(runs) if not _usable(spec)]
        help_seeds = "Trains each model twice more with other seeds; the spread tells differences from noise"
        if st.button("Two more seeds", disabled=not seeds, key="compare.seeds", help=help_seeds):
            _submit(seeds)


def _by_tag(candidates: list[Run]) -> None:
    """Compare the runs with a tag, where any have one."""
    tags = services.tags_of(candidates)
    if not tags:
        return
    key = state.widget_key(PAGE, "tag")

    def apply(tag: str | None) -> None:
        ids = [run.run_id for run in candidates if tag in run.label.tags]
        state.set_view(PAGE, runs=".".join(ids) or None)

    st.pills("Those with the tag", tags, format_func=formatting.escaped, key=key, on_change=state.on_widget(key, apply))


def _submit(specs: list) -> None:
    services.runner().submit_many(specs, state.visitor())
    state.keep("compare.queue", specs)
    st.rerun()


def _usable(spec: RunSpec) -> bool:
    run = services.run(spec)
    return run is not None and run.is_usable


def _queue() -> None:
    """A bar for each run that is being trained from this page."""
    specs = state.recall("compare.queue", [])
    live = [spec for spec in specs if is_live(services.status(spec))]
    if specs:
        st.fragment(_bars, run_every=0.5 if live else None)(len(live))


def _bars(n_live: int) -> None:
    specs = state.recall("compare.queue", [])
    now = [spec for spec in specs if is_live(services.status(spec))]
    troubles = []
    if len(now) > MOST_BARS:
        shares = [1.0 if spec not in now else _share(spec) for spec in specs]
        st.progress(float(np.mean(shares)), text=f"{len(specs) - len(now)} of {len(specs)} runs finished")
    else:
        for spec, column in zip(now, st.columns(max(len(now), 1))):
            share = _share(spec)
            progress = formatting.percent(share) if share else _state(spec)
            column.progress(share, text=formatting.escaped(f"{_name(spec)} · {progress}"))
    for spec in specs:
        status = services.status(spec)
        if status is not None and status.state is RunState.FAILED:
            troubles.append(f"{_name(spec)}: {status.message}")
    for sentence in troubles:
        st.warning(formatting.escaped(sentence))
    if now and st.button("Stop all", key="compare.stop", help="End here; models keep what they have learned"):
        for spec in now:
            if services.may_control(spec):
                services.runner().stop(services.run_id(spec), state.visitor())
    if len(now) < n_live:
        if not now and not troubles:
            state.keep("compare.queue", [])
        st.rerun()


def _share(spec: RunSpec) -> float:
    status = services.status(spec)
    return min(status.step / max(status.n_steps, 1), 1.0) if status else 0.0


def _name(spec: RunSpec) -> str:
    name = catalog.MODELS[spec.model.name].label
    return name if spec.seed == state.spec().seed else f"{name}, seed {spec.seed}"


def _state(spec: RunSpec) -> RunState | None:
    status = services.status(spec)
    return status.state if status else None


def _top_height() -> int:
    return TOP_HEIGHT - 20 if state.is_presenting() else TOP_HEIGHT


def _top(compared: Compared) -> None:
    """The verdict, the scatter with its quadrants, the leaderboard as dots and as a table."""
    st.markdown(f"**{formatting.escaped(verdict(compared.board))}**")
    coders, densities = compared.reconstructors(), compared.densities()
    dots = plots.leaderboard_dots(compared.board, state.is_dark(), _top_height())
    if coders and densities:
        coder, flow = pair(compared)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            for label, name, options, chosen in (
                ("Reconstruction of", "coder", coders, coder),
                ("Likelihood of", "density", densities, flow),
            ):
                links.linked(
                    PAGE,
                    st.selectbox,
                    label,
                    name,
                    chosen,
                    options=options,
                    present=chosen,
                    noun="model",
                    width=260 if state.is_presenting() else 180,
                )
            share = alarm_share(compared.y)
            raw = links.segmented(PAGE, "Axes", ["ranks", "values"], "axes", "ranks") == "values"
        left, right = st.columns([1.1, 1], gap="medium")
        with left:
            _scatter(compared, coder, flow, share, raw)
    else:
        lacking = "an autoencoder" if not coders else "a density model"
        st.info(f"Reconstruction against likelihood needs {lacking} among the models; train the set.")
        right = st.container()
    if sum(math.isfinite(s.auroc.mean) or math.isfinite(s.log_likelihood.mean) for s in compared.board) > 1:
        # one dot would be no picture
        chart(right, dots, key="compare.board", config=PLOT, theme=None, alt=verdict(compared.board))
    if state.is_presenting():
        return
    st.dataframe(_table(compared), hide_index=True, width="stretch", height="content")
    other = {s.name: s.likelihood_of for s in compared.board if s.likelihood_of}
    if other:
        what = ", ".join(f"{name}: {words}" for name, words in other.items())
        st.caption(formatting.escaped(f"Log-likelihoods of different things are not ranked together. {what}."))
    if any(math.isfinite(m.spread) for s in compared.board for m in (s.auroc, s.log_likelihood)):
        over = (
            "over seeds, each with its own split and, for toys, its own rows"
            if any(s.over_seeds for s in compared.board)
            else "over bootstrap samples of the rows"
        )
        st.caption(f"± is one standard deviation {over}; k is the number of anomalies; scoring is per 1\u2009000 rows.")


def _scatter(compared: Compared, coder: str, flow: str, share: float, raw: bool) -> None:
    error, nll = compared.reconstruction(coder), compared.models[flow].anomaly_score
    fig = plots.quadrant_scatter(
        error, nll, compared.rows, (coder, flow), share, compared.y, raw, state.recall("compare.selected", []),
        state.is_dark(), _top_height(),
    )  # fmt: skip
    key = state.widget_key(PAGE, "scatter", coder, flow, share, raw)
    kinds = np.bincount(quadrants(error, nll, share), minlength=4)
    chart(
        st, fig, key=key, config=PLOT, theme=None, on_select=_keep_selection(key), selection_mode=("lasso", "points"),
        alt=", ".join(f"{name}: {count}" for name, count in zip(QUADRANTS, kinds)),
    )  # fmt: skip


def _keep_selection(key: str) -> Callable[[], None]:
    def changed() -> None:
        event = state.widget_value(key)
        points = event["selection"]["points"] if event else []
        rows = [p.get("customdata") for p in points]
        state.keep("compare.selected", [int(r[0] if isinstance(r, list) else r) for r in rows if r is not None])

    return changed


def _table(compared: Compared) -> pd.DataFrame:
    """The leaderboard in words and units, with what people noted; columns without anything are left out."""
    board = compared.board
    labels = [compared.runs[s.name].label if s.name in compared.runs else RunLabel() for s in board]

    def cell(measure: Measured) -> str:
        if not math.isfinite(measure.mean):
            return "–"
        text = formatting.fixed(measure.mean, 3)
        return f"{text} ± {formatting.fixed(measure.spread, 3)}" if math.isfinite(measure.spread) else text

    table = pd.DataFrame(
        {
            "model": [s.name for s in board],
            "AUROC": [cell(s.auroc) for s in board],
            "average precision": [cell(s.average_precision) for s in board],
            "precision at k": [cell(s.precision_at_k) for s in board],
            "log-likelihood (nats per row)": [cell(s.log_likelihood) for s in board],
            "fit": [formatting.brief_seconds(s.fit_seconds.mean) for s in board],
            "score": [formatting.brief_seconds(s.score_seconds.mean) for s in board],
            "parameters": ["–" if s.trivial else formatting.count(s.n_parameters) for s in board],
            "seeds": [str(s.n_seeds) for s in board],
            "tags": [label.tags_text or "–" for label in labels],
            "note": [label.note or "–" for label in labels],
        }
    )
    return table.loc[:, [name for name in table if (table[name] != "–").any()]]
