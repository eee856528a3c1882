"""A large audience: two hundred readers of one finished run, and a room of sixty that votes.

Starts the app on a free port with an empty home and trains one run. readers: each opens a page of it (film, layers,
density, a lesson's steps), reads for some seconds, and opens the next; printed are the times until a page is there.
room: a teacher opens a room, the class joins by its link and follows, and everybody answers within five seconds, some
twice; printed are how long a vote takes, how long after it the teacher's card counts it, how long after "Show the
votes" the class sees them, and how many were counted. The clients run in this process, on the same cores.

    python benchmarks/audience.py readers --clients 200 --seconds 60
    python benchmarks/audience.py room --clients 60
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from load import SMALL, Session, finish_small_run, running_app  # noqa: E402

from flowlab.teaching.lessons import lessons  # noqa: E402

READ_SECONDS = (10.0, 30.0)
"""How long a reader stays on a page."""
VIEWS = ("Film", "Layers", "Density", "Latent space")
ANSWER_WITHIN = 5.0
HOST_SECONDS, CLASS_SECONDS = 1.0, 2.0
"""How often the cards are refreshed, as `dashboard/shell/room.py` has it."""
COUNTED = re.compile(r"(\d+) answered")
SHOWN = re.compile(r"Yes\W+\d+.*")


def report(name: str, seconds: Iterable[float]) -> None:
    """Median and 95 % of times."""
    times = 1000 * np.array(list(seconds))
    p50, p95 = np.percentile(times, [50, 95])
    print(f"{name:34s} median {p50:7.0f} ms   95 % {p95:7.0f} ms   of {len(times)}")


async def readers(port: int, home: str, n_clients: int, seconds: float) -> None:
    """Open pages, read, turn over."""
    await finish_small_run(port, home)
    lesson = lessons()[0]
    pages = [("explore", f"{SMALL}&explore.view={view.replace(' ', '+')}") for view in VIEWS]
    pages += [("learn", f"{SMALL}&learn.lesson={lesson.key}&learn.step={i + 1}") for i in range(len(lesson.steps))]
    found: list[float] = []

    async def read(number: int) -> None:
        rng = np.random.default_rng(number)
        session = await Session(port, *pages[number % len(pages)]).open()
        await asyncio.sleep(rng.uniform(0, READ_SECONDS[1]))
        await session.rerun()
        until = time.perf_counter() + seconds
        while True:
            await asyncio.sleep(rng.uniform(*READ_SECONDS))
            if time.perf_counter() > until:
                return
            session.page, session.query = pages[rng.integers(len(pages))]
            found.append(await session.rerun())

    alone = await Session(port, *pages[0]).open()
    await alone.settle()
    idle = []
    for session_page in pages:
        alone.page, alone.query = session_page
        await alone.settle()
        idle += [await alone.rerun() for _ in range(5)]
    await asyncio.gather(*(read(number) for number in range(n_clients)))
    report("a page, one reader", idle)
    report(f"a page, {n_clients} readers", found)


class Attentive(Session):
    """One in a room: all that its page asks to refresh is refreshed, and what the cards say is heard."""

    async def look(self) -> str:
        """Refresh the page's fragments once; all that they say."""
        said = []
        for fragment in list(self.intervals):
            await self.refresh(fragment)
            said += self.texts
        return "\n".join(said)

    async def attend(self, pause: float, twice: bool, votes: list[tuple[float, float]]) -> tuple[float, str]:
        """Answer after a pause, then look every two seconds until the votes are shown: when, and what they are."""
        while "Yes" not in self.buttons:
            await self.look()
            await asyncio.sleep(CLASS_SECONDS)
        await asyncio.sleep(pause)
        began = time.perf_counter()
        votes.append((began, await self.rerun(press="Yes")))
        if twice:
            await self.rerun(press="No")
        while not (shown := SHOWN.search(await self.look())):
            await asyncio.sleep(CLASS_SECONDS)
        return time.perf_counter(), shown[0]


async def room(port: int, home: str, n_clients: int) -> None:
    """Open a room, join, ask, answer, count, show."""
    await finish_small_run(port, home)
    teacher = await Attentive(port, "train", SMALL).open()
    await teacher.settle()
    await teacher.rerun(press="Share")
    await teacher.rerun(press="Open a room for a class")
    await teacher.settle()
    code = next(found[1] for text in teacher.texts if (found := re.search(r"Room \*\*(\w+)\*\*", text)))
    guests = [await Attentive(port, "train", f"{SMALL}&room={code}").open() for _ in range(n_clients)]
    await asyncio.gather(*(guest.settle() for guest in guests))
    await teacher.rerun(press="Ask")  # opens the dialog
    await teacher.rerun(press="Ask")
    rng = np.random.default_rng(0)
    votes: list[tuple[float, float]] = []
    counts: list[tuple[float, int]] = []
    pauses = rng.uniform(0, ANSWER_WITHIN, n_clients)

    async def lead() -> float:
        await teacher.rerun()
        while not counts or counts[-1][1] < n_clients:
            found = COUNTED.search(await teacher.look())
            counts.append((time.perf_counter(), int(found[1]) if found else 0))
            await asyncio.sleep(HOST_SECONDS)
        began = time.perf_counter()
        await teacher.rerun(press="Show the votes")
        return began

    revealed, *seen = await asyncio.gather(
        lead(), *(guest.attend(pause, i % 4 == 0, votes) for i, (guest, pause) in enumerate(zip(guests, pauses)))
    )
    begun = sorted(began for began, _ in votes)
    delays = [next(at for at, n in counts if n > i) - began for i, began in enumerate(begun)]
    report("a vote", (took for _, took in votes))
    report("until the teacher's card counts it", delays)
    report("until the class sees the votes", (at - revealed for at, _ in seen))
    tallies = {tally.replace(chr(92), "") for _, tally in seen}
    print(f"{n_clients} voted, a quarter of them twice; shown: {' / '.join(tallies)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("readers", "room"))
    parser.add_argument("--clients", type=int, help="200 readers, 60 in the room unless told")
    parser.add_argument("--seconds", type=float, default=60.0, help="of reading")
    arguments = parser.parse_args()
    with running_app() as (port, _, home):
        if arguments.what == "readers":
            asyncio.run(readers(port, home, arguments.clients or 200, arguments.seconds))
        else:
            asyncio.run(room(port, home, arguments.clients or 60))
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
