"""Two visitors of one link: each sees what the other does within a second, and nobody stops another's run."""

import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
from conftest import settled

from flowlab import catalog
from flowlab.records import RunSpec

pytestmark = pytest.mark.browser

LINK = "/train?data=moons&model=affine&model.n_steps=100000&seed=77"
WITHIN = 5000
"""Time to see what the other did, in ms: a second, and what a busy machine adds to it."""


def button(page, label):
    return page.get_by_role("button", name=label, exact=True)


def press(page, label):
    button(page, label).click()
    return time.monotonic()


def sees(page, label, timeout=20_000):
    button(page, label).wait_for(timeout=timeout)


def headline(page, words, timeout=20_000):
    page.locator("h4", has_text=words).wait_for(timeout=timeout)


def has_taken_a_step(page):
    page.get_by_text(re.compile(r"step [1-9][\d\s]* of ")).first.wait_for(timeout=60_000)


def test_two_visitors_of_one_link(fresh_server, open_page):
    teacher, student = open_page(fresh_server.url + LINK), open_page(fresh_server.url + LINK)
    for page in (teacher, student):
        sees(page, "Train", 60_000)
        settled(page)
    press(teacher, "Train")
    has_taken_a_step(teacher)  # a run that is stopped before is begun again in its place
    sees(teacher, "Pause")
    headline(student, "in training", WITHIN)
    sees(student, "Make it mine", WITHIN)
    assert button(student, "Pause").count() == button(student, "Stop").count() == 0
    press(teacher, "Pause")
    headline(student, "paused", WITHIN)
    press(teacher, "Go on")
    headline(student, "in training", WITHIN)
    headline(teacher, "in training", WITHIN)

    press(student, "Make it mine")
    sees(student, "Pause")
    has_taken_a_step(student)
    press(student, "Stop")
    headline(student, "stopped")
    assert button(teacher, "Pause").is_enabled(), "a student's Stop is the student's"
    press(student, "Shared run")
    sees(student, "Make it mine", 2 * WITHIN)

    press(teacher, "Stop")
    headline(teacher, "stopped")
    headline(student, "stopped", WITHIN)
    press(teacher, "Start again")
    headline(teacher, "in training")
    headline(student, "stopped")
    press(teacher, "Stop")
    headline(teacher, "stopped")
    press(teacher, "Shared run")
    settled(teacher)


def test_a_fork_is_its_beginners_and_seen_by_who_holds_its_link(fresh_server, open_page):
    link = LINK.replace("seed=77", "seed=79")
    teacher, student = open_page(fresh_server.url + link), open_page(fresh_server.url + "/data")
    sees(teacher, "Train", 60_000)
    press(teacher, "Train")
    headline(teacher, "in training")
    has_taken_a_step(teacher)
    press(teacher, "Stop")
    headline(teacher, "stopped")
    teacher.goto(fresh_server.url + link.replace("/train", "/explore") + "&explore.view=Film")
    opener = teacher.get_by_role("button", name="Fork from step")
    opener.wait_for(timeout=60_000)
    step = "".join(filter(str.isdigit, opener.inner_text()))
    spec = catalog.tidy(RunSpec.from_query(dict(parse_qsl(urlsplit(link).query)), catalog.DEFAULT)[0])[0]
    student.goto(f"{fresh_server.url}{link}&from={catalog.run_id(spec)}@{step}")
    headline(student, "not trained yet", 60_000)
    opener.click()
    sees(teacher, "Begin the fork", 60_000)
    press(teacher, "Begin the fork")
    headline(student, "in training", 2 * WITHIN)
    sees(student, "Make it mine", WITHIN)
    assert button(student, "Stop").count() == 0
    teacher.wait_for_url("**/train?**")  # a press on a page that is about to be left is not heard
    has_taken_a_step(teacher)
    press(teacher, "Stop")
    headline(teacher, "stopped")
    headline(student, "stopped", WITHIN)


def test_explores_pictures_follow_somebody_elses_training(fresh_server, open_page):
    link = LINK.replace("seed=77", "seed=78")
    teacher = open_page(fresh_server.url + link)
    explorer = open_page(fresh_server.url + link.replace("/train", "/explore"))
    sees(teacher, "Train", 60_000)
    press(teacher, "Train")
    explorer.locator(".js-plotly-plot").first.wait_for(timeout=120_000)
    shown = explorer.locator("p", has_text="pictures are of").locator("strong").last
    before = shown.inner_text()
    explorer.wait_for_function(
        "before => { const p = [...document.querySelectorAll('p')].find(p => p.innerText.includes('pictures are of'));"
        " return p && p.querySelector('strong:last-of-type').innerText !== before; }",
        arg=before,
        timeout=60_000,
    )
    assert button(explorer, "Refresh").count() == 0
    press(teacher, "Stop")
    headline(explorer, "stopped")
