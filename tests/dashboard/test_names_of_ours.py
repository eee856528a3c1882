"""A table whose columns have the names of ours: nothing is overwritten, and no page fails."""

import numpy as np
import pandas as pd
import pytest
from pages_driver import open_page, train

NAMES = ("row", "note", "anomaly score", "alarm")
"""Of the many names of columns that the pages add, some that several of them do."""
MORE = ("anomaly?", "answer", "reason", "part", "label", "percentile", "p-value", "place", "place before", "group")


@pytest.fixture(scope="module", autouse=True)
def home(own_server):
    """One store for the whole file."""


def table(names) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rng.normal(size=300) + 100 * i for i, name in enumerate(names)})


def link(names, model="gaussian") -> dict[str, str]:
    from flowlab.dashboard.shell import services

    return {"data": "upload", "data.digest": services.store().put_table(table(names)), "model": model}


@pytest.fixture(scope="module")
def detect(home):
    """The Detect page of a run on a table with all the names, with an answer to one row."""
    from flowlab.dashboard.shell import services

    query = link([*NAMES, *MORE])
    (run_id,) = train(query)
    given = [[row, "yes" if row < 5 else "no", "seen"] for row in range(10)]
    services.store().put_json(run_id, "answers", {"answers": given, "began": {}, "more": {}})
    return query


@pytest.mark.parametrize("tab", ["Curves", "Rules", "Flagged rows", "Audit without labels"])
def test_no_tab_of_detect_mixes_them_up(detect, tab):
    at = open_page("detect", detect, tab=tab, rule="manual", threshold="40", learn=True)
    values = table([*NAMES, *MORE])
    shown = [frame.value for frame in at.dataframe if "row" in frame.value and "row_2" in frame.value]
    assert bool(shown) == (tab in ("Flagged rows", "Audit without labels"))
    for frame in shown:
        assert frame.columns.is_unique
        numbers = frame["row"].to_numpy(int)
        for name in NAMES[:2]:
            theirs = f"{name}_2" if f"{name}_2" in frame else name
            assert np.allclose(frame[theirs], values[name].to_numpy()[numbers]), name


def test_rows_in_dispute_keep_the_users_columns_beside_ours(home):
    query = link([*NAMES[:3], "why (One Gaussian)"])
    coder = {**query, "model": "autoencoder", "model.n_steps": "20"}
    at = open_page("compare", query, runs=".".join(train(query, coder)))
    frame = next(frame.value for frame in at.dataframe if "alarm" in frame.value)
    frame = getattr(frame, "data", frame)
    assert frame["row"].between(0, 299).all() and frame["row_2"].between(-10, 10).all()
    assert frame["why (One Gaussian)_2"].between(290, 310).all()
    assert frame["why (One Gaussian)"].map(type).eq(str).all()


@pytest.mark.parametrize(
    "page, view",
    [
        ("data", {}),
        ("data", {"tab": "Rows"}),
        ("explore", {"view": "Marginals"}),
        ("explore", {"view": "Latent space"}),
        ("explore", {"view": "Samples"}),
    ],
)
def test_no_other_page_fails(detect, page, view):
    open_page(page, detect, **view)
