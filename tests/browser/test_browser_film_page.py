"""The page of a run in a real browser: opened from disk it draws, plays, follows the theme, and asks no network."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import COUNT_DRAWINGS
from PIL import Image

from flowlab.models.detector import Detector
from flowlab.models.flows.families import SplineCouplingFlow
from flowlab.serving.film import Film, widget_script
from flowlab.toys.curves import Moons

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def moons_film() -> Film:
    return SplineCouplingFlow(n_layers=2, n_steps=400).film(Moons(noise=0.05))


@pytest.fixture(scope="module")
def page_file(moons_film, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "moons.html"
    moons_film.save(path)
    return path


def listen(page) -> tuple[list[str], list[str]]:
    """What the page asks for, and what it says on the console, from now on."""
    requests, said = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    return requests, said


def until(page, condition: str, seconds: float = 20) -> None:
    """Wait for a condition; Playwright's own way evaluates text in the page, which the page forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"() => {condition}"):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(50)


def pixels(canvas) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).astype(int).reshape(-1, 3)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_opens_from_disk_without_a_network_and_draws(open_page, page_file, dark):
    page = open_page("about:blank", dark=dark)
    requests, said = listen(page)
    page.goto(page_file.as_uri())
    until(page, "window.drawn.film && window.drawn.layers")
    page.wait_for_timeout(300)
    canvases = page.locator("canvas[role=img]")
    assert canvases.count() == 4
    for i in range(4):
        seen = pixels(canvases.nth(i))
        assert len(np.unique(seen, axis=0)) > 20, "the canvas is blank"
        assert np.median(seen, axis=0).mean() < 70 if dark else np.median(seen, axis=0).mean() > 200
    assert "above the truth" in canvases.nth(2).get_attribute("aria-label")
    assert [url for url in requests if not url.startswith(("file:", "blob:"))] == []
    assert said == []


def test_film_and_layers_play_and_colours_follow_the_system(open_page, page_file):
    page = open_page(page_file.as_uri())
    until(page, "window.drawn.film && window.drawn.layers")
    assert page.evaluate("window.drawn.film.step") == 400
    for i, name in enumerate(("film", "layers")):
        page.get_by_role("button", name="Play").nth(i).click()
        until(page, f"window.drawn.{name}.playing && window.drawn.{name}.frames > 5")
        assert page.get_by_role("button", name="Pause").count() == 1, i
        page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Samples").click()
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(400)
    assert np.median(pixels(page.locator("canvas[role=img]").first), axis=0).mean() < 70


def test_a_model_without_pictures_says_so(open_page, tmp_path):
    Detector(n_flows=1, n_steps=20).film(Moons().sample(200, random_state=0)).save(tmp_path / "detector.html")
    page = open_page((tmp_path / "detector.html").as_uri())
    until(page, "window.drawn.film")
    assert page.get_by_text("Detector has no density, no samples, no latent space, no layers.").is_visible()
    assert not page.get_by_role("button", name="Samples").is_visible()


def test_a_notebook_shows_it_in_a_frame(open_page, moons_film):
    page = open_page("about:blank")
    _, said = listen(page)
    page.set_content(moons_film._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator("canvas[role=img]").nth(3).wait_for()
    page.wait_for_timeout(500)
    assert len(np.unique(pixels(frame.locator("canvas[role=img]").first), axis=0)) > 20
    assert said == []


def test_the_widget_draws_on_the_notebooks_background_and_tells_where_its_reader_stands(open_page, moons_film):
    page = open_page("about:blank")
    page.set_content('<body style="background: rgb(17, 17, 17)"><div id="cell" style="width: 1000px"></div></body>')
    page.add_script_tag(content=COUNT_DRAWINGS)
    page.evaluate(
        """async ([script, show]) => {
          const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
          const { default: widget } = await import(url);
          window.told = { saved: 0 };
          const set = (name, value) => { told[name] = value; };
          const model = { get: () => show, set, save_changes: () => told.saved++ };
          window.end = widget.render({ model, el: document.getElementById("cell") });
        }""",
        [widget_script(), json.dumps(json.loads(moons_film._show))],
    )
    until(page, "window.drawn.film && window.drawn.layers")
    page.wait_for_timeout(300)
    assert np.median(pixels(page.locator("canvas[role=img]").first), axis=0).mean() < 70
    slider = page.get_by_role("slider", name="Layer")
    slider.focus()
    slider.press("End")
    until(page, "window.told.layer === 2")
    assert page.evaluate("told.saved") >= 1
    page.evaluate("end()")
