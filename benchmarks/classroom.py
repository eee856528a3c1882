"""A class at once: thirty visitors press Train within seconds, and their pages tick as a browser's would.

Starts the app on a free port with an empty home. First one visitor's Train page is timed with nothing else to do; then
each of the others opens a run of its own, presses Train, and asks for every refresh that the page itself asks for, at
the interval it names. Printed are the times of whole reruns in the visitor's page beside idle ones, of presses on
Train, of ticks (all that were asked for are waited for), Jain's index of the steps that the runs have taken, bytes a
tick, and the server's memory. The clients run in this process, on the same cores.

    python benchmarks/classroom.py --clients 30 --seconds 40
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "benchmarks")]

from load import Session, running_app  # noqa: E402

QUERY = "data=moons&model=spline&model.n_steps=100000&seed={seed}"
PRESS_WITHIN = 5.0
"""Seconds over which the class presses."""


class Pupil(Session):
    """A visitor whose page keeps itself up to date: it asks again for each fragment at the interval it was given."""

    def __init__(self, port: int, query: str) -> None:
        super().__init__(port, "train", query)
        self.ticks: list[float] = []
        self.press_seconds = np.nan

    async def attend(self, pause: float, until: float) -> None:
        """Press Train after a pause, then refresh what the page asks for, until a time of `time.perf_counter`."""
        await asyncio.sleep(pause)
        self.press_seconds = await self.rerun(press="Train")
        self.n_bytes = 0
        due: dict[str, float] = {}
        while (now := time.perf_counter()) < until:
            due = {name: due.get(name, now + interval) for name, interval in self.intervals.items()}
            late = [name for name, at in due.items() if at <= now]
            if late:
                del due[late[0]]
                self.ticks.append(await self.refresh(late[0]))
            else:
                await asyncio.sleep(0.02)


def memory(pid: int) -> float:
    """Megabytes that a process holds, its share of shared pages counted (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return np.nan


def steps_of(home: str) -> np.ndarray:
    """The last step on disk of each run."""
    counts = []
    for path in Path(home).glob("runs/*/events.jsonl"):
        lines = path.read_bytes().splitlines()
        counts.append(json.loads(lines[-1])["step"] if lines else 0)
    return np.array(counts, float)


def jain(shares: np.ndarray) -> float:
    """Jain's fairness index: 1 when all have the same, 1/n when one has everything."""
    return float(shares.sum() ** 2 / (len(shares) * (shares**2).sum()))


async def measure(port: int, pid: int, home: str, n_clients: int, seconds: float) -> None:
    """Open, press, follow; print what was found."""
    visitor = await Session(port, "train", QUERY.format(seed=1)).open()
    await visitor.settle()
    await asyncio.sleep(20)  # workers warm up, and would count as load
    idle = np.array([await visitor.rerun() for _ in range(30)])
    pupils = [Pupil(port, QUERY.format(seed=100 + i)) for i in range(n_clients)]
    for pupil in pupils:
        await pupil.open()
    before = memory(pid)
    for pupil in pupils:
        await pupil.settle()
    opened = memory(pid)
    pauses = np.random.default_rng(0).uniform(0, PRESS_WITHIN, n_clients)
    until = time.perf_counter() + PRESS_WITHIN + seconds

    async def look() -> np.ndarray:
        await asyncio.sleep(PRESS_WITHIN + 2)
        found = []
        while time.perf_counter() < until:
            found.append(await visitor.rerun())
            await asyncio.sleep(0.5)
        return np.array(found)

    busy, *_ = await asyncio.gather(look(), *(pupil.attend(pause, until) for pupil, pause in zip(pupils, pauses)))
    steps = steps_of(home)
    ticks = np.array([seconds for pupil in pupils for seconds in pupil.ticks])
    presses = np.array([pupil.press_seconds for pupil in pupils])
    n_bytes = sum(pupil.n_bytes for pupil in pupils)
    for name, times in (("rerun, idle", idle), ("rerun, class", busy), ("press Train", presses), ("tick", ticks)):
        p50, p95 = np.percentile(1000 * times, [50, 95])
        print(f"{name:14s} median {p50:7.0f} ms   95 % {p95:7.0f} ms   of {len(times)}")
    print(f"{'ratio of reruns':14s} median {np.median(busy) / np.median(idle):.2f}, 95 % "
          f"{np.percentile(busy, 95) / np.percentile(idle, 95):.2f}")  # fmt: skip
    print(f"ticks a second {len(ticks) / seconds:.1f}, {n_bytes / max(len(ticks), 1) / 1000:.1f} kB each")
    print(f"runs {len(steps)}, steps {int(steps.min())} to {int(steps.max())}, Jain {jain(steps):.3f}")
    print(f"server {before:.0f} MB, {(opened - before) / n_clients:.2f} MB a session")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=40.0)
    arguments = parser.parse_args()
    with running_app() as (port, pid, home):
        asyncio.run(measure(port, pid, home, arguments.clients, arguments.seconds))
    print(f"{len(os.sched_getaffinity(0))} cores, {arguments.clients} clients, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
