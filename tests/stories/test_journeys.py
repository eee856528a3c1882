"""The two journeys of FlowLab in a real browser: a class watches moons form; an analyst leaves with flagged rows."""

import csv
import re

import pytest
from conftest import settled
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.fixture
def warm_server(fresh_server, browser, request):
    """The app after somebody has opened it once and its lanes have started, as a class finds it."""
    seed = 900 + request.session.items.index(request.node)
    page = browser.new_page()
    page.goto(f"{fresh_server.url}/train?data=moons&data.n_samples=500&model.n_steps=50&seed={seed}")
    settled(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile("trained in"))).to_be_visible(timeout=60_000)
    page.close()
    return fresh_server


def train(page) -> float:
    """Press Train; seconds until the first picture of the model is drawn."""
    settled(page)
    page.evaluate("window.drawn = {}; window.clicked = Date.now()")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_function("window.drawn.live?.first_picture", timeout=30_000)
    return page.evaluate("(window.drawn.live.first_picture - window.clicked) / 1000")


def test_the_teacher(warm_server, open_page, record_property):
    page = open_page(warm_server.url)
    expect(page.get_by_role("link", name=re.compile("Half moons"))).to_be_visible(timeout=20_000)
    first = train(page)
    print(f"\nfrom the click on Train to the first picture: {first:.2f} s")
    record_property("first_picture_seconds", first)
    assert first < 10, "the picture must come while the class still looks"

    expect(page.get_by_text(re.compile(r"nats above the truth")).first).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_visible(timeout=10_000)
    settled(page)
    page.wait_for_timeout(2000)
    paused_at = _step(page)
    page.get_by_role("button", name="One step", exact=True).click()
    expect(page.get_by_text(f"step {_thin(paused_at + 1)} of").first).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Go on", exact=True).click()
    headline = page.get_by_role("link", name=re.compile("nats above the truth.*trained in"))
    expect(headline).to_be_visible(timeout=90_000)
    gap = float(re.search(r"([\d.]+) nats above", headline.inner_text()).group(1))
    print(f"moons, default model and settings: {gap:.3f} nats above the truth")
    assert gap < 0.1

    link = page.evaluate("location.href")
    assert "data=moons" in link and "model=spline" in link
    elsewhere = open_page(link)
    same = elsewhere.get_by_role("link", name=re.compile(f"{gap:.3f} nats above the truth"))
    expect(same).to_be_visible(timeout=20_000)


def _step(page) -> int:
    text = page.get_by_text(re.compile(r"step [\d\u2009]+ of")).first.inner_text()
    return int(re.search(r"step ([\d\u2009]+) of", text).group(1).replace("\u2009", ""))


def _thin(n: int) -> str:
    return f"{n:,}".replace(",", "\u2009")


ORDERS = [
    "order;amount;weight;city;day;fraud",
    *(
        f"{i};{20 + i % 17 + (400 if i % 50 == 7 else 0)},5;{'' if i % 23 == 0 else 2 + i % 5};"
        f"{('Bern', 'Basel', 'Genf')[i % 3]};2026-01-{1 + i % 28:02d};{int(i % 50 == 7)}"
        for i in range(600)
    ),
]
"""A file as people have it: semicolons, decimal commas, holes, a text column, an identifier, a date, a rare label."""


def test_the_analyst(warm_server, open_page, tmp_path):
    page = open_page(warm_server.url + "/data")
    settled(page)
    page.get_by_text("Your own file", exact=True).click()
    upload = page.get_by_test_id("stFileUploaderDropzoneInput")
    orders = {"name": "orders.csv", "mimeType": "text/csv", "buffer": "\r\n".join(ORDERS).encode("latin-1")}
    upload.set_input_files(files=[orders])
    expect(page.get_by_text(re.compile("600 rows, 6 columns")).first).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Train a detector").click()
    expect(page.get_by_role("link", name=re.compile("trained in"))).to_be_visible(timeout=120_000)
    page.get_by_role("link", name="Detect", exact=True).click()
    expect(page.get_by_text("flagged rows").first).to_be_visible(timeout=20_000)
    for word in ("precision", "recall", "cost"):
        expect(page.get_by_text(word, exact=True).first).to_be_visible()
    with page.expect_download(timeout=30_000) as waiting:
        page.get_by_role("button", name="All rows (CSV)").click()
    target = tmp_path / "out.csv"
    waiting.value.save_as(target)
    rows = list(csv.DictReader(target.read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) == 600 and {"order", "amount", "city"} <= set(rows[0])
    flagged = [r for r in rows if r["flagged"] in ("1", "True")]
    found = sum(r["fraud"] == "1" for r in flagged)
    print(f"\n{len(flagged)} rows flagged, {found} of 12 frauds among them")
    assert found >= 10
