"""Two servers on one store, and a server after one that was killed: one trains, the other looks on and follows."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_jobs import catalogue, in_one_go, wait, walk  # noqa: F401

from flowlab.jobs import JobError, JobRunner, runner
from flowlab.store import lease
from flowlab.store.runs import RunStore


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """A function that opens a server on the store of this test, with a store object of its own."""
    monkeypatch.setattr(runner, "RENEW_SECONDS", 0.05)
    servers = []

    def open_() -> JobRunner:
        servers.append(JobRunner(RunStore(tmp_path), lanes=1, executor_factory=lambda: ThreadPoolExecutor(1)))
        return servers[-1]

    yield open_
    for server in servers:
        server.close()


def stop_dead(server: JobRunner) -> None:
    """As a server that is killed: nothing more is written, the lease is not given back."""
    server._closing.set()
    server._keeper.join()
    server._dispatcher.close()
    server._saver.close()
    server._closed = True


def delete(server: JobRunner, run_id: str) -> None:
    folder = server.store.root / "runs" / run_id
    shutil.rmtree(folder.rename(folder.parent.parent / "deleted"))


def reach(server: JobRunner, run_id: str, step: int) -> None:
    until = time.monotonic() + 20
    while server.status(run_id).step < step:
        assert time.monotonic() < until
        time.sleep(0.005)


def test_the_second_looks_on_and_takes_over_without_a_click(serve):
    first, spec = serve(), walk(n_steps=900)
    run_id = first.submit(spec, "anna")
    reach(first, run_id, 20)
    second = serve()
    assert second.status(run_id).state.is_live, "it shows what the other trains"
    for act in (
        lambda: second.submit(spec, "bert"),
        lambda: second.pause(run_id, "anna"),
        lambda: second.restart(run_id, "anna"),
        lambda: second.make_mine(run_id, "bert"),
    ):
        with pytest.raises(JobError, match="Another server .* trains the runs of this folder"):
            act()
    assert second.occupancy()["runs"].total() == 0
    first.close()
    assert wait(second, run_id, "done").step == 900
    assert second.store.load(run_id).state["weight"] == in_one_go(spec)["weight"]
    assert second.owner(run_id) == "anna"


def test_a_killed_servers_runs_go_on_when_the_lease_ends_and_to_the_same_bits(serve, monkeypatch):
    monkeypatch.setattr(lease, "LEASE_SECONDS", 1.5)
    monkeypatch.setattr(lease, "MARGIN_SECONDS", 0.5)
    first, spec = serve(), walk(n_steps=900)
    run_id = first.submit(spec, "anna")
    waiting = first.submit(walk(seed=1), "anna", queued=True)
    reach(first, run_id, 20)
    stop_dead(first)
    assert first.store.load(run_id).status == "running", "as it was left"
    second = serve()
    for each in (run_id, waiting):
        assert wait(second, each, "done").state == "done"
    assert second.store.load(run_id).state["weight"] == in_one_go(spec)["weight"]
    steps = {event.step for event in second.store.load(run_id).events}
    assert steps >= set(range(5, 901, 5)), "no hole in its curve"
    # The first wakes up again, as after a machine's sleep: it notices, and writes nothing.
    assert not first.lease.renew()


def test_a_run_during_which_servers_keep_dying_rests(serve):
    first = serve()
    run_id = first.submit(walk(n_steps=5000))
    reach(first, run_id, 20)
    for _ in range(runner.MAX_ADOPTIONS):
        first.close()
        first.store.set_status(run_id, "running")  # as a server that was killed leaves it
        first = serve()
        assert first.status(run_id).state.is_live
    first.close()
    last = serve()
    status = last.status(run_id)
    assert status.state == "interrupted" and "ended 3 times while this trained; press train" in status.message
    last.submit(walk(n_steps=5000))
    reach(last, run_id, status.step + 1)
    last.pause(run_id)
    wait(last, run_id, "paused")


def test_one_run_that_cannot_go_on_keeps_no_other_from_it(serve):
    first = serve()
    ids = [first.submit(walk(seed=seed, n_steps=5000), f"user{seed}") for seed in range(2)]
    for run_id in ids:
        reach(first, run_id, 20)
    first.close()
    (first.store.root / "runs" / ids[0] / "checkpoint.npz").write_bytes(b"cut")
    second = serve()
    assert second.status(ids[1]).state.is_live
    status = second.status(ids[0])
    assert status.state == "interrupted" and "checkpoint.npz of run" in status.message


def test_a_run_whose_directory_is_deleted_is_gone_and_can_be_begun_again(serve):
    server, spec = serve(), walk(n_steps=3000)
    run_id = server.submit(spec)
    reach(server, run_id, 20)
    delete(server, run_id)
    assert server.status(run_id) is None
    time.sleep(0.5)
    assert server.status(run_id) is None and not (server.store.root / "runs" / run_id).exists(), "nothing comes back"
    paused = server.submit(walk(seed=1, n_steps=3000))
    reach(server, paused, 20)
    server.pause(paused)
    delete(server, paused)
    assert server.submit(spec) == run_id and server.submit(walk(seed=1, n_steps=30)) != paused
    reach(server, run_id, 20)
    assert server.status(paused) is None


def test_a_store_that_cannot_be_written_is_shown_and_trained_in_when_it_can(serve, monkeypatch, tmp_path):
    first, spec = serve(), walk(n_steps=3000)
    run_id = first.submit(spec)
    reach(first, run_id, 20)
    first.close()
    real = lease.make_folder
    refused = OSError(30, "Read-only file system")

    def read_only(folder):
        raise refused

    monkeypatch.setattr(lease, "make_folder", read_only)
    second = serve()
    assert second.status(run_id).state == "interrupted" and second.snapshot(run_id).step >= 1
    with pytest.raises(JobError, match=r"Writing failed \(Read-only file system\): this server cannot train"):
        second.submit(spec)
    monkeypatch.setattr(lease, "make_folder", real)
    wait(second, run_id, "running", "queued")
