"""Rows that are pictures, gathered on sheets, and the figures that show them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from flowlab import views
from flowlab.datasets.dataset import Part
from flowlab.explain import anomaly_scores
from flowlab.images.pixels import as_bytes
from flowlab.images.png import data_uri, enlarged, png_bytes
from flowlab.images.sets import make_digit_images, make_patches
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import pictures as plots
from flowlab.views import pictures


@pytest.fixture(scope="module")
def data():
    return make_digit_images()


@pytest.fixture(scope="module")
def flow(data):
    return AffineCouplingFlow(n_layers=2, n_steps=30, hidden_features=16, random_state=0).fit(data.part(Part.TRAIN))


def image_of(fig) -> np.ndarray:
    """The pixels (height, width, 4) of a sheet's one picture."""
    source = fig.data[0].source.removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))


def test_a_sheet_has_a_line_for_each_class_and_marks_anomalies(data):
    sheet = pictures.class_sheet(data, per_class=3)
    assert len(sheet) == 30 and sheet.heads[:4] == ("0", "0", "0", "1")
    assert np.array_equal(sheet.pictures, as_bytes(data.pictures(data.X[sheet.rows])))
    assert np.array_equal(sheet.marked, data.y[sheet.rows] == 1)
    fig = plots.picture_sheet(sheet, size=56)
    assert len(fig.layout.shapes) == 15 and [a.text for a in fig.layout.annotations] == list("0123456789")
    places = fig.data[1]
    assert np.array_equal(places.customdata, sheet.rows) and len(set(places.y)) == 10
    canvas = image_of(fig)
    for i in (0, 17):
        middle = canvas[int(places.y[i]) - 28 : int(places.y[i]) + 28, int(places.x[i]) - 28 : int(places.x[i]) + 28]
        found = middle[4 + 1 :: 7, 4 + 1 :: 7][:8, :8, 0]
        assert np.array_equal(found, sheet.pictures[i, :, :, 0]), "crisp, and where it is said to be"
    assert canvas[-1, -1, 3] == 0, "the page shows between the pictures"


def test_dark_and_light_differ_in_the_edge_alone(data):
    sheet = pictures.row_sheet(data, np.arange(3))
    light, dark = (image_of(plots.picture_sheet(sheet, is_dark)) for is_dark in (False, True))
    assert (light != dark).any(axis=2).sum() == 3 * (4 * 56 + 4)


def test_long_lines_are_broken_and_nothing_is_drawn_of_nothing(data):
    fig = plots.picture_sheet(pictures.row_sheet(data, np.arange(40)), size=56, width=400)
    assert len(set(fig.data[1].x)) == 6 and len(set(fig.data[1].y)) == 7
    assert not plots.picture_sheet(pictures.row_sheet(data, np.arange(0))).data


def test_colours_are_kept():
    data = make_patches(n_images=100, side="16", color="colour")
    sheet = pictures.row_sheet(data, np.arange(2))
    canvas = image_of(plots.picture_sheet(sheet, size=16))
    assert np.array_equal(canvas[1:17, 1:17, :3], sheet.pictures[0])
    thumbnail = plots.thumbnail(data.pictures(data.X[:1])[0], size=16)
    assert thumbnail == data_uri(sheet.pictures[0]) and png_bytes(sheet.pictures[0]).startswith(b"\x89PNG")
    assert np.array_equal(enlarged(sheet.pictures, 32)[:, ::2, ::2], sheet.pictures)


def test_mean_and_spread_are_those_of_the_class(data):
    sheet = pictures.mean_sheet(data)
    fives = data.X[data.classes == 5]
    assert sheet.heads[10:12] == ("5", "5")
    assert np.array_equal(sheet.pictures[10].ravel(), as_bytes(fives.mean(axis=0)))


def test_draws_stand_above_the_training_rows_nearest_to_them(data):
    rows = data.rows(Part.TRAIN)[[3, 8]]
    sheet = pictures.drawn_sheet(data, np.concatenate([data.X[rows], np.zeros((20, 64))]), n_nearest=2)
    assert sheet.rows.tolist() == [-1, -1, *rows.tolist(), *[-1] * 20] and sheet.captions[2:4] == ("0.000", "0.000")
    assert np.array_equal(sheet.pictures[:2], sheet.pictures[2:4])


def test_between_four_rows_the_corners_are_the_rows(data, flow):
    sheet = pictures.between_four(flow, data, (1, 2, 3, 4), n=4)
    corners = sheet.pictures[[0, 3, 12, 15]].astype(int)
    assert np.abs(corners - as_bytes(data.pictures(data.X[1:5]))).max() <= 1
    with pytest.raises(ValueError, match="row"):
        pictures.between_four(flow, data, (0, 1, 2, 10**6))


def test_a_path_shows_its_ends(data, flow):
    paths = views.latent_paths(flow, data, 5, 6, 21)
    sheet = pictures.path_sheet(data, paths, {"latent": "latent", "arc": "arc", "straight": "straight"})
    assert len(sheet) == 3 * pictures.N_ON_PATH and sheet.heads[0] == "latent"
    assert np.abs(sheet.pictures[10].astype(int) - as_bytes(data.pictures(data.X[6:7]))[0]).max() <= 1


def test_latent_points_are_drawn_where_they_have_the_size_of_a_picture(data, flow):
    sheet = pictures.latent_sheet(flow, data, (0, 1))
    assert len(sheet) == 4 and sheet.heads == ("picture", "picture", "latent", "latent")
    assert 60 < sheet.pictures[2:].mean() < 195


def test_a_painted_picture_is_judged_as_a_row_with_these_pixels(data):
    model = Gaussian().fit(data.part(Part.TRAIN))
    as_it_is = tuple(data.pictures(data.X[[7]]).ravel().tolist())
    assert views.painted_score(model, data, 7, as_it_is) == anomaly_scores(model, data.X[[7]])[0]
    assert views.painted_score(model, data, 7, tuple(data.X[3])) == anomaly_scores(model, data.X[[3]])[0]
    with pytest.raises(ValueError, match="2 pixels are no picture"):
        views.painted_score(model, data, 7, (0.0, 1.0))
    with pytest.raises(ValueError, match="no picture"):
        views.painted_score(model, make_toy_rows(), 0, (0.0, 1.0))


def test_pixels_that_are_unlike_those_of_similar_pictures_add_most(data):
    model = Gaussian().fit(data.part(Part.TRAIN))
    found = pictures.pixel_contributions(model, data, 0)
    assert found.contributions.shape == (8, 8) and len(found.similar) and not data.y[found.similar].any()
    fig = plots.pixel_map(found.contributions, "nats")
    assert fig.data[0].zmin == -fig.data[0].zmax
    with pytest.raises(ValueError, match="up to"):
        pictures.pixel_contributions(model, make_toy_rows(), 0)


def make_toy_rows():
    from flowlab import catalog
    from flowlab.records import Spec

    return catalog.make_dataset(Spec("moons", {"n_samples": 200}))


def test_rows_that_are_no_pictures_say_so():
    with pytest.raises(ValueError, match="not pictures"):
        pictures.row_sheet(make_toy_rows(), np.arange(2))
