"""Bytes and links that nobody means well: each ends in a value or in one of our own errors.

`FLOWLAB_FUZZ=50` tries fifty times as many, and others each time.
"""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowlab import catalog
from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.store.errors import StoreError
from flowlab.store.runs import RunStore
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

TIMES = int(os.environ.get("FLOWLAB_FUZZ", "1"))


def bounded(n_examples: int):
    return settings(
        max_examples=n_examples * TIMES, deadline=None, derandomize=TIMES == 1, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip


KEYS = [
    "data",
    "model",
    "seed",
    "from",
    "data.noise",
    "data.n_samples",
    "model.n_layers",
    "model.n_bins",
    "data.digest",
]
VALUES = ["moons", "spline", "upload", "1e999", "-1", "nan", "9" * 400, "null", "\x00", "../..", "<a>", "True", "٣", ""]


@bounded(100)
@given(
    st.dictionaries(
        st.sampled_from(KEYS) | st.text(max_size=20), st.sampled_from(VALUES) | st.text(max_size=60), max_size=12
    )
)
def test_any_link_is_a_run_and_sentences(query):
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    tidy, more = catalog.tidy(spec)
    assert all(isinstance(sentence, str) for sentence in problems + more)
    assert catalog.run_id(tidy) == catalog.run_id(catalog.tidy(tidy)[0])
    assert RunSpec.from_json(tidy.to_json()) == tidy


PIECES = [
    b",",
    b"\n",
    b'"',
    b"\r",
    b";",
    b"\t",
    b"#",
    b"\x00",
    b"\xff\xfe",
    b"1e999",
    b"nan",
    b"2020-13-45",
    b"1.5",
    b"a",
]
PIECES += [b"PAR1", b"\x1f\x8b\x08", "ü".encode(), "ü".encode("latin-1"), b" " * 40]


@bounded(60)
@given(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=60),
    st.sampled_from(["x.csv", "x.parquet", "x"]),
)
def test_any_file_is_a_table_or_refused_in_a_sentence(pieces, name):
    data = b"".join(pieces)
    try:
        table = read_table(data, name)
    except TableError as error:
        assert str(error)
    else:
        assert table.frame.columns.is_unique


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The directory of a finished run."""
    store = RunStore(tmp_path_factory.mktemp("whole"))
    store.create("0" * 16, RunSpec(Spec("moons"), Spec("spline")))
    for step in (1, 2):
        arrays = {"w": np.ones(30), "train.step": np.array(step)}
        store.append("0" * 16, [TrainEvent(step, 2, 0.0, 1.0, 1.0, 0.0, 0.0)], {"density": np.ones(9)}, arrays)
    store.finish("0" * 16, "done", {"w": np.ones(30)}, {"scores": np.ones(3)})
    return store.root


FILES = ["run.json", "events.jsonl", "model.npz", "views.npz", "checkpoint.npz", "frames/00000001.npz"]
BAD = [b"1e400", b"[" * 2000, b"null", b"-1", b"\x00" * 20, b'{"a":' * 500, b"9" * 6000, b'"', b"NaN", b""]


@bounded(60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(FILES),
            st.floats(0, 1, allow_subnormal=False),
            st.integers(0, 40),
            st.sampled_from(BAD) | st.binary(max_size=40),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_run_directory_is_read_or_called_damaged(whole, tmp_path_factory, changes):
    root = tmp_path_factory.mktemp("run") / "home"
    shutil.copytree(whole, root)
    for name, place, length, bad in changes:
        path = root / "runs" / ("0" * 16) / name
        data = path.read_bytes()
        at = int(place * len(data))
        path.unlink()
        path.write_bytes(data[:at] + bad + data[at + length :])
    store = RunStore(root)
    assert len(store.list()) <= 1
    assert store.damage("0" * 16) is not None
    try:
        run = store.load("0" * 16)
        parts = [run.state, run.views, run.checkpoint, list(run.frames), run.updated, run.kept_steps]
        assert parts and all(1 <= len(str(event.step)) <= 10 for event in run.events)
    except StoreError as error:
        assert str(error).endswith((".", "again"))
    shutil.rmtree(root)


def test_two_columns_of_a_parquet_file_with_one_name_are_refused_in_words(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [pa.array([1.0, 2.0]), pa.array([3.0, 4.0])]
    pq.write_table(pa.Table.from_arrays(columns, names=["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(TableError, match="Two columns of the Parquet file are called 'a'; rename one of them"):
        read_table((tmp_path / "x.parquet").read_bytes(), "x.parquet")
    pd.DataFrame({"a": [1.0, 2.0]}).to_parquet(tmp_path / "y.parquet")
    assert len(read_table((tmp_path / "y.parquet").read_bytes(), "y.parquet").frame) == 2
