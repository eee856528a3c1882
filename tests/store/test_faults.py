"""Every file operation of a store's life, killed, torn or refused by a full disk: each run is as before or as after."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from flowlab.records import RunSpec, Spec, TrainEvent
from flowlab.store.errors import StoreError
from flowlab.store.runs import RunStore

SPEC = RunSpec(Spec("moons"), Spec("spline"))
ID, FORK, COPY = "0" * 16, "f" * 16, "c" * 16
N_STEPS = 4
NEED_ROOM = ("open", "write", "fsync", "replace", "mkdir", "link")
"""Operations that a full disk refuses."""
CONCERNED = {"killed": (*NEED_ROOM, "unlink", "rmdir", "ftruncate"), "torn": ("write",)}
CONCERNED["full once"] = CONCERNED["full"] = ("open", "write", "replace")
"""The operations at which each fault strikes."""


class Killed(BaseException):
    """The process is gone: it does nothing any more, not even tidy up."""


@dataclass
class Faults:
    """Counts the file operations under a folder, and from the one numbered `at` on lets them fail.

    With `way` "deleted" none fails: before the one numbered `at` somebody moves the folder `deleted` away.
    """

    root: Path
    way: str = ""
    at: int = -1
    operations: list[str] = field(default_factory=list)
    files: set[int] = field(default_factory=set)
    is_struck: bool = False
    deleted: Path | None = None

    def strike(self, name: str) -> bool:
        """Count an operation; True where it is to be torn."""
        here, writes = len(self.operations) == self.at, name in NEED_ROOM
        self.operations.append(name)
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.way == "deleted":
            if here and self.deleted is not None:
                self.deleted.rename(self.root.parent / "deleted")
                self.is_struck = True
        elif self.way in ("killed", "torn"):
            self.is_struck |= here
            if here and self.way == "torn":
                return True
            if self.is_struck:
                raise Killed
        elif writes and (here or (self.way == "full" and 0 <= self.at < len(self.operations))):
            self.is_struck = True
            raise full
        return False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        def under(path) -> bool:
            return isinstance(path, str | Path) and str(path).startswith(str(self.root))

        def of_names(name: str) -> None:
            real = getattr(os, name)

            def call(*arguments, **settings):
                if under(arguments[0]) and self.strike(name):
                    raise Killed
                return real(*arguments, **settings)

            patch.setattr(os, name, call)

        def of_files(name: str) -> None:
            real = getattr(os, name)

            def call(file, *arguments):
                if file in self.files and self.strike(name):
                    if name == "write":
                        real(file, arguments[0][: len(arguments[0]) // 2])
                    raise Killed
                return real(file, *arguments)

            patch.setattr(os, name, call)

        for name in ("replace", "mkdir", "link", "unlink", "rmdir"):
            of_names(name)
        for name in ("write", "fsync", "ftruncate"):
            of_files(name)
        real_open, real_close = os.open, os.close

        def open_(path, flags, *more, **settings):
            if under(path) and flags & os.O_CREAT and self.strike("open"):
                raise Killed
            file = real_open(path, flags, *more, **settings)
            if under(path):
                self.files.add(file)
            return file

        def close(file):
            self.files.discard(file)
            real_close(file)

        patch.setattr(os, "open", open_)
        patch.setattr(os, "close", close)
        # what shutil does through folders it has opened is seen by the names above only without them
        patch.setattr(shutil, "_use_fd_functions", False)


def slice_of(store: RunStore, run_id: str, step: int) -> None:
    event = TrainEvent(step, N_STEPS, 0.0, -float(step), -float(step), 0.0, 0.0)
    arrays = {"w": np.full(200, step), "train.step": np.array(step)}
    store.append(run_id, [event], {"density": np.full(9, step)}, arrays)


def result(store: RunStore, run_id: str, status: str, weight: float = 1.0) -> None:
    store.finish(run_id, status, {"w": np.full(200, weight)}, {"scores": np.full(9, weight)})


LIFE = {
    "create": lambda s: s.create(ID, SPEC, "anna"),
    "first slice": lambda s: slice_of(s, ID, 1),
    "second slice": lambda s: slice_of(s, ID, 2),
    "pause": lambda s: s.set_status(ID, "paused"),
    "third slice": lambda s: slice_of(s, ID, 3),
    "stop": lambda s: result(s, ID, "stopped"),
    "fourth slice": lambda s: slice_of(s, ID, 4),
    "go on": lambda s: s.set_status(ID, "running"),
    "finish": lambda s: result(s, ID, "done", 2.0),
    "fork": lambda s: s.create(FORK, SPEC.forked(ID, 2), "bert"),
    "slice of the fork": lambda s: slice_of(s, FORK, 3),
    "copy": lambda s: s.copy(ID, COPY, "cleo"),
    "hand over": lambda s: s.set_owner(FORK, "cleo"),
    "start again beside it": lambda s: s.create(COPY, SPEC, "cleo", ID),
    "slice of the copy": lambda s: slice_of(s, COPY, 1),
    "finish the copy": lambda s: result(s, COPY, "done", 3.0),
    "replace": lambda s: s.replace(ID, COPY),
    "remove": lambda s: s.remove(FORK),
    "start again": lambda s: s.create(ID, SPEC, "anna"),
}


WRITES = ("slice", "of the fork", "the copy", "pause", "go on", "finish")
"""Ends of the names of the acts that write to a run which is there."""


def state_of(store: RunStore, run_id: str) -> dict | None:
    """All that a run is, read from disk; None where there is none."""
    run = store.load(run_id)
    if run is None:
        return None
    return {
        "status": run.status,
        "owner": run.user,
        "copy of": run.copy_of,
        "curve": [event.step for event in run.events],
        "film": [int(frame["density"][0]) for frame in run.frames],
        "checkpoint": None if run.checkpoint is None else int(run.checkpoint["train.step"]),
        "model": None if run.state is None else float(run.state["w"][0]),
        "scores": None if run.views is None else float(run.views["scores"][0]),
    }


def states(root: Path) -> dict:
    store = RunStore(root)
    return {run_id: state_of(store, run_id) for run_id in (ID, FORK, COPY)}


@pytest.fixture
def place():
    """A folder in memory where there is one, because the test makes a thousand stores."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Path(folder)


@pytest.fixture
def rooms(place, monkeypatch):
    """The store before each act of its life, the file operations of the act, and the state before and after."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # counted, and not waited for
    rooms = []
    for i, act in enumerate(LIFE.values()):
        before = place / f"before{i}"
        if not i:
            before.mkdir()
        faults = Faults(place / f"before{i + 1}")
        shutil.copytree(before, faults.root)
        with monkeypatch.context() as patch:
            faults.install(patch)
            act(RunStore(faults.root))
        rooms.append((before, faults.operations, states(before), states(faults.root)))
    return rooms


@pytest.mark.parametrize("way", ["killed", "torn", "full once", "full"])
def test_every_file_operation_leaves_each_run_as_before_or_as_after(way, rooms, place, monkeypatch):
    n_points = 0
    for (name, act), (room, operations, before, after) in zip(LIFE.items(), rooms, strict=True):
        for at, operation in enumerate(operations):
            if operation not in CONCERNED[way]:
                continue
            root = place / "now"
            shutil.copytree(room, root)
            faults = Faults(root, way, at)
            with monkeypatch.context() as patch:
                faults.install(patch)
                with contextlib.suppress(Killed, StoreError):
                    act(RunStore(root))
            where = f"{name}, operation {at} ({operation}), {way}"
            store = RunStore(root)
            store.mend()
            left = [path.name for path in root.rglob(".*") if path.parent.name != "lease"]
            assert not left, f"{where}: {left} is left behind"
            now = states(root)
            for run_id, found in now.items():
                check(found, before[run_id], after[run_id], f"{where}: {run_id[0]}")
            goes_on_without_a_hole(store, f"{where}")
            n_points += faults.is_struck
            shutil.rmtree(root)
    assert n_points > 40, "the faults struck"


def test_a_run_that_is_deleted_during_a_write_does_not_come_back(rooms, place, monkeypatch):
    n_points = 0
    for (name, act), (room, operations, before, _) in zip(LIFE.items(), rooms, strict=True):
        run_id = FORK if "fork" in name else COPY if "copy" in name else ID
        if before[run_id] is None or not name.endswith(WRITES):
            continue
        for at in range(len(operations)):
            root = place / "now"
            shutil.copytree(room, root)
            folder = root / "runs" / run_id
            faults = Faults(root, "deleted", at, deleted=folder)
            with monkeypatch.context() as patch:
                faults.install(patch)
                with contextlib.suppress(StoreError):
                    act(RunStore(root))
            n_points += faults.is_struck
            assert not folder.exists(), f"{name}: it came back at operation {at}, {operations[at]}"
            assert RunStore(root).load(run_id) is None
            shutil.rmtree(root), shutil.rmtree(place / "deleted")
    assert n_points > 100, "it was deleted"


def check(found, before, after, where):
    """A run is as before or as after; in a slice its parts may be, if the checkpoint is not ahead of the curve."""
    if found in (before, after):
        return
    assert found is not None and before is not None and after is not None, f"{where} is {found}"
    for part, value in found.items():
        assert value in (before[part], after[part]), f"{where}, {part}: {value} is neither old nor new"
    assert found["status"] == before["status"] == after["status"], where
    assert found["checkpoint"] in (None, *found["curve"]), f"{where}: the checkpoint is ahead of the curve"
    assert found["curve"] != after["curve"] or found["checkpoint"] in (before["checkpoint"], after["checkpoint"])


def goes_on_without_a_hole(store: RunStore, where: str) -> None:
    """Trained on from what was left, every run has its whole curve, and its result."""
    for run in store.list():
        if run.is_usable:
            assert run.state is not None and run.views is not None, f"{where}: done, without its result"
            continue
        begin = 0 if run.checkpoint is None else int(run.checkpoint["train.step"])
        if run.checkpoint is None and run.spec.branch:
            begin = run.spec.branch[1]
        for step in range(begin + 1, N_STEPS + 1):
            slice_of(store, run.run_id, step)
        result(store, run.run_id, "done")
        done = store.load(run.run_id)
        assert [event.step for event in done.events] == [1, 2, 3, 4], f"{where}: a hole in the curve"
