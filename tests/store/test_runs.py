"""The run directory: written whole or not at all, read without trust, and never larger than it should be."""

from __future__ import annotations

import errno
import json
import os
import time

import numpy as np
import pandas as pd
import pytest

from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.store.atomic import replacing
from flowlab.store.errors import DamagedRun, StoreError
from flowlab.store.runs import MAX_FRAMES, RunStore

SPEC = RunSpec(Spec("moons", {"noise": 0.1}), Spec("spline"), seed=3)
ID = "0123456789abcdef"


def event(step: int, loss: float = 1.5) -> TrainEvent:
    return TrainEvent(step, 100, step / 10, loss, loss + 0.1, step * 0.01, 1000.0)


def frame(step: int) -> dict[str, np.ndarray]:
    return {"density": np.full((64, 64), step % 256, np.uint8), "latent": np.zeros((600, 2), np.float16)}


@pytest.fixture
def store(tmp_path) -> RunStore:
    return RunStore(tmp_path / "home")


def test_what_was_written_is_read_back(store):
    store.create(ID, SPEC, user="anna")
    checkpoint = {"weights": np.arange(5, dtype=np.float32), "train.step": np.array(20), "file": np.array("relu")}
    store.append(ID, [event(10), event(20, float("nan"))], frame(20), checkpoint)
    running = store.load(ID)
    assert (running.spec, running.status, running.user) == (SPEC, "queued", "anna")
    assert running.state is None and running.views is None
    store.finish(ID, "done", {"w": np.eye(2)}, {"scores": np.array([1.0, -np.inf])})
    run = store.load(ID)
    assert run.status == "done" and run.versions["numpy"] == np.__version__
    assert [e.step for e in run.events] == [10, 20] and np.isnan(run.events[1].train_loss)
    assert run.frames.steps == [20] and run.frames[-1]["density"][0, 0] == 20
    assert {k: (v.dtype, v.tolist()) for k, v in run.checkpoint.items()} == {
        k: (v.dtype, v.tolist()) for k, v in checkpoint.items()
    }
    assert run.state["w"].tolist() == np.eye(2).tolist() and run.views["scores"][1] == -np.inf


def test_a_run_that_goes_on_after_a_stop_has_no_result_until_it_ends(store):
    store.create(ID, SPEC)
    store.finish(ID, "stopped", {"w": np.ones(1)}, {})
    assert store.load(ID).state is not None
    store.set_status(ID, "running")
    assert store.load(ID).state is None


def test_a_torn_last_line_is_ignored_and_mended(store):
    store.create(ID, SPEC)
    store.append(ID, [event(10)])
    with open(store.root / "runs" / ID / "events.jsonl", "a") as file:
        file.write(event(20).to_json()[:30])
    assert [e.step for e in store.load(ID).events] == [10]
    store.append(ID, [event(20), event(30)])
    assert [e.step for e in store.load(ID).events] == [10, 20, 30]


def test_steps_trained_again_after_a_crash_replace_what_was_lost(store):
    store.create(ID, SPEC)
    store.append(ID, [event(10), event(20), event(30, 9.0)])
    store.append(ID, [event(25), event(30, 1.0)])
    events = store.load(ID).events
    assert [(e.step, e.train_loss) for e in events] == [(10, 1.5), (20, 1.5), (25, 1.5), (30, 1.0)]


def test_a_run_begun_again_is_not_read_as_a_continuation(store):
    for losses in ([1.0, 2.0, 3.0], [4.0, 5.0], [6.0, 7.0, 8.0, 9.0]):
        store.create(ID, SPEC)
        for i, loss in enumerate(losses):
            store.append(ID, [event(10 * i + 10, loss)])
            assert [e.train_loss for e in store.load(ID).events] == losses[: i + 1]
    (store.root / "runs" / ID / "events.jsonl").unlink()
    assert store.load(ID).events == []


def test_creating_again_forgets_the_earlier_results(store):
    store.create(ID, SPEC)
    store.append(ID, [event(10)], frame(10), {"w": np.ones(1)})
    store.finish(ID, "done", {"w": np.ones(1)}, {"v": np.ones(1)})
    run = store.create(ID, SPEC)
    assert (run.status, run.events, len(run.frames), run.checkpoint, run.state) == ("queued", [], 0, None, None)


def test_the_film_stays_short_small_and_even(store):
    store.create(ID, SPEC)
    rng = np.random.default_rng(0)
    for step in range(10, 1010, 10):
        noise = rng.integers(0, 256, (150, 200)).astype(np.uint8)  # cannot be compressed: 30 kB a frame
        store.append(ID, [event(step)], {"density": noise} if step > 200 else frame(step))
    steps = store.load(ID).frames.steps
    assert len(steps) <= MAX_FRAMES and steps[0] == 10 and steps[-1] == 1000
    assert max(np.diff(steps)) <= 4 * np.median(np.diff(steps))
    assert sum(path.stat().st_size for path in (store.root / "runs" / ID / "frames").iterdir()) <= 2_000_000


def test_foreign_and_damaged_directories_are_passed_over(store):
    store.create(ID, SPEC)
    runs = store.root / "runs"
    damage = {
        "aaaaaaaaaaaaaaaa": "",
        "bbbbbbbbbbbbbbbb": "{not json",
        "cccccccccccccccc": "[1, 2]",
        "dddddddddddddddd": json.dumps({"format": 1, "status": "done"}),
        "eeeeeeeeeeeeeeee": (runs / ID / "run.json").read_text().replace('"queued"', '"dancing"'),
        "notes": "hello",
    }
    for name, text in damage.items():
        (runs / name).mkdir()
        (runs / name / "run.json").write_text(text)
    (runs / "ffffffffffffffff").mkdir()
    (runs / "1111111111111111").write_text("a file, not a folder")
    assert [run.run_id for run in store.list()] == [ID]
    assert store.load("ffffffffffffffff") is None, "a folder is no run"
    with pytest.raises(DamagedRun, match="The record of run bbbbbbbbbbbbbbbb is damaged; set the run aside"):
        store.load("bbbbbbbbbbbbbbbb")


def test_damaged_arrays_are_one_sentence(store):
    store.create(ID, SPEC)
    store.append(ID, checkpoint={"w": np.ones(1000)})
    path = store.root / "runs" / ID / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(StoreError, match="checkpoint.npz of run .* cannot be read; restart the run"):
        _ = store.load(ID).checkpoint


def test_a_pickle_in_a_run_directory_is_never_loaded(store):
    store.create(ID, SPEC)
    np.savez(store.root / "runs" / ID / "checkpoint.npz", w=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(StoreError, match="cannot be read"):
        _ = store.load(ID).checkpoint
    with pytest.raises(ValueError, match="allow_pickle=False"):
        store.append(ID, checkpoint={"w": np.array([print], dtype=object)})


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "0123456789ABCDEF", ID + "\n", ID + "/..", 3])
def test_names_cannot_leave_their_folder(store, name):
    with pytest.raises(ValueError, match="must match"):
        store.load(name)
    with pytest.raises(ValueError, match="must match"):
        store.get_table(name)
    with pytest.raises(ValueError, match="must match"):
        store.note_visitor(ID, f"../{name}")


def full_disk(monkeypatch, call: str) -> None:
    def fail(*arguments, **settings):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(store, monkeypatch, call):
    store.create(ID, SPEC)
    store.append(ID, [event(10)], frame(10), {"w": np.ones(3)})
    store.finish(ID, "stopped", {"w": np.ones(3)}, {})
    with monkeypatch.context() as patch:
        full_disk(patch, call)
        for write in (
            lambda: store.append(ID, [event(20)], frame(20), {"w": np.zeros(3)}),
            lambda: store.finish(ID, "done", {"w": np.zeros(3)}, {}),
            lambda: store.set_status(ID, "failed"),
            lambda: store.create("fedcba9876543210", SPEC),
            lambda: store.put_table(pd.DataFrame({"a": [1.0]})),
        ):
            with pytest.raises(StoreError, match="The disk is full: .* Free some space, then go on"):
                write()
    run = store.load(ID)
    assert run.status == "stopped" and run.checkpoint["w"].tolist() == [1, 1, 1] and run.state["w"].sum() == 3
    assert run.events[0].step == 10 and run.frames.steps == [10]
    left = [path for path in store.root.rglob("*") if path.name.startswith(".")]
    assert not left, "temporary files stay behind"


def test_a_disk_that_fills_in_the_middle_of_a_line_loses_only_that_line(store, monkeypatch):
    """A real limit on the size of a file: the kernel writes what fits, then refuses."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    store.create(ID, SPEC)
    store.append(ID, [event(10)])
    size = (store.root / "runs" / ID / "events.jsonl").stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, limits[1]))
        with pytest.raises(StoreError, match="could not be saved"):
            store.append(ID, [event(20)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (store.root / "runs" / ID / "events.jsonl").stat().st_size == size
    store.append(ID, [event(20)])
    assert [e.step for e in store.load(ID).events] == [10, 20]


def test_a_visitor_finds_what_they_saw_newest_first(store):
    ids = ["a" * 16, "b" * 16, "c" * 16]
    for run_id in ids:
        store.create(run_id, SPEC)
    for run_id in (ids[0], ids[2], ids[0]):
        store.note_visitor(run_id, "anna-1")
        time.sleep(0.01)
    assert [run.run_id for run in store.list("anna-1")] == [ids[0], ids[2]]
    assert store.list("nobody") == []
    assert [run.run_id for run in store.list()] == ids[::-1]


def test_a_table_is_stored_once_and_comes_back_equal(store):
    table = pd.DataFrame(
        {
            "x": [1.5, np.nan, -np.inf],
            "kind": ["a", None, "ü"],
            "when": pd.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "mixed": [1, "two", None],
        },
        index=[5, 6, 7],
    )
    digest = store.put_table(table)
    assert store.put_table(table.copy()) == digest
    assert len(list((store.root / "tables").iterdir())) == 1
    back = store.get_table(digest)
    assert back["x"].tolist()[0] == 1.5 and np.isinf(back["x"][2]) and np.isnan(back["x"][1])
    assert back["kind"][2] == "ü" and back["mixed"].tolist()[:2] == ["1", "two"]
    assert back["kind"].isna().tolist() == [False, True, False]
    assert back["mixed"].isna().tolist() == [False, False, True]
    assert store.put_table(back, '{"read": 1}') == digest, "what came back is what was stored"
    assert store.table_story(digest) == '{"read": 1}'
    assert store.put_table(table.rename(columns={"x": "y"})) != digest
    assert store.put_table(table.assign(x=[1.5, np.nan, 2.0])) != digest


def test_a_table_that_is_not_here_says_what_to_do(store):
    with pytest.raises(StoreError, match="upload the file again"):
        store.get_table("0" * 16)
    with pytest.raises(ValueError, match="names must differ"):
        store.put_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_small_extras_are_json(store):
    store.create(ID, SPEC)
    store.put_json(ID, "encoder", {"columns": ["a"], "mean": [0.5]})
    run = store.load(ID)
    assert run.extra("encoder") == {"columns": ["a"], "mean": [0.5]} and run.extra("nothing") is None
    with pytest.raises(ValueError, match="must match"):
        store.put_json(ID, "../run", {})
    with pytest.raises(ValueError, match="must not be 'run'"):
        store.put_json(ID, "run", {})


def test_a_file_is_replaced_whole_or_stays_as_it_was(tmp_path):
    path = tmp_path / "scored.csv"
    with replacing(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(ValueError, match="broken"), replacing(path) as file:
        file.write(b"second")
        raise ValueError("broken")
    assert path.read_bytes() == b"first" and list(tmp_path.iterdir()) == [path]
