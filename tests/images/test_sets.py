"""Pictures as data: what is inside and outside, pixels of 8 bits, no pixel of a test patch in a training patch."""

from types import SimpleNamespace

import numpy as np
import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.images import openml, sets, sources
from flowlab.images.families import FAMILIES
from flowlab.images.pixels import as_bytes, column_names, rows_of, shape_of_columns
from flowlab.images.shape import ImageShape
from flowlab.records import RunSpec, Spec

SETS = {
    "digits": lambda **more: sets.make_digit_images(**more),
    "patches": lambda **more: sets.make_patches(n_images=300, **more),
    "colour": lambda **more: sets.make_patches(n_images=300, side="16", color="colour", **more),
    "synthetic": lambda **more: sets.make_synthetic(n_images=300, **more),
}


@pytest.mark.parametrize("make", SETS.values(), ids=SETS)
def test_rows_are_flat_pictures_of_eight_bits(make):
    data = make()
    shape = data.image_shape
    assert data.X.shape[1] == shape.n_pixels and data.columns == column_names(shape)
    assert data.X.min() >= 0 and data.X.max() <= 1
    assert np.array_equal(rows_of(as_bytes(data.pictures(data.X))), data.X), "multiples of 1/255"
    assert data.pictures(data.X).shape == (len(data), shape.height, shape.width, shape.channels)
    assert 0.1 < data.y.mean() < 0.4 and data.train_on == "normal"
    assert not data.y[data.rows(Part.TRAIN)].any(), "what is outside is not fitted"


def test_digits_outside_are_others_than_those_inside():
    data = sets.make_digit_images()
    names = np.array(data.class_names)[data.classes]
    assert set(names[data.y == 0]) == set("01234") and set(names[data.y == 1]) == set("56789")
    assert sets.make_digit_images(out="none").y is None
    assert sets.make_digit_images(inside="all").y is None, "no digit is left"


def test_a_class_becomes_the_context_and_is_no_pixel():
    data = sets.make_digit_images(by_class=True)
    assert data.context == 64 and data.levels == tuple("01234") and data.X.shape[1] == 65
    assert set(data.X[:, 64]) == set(range(5)), "what is outside is judged as one of those inside"
    assert np.array_equal(data.pictures(data.X), sets.make_digit_images().pictures(sets.make_digit_images().X))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_inside_and_outside_and_keeps_the_shape(family):
    inside = sets.make_synthetic(family=family, n_images=200, out="none")
    assert len(inside) == 200 and inside.class_names == (family.replace("_", " "),)
    outside = sets.make_patches(n_images=200, side="16", color="colour", out=family)
    assert outside.class_names == ("china.jpg", family.replace("_", " ")) and outside.y.sum() == 50


def test_what_the_families_are():
    rng = np.random.default_rng(0)
    pictures = sources.photo_patches("china", 200, ImageShape(8, 8), rng).pixels
    made = {name: family(pictures, np.random.default_rng(1)) for name, family in FAMILIES.items()}
    spread = {name: made[name].std(axis=(1, 2, 3)).mean() for name in made}
    own = pictures.std(axis=(1, 2, 3)).mean()
    assert spread["constant"] == 0 and spread["blurred"] < own
    assert spread["half_contrast"] == pytest.approx(own / 2, rel=0.05)
    assert np.array_equal(np.sort(made["shuffled"].reshape(200, -1)), np.sort(pictures.reshape(200, -1)))
    assert abs(made["noise"].mean() - 127.5) < 5
    steps = {name: np.abs(np.diff(made[name].astype(float), axis=2)).mean() for name in made}
    assert max(steps["gradient"], steps["clouds"]) < steps["noise"] / 4
    assert all(len(np.unique(picture)) == 2 for picture in made["shapes"] if picture.std()), "figure and ground"


def test_no_pixel_of_a_test_patch_is_in_a_training_patch(monkeypatch):
    """A photograph whose every pixel has a value of its own, as far as colours go, tells where patches come from."""
    number = np.arange(128 * 128).reshape(128, 128)
    photo = np.stack([number >> 8, number & 255, number * 0], axis=-1).astype(np.uint8)
    monkeypatch.setattr(sources, "_photograph", lambda name, channels: photo)
    found = sources.photo_patches("china", 400, ImageShape(8, 8, 3), np.random.default_rng(0))
    numbers = found.pixels[..., 0].astype(int) * 256 + found.pixels[..., 1]
    parts = [set(numbers[found.split == part].ravel()) for part in range(3)]
    assert all(parts) and not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert len(numbers[0].ravel()) == 64 and numbers[0, 0, 1] == numbers[0, 0, 0] + 1, "columns run to the right"
    assert numbers[0, 1, 0] == numbers[0, 0, 0] + 128, "rows run down"


def test_the_names_of_columns_tell_the_shape_and_no_others_do():
    for shape in (ImageShape(8, 8), ImageShape(3, 5), ImageShape(2, 2, 3)):
        assert shape_of_columns(column_names(shape)) == shape
        assert shape_of_columns(column_names(shape)[1:]) is None and shape_of_columns(column_names(shape)[::-1]) is None
    assert shape_of_columns(["x", "r9999c9999"]) is None and shape_of_columns([]) is None


def fake_openml(n: int = 400, width: int = 784):
    rng = np.random.default_rng(0)
    classes = (np.arange(n) % 10).astype(str)
    return lambda name, **settings: SimpleNamespace(data=rng.integers(0, 256, (n, width)), target=classes)


def test_fetched_pictures_are_those_that_openml_gives(monkeypatch):
    monkeypatch.setattr(openml, "fetch_openml", fake_openml())
    sources._fetched.cache_clear()
    data = sets.make_fetched("fashion_mnist", n_images=300, out="mnist")
    assert data.image_shape == ImageShape(28, 28) and len(data) == 375
    assert data.class_names[:2] == ("T-shirt", "trousers") and data.class_names[-1] == "9"
    given = sets.make_fetched("mnist", n_images=300, by_class=True)
    assert given.levels == tuple("0123456789") and given.y is None
    sources._fetched.cache_clear()


def test_without_a_network_one_sentence_says_so(monkeypatch):
    def unreachable(name, **settings):
        raise OSError("no route to host")

    monkeypatch.setattr(openml, "fetch_openml", unreachable)
    sources._fetched.cache_clear()
    with pytest.raises(ValueError, match=r"^MNIST is fetched from OpenML, .* choose a set that is here"):
        catalog.dataset_of(RunSpec(Spec("mnist"), Spec("gaussian")))
    monkeypatch.setattr(openml, "fetch_openml", fake_openml(width=100))
    with pytest.raises(ValueError, match="is not pictures of 28 x 28 pixels"):
        sets.make_fetched("mnist")
    sources._fetched.cache_clear()


def test_a_link_says_what_is_inside_and_outside():
    query = {"data": "patches", "data.photo": "flower", "data.out": "constant", "data.side": "16"}
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    tidied, more = catalog.tidy(spec)
    assert not problems and not more and tidied.to_query() == {**query, "model": "spline"} | tidied.to_query()
    data = catalog.dataset_of(tidied)
    assert data.class_names == ("flower.jpg", "constant") and data.image_shape == ImageShape(16, 16)
    with pytest.raises(ValueError, match="must be other pictures"):
        sets.make_patches(photo="flower", out="flower", n_images=200)
