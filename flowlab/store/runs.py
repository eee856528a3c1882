"""Runs on disk: the only module that writes files. A run is a directory of JSON and NPZ, written whole or not at all.

How runs are read is in `reading.py`.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowlab.records import RunSpec, RunState, TrainEvent
from flowlab.store.arrays import npz_bytes, storable
from flowlab.store.atomic import append_lines, changed_at, children, keep, on_disk, thin, write_whole
from flowlab.store.errors import RunNotFound, StoreError
from flowlab.store.reading import EXTRA_NAME, RUN_ID, Frames, Run, checked, read_bytes, table_digest, versions
from flowlab.store.recent import Recent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Frames", "Run", "RunNotFound", "RunStore", "StoreError"]

MAX_FRAMES = 60
MAX_FILM_BYTES = 2_000_000
MAX_KEPT = 6
MAX_KEPT_BYTES = 16_000_000
FORMAT = 1

_VISITOR = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class RunStore:
    """All runs, uploaded tables and visitors' lists under one folder.

    One process writes a run; any number may read it meanwhile. Every method raises StoreError when the disk is
    full or not writable, and leaves what was there before as it was; ValueError for an id or name that is malformed.

    Parameters
    ----------
    root : the folder; it is created by the first write
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self._tables: Recent = Recent(4)

    def create(self, run_id: str, spec: RunSpec, user: str = "", copy_of: str = "") -> Run:
        """Create a run, queued and empty, and return it. What an earlier run of this id left is removed.

        `copy_of` is the id of the run that all share, where this one is its owner's own copy.

        A fork begins with its parent's events, film and kept checkpoints up to the step it goes on from.
        """
        folder = self._folder(run_id)
        with on_disk(f"run {run_id} could not be begun"):
            if folder.exists():
                # The record goes last, so that a crash in between leaves a run without results, not rubbish.
                for name in ("checkpoint.npz", "model.npz", "views.npz", "events.jsonl"):
                    (folder / name).unlink(missing_ok=True)
                shutil.rmtree(folder / "frames", ignore_errors=True)
                shutil.rmtree(folder / "checkpoints", ignore_errors=True)
            (folder / "frames").mkdir(parents=True, exist_ok=True)
        record = {
            "format": FORMAT,
            "run_id": run_id,
            "spec": json.loads(spec.to_json()),
            "status": RunState.QUEUED,
            "error": "",
            "details": "",
            "versions": versions(),
            "created": time.time(),
            "user": user,
            "pid": os.getpid(),
        }
        if copy_of:
            record["copy_of"] = checked(RUN_ID, copy_of, "copy_of")
        self._write(folder / "run.json", _to_json(record), f"run {run_id} could not be begun")
        run = Run.from_record(folder, record)
        if spec.branch:
            self._inherit(run, *spec.branch)
        return run

    def copy(self, run_id: str, other_id: str, user: str) -> Run:
        """Copy a run as it stands on disk to `other_id`, owned by `user`, and return the copy.

        A run in training is copied as a paused one. RunNotFound if there is no such run.
        """
        run = Run.from_record(self._folder(run_id), self._record(run_id))
        copy = self.create(other_id, replace(run.spec, parent=""), user, run.copy_of or run_id)
        what = f"run {run_id} could not be copied"
        with on_disk(what):
            for name in ("events.jsonl", "checkpoint.npz", "model.npz", "views.npz"):
                data = read_bytes(run.path / name)
                if data:
                    write_whole(copy.path / name, data)
            for path in [*run.path.glob("frames/[0-9]*.npz"), *run.path.glob("checkpoints/[0-9]*.npz")]:
                keep(path, copy.path / path.parent.name / path.name)
        status = run.status if run.is_usable else RunState.PAUSED
        self._change(other_id, what, spec=json.loads(run.spec.to_json()), status=status, versions=dict(run.versions))
        return Run.from_record(copy.path, self._record(other_id))

    def replace(self, run_id: str, copy_id: str) -> None:
        """Let a finished copy take the place of the run `run_id`, which is removed only then."""
        folder, copy = self._folder(run_id), self._folder(copy_id)
        what = f"run {run_id} could not be replaced"
        self._change(copy_id, what, run_id=run_id, copy_of="")
        old = folder.with_name(f".{run_id}.old")
        with on_disk(what):
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                os.replace(folder, old)
            os.replace(copy, folder)
        shutil.rmtree(old, ignore_errors=True)

    def remove_copy(self, copy_id: str) -> None:
        """Remove a visitor's own copy of a run; ValueError for a run that all share, which is never removed."""
        if not self._record(copy_id).get("copy_of"):
            raise ValueError(f"{copy_id} is no copy, and is not removed")
        with on_disk(f"the copy {copy_id} could not be removed"):
            (self._folder(copy_id) / "run.json").unlink(missing_ok=True)
        shutil.rmtree(self._folder(copy_id), ignore_errors=True)

    def set_owner(self, run_id: str, user: str) -> None:
        """Say who controls a run from now on; RunNotFound if there is no such run."""
        self._change(run_id, f"the owner of run {run_id} could not be saved", user=user)

    def changed(self, run_id: str) -> int:
        """When the record of a run was last written, in ns; 0 if there is no such run."""
        return changed_at(self._folder(run_id) / "run.json")

    def append(
        self,
        run_id: str,
        events: Iterable[TrainEvent] = (),
        frame: Mapping[str, np.ndarray] | None = None,
        checkpoint: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Add the result of a slice. The frame is filed under the last event's step, and the film kept small.

        Parameters
        ----------
        events : further ones, in order
        frame : arrays of one picture of the film
        checkpoint : replaces the last; some earlier ones are kept by step
        """
        folder, what = self._folder(run_id), f"the progress of run {run_id} could not be saved"
        events = list(events)
        if checkpoint is not None:
            self._write(folder / "checkpoint.npz", npz_bytes(checkpoint), what)
            if events:
                keep(folder / "checkpoint.npz", folder / "checkpoints" / f"{events[-1].step:08d}.npz")
                thin(folder / "checkpoints", MAX_KEPT, MAX_KEPT_BYTES)
        if frame and events:
            self._write(folder / "frames" / f"{events[-1].step:08d}.npz", npz_bytes(frame, compress=True), what)
            thin(folder / "frames", MAX_FRAMES, MAX_FILM_BYTES)
        if events:
            text = "".join(event.to_json() + "\n" for event in events)
            with on_disk(what):
                append_lines(folder / "events.jsonl", text.encode())

    def set_status(self, run_id: str, status: RunState, error: str = "", details: str = "") -> None:
        """Change the status; `error` is a sentence for people, `details` a traceback.

        Where nothing changes nothing is written. RunNotFound if there is no such run.
        """
        what = f"the status of run {run_id} could not be saved"
        self._change(run_id, what, status=RunState(status), error=error, details=details, pid=os.getpid())

    def finish(
        self,
        run_id: str,
        status: RunState = RunState.DONE,
        state: Mapping[str, np.ndarray] | None = None,
        views: Mapping[str, np.ndarray] | None = None,
        error: str = "",
        details: str = "",
    ) -> None:
        """Close a run: model and views are written first, the status last, so that a run called done has them.

        Parameters
        ----------
        status : done or stopped
        state : the fitted estimator's arrays
        views : the arrays that pages draw
        error, details : as for `set_status`
        """
        folder, what = self._folder(run_id), f"the result of run {run_id} could not be saved"
        if state is not None:
            self._write(folder / "model.npz", npz_bytes(state), what)
        if views is not None:
            self._write(folder / "views.npz", npz_bytes(views), what)
        self.set_status(run_id, status, error, details)

    def load(self, run_id: str) -> Run | None:
        """The run of this id, or None if there is none that can be read."""
        try:
            return Run.from_record(self._folder(run_id), self._record(run_id))
        except RunNotFound:
            return None

    def list(self, visitor: str | None = None) -> list[Run]:
        """All runs, or those `visitor` saw, newest first. Directories that are no readable run are passed over."""
        if visitor is None:
            names = (path.name for path in children(self.root / "runs"))
            return sorted(self._readable(names), key=lambda run: run.created, reverse=True)
        marks = children(self.root / "visitors" / checked(_VISITOR, visitor, "visitor"))
        return list(self._readable(path.name for path in sorted(marks, key=changed_at, reverse=True)))

    def note_visitor(self, run_id: str, visitor: str) -> None:
        """Record that `visitor` (letters, digits, - and _) opened or began this run now."""
        checked(RUN_ID, run_id, "run_id")
        folder = self.root / "visitors" / checked(_VISITOR, visitor, "visitor")
        with on_disk("your list of runs could not be saved"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / run_id).touch()

    def put_json(self, run_id: str, name: str, value: Any) -> None:
        """Keep a small extra beside the run, such as its "encoder"; `Run.extra(name)` reads it."""
        if name == "run":
            raise ValueError("name must not be 'run': that is the run's own record")
        path = self._folder(run_id) / f"{checked(EXTRA_NAME, name, 'name')}.json"
        self._write(path, _to_json(value), f"{name} of run {run_id} could not be saved")

    def put_table(self, frame: pd.DataFrame, story: str = "", cells: pd.DataFrame | None = None) -> str:
        """Store a pandas DataFrame once as Parquet and return its content digest, 16 hex digits.

        `story` is JSON text that says how the table was read, for later visitors of its link; the last one is kept.
        `cells` is a DataFrame of the same rows as they were written, for what leaves again.

        Columns of mixed kinds become text, so use `get_table(digest)` from then on: it is what runs see.
        """
        frame = storable(frame)
        digest = table_digest(frame)
        path = self.root / "tables" / f"{digest}.parquet"
        if not path.exists():
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            self._write(path, buffer.getvalue(), "the uploaded table could not be stored")
        if story:
            self._write(path.with_suffix(".json"), story.encode(), "how the table was read could not be stored")
        if cells is not None:
            buffer = io.BytesIO()
            cells.to_parquet(buffer, index=False, compression="zstd")
            self._write(path.with_suffix(".cells"), buffer.getvalue(), "the cells of the table could not be stored")
        return digest

    def get_cells(self, digest: str) -> pd.DataFrame:
        """The cells of a table as they were written, as a DataFrame of texts; the table itself where none are kept."""
        import pandas as pd

        path = self.root / "tables" / f"{checked(RUN_ID, digest, 'digest')}.cells"
        try:
            return pd.read_parquet(path) if path.exists() else self.get_table(digest)
        except (OSError, ValueError):
            return self.get_table(digest)

    def table_story(self, digest: str) -> str:
        """The JSON text that came with a table; "" if there is none."""
        path = self.root / "tables" / f"{checked(RUN_ID, digest, 'digest')}.json"
        return (read_bytes(path) or b"").decode(errors="replace")

    def get_table(self, digest: str) -> pd.DataFrame:
        """The DataFrame that `put_table` stored, the same for all who ask: never change it.

        RunNotFound if it is not here, StoreError if it cannot be read.
        """
        import pandas as pd

        path = self.root / "tables" / f"{checked(RUN_ID, digest, 'digest')}.parquet"
        if not path.exists():
            raise RunNotFound("The uploaded table is not on this server; upload the file again.")
        try:
            return self._tables.get_or_make(digest, lambda: pd.read_parquet(path))
        except Exception as error:
            raise StoreError("The stored table cannot be read; upload the file again.") from error

    def _folder(self, run_id: str) -> Path:
        return self.root / "runs" / checked(RUN_ID, run_id, "run_id")

    def _record(self, run_id: str) -> dict[str, Any]:
        try:
            record = json.loads(read_bytes(self._folder(run_id) / "run.json") or b"null")
        except ValueError:
            record = None
        if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("status") not in [*RunState]:
            raise RunNotFound(f"There is no run {run_id} on this server; train it, and its link will lead here.")
        return record

    def _change(self, run_id: str, what: str, /, **values: Any) -> None:
        """Write new values into a run's record, if they are new."""
        record = self._record(run_id)
        if {**record, **values} != record:
            self._write(self._folder(run_id) / "run.json", _to_json({**record, **values}), what)

    def _readable(self, names: Iterable[str]) -> Iterator[Run]:
        for name in names:
            run = self.load(name) if RUN_ID.match(name) else None
            if run is not None:
                yield run

    def _write(self, path: Path, data: bytes, what: str) -> None:
        with on_disk(what):
            write_whole(path, data)

    def _inherit(self, run: Run, parent_id: str, step: int) -> None:
        parent = self.load(parent_id)
        if parent is not None:
            self.append(run.run_id, [event for event in parent.events if event.step <= step])
            for path in [*parent.path.glob("frames/[0-9]*.npz"), *parent.path.glob("checkpoints/[0-9]*.npz")]:
                if int(path.stem) <= step:
                    keep(path, run.path / path.parent.name / path.name)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()
