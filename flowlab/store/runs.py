"""Runs on disk: the only module that writes files. A run is a directory of JSON and NPZ, written whole or not at all.

How runs are read is in `reading.py`.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import json
import math
import os
import re
import secrets
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flowlab.records import RunSpec, RunState, Spec, TrainEvent
from flowlab.store.arrays import npz_bytes, storable
from flowlab.store.atomic import (
    OWNERS_FILE,
    OWNERS_FOLDER,
    append_lines,
    changed_at,
    children,
    keep,
    make_folder,
    on_disk,
    remove_temporary,
    steps_in,
    sync_folder,
    thin,
    write_whole,
)
from flowlab.store.errors import DamagedRun, NewerRun, RunNotFound, StoreError
from flowlab.store.label import RunLabel
from flowlab.store.lease import Lease
from flowlab.store.reading import (
    EXTRA_NAME,
    LABEL,
    MAX_RECORD_BYTES,
    RUN_ID,
    TABLE_ID,
    Frames,
    Run,
    checked,
    damaged,
    read_bytes,
    table_digest,
    versions,
)
from flowlab.store.recent import Recent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DamagedRun", "Frames", "NewerRun", "Run", "RunNotFound", "RunStore", "StoreError"]

MAX_FRAMES = 60
MAX_FILM_BYTES = 2_000_000
MAX_KEPT = 6
MAX_KEPT_BYTES = 16_000_000
FORMAT = 1
HOUR = 3600.0

_VISITOR = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_RESULTS = ("checkpoint.npz", "model.npz", "views.npz", "events.jsonl")


@dataclass(frozen=True)
class Damage:
    """What of a run can be read and what cannot, in the words of a page.

    Attributes
    ----------
    unreadable : names of its files that are damaged; empty for a run that is whole
    readable : in words, such as "its curve up to step 400" and "12 pictures"
    step : of the newest checkpoint that can be read, from which training can go on; None without one
    """

    unreadable: tuple[str, ...]
    readable: tuple[str, ...]
    step: int | None


class RunStore:
    """All runs, uploaded tables and visitors' lists under one folder.

    One process writes a run; any number may read it meanwhile. Every method raises StoreError when the disk is
    full or not writable, and leaves what was there before as it was; ValueError for an id or name that is malformed.
    A process that is killed in any of them leaves each run as it was before or as it is afterwards; what else it
    left is removed by `mend`. A run whose record is damaged is never overwritten: DamagedRun, until `set_aside`.

    Parameters
    ----------
    root : the folder; it is created by the first write, for its owner alone

    Attributes
    ----------
    lease : of the server that writes runs, None where nobody else can; without it being held, no run is written
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.lease: Lease | None = None
        self._tables: Recent = Recent(4)
        self._records: Recent[tuple[tuple[int, int], dict[str, Any]]] = Recent(2000)

    def create(self, run_id: str, spec: RunSpec, user: str = "", copy_of: str = "") -> Run:
        """Create a run, queued and empty, and return it. What an earlier run of this id left is removed.

        `copy_of` is the id of the run that all share, where this one is its owner's own copy.

        A fork begins with its parent's events, film and kept checkpoints up to the step it goes on from.
        """
        folder, what = self._folder(run_id), f"run {run_id} could not be begun"
        self._may_write()
        with contextlib.suppress(RunNotFound):
            self._record(run_id)
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
            # From here on the earlier run's files do not count; they are removed below, or before the first result.
            "fresh": True,
        }
        if copy_of:
            record["copy_of"] = checked(RUN_ID, copy_of, "copy_of")
        with on_disk(what):
            make_folder(folder)
        self._write_record(run_id, record, what)
        with contextlib.suppress(StoreError):
            self._begin(run_id, record)
        return Run.from_record(folder, self._record(run_id))

    def copy(self, run_id: str, other_id: str, user: str) -> Run:
        """Copy a run as it stands on disk to `other_id`, owned by `user`, and return the copy.

        A run in training is copied as a paused one. RunNotFound if there is no such run.
        """
        self._may_write()
        record = self._record(run_id)
        run = Run.from_record(self._folder(run_id), record)
        folder = self._folder(other_id)
        new = folder.with_name(f".{other_id}.{uuid.uuid4().hex}")
        try:
            with on_disk(f"run {run_id} could not be copied"):
                make_folder(new / "frames")
                if not run.is_fresh:
                    for name in _RESULTS:
                        data = read_bytes(run.path / name)
                        if data:
                            write_whole(new / name, data, sync=False)
                    for kept in ("frames", "checkpoints"):
                        for step in steps_in(run.path / kept):
                            keep(run.path / kept / f"{step:08d}.npz", new / kept / f"{step:08d}.npz")
                record = {
                    **record,
                    "run_id": other_id,
                    "status": run.status if run.is_usable else RunState.PAUSED,
                    "created": time.time(),
                    "user": user,
                    "copy_of": run.copy_of or run_id,
                    "pid": os.getpid(),
                    "error": "",
                    "details": "",
                }
                write_whole(new / "run.json", _to_json(record))
                self._put_in_place(new, folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return Run.from_record(folder, self._record(other_id))

    def replace(self, run_id: str, copy_id: str) -> None:
        """Let a finished copy take the place of the run `run_id`, which is removed only then."""
        self._may_write()
        what = f"run {run_id} could not be replaced"
        self._record(copy_id)
        with on_disk(what):
            for path in self._folder(run_id).glob("*.json"):  # answers, name and history are of the run, not of a fit
                if path.name != "run.json" and not (self._folder(copy_id) / path.name).exists():
                    write_whole(self._folder(copy_id) / path.name, path.read_bytes())
            self._put_in_place(self._folder(copy_id), self._folder(run_id))
        self._change(run_id, what, run_id=run_id, copy_of="")

    def remove_copy(self, copy_id: str) -> None:
        """Remove a visitor's own copy of a run; ValueError for a run that all share, which is never removed."""
        if not Run.from_record(self._folder(copy_id), self._record(copy_id)).copy_of:
            raise ValueError(f"{copy_id} is no copy, and is not removed")
        self.remove(copy_id)

    def remove(self, run_id: str) -> None:
        """Remove a run; nothing happens if there is none."""
        self._may_write()
        folder = self._folder(run_id)
        gone = folder.with_name(f".{run_id}.{uuid.uuid4().hex}")
        with on_disk(f"the run {run_id} could not be removed"), contextlib.suppress(FileNotFoundError):
            os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def set_aside(self, run_id: str) -> Path:
        """Move a run that is damaged out of the way, to the folder "damaged" of the store, and return where it is."""
        self._may_write()
        place = self.root / "damaged" / f"{run_id}-{time.time_ns()}"
        with on_disk(f"run {run_id} could not be set aside"):
            make_folder(place.parent)
            os.replace(self._folder(run_id), place)
            sync_folder(place.parent)
        return place

    def damage(self, run_id: str) -> Damage:
        """What of a run can be read: every file of it is opened. RunNotFound if there is no such run."""
        folder = self._folder(run_id)
        unreadable, readable, step, n_frames = [], [], None, 0
        try:
            run = Run.from_record(folder, self._record(run_id))
        except DamagedRun:
            unreadable.append("run.json")
            run = _bare(folder)
        if run.events:
            readable.append(f"its curve up to step {run.events[-1].step}")
        for place in (*run.kept_steps, -1):
            try:
                checkpoint = run.checkpoint if place < 0 else run.kept_checkpoint(place)
                if checkpoint is not None:
                    step = int(checkpoint["train.step"])
            except Exception:  # unreadable, or no checkpoint
                unreadable.append("checkpoint.npz" if place < 0 else f"checkpoints/{place:08d}.npz")
        for i, place in enumerate(run.frames.steps):
            try:
                run.frames[i]
                n_frames += 1
            except StoreError:
                unreadable.append(f"frames/{place:08d}.npz")
        for name, words in (("model", "its trained model"), ("views", "its scores")):
            try:
                part = run.state if name == "model" else run.views
                if part is not None:
                    readable.append(words)
                elif name == "model" and run.is_usable and run.path.exists() and "run.json" not in unreadable:
                    unreadable.append("model.npz")
            except StoreError:
                unreadable.append(f"{name}.npz")
        if n_frames:
            readable.append(f"{n_frames} pictures")
        if step is not None:
            readable.append(f"the checkpoint of step {step}")
        return Damage(tuple(unreadable), tuple(readable), step if "run.json" not in unreadable else None)

    def go_back(self, run_id: str) -> int:
        """Have a damaged run go on from its newest readable checkpoint, and return that one's step.

        Damaged pictures and checkpoints are removed; the model, which training makes again, counts no longer.
        StoreError where no checkpoint can be read.
        """
        run = Run.from_record(self._folder(run_id), self._record(run_id))
        found = self.damage(run_id)
        if found.step is None:
            raise StoreError(f"No checkpoint of run {run_id} can be read; set the run aside, then train it again.")
        what = f"run {run_id} could not be mended"
        self._change(run_id, what, status=RunState.INTERRUPTED, error="", details="")
        with self._writing(run_id, what) as folder:
            if "checkpoint.npz" in found.unreadable:
                write_whole(folder / "checkpoint.npz", npz_bytes(run.kept_checkpoint(found.step)))
            for name in found.unreadable:
                if "/" in name:
                    (folder / name).unlink(missing_ok=True)
        return found.step

    def mend(self) -> None:
        """Remove what killed processes left, and finish what they had begun: for the one server that writes runs.

        What cannot be removed stays; nothing is raised.
        """
        folders = self.root / "runs"
        with contextlib.suppress(StoreError, OSError):
            for old in folders.glob(".*.old"):
                name = old.name[1:-4]
                if RUN_ID.match(name) and not (folders / name).exists():
                    os.replace(old, folders / name)
                else:
                    shutil.rmtree(old, ignore_errors=True)
        remove_temporary(folders)
        for folder in children(folders):
            for place in (folder, folder / "frames", folder / "checkpoints"):
                remove_temporary(place)
            with contextlib.suppress(StoreError, ValueError):
                record = self._record(folder.name)
                if record.get("fresh"):
                    self._begin(folder.name, record)
        # Others may be writing here: a server that looks on takes uploads.
        for place in (self.root, self.root / "tables"):
            remove_temporary(place, older_than_seconds=HOUR)
        for place in (folders, self.root / "tables", self.root / "visitors"):
            with contextlib.suppress(OSError):
                os.chmod(place, OWNERS_FOLDER)

    def note_adopted(self, run_id: str) -> None:
        """Count that a restarted server goes on with a run; a status that is not live sets the count back."""
        count = self._record(run_id).get("adopted", 0) + 1
        self._change(run_id, f"the status of run {run_id} could not be saved", adopted=count)

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

        Where it fails the events may be written; given again they are read once.

        Parameters
        ----------
        events : further ones, in order
        frame : arrays of one picture of the film
        checkpoint : replaces the last; some earlier ones are kept by step
        """
        events = list(events)
        with self._writing(run_id, f"the progress of run {run_id} could not be saved") as folder:
            # The checkpoint goes last: where it is older than the events its steps are trained again, to the same bits.
            if events or checkpoint is not None:
                text = "".join(event.to_json() + "\n" for event in events)
                append_lines(folder / "events.jsonl", text.encode(), sync=checkpoint is not None)
            if frame and events:
                make_folder(folder / "frames", parents=False)
                write_whole(
                    folder / "frames" / f"{events[-1].step:08d}.npz", npz_bytes(frame, compress=True), sync=False
                )
                thin(folder / "frames", MAX_FRAMES, MAX_FILM_BYTES)
            if checkpoint is not None:
                write_whole(folder / "checkpoint.npz", npz_bytes(checkpoint))
                if events:
                    keep(folder / "checkpoint.npz", folder / "checkpoints" / f"{events[-1].step:08d}.npz")
                    thin(folder / "checkpoints", MAX_KEPT, MAX_KEPT_BYTES)

    def set_status(self, run_id: str, status: RunState, error: str = "", details: str = "") -> None:
        """Change the status; `error` is a sentence for people, `details` a traceback.

        Where nothing changes nothing is written. RunNotFound if there is no such run.
        """
        what, status = f"the status of run {run_id} could not be saved", RunState(status)
        more = {} if status.is_live or status is RunState.INTERRUPTED else {"adopted": 0}
        self._change(run_id, what, status=status, error=error, details=details, pid=os.getpid(), **more)

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
        with self._writing(run_id, f"the result of run {run_id} could not be saved") as folder:
            if state is not None:
                write_whole(folder / "model.npz", npz_bytes(state), sync=False)
            if views is not None:
                write_whole(folder / "views.npz", npz_bytes(views), sync=False)
            sync_folder(folder)
        self.set_status(run_id, status, error, details)

    def load(self, run_id: str) -> Run | None:
        """The run of this id, or None if there is none; DamagedRun or NewerRun where its record cannot be read."""
        try:
            return Run.from_record(self._folder(run_id), self._record(run_id))
        except RunNotFound:
            return None

    def list(self, visitor: str | None = None) -> list[Run]:
        """All runs, or those `visitor` saw, newest first. What is no run that can be read is passed over."""
        if visitor is None:
            names = (path.name for path in children(self.root / "runs"))
            return sorted(self._readable(names), key=lambda run: run.created, reverse=True)
        marks = children(self.root / "visitors" / checked(_VISITOR, visitor, "visitor"))
        return list(self._readable(path.name for path in sorted(marks, key=changed_at, reverse=True)))

    def find(self, name: str) -> Run:
        """The one run whose id begins so; ValueError, one sentence, where none or several do."""
        found = [run for run in self.list() if run.run_id.startswith(name)]
        if len(found) != 1:
            what = f"{len(found)} runs begin with {name!r}" if found else f"there is no run {name!r}"
            raise ValueError(f"{what} in {self.root}; the command runs lists them")
        return found[0]

    def note_visitor(self, run_id: str, visitor: str) -> None:
        """Record that `visitor` (letters, digits, - and _) opened or began this run now."""
        checked(RUN_ID, run_id, "run_id")
        folder = self.root / "visitors" / checked(_VISITOR, visitor, "visitor")
        with on_disk("your list of runs could not be saved"):
            make_folder(folder)
            (folder / run_id).touch(OWNERS_FILE)

    def put_json(self, run_id: str, name: str, value: Any) -> None:
        """Keep a small extra beside the run, such as its "encoder"; `Run.extra(name)` reads it."""
        if name == "run":
            raise ValueError("name must not be 'run': that is the run's own record")
        path = self._folder(run_id) / f"{checked(EXTRA_NAME, name, 'name')}.json"
        with on_disk(f"{name} of run {run_id} could not be saved"):
            write_whole(path, _to_json(value))

    def set_label(self, run_id: str, label: RunLabel) -> None:
        """Keep name, note and tags with a run; RunNotFound if there is no such run."""
        self._record(run_id)
        self.put_json(run_id, LABEL, label.to_record())

    def put_table(
        self, frame: pd.DataFrame, story: str = "", cells: pd.DataFrame | None = None, owner: str = ""
    ) -> str:
        """Store a pandas DataFrame once as Parquet and return its name: its content digest, 16 hex digits.

        Of a table with an `owner` the name is 32 hex digits that only this store can make from owner and content: who
        has the table cannot guess it, and the same table of another owner is another.

        `story` is JSON text that says how the table was read, for later visitors of its link; the last one is kept.
        `cells` is a DataFrame of the same rows as they were written, for what leaves again.

        Columns of mixed kinds become text, so use `get_table(digest)` from then on: it is what runs see.
        """
        frame = storable(frame)
        digest = table_digest(frame)
        if owner:
            digest = hmac.new(self._secret(), f"{owner} {digest}".encode(), "sha256").hexdigest()[:32]
        path = self.root / "tables" / f"{digest}.parquet"
        # The table goes last: where it is, all of it is.
        if owner:
            self._write(path.with_suffix(".owner"), owner.encode(), "the uploaded table could not be stored")
        if story:
            self._write(path.with_suffix(".json"), story.encode(), "how the table was read could not be stored")
        if cells is not None:
            buffer = io.BytesIO()
            cells.to_parquet(buffer, index=False, compression="zstd")
            self._write(path.with_suffix(".cells"), buffer.getvalue(), "the cells of the table could not be stored")
        if not path.exists():
            buffer = io.BytesIO()
            frame.to_parquet(buffer, index=False)
            self._write(path, buffer.getvalue(), "the uploaded table could not be stored")
        return digest

    def get_cells(self, digest: str) -> pd.DataFrame:
        """The cells of a table as they were written, as a DataFrame of texts; the table itself where none are kept."""
        import pandas as pd

        path = self.root / "tables" / f"{checked(TABLE_ID, digest, 'digest')}.cells"
        try:
            return pd.read_parquet(path) if path.exists() else self.get_table(digest)
        except (OSError, ValueError):
            return self.get_table(digest)

    def table_story(self, digest: str) -> str:
        """The JSON text that came with a table; "" if there is none."""
        path = self.root / "tables" / f"{checked(TABLE_ID, digest, 'digest')}.json"
        return (read_bytes(path) or b"").decode(errors="replace")

    def table_owner(self, digest: str) -> str:
        """Who uploaded a table; "" for one without an owner, or that is not here."""
        path = self.root / "tables" / f"{checked(TABLE_ID, digest, 'digest')}.owner"
        return (read_bytes(path) or b"").decode(errors="replace")

    def runs_on(self, digest: str) -> Sequence[Run]:
        """All runs on an uploaded table."""
        return [run for run in self.list() if run.spec.data.params.get("digest") == digest]

    def remove_table(self, digest: str) -> None:
        """Remove an uploaded table, the runs on it, and how it was read; nothing happens if it is not here."""
        path = self.root / "tables" / f"{checked(TABLE_ID, digest, 'digest')}.parquet"
        self._may_write()
        for run in self.runs_on(digest):
            self.remove(run.run_id)
        with on_disk("the table could not be removed"):
            for end in (".parquet", ".cells", ".json", ".owner"):
                path.with_suffix(end).unlink(missing_ok=True)
        self._tables.drop(digest)

    def expired(self, days: float = math.inf, max_bytes: float = math.inf) -> Sequence[Run]:
        """The runs that have not changed for so many days, and the oldest while all together are larger than that.

        Runs in training, and those with a file named "pinned" in their directory, are never among them.
        """
        oldest_first = sorted(self.list(), key=lambda run: run.updated)
        sizes = {run.run_id: _size(run.path) for run in oldest_first} if max_bytes < math.inf else {}
        total, found = sum(sizes.values()), []
        for run in oldest_first:
            if run.status.is_live or (run.path / "pinned").exists():
                continue
            if time.time() - run.updated > days * 24 * HOUR or total > max_bytes:
                found.append(run)
                total -= sizes.get(run.run_id, 0)
        return found

    def unused_tables(self, days: float) -> Sequence[str]:
        """The uploaded tables without a run that were not read or written for so many days."""
        used = {run.spec.data.params.get("digest") for run in self.list()}
        paths = [path for path in children(self.root / "tables") if path.suffix == ".parquet"]
        old = [path for path in paths if time.time() - changed_at(path) / 1e9 > days * 24 * HOUR]
        return [path.stem for path in old if path.stem not in used and TABLE_ID.match(path.stem)]

    def get_table(self, digest: str) -> pd.DataFrame:
        """The DataFrame that `put_table` stored, the same for all who ask: never change it.

        RunNotFound if it is not here, StoreError if it cannot be read.
        """
        import pandas as pd

        path = self.root / "tables" / f"{checked(TABLE_ID, digest, 'digest')}.parquet"
        if not path.exists():
            raise RunNotFound("The uploaded table is not on this server; upload the file again.")
        try:
            return self._tables.get_or_make(digest, lambda: pd.read_parquet(path))
        except Exception as error:
            raise StoreError("The stored table cannot be read; upload the file again.") from error

    def _secret(self) -> bytes:
        """What only this store knows, made when it is first needed."""
        path = self.root / "secret"
        if not path.exists():
            self._write(path, secrets.token_bytes(32), "the secret of this store could not be stored")
        return path.read_bytes()

    def _folder(self, run_id: str) -> Path:
        return self.root / "runs" / checked(RUN_ID, run_id, "run_id")

    def _record(self, run_id: str) -> dict[str, Any]:
        """What run.json says, parsed once as long as the file stays; never change it."""
        path = self._folder(run_id) / "run.json"
        try:
            stat = path.stat()
        except OSError:
            if any((path.parent / name).exists() for name in _RESULTS):
                raise damaged(path.parent) from None
            raise RunNotFound(
                f"There is no run {run_id} on this server; train it, and its link will lead here."
            ) from None
        known = self._records.get(run_id)
        if known is not None and known[0] == (stat.st_mtime_ns, stat.st_ino):
            return known[1]
        try:
            if stat.st_size > MAX_RECORD_BYTES:
                raise ValueError("a record of this length")
            record = json.loads(path.read_bytes())
            version = record.get("format")
        except Exception as error:  # no JSON, too deep, no object
            raise damaged(path.parent) from error
        if type(version) is int and version > FORMAT:
            raise NewerRun(
                f"Run {run_id} was written by a newer FlowLab (format {str(version)[:9]}, this one reads {FORMAT}); "
                "update FlowLab to open it."
            )
        if version != FORMAT:
            raise damaged(path.parent)
        Run.from_record(path.parent, record)
        self._records.put(run_id, ((stat.st_mtime_ns, stat.st_ino), record))
        return record

    def _change(self, run_id: str, what: str, /, **values: Any) -> None:
        """Write new values into a run's record, if they are new."""
        self._may_write()
        record = self._record(run_id)
        if {**record, **values} != record:
            self._write_record(run_id, {**record, **values}, what)

    def _write_record(self, run_id: str, record: dict[str, Any], what: str) -> None:
        if self.lease is not None:
            record = {**record, "fence": self.lease.number}
        with on_disk(what):
            write_whole(self._folder(run_id) / "run.json", _to_json(record))

    def _may_write(self) -> None:
        """StoreError where another server holds the lease of this store."""
        if self.lease is not None:
            self.lease.check()

    @contextlib.contextmanager
    def _writing(self, run_id: str, what: str) -> Iterator[Path]:
        """The folder of a run to write results to; RunNotFound if it is not there any more."""
        self._may_write()
        record = self._record(run_id)
        if self.lease is not None and record.get("fence", 0) > self.lease.number:
            raise StoreError(f"Another server has taken over run {run_id}; this one only shows it.")
        if record.get("fresh"):
            self._begin(run_id, record)
        with on_disk(what):
            yield self._folder(run_id)

    def _begin(self, run_id: str, record: dict[str, Any]) -> None:
        """Remove what an earlier run left and give a fork its parent's past; then the directory's files count."""
        folder, what = self._folder(run_id), f"run {run_id} could not be begun"
        with on_disk(what):
            for name in _RESULTS:
                (folder / name).unlink(missing_ok=True)
            for name in ("frames", "checkpoints"):
                if (folder / name).exists():
                    shutil.rmtree(folder / name)
            make_folder(folder / "frames", parents=False)
            branch = Run.from_record(folder, record).spec.branch
            if branch:
                self._inherit(folder, *branch)
        self._write_record(run_id, {key: value for key, value in record.items() if key != "fresh"}, what)

    def _put_in_place(self, new: Path, folder: Path) -> None:
        """Let the folder `new` be `folder`; where a crash comes between, `mend` puts the old one back."""
        old = folder.with_name(f".{folder.name}.old")
        if folder.exists():
            if old.exists():
                shutil.rmtree(old)
            os.replace(folder, old)
        try:
            os.replace(new, folder)
        except OSError:
            if old.exists():
                os.replace(old, folder)
            raise
        sync_folder(folder.parent)
        shutil.rmtree(old, ignore_errors=True)

    def named(self, names: Iterable[str]) -> Sequence[Run]:
        """The runs of these ids, in their order, without those that are not here or cannot be read."""
        return list(self._readable(names))

    def _readable(self, names: Iterable[str]) -> Iterator[Run]:
        for name in names:
            with contextlib.suppress(StoreError):
                run = self.load(name) if RUN_ID.match(name) else None
                if run is not None:
                    yield run

    def _write(self, path: Path, data: bytes, what: str) -> None:
        with on_disk(what):
            make_folder(path.parent)
            write_whole(path, data)

    def _inherit(self, folder: Path, parent_id: str, step: int) -> None:
        try:
            parent = self.load(parent_id)
        except StoreError:
            return
        if parent is None:
            return
        events = [event for event in parent.events if event.step <= step]
        append_lines(folder / "events.jsonl", "".join(event.to_json() + "\n" for event in events).encode(), sync=True)
        for kept, steps in (("frames", parent.frames.steps), ("checkpoints", parent.kept_steps)):
            for at in steps:
                if at <= step:
                    keep(parent.path / kept / f"{at:08d}.npz", folder / kept / f"{at:08d}.npz")


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, also where one of them has several names."""
    sizes = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            stat = path.stat()
            if path.is_file():
                sizes[stat.st_ino] = stat.st_size
    return sum(sizes.values())


def _bare(folder: Path) -> Run:
    """A run of which only the files beside its record are known."""
    spec = RunSpec(Spec(""), Spec(""))
    return Run(folder, folder.name, spec, RunState.STOPPED, "", "", {}, 0.0, "", 0)


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()
