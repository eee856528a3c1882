"""The table of cures on the Compare page: one button trains its runs, and what is finished stands in the table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import formatting
from flowlab.catalog.cures import CURES, DATA, N_SEEDS, OUTSIDE, CureTable, cure_runs, cure_table
from flowlab.dashboard.shell import services, state
from flowlab.dashboard.shell.run_status import is_live
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.datasets.dataset import Dataset
from flowlab.plots.cures import auroc_table
from flowlab.records import RunSpec
from flowlab.store.reading import Run
from flowlab.tables.export import to_csv_bytes
from flowlab.views.cures import tried_scores

LINE_HEIGHT = 30


def has_table() -> bool:
    """Whether the present data have a table of cures."""
    return state.spec().data.name == DATA


def section(train: Callable[[list[RunSpec]], None]) -> None:
    """The button, how far it is, and the table of what is there. `train` queues runs and reruns the page."""
    spec = state.spec()
    by_seed = cure_runs(spec)
    runs = [{name: _usable(each) for name, each in runs.items()} for runs in by_seed]
    missing = [by_seed[i][name] for i in range(N_SEEDS) for name, run in runs[i].items() if run is None]
    n_all = sum(len(each) for each in by_seed)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        help_all = f"{n_all} runs, one after the other; stop at any time and go on later: what is finished is kept"
        idle = [each for each in missing if not is_live(services.status(each))]
        if st.button("Train the table", disabled=not idle, key="compare.cures_train", help=help_all):
            train(idle)
        done = n_all - len(missing)
        st.markdown(f"{done} of {formatting.plural(n_all, 'run')} finished")
    if not done:
        st.caption(
            "Every score of the lecture against everything outside, means over three seeds: runs like any other, kept "
            "and shown again when the table is opened."
        )
        return
    photo = str(spec.data.params.get("photo", "china"))
    with st.spinner("Scoring pictures inside and outside"):
        scores = [
            {name: _scores(name, run, photo, spec.seed + i) for name, run in found.items() if run is not None}
            for i, found in enumerate(runs)
        ]
    _draw(cure_table(scores), services.dataset())


def _draw(table: CureTable, dataset: Dataset) -> None:
    there = np.flatnonzero(table.n_seeds > 0)
    if not len(there):
        st.caption("No line of the table has all of its runs yet.")
        return
    lines = [CURES[i] for i in there]
    mean = np.column_stack([table.mean, table.mean_row])[there]
    error = np.column_stack([table.standard_error, np.full(len(CURES), np.nan)])[there]
    columns = [*OUTSIDE.values(), "mean"]
    fig = auroc_table(
        [cure.name for cure in lines], columns, mean, error, state.is_dark(), 70 + LINE_HEIGHT * len(mean)
    )
    chart(st, fig, key="compare.cures", config=PLOT, theme=None, alt=finding(table))
    st.caption(formatting.escaped(finding(table)))
    numbers = pd.DataFrame(mean, columns=columns).round(3)
    numbers.insert(0, "score", [cure.name for cure in lines])
    numbers["seeds"] = table.n_seeds[there]
    numbers["its background held"] = [cure.held or "–" for cure in lines]
    for j, name in enumerate(OUTSIDE.values()):
        numbers[f"standard error, {name}"] = error[:, j].round(3)
    with st.expander("What each background held, and the numbers"):
        st.dataframe(numbers[["score", "its background held", "seeds"]], hide_index=True, height="content")
        st.download_button(
            "Download the table",
            lambda: to_csv_bytes(numbers),
            file_name="cures.csv",
            mime="text/csv",
            key="compare.cures_csv",
            on_click="ignore",
        )


def finding(table: CureTable) -> str:
    """What the table shows, in a sentence or two."""
    there = np.flatnonzero(table.n_seeds > 0)
    best = int(there[np.argmax(table.worst[there])])
    fooled = int((table.worst[there] < 0.5).sum())
    seeds = formatting.plural(int(table.n_seeds[there].min()), "seed")
    return (
        f"AUROC on pictures that no run was trained on, means over {seeds} or more ± standard error. The best worst "
        f"case has “{CURES[best].name}”: {formatting.fixed(float(table.worst[best]), 2)}; {fooled} of {len(there)} "
        "scores are fooled by something (below 0.5)."
    )


def _scores(name: str, run: Run, photo: str, seed: int) -> dict:
    return services.Trained(run).view(tried_scores, photo=photo, seed=seed, further=name == "flow")


def _usable(spec: RunSpec) -> Run | None:
    run = services.run(spec)
    return run if run is not None and run.is_usable else None
