"""Pairs of columns on the Explore page: held-out rows against samples, in the user's own columns."""

from __future__ import annotations

import streamlit as st

from flowlab import formatting
from flowlab.dashboard.explore.scene import PAGE, Scene, choose_row
from flowlab.dashboard.shell import state
from flowlab.dashboard.shell.widgets import PLOT, chart
from flowlab.models.base import FlowModel
from flowlab.plots.pairs import pair_matrix
from flowlab.views import pairs as views
from flowlab.views.pairs import PairPanels, Telling, TwoTables, two_tables

MOST = 6


def pairs(scene: Scene) -> None:
    """A matrix of the chosen columns; at first of those that say most."""
    drawn = scene.view(views.pair_rows)
    tables = two_tables(scene.dataset.table(drawn.data), scene.dataset.table(drawn.samples, drawn=True))
    if len(tables.names) < 2:
        st.info("Pairs need at least two columns that vary; this table has fewer.")
        return
    telling = views.telling_columns(tables)
    columns = _choice(tables, telling)
    if len(columns) < 2:
        st.info("Choose at least two columns.")
        return
    panels = views.pair_panels(tables, columns, are_telling=tuple(columns) == telling.columns)
    finding = _finding(panels)
    row = int(state.view(PAGE, "row", -1))
    fig = pair_matrix(panels, drawn.rows, scene.dark, row, height=520 if len(columns) <= 4 else 680)
    key = state.widget_key(PAGE, "pairs", *columns)
    then = "Receipt" if issubclass(scene.model, FlowModel) else ""
    chart(
        st, fig, key=key, theme=None, config=PLOT, selection_mode="points", on_select=choose_row(key, then),
        alt=f"Pair plot of {', '.join(panels.tables.names)}, rows against samples. {finding}",
    )  # fmt: skip
    st.markdown(formatting.escaped(finding))
    part = f"{formatting.plural(len(drawn.rows), 'row')} of the {drawn.part} part"
    opens = " Click a dot to open the receipt of its row." if then else ""
    st.caption(
        f"Dots and filled steps: {part}, over at least the central 98 % of each column. Crosses and dashes: "
        f"{formatting.count(len(drawn.samples))} samples, as many crosses as dots. Above the diagonal: blue where "
        "they are too many, vermilion where they are too few; Δ is the largest difference between their shares in any "
        f"quadrant, bold where it is beyond luck, ρ the rank correlation of rows / samples.{opens}"
    )
    if len(tables.names) > len(telling.columns):
        st.caption(formatting.escaped(_reason(tables, telling)))


def _choice(tables: TwoTables, telling: Telling) -> list[int]:
    """Two to six columns, mirrored in the link as numbers; the telling ones without a choice."""
    d = len(tables.names)
    known = {part for part in str(state.view(PAGE, "columns", "")).split(",") if part.isdecimal() and int(part) < d}
    present = sorted(int(part) for part in known)[:MOST]
    key = state.widget_key(PAGE, "columns", d)
    columns = st.multiselect(
        "Columns",
        range(d),
        default=present if len(present) > 1 else list(telling.columns),
        max_selections=MOST,
        format_func=lambda j: tables.names[j][:60],
        key=key,
        on_change=state.on_widget(key, lambda new: state.set_view(PAGE, columns=",".join(map(str, sorted(new))))),
    )
    return sorted(columns)


def _reason(tables: TwoTables, telling: Telling) -> str:
    n_pairs = len(tables.names) * (len(tables.names) - 1) // 2
    worst, strongest = (_both(tables, pair) for pair in (telling.worst, telling.strongest))
    correlation = formatting.fixed(telling.strongest_correlation, 2)
    return (
        f"Of {formatting.count(n_pairs)} pairs, the samples miss {worst} most ({telling.worst_distance:.2f}); "
        f"{strongest} depend most on each other in the data (rank correlation {correlation}). "
        "These and the next strongest are shown first."
    )


def _finding(panels: PairPanels) -> str:
    """The pair that differs most, by how much, and the largest difference expected by chance."""
    i, j = panels.worst
    distance = float(panels.distance[i, j])
    pair = _both(panels.tables, panels.worst)
    luck = f"luck alone gives up to {panels.chance:.2f}"
    if distance <= panels.chance:
        return f"No pair shown differs by more than luck: the largest difference is {distance:.2f}, in {pair}; {luck}."
    return f"The samples differ most in {pair}: in some quadrant the shares are {distance:.2f} apart; {luck}."


def _both(tables: TwoTables, pair: tuple[int, int]) -> str:
    return " and ".join(tables.names[k][:60] for k in pair)
