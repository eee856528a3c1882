"""How long until one visitor of a link sees what the other did: train, pause, go on, start again, stop, fork.

Starts the app with an empty home and opens one link in two contexts of a headless browser. One visitor presses, and the
other's page is watched by its own clock until its first line says so; in the next round they change places. The time
from the click to the words is printed for each action, on the page of who clicked too, with the machine's load.

    python benchmarks/visitors.py --rounds 10
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import CHROMIUM_ARGS, serve  # noqa: E402

from flowlab import catalog  # noqa: E402
from flowlab.records import RunSpec  # noqa: E402

QUERY = {"data": "moons", "model": "affine", "model.n_steps": "50000"}
ACTIONS = (
    ("Train", "in training"), ("Pause", "paused"), ("Go on", "in training"), ("Pause", "paused"),
    ("Start again", "in training"), ("Stop", "stopped"),
)  # fmt: skip
"""Buttons of the Train page in the order they are pressed, and what the first line then says to the other visitor."""

NOTE_CLICKS = "addEventListener('click', () => { window.clicked = Date.now(); }, true);"
WATCH = """words => { window.seen = new Promise((done) => {
  const look = () => {
    if (document.querySelector("h4")?.innerText.includes(words)) done(Date.now());
    else setTimeout(look, 10);
  };
  look();
}); }"""

# whether the step under the buttons has moved since this was last asked
STEPS = """() => {
  const text = [...document.querySelectorAll("p")].map((p) => p.innerText).find((t) => /step [1-9]/.test(t)) ?? "";
  const moves = text && window.before && text !== before;
  window.before = text;
  return moves;
}"""


def link(page: str, query: dict[str, str]) -> str:
    """The path and query of a page."""
    return f"/{page}?" + "&".join(f"{key}={value}" for key, value in query.items())


def delays(actor: Page, other: Page, press: Callable[[], None], words: str) -> tuple[float, float]:
    """Milliseconds from a click of one visitor until their own first line says `words`, and until the other's does."""
    for page in (actor, other):
        page.evaluate(WATCH, words)
    press()
    clicked = actor.evaluate("clicked")
    return actor.evaluate("seen") - clicked, other.evaluate("seen") - clicked


def one_round(actor: Page, other: Page, url: str, seed: int) -> dict[str, list[tuple[float, float]]]:
    """The delays of every action on a run that nobody has trained yet."""
    query = QUERY | {"seed": str(seed)}
    for page in (actor, other):
        page.goto(url + link("train", query))
        page.locator("h4", has_text="not trained yet").wait_for(timeout=60_000)
        page.get_by_role("button", name="Train", exact=True).wait_for()
    found: dict[str, list[tuple[float, float]]] = {}
    for name, words in ACTIONS:
        button = actor.get_by_role("button", name=name, exact=True)
        button.wait_for(timeout=60_000)
        found.setdefault(name, []).append(delays(actor, other, button.click, words))
        if words == "in training":
            actor.wait_for_function(STEPS, polling=300, timeout=60_000)
        actor.wait_for_timeout(float(np.random.default_rng([seed, len(found)]).uniform(1500, 3000)))
    actor.goto(url + link("explore", query | {"explore.view": "Film"}))
    opener = actor.get_by_role("button", name="Fork from step")
    opener.wait_for(timeout=60_000)
    step = "".join(filter(str.isdigit, opener.inner_text()))
    parent = catalog.run_id(catalog.tidy(RunSpec.from_query(query, catalog.DEFAULT)[0])[0])
    other.goto(url + link("train", query | {"from": f"{parent}@{step}"}))
    other.locator("h4", has_text="not trained yet").wait_for(timeout=60_000)
    opener.click()
    begin = actor.get_by_role("button", name="Begin the fork")
    begin.wait_for(timeout=60_000)
    found["Begin the fork"] = [delays(actor, other, begin.click, "in training")]
    actor.get_by_role("button", name="Stop", exact=True).click(timeout=60_000)
    actor.locator("h4", has_text="stopped").wait_for()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--chromium", default=os.environ.get("FLOWLAB_CHROMIUM", "/usr/bin/chromium"))
    arguments = parser.parse_args()
    all_seen: dict[str, list[tuple[float, float]]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(ROOT / "app.py", Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=CHROMIUM_ARGS)
        pages = [browser.new_context(viewport={"width": 1280, "height": 800}).new_page() for _ in range(2)]
        for page in pages:
            page.add_init_script(NOTE_CLICKS)
        for number in range(arguments.rounds):
            actor, other = pages if number % 2 else pages[::-1]
            for name, seen in one_round(actor, other, server.url, 1000 + number).items():
                all_seen.setdefault(name, []).extend(seen)
        browser.close()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {arguments.rounds} rounds of two visitors")
    for name, seen in all_seen.items():
        (own, other), (_, high) = np.quantile(seen, [0.5, 0.95], axis=0)
        print(f"{name:15s} own page {own:5.0f} ms   the other's {other:5.0f} ms, 95 % {high:5.0f} ms   of {len(seen)}")


if __name__ == "__main__":
    main()
