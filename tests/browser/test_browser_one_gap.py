"""One distance from the truth on everything that the Train page shows of a finished run, the drawn strip included."""

import re

import pytest
from conftest import settled

QUERY = "data=moons&data.n_samples=500&model=affine&model.n_steps=200&model.n_layers=4&model.regularize=none"
DISTANCE = re.compile(r"(\d+\.\d{3}) nats (?:above|below) the truth")


@pytest.mark.browser
def test_headline_line_strip_and_report_say_one_number(fresh_server, page):
    page.goto(f"{fresh_server.url}/train?{QUERY}")
    page.get_by_role("button", name="Train", exact=True).click(timeout=60_000)
    page.get_by_role("link", name=re.compile("above the truth.*trained in")).wait_for(timeout=120_000)
    settled(page, 60_000)
    page.wait_for_timeout(1500)
    strip = page.locator(".strip .note").inner_text()
    shown = {part: DISTANCE.findall(text) for part, text in (
        ("headline", page.get_by_role("link", name=re.compile("above the truth")).first.inner_text()),
        ("page", page.locator("[data-testid=stMain]").inner_text()),
        ("strip", strip),
        ("its text", page.locator("canvas[aria-label^='Loss:']").get_attribute("aria-label")),
    )}  # fmt: skip
    assert all(shown.values()), shown
    assert len({number for numbers in shown.values() for number in numbers}) == 1, shown

    page.goto(f"{fresh_server.url}/detect?{QUERY}")
    page.get_by_role("button", name="Report (HTML)").wait_for(timeout=90_000)
    settled(page, 60_000)
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("button", name="Report (HTML)").first.click()
    report = download.value.path().read_text()
    assert set(DISTANCE.findall(report)) == set(shown["strip"])
