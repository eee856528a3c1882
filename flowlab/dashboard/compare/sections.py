"""What stands under the comparison: rows in dispute, agreement, maps, samples, readings, sweeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.compare import cures, sweeps
from flowlab.dashboard.compare.comparison import PAGE, Compared
from flowlab.dashboard.compare.controls import alarm_percent, pair
from flowlab.dashboard.compare.reconstruction import maps
from flowlab.dashboard.shell import lesson, links, services, state
from flowlab.dashboard.shell.pictures import COLUMN, ROW_HEIGHT, draw_sheet, picture_column, thumbnails
from flowlab.dashboard.shell.widgets import PLOT, chart, spelled
from flowlab.datasets.dataset import Part
from flowlab.evaluation.comparison import (
    QUADRANTS,
    consensus,
    detection_measures,
    disagreement,
    quadrants,
    rank_shares,
)
from flowlab.models.autoencoders.autoencoder import gaussian_reading
from flowlab.plots import comparison as plots
from flowlab.ranking import spearman_matrix
from flowlab.records import RunSpec
from flowlab.serving.scored_rows import beside
from flowlab.store.reading import Run
from flowlab.views.pictures import PictureSheet

MAX_SELECTED = 30
REASONED = 8
N_DISPUTED = 4


def sections(
    compared: Compared,
    train: Callable[[list[RunSpec]], None],
    first: dict[str, Callable[[Compared], None]] | None = None,
) -> None:
    """One of the sections, chosen above it; `train` queues runs; `first` are sections before the others."""
    drawers = (first or {}) | {"Rows in dispute": _disputed, "Agreement": _agreement, "Samples": _samples}
    if compared.dataset.n_features == 2 and (compared.reconstructors() or compared.densities()):
        drawers["Maps"] = maps
    if compared.reconstructors():
        drawers["Error as likelihood"] = _reading
    if cures.has_table():
        drawers["Cures"] = lambda compared: cures.section(train)
    drawers["Sweeps"] = lambda compared: sweeps.section(train)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        section = links.segmented(PAGE, "Section", list(drawers), "section", next(iter(drawers)))
        lesson.meaning(PAGE, section)
    drawers[section](compared)


def _disputed(compared: Compared) -> None:
    """The rows on which reconstruction and likelihood disagree most, or those selected in the scatter."""
    coders, densities = compared.reconstructors(), compared.densities()
    if not coders or not densities:
        st.caption("Rows in dispute need an autoencoder and a density model among the models.")
        return
    coder, flow = pair(compared)
    error, nll = compared.reconstruction(coder), compared.models[flow].anomaly_score
    selected = [r for r in state.recall("compare.selected", []) if r in set(compared.rows.tolist())]
    if selected:
        places = np.flatnonzero(np.isin(compared.rows, selected))[:MAX_SELECTED]
        st.caption(
            f"{formatting.plural(len(places), 'row')} selected in the scatter; double-click there to see all again."
        )
    else:
        order = np.argsort(disagreement(error, nll))
        places = np.concatenate([order[::-1][:N_DISPUTED], order[:N_DISPUTED]])
        st.caption("The rows on which the two ranks lie furthest apart; a lasso in the scatter chooses others.")
    y = compared.y
    share = alarm_percent(y) / 100
    rows = compared.rows[places]
    pictures = compared.dataset.image_shape is not None
    facts: dict[str, Sequence[str] | np.ndarray] = {COLUMN: thumbnails(compared.dataset, rows)} if pictures else {}
    facts["row"] = rows
    if y is not None:
        facts["label"] = np.where(y[places] == 1, "anomaly", "normal")
    facts[f"rank by {coder} (%)"] = _percent(error)[places]
    facts[f"rank by {flow} (%)"] = _percent(nll)[places]
    facts["alarm"] = [QUADRANTS[i] for i in quadrants(error, nll, share)[places]]
    for name in () if pictures else (coder, flow):
        facts[f"why ({name})"] = _reasons(compared, name, rows)
    table = beside(facts, _values(compared, rows))
    st.dataframe(
        spelled(table, **{"row": 0, f"rank by {coder} (%)": 1, f"rank by {flow} (%)": 1}),
        hide_index=True,
        width="stretch",
        height="content",
        row_height=ROW_HEIGHT if pictures else None,
        column_config={COLUMN: picture_column()},
    )


def _values(compared: Compared, rows: np.ndarray) -> pd.DataFrame:
    """The rows themselves, as far as they fit in a table."""
    table = compared.dataset.table(compared.dataset.X[rows]).round(3)
    return table if table.shape[1] <= 4 else table.iloc[:, :0]


def _reasons(compared: Compared, name: str, rows: np.ndarray) -> list[str]:
    """The strongest reason of each row in the eyes of one model; for the first few rows, since it takes a while."""
    explained = tuple(int(r) for r in rows[:REASONED])
    found = services.Trained(compared.runs[name]).view(views.top_reasons, rows=explained, n_reasons=1)
    return [found[int(row)].sentences[0] if int(row) in found else "" for row in rows]


def _agreement(compared: Compared) -> None:
    """Rank correlations of all scores, and the mean rank of chosen models as a detector of its own."""
    scores = {
        name: m.anomaly_score for name, m in (compared.models | compared.rivals).items() if name != "random score"
    }
    left, right = st.columns([1.3, 1], gap="medium")
    with left:
        st.caption("Rank correlation (Spearman) of the scores of held-out rows")
        correlations = spearman_matrix(np.column_stack(list(scores.values())))
        fig = plots.agreement_matrix(list(scores), correlations, state.is_dark(), 420)
        chart(st, fig, key="compare.agreement", config=PLOT, theme=None, alt=_least_alike(list(scores), correlations))
    with right:
        names = list(compared.models)
        key = state.widget_key(PAGE, "members", *names)
        members = st.multiselect("Consensus of", names, default=names, key=key, help="The mean of the members' ranks")
        if not members:
            st.caption("Choose at least one model.")
            return
        joint = consensus([compared.models[name].anomaly_score for name in members])
        y = compared.y
        if y is None or not 0 < (y == 1).sum() < len(y):
            st.caption("Without labels nobody can say whether the consensus detects better than its members.")
        else:
            found = detection_measures(joint, y)
            first, second, third = st.columns(3)
            first.metric("AUROC", formatting.fixed(float(found.auroc)))
            second.metric("Average precision", formatting.fixed(float(found.average_precision)))
            third.metric("Precision at k", formatting.fixed(float(found.precision_at_k)))
        top = np.argsort(-joint)[:10]
        table = pd.DataFrame({"row": compared.rows[top], "mean rank (%)": (100 * joint[top]).round(1)})
        if y is not None:
            table["label"] = np.where(y[top] == 1, "anomaly", "normal")
        ranks = {"mean rank (%)": 1, **dict.fromkeys(members, 1)}
        for name in members:
            table[name] = _percent(compared.models[name].anomaly_score)[top]
        st.dataframe(spelled(table, **(ranks | {"row": 0})), hide_index=True, width="stretch", height="content")


def _least_alike(names: list[str], correlations: np.ndarray) -> str:
    """The two scores whose ranks agree least."""
    if len(names) < 2:
        return "Rank correlations of all scores; there is only one"
    i, j = np.unravel_index(np.nanargmin(correlations), correlations.shape)
    least = formatting.fixed(float(correlations[i, j]))
    return f"Rank correlations of {len(names)} scores; {names[i]} and {names[j]} agree least ({least})"


def _reading(compared: Compared) -> None:
    """The affine map from squared error to a Gaussian log-likelihood of fixed sigma, with its numbers."""
    coders = compared.reconstructors()
    coder = pair(compared)[0] if compared.densities() else coders[0]
    d = compared.dataset.n_features
    error = compared.reconstruction(coder)
    best = float(np.clip(np.sqrt(error.mean() / d), 0.01, 3.0))
    left, right = st.columns([1, 2.2], gap="medium")
    with left:
        sigma = links.linked(
            PAGE, st.slider, "Sigma (standard deviations)", "sigma", best, min_value=0.01, max_value=3.0, step=0.01,
            help="The spread the reading assumes around each reconstruction, the same in every column",
        )  # fmt: skip
        st.caption(f"The likelihood is highest at {best:.2f}: the root of the mean squared error of a column.")
    typical, strange = (gaussian_reading(float(np.quantile(error, q)), d, sigma) for q in (0.5, 0.99))
    with right:
        slope, intercept = typical.slope, typical.intercept
        st.latex(
            r"-\log \mathcal N(x;\,\hat x,\,\sigma^2 I)=\frac{1}{2\sigma^2}\,\lVert x-\hat x\rVert^2"
            r"+\frac d2\log(2\pi\sigma^2)" + f"={slope:.3f}\\,\\lVert x-\\hat x\\rVert^2{intercept:+.3f}"
        )
        lines = [
            {
                "row": name,
                "squared error": formatting.fixed(r.squared_error),
                "read as (nats)": formatting.fixed(r.negative_log_likelihood),
            }
            for name, r in (("the median row", typical), ("the 99 % row", strange))
        ]
        st.dataframe(pd.DataFrame(lines), hide_index=True, width="content", height="content")
    st.caption(
        "An increasing map: both rank the rows alike. It assumes independent columns of one spread, and it is no "
        "density of x, because the reconstruction depends on x itself."
    )


def _samples(compared: Compared) -> None:
    """How far each model's samples are from held-out rows, by four tests."""
    drawing = {name: run for name, run in compared.runs.items() if _can_sample(run.spec)}
    if not drawing:
        st.caption("None of these models can draw samples.")
        return
    lines = []
    first = next(iter(drawing.values()))
    tests = {"training rows (the yardstick)": services.Trained(first).view(views.two_samples, second=Part.TRAIN)}
    tests |= {name: services.Trained(run).view(views.two_samples) for name, run in drawing.items()}
    for name, results in tests.items():
        effects = {
            test.name: f"{formatting.number(test.effect)} (p {formatting.fixed(test.p_value)})" for test in results
        }
        lines.append({"held-out rows against": name, **effects})
    quantities = {test.name: st.column_config.TextColumn(help=test.effect_name) for test in results}
    table = pd.DataFrame(lines)
    st.dataframe(table, hide_index=True, width="stretch", height="content", column_config=quantities)
    st.caption(
        "Read the effect first: with thousands of rows any model fails any test. The classifier's effect is an AUROC, "
        "0.5 where samples are as good as real rows; the others are 0 then. p counts permutations."
    )
    if compared.dataset.image_shape is not None:
        _drawn_pictures(compared, drawing)


def _drawn_pictures(compared: Compared, drawing: dict[str, Run]) -> None:
    """Draws of each model, a line for each, above a line of the data."""
    drawn = {name: services.Trained(run).view(views.samples, n=14).samples for name, run in drawing.items()}
    X = np.concatenate([*drawn.values(), compared.dataset.X[compared.rows[:14]]])
    heads = [name for name, rows in drawn.items() for _ in rows] + ["held-out rows"] * (len(X) - 14 * len(drawn))
    sheet = PictureSheet.of(compared.dataset.pictures(X), heads)
    draw_sheet(sheet, "compare.drawn", f"Pictures drawn by {formatting.plural(len(drawn), 'model')}, and held-out rows")


def _can_sample(spec: RunSpec) -> bool:
    return catalog.MODELS[spec.model.name].make.can_sample


def _percent(scores: np.ndarray) -> np.ndarray:
    """Rank shares in percent, one decimal."""
    return (100 * rank_shares(scores)).round(1)
