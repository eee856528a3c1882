"""The analyst's way in a real browser: train, move the threshold by keyboard, choose a row, leave with the detector."""

import io
import re

import pandas as pd
import pytest
from conftest import settled

from flowlab.serving.bundle import from_bytes

QUERY = "data=moons&data.n_samples=1000&data.anomaly_share=0.05&model=gaussian&seed=31"


@pytest.mark.browser
def test_from_a_link_to_a_detector(fresh_server, page):
    page.goto(f"{fresh_server.url}/detect?{QUERY}")
    page.get_by_role("button", name="Train this model").click(timeout=60_000)
    page.wait_for_selector("[data-testid=stPlotlyChart]", timeout=90_000)
    settled(page, 60_000)
    assert "detect.rule" not in page.url, "nobody has moved the threshold yet"
    slider = page.locator("[data-testid=stMain] input[type=range]").first
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(400)
        settled(page, 60_000)
    assert "detect.rule=manual" in page.url
    threshold = float(re.search(r"detect\.threshold=([-0-9.e]+)", page.url).group(1))

    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Flagged rows (CSV)").click()
    flagged = pd.read_csv(io.BytesIO(download.value.path().read_bytes()))
    assert len(flagged) and (flagged["anomaly_score"] >= threshold).all() and flagged["reason_1"].notna().all()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="Detector", exact=True).click()
    assert from_bytes(download.value.path().read_bytes()).threshold.value == pytest.approx(threshold)
