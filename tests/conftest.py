"""Fixtures: a running app and a browser for the tests marked `browser`, and one thread for everything."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
TESTS_NICE = 9
"""Just before the training of `flowlab.jobs.lanes` (10), which is not imported here: that would start the library."""
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


# window.drawn[component]: the newest "flowlab:draw" of each canvas component, and what has been seen of it so far.
COUNT_DRAWINGS = """
window.drawn = {};
addEventListener("flowlab:draw", ({ detail: { ms, ...now } }) => {
  let seen = drawn[now.component];
  if (seen?.scene !== now.scene) seen = undefined;
  seen ??= { frames: 0, draw_ms: 0, updates: 0, first_picture: null };
  if (now.step !== seen.step) seen.updates++;
  if (now.picture) seen.first_picture ??= Date.now();
  drawn[now.component] = { ...seen, ...now, frames: seen.frames + 1, draw_ms: seen.draw_ms + (ms ?? 0) };
});
"""


def pytest_configure() -> None:
    """Let tests that run side by side stand little before training: far before it they would leave it no turn."""
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(TESTS_NICE, os.getpriority(os.PRIO_PROCESS, 0)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a browser test be tried a second time: a busy machine may miss its time limits. The summary counts them."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@dataclass
class Server:
    """A running Streamlit server: its address, its process and where its output goes."""

    url: str
    process: subprocess.Popen
    log: Path


@contextlib.contextmanager
def serve(script: Path, folder: Path, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run `streamlit run script` on a free port of the loopback until the block ends.

    The run store lies under `folder` (FLOWLAB_HOME); the server and whatever it started are gone afterwards.
    """
    port = free_port()
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
    }
    command = [sys.executable, "-m", "streamlit", "run", str(script), *(f"--{k}={v}" for k, v in options.items())]
    # one worker that trains: each takes seconds to start, and other tests need the cores
    own = {"FLOWLAB_HOME": str(folder / "home"), "FLOWLAB_LANES": "1", "OMP_NUM_THREADS": "1"}
    variables = {**os.environ, **own, **(env or {})}
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_until_healthy(process, port, log)
        yield Server(f"http://127.0.0.1:{port}", process, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(process: subprocess.Popen, port: int, log: Path, seconds: float = 40) -> None:
    """Wait until a Streamlit server answers; RuntimeError with what it wrote to its log if it does not in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer,
        ):
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not come up within {seconds} s:\n{log.read_text()}")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory) -> Iterator[ModuleType]:
    """`dashboard.shell.services` on an empty store of this file's own; its runner is closed after the last test."""
    import streamlit as st

    from flowlab.dashboard.shell import services

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWLAB_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("FLOWLAB_LANES", "1")  # a worker takes seconds to start
        st.cache_resource.clear()
        st.cache_data.clear()
        yield services
        services.runner().close()
        st.cache_resource.clear()
        st.cache_data.clear()


@pytest.fixture(scope="session")
def serve_script(tmp_path_factory) -> Iterator[Callable[..., Server]]:
    """serve_script("app.py", env={...}) -> Server; one server for each script and environment."""
    with contextlib.ExitStack() as stack:
        servers: dict[object, Server] = {}

        def get(script: str, env: dict[str, str] | None = None) -> Server:
            key = (script, tuple(sorted((env or {}).items())))
            if key not in servers:
                folder = tmp_path_factory.mktemp("server")
                servers[key] = stack.enter_context(serve(ROOT / script, folder, env))
            return servers[key]

        yield get


@pytest.fixture(scope="session")
def app_server(serve_script) -> Server:
    """The app itself, with an empty run store of its own."""
    return serve_script("app.py")


@pytest.fixture
def fresh_server(request, app_server, tmp_path) -> Iterator[Server]:
    """The app for a test that trains what nobody has trained: a second try of the test gets a server of its own."""
    if getattr(request.node, "execution_count", 1) == 1:
        yield app_server
    else:
        with serve(ROOT / "app.py", tmp_path) as server:
            yield server


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium: FLOWLAB_CHROMIUM, else the system's. Without one the test is skipped, or fails where
    FLOWLAB_REQUIRE_BROWSER=1 says that there must be one."""
    candidates = [os.environ.get("FLOWLAB_CHROMIUM"), "/usr/bin/chromium"]
    candidates += [shutil.which(name) for name in ("chromium-browser", "google-chrome", "chrome")]
    path = next((c for c in candidates if c and Path(c).exists()), None)
    if path is None:
        message = "no Chromium found: install it or set FLOWLAB_CHROMIUM to its path"
        if os.environ.get("FLOWLAB_REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """open_page(url, dark=False, **context options) -> a page of 1280 x 800; the test fails if a script on it threw.

    `window.drawn` counts what the canvases draw."""
    contexts, errors = [], []

    def get(url: str, dark: bool = False, **options):
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            **{"viewport": {"width": 1280, "height": 800}, "color_scheme": scheme, "accept_downloads": True, **options}
        )
        contexts.append(context)
        context.add_init_script(COUNT_DRAWINGS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    yield get
    for context in contexts:
        context.close()
    assert not errors, f"scripts on the page threw: {errors}"


@pytest.fixture
def page(open_page):
    """A blank page of 1280 x 800 in the light theme; `page.goto(app_server.url)` opens the app."""
    return open_page("about:blank")


def train_in(browser, url: str) -> None:
    """Open a page that has nothing to show before a model is trained, press its button, and wait for a figure."""
    page = browser.new_page()
    page.goto(url)
    page.get_by_role("button", name="Train this model").click(timeout=60_000)
    page.wait_for_selector("[data-testid=stPlotlyChart]", timeout=120_000)
    page.close()


def settled(page, timeout: float = 20_000) -> None:
    """Wait until the script of a Streamlit page has run to its end."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=timeout)


@pytest.fixture(autouse=True)
def restore_main() -> Iterator[None]:
    """Pages under test become `__main__`, which a worker that starts later would run."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own
