"""Pages fit the windows people have: a laptop, a large screen, a projector in presenter mode, narrow windows."""

import pytest
from conftest import settled, train_in

pytestmark = pytest.mark.browser

QUERY = "data=moons&data.n_samples=2000&model=affine&model.n_layers=3&model.n_steps=60&seed=17"
VIEWS = {
    "train": "train?",
    "two runs": "train?train.beside=spline&",
    "film": "explore?explore.view=Film&",
    "layers": "explore?explore.view=Layers&",
}

CUT = """() => {
  const found = [];
  const look = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) look(e.shadowRoot);
      const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
      const hidden = getComputedStyle(e).overflowX !== "visible";
      const shown = e.checkVisibility({ opacityProperty: true });
      if (text && hidden && shown && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1)
        found.push(`${e.textContent.trim()} (${e.scrollWidth} px in ${e.clientWidth})`);
    }
  };
  look(document.querySelector("[data-testid=stMain]"));
  return found;
}"""

SMALLEST = """() => {
  let least = [Infinity, ""];
  const look = (root) => {
    for (const e of root.querySelectorAll("*")) {
      if (e.shadowRoot) look(e.shadowRoot);
      const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
      const icon = e.matches("[data-testid=stIconMaterial], style, script, title");
      if (!text || icon || !e.checkVisibility({ opacityProperty: true }) || !e.getBoundingClientRect().width) continue;
      // a formula's letters; its fractions and indices are smaller by rule
      const size = parseFloat(getComputedStyle(e.closest(".katex") ?? e).fontSize);
      if (size < least[0]) least = [size, text];
    }
  };
  look(document.querySelector("[data-testid=stMain]"));
  return least;
}"""

# the smallest letters that a canvas of the page has been given, in CSS pixels
CANVAS_TYPE = """() => {
  const { set, get } = Object.getOwnPropertyDescriptor(CanvasRenderingContext2D.prototype, "font");
  window.letters = Infinity;
  Object.defineProperty(CanvasRenderingContext2D.prototype, "font", {
    get,
    set(font) { letters = Math.min(letters, parseFloat(font.match(/([\\d.]+)px/)[1])); set.call(this, font); },
  });
}"""

FITS = (
    "(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight)(document.querySelector('[data-testid=stMain]'))"
)

# what a canvas has written of another model than the present one
LABELS = """() => {
  window.ghosts = [];
  const write = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...where) {
    if (text.startsWith("before: ")) ghosts.push(text);
    return write.call(this, text, ...where);
  };
}"""

# the cumulative layout shift, as a sum from the first picture on
SHIFTS = """() => {
  window.shifts = 0;
  const add = (list) => {
    for (const { value, hadRecentInput } of list.getEntries()) shifts += hadRecentInput ? 0 : value;
  };
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
}"""


def arrive(page, url: str) -> None:
    """Open a page and wait until it is drawn."""
    page.goto(url)
    page.wait_for_selector("[data-testid=stMainBlockContainer] :is(h1, h2, h3, h4)", timeout=60_000)
    settled(page, 60_000)
    page.wait_for_timeout(700)  # until the style sheet has come and the canvases have followed it


@pytest.fixture(scope="module")
def trained(app_server, browser) -> str:
    """The address of an app in which QUERY is trained."""
    train_in(browser, f"{app_server.url}/detect?{QUERY}")
    return app_server.url


def test_nothing_scrolls_on_a_laptop_and_a_large_screen_is_used(trained, open_page):
    page = open_page("about:blank")
    for name, path in VIEWS.items():
        arrive(page, f"{trained}/{path}{QUERY}")
        page.wait_for_function("Object.keys(drawn).length", timeout=30_000)
        excess = page.get_by_test_id("stMain").evaluate("main => main.scrollHeight - main.clientHeight")
        assert excess <= 0, f"{name}: {excess} px lie below the window"
    page.set_viewport_size({"width": 1920, "height": 1080})
    for name in ("film", "train"):
        arrive(page, f"{trained}/{VIEWS[name]}{QUERY}")
        page.wait_for_function("Object.keys(drawn).length", timeout=30_000)
        free = page.get_by_test_id("stMain").evaluate("""main => {
            const hosts = [...main.querySelectorAll("*")].filter((e) => e.shadowRoot?.querySelector("canvas"));
            const canvases = hosts.flatMap((e) => [...e.shadowRoot.querySelectorAll("canvas")]);
            const [left, right] = canvases.map((c) => c.getBoundingClientRect()).filter((box) => box.width);
            return 1 - (right.right - left.left) / main.clientWidth;
        }""")
        assert free < 0.05, f"{name}: {free:.1%} of the width is empty"


def test_letters_of_presenter_mode_are_read_from_the_back_row_and_keys_lead_through_it(trained, open_page):
    page = open_page("about:blank")
    page.add_init_script(f"({CANVAS_TYPE})()")
    views = (f"explore?explore.view={name}&" for name in ("Density", "Samples", "Latent", "Layers", "Film"))
    for path in ("train?", *views, "detect?", "compare?", "learn?learn.lesson=change&"):
        arrive(page, f"{trained}/{path}{QUERY}&present=1")
        page.wait_for_timeout(800)
        size, text = page.evaluate(SMALLEST)
        assert size >= 20, f"{path}: {text!r} has {size} px"
        assert page.evaluate("letters") >= 20, path
        assert not page.evaluate(CUT), path
        page.wait_for_function(FITS, timeout=20_000)
        assert not page.locator("[data-testid=stSidebar]").is_visible()
        assert not page.get_by_test_id("stTopNavLink").first.is_visible()
    arrive(page, f"{trained}/explore?{QUERY}")
    page.keyboard.press("p")
    page.wait_for_url("**present=1*", timeout=30_000)
    settled(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**explore.view=Samples*", timeout=30_000)
    assert "present=1" in page.url
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "present=1" not in url, timeout=30_000)
    page.go_back()
    page.wait_for_url("**present=1*", timeout=30_000)


def test_a_class_is_shown_training_by_keys_and_a_stage_on_the_whole_screen(fresh_server, open_page):
    link = "/train?data=moons&model=affine&model.n_steps=100000&seed=19&present=1"
    page = open_page(fresh_server.url + link)
    button = {name: page.get_by_role("button", name=name, exact=True) for name in ("Train", "Go on", "Pause")}
    button["Train"].wait_for(timeout=60_000)
    settled(page)
    for key, then in (("s", "Go on"), (" ", "Pause"), (" ", "Go on")):
        page.keyboard.press(key)
        button[then].wait_for(timeout=30_000)
    page.locator("canvas").first.click(position={"x": 150, "y": 120})
    page.wait_for_function("document.fullscreenElement !== null")
    page.mouse.click(600, 400)
    page.wait_for_function("document.fullscreenElement === null")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/explore?*", timeout=30_000)


def test_a_changed_setting_leaves_the_last_model_as_a_ghost_and_a_link_settles_without_jumps(trained, open_page):
    page = open_page("about:blank")
    page.add_init_script(f"({LABELS})(); ({SHIFTS})()")
    for path in ("learn?", f"detect?{QUERY}", f"train?{QUERY}"):
        arrive(page, f"{trained}/{path}")
        page.wait_for_timeout(1000)
        assert page.evaluate("shifts") < 0.15, path
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first stop leads past the sidebar
    assert page.evaluate("document.activeElement.dataset.testid") == "stMain"
    assert page.evaluate("ghosts.length") == 0
    layers = page.get_by_role("slider", name="Layers").first
    layers.focus()
    layers.press("ArrowRight")
    page.wait_for_function("ghosts.length", timeout=30_000)
    assert page.evaluate("ghosts.at(-1)") == "before: Affine coupling flow, layers 3, step 60"


@pytest.mark.parametrize("width", [800, 390])
def test_no_words_are_cut_in_a_narrow_window(trained, open_page, width):
    page = open_page("about:blank", viewport={"width": width, "height": 850})
    found = {}
    for name in ("train?", "explore?", "explore?explore.view=Layers&", "data?", "compare?"):
        arrive(page, f"{trained}/{name}{QUERY}")
        if cut := page.evaluate(CUT):
            found[name] = cut
    assert not found, found
