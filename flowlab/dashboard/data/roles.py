"""What each column of an uploaded table is for: proposed, seen with its reason, and changed here before training."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from flowlab import catalog, formatting
from flowlab.dashboard.data import sources
from flowlab.dashboard.shell import services, state
from flowlab.datasets.checkup import checkup
from flowlab.datasets.dataset import Dataset
from flowlab.datasets.from_table import NONE, anomaly_values_of, choose_roles, label_values
from flowlab.encoding.roles import (
    ENCODED,
    MISSING_POLICIES,
    ROLES,
    ColumnRole,
    missing_to_text,
    propose_roles,
    roles_to_text,
)
from flowlab.tables.limits import TableError

ROLES_HELP = (
    "feature: numbers and dates; category: texts and codes; context: flows are conditioned on it, so a row is judged "
    "among the rows of its value; label: which rows are anomalies; time: their order; identifier, ignore: left aside"
)
HOLES = "if missing"
HOLES_HELP = (
    "median: filled with values near the median; indicator: the same, and a feature says where; auto: the feature is "
    "added where 1 % or more is missing"
)
FRACTIONS = {"": "usual", "50/20/30": "50 / 20 / 30", "60/20/20": "60 / 20 / 20", "80/10/10": "80 / 10 / 10"}


def panel(dataset: Dataset | None) -> None:
    """Label, time, anomaly values and division; the table of roles; what was decided; warnings, the worst first."""
    frame = sources.stored_table()
    params = catalog.DATASETS["upload"].complete(state.spec().data).params
    proposed = _proposed(str(params["digest"]), frame)
    roles, problems = choose_roles(
        frame,
        label=str(params["label"]),
        time=str(params["time"]),
        roles=str(params["roles"]),
        missing=str(params["missing"]),
    )
    for problem in problems:
        st.warning(formatting.escaped(problem))
    _choices(frame, roles, params)
    if dataset is not None:
        _warn(frame, roles, dataset)
    names = {role.role: role.name for role in roles}
    n_used = sum(role.role in ENCODED for role in roles)
    ignored = sum(role.role in ("ignore", "identifier") for role in roles)
    title = f"Roles of {len(roles)} columns: {n_used} used, {ignored} left aside"
    if "label" in names:
        title += f", label {formatting.escaped(names['label'])}"
    with st.expander(title, expanded=len(roles) <= 8):
        _editor(frame, roles, proposed, params)
    if dataset is not None:
        _decisions()


@st.cache_resource(show_spinner=False, max_entries=8)
def _proposed(digest: str, _frame: pd.DataFrame) -> tuple[ColumnRole, ...]:
    return propose_roles(_frame)


def _choices(frame: pd.DataFrame, roles: tuple[ColumnRole, ...], params: dict) -> None:
    columns = [NONE, *map(str, frame.columns)]
    first, second, third, fourth = st.columns([2, 3, 2, 2])
    label = next((role.name for role in roles if role.role == "label"), NONE)
    time = next((role.name for role in roles if role.role == "time"), NONE)
    _param_box(first, "Label column", columns, label, "label", "Says which rows are anomalies; never a feature.")
    if label != NONE:
        _anomaly_values(second, frame[label], str(params["anomaly_values"]))
    _param_box(third, "Time column", columns, time, "time", "Orders the rows; splits follow it.")
    _param_box(
        fourth, "Rows to train, check, test", list(FRACTIONS), str(params["fractions"]), "fractions",
        "In percent: training, validation (thresholds are chosen there) and test (they are judged there).", FRACTIONS,
    )  # fmt: skip


def _param_box(
    where: DeltaGenerator, label: str, options: list, present: str, name: str, help: str, labels: dict | None = None
) -> None:
    widget = state.widget_key("data", name)

    def apply(value: str) -> None:
        reset = {"anomaly_values": ""} if name == "label" else {}
        state.change("data", **{name: value}, **reset)
        state.refresh_widgets()

    options = options if present in options else [*options, present]
    where.selectbox(
        label,
        options,
        options.index(present),
        format_func=lambda value: (labels or {}).get(value, value),
        key=widget,
        on_change=state.on_widget(widget, apply),
        help=help,
    )


def _anomaly_values(where: DeltaGenerator, column: pd.Series, values_text: str) -> None:
    counts = dict(label_values(column))
    widget = state.widget_key("data", "anomaly_values")
    present = next(csv.reader([values_text])) if values_text else anomaly_values_of(column)

    def apply(values: list[str]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(values)
        state.change("data", anomaly_values=text.getvalue())

    where.multiselect(
        "Values that mean anomaly",
        list(counts),
        [value for value in present if value in counts],
        format_func=lambda value: f"{value} ({formatting.count(counts[value])})",
        key=widget,
        on_change=state.on_widget(widget, apply),
    )


def _editor(frame: pd.DataFrame, roles: tuple[ColumnRole, ...], proposed: tuple[ColumnRole, ...], params: dict) -> None:
    missing = [100 * frame[role.name].isna().mean() for role in roles]
    sheet = pd.DataFrame(
        {
            "column": [role.name for role in roles],
            "role": [role.role for role in roles],
            "why": [role.reason for role in roles],
            "missing %": missing,
            HOLES: [role.missing for role in roles],
            "first values": [", ".join(map(str, frame[role.name].dropna().head(3)))[:60] for role in roles],
        }
    )
    widget = state.widget_key("data", "roles")

    def changed() -> None:
        edits = state.widget_value(widget)["edited_rows"]
        holes = {int(i): edit[HOLES] for i, edit in edits.items() if edit.get(HOLES)}
        if holes:
            filled = [replace(role, missing=holes.get(i, role.missing)) for i, role in enumerate(roles)]
            state.change("data", missing=missing_to_text(filled) or "auto")
        _apply(roles, proposed, {int(i): edit["role"] for i, edit in edits.items() if edit.get("role")})

    st.data_editor(
        sheet,
        key=widget,
        on_change=changed,
        disabled=["column", "why", "missing %", "first values"],
        hide_index=True,
        column_order=None if any(missing) else [name for name in sheet if name != HOLES],
        height=min(38 + 35 * len(sheet), 420),
        column_config={
            "role": st.column_config.SelectboxColumn(options=list(ROLES), required=True, help=ROLES_HELP),
            "missing %": st.column_config.NumberColumn(format="%.1f"),
            HOLES: st.column_config.SelectboxColumn(options=list(MISSING_POLICIES), required=True, help=HOLES_HELP),
        },
    )


def _apply(roles: tuple[ColumnRole, ...], proposed: tuple[ColumnRole, ...], edits: dict[int, str]) -> None:
    """Put edited roles into the link: label and time by name, the others as what differs from the proposal."""
    wanted = [edits.get(i, role.role) for i, role in enumerate(roles)]
    changes: dict[str, str] = {}
    for role in ("label", "time"):
        before = next((i for i, old in enumerate(roles) if old.role == role), None)
        newly = [i for i in edits if edits[i] == role]
        if newly:
            changes[role] = roles[newly[-1]].name
        elif before is not None and wanted[before] != role:
            changes[role] = NONE
    # label and time travel by name, so the text holds only the other roles
    others = [
        ColumnRole(p.name, p.role if role in ("label", "time") else role)
        for p, role in zip(proposed, wanted, strict=True)
    ]
    if "label" in changes:
        changes["anomaly_values"] = ""
    state.change("data", roles=roles_to_text(others, proposed), **changes)
    state.refresh_widgets()


@st.cache_data(show_spinner=False, max_entries=30)
def _checked(key: str, _frame: pd.DataFrame, _roles: tuple, _dataset: Dataset) -> list[str]:
    return checkup(_frame, _roles, _dataset)


@st.cache_data(show_spinner=False, max_entries=30)
def _notes(key: str) -> list[str]:
    spec = state.spec()
    try:
        return list(services.dataset(spec).encoder.notes_)
    except TableError:
        return []


def _warn(frame: pd.DataFrame, roles: tuple[ColumnRole, ...], dataset: Dataset) -> None:
    spec = state.spec()
    warnings = _checked(f"{spec.data.to_json()} {spec.seed}", frame, roles, dataset)
    if warnings:
        st.warning("\n".join(f"- {formatting.escaped(warning)}" for warning in warnings[:10]))


def _decisions() -> None:
    spec = state.spec()
    notes = _notes(f"{spec.data.to_json()} {spec.seed}")
    if notes:
        with st.expander(f"How columns become numbers: {formatting.plural(len(notes), 'decision')}"):
            st.markdown("\n".join(f"- {formatting.escaped(note)}" for note in notes[:200]))
            st.caption(
                "Whole numbers, rounded ones and categories are spread over one grid step each, so that no value is a "
                "spike; likelihoods are those of the spread data."
            )
