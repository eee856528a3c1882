"""A damaged run is called damaged, in a sentence, and left as it is; nothing else suffers from it."""

from __future__ import annotations

import json
import os
import stat
import struct
import threading
import zipfile

import numpy as np
import pytest

from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.store.arrays import arrays_of, npz_bytes, read_npz
from flowlab.store.errors import DamagedRun, NewerRun, StoreError
from flowlab.store.runs import RunStore

SPEC = RunSpec(Spec("moons"), Spec("spline"))
ID, OTHER = "0" * 16, "1" * 16


@pytest.fixture
def store(tmp_path) -> RunStore:
    store = RunStore(tmp_path / "home")
    for run_id in (ID, OTHER):
        store.create(run_id, SPEC)
        for step in (10, 20, 30):
            event = TrainEvent(step, 30, 0.0, 1.0, 1.0, 0.0, 0.0)
            arrays = {"w": np.full(50, step), "train.step": np.array(step)}
            store.append(run_id, [event], {"density": np.full(9, step)}, arrays)
        store.finish(run_id, "done", {"w": np.ones(50)}, {"scores": np.ones(50)})
    return store


def record(**values) -> str:
    spec = json.loads(SPEC.to_json())
    whole = {"format": 1, "spec": spec, "status": "done", "error": "", "details": "", "versions": {}}
    text = json.dumps({**whole, "created": 1.0, "user": "", "pid": 1, **values})
    return text.replace('"1e400"', "1e400")


DAMAGED_RECORDS = {
    "cut": record()[:100],
    "empty": "",
    "deep": "[" * 100_000,
    "absurd process": record(pid="1e400"),
    "absurd seed": record(spec={"data": {"name": "moons", "params": {}}, "model": {"name": "spline"}, "seed": "1e400"}),
    "absurd time": record(created="1e400"),
    "absurd parameter": record(spec={"data": {"name": "moons", "params": {"noise": "1e400"}}, "model": {}, "seed": 0}),
    "a number of 5000 digits": record().replace('"pid": 1', '"pid": ' + "9" * 5000),
    "another kind": record(versions=[1, 2]),
    "no status": record(status="dancing"),
    "a list": "[1, 2]",
}


@pytest.mark.parametrize("name", DAMAGED_RECORDS)
def test_a_damaged_record_hurts_its_run_alone_and_is_not_overwritten(name, store):
    path = store.root / "runs" / ID / "run.json"
    path.write_text(DAMAGED_RECORDS[name])
    assert [run.run_id for run in store.list()] == [OTHER]
    for touch in (store.load, lambda i: store.create(i, SPEC), lambda i: store.set_status(i, "running")):
        with pytest.raises(DamagedRun, match=f"The record of run {ID} is damaged; set the run aside"):
            touch(ID)
    assert path.read_text() == DAMAGED_RECORDS[name]
    found = store.damage(ID)
    assert found.unreadable == ("run.json",)
    assert "its curve up to step 30" in found.readable and "its trained model" in found.readable
    place = store.set_aside(ID)
    assert store.load(ID) is None and (place / "model.npz").exists()
    assert store.create(ID, SPEC).status == "queued"


def test_a_lost_record_is_damage_too(store):
    (store.root / "runs" / ID / "run.json").unlink()
    with pytest.raises(DamagedRun):
        store.create(ID, SPEC)


def test_a_run_of_a_newer_store_is_named_as_such_and_left_alone(store):
    path = store.root / "runs" / ID / "run.json"
    path.write_text(record(format=2))
    for touch in (store.load, lambda i: store.create(i, SPEC)):
        with pytest.raises(NewerRun, match="newer FlowLab .format 2, this one reads 1.; update FlowLab"):
            touch(ID)
    assert [run.run_id for run in store.list()] == [OTHER] and path.read_text() == record(format=2)


def spoil(path, way: str) -> None:
    data = path.read_bytes()
    path.unlink()  # the newest kept checkpoint is the same file
    if way == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif way == "flipped":
        middle = len(data) // 3
        path.write_bytes(data[:middle] + bytes(255 - b for b in data[middle : middle + 40]) + data[middle + 40 :])
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("way", ["cut", "flipped", "empty"])
@pytest.mark.parametrize("name", ["model.npz", "views.npz", "checkpoint.npz", "frames/00000030.npz"])
def test_a_damaged_file_is_named_with_what_can_be_saved(name, way, store):
    spoil(store.root / "runs" / ID / name, way)
    found = store.damage(ID)
    assert found.unreadable == (name,)
    assert found.step == 30
    assert len(found.readable) == (5 if name.startswith(("checkpoint", "frames")) else 4)
    assert store.damage(OTHER).unreadable == ()


def test_a_damaged_run_goes_back_to_its_newest_readable_checkpoint(store):
    folder = store.root / "runs" / ID
    spoil(folder / "checkpoint.npz", "empty")
    spoil(folder / "model.npz", "cut")
    spoil(folder / "frames" / "00000020.npz", "cut")
    (folder / "checkpoints" / "00000030.npz").unlink()
    assert store.go_back(ID) == 20
    run = store.load(ID)
    assert run.status == "interrupted" and int(run.checkpoint["train.step"]) == 20 and run.frames.steps == [10, 30]


def test_damaged_lines_of_the_curve_are_passed_over(store):
    path = store.root / "runs" / ID / "events.jsonl"
    whole = TrainEvent(40, 40, 0.0, 1.0, 1.0, 0.0, 0.0).to_json()
    lines = [whole.replace("40", "1e400", 1), whole.replace('"step":40', '"step":"x"'), "[" * 50_000, "\0" * 100]
    lines += [whole.replace('"train_loss":1.0', '"train_loss":[]'), '{"step": 1}', whole]
    with open(path, "a") as file:
        file.write("\n".join(lines) + "\n")
    assert [event.step for event in store.load(ID).events] == [10, 20, 30, 40]


def test_odd_files_among_the_pictures_are_passed_over(store):
    for name in ("1.npz", "0000004x.npz", "notes.txt", "²²²²²²²².npz"):
        (store.root / "runs" / ID / "frames" / name).write_bytes(b"x")
    run = store.load(ID)
    assert run.frames.steps == [10, 20, 30] and run.frames[0]["density"][0] == 10


def member(header: str, data: bytes = b"", method: int = zipfile.ZIP_STORED) -> bytes:
    import io

    text = header.encode().ljust(118) + b"\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("w.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data)
    return out.getvalue()


def encrypted() -> bytes:
    data = bytearray(npz_bytes({"w": np.ones(3)}))
    for place in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    return bytes(data)


FLOATS = "{'descr': '<f8', 'fortran_order': False, 'shape': "
HOSTILE = {
    "deep header": lambda: member("(" * 117),
    "a shape without cells": lambda: member(FLOATS + "(99999999999,), }"),
    "a shape beyond numbers": lambda: member(FLOATS + "(" + "9" * 60 + ",), }"),
    "objects": lambda: member("{'descr': '|O', 'fortran_order': False, 'shape': (), }", b"x" * 8),
    "a wider number": lambda: member(FLOATS.replace("<f8", "<f9") + "(1,), }", b"x" * 9),
    "encrypted": encrypted,
    "an unknown method": lambda: member(FLOATS + "(1,), }", b"x" * 8).replace(b"\x00\x00\x00\x00", b"\x63\x00\x00\x00"),
    "no archive": lambda: b"\x93NUMPY",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_is_wrong_with_arrays_is_one_error(name, tmp_path):
    (tmp_path / "model.npz").write_bytes(HOSTILE[name]())
    with pytest.raises(StoreError, match="model.npz of run .* cannot be read"):
        read_npz(tmp_path / "model.npz")


@pytest.mark.parametrize(
    "array",
    [np.array(3), np.arange(6, dtype="f2").reshape(2, 3), np.array("relu"), np.array([[True], [False]]),
     np.zeros((0, 3)), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array([1, 2], np.uint8)],
    ids=str,
)  # fmt: skip
def test_arrays_are_read_as_numpy_reads_them(array):
    for compress in (False, True):
        found = arrays_of(npz_bytes({"a": array}, compress))["a"]
        assert found.dtype == array.dtype and found.shape == array.shape and np.array_equal(found, array)


def test_many_threads_read_arrays_at_once():
    """`numpy.load` fails here now and then under CPython 3.11, whose ast is not safe in threads."""
    data = npz_bytes({f"layer{i}.weight": np.zeros((i, 3)) for i in range(40)})
    wrong = []

    def read():
        try:
            for _ in range(20):
                arrays_of(data)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_files_and_folders_are_their_owners_alone(store, monkeypatch):
    store.note_visitor(ID, "anna")
    store.put_json(ID, "encoder", {})
    for path in [store.root, *store.root.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} has {mode:o}"


def test_one_look_at_many_runs_parses_no_record_twice(store, monkeypatch):
    store.list()
    calls = []
    real = json.loads
    monkeypatch.setattr(json, "loads", lambda text, **more: calls.append(text) or real(text, **more))
    store.list()
    assert not [text for text in calls if b'"status"' in (text if isinstance(text, bytes) else text.encode())]
