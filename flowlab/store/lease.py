"""The lease of a store: of all servers on one folder, the one that may write runs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from flowlab.store.atomic import children, make_folder, on_disk, sync_folder
from flowlab.store.errors import StoreError

LEASE_SECONDS = 8.0
"""A lease that was not renewed for so long has ended; its holder stops writing two seconds earlier."""
MARGIN_SECONDS = 2.0
RENEW_SECONDS = 1.0
MAX_SKEW_SECONDS = 60.0
"""A renewal that lies further in the future is of a clock that was wrong, and counts for nothing."""

_NUMBER = re.compile(r"[0-9]{8}\Z")


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: the machine (with what tells process numbers on it apart) and the process."""

    machine: str
    pid: int

    def is_dead(self) -> bool:
        """Whether the process is known to have ended; of another machine's nothing is known."""
        if self.machine != machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (PermissionError, OverflowError):
            return False
        return False


class Lease:
    """A numbered permission to write the runs of a store.

    A lease is a file named by its number; the highest number counts. It is renewed by its file's time, which a full
    disk allows, and ends LEASE_SECONDS after the last renewal, or at once where its holder is a process of this
    machine that has ended. Who takes it over makes the file of the next number, which only one can. Servers on
    several machines need clocks that agree within a few seconds.

    Parameters
    ----------
    root : folder of the store

    Attributes
    ----------
    number : of the lease held last, 0 before; it rises with each holder (a fencing number)
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / "lease"
        self._token = uuid.uuid4().hex
        self._valid_until = 0.0
        self.number = 0

    def acquire(self) -> bool:
        """Take the lease, or renew it where it is held already; False where another server holds it.

        StoreError where the folder cannot be written.
        """
        if self.number and self.renew():
            return True
        newest = self._newest()
        if newest and not self._has_ended(newest):
            return False
        with on_disk("this server cannot train; it only shows what is there"):
            make_folder(self._folder)
            content = {"token": self._token, "machine": machine(), "pid": os.getpid()}
            temporary = self._folder / f".{self._token}"
            began = time.monotonic()
            try:
                with open(temporary, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                    json.dump(content, file)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    os.link(temporary, self._path(newest + 1))
                except FileExistsError:
                    return False
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
            sync_folder(self._folder)
        self.number, self._valid_until = newest + 1, began + LEASE_SECONDS - MARGIN_SECONDS
        for path in children(self._folder):
            if _NUMBER.match(path.name) and int(path.name) < self.number:
                path.unlink(missing_ok=True)
        return True

    def renew(self) -> bool:
        """Hold the lease for another LEASE_SECONDS; False where it is held no longer."""
        began = time.monotonic()
        if not self.number or self._newest() != self.number or self._content(self.number).get("token") != self._token:
            self._valid_until = 0.0
            return False
        now = time.time()
        try:
            os.utime(self._path(self.number), (now, now))
        except OSError:
            return began < self._valid_until
        self._valid_until = began + LEASE_SECONDS - MARGIN_SECONDS
        return True

    @property
    def is_held(self) -> bool:
        """Whether this server may write now."""
        return time.monotonic() < self._valid_until

    def check(self) -> None:
        """StoreError, a sentence, unless the lease is held, or can still be renewed."""
        if not self.is_held and not self.renew():
            raise StoreError(self.sentence())

    def sentence(self) -> str:
        """Why this server does not train, for people."""
        newest = self._newest()
        if newest and not self._has_ended(newest) and newest != self.number:
            holder = self._content(newest)
            who = f"process {holder.get('pid')} on {str(holder.get('machine')).split(' ')[0]}"
            return (
                f"Another server ({who}) trains the runs of this folder. This one shows them, and takes over within "
                f"{LEASE_SECONDS:g} s after the other has ended."
            )
        return "This server may not write to its folder now; it shows what is there and tries again every second."

    def release(self) -> None:
        """Give the lease up, so that another server need not wait for its end."""
        if self.is_held and self._content(self.number).get("token") == self._token:
            with contextlib.suppress(OSError):
                os.utime(self._path(self.number), (0, 0))
        self.number, self._valid_until = 0, 0.0

    def is_anybodys(self) -> bool:
        """Whether a server holds the lease now, this one or another."""
        newest = self._newest()
        return bool(newest) and not self._has_ended(newest)

    def _newest(self) -> int:
        return max((int(path.name) for path in children(self._folder) if _NUMBER.match(path.name)), default=0)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:08d}"

    def _content(self, number: int) -> dict:
        try:
            content = json.loads(self._path(number).read_bytes()[:4096])
        except (OSError, ValueError, RecursionError):
            return {}
        return content if isinstance(content, dict) else {}

    def _has_ended(self, number: int) -> bool:
        try:
            age = time.time() - self._path(number).stat().st_mtime
        except OSError:
            return True
        if not -MAX_SKEW_SECONDS < age < LEASE_SECONDS:
            return True
        content = self._content(number)
        pid = content.get("pid")
        return type(pid) is int and pid > 0 and Holder(str(content.get("machine")), pid).is_dead()


def machine() -> str:
    """Names this machine and, where the system tells, its start and its space of process numbers."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)
