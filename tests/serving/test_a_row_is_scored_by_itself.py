"""The same row gives the same bits of score, p-value and flag: alone, in any order, place, block and way of writing.

Tables are generated; FLOWLAB_EXAMPLES says how many (20 unless told).
"""

import io
import os
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbooks import open_row, opendocument, row, workbook

from flowlab import catalog
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.scored_table import ScoredTable
from flowlab.records import Spec
from flowlab.serving import blocks
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.scoring import score_file
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

EXAMPLES = int(os.environ.get("FLOWLAB_EXAMPLES", 20))
ADDED = ["anomaly_score", "percentile", "p_value", "flagged"]
MODELS = {
    "gaussian": {},
    "neighbours": {},
    "forest": {"n_trees": 10},
    "affine": {"n_steps": 50, "n_layers": 2, "hidden_features": 8},
}


def columns(n_rows: int, rng: np.random.Generator) -> dict[str, pd.Series]:
    """One column of each kind that tables have."""
    tens = rng.normal(50, 10, n_rows)
    return {
        "measured": pd.Series(tens.round(3)),
        "count": pd.Series(rng.poisson(3, n_rows)),
        "price": pd.Series(rng.lognormal(3, 2, n_rows).round(2)),
        "holes": pd.Series(np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(size=n_rows).round(2))),
        "city": pd.Series(rng.choice(["Köln", "Rome", "Kyiv", '5" pipe', "a,b;c"], n_rows), dtype="str"),
        "shop": pd.Series([f"s{i % 40}" for i in rng.zipf(1.5, n_rows)], dtype="str"),
        "member": pd.Series(rng.random(n_rows) < 0.3),
        "code": pd.Series([f"{i:04d}" for i in rng.integers(0, 6, n_rows)], dtype="str"),
        "when": pd.Series(pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 10**5, n_rows), unit="min")),
    }


def cells(frame: pd.DataFrame) -> list[list]:
    texts = frame.astype({name: str for name in frame if frame[name].dtype.kind == "M"}).astype(object)
    return texts.where(frame.notna(), "").to_numpy().tolist()


def in_a_workbook(frame: pd.DataFrame) -> bytes:
    rows = cells(frame)
    return workbook({"Sheet1": [row(1, *frame), *(row(i, *cells) for i, cells in enumerate(rows, 2))]})


def in_a_zip(frame: pd.DataFrame) -> bytes:
    half, buffer = len(frame) // 2, io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/first.csv", written(frame.iloc[:half]))
        archive.writestr("second.parquet", in_parquet(frame.iloc[half:, ::-1]))
    return buffer.getvalue()


def in_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


@st.composite
def cases(draw) -> tuple[pd.DataFrame, str, int]:
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    n_rows = draw(st.sampled_from([60, 150, 400]))
    made = columns(n_rows, rng)
    names = draw(st.lists(st.sampled_from(sorted(made)), min_size=2, max_size=6, unique=True))
    frame = pd.DataFrame({"row": [f"r{i}" for i in range(n_rows)]} | {name: made[name] for name in names})
    return frame, draw(st.sampled_from(sorted(MODELS))), seed


def written(frame: pd.DataFrame, **options) -> bytes:
    return frame.to_csv(index=False, **options).encode()


def detector_of(frame: pd.DataFrame, model: str) -> bytes | None:
    spec = Spec(model, MODELS[model])
    table = read_table(written(frame)).frame
    try:
        dataset, _ = make_table_dataset(table, label="(none)", time="(none)", learner=catalog.learner(spec))
    except TableError:
        return None  # nothing in it varies
    fitted = catalog.make_model(spec, 0, dataset).fit(dataset.fitting_rows())
    scored = ScoredTable.of(dataset, fitted.anomaly_score(dataset.X))
    return to_bytes(make_detector(spec, 0, fitted.get_state(), scored, scored.choose("quantile", share=0.05)))


def scores(detector: bytes, data: bytes) -> pd.DataFrame:
    """What was added to each row, by the row's name."""
    sink = io.BytesIO()
    score_file(detector, io.BytesIO(data), sink, with_reasons=False)
    scored = pd.read_csv(io.BytesIO(sink.getvalue()), dtype="str")
    return scored.set_index("row")[ADDED]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_the_same_row_gives_the_same_bits(case):
    frame, model, seed = case
    detector = detector_of(frame, model)
    if detector is None:
        return
    rng = np.random.default_rng(seed)
    whole = scores(detector, written(frame))
    assert len(whole) == len(frame)

    some = frame.iloc[rng.choice(len(frame), 3, replace=False)]
    for i in range(3):
        pd.testing.assert_frame_equal(scores(detector, written(some.iloc[[i]])), whole.loc[some["row"].iloc[[i]]])
    shuffled = frame.sample(frac=1.0, random_state=seed)
    pd.testing.assert_frame_equal(scores(detector, written(shuffled)).loc[whole.index], whole)
    repeated = scores(detector, written(pd.concat([some.iloc[[0]]] * 50)))
    assert len(repeated.drop_duplicates()) == 1

    turned = frame[["row", *rng.permutation(list(frame)[1:])]]
    forms = {
        "columns reordered": written(turned),
        "semicolons and decimal commas": written(frame, sep=";", decimal=","),
        "tabs": written(frame, sep="\t"),
        "carriage returns": written(frame, lineterminator="\r\n"),
        "all quoted": written(frame, quoting=1),
        "UTF-16": frame.to_csv(index=False).encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + written(frame),
        "Parquet": in_parquet(frame),
        "workbook": in_a_workbook(frame),
        "a JSON object in each line": frame.to_json(orient="records", lines=True, date_format="iso").encode(),
    }
    for form, data in forms.items():
        pd.testing.assert_frame_equal(scores(detector, data), whole, obj=form)
    with pytest.MonkeyPatch.context() as patch:
        for n_bytes in (300, 1000):
            patch.setattr(blocks, "BLOCK_BYTES", n_bytes)
            pd.testing.assert_frame_equal(scores(detector, written(frame)), whole, obj=f"blocks of {n_bytes} bytes")


def test_the_same_row_gives_the_same_bits_from_an_archive_feather_and_an_opendocument():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"row": [f"r{i}" for i in range(150)]} | columns(150, rng))
    detector = detector_of(frame, "gaussian")
    feather = io.BytesIO()
    frame.to_feather(feather)
    forms = {
        "Feather": feather.getvalue(),
        "ZIP of a CSV and a Parquet file": in_a_zip(frame),
        "OpenDocument": opendocument([open_row(*frame), *(open_row(*values) for values in cells(frame))]),
    }
    whole = scores(detector, written(frame))
    for form, data in forms.items():
        pd.testing.assert_frame_equal(scores(detector, data), whole, obj=form)
