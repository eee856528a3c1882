"""Training through a real Dask scheduler and a real worker, both on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flowlab import catalog
from flowlab.jobs import JobError, JobRunner, run_slice
from flowlab.jobs.pool import pool
from flowlab.records import RunSpec, Spec
from flowlab.store.runs import RunStore
from flowlab.views.density import density_grid

ROOT = Path(__file__).parents[2]
SPEC = RunSpec(Spec("moons", {"n_samples": 2000}), Spec("spline", {"n_steps": 60}))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and one worker, each a process of its own, started as an administrator would."""
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    options = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "distributed.cli"]
    scheduler = ["dask_scheduler", "--host", address, "--no-dashboard", "--no-show"]
    worker = ["dask_worker", address, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1"]
    processes = [
        subprocess.Popen([*dask[:2], f"distributed.cli.{command[0]}", *command[1:]], **options)
        for command in (scheduler, worker)
    ]
    yield address
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait(20)


@pytest.fixture
def runner(cluster, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWLAB_SCHEDULER", cluster)
    until = time.monotonic() + 120
    while True:
        try:
            runner = JobRunner(RunStore(tmp_path))
            break
        except JobError:
            assert time.monotonic() < until, "the scheduler does not answer"
    yield runner
    runner.close()


def test_a_run_trained_on_a_cluster_is_the_run_trained_here(runner):
    run_id = runner.submit(SPEC, "anna")
    until = time.monotonic() + 200
    while (status := runner.status(run_id)).state != "done":
        assert time.monotonic() < until and status.state in ("queued", "running"), status
        time.sleep(0.02)
    run = runner.store.load(run_id)
    here = run_slice(SPEC, None, 60).state
    assert run_id == catalog.run_id(SPEC) and [event.step for event in run.events][-1] == 60
    assert run.state.keys() == here.keys()
    assert all(run.state[key].tobytes() == here[key].tobytes() for key in here)
    assert runner.call(run_id, density_grid).learned.mass > 0


def test_a_scheduler_that_is_not_there_is_one_sentence(tmp_path):
    from flowlab.jobs.lanes import DaskLanes

    with pytest.raises(JobError, match=r"scheduler at tcp://127.0.0.1:\d+ does not answer .* unset FLOWLAB_SCHEDULER"):
        DaskLanes(f"tcp://127.0.0.1:{free_port()}", timeout=1)


def test_a_missing_dask_is_one_sentence_before_training_and_scoring(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setenv("FLOWLAB_SCHEDULER", "tcp://127.0.0.1:8786")
    sentence = r'asks for Dask, which is not installed .* pip install "flowlab\[dask\]", or unset FLOWLAB_SCHEDULER.'
    with pytest.raises(JobError, match=sentence):
        JobRunner(RunStore(tmp_path))
    with pytest.raises(JobError, match=sentence), pool():
        pass


def test_an_uploaded_table_reaches_workers_that_share_no_disk(runner):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300) * 5 + 2})
    data = Spec("upload", {"digest": runner.store.put_table(table), "name": "a.csv"})
    run_id = runner.submit(RunSpec(data, Spec("affine", {"n_steps": 20})))
    until = time.monotonic() + 200
    while (status := runner.status(run_id)).state != "done":
        assert time.monotonic() < until and status.state in ("queued", "running"), status
        time.sleep(0.02)
    assert len(runner.store.load(run_id).views["anomaly_score"]) == 300
