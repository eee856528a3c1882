"""Frames a second of the film and the way through the layers in Chromium, with 2,000 points, by the page's own clock.

Opens the pages of tests/browser/apps in a headless browser without a graphics card, plays, takes the time stamps that
`requestAnimationFrame` hands out. Prints frames drawn a second, the slowest of a hundred, processor time per frame of
all of Chromium's processes, whether the page was rerun meanwhile, and the machine's load.

    python benchmarks/frames.py
    python benchmarks/frames.py --busy 2    # while so many processes compute, standing back as training lanes do
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import CHROMIUM_ARGS, COUNT_DRAWINGS, serve  # noqa: E402

PAGES = {
    "film": ("film_app.py", "film"),
    "layers, points and lattice": ("layers_app.py", "layers"),
    "layers, points only": ("layers_app.py?flat=1", "layers"),
}
WATCH = """([name, seconds]) => new Promise((done) => {
  const seen = [], now = () => drawn[name];
  const tick = (t) => {
    seen.push([t, now().frames, now().position]);
    if (t - seen[0][0] < 1000 * seconds) requestAnimationFrame(tick);
    else done(seen);
  };
  requestAnimationFrame(tick);
})"""


def measure(page, url: str, name: str, seconds: float) -> dict:
    """What was seen while the animation of one page played."""
    page.goto(url)
    page.wait_for_function(f"window.drawn.{name}?.frames > 0")
    page.get_by_text("· run 1").wait_for()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(500)
    before = processor_seconds()
    at, frames, position = np.array(page.evaluate(WATCH, [name, seconds])).T
    used = processor_seconds() - before
    new = np.flatnonzero(np.append(True, np.diff(frames) > 0))
    gaps = np.diff(at[new])
    gaps = gaps[position[new[:-1]] % 1 > 0]  # at a whole position the animation rests
    return {
        "fps": 1000 / gaps.mean(),
        "slowest": 1000 / np.quantile(gaps, 0.99),
        "ms": 1000 * used / (frames[-1] - frames[0]),
        "reruns": int(not page.get_by_text("· run 1").count()),
    }


def processor_seconds() -> float:
    """What the browser's processes have computed so far."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in process.name():
                times = process.cpu_times()
                total += times.user + times.system
    return total


@contextlib.contextmanager
def busy(n: int):
    """So many processes that compute at nice 10, as training lanes do."""
    command = ["nice", "-n", "10", sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(command) for _ in range(n)]
    try:
        yield
    finally:
        for process in others:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--chromium", default=os.environ.get("FLOWLAB_CHROMIUM", "/usr/bin/chromium"))
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, window 1280 x 800, 2000 points")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, busy(arguments.busy):
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=CHROMIUM_ARGS)
        for title, (file, name) in PAGES.items():
            file, _, query = file.partition("?")
            with serve(ROOT / "tests" / "browser" / "apps" / file, Path(folder)) as server:
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.add_init_script(COUNT_DRAWINGS)
                found = measure(page, f"{server.url}/?{query}", name, arguments.seconds)
                page.close()
            print(
                f"{title:28s} {found['fps']:5.1f} frames/s   slowest of a hundred {found['slowest']:5.1f}   "
                f"{found['ms']:5.1f} ms of processor each   {found['reruns']} reruns   load {os.getloadavg()[0]:.2f}"
            )
        browser.close()


if __name__ == "__main__":
    main()
