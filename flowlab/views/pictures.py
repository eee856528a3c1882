"""Rows that are pictures, gathered on a sheet: of a class, of a model, on a path between two, between four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from flowlab.datasets.dataset import Dataset, Part
from flowlab.formatting import count
from flowlab.images.pixels import as_bytes
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.views.attribution import reasons
from flowlab.views.context import decoded, judged, latent
from flowlab.views.density import check_row
from flowlab.views.latent import LatentPaths

MAX_PICTURES = 1000
MAX_EXPLAINED_PIXELS = 800
N_ON_PATH = 11
"""Pictures on a path between two rows, its ends included."""


@dataclass(frozen=True, eq=False)
class PictureSheet:
    """Pictures in reading order.

    Attributes
    ----------
    pictures : (n, height, width, channels) uint8
    heads : what the line of each picture is called; pictures of one head stand together. Empty for no heads
    captions : a few letters under each; empty for none
    rows : (n,) int, number of the row each is of; -1 where it is of none
    marked : (n,) bool, outlined as an anomaly
    """

    pictures: np.ndarray
    heads: tuple[str, ...]
    captions: tuple[str, ...]
    rows: np.ndarray
    marked: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)

    @classmethod
    def of(
        cls,
        pictures: np.ndarray,
        heads: Sequence[str] = (),
        captions: Sequence[str] = (),
        rows: np.ndarray | None = None,
        marked: np.ndarray | None = None,
    ) -> PictureSheet:
        """From pictures (n, height, width, channels) in [0, 1]; what lies beyond is cut off."""
        n = len(pictures)
        return cls(
            as_bytes(pictures),
            tuple(heads),
            tuple(captions),
            np.full(n, -1) if rows is None else np.asarray(rows),
            np.zeros(n, bool) if marked is None else np.asarray(marked, bool),
        )


def row_sheet(dataset: Dataset, rows: np.ndarray, captions: Sequence[str] | None = None) -> PictureSheet:
    """Rows of the data by number, the labelled anomalies outlined; captions are the numbers where none are given."""
    marked = None if dataset.y is None else dataset.y[rows] == 1
    words = [count(int(row)) for row in rows] if captions is None else captions
    return PictureSheet.of(dataset.pictures(dataset.X[rows]), (), words, rows, marked)


def class_sheet(dataset: Dataset, per_class: int = 12, seed: int = 0) -> PictureSheet:
    """Some pictures of each class at random, a line for each class; without classes some of all."""
    classes = dataset.classes if dataset.classes is not None and dataset.class_names else np.zeros(len(dataset), int)
    names = dataset.class_names or ("",)
    rng = np.random.default_rng([seed, 0x5EE7])
    kinds = np.unique(classes)[:40]
    chosen = [rng.permutation(np.flatnonzero(classes == k))[:per_class] for k in kinds]
    rows = np.concatenate(chosen)
    heads = [names[k] for k, members in zip(kinds, chosen) for _ in members]
    marked = None if dataset.y is None else dataset.y[rows] == 1
    return PictureSheet.of(dataset.pictures(dataset.X[rows]), heads, (), rows, marked)


def mean_sheet(dataset: Dataset) -> PictureSheet:
    """Mean and standard deviation of each pixel, a line for each class; the standard deviation doubled to be seen."""
    classes = dataset.classes if dataset.classes is not None and dataset.class_names else np.zeros(len(dataset), int)
    names = dataset.class_names or ("all",)
    pictures, heads, captions = [], [], []
    for k in np.unique(classes)[:40]:
        members = dataset.X[classes == k].astype(np.float64)
        pictures += [members.mean(axis=0), np.minimum(2 * members.std(axis=0), 1.0)]
        heads += [names[k] or "all"] * 2
        captions += ["mean", "2 sd"]
    return PictureSheet.of(dataset.pictures(np.array(pictures)), heads, captions)


def drawn_sheet(dataset: Dataset, drawn: np.ndarray, n_nearest: int = 12) -> PictureSheet:
    """Rows that a model has drawn (n, n_features); under the first `n_nearest` the training rows nearest to them.

    A model that copies draws pictures equal to those below. Captions are the root mean square difference of a pair.
    """
    first = drawn[: min(n_nearest, len(drawn))]
    rows = dataset.rows(Part.TRAIN)
    X = dataset.X[np.ix_(rows, dataset.judged)].astype(np.float64)
    guests = np.nan_to_num(first[:, dataset.judged])
    square = (X**2).sum(axis=1) - 2 * guests @ X.T
    nearest = rows[np.argmin(square, axis=1)]
    away = np.sqrt(np.mean((dataset.X[nearest][:, dataset.judged] - guests) ** 2, axis=1))
    pairs = np.concatenate([first, dataset.X[nearest], drawn[len(first) :]])
    heads = ["drawn"] * len(first) + ["nearest training row"] * len(first) + ["more draws"] * (len(drawn) - len(first))
    captions = [""] * len(first) + [f"{value:.3f}" for value in away] + [""] * (len(drawn) - len(first))
    numbers = np.concatenate([np.full(len(first), -1), nearest, np.full(len(drawn) - len(first), -1)])
    return PictureSheet.of(dataset.pictures(pairs), heads, captions, numbers)


def path_sheet(dataset: Dataset, paths: LatentPaths, names: dict[str, str]) -> PictureSheet:
    """Pictures on the ways between two rows, a line for each way; `names` says what a way is called."""
    pictures, heads, captions = [], [], []
    for name, path in paths.by_name().items():
        places = np.linspace(0, len(path.x) - 1, N_ON_PATH).round().astype(int)
        pictures.append(path.x[places])
        heads += [names[name]] * N_ON_PATH
        captions += [f"{score:.4g}" if np.isfinite(score) else "–" for score in path.score[places]]
    return PictureSheet.of(dataset.pictures(np.concatenate(pictures)), heads, captions)


def between_four(model: LatentModel, dataset: Dataset, corners: tuple[int, int, int, int], n: int = 8) -> PictureSheet:
    """A square of n x n pictures decoded between four rows, the corners: latent points mixed evenly both ways.

    The context of a picture is that of its nearest corner. ValueError if the model has no latent space.
    """
    n = int(np.clip(n, 2, 20))
    rows = dataset.X[[check_row(dataset, row) for row in corners]].astype(np.float64)
    z = latent(model, dataset, rows)
    across, down = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    weights = np.stack([(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across], axis=-1)
    weights = weights.reshape(-1, 4)
    nearest = weights.argmax(axis=1)
    levels = 0 if dataset.context is None else rows[nearest, dataset.context]
    mixed = weights @ z
    if isinstance(model, FlowModel | VariationalAutoencoder):
        # A mixture of Gaussian points is too short to be one: it gets the mixture of their lengths.
        lengths = np.linalg.norm(mixed, axis=1, keepdims=True)
        mixed *= (weights @ np.linalg.norm(z, axis=1))[:, None] / np.maximum(lengths, 1e-12)
    X = decoded(model, dataset, mixed, levels)
    return PictureSheet.of(dataset.pictures(X))


@dataclass(frozen=True, eq=False)
class PixelContributions:
    """What each pixel of a picture adds to its anomaly score.

    Attributes
    ----------
    contributions : (height, width) in the score's unit, channels summed; see `explain`
    similar : (n,) numbers of the training rows that resemble the picture most, the nearest first
    """

    contributions: np.ndarray
    similar: np.ndarray


def pixel_contributions(model: DensityModel, dataset: Dataset, row: int) -> PixelContributions:
    """How far the anomaly score of a picture falls when a pixel gets the value it has in pictures like it.

    ValueError where rows are no pictures, or have more than `MAX_EXPLAINED_PIXELS` columns, each of which is tried.
    """
    if dataset.image_shape is None or dataset.n_features > MAX_EXPLAINED_PIXELS:
        raise ValueError(f"Contributions are found for pictures of up to {MAX_EXPLAINED_PIXELS} numbers.")
    explanation = reasons(model, dataset, row, n_reasons=dataset.n_features)
    values = np.zeros((1, dataset.n_features))
    for reason in explanation.reasons:
        values[0, reason.column] = reason.contribution
    similar = np.array(explanation.similar, np.int64)
    return PixelContributions(dataset.pictures(values)[0].sum(axis=-1), similar)


def latent_sheet(model: LatentModel, dataset: Dataset, rows: tuple[int, ...]) -> PictureSheet:
    """Pictures, and under them their latent points as pictures: Phi(z), so that a Gaussian gives uniform noise.

    ValueError where the model has no latent space, or one of another size than the pictures.
    """
    X = dataset.X[[check_row(dataset, row) for row in rows]]
    z = latent(model, dataset, X)
    own = X[:, judged(model, dataset)]
    if z.shape != own.shape or dataset.image_shape is None or own.shape[1] != dataset.image_shape.n_pixels:
        raise ValueError("This model's latent points are of another size than the pictures.")
    return PictureSheet.of(
        dataset.image_shape.of(np.concatenate([own, ndtr(z)])),
        ["picture"] * len(rows) + ["latent"] * len(rows),
        [count(row) for row in rows] + [""] * len(rows),
        np.concatenate([rows, rows]),
    )
