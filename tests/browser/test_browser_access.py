"""Access: axe-core finds nothing serious on any page, light or dark; marks of focus, sizes of what is pressed."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import settled, train_in

from flowlab.dashboard.shell.pages import PAGES

pytestmark = pytest.mark.browser

AXE = Path(__file__).resolve().parents[2] / "node_modules" / "axe-core" / "axe.min.js"
QUERY = "data=moons&data.n_samples=1000&data.anomaly_share=0.05&model=gaussian&seed=41"

FINDINGS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}"""


@pytest.fixture(scope="session")
def axe() -> str:
    """The path of axe-core, which `npm ci` installs. Without npm nobody can: the test is skipped, with the reason."""
    if not AXE.is_file():
        message = "axe-core is not installed: run npm ci"
        if os.environ.get("FLOWLAB_REQUIRE_BROWSER") == "1" and shutil.which("npm"):
            pytest.fail(message)
        pytest.skip(message)
    return str(AXE)


@pytest.fixture(scope="module")
def trained(app_server, browser) -> str:
    """The address of an app in which QUERY is trained."""
    train_in(browser, f"{app_server.url}/detect?{QUERY}")
    return app_server.url


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(trained, open_page, axe, dark):
    page = open_page("about:blank", dark=dark)
    found = {}
    for name in (entry.key for entry in PAGES):
        page.goto(f"{trained}/{name}?{QUERY}")
        page.wait_for_selector("[data-testid=stMainBlockContainer] :is(h1, h2, h3, h4)", timeout=60_000)
        settled(page, 60_000)
        page.add_script_tag(path=axe)
        if findings := page.evaluate(FINDINGS):
            found[name] = findings
    assert not found, "\n".join(f"{name}: {finding}" for name, some in found.items() for finding in some)


def test_what_is_pressed_is_large_enough_and_shows_its_focus(fresh_server, open_page):
    page = open_page(f"{fresh_server.url}/train?{QUERY}")
    page.wait_for_selector("[data-testid=stMainBlockContainer] h4", timeout=60_000)
    settled(page, 60_000)
    help = page.get_by_role("button", name="Help for Data")
    hits = """button => {
        const { x, y, width, height } = button.getBoundingClientRect();
        return [[-15, 0], [15, 0], [0, -15], [0, 15]].map(([dx, dy]) =>
            document.elementFromPoint(x + width / 2 + dx, y + height / 2 + dy)?.closest("button") === button);
    }"""
    page.wait_for_timeout(500)  # until the style sheet has arrived
    assert help.evaluate(hits) == [True] * 4
    link = page.get_by_test_id("stTopNavLink").first
    assert link.bounding_box()["height"] >= 32
    help.focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            """() => { const e = document.activeElement, { outlineStyle, outlineWidth } = getComputedStyle(e);
            const counts = e.matches('a, button, summary, [type=range]');
            return [counts, outlineStyle, parseFloat(outlineWidth), e.outerHTML]; }"""
        )
        if shown[0]:
            assert shown[1] == "solid" and shown[2] >= 2, shown[3][:200]
