"""Names, cells and file names that try to be links, pictures and scripts: pages show them as text and ask nobody."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, serve, settled

from flowlab import catalog
from flowlab.jobs import run_slice
from flowlab.records import RunSpec, Spec
from flowlab.store.runs import RunStore

NAMES = ["<a href='http://evil.example/'>z</a>", "![x](http://evil.example/p.png)", "www.evil.example"]
CELLS = ["http://evil.example/", "<img src=http://evil.example/i.png>", ":red[a@evil.example]"]


def hostile_run(store: RunStore) -> RunSpec:
    """A trained model of an uploaded table, as the server finds it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {NAMES[0]: rng.normal(size=200), NAMES[1]: rng.normal(size=200), NAMES[2]: CELLS * 66 + CELLS[:2]}
    )
    digest = store.put_table(table)
    spec = RunSpec(
        Spec("upload", {"digest": digest, "name": "<a href='http://evil.example'>f</a>.csv"}), Spec("gaussian")
    )
    dataset = catalog.dataset_of(spec, store.get_table)
    brought = run_slice(spec, None, 10**6, dataset)
    store.create(catalog.run_id(spec), spec)
    store.append(catalog.run_id(spec), brought.events, brought.frame, brought.checkpoint)
    store.finish(catalog.run_id(spec), "done", brought.state, brought.views)
    return spec


@pytest.mark.browser
@pytest.mark.slow
def test_hostile_names_are_text_and_pages_keep_the_servers_policy(tmp_path, open_page):
    from urllib.parse import urlencode

    spec = hostile_run(RunStore(tmp_path / "home"))
    query = urlencode(spec.to_query())
    asked, refused = [], []
    with serve(ROOT / "app.py", tmp_path) as server:
        page = open_page("about:blank")
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda line: refused.append(line.text) if "Content Security Policy" in line.text else None)
        for name in ("data", "train", "explore", "compare", "detect", "score"):
            page.goto(f"{server.url}/{name}?{query}")
            if name in ("data", "explore", "detect"):
                page.wait_for_selector("[data-testid=stPlotlyChart]", timeout=120_000)
            page.wait_for_function("document.body.innerText.includes('evil')", timeout=120_000)
            settled(page, 120_000)
            body = page.locator("body")
            links = page.eval_on_selector_all("a", "all => all.map(a => a.href || String(a.href?.baseVal))")
            links += page.eval_on_selector_all("svg a", "all => all.map(a => a.getAttribute('xlink:href') || '')")
            assert "evil" in body.inner_text(), f"{name} shows the names"
            assert not [link for link in links if link.startswith(("http://evil", "http://www.evil", "mailto:"))], name
            assert not page.locator("img[src*=evil]").count(), name
    foreign = [url for url in asked if url.startswith(("http:", "https:", "ws:")) and "127.0.0.1" not in url]
    assert not foreign, f"asked {foreign}"
    assert not refused, f"the policy forbids what the pages need: {refused}"
