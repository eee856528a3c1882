"""Versions: rows left out and trained again, and two versions of the detector on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from flowlab import catalog, formatting, views
from flowlab.dashboard.detect import answers, threshold
from flowlab.dashboard.shell import links, services, state
from flowlab.datasets.case import case_of, other_case
from flowlab.datasets.dataset import DIVISION, Part
from flowlab.datasets.left_out import rows_left_out, text_of_rows
from flowlab.detection.group_thresholds import group_names
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.evaluation.versions import Versions
from flowlab.records import RunSpec, Spec
from flowlab.serving.scored_rows import beside
from flowlab.store.reading import Run
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.limits import TableError

PAGE = "detect"
MAX_SHOWN = 200
MOVED, ONLY_OLD, ONLY_NEW = "places that changed most", "only the old flags", "only the new flags"
PARTS = np.array([*DIVISION, Part.LEFT_OUT], dtype=object)


@dataclass(frozen=True, eq=False)
class _Side:
    """One of the versions: its run, the scores of its own table, its threshold, and what it says of the rows here."""

    run: Run
    scored: ScoredTable
    threshold: Threshold
    scores: np.ndarray
    flags: np.ndarray


def panel(
    scored: ScoredTable,
    trained: services.Trained,
    present: Threshold,
    scored_table: Callable[[services.Trained], ScoredTable],
) -> None:
    """What to leave out, and the comparison with another version; `scored_table` gives the scores of a run."""
    others = _others(trained.run)
    with st.expander("Leave rows out and train again", expanded=not others):
        _leave_out(scored, trained, present)
    if catalog.MODELS[trained.run.spec.model.name].make.asks_if_normal:
        _case(scored, trained)
    if not others:
        st.markdown("Another version on this table will be compared here, on the same rows.")
        return
    names = _names(trained.run, others)
    chosen = links.linked(
        PAGE, st.selectbox, "Compare with", "version", next(iter(others)), options=list(others), noun="version",
        show=lambda run_id: names.get(run_id, run_id),
    )  # fmt: skip
    _compare(scored, trained, present, others[chosen], scored_table)


def _others(run: Run) -> dict[str, Run]:
    """Finished runs on the same table by id: the one the link names, the one without rows left out, the visitor's."""
    asked = str(state.asked(PAGE, "version") or "")
    found = list(services.store().named([asked]))
    data = run.spec.data
    whole = replace(run.spec, data=Spec(data.name, {k: v for k, v in data.params.items() if k != "left_out"}))
    found += [other for other in [services.run(whole)] if other is not None]
    digest = data.params.get("digest")
    found += [other for other in services.visitor_runs() if other.spec.data.params.get("digest") == digest]
    return {
        other.run_id: other
        for other in found
        if other.run_id != run.run_id
        and services.is_known(other)
        and other.is_usable
        and other.spec.data.name == catalog.TABLE
    }


def _names(run: Run, others: Mapping[str, Run]) -> dict[str, str]:
    words = services.run_words([run, *others.values()])[1:]
    return dict(zip(others, words, strict=True))


def _leave_out(scored: ScoredTable, trained: services.Trained, present: Threshold) -> None:
    """What is left out of training, in words, and the button that trains without it."""
    kept = answers.kept(trained, len(scored.scores))
    yes = [row for row, answer in kept.answers.items() if answer.anomaly]
    flagged = scored.flagged(present)
    ready = {
        f"rows answered yes ({formatting.count(len(yes))})": np.array(yes, int),
        f"flagged rows ({formatting.count(len(flagged))})": flagged,
    }
    row = state.view(PAGE, "row", -1)
    if 0 <= row < len(scored.scores):
        ready[f"row {formatting.count(row)}"] = np.array([row])
    before = str(trained.run.spec.data.params.get("left_out", ""))
    left, right = st.columns([2, 1.3], vertical_alignment="bottom")
    with left:
        typed = st.text_input(
            "Rows or a period to leave out",
            value=before,
            key=state.widget_key(PAGE, "leave", trained.run.run_id),
            placeholder="17, 40-57, 2024-03-01 to 2024-03-09",
            help="Row numbers begin with 0. Dates are those of the time column, both days included.",
        )
    with right:
        picked = st.pills(
            "And", [name for name, rows in ready.items() if len(rows)], selection_mode="multi", key="detect.leave.also"
        )
    try:
        rows = np.unique(np.concatenate([np.zeros(0, int), *(ready[name] for name in picked)]))
        text = ", ".join(filter(None, [typed.strip(), text_of_rows(rows)]))
        out = rows_left_out(text, len(scored.scores), scored.dataset.time)
    except TableError as error:
        st.warning(formatting.escaped(error))
        return
    split = scored.dataset.split
    counted = ", ".join(
        f"{formatting.count(int(np.sum(out & (split == code))))} {part}" for code, part in enumerate(DIVISION)
    )
    whole = int(np.sum(out & (split == len(DIVISION))))
    already = f", {formatting.count(whole)} left out already" if whole else ""
    st.caption(
        f"Names {formatting.plural(int(out.sum()), 'row')} of {formatting.count(len(out))} ({counted}{already}). "
        "They stay in the table and are scored; they neither train nor help to choose the threshold. Test rows train "
        "nothing anyway and stay test rows."
    )
    same = out.any() and text == before
    label = "Train again without them" if out.any() else "Train again on all rows"
    if st.button(label, type="primary", key="detect.leave.train", disabled=same or not (out.any() or before)):
        _train_version(trained, {"left_out": text}, kept)


def _case(scored: ScoredTable, trained: services.Trained) -> None:
    """What the training rows are taken for and why, and the button that trains for the other case."""
    value, words = other_case(scored.dataset)
    left, right = st.columns([2, 1.3], vertical_alignment="center")
    left.caption(formatting.escaped(case_of(scored.dataset)))
    help = "A run of its own; below, what each of them flags of the same rows."
    if right.button(f"Train {words}", key="detect.case.train", help=help):
        _train_version(trained, {"train_on": value}, answers.kept(trained, len(scored.scores)))


def _train_version(trained: services.Trained, changed: Mapping[str, str], kept: answers.Kept) -> None:
    """Train a run with other settings of the table, and look at it beside this one; what was answered goes with it."""
    spec = trained.run.spec
    data = Spec(spec.data.name, {**spec.data.params, **changed})
    new = catalog.tidy(RunSpec(data, spec.model, spec.seed))[0]
    try:
        services.dataset(new)  # what cannot be left out is said here, and nothing is trained
        services.train(new)
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    run = services.run(new)
    if run is not None and kept.answers and run.extra(answers.NAME) is None:
        answers.keep(services.Trained(run), answers.Kept(kept.answers, chosen=kept.chosen))
    state.show(new)
    threshold.forget_by_hand()
    state.set_view(PAGE, version=trained.run.run_id, tab="Versions")
    st.rerun()


def _compare(
    scored: ScoredTable,
    trained: services.Trained,
    present: Threshold,
    other: Run,
    scored_table: Callable[[services.Trained], ScoredTable],
) -> None:
    """Both versions on all rows of the present table: what each flags, whose place changed, which ranks better.

    The run that was begun first is the old one.
    """
    try:
        twin = services.Trained(other)
        other_scored = scored_table(twin)
        other_threshold = threshold.standing(other_scored, twin.key, is_other=True)
        scores = _scores_here(twin, other_scored, trained, scored)
    except (ValueError, RuntimeError) as error:
        st.warning(formatting.escaped(error))
        return
    groups = other_threshold.groups
    levels = None if groups is None else group_names(scored.frame[groups.column])
    held_out = scored.rows(Part.TEST)
    if _is_same_table(other, trained.run):
        held_out = np.intersect1d(held_out, other_scored.rows(Part.TEST))
    there = _Side(other, other_scored, other_threshold, scores, other_threshold.flag(scores, levels))
    here = _Side(trained.run, scored, present, scored.scores, scored.flags(present))
    old, new = sorted((there, here), key=lambda side: side.run.created)
    found = Versions(old.scores, new.scores, old.flags, new.flags, scored.dataset.y, held_out)
    heads = ("old, shown here", "new") if old is here else ("old", "new, shown here")
    told = [
        ("rows trained on", *(formatting.count(len(s.scored.dataset.rows(Part.TRAIN))) for s in (old, new))),
        ("threshold", *(formatting.plain(s.threshold.value) for s in (old, new))),
        ("flagged rows", *(formatting.count(int(s.flags.sum())) for s in (old, new))),
        *((m.name, formatting.fixed(m.old), formatting.fixed(m.new)) for m in found.measures),
    ]
    lines = [f"| | {heads[0]} | {heads[1]} |", "|:--|--:|--:|", *(f"| {' | '.join(line)} |" for line in told)]
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        st.markdown("  \n".join(formatting.escaped(sentence) for sentence in found.sentences))
        which = "old" if old is there else "new"
        if st.button(f"Show the {which} version", key="detect.version.show", help="Both are kept as they are"):
            state.show(other.spec)
            threshold.forget_by_hand()
            state.set_view(PAGE, version=trained.run.run_id)
            st.rerun()
    with right:
        st.markdown("\n".join(lines))
    _rows(scored, found)


def _is_same_table(one: Run, other: Run) -> bool:
    return one.spec.data.params.get("digest") == other.spec.data.params.get("digest")


def _scores_here(
    other: services.Trained, other_scored: ScoredTable, trained: services.Trained, scored: ScoredTable
) -> np.ndarray:
    """Scores of another version on the rows of the present table, (n_rows,)."""
    if _is_same_table(other.run, trained.run):
        return other_scored.scores
    return _elsewhere(other.key, services.table_digest(trained.run.spec), other, scored.frame)


@st.cache_resource(show_spinner="Scoring these rows with the other version", max_entries=8)
def _elsewhere(key: str, digest: str, _other: services.Trained, _frame: pd.DataFrame) -> np.ndarray:
    return services.runner().call(_other.run.run_id, views.scores_elsewhere, snapshot=_other.snapshot, frame=_frame)


def _rows(scored: ScoredTable, found: Versions) -> None:
    """The rows that the versions disagree on, with both places, and all of them as a file."""
    lists = {MOVED: found.moved(), ONLY_OLD: found.only_old, ONLY_NEW: found.only_new}
    shown = links.segmented(
        PAGE, "Rows", list(lists), "rows_of", MOVED,
        lambda name: f"{name} ({formatting.count(len(lists[name]))})" if name != MOVED else name,
    )  # fmt: skip
    place = found.old_place if shown == ONLY_OLD else found.new_place
    rows = lists[shown] if shown == MOVED else lists[shown][np.argsort(place[lists[shown]], kind="stable")]
    frame = scored.frame.iloc[rows[:MAX_SHOWN]].reset_index(drop=True)
    st.dataframe(
        beside(_facts(scored, found, rows[:MAX_SHOWN]), frame),
        height=330,
        hide_index=True,
        placeholder="",
        column_config={name: st.column_config.NumberColumn(format="%.4g") for name in ("old score", "new score")},
    )
    if len(rows) > MAX_SHOWN:
        st.caption(f"The first {MAX_SHOWN} of {formatting.count(len(rows))} rows; the file has all.")
    st.download_button(
        "Both versions (CSV)",
        lambda: to_csv_bytes(beside(_facts(scored, found, np.arange(len(found))), scored.frame)),
        file_name="versions.csv",
        mime="text/csv",
        on_click="ignore",
        help="All rows with places, scores and flags of both",
    )


def _facts(scored: ScoredTable, found: Versions, rows: np.ndarray) -> dict[str, np.ndarray | list[str]]:
    facts: dict[str, np.ndarray | list[str]] = {
        "row": rows,
        "part": PARTS[scored.dataset.split[rows]],
        "flagged by": [found.verdict(int(row)) for row in rows],
        "old place": found.old_place[rows],
        "new place": found.new_place[rows],
        "old score": found.old_scores[rows],
        "new score": found.new_scores[rows],
    }
    if scored.dataset.y is not None:
        facts["labelled"] = np.where(scored.dataset.y[rows] == 1, "anomaly", "normal")
    return facts
