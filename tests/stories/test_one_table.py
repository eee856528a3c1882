"""One table from upload to hand-over: it is read from disk and encoded once, however often the page runs."""

import numpy as np
import pandas as pd
from pages_driver import enter, labelled, open_page, said, train

from flowlab.encoding.encoder import TableEncoder

ROWS = 600


def test_ten_reruns_of_detect_read_the_table_and_fit_its_encoder_once(monkeypatch, own_server):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.normal(size=ROWS), "b": rng.integers(0, 5, ROWS), "city": rng.choice(list("xyz"), ROWS)}
    )
    reads, fits = [], []
    read, fit = pd.read_parquet, TableEncoder.fit
    monkeypatch.setattr(pd, "read_parquet", lambda *a, **k: reads.append(a) or read(*a, **k))
    monkeypatch.setattr(TableEncoder, "fit", lambda self, *a, **k: fits.append(self) or fit(self, *a, **k))
    digest = own_server.store().put_table(frame)
    query = {"data": "upload", "data.digest": digest, "data.name": "shop.csv", "model": "gaussian"}
    train(query)
    at = open_page("detect", query)
    for value in range(10):
        enter(at, labelled(at.number_input, "Threshold"), float(value))
    assert "Row" in said(at)
    open_page("data", query)
    assert len(reads) <= 1 and len(fits) <= 1
