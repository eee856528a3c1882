"""When a file shows that things have changed: a threshold set anew on its rows, or a training on it."""

from __future__ import annotations

import streamlit as st

from flowlab import catalog, formatting
from flowlab.dashboard.detect import threshold
from flowlab.dashboard.shell import pages, services, state
from flowlab.jobs.confined import confined
from flowlab.records import RunSpec, Spec
from flowlab.serving.recalibration import renewed
from flowlab.serving.scoring import Summary
from flowlab.store.reading import Run
from flowlab.tables.read import read_table

LEFT_BEHIND = ("digest", "name", "left_out")
"""Settings of a table that are not those of another one."""


def panel(key: str, detector: bytes, own: Run | None, summary: Summary, data: bytes, name: str) -> None:
    """Both ways on; `key` names detector and file, `own` is the present run where it scored."""
    with st.expander("Set the threshold anew, or train again", expanded=bool(summary.drift)):
        left, right = st.columns(2, gap="medium")
        with left:
            _threshold(key, detector, own is not None, summary, name)
        if own is not None and own.spec.data.name == catalog.TABLE:
            with right:
                _training(own, data, name)


def _threshold(key: str, detector: bytes, is_own: bool, summary: Summary, name: str) -> None:
    """The model stays; the rule that chose the threshold is applied to these rows."""
    st.caption("The model stays, and all these rows count as normal. The detector that scored them is kept as it is.")
    if st.button("Set the threshold anew on these rows", key="score.renew"):
        item = (detector, summary.scores, summary.levels, name)
        try:
            found = renewed(item) if is_own else confined(renewed, item)
        except (ValueError, RuntimeError) as error:
            st.error(formatting.escaped(error))
            return
        state.keep("score.renewed", (key, found))
    kept = state.recall("score.renewed")
    if kept is None or kept[0] != key:
        return
    found = kept[1]
    for sentence in found.sentences:
        st.markdown(formatting.escaped(sentence))
    stem = name.rsplit(".", 1)[0]
    st.download_button(
        "Detector with the new threshold",
        found.data,
        file_name=f"{stem}.detector",
        mime="application/zip",
        on_click="ignore",
        help="Choose it above as a detector file to score the next files with it",
    )


def _training(own: Run, data: bytes, name: str) -> None:
    """A run on the new file with the settings of the present one; both are then compared on its rows."""
    st.caption("The same settings on this file, as a run of its own; the present one is kept, and both are compared.")
    if not st.button("Train again on this file", key="score.retrain"):
        return
    try:
        table = read_table(data, name)
        cells = None if table.text is None else table.text.frame()
        digest = services.store().put_table(table.frame, table.report.to_json(), cells, state.visitor())
        params = {key: value for key, value in own.spec.data.params.items() if key not in LEFT_BEHIND}
        new = Spec(catalog.TABLE, {**params, "digest": digest, "name": name[:80]})
        spec = catalog.tidy(RunSpec(new, own.spec.model, own.spec.seed))[0]
        services.dataset(spec)
        services.train(spec)
    except (ValueError, RuntimeError) as error:
        st.error(formatting.escaped(error))
        return
    state.show(spec)
    threshold.forget_by_hand()
    state.set_view("detect", version=own.run_id, tab="Versions", row=None)
    st.switch_page(pages.path("detect"), query_params=state.query("detect"))
