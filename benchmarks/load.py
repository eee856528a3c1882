"""How much slower a page is while two runs train: reruns over the websocket, as a browser asks for them.

Starts the app on a free port with an empty home, opens sessions of its own, and times reruns of a page in one of them,
first with nothing else to do, then while two other sessions train. Prints both and their ratio.

    python benchmarks/load.py            # the Explore page of a small trained run
    python benchmarks/load.py --page train --reruns 60
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[1]
SMALL = "data=moons&data.n_samples=2000&model=spline&model.n_steps=100"
LONG = "data=moons&model=spline&model.n_steps=20000&seed={seed}"


class Session:
    """One visitor: reruns a page, presses its buttons, and reads until the script has finished."""

    def __init__(self, port: int, page: str, query: str) -> None:
        self.port, self.page, self.query = port, page, query
        self.buttons: dict[str, str] = {}
        self.fragments: dict[str, str] = {}  # of the buttons, by label; "" where the page has drawn one
        self.texts: list[str] = []
        self.intervals: dict[str, float] = {}  # seconds between refreshes that the page asks for, by its fragment
        self.n_bytes = 0  # heard so far

    async def open(self) -> Session:
        address = f"127.0.0.1:{self.port}"
        self.socket = await websockets.connect(
            f"ws://{address}/_stcore/stream",
            subprotocols=["streamlit"],
            origin=f"http://{address}",
            max_size=None,
            ping_interval=None,
        )
        return self

    async def rerun(self, press: str | None = None) -> float:
        """Seconds from the request to the end of the script."""
        message = self._request()
        if press is not None:
            widget = message.rerun_script.widget_states.widgets.add()
            widget.id, widget.trigger_value = self.buttons[press], True
            message.rerun_script.fragment_id = self.fragments[press]
        if not message.rerun_script.fragment_id:
            self.intervals = {}
        return await self._ask(message)

    async def refresh(self, fragment: str) -> float:
        """Seconds from a fragment's own request to its end, or to that of the page, if it asks for all of it."""
        message = self._request()
        message.rerun_script.MergeFrom(ClientState(fragment_id=fragment, is_auto_rerun=True))
        return await self._ask(message)

    def _request(self) -> BackMsg:
        message = BackMsg()
        message.rerun_script.query_string = self.query
        message.rerun_script.page_name = self.page
        return message

    async def _ask(self, message: BackMsg) -> float:
        await self._drain()
        began = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        self.texts = []
        while True:
            answer = await self._hear(120)
            is_over = answer.WhichOneof("type") == "script_finished"
            if is_over and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - began

    async def _hear(self, timeout: float) -> ForwardMsg:
        data = await asyncio.wait_for(self.socket.recv(), timeout)
        answer = ForwardMsg()
        answer.ParseFromString(data)
        self.n_bytes += len(data)
        kind = answer.WhichOneof("type")
        if kind == "delta":
            self._note(answer.delta.new_element, answer.delta.fragment_id)
        elif kind == "auto_rerun":
            self.intervals[answer.auto_rerun.fragment_id] = answer.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            self.intervals.clear()
        return answer

    async def settle(self) -> None:
        """Rerun until the page does not itself ask for another run."""
        for _ in range(4):
            await self.rerun()
            await asyncio.sleep(0.3)

    async def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                await self._hear(0.005)

    def _note(self, element, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "button":
            self.buttons[element.button.label] = element.button.id
            self.fragments[element.button.label] = fragment
        if kind == "markdown":
            self.texts.append(element.markdown.body)
        if kind == "exception":
            raise RuntimeError(f"{self.page}: {element.exception.type}: {element.exception.message}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _start_app(port: int, home: str) -> subprocess.Popen:
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, "FLOWLAB_HOME": home, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).status == 200:
                return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    raise RuntimeError("the app did not start within 60 s")


@contextlib.contextmanager
def running_app() -> Iterator[tuple[int, int, str]]:
    """Port, process number and home of an app with an empty home, until the block ends."""
    with tempfile.TemporaryDirectory() as home:
        port = _free_port()
        server = _start_app(port, home)
        try:
            yield port, server.pid, home
        finally:
            server.terminate()
            server.wait(60)


async def press_train(port: int, query: str) -> Session:
    session = await Session(port, "train", query).open()
    await session.settle()
    await session.rerun(press="Train")
    return session


async def steps_on_disk(home: str) -> int:
    return sum(len(path.read_bytes().splitlines()) for path in Path(home).glob("runs/*/events.jsonl"))


async def finish_small_run(port: int, home: str) -> None:
    """Train the small run to its end, and wait until the server has nothing more to do."""
    session = await press_train(port, SMALL)
    until = time.monotonic() + 120
    while not list(Path(home).glob("runs/*/views.npz")):
        if time.monotonic() > until:
            raise RuntimeError("the small run was not trained within two minutes")
        await asyncio.sleep(0.5)
    await asyncio.sleep(20)  # the other workers warm up, and would count as load
    await session.socket.close()


async def measure(port: int, home: str, page: str, n_reruns: int) -> tuple[np.ndarray, np.ndarray]:
    """Rerun times in seconds, idle and while two runs train, each (n_reruns,)."""
    await finish_small_run(port, home)
    visitor = await Session(port, page, SMALL).open()
    await visitor.settle()
    idle = np.array([await visitor.rerun() for _ in range(n_reruns)])
    others = [await press_train(port, LONG.format(seed=seed)) for seed in (1, 2)]
    before = await steps_on_disk(home)
    await asyncio.sleep(3)
    busy = np.array([await visitor.rerun() for _ in range(n_reruns)])
    if await steps_on_disk(home) <= before:
        raise RuntimeError("nothing was trained while the page was timed: the ratio would mean nothing")
    for session in others:
        await session.socket.close()
    return idle, busy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--page", default="explore")
    parser.add_argument("--reruns", type=int, default=40)
    arguments = parser.parse_args()
    with running_app() as (port, _, home):
        idle, busy = asyncio.run(measure(port, home, arguments.page, arguments.reruns))
    print(f"page {arguments.page}, {arguments.reruns} reruns, {len(os.sched_getaffinity(0))} cores")
    for name, seconds in (("idle", idle), ("two runs train", busy)):
        p50, p95 = np.percentile(1000 * seconds, [50, 95])
        print(f"{name:15s} median {p50:7.1f} ms   95 % {p95:7.1f} ms")
    print(f"{'ratio':15s} median {np.median(busy) / np.median(idle):7.2f}")


if __name__ == "__main__":
    main()
