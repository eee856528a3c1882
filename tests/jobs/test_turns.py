"""Turns are fair by the time of lanes that each user has had, however long a slice of their runs takes."""

from __future__ import annotations

import pytest
from test_jobs import catalogue, open_runner, store, wait, walk  # noqa: F401

from flowlab.jobs import JobError, runner
from flowlab.jobs.job import SHORTEST_SECONDS, Job, Turns
from flowlab.records import RunSpec, Spec

SPEC = RunSpec(Spec("moons"), Spec("spline"))


def serve(turns: Turns, seconds: dict[str, float], total: float, had: dict[str, float]) -> None:
    """Give one lane for so long to whoever's turn it is; slices of each user take their own time."""
    while total > 0:
        user = turns.take().user
        turns.charge(user, seconds[user])
        had[user] = had.get(user, 0.0) + seconds[user]
        total -= seconds[user]


def queue(*users: str) -> Turns:
    turns = Turns()
    for user in users:
        turns.add(Job(f"run of {user}", SPEC, user, urgent=False))
    return turns


def test_a_user_of_long_slices_gets_no_more_time_than_the_others():
    had: dict[str, float] = {}
    seconds = {"anna": 2.0, "bert": 0.1, "cleo": 0.3}
    serve(queue(*seconds), seconds, 60.0, had)
    assert all(time == pytest.approx(20.0, abs=2.1) for time in had.values()), had


def test_who_joins_late_takes_turns_from_now_on_and_starves_nobody():
    turns, seconds = queue("anna", "bert"), dict.fromkeys(("anna", "bert", "cleo"), 0.5)
    serve(turns, seconds, 100.0, {})
    turns.add(Job("late", SPEC, "cleo", urgent=False))
    had: dict[str, float] = {}
    serve(turns, seconds, 30.0, had)
    assert all(time == pytest.approx(10.0, abs=1.1) for time in had.values()), had


def test_leaving_and_coming_back_gives_no_time():
    turns, seconds = queue("anna", "bert"), dict.fromkeys(("anna", "bert"), 0.5)
    serve(turns, seconds, 10.0, {})
    job = Job("again", SPEC, "anna", urgent=False)
    for _ in range(5):
        turns.charge("anna", 3.0)
        turns.remove(next(each for each in turns.live() if each.user == "anna"))
        turns.add(job)
    assert [turns.take().user for _ in range(4)] == ["bert"] * 4


def test_slices_are_shorter_where_many_wait_and_never_too_short():
    def seconds(crowd: float) -> float:
        job = Job("run", SPEC, "anna", urgent=False, rate=1000.0, last_slice=1000)
        return job.next_slice(0.0, crowd)[0] / job.rate

    assert seconds(0) == seconds(2) == 0.5
    assert seconds(5) == pytest.approx(0.2) and seconds(30) == SHORTEST_SECONDS


def test_those_who_wait_are_told_how_long(open_runner):  # noqa: F811
    server = open_runner(lanes=1)
    for seed in range(4):
        server.submit(walk(seed=seed, n_steps=5000), f"user{seed}")
    last = server.submit(walk(seed=9, n_steps=60), "anna", queued=True)
    wait(server, last, "done")
    ids = [server.submit(walk(seed=20 + i, n_steps=5000), "anna", queued=True) for i in range(3)]
    status = server.status(ids[-1])
    assert status.ahead >= 2 and 0.01 < status.wait_seconds < 5


def test_the_number_of_a_users_runs_is_limited_and_the_limit_named(open_runner, monkeypatch):  # noqa: F811
    monkeypatch.setattr(runner, "MAX_RUNS", 3)
    server = open_runner(lanes=1)
    ids = server.submit_many([walk(seed=seed, n_steps=5000) for seed in range(3)], "anna")
    with pytest.raises(JobError, match="3 of your runs train or wait, which is the limit; stop some of them first"):
        server.submit(walk(seed=3), "anna")
    server.submit(walk(seed=3), "bert")
    for run_id in ids:
        server.pause(run_id, "anna")
    server.submit(walk(seed=4), "anna")
