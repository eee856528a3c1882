"""Whose a table is: a name nobody can guess, deletion with all that was made from it, and how long things are kept."""

from __future__ import annotations

import os
import time

import numpy as np
import pandas as pd
import pytest

from flowlab.records import RunSpec, Spec
from flowlab.store.errors import RunNotFound
from flowlab.store.runs import RunStore

TABLE = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})
IDS = [f"{i:016x}" for i in range(6)]


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "home")


def test_the_same_table_of_two_owners_has_two_names_that_the_content_does_not_tell(store, tmp_path):
    plain = store.put_table(TABLE)
    anna, bert = (store.put_table(TABLE, f'{{"of": "{owner}"}}', owner=owner) for owner in ("anna", "bert"))
    elsewhere = RunStore(tmp_path / "other").put_table(TABLE, owner="anna")
    assert len(anna) == 32 and len({plain, anna[:16], bert[:16], elsewhere[:16]}) == 4
    assert store.put_table(TABLE, '{"of": "anna"}', owner="anna") == anna, "uploaded again it is the same link"
    assert store.table_story(anna) == '{"of": "anna"}' and store.table_story(bert) == '{"of": "bert"}'
    assert (store.table_owner(anna), store.table_owner(bert), store.table_owner(plain)) == ("anna", "bert", "")
    assert store.get_table(anna).equals(store.get_table(plain))


def on(digest: str) -> RunSpec:
    return RunSpec(Spec("upload", {"digest": digest}), Spec("kde"))


def test_a_table_goes_with_everything_made_from_it_and_nothing_else(store):
    anna, bert = (store.put_table(TABLE, "{}", TABLE, owner=owner) for owner in ("anna", "bert"))
    for run_id, digest in zip(IDS, (anna, anna, bert), strict=False):
        store.create(run_id, on(digest))
    assert store.get_table(anna) is store.get_table(anna), "it is in memory too"
    store.remove_table(anna)
    assert [run.run_id for run in store.list()] == [IDS[2]]
    with pytest.raises(RunNotFound):
        store.get_table(anna)
    assert not [path for path in store.root.rglob("*") if anna in path.name]
    assert store.get_table(bert).shape == (3, 2)
    store.remove_table(anna)


def aged(store: RunStore, run_id: str, days: float) -> None:
    at = time.time() - days * 86_400
    for path in (store.root / "runs" / run_id).rglob("*"):
        os.utime(path, (at, at))


def test_old_runs_go_and_running_and_pinned_ones_never(store):
    for run_id, days, status in zip(
        IDS, (40, 31, 5, 60, 60, 0), ["done"] * 3 + ["running", "done", "done"], strict=True
    ):
        store.create(run_id, RunSpec(Spec("moons"), Spec("kde")))
        store.finish(run_id, "done", {"w": np.zeros(1000)}, {})
        store.set_status(run_id, status)
        aged(store, run_id, days)
    (store.root / "runs" / IDS[4] / "pinned").touch()
    assert [run.run_id for run in store.expired(days=30)] == IDS[:2]
    sizes = [sum(path.stat().st_size for path in (store.root / "runs" / name).rglob("*.*")) for name in IDS]
    few = sum(sizes) - sizes[0] - 1
    assert [run.run_id for run in store.expired(max_bytes=few)] == IDS[:2], "the oldest, until the rest is small"
    assert store.expired() == store.expired(days=90) == []


def test_tables_that_no_run_uses_go_when_they_are_old(store):
    used, unused, new = (store.put_table(TABLE.assign(a=i)) for i in range(3))
    store.create(IDS[0], on(used))
    for digest in (used, unused):
        at = time.time() - 40 * 86_400
        os.utime(store.root / "tables" / f"{digest}.parquet", (at, at))
    assert store.unused_tables(30) == [unused] and store.unused_tables(50) == [] and new
