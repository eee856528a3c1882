"""Stored runs, read from their directories.

Nothing here writes; that is `runs.py` beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from flowlab.records import RunSpec, RunState, TrainEvent
from flowlab.store.arrays import read_npz
from flowlab.store.atomic import steps_in
from flowlab.store.errors import DamagedRun, StoreError
from flowlab.store.label import RunLabel

if TYPE_CHECKING:
    import pandas as pd


RUN_ID = re.compile(r"[0-9a-f]{16}\Z")
TABLE_ID = re.compile(r"[0-9a-f]{16}(?:[0-9a-f]{16})?\Z")
EXTRA_NAME = re.compile(r"[a-z_]{1,32}\Z")
LABEL = "label"
"""The extra that holds a run's name, note and tags."""
MAX_STEPS = 10**9
MAX_SECONDS = 10**11
MAX_RECORD_BYTES = 4 * 2**20
"""The record of a run that failed holds a traceback."""


class Frames(Sequence[dict[str, np.ndarray]]):
    """The film of a run: a sequence of dicts of arrays, each read on access; `steps` are their steps."""

    def __init__(self, folder: Path, is_empty: bool = False) -> None:
        self.steps = [] if is_empty else steps_in(folder)
        self._paths = [folder / f"{step:08d}.npz" for step in self.steps]

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> dict[str, np.ndarray]: ...

    @overload
    def __getitem__(self, index: slice) -> list[dict[str, np.ndarray]]: ...

    def __getitem__(self, index: int | slice) -> dict[str, np.ndarray] | list[dict[str, np.ndarray]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return read_npz(self._paths[index])


class _EventLog:
    """The events of one file. A page that follows a run reads it five times a second: only what is new is parsed."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._events: list[TrainEvent] = []
        self._forget()

    def read(self) -> list[TrainEvent]:
        with self._lock:
            data = self._rest()
            if not data.startswith(self._last_line):  # begun again
                self._forget()
                data = self._rest()
            whole = data[len(self._last_line) : data.rfind(b"\n") + 1]
            for line in whole.splitlines(keepends=True):
                self._add(line)
            return list(self._events)

    def _forget(self) -> None:
        self._end, self._last_line, self._events = 0, b"", []

    def _rest(self) -> bytes:
        """What follows what was read, and before it the last line that was, to know the file by."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._end - len(self._last_line))
                return file.read()
        except OSError:
            return b""

    def _add(self, line: bytes) -> None:
        self._end, self._last_line = self._end + len(line), line
        with contextlib.suppress(Exception):  # a damaged line: it is passed over, in whatever way it is damaged
            event = _checked_event(TrainEvent.from_json(line.decode()))
            # After a crash training goes on from a checkpoint that may be older than the last line.
            while self._events and self._events[-1].step >= event.step:
                self._events.pop()
            self._events.append(event)


def _checked_event(event: TrainEvent) -> TrainEvent:
    numbers = (event.epoch, event.train_loss, event.val_loss, event.seconds, event.rows_per_second)
    steps = (event.step, event.n_steps)
    if not all(type(number) in (int, float) for number in numbers) or not isinstance(event.note, str):
        raise ValueError("an event holds numbers and a note")
    if not all(type(step) is int and 0 <= step <= MAX_STEPS for step in steps):
        raise ValueError("an event holds steps")
    return event


_log_of = lru_cache(maxsize=100)(_EventLog)


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was when it was loaded. `run.json` has been read; everything else is read on first use.

    Attributes
    ----------
    path, run_id : its directory and its id
    spec : what was trained
    status : where it stands
    error, details : a sentence for people and a traceback where it failed, else ""
    versions : of the packages that computed it
    created : when it was begun, in seconds since 1970
    user : who began it, and so controls it; "" for a run without an owner
    pid : process that wrote the status
    copy_of : of a visitor's own copy the id of the run that all share, else ""
    is_fresh : begun, and what an earlier run of this id left in the directory is not removed yet; it does not count
    fence : number of the server that wrote the record last (`Lease.number`)
    n_adopted : how often a restarted server went on with it, since somebody last asked for it
    """

    path: Path
    run_id: str
    spec: RunSpec
    status: RunState
    error: str
    details: str
    versions: Mapping[str, str]
    created: float
    user: str
    pid: int
    copy_of: str = ""
    is_fresh: bool = False
    fence: int = 0
    n_adopted: int = 0

    @classmethod
    def from_record(cls, path: Path, record: Mapping[str, Any]) -> Run:
        """The run whose run.json says `record`; DamagedRun where that cannot be understood."""
        try:
            copy_of = str(record.get("copy_of", ""))
            spec = _checked_spec(record["spec"])
            if spec.branch and spec.branch[0] == path.name:
                raise ValueError("a run that goes on from itself")
            return cls(
                path=path,
                run_id=path.name,
                spec=spec,
                status=RunState(record["status"]),
                error=str(record["error"]),
                details=str(record["details"]),
                versions={str(name): str(version) for name, version in record["versions"].items()},
                created=_within(float(record["created"]), MAX_SECONDS),
                user=str(record["user"]),
                pid=_within(int(record["pid"]), 2**31),
                copy_of="" if copy_of == path.name else copy_of,
                is_fresh=bool(record.get("fresh", False)),
                fence=_within(int(record.get("fence", 0)), 2**31),
                n_adopted=_within(int(record.get("adopted", 0)), 2**31),
            )
        except Exception as error:  # whatever stands in the file: absurd numbers, deep nesting, other kinds of values
            raise damaged(path) from error

    @cached_property
    def events(self) -> list[TrainEvent]:
        """What training reported, by strictly rising step. A torn last line is ignored, a repeated step read once."""
        return [] if self.is_fresh else _log_of(self.path / "events.jsonl").read()

    @property
    def is_usable(self) -> bool:
        """Whether the run was closed with a model: done, or stopped after a step."""
        if self.status is not RunState.STOPPED:
            return self.status is RunState.DONE
        has_learned = any((self.path / name).exists() for name in ("model.npz", "checkpoint.npz"))
        return has_learned and not self.is_fresh

    @property
    def updated(self) -> float:
        """When status, weights or result last changed, in seconds since 1970: a cache key of what comes from them."""
        paths = (self.path / name for name in ("run.json", "checkpoint.npz", "model.npz"))
        return max((path.stat().st_mtime for path in paths if path.exists()), default=0.0)

    @cached_property
    def frames(self) -> Frames:
        """The film: what was kept to draw the run at some of its steps."""
        return Frames(self.path / "frames", self.is_fresh)

    @cached_property
    def checkpoint(self) -> dict[str, np.ndarray] | None:
        """Weights, optimiser and generator state to continue from, or None before the first slice."""
        return self._arrays("checkpoint.npz")

    @property
    def kept_steps(self) -> list[int]:
        """Steps whose checkpoints were kept, so that a fork need not begin at the beginning."""
        return [] if self.is_fresh else steps_in(self.path / "checkpoints")

    def kept_checkpoint(self, step: int) -> dict[str, np.ndarray]:
        """The checkpoint kept at one of `kept_steps`."""
        return read_npz(self.path / "checkpoints" / f"{step:08d}.npz")

    @cached_property
    def state(self) -> dict[str, np.ndarray] | None:
        """The fitted estimator's arrays (`DensityModel.set_state`), or None while the run is not finished."""
        return self._arrays("model.npz") if self.is_usable else None

    @cached_property
    def views(self) -> dict[str, np.ndarray] | None:
        """The arrays that pages draw of a finished run, or None."""
        return self._arrays("views.npz") if self.is_usable else None

    def extra(self, name: str) -> Any | None:
        """What `RunStore.put_json(run_id, name, ...)` stored, such as "encoder"; None if nothing.

        StoreError if it is damaged.
        """
        try:
            return json.loads(read_bytes(self.path / f"{checked(EXTRA_NAME, name, 'name')}.json") or b"null")
        except (ValueError, RecursionError) as error:
            raise StoreError(f"{name}.json of run {self.run_id} cannot be read; restart the run.") from error

    @cached_property
    def label(self) -> RunLabel:
        """Its name, note and tags; empty where nobody gave any, or they cannot be read."""
        try:
            return RunLabel.from_record(self.extra(LABEL))
        except StoreError:
            return RunLabel()

    def _arrays(self, name: str) -> dict[str, np.ndarray] | None:
        path = self.path / name
        return read_npz(path) if path.exists() and not self.is_fresh else None


def damaged(path: Path) -> DamagedRun:
    """The error of a run whose record cannot be understood."""
    return DamagedRun(f"The record of run {path.name} is damaged; set the run aside, then train it again.")


def _checked_spec(fields: Any) -> RunSpec:
    spec = RunSpec.from_json(json.dumps(fields))
    for part in (spec.data, spec.model):
        values = part.params.values()
        if not isinstance(part.name, str) or not all(isinstance(value, int | float | str | bool) for value in values):
            raise ValueError("a spec holds names, numbers and texts")
        if not all(math.isfinite(value) for value in values if isinstance(value, int | float)):
            raise ValueError("a spec holds finite numbers")
    _within(spec.seed, 2**63)
    return spec


def _within(number: Any, high: float) -> Any:
    if not 0 <= number <= high:
        raise ValueError(f"{number} is not from 0 to {high}")
    return number


def read_bytes(path: Path) -> bytes:
    """The file's bytes, b"" if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def checked(pattern: re.Pattern[str], text: str, name: str) -> str:
    """`text`, if it matches the pattern, else ValueError: a name from a link must not leave its folder."""
    if not isinstance(text, str) or not pattern.match(text):
        raise ValueError(f"{name} must match {pattern.pattern!r}, not {str(text)[:40]!r}")
    return text


def table_digest(frame: pd.DataFrame) -> str:
    """Content digest of a table: 16 hex digits over names, types and values."""
    import pandas as pd

    h = hashlib.sha256(repr([(name, str(kind)) for name, kind in frame.dtypes.items()]).encode())
    h.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return h.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute a run, from package metadata: nothing heavy is imported."""
    versions = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("flowlab", "numpy", "scikit-learn", "torch", "nflows"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
