"""Of several servers on one store one writes; the lease says which, and who follows."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest

from flowlab.records import RunSpec, Spec
from flowlab.store.errors import StoreError
from flowlab.store.lease import LEASE_SECONDS, Lease, machine
from flowlab.store.runs import RunStore

SPEC = RunSpec(Spec("moons"), Spec("spline"))
ID = "0" * 16


def only(root):
    """The one file of the lease."""
    (path,) = (path for path in (root / "lease").iterdir() if path.name.isdecimal())
    return path


def age(root, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(only(root), (at, at))


def of_somebody_else(root, machine_name: str = "another machine", pid: int = 1) -> None:
    path = only(root)
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": machine_name, "pid": pid}))


def test_one_holds_it_and_the_other_follows_when_it_is_released(tmp_path):
    first, second = Lease(tmp_path), Lease(tmp_path)
    assert first.acquire() and not second.acquire() and first.is_held and not second.is_held
    with pytest.raises(StoreError, match=r"Another server \(process \d+ on \S+\) trains the runs of this folder"):
        second.check()
    first.release()
    assert second.acquire() and second.number == 2 and not first.renew()


def test_it_ends_when_it_is_not_renewed_and_the_late_holder_does_not_get_it_back(tmp_path):
    first, second = Lease(tmp_path), Lease(tmp_path)
    assert first.acquire()
    age(tmp_path, LEASE_SECONDS - 2)
    assert not second.acquire()
    age(tmp_path, LEASE_SECONDS + 1)
    assert second.acquire()
    assert not first.renew() and not first.is_held, "the higher number counts"
    assert first.number < second.number


def test_it_can_be_renewed_late_as_long_as_nobody_took_it(tmp_path):
    lease = Lease(tmp_path)
    assert lease.acquire()
    age(tmp_path, 100)
    lease.check()
    assert lease.renew() and lease.number == 1 and not Lease(tmp_path).acquire()


def test_of_many_at_once_exactly_one_gets_it(tmp_path):
    leases, start = [Lease(tmp_path) for _ in range(8)], threading.Barrier(8)
    got = []

    def take(lease):
        start.wait()
        got.append(lease.acquire())

    threads = [threading.Thread(target=take, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(got) == 1


def test_the_lease_of_a_process_of_this_machine_that_ended_has_ended(tmp_path):
    assert Lease(tmp_path).acquire()
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], stdout=subprocess.PIPE, text=True)
    of_somebody_else(tmp_path, pid=int(ended.stdout))
    assert not Lease(tmp_path).acquire(), "of another machine's processes nothing is known"
    of_somebody_else(tmp_path, machine(), int(ended.stdout))
    assert Lease(tmp_path).acquire()


def test_a_process_number_that_is_taken_again_holds_nothing_for_long(tmp_path):
    assert Lease(tmp_path).acquire()
    of_somebody_else(tmp_path, machine(), os.getppid())
    assert not Lease(tmp_path).acquire()
    age(tmp_path, LEASE_SECONDS + 1)
    assert Lease(tmp_path).acquire()


def test_a_clock_that_was_days_ahead_does_not_hold_it_for_days(tmp_path):
    assert Lease(tmp_path).acquire()
    age(tmp_path, -3 * 86_400)
    assert Lease(tmp_path).acquire()


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"pid": "x"}', b"[" * 4000])
def test_a_damaged_lease_ends_like_any_other(tmp_path, content):
    assert Lease(tmp_path).acquire()
    only(tmp_path).write_bytes(content)
    assert not Lease(tmp_path).acquire()
    age(tmp_path, LEASE_SECONDS + 1)
    assert Lease(tmp_path).acquire()


def test_a_full_disk_does_not_end_it(tmp_path, monkeypatch):
    lease = Lease(tmp_path)
    assert lease.acquire()
    real = os.open

    def full(path, flags, *more, **settings):
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, flags, *more, **settings)

    monkeypatch.setattr(os, "open", full)
    assert lease.renew() and lease.is_held
    with pytest.raises(StoreError, match="The disk is full: this server cannot train"):
        Lease(tmp_path / "other").acquire()


def test_without_the_lease_a_store_writes_no_run(tmp_path):
    store, other = RunStore(tmp_path), RunStore(tmp_path)
    store.lease, other.lease = Lease(tmp_path), Lease(tmp_path)
    assert store.lease.acquire()
    store.create(ID, SPEC)
    for write in (
        lambda: other.create(ID, SPEC),
        lambda: other.append(ID, checkpoint={}),
        lambda: other.set_status(ID, "paused"),
        lambda: other.finish(ID),
        lambda: other.copy(ID, "1" * 16, "anna"),
        lambda: other.remove(ID),
    ):
        with pytest.raises(StoreError, match="Another server"):
            write()
    assert other.load(ID).status == "queued" and other.load(ID).fence == 1
    store.lease.release()
    assert other.lease.acquire()
    other.set_status(ID, "paused")
    assert store.load(ID).fence == 2
    with pytest.raises(StoreError):
        store.set_status(ID, "running")
