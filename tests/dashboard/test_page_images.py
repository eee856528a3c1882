"""Pictures on every page: chosen, uploaded, drawn beside their scores, scored from a file; nothing of single pixels."""

import io
import re
import zipfile
from unittest.mock import patch

import numpy as np
import pytest
from pages_driver import enter, in_link, labelled, open_page, press, rerun, said, train, wait_for_run
from PIL import Image
from streamlit.testing.v1 import AppTest

from flowlab import catalog
from flowlab.dashboard.data import sources
from flowlab.dashboard.detect import what_if
from flowlab.dashboard.score import files
from flowlab.dashboard.score import page as score
from flowlab.images.sets import make_digit_images
from flowlab.records import RunSpec, Spec

DIGITS = {"data": "digit_images"}
FLOW = {**DIGITS, "model": "affine", "model.n_layers": "2", "model.n_steps": "50", "model.hidden_features": "8"}

CODER = {**DIGITS, "model": "autoencoder", "model.n_steps": "50"}


@pytest.fixture(scope="module", autouse=True)
def runs(own_server):
    """One store with two short runs; files are read and scored in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLOWLAB_LANES", "1")
        patch.setattr(sources, "confined", lambda function, item: function(item))
        patch.setattr(score, "confined", lambda function, item: function(item))
        patch.setattr(files, "LANES", 0)
        yield train(FLOW, CODER)


def n_figures(at: AppTest) -> int:
    return len(at.get("plotly_chart"))


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def packed(**folders: list[np.ndarray]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, pictures in folders.items():
            for i, picture in enumerate(pictures):
                archive.writestr(f"{name}/{i}.png", png(picture))
    return out.getvalue()


def some(n: int = 20, side: int = 6) -> list[np.ndarray]:
    return list(np.random.default_rng(n).integers(0, 256, (n, side, side), dtype=np.uint8))


def test_sets_of_pictures_are_drawn_as_pictures():
    name = "patches"
    at = open_page("data", {"data": name})
    assert n_figures(at) == 1 and not at.dataframe and "a single pixel says little" in said(at)
    assert "pictures of 8 x 8 pixels, grey" in said(at)
    assert n_figures(open_page("data", {"data": name}, tab="Mean and spread")) == 1


def test_a_click_in_the_gallery_chooses_a_set():
    at = open_page("data", source="Images")
    assert len(at.get("image")) + len(at.get("imgs")) >= 3
    assert in_link(press(at, "data.images.patches"), "data") == "patches"


def test_without_a_network_the_page_says_what_to_do(monkeypatch):
    from flowlab.images import openml

    def unreachable(name, **settings):
        raise OSError("no route to host")

    monkeypatch.setattr(openml, "fetch_openml", unreachable)
    at = open_page("data", {"data": "mnist"})
    assert "fetched from OpenML" in at.error[0].value.replace("\\", "")


def test_pictures_are_uploaded_kept_and_get_their_labels_from_folders():
    at = open_page("data", source="Uploaded table")
    assert "Embeddings of pictures, made elsewhere, are a table" in said(at)
    at = enter(at, at.file_uploader[0], ("pets.zip", packed(cats=some(), dogs=some(21)), "application/zip"))
    assert in_link(at, "data") == "pictures" and "41 pictures of 6 x 6 pixels, grey, 2 classes: cats, dogs" in said(at)
    assert n_figures(at) == 1 and "labelled anomal" not in said(at)
    enter(at, labelled(at.multiselect, "Classes that mean anomaly"), ["dogs"])
    assert in_link(at, "data.anomaly_values") == "dogs" and "21 labelled anomalies" in said(at)
    again = open_page("data", dict(at.session_state.link.query))
    assert "21 labelled anomalies" in said(again)


@pytest.mark.parametrize(
    "name, data, sentence",
    [
        ("a.png", png(some()[0]), "one picture"),
        ("a.zip", packed(a=[*some(), some(1, 7)[0]]), "all need one size"),
    ],
)
def test_bad_pictures_are_refused_and_nothing_is_lost(name, data, sentence):
    at = open_page("data", DIGITS, source="Uploaded table")
    at = enter(at, at.file_uploader[0], (name, data, "application/zip"))
    assert len(at.error) == 1 and sentence in at.error[0].value.replace("\\", "")
    assert in_link(at, "data") == "digit_images"


def test_a_size_brings_pictures_of_different_sizes_together():
    at = open_page("data", source="Uploaded table")
    enter(at, labelled(at.selectbox, "Size of pictures"), "8 x 8")
    at = enter(at, at.file_uploader[0], ("a.zip", packed(a=some(), b=some(12, 30)), "application/zip"))
    assert "32 pictures of 8 x 8 pixels" in said(at)


def test_rows_of_a_table_can_be_pictures():
    X = np.random.default_rng(0).integers(0, 256, (15, 16))
    csv = "\n".join([",".join(f"p{i}" for i in range(16)), *(",".join(map(str, row)) for row in X)]).encode()
    at = open_page("data", source="Uploaded table")
    enter(at, labelled(at.toggle, "Rows of the table are pictures"), True)
    at = enter(at, at.file_uploader[0], ("x.csv", csv, "text/csv"))
    assert in_link(at, "data") == "pictures" and "15 pictures of 4 x 4 pixels" in said(at)
    assert "have no classes" in said(at)


def test_row_110_draws_are_a_gallery_of_pictures_and_no_view_is_of_single_pixels():
    at = open_page("explore", FLOW)
    views = [option.content for option in at.get("button_group")[0].proto.options]
    assert views[:3] == ["Samples", "Latent", "Receipt"] and not {"Density", "Margins", "Pairs", "Bridge"} & set(views)
    assert "not drawn for pictures" in said(at) and "nearest to them" in said(at) and n_figures(at) == 1


@pytest.mark.parametrize("play", ["Points", "Move z", "Between two rows", "Between four rows"])
def test_the_latent_space_of_pictures_decodes_to_pictures(play):
    at = open_page("explore", FLOW, view="Latent", play=play)
    assert n_figures(at) >= 1 and not at.warning
    assert not [box for box in at.selectbox if box.label == "Rows drawn by"]


def test_a_code_is_no_picture_and_says_so():
    at = open_page("explore", CODER, view="Latent", play="Latent pictures")
    assert "of another size than the pictures" in said(at)


def test_flagged_rows_stand_beside_their_pictures():
    at = open_page("detect", FLOW, rule="quantile")
    table = at.dataframe[0].value
    assert table["picture"].str.startswith("data:image/png;base64,").all() and "r0c0" not in table
    assert "when a pixel gets the value" in said(at)


def test_a_flagged_picture_can_be_painted_on():
    at = open_page("detect", FLOW, rule="quantile", what_if="true")
    (row,) = re.findall(r"\*\*Row .+?\*\*", said(at))
    score = re.search(r"As it is, its score is \*\*(\S+)\*\* \(was (\S+)\)", said(at))
    assert score.group(1) == score.group(2), "pixels that were not painted keep their value to the bit"
    with patch.object(what_if, "pixels_view", lambda key, picture: np.ones_like(picture)):
        rerun(at)
    assert "Painted like this, its score is" in said(at) and row in said(at)


def test_rows_in_dispute_and_draws_are_pictures(runs):
    at = open_page("compare", FLOW, runs=".".join(runs))
    table = at.dataframe[1].value
    assert table["picture"].str.startswith("data:image/png").all() and not [c for c in table if c.startswith("why")]
    figures = n_figures(at)
    assert n_figures(open_page("compare", FLOW, runs=".".join(runs), section="Samples")) == figures + 1


def test_a_picture_or_an_archive_of_them_is_scored():
    data = make_digit_images()
    five = np.rint(data.pictures(data.X[data.y == 1][:1])[0, :, :, 0] * 255).astype(np.uint8)
    at = open_page("score", FLOW)
    assert "Choose a picture, a ZIP or NPZ" in said(at)
    enter(at, at.file_uploader(key="score.file"), ("five.png", png(five), "image/png"))
    press(at, "Score this file")
    table = at.dataframe[0].value
    assert len(table) == 1 and table["picture"].str.startswith("data:image").all() and "r0c0" not in table
    other = at
    enter(other, other.file_uploader(key="score.file"), ("x.zip", packed(a=some(12, 30)), "application/zip"))
    assert "scaled to 8 x 8 pixels" in said(other)
    press(other, "Score this file")
    assert len(other.dataframe[0].value) == 12
    bad = at
    enter(bad, bad.file_uploader(key="score.file"), ("x.png", b"\x89PNG\r\n\x1a\nxx", "image/png"))
    assert "damaged or cut off" in bad.error[0].value.replace("\\", "")


def test_a_table_of_other_pixels_is_refused():
    at = open_page("score", FLOW)
    lines = [",".join(f"p{i}" for i in range(16))]
    lines += [",".join(str(i * j % 256) for j in range(16)) for i in range(12)]
    enter(at, at.file_uploader(key="score.file"), ("x.csv", "\n".join(lines).encode(), "text/csv"))
    assert "4 x 4 pixels; the detector has learned 8 x 8" in at.error[0].value.replace("\\", "")


def test_row_68_one_button_trains_the_table_of_cures_and_what_is_there_is_shown(monkeypatch):
    from flowlab.dashboard.compare import cures

    few = {"n_images": 200}
    small = Spec("image_flow", {"n_couplings": 1, "hidden_channels": 4, "n_steps": 2})
    runs = {
        "flow": RunSpec(Spec("patches", few), small),
        "broad": RunSpec(Spec("synthetic_images", {"family": "broad", "out": "none", **few}), small),
    }
    tidied = {name: catalog.tidy(spec)[0] for name, spec in runs.items()}
    monkeypatch.setattr(cures, "cure_runs", lambda present: [tidied, {}, {}])
    monkeypatch.setattr("flowlab.views.cures.N_TRIED", 40)
    monkeypatch.setattr("flowlab.views.cures.CODE_STEPS", 5)
    at = open_page("compare", {"data": "patches"})
    assert "0 of 2 runs finished" in said(at)
    press(at, "compare.cures_train")
    for spec in tidied.values():
        wait_for_run(spec)
    at = open_page("compare", {"data": "patches"})
    assert "2 of 2 runs finished" in said(at)
    assert n_figures(at) == 1 and "ratio to a broad set" in set(at.dataframe[0].value["score"])
    assert "waves 71 %" in " ".join(at.dataframe[0].value["its background held"])
    assert "scores are fooled by something" in said(at)


def test_row_73_the_ratio_to_a_corrupted_run_is_drawn_against_the_noise(monkeypatch):
    from flowlab.dashboard.compare.sweeps import _over_seeds

    small = {"n_couplings": 1, "hidden_channels": 4, "n_steps": 20}
    data = Spec("digit_images")
    specs = [
        catalog.tidy(RunSpec(data, Spec("image_flow", {**small, **more})))[0] for more in ({}, {"corruption": 0.4})
    ]
    ids = train(*specs)
    at = open_page("compare", specs[0], runs=".".join(ids), section="Sweeps", sweep="Corrupted background")
    assert "2 of 15 runs finished" in said(at)
    table = at.dataframe[-1].value
    measured = dict(zip(table.iloc[:, 0].astype(float), table.iloc[:, 1], strict=True))
    assert float(measured[0.0]) == 0.5, "the ratio of a model to itself"
    assert 0 <= float(measured[0.4]) <= 1
    means, errors = _over_seeds({"seed 0": [0.4, 0.5], "seed 1": [0.6, np.nan]})
    (mean,), (error,) = means.values(), errors.values()
    assert mean == pytest.approx([0.5, 0.5]) and error[0] == pytest.approx(0.1) and np.isnan(error[1])
