"""Lessons in the browser: every step fits a projector's screen, and comes along to the run it leads to."""

import re

import pytest
from conftest import settled
from playwright.sync_api import expect

from flowlab.teaching.lessons import ExhibitBlock, RunBlock, lessons

pytestmark = pytest.mark.browser

OVERFLOW = """() => {
  const main = document.querySelector('[data-testid="stMain"]');
  return main.scrollHeight - main.clientHeight;
}"""


def heading(page, step):
    plain = re.sub(r"\s*\$[^$]*\$\s*", ".*", re.escape(step.title).replace(r"\$", "$"))
    return page.get_by_role("heading", name=re.compile(plain))


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.key)
def test_every_step_fits_a_presenters_screen(app_server, open_page, lesson):
    """All steps but those whose exhibit trains for seconds first; their layout is the same."""
    page = open_page("about:blank")
    too_high = {}
    for i, step in enumerate(lesson.steps):
        exhibits = [part.exhibit for part in step.parts if isinstance(part, ExhibitBlock)]
        if any(exhibit.is_slow for exhibit in exhibits):
            continue
        page.goto(f"{app_server.url}/learn?learn.lesson={lesson.key}&learn.step={i + 1}&present=1")
        expect(heading(page, step)).to_be_visible(timeout=60_000)
        settled(page, 60_000)
        if exhibits:
            expect(page.locator('[data-testid="stPlotlyChart"]:visible').first).to_be_visible(timeout=90_000)
        expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
        if (over := page.evaluate(OVERFLOW)) > 4:
            too_high[step.title] = over
    assert not too_high, "pixels below the screen"


def test_a_step_comes_along_to_its_run_and_back(fresh_server, open_page):
    lesson, at, block = next(
        (lesson, at, block)
        for lesson in lessons()
        for at, step in enumerate(lesson.steps)
        for block in step.parts
        if isinstance(block, RunBlock) and block.page in ("train", "explore")
    )
    page = open_page(f"{fresh_server.url}/learn")
    settled(page, 60_000)
    for other in lessons():
        expect(page.get_by_role("heading", name=other.title)).to_be_visible(timeout=60_000)
    page.goto(f"{fresh_server.url}/learn?learn.lesson={lesson.key}&learn.step={at + 1}")
    page.get_by_role("button", name=block.label).click(timeout=60_000)
    page.wait_for_url(f"**/{block.page}?*lesson={lesson.key}.{at + 1}*", timeout=60_000)
    settled(page, 60_000)
    panel = page.locator(".st-key-lesson-beside")
    expect(panel).to_contain_text(f"step {at + 1} of {len(lesson.steps)}", timeout=30_000)
    for key, value in block.spec.to_query().items():
        assert f"{key}={value}" in page.url
    panel.get_by_role("button", name="Lesson", exact=True).click()
    expect(heading(page, lesson.steps[at])).to_be_visible(timeout=60_000)
    assert f"learn.step={at + 1}" in page.url and "lesson=" + lesson.key + "." not in page.url


def test_a_control_of_an_exhibit_answers_and_stands_in_the_link(fresh_server, open_page):
    page = open_page(f"{fresh_server.url}/learn?learn.lesson=change")
    slider = page.get_by_role("slider", name="Stretch sigma")
    slider.wait_for(timeout=60_000)
    settled(page, 60_000)
    before = page.get_by_test_id("stCaptionContainer").last.inner_text()
    slider.focus()
    slider.press("ArrowRight")
    expect(page.get_by_test_id("stCaptionContainer").last).not_to_have_text(before, timeout=30_000)
    page.wait_for_url("**learn.narrow.sigma=0.55*", timeout=30_000)
    charts = page.get_by_test_id("stPlotlyChart")
    expect(charts).to_have_count(1)
    page.get_by_text("Ask the class:").click()
    expect(charts).to_have_count(2, timeout=30_000)
