"""Back and Forward walk through what was done, one entry for each deliberate change; a slider leaves none."""

import pytest
from conftest import settled
from playwright.sync_api import expect

QUERY = "data=moons&data.n_samples=1000&model=affine&model.n_layers=3&model.n_steps=50&seed=32"


def arrive(page, **settings):
    """Wait until the address says these settings and the page is quiet."""
    for name, value in settings.items():
        page.wait_for_url(lambda url: f"{name.replace('_', '.')}={value}" in url, timeout=60_000)  # noqa: B023
    settled(page, 60_000)


@pytest.mark.browser
def test_back_and_forward_walk_through_views_rows_and_pages(fresh_server, page):
    page.goto(f"{fresh_server.url}/explore?{QUERY}")
    page.get_by_role("button", name="Train this model").click(timeout=60_000)
    page.get_by_role("radio", name="Latent").wait_for(timeout=90_000)
    settled(page, 60_000)
    length, seen = page.evaluate("history.length"), [page.url]

    def did(**settings):
        arrive(page, **settings)
        seen.append(page.url)

    for view in ("Latent", "Layers", "Receipt"):
        page.get_by_role("radio", name=view).click()
        did(explore_view=view)
    for row in (5, 17):
        box = page.get_by_label("Row (or click a point)")
        box.fill(str(row))
        box.press("Enter")
        did(explore_row=row)
    for title in ("Train", "Detect", "Explore"):
        page.get_by_role("link", name=title, exact=True).first.click()
        page.wait_for_url(f"**/{title.lower()}?*", timeout=60_000)
        settled(page, 60_000)
        seen.append(page.url)
    for view in ("Density", "Samples"):
        page.get_by_role("radio", name=view).click()
        did(explore_view=view)
    page.locator("summary").filter(has_text="Data:").click()  # a closed card away from Data and Train
    slider = page.get_by_role("slider", name="Noise").first
    slider.focus()
    slider.press("ArrowRight")
    arrive(page, data_noise="0.06")
    seen[-1] = page.url
    assert page.evaluate("history.length") == length + 10, "one entry for each change, none for the slider"

    for url in reversed(seen[:-1]):
        page.go_back()
        expect(page).to_have_url(url, timeout=30_000)
        settled(page, 60_000)
        expect(page).to_have_url(url)
        if "explore.row=5" in url:
            expect(page.get_by_label("Row (or click a point)")).to_have_value("5", timeout=30_000)
    for url in seen[1:4]:
        page.go_forward()
        expect(page).to_have_url(url, timeout=30_000)
        settled(page, 60_000)
    expect(page.get_by_role("radio", name="Receipt")).to_be_checked()


@pytest.mark.browser
def test_the_state_is_shared_as_a_link(fresh_server, page):
    page.goto(f"{fresh_server.url}/train?{QUERY}")
    page.get_by_role("button", name="Share").click(timeout=60_000)
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("code").first).to_contain_text(page.url, timeout=30_000)
    expect(dialog).to_contain_text("works on this computer alone")
