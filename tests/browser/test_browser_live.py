"""The canvas components in a real browser: they draw, they move, they stay small, they answer."""

import io
import json
import re
import time

import numpy as np
import pytest
from PIL import Image

from flowlab.dashboard.canvas.component import pack
from flowlab.dashboard.canvas.live import loss_arrays
from flowlab.formatting import count, fixed
from tests.browser.apps.live_app import event

pytestmark = pytest.mark.browser


def live(page):
    return page.evaluate("window.drawn.live")


def frames_possible(page, name: str) -> float:
    """Frames a second that the page's main thread has time for, by its CPU clock: other work on the machine does not
    count. Prints the rate that was seen."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def now():
        metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
        return page.evaluate(f"window.drawn.{name}.frames"), time.monotonic(), metrics["TaskDuration"]

    frames, clock, cpu = now()
    page.wait_for_timeout(1500)
    more, later, used = now()
    rate = (more - frames) / (used - cpu)
    print(f"{name}: {(more - frames) / (later - clock):.0f} frames/s seen, {rate:.0f} frames/s possible")
    return rate


def picture(locator) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(locator.screenshot())).convert("RGB")).astype(int)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_that_moves_is_visible_and_drawn(serve_script, open_page, dark):
    page = open_page(serve_script("tests/browser/apps/live_app.py").url + "/?period=0&ticks=20", dark=dark)
    page.wait_for_function("window.drawn.live?.first_picture")
    page.wait_for_timeout(300)
    canvases = page.locator("canvas[role=img]")
    assert canvases.count() == 3
    for i in range(3):
        box = canvases.nth(i).bounding_box()
        assert box["y"] + box["height"] <= 800 and box["x"] + box["width"] <= 1280
        pixels = picture(canvases.nth(i))
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20, "the canvas is blank"
        background = np.median(pixels.reshape(-1, 3), axis=0).mean()
        assert background < 70 if dark else background > 200
    assert "above the truth" in canvases.nth(2).get_attribute("aria-label")
    assert "within radius 2" in canvases.nth(1).get_attribute("aria-label")


def test_ticks_move_points_smoothly_and_travel_light(serve_script, open_page):
    sizes = []
    page = open_page("about:blank")
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: sizes.append(len(data))))
    page.goto(serve_script("tests/browser/apps/live_app.py").url + "/?period=0.25&ticks=400")
    page.wait_for_function("window.drawn.live?.updates >= 4", timeout=20_000)
    before, began = live(page), time.monotonic()
    page.wait_for_function(f"window.drawn.live.updates >= {before['updates'] + 12}", timeout=60_000)
    after, seconds = live(page), time.monotonic() - began
    updates, frames = after["updates"] - before["updates"], after["frames"] - before["frames"]
    milliseconds = (after["draw_ms"] - before["draw_ms"]) / frames
    ticks = [n for n in sizes if n > 5000][2:]
    print(f"{updates / seconds:.1f} updates/s, {frames / seconds:.0f} frames/s, {milliseconds:.1f} ms a frame, "
          f"{np.mean(ticks) / 1e3:.1f} kB a tick")  # fmt: skip
    assert frames >= 4 * updates, "points must travel between ticks"
    assert max(ticks) < 20_000, "the script must not travel with every tick"


def test_the_picture_does_not_flicker(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/live_app.py").url + "/?period=0.25&ticks=400")
    page.wait_for_function("window.drawn.live?.updates >= 6", timeout=20_000)
    stage = page.locator("canvas[role=img]").first
    handle = stage.element_handle()
    opacity = "e => getComputedStyle(e.getRootNode().host.closest('[data-testid=stElementContainer]')).opacity"
    spread = []
    for _ in range(8):
        spread.append(picture(stage).std())
        assert handle.evaluate(opacity) == "1", "the stage fades while the server is slow"
    assert min(spread) > 0.6 * max(spread), f"a frame was blank: {spread}"
    assert handle.evaluate("e => e.isConnected"), "the canvas was replaced"


def test_reduced_motion_jumps(serve_script, open_page):
    url = serve_script("tests/browser/apps/live_app.py").url + "/?period=0.3&ticks=400"
    page = open_page(url, reduced_motion="reduce")
    page.wait_for_function("window.drawn.live?.updates >= 4", timeout=20_000)
    before = live(page)
    page.wait_for_function(f"window.drawn.live.updates >= {before['updates'] + 6}")
    after = live(page)
    frames = (after["frames"] - before["frames"]) / (after["updates"] - before["updates"])
    assert frames <= 2.5, f"{frames} frames for each update although motion is unwanted"


def test_hover_tells_values_and_chips_answer_the_keyboard(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/live_app.py").url + "/?period=0&ticks=20")
    page.wait_for_function("window.drawn.live?.first_picture")
    page.locator("canvas[role=img]").nth(2).hover(position={"x": 200, "y": 50})
    tip = page.locator(".tip")
    assert "step" in tip.inner_text() and "nats" in tip.inner_text()
    stage = page.locator("canvas[role=img]").first
    before = picture(stage)
    chip = page.get_by_role("button", name="Samples")
    assert chip.get_attribute("aria-pressed") == "false" and chip.bounding_box()["height"] >= 32
    chip.focus()
    page.keyboard.press("Space")
    page.wait_for_timeout(200)
    assert chip.get_attribute("aria-pressed") == "true"
    assert np.abs(picture(stage) - before).max() > 50


def test_the_film_plays_2000_points_at_30_frames_a_second_without_reruns(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/film_app.py").url)
    page.wait_for_function("window.drawn.film?.frames > 0")
    assert page.get_by_text("frame 59 · run 1").is_visible()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(2000)
    film = page.evaluate("window.drawn.film")
    stage = page.locator("canvas[role=img]").first
    middle = picture(stage)
    assert film["playing"] and 0 < film["position"] < 59 and film["position"] % 1
    assert frames_possible(page, "film") >= 30
    page.wait_for_timeout(500)
    assert np.abs(picture(stage) - middle).max() > 50, "the points do not move"
    assert page.get_by_text("run 1").is_visible(), "playing must not rerun the page"
    if page.get_by_role("button", name="Play").is_visible():  # a busy machine has seen its end meanwhile
        page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("run 2").wait_for()
    stopped = page.evaluate("window.drawn.film.position")
    assert stopped == int(stopped) < 59
    assert page.get_by_text(f"frame {stopped:.0f} · run 2").is_visible()


def test_the_words_are_those_of_what_is_drawn(serve_script, open_page):
    """Of the step at which the film stands, and of all rows where anomalies are shown more often than they occur."""
    page = open_page(serve_script("tests/browser/apps/film_app.py").url + "/?points=300")
    page.wait_for_function("window.drawn.film?.frames > 0")
    loss = page.locator("canvas[role=img]").nth(2)
    page.get_by_role("slider").focus()
    for key in ("End", "PageDown"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        step = round(page.evaluate("window.drawn.film.step"))
        last = event(step // 50)  # the newest event that is not after the step
        said = f"step {count(step)} of 2\u2009000, validation {fixed(last.val_loss)} nats, "
        assert loss.get_attribute("aria-label") == f"Loss: {said}{fixed(last.val_loss - 0.287)} nats above the truth."
        assert page.locator(".strip .note").inner_text() in loss.get_attribute("aria-label")
    page = open_page(serve_script("tests/browser/apps/live_app.py").url + "/?period=0&ticks=20&label=1")
    page.wait_for_function("window.drawn.live?.first_picture")
    words = "30 of the 600 points are anomalies; 1.0 % of the rows are, shown more often than they occur."
    assert page.locator(".note.below").inner_text() == words
    assert page.locator("canvas[role=img]").first.get_attribute("aria-label").endswith(words)


def test_the_film_answers_the_keyboard(serve_script, open_page):
    sizes = []
    page = open_page("about:blank")
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: sizes.append(len(data))))
    page.goto(serve_script("tests/browser/apps/film_app.py").url + "/?points=300")
    page.wait_for_function("window.drawn.film?.frames > 0")
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("PageUp")
    page.get_by_text("frame 11 · run 2").wait_for()
    assert slider.get_attribute("aria-valuetext") == "step 372"
    page.keyboard.press("Space")
    page.wait_for_function("window.drawn.film.playing && window.drawn.film.position > 12")
    page.keyboard.press("Space")
    page.wait_for_function("!window.drawn.film.playing")
    page.get_by_text("run 3").wait_for()
    large = [n for n in sizes if n > 100_000]
    assert len(large) == 1 and large[0] < 2e6, f"the film must travel once, not with every rerun: {large}"


def test_a_film_grows_while_it_plays_and_follows_at_its_end(serve_script, open_page):
    sizes = []
    page = open_page("about:blank")
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: sizes.append(len(data))))
    page.goto(serve_script("tests/browser/apps/film_app.py").url + "/?growing=8")
    page.wait_for_function("window.drawn.film?.length >= 12", timeout=20_000)
    page.wait_for_function("window.drawn.film.position > 9")  # nobody has touched it: it follows
    handle = page.locator("canvas[role=img]").first.element_handle()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    before = page.evaluate("window.drawn.film")
    page.wait_for_function(f"window.drawn.film.length >= {before['length'] + 4}")
    after = page.evaluate("window.drawn.film")
    assert after["playing"] and after["position"] > before["position"], "growing must not stop it"
    assert handle.evaluate("e => e.isConnected") and page.get_by_text("run 1").is_visible()
    page.keyboard.press("Space")
    page.wait_for_timeout(700)
    stopped = page.evaluate("window.drawn.film")
    page.wait_for_function(f"window.drawn.film.length > {stopped['length']}")
    assert page.evaluate("window.drawn.film.step") == stopped["step"], "one who looks at a frame is left there"
    large = [n for n in sizes if n > 60_000]
    assert len(large) <= 2, f"only new frames travel, each twice: {large}"


def layers(page):
    return page.evaluate("window.drawn.layers")


def test_the_layers_play_2000_points_and_a_lattice_at_30_frames_a_second(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/layers_app.py").url, dark=True)
    page.wait_for_function("window.drawn.layers?.frames > 0")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(2000)
    now = layers(page)
    assert now["playing"] and now["position"] > 0 and frames_possible(page, "layers") >= 30
    page.wait_for_function("window.drawn.layers.position > 3.9", timeout=10_000)
    page.get_by_text(re.compile("layer 4 ")).wait_for(timeout=10_000)  # what stands beside it follows
    assert layers(page)["playing"], "following must not stop it"
    page.wait_for_function("window.drawn.layers.position < 3.5", timeout=10_000)  # and back


def test_a_click_on_a_point_reports_its_row(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/layers_app.py").url + "/?points=60&flat=1")
    page.wait_for_function("window.drawn.layers?.frames > 0")
    canvas = page.locator("canvas[role=img]")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("row 0 · run 2").wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_text("row 1 · run 3").wait_for()
    page.wait_for_timeout(300)
    assert layers(page)["row"] == 1
    assert "log volume change so far" in page.locator(".note.below").inner_text()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    page.get_by_text("layer 4 · row 1").wait_for()
    assert layers(page)["position"] == 4
    assert "Latent space" in canvas.get_attribute("aria-label")


def test_a_lasso_marks_the_same_rows_everywhere(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/brush_app.py").url)
    page.wait_for_function("window.drawn.brush?.frames > 0")
    data, latent, scores = (page.locator("canvas[role=img]").nth(i) for i in range(3))
    before = picture(latent)
    box = data.bounding_box()
    left, top, right, bottom = box["x"] + 45, box["y"] + 10, box["x"] + 130, box["y"] + box["height"] - 45
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.wait_for_function("window.drawn.brush.marked > 20")
    marked = page.evaluate("window.drawn.brush.marked")
    page.get_by_text(f"marked {marked} ·").wait_for()  # Python has heard what was marked
    page.wait_for_timeout(300)
    assert page.evaluate("window.drawn.brush.marked") == marked < 300
    assert np.abs(picture(latent) - before).max() > 50, "the marks must show in latent space too"
    scores.focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function("window.drawn.brush.marked < 400 && window.drawn.brush.marked > 0")
    page.keyboard.press("Escape")
    page.get_by_text("marked 0").wait_for()
    page.get_by_text("Mark the highest 5 %").click()
    page.get_by_text("marked 30 ·").or_(page.get_by_text("marked 31 ·")).wait_for()
    page.get_by_text("Mark labelled anomalies").click()
    page.get_by_text("marked 42 ·").wait_for()  # as many points lie right of 1.9


def test_points_can_be_drawn_erased_and_undone(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/brush_app.py").url + "/?paint=1")
    canvas = page.locator("canvas[role=img]")
    canvas.wait_for()
    box = canvas.bounding_box()

    def drag(dx):
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.mouse.down()
        page.mouse.move(box["x"] + 200 + dx, box["y"] + 200, steps=10)
        page.mouse.up()

    drag(100)
    page.wait_for_function("window.drawn.paint.points > 40")
    drawn = page.evaluate("window.drawn.paint.points")
    page.get_by_text(f"drawn {drawn} · anomalies 0").wait_for()
    page.get_by_role("button", name="Anomalies").click()
    canvas.focus()
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.get_by_text(f"drawn {drawn + 5} · anomalies 5").wait_for()
    page.get_by_role("button", name="Eraser").click()
    drag(150)
    page.get_by_text("drawn 5 · anomalies 5").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text(f"drawn {drawn + 5} · anomalies 5").wait_for()


def test_a_pictures_pixels_can_be_painted_and_put_back(serve_script, open_page):
    page = open_page(serve_script("tests/browser/apps/brush_app.py").url + "/?pixels=1")
    canvas = page.locator("canvas[role=img]")
    canvas.wait_for()
    page.get_by_text("painted 0 · light 0").wait_for()
    box = canvas.bounding_box()
    side = box["width"] / 6
    assert box["height"] == pytest.approx(4 * side, abs=1), "pixels are square"
    page.mouse.move(box["x"] + side / 2, box["y"] + side / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 3.5 * side, box["y"] + side / 2)
    page.mouse.up()
    page.get_by_text("painted 4 · light 4").wait_for()
    page.get_by_role("button", name="Dark").click()
    canvas.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.get_by_text("painted 5 · light 4").wait_for()
    page.get_by_label("Colour of the brush").fill("#336699")
    page.mouse.click(box["x"] + 5.5 * side, box["y"] + 3.5 * side)
    page.get_by_text("painted 6 · light 4").wait_for()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("painted 5 · light 4").wait_for()
    page.get_by_role("button", name="Reset").click()
    page.get_by_text("painted 0 · light 0").wait_for()


def test_packed_arrays_are_aligned_and_nan_becomes_null():
    block = pack({"a": float("nan"), "name": "<b>&ü"}, {"x": np.zeros((2, 3), np.float16), "y": np.ones(5, np.uint8)})
    n = int.from_bytes(block[:4], "little")
    header = json.loads(block[4 : 4 + n])
    assert header["a"] is None and header["name"] == "<b>&ü"
    offsets = {name: (kind, shape, offset) for name, kind, shape, offset in header["arrays"]}
    assert offsets["x"][2] == 4 + n and offsets["x"][2] % 4 == 0
    assert block[offsets["y"][2] : offsets["y"][2] + 5] == b"\1" * 5


def test_a_long_loss_curve_is_thinned_but_keeps_its_ends():
    from flowlab.records import TrainEvent

    events = [TrainEvent(i, 5000, 0.0, float(i), float("nan"), 0.0, 0.0) for i in range(5000)]
    thinned = loss_arrays(events)
    assert len(thinned["loss_step"]) == 240
    assert thinned["loss_step"][0] == 0 and thinned["loss_step"][-1] == 4999
