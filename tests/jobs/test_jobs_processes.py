"""Training on real worker processes: the same bits however it is cut, a killed worker, a server without torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from flowlab import catalog
from flowlab.jobs import JobRunner, RunStatus, run_slice
from flowlab.jobs.lanes import LEAST_BYTES, worker_bytes
from flowlab.records import RunSpec, Spec
from flowlab.store.runs import RunStore
from flowlab.views.density import density_grid

ROOT = Path(__file__).parents[2]


def flow(seed: int = 0, n_steps: int = 40, **params) -> RunSpec:
    return RunSpec(Spec("moons", {"n_samples": 2000}), Spec("spline", {"n_steps": n_steps, **params}), seed)


def wait(runner: JobRunner, run_id: str, *states: str, seconds: float = 180) -> RunStatus:
    until = time.monotonic() + seconds
    while (status := runner.status(run_id)).state not in states:
        assert time.monotonic() < until, f"waited for {states}, stands at {status}"
        time.sleep(0.01)
    return status


def same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(a[key].tobytes() == b[key].tobytes() for key in a)


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = JobRunner(RunStore(tmp_path_factory.mktemp("home")), lanes=2, scheduler="")
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def whole() -> dict[str, np.ndarray]:
    """The state after forty steps in one go, computed in this process."""
    return run_slice(flow(), None, 40).state


def test_four_times_ten_steps_are_forty_steps_bit_for_bit(whole):
    checkpoint = None
    for _ in range(4):
        result = run_slice(flow(), checkpoint, 10, with_frame=False)
        checkpoint = result.checkpoint
        run_slice(flow(seed=7), None, 3)  # another's slice in between changes nothing
    assert result.finished and same_bits(result.state, whole)


def test_four_times_ten_steps_through_the_runner_are_forty_steps(runner, whole):
    spec = flow()
    run_id = catalog.run_id(spec)
    runner.submit(spec)
    runner.pause(run_id)
    for _ in range(3):
        wait(runner, run_id, "paused", "done")
        runner.step(run_id, 10)
    runner.resume(run_id)
    wait(runner, run_id, "done")
    assert same_bits(runner.store.load(run_id).state, whole)


def test_a_killed_lane_costs_one_slice_and_the_weights_stay_the_same(runner):
    spec = flow(seed=1, n_steps=400)
    run_id = runner.submit(spec)
    until = time.monotonic() + 180
    while runner.status(run_id).step < 50:
        assert time.monotonic() < until
        time.sleep(0.01)
    busy = [lane for lane in runner._lanes.training if lane.state == "busy"]
    while not busy:
        busy = [lane for lane in runner._lanes.training if lane.state == "busy"]
    os.kill(next(iter(busy[0].executor._processes)), signal.SIGKILL)
    while runner.status(run_id).lost_workers == 0:
        assert time.monotonic() < until
        time.sleep(0.005)
    status = runner.status(run_id)
    assert "A worker was lost; training goes on from step" in status.message and status.step >= 50
    wait(runner, run_id, "done")
    run = runner.store.load(run_id)
    assert same_bits(run.state, run_slice(spec, None, 400).state)


def test_a_slice_that_takes_long_is_cut_off_when_its_run_is_stopped(runner):
    slow = RunSpec(Spec("moons", {"n_samples": 150_000}), Spec("kde"))  # scoring its rows takes minutes
    run_id = runner.submit(slow)
    time.sleep(1)
    runner.stop(run_id)
    assert wait(runner, run_id, "stopped", seconds=120).step == 0
    after = runner.submit(flow(seed=4, n_steps=20))
    wait(runner, after, "done")


def test_a_view_is_answered_while_two_runs_train(runner):
    done = runner.submit(flow())
    wait(runner, done, "done")
    runner.call(done, density_grid)
    ids = [runner.submit(flow(seed=seed, n_steps=10_000), f"user{seed}") for seed in (2, 3)]
    while not all(runner.status(run_id).step for run_id in ids):
        time.sleep(0.01)
    grid = runner.call(done, density_grid, n=50)
    assert grid.learned.log_density.shape == (50, 50)
    assert all(runner.status(run_id).state == "running" for run_id in ids)
    lanes = [lane for lane in runner._lanes.training if lane.state == "busy"]
    while not lanes:
        lanes = [lane for lane in runner._lanes.training if lane.state == "busy"]
    answers, train = (
        os.getpriority(os.PRIO_PROCESS, next(iter(lane.executor._processes)))
        for lane in (runner._lanes.evaluation, lanes[0])
    )
    assert answers < train, "somebody waits for an answer, nobody for a step"
    for run_id in ids:
        runner.stop(run_id)
        wait(runner, run_id, "stopped")


def test_a_killed_evaluation_worker_is_replaced(runner):
    done = runner.submit(flow())
    wait(runner, done, "done")
    runner.call(done, density_grid)
    os.kill(next(iter(runner._lanes.evaluation.executor._processes)), signal.SIGKILL)
    time.sleep(0.2)
    assert runner.call(done, density_grid).learned.mass > 0


def run_script(text: str, tmp_path: Path) -> str:
    script = tmp_path / "server.py"
    script.write_text(textwrap.dedent(text))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FLOWLAB_LANES": "1"}
    environment.pop("FLOWLAB_SCHEDULER", None)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_server_process_never_loads_torch_and_leaves_no_worker_behind(tmp_path):
    output = run_script(
        """
        import sys, time
        from flowlab.jobs import JobRunner
        from flowlab.records import RunSpec, Spec
        from flowlab.store.runs import RunStore
        from flowlab.views.density import density_grid

        if __name__ == "__main__":
            runner = JobRunner(RunStore(sys.argv[1] + "/home"))
            spec = RunSpec(Spec("moons", {"n_samples": 1000}), Spec("spline", {"n_steps": 10}))
            run_id = runner.submit(spec)
            until = time.time() + 200
            while runner.status(run_id).state != "done" and time.time() < until:
                time.sleep(0.05)
            print(runner.status(run_id).state)
            runner.call(run_id, density_grid)
            runner.store.load(run_id).views
            print(sorted({name.split(".")[0] for name in sys.modules} & {"torch", "nflows", "streamlit", "plotly"}))
            lanes = [*runner._lanes.training, runner._lanes.evaluation]
            print(*[pid for lane in lanes if lane.executor for pid in lane.executor._processes])
            runner.close()
        """,
        tmp_path,
    )
    state, loaded, pids = output.splitlines()
    assert state == "done" and loaded == "[]"
    for pid in pids.split():
        gone_within(int(pid), 20)


def test_a_worker_whose_server_is_killed_while_it_starts_exits(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            from flowlab.jobs.lanes import process_lane

            if __name__ == "__main__":
                lane = process_lane()
                lane.open(lambda action: None)
                print(*lane.executor._processes, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)  # its worker is still importing
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    gone_within(int(done.stdout), 120)


def test_a_server_that_ends_while_training_leaves_a_run_to_go_on_with(tmp_path):
    run_id = run_script(
        """
        import sys, time
        from flowlab.jobs import JobRunner
        from flowlab.records import RunSpec, Spec
        from flowlab.store.runs import RunStore

        if __name__ == "__main__":
            runner = JobRunner(RunStore(sys.argv[1] + "/home"))
            run_id = runner.submit(RunSpec(Spec("moons"), Spec("spline", {"n_steps": 50_000})))
            while runner.status(run_id).step < 100:
                time.sleep(0.05)
            time.sleep(1.5)
            print(run_id)  # and no close(): as when the server gets SIGTERM
        """,
        tmp_path,
    ).strip()
    store = RunStore(tmp_path / "home")
    assert store.load(run_id).status == "running" and store.load(run_id).error == ""
    runner = JobRunner(store, lanes=1, scheduler="")
    try:
        assert runner.status(run_id).state.is_live and runner.status(run_id).step >= 1, "it goes on by itself"
        assert int(store.load(run_id).checkpoint["train.step"]) >= 1
    finally:
        runner.close()


def test_workers_leave_when_the_server_is_killed(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys, time
            from flowlab.jobs.lanes import process_lane

            if __name__ == "__main__":
                executor = process_lane()._make_executor()
                executor.submit(int).result()
                print(*executor._processes, flush=True)
                time.sleep(60)
            """
        )
    )
    server = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        pid = int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    gone_within(pid, 20)


def gone_within(pid: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        time.sleep(0.1)
    pytest.fail(f"worker {pid} is still there")


@pytest.mark.slow
def test_settings_that_need_too_much_memory_end_in_a_sentence_and_the_worker_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWLAB_WORKER_GB", "1")
    runner = JobRunner(RunStore(tmp_path), lanes=1, scheduler="")
    try:
        greedy = {"n_layers": 32, "n_bins": 32, "hidden_features": 256, "n_hidden": 4, "batch_size": 4096}
        spec = RunSpec(Spec("moons", {"n_samples": 6000}), Spec("spline", greedy))
        status = wait(runner, runner.submit(spec), "failed")
        assert "needs more memory than a worker may take; choose a smaller batch" in status.message
        assert not status.lost_workers
        wait(runner, runner.submit(flow(seed=5)), "done")
    finally:
        runner.close()


@pytest.mark.parametrize("asked", ["0.2", "many", "-1", "nan"])
def test_an_absurd_limit_of_memory_is_refused_in_a_sentence(asked, monkeypatch):
    monkeypatch.setenv("FLOWLAB_WORKER_GB", asked)
    with pytest.raises(ValueError, match="FLOWLAB_WORKER_GB must be a number from 1"):
        worker_bytes()


def test_workers_together_may_take_half_of_the_machine_or_the_least_they_need(monkeypatch):
    monkeypatch.delenv("FLOWLAB_WORKER_GB", raising=False)
    monkeypatch.setenv("FLOWLAB_LANES", "3")
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert worker_bytes() == LEAST_BYTES or 4 * worker_bytes() <= machine / 2
