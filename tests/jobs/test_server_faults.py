"""A real server after one that was killed: training goes on by itself, and is saved when the server is told to end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, free_port, wait_until_healthy

from flowlab import catalog
from flowlab.jobs import run_slice
from flowlab.records import RunSpec, Spec
from flowlab.store.runs import RunStore

N_STEPS = 50_000
SPEC = RunSpec(Spec("moons", {"n_samples": 300}), Spec("affine", {"n_layers": 2, "n_steps": N_STEPS}))
RUN_ID = catalog.run_id(SPEC)


@contextlib.contextmanager
def server(folder):
    """`flowlab app` on a store that another server left behind."""
    port, log = free_port(), folder / "server.log"
    command = [sys.executable, "-m", "flowlab", "app", "--no-open", "--port", str(port)]
    environment = {**os.environ, "FLOWLAB_HOME": str(folder / "home"), "FLOWLAB_LANES": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_healthy(process, port, log, 120)
        yield process
    finally:
        process.kill()
        process.wait()


def step(store: RunStore) -> int:
    return store.load(RUN_ID).events[-1].step


def wait_for(reached, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_server_goes_on_with_what_was_cut_off_and_saves_it_when_it_is_told_to_end(tmp_path):
    store = RunStore(tmp_path / "home")
    begun = run_slice(SPEC, None, 100)
    store.create(RUN_ID, SPEC, "anna")
    store.append(RUN_ID, begun.events, begun.frame, begun.checkpoint)
    store.set_status(RUN_ID, "running")  # as a server that was killed leaves it
    with server(tmp_path) as process:
        wait_for(lambda: step(store) > 100)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
    run = store.load(RUN_ID)
    assert run.status == "interrupted"
    assert int(run.checkpoint["train.step"]) == run.events[-1].step, "the last slice is on the disk"
