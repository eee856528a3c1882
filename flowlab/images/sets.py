"""Data sets of pictures: some inside, which are learned, and some outside, labelled as anomalies."""

from __future__ import annotations

import numpy as np

from flowlab.constraints import PROPER_SHARE, YES_OR_NO, Interval, OneOf, checked
from flowlab.datasets.dataset import DIVISION, Dataset, Part
from flowlab.images.backgrounds import broad_background
from flowlab.images.families import FAMILIES
from flowlab.images.openml import FETCHED, SIDE
from flowlab.images.pixels import column_names, rows_of
from flowlab.images.shape import ImageShape
from flowlab.images.sources import PHOTOGRAPHS, Pictures, pictures_of

NONE, REST, BROAD = "none", "rest", "broad"
OUTSIDE = (NONE, *PHOTOGRAPHS, "digits", *FAMILIES, *FETCHED)
"""What can be outside: nothing, another source, a family, which is made of pictures like those inside."""
SIDES = (8, 16)
TRIED = ("constant", "blurred", "half_contrast", "noise", "shuffled")
"""Families that models of patches are tried on."""
_COUNT = Interval(int, 100, 70_000)
_TRAIN_ON = OneOf("normal", "all")
_CHANNELS = {"grey": 1, "colour": 3}


@checked(
    inside=OneOf("0-4", "all"),
    out=OneOf(REST, *OUTSIDE),
    out_share=PROPER_SHARE,
    by_class=YES_OR_NO,
    train_on=_TRAIN_ON,
)
def make_digit_images(
    *,
    inside: str = "0-4",
    out: str = REST,
    out_share: float = 0.3,
    by_class: bool = False,
    train_on: str = "normal",
    seed: int = 0,
) -> Dataset:
    """Handwritten digits of 8 x 8 pixels; outside by default the digits 5 to 9.

    Parameters
    ----------
    inside : "0-4", or or "all" ten digits, of which none is left to be the rest
    out : "rest" for the other digits, "none" for no labels, or one of `OUTSIDE`
    out_share : share of the rows that are outside, as far as there are as many
    by_class : whether the digit is a last column, the context that flows are conditioned on; what is outside gets one
        of the digits inside at random
    train_on : "normal" leaves what is outside out of the fit; "all" does not
    seed : of what is drawn and of the division

    >>> data = make_digit_images()
    >>> data.X.shape, data.image_shape, int(data.y.sum())
    ((1287, 64), ImageShape(height=8, width=8, channels=1), 386)
    """
    if out == REST and inside == "all":
        out = NONE
    rng, shape = np.random.default_rng([seed, 0xD161]), ImageShape(8, 8)
    every = pictures_of("digits", 2000, shape, rng)
    known = every.classes < (5 if inside == "0-4" else 10)
    return _dataset(every.take(known), every.take(~known), out, out_share, shape, "Digits", train_on, rng, by_class)


@checked(
    photo=OneOf(*PHOTOGRAPHS), side=OneOf(*map(str, SIDES)), color=OneOf(*_CHANNELS), n_images=_COUNT,
    out=OneOf(*OUTSIDE), out_share=PROPER_SHARE, train_on=_TRAIN_ON,
)  # fmt: skip
def make_patches(
    *,
    photo: str = "china",
    side: str = "8",
    color: str = "grey",
    n_images: int = 8000,
    out: str = "flower",
    out_share: float = 0.2,
    train_on: str = "normal",
    seed: int = 0,
) -> Dataset:
    """Patches of one of scikit-learn's two photographs; outside by default those of the other.

    Parameters
    ----------
    photo : "china" (a temple) or "flower"
    side : "8" or "16" pixels a side
    color : "grey" or "colour"
    n_images : how many patches are inside
    out, out_share, train_on, seed : as of `make_digit_images`
    """
    rng, shape = _patch_chance(seed), ImageShape(int(side), int(side), _CHANNELS[color])
    inside = pictures_of(photo, n_images, shape, rng)
    return _dataset(inside, None, out, out_share, shape, f"Patches of {PHOTOGRAPHS[photo]}", train_on, rng)


@checked(
    family=OneOf(*FAMILIES, BROAD), side=OneOf(*map(str, SIDES)), color=OneOf(*_CHANNELS), n_images=_COUNT,
    out=OneOf(*OUTSIDE), out_share=PROPER_SHARE, train_on=_TRAIN_ON,
)  # fmt: skip
def make_synthetic(
    *,
    family: str = "shapes",
    side: str = "8",
    color: str = "grey",
    n_images: int = 4000,
    out: str = "noise",
    out_share: float = 0.2,
    train_on: str = "normal",
    seed: int = 0,
) -> Dataset:
    """Pictures of a synthetic family, made of patches of china.jpg where it is made of pictures.

    `family` is one of `FAMILIES`, or "broad" for a broad background (`broad_background`); the other parameters are
    those of `make_patches`.
    """
    rng, shape = np.random.default_rng([seed, 0x5F17]), ImageShape(int(side), int(side), _CHANNELS[color])
    patches = pictures_of("china", n_images, shape, rng)
    if family == BROAD:
        inside = Pictures(broad_background(shape, n_images, rng), patches.split, patches.classes, ("broad set",))
    else:
        inside = _in_family(family, patches, rng)
    return _dataset(inside, None, out, out_share, shape, f"Synthetic: {_words(family)}", train_on, rng)


@checked(
    name=OneOf(*FETCHED), n_images=_COUNT, out=OneOf(*OUTSIDE), out_share=PROPER_SHARE, by_class=YES_OR_NO,
    train_on=_TRAIN_ON,
)  # fmt: skip
def make_fetched(
    name: str,
    *,
    n_images: int = 10_000,
    out: str = NONE,
    out_share: float = 0.2,
    by_class: bool = False,
    train_on: str = "normal",
    seed: int = 0,
) -> Dataset:
    """MNIST or Fashion-MNIST, 28 x 28 pixels, fetched from OpenML; ValueError where this computer does not reach it.

    `out` "none" leaves them without labels; the other parameters are those of `make_digit_images`.
    """
    rng, shape = np.random.default_rng([seed, 0x0317]), ImageShape(SIDE, SIDE)
    inside = pictures_of(name, n_images, shape, rng)
    return _dataset(inside, None, out, out_share, shape, FETCHED[name][0], train_on, rng, by_class)


def tried_pictures(photo: str, shape: ImageShape, n: int, seed: int) -> dict[str, np.ndarray]:
    """Pictures that models of `make_patches` with the same seed are tried on: none of their pixels was trained on.

    By name at most n of each kind, (n, height, width, channels) uint8: "inside", "other", of the other photograph, and
    the families of `TRIED`, made of those inside.
    """
    other = next(name for name in PHOTOGRAPHS if name != photo)
    tried = {}
    for kind, source in (("inside", photo), ("other", other)):
        found = pictures_of(source, 12 * n, shape, _patch_chance(seed))
        tried[kind] = found.pixels[found.split == DIVISION.index(Part.TEST)][:n]
    rng = np.random.default_rng([seed, 0x7E57])
    return tried | {name: FAMILIES[name](tried["inside"], rng) for name in TRIED}


def _patch_chance(seed: int) -> np.random.Generator:
    """Where patches are and which squares are of the test rows."""
    return np.random.default_rng([seed, 0x9A7C])


def picture_dataset(
    inside: Pictures, outside: Pictures | None, shape: ImageShape, name: str, train_on: str, levels: np.ndarray | None
) -> Dataset:
    """The Dataset of pictures, of which those `outside` are labelled 1; None for no labels.

    `levels` are the classes (n,) that become the context, those inside first; None for no context.
    """
    sets = [inside] if outside is None else [inside, outside]
    rows = rows_of(np.concatenate([each.pixels for each in sets]))
    y = None if outside is None else np.repeat(np.array([0, 1], np.int8), [len(inside), len(outside)])
    names = tuple(dict.fromkeys(name for each in sets for name in each.class_names))
    classes = np.concatenate([np.array([names.index(n) for n in each.class_names])[each.classes] for each in sets])
    used = np.unique(classes)
    columns = column_names(shape)
    return Dataset(
        rows if levels is None else np.column_stack([rows, levels]),
        columns if levels is None else (*columns, "class"),
        y=y,
        name=name,
        split=np.concatenate([each.split for each in sets]),
        train_on="all" if y is None else train_on,
        classes=np.searchsorted(used, classes),
        class_names=tuple(names[i] for i in used),
        context=None if levels is None else shape.n_pixels,
        levels=() if levels is None else inside.class_names[: int(levels.max()) + 1],
        image_shape=shape,
    )


def _dataset(
    inside: Pictures,
    rest: Pictures | None,
    out: str,
    out_share: float,
    shape: ImageShape,
    name: str,
    train_on: str,
    rng: np.random.Generator,
    by_class: bool = False,
) -> Dataset:
    """What the makers end in: the pictures inside, with so large a share of others."""
    n_out = max(30, round(len(inside) * out_share / (1 - out_share)))
    outside = None if out == NONE else _outside(inside, rest, out, n_out, shape, rng)
    levels = None
    if by_class:
        guests = inside.classes[rng.integers(0, len(inside), 0 if outside is None else len(outside))]
        levels = np.concatenate([inside.classes, guests])
    return picture_dataset(inside, outside, shape, name, train_on, levels)


def _outside(
    inside: Pictures, rest: Pictures | None, out: str, n: int, shape: ImageShape, rng: np.random.Generator
) -> Pictures:
    if out in FAMILIES:
        return _in_family(out, inside.take(rng.integers(0, len(inside), n)), rng)
    if out == REST and rest is not None:
        return rest.take(rng.permutation(len(rest))[:n])
    found = pictures_of(out, n, shape, rng)
    if set(found.class_names) & set(inside.class_names):
        raise ValueError("What is outside must be other pictures than those inside; choose another family or none.")
    return found


def _in_family(name: str, pictures: Pictures, rng: np.random.Generator) -> Pictures:
    """Pictures of a family, made of others, in whose part of the rows they stay."""
    pixels = FAMILIES[name](pictures.pixels, rng)
    return Pictures(pixels, pictures.split, np.zeros(len(pictures), np.int64), (_words(name),))


def _words(family: str) -> str:
    return family.replace("_", " ")
