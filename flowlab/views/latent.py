"""Latent points of rows, one point that is moved by hand, and interpolation paths between two rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtr, chdtri

from flowlab.datasets.dataset import Dataset
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.views.context import decoded, judged, latent
from flowlab.views.density import check_row
from flowlab.views.projection import MAX_ANOMALIES, display_rows, stage

MAX_POINTS = 2001
"""Most points of an interpolation path."""
SAME_DIRECTION = 1e-6
"""Sine of the angle below which two latent points lie on one line through the origin, and no great circle is theirs."""


@dataclass(frozen=True, eq=False)
class LatentPoint:
    """A latent point, and the row that a model decodes from it.

    Attributes
    ----------
    z : (n_latent,)
    x : (n_features,) in data units
    place : (2,) of x on the stage
    score : the model's score of x, nan where x is not finite
    norm : length of z
    gaussian : whether the model's prior is a standard normal, as that of flows and variational autoencoders
    nearer : share of a standard normal that lies nearer to the origin than z: the distribution function of chi with
        n_latent degrees of freedom
    usual : the norms between which 95 % lie
    """

    z: np.ndarray
    x: np.ndarray
    place: np.ndarray
    score: float
    norm: float
    gaussian: bool
    nearer: float
    usual: tuple[float, float]


def latent_point(
    model: DensityModel,
    dataset: Dataset,
    row: int = -1,
    axes: tuple[int, ...] = (),
    values: tuple[float, ...] = (),
) -> LatentPoint:
    """A latent point set by hand, and the row that the model decodes from it.

    The point is that of `row`, or the origin for -1, with its coordinates `axes` (from 0) replaced by `values`. Under a
    context its level is that of the row, for the origin that of the first row.

    Raises
    ------
    ValueError
        If the model has no latent space, or `axes` and `values` do not fit it.
    """
    z = _start(model, dataset, row)
    z = _replaced(z, axes, values)
    x = _decoded(model, dataset, z[None], _levels(dataset, max(row, 0)))
    norm, k = math.hypot(*z), len(z)  # which does not overflow
    return LatentPoint(
        z,
        x[0],
        _places(dataset, x)[0],
        float(_scores(model, x)[0]),
        norm,
        isinstance(model, FlowModel | VariationalAutoencoder),
        float(chdtr(k, min(norm, 1e100) ** 2)),
        (math.sqrt(chdtri(k, 0.975)), math.sqrt(chdtri(k, 0.025))),
    )


@dataclass(frozen=True, eq=False)
class LatentPath:
    """One interpolation path.

    Attributes
    ----------
    z : (n, n_latent)
    x : (n, n_features) in data units
    place : (n, 2) of x on the stage
    score : (n,) the model's scores of x
    true_log_density : (n,) of x, in nats; None where the exact density is not known or x is not finite
    """

    z: np.ndarray
    x: np.ndarray
    place: np.ndarray
    score: np.ndarray
    true_log_density: np.ndarray | None


@dataclass(frozen=True, eq=False)
class LatentPaths:
    """Interpolation paths between two rows.

    Attributes
    ----------
    share : (n,) from 0 at the first row to 1 at the second
    latent : straight in latent space
    arc : a great circle in latent space; None where there is none
    straight : straight in data space
    """

    share: np.ndarray
    latent: LatentPath
    arc: LatentPath | None
    straight: LatentPath

    def by_name(self) -> dict[str, LatentPath]:
        """Those there are: "latent", "arc" and "straight"."""
        named = {"latent": self.latent, "arc": self.arc, "straight": self.straight}
        return {name: path for name, path in named.items() if path is not None}


def latent_paths(model: DensityModel, dataset: Dataset, start: int = 0, end: int = 1, n: int = 101) -> LatentPaths:
    """Interpolation paths between two rows: straight in latent space, a great circle there, straight in data space.

    On the great circle the direction turns evenly and the norm changes evenly (spherical interpolation, Shoemake
    1985), so the path avoids the middle of the latent space, where in many dimensions practically no draw lies.
    There is no such path for one latent dimension or when the two points lie on one line through the origin. The
    context along a path is that of the nearer end. ValueError if the model has no latent space.
    """
    rows = dataset.X[[check_row(dataset, start), check_row(dataset, end)]]
    n = int(np.clip(n, 11, MAX_POINTS))
    share = np.linspace(0, 1, n)
    levels = np.where(share < 0.5, _levels(dataset, start), _levels(dataset, end))
    z0, z1 = _latent(model, dataset, rows)
    arc = _arc(z0, z1, share)
    straight = _line(rows[0], rows[1], share)
    if dataset.context is not None:
        straight[:, dataset.context] = levels
    return LatentPaths(
        share,
        _decoded_path(model, dataset, _line(z0, z1, share), levels),
        None if arc is None else _decoded_path(model, dataset, arc, levels),
        _path(model, dataset, _latent(model, dataset, straight), straight),
    )


def _decoded_path(model: LatentModel, dataset: Dataset, z: np.ndarray, levels: np.ndarray) -> LatentPath:
    return _path(model, dataset, z, _decoded(model, dataset, z, levels))


def _path(model: DensityModel, dataset: Dataset, z: np.ndarray, x: np.ndarray) -> LatentPath:
    density = dataset.truth_for(model)
    true = density.log_density(x) if density is not None and np.isfinite(x).all() else None
    return LatentPath(z, x, _places(dataset, x), _scores(model, x), true)


def _latent(model: DensityModel, dataset: Dataset, X: np.ndarray) -> np.ndarray:
    if not isinstance(model, LatentModel):
        raise ValueError(f"{type(model).__name__} has no latent space; choose a flow or an autoencoder")
    return latent(model, dataset, X)


def _levels(dataset: Dataset, row: int) -> float:
    """The level of a row's context; 0 without one."""
    return 0.0 if dataset.context is None else float(dataset.X[row, dataset.context])


def _start(model: DensityModel, dataset: Dataset, row: int) -> np.ndarray:
    """Latent point of a row; for -1 the origin."""
    if row == -1:
        return np.zeros(_latent(model, dataset, dataset.X[:1]).shape[1])
    return np.array(_latent(model, dataset, dataset.X[[check_row(dataset, row)]])[0], np.float64)


def _replaced(z: np.ndarray, axes: tuple[int, ...], values: tuple[float, ...]) -> np.ndarray:
    if len(axes) != len(values) or len(set(axes)) != len(axes) or not all(0 <= a < len(z) for a in axes):
        raise ValueError(
            f"axes must be different numbers from 0 to {len(z) - 1}, one for each of values, "
            f"not {tuple(axes)} for {len(values)} values"
        )
    if not np.isfinite(np.asarray(values, np.float64)).all():
        raise ValueError(f"values must be finite numbers, not {tuple(values)}")
    z[list(axes)] = values
    return z


def _decoded(model: LatentModel, dataset: Dataset, Z: np.ndarray, levels: np.ndarray | float) -> np.ndarray:
    # Far out the inverse may overflow; callers handle values that are not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(decoded(model, dataset, Z, levels), np.float64)


def _scores(model: DensityModel, x: np.ndarray) -> np.ndarray:
    """Scores (n,) of rows; nan for those that are not finite, which models do not accept."""
    finite = np.isfinite(x).all(axis=1)
    scores = np.full(len(x), np.nan)
    if finite.any():
        scores[finite] = model.score_samples(x[finite])
    return scores


def _places(dataset: Dataset, x: np.ndarray) -> np.ndarray:
    """Positions (n, 2) of rows on the stage; those of one feature on its axis, without heights that spread them."""
    places = stage(dataset).project(x)
    if len(dataset.judged) == 1:
        places[:, 1] = 0.0
    return places


def _line(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    return (1 - share[:, None]) * a + share[:, None] * b


def _arc(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray | None:
    norms = np.linalg.norm(a), np.linalg.norm(b)
    if min(norms) == 0 or len(a) == 1:
        return None
    unit_a, unit_b = a / norms[0], b / norms[1]
    angle = 2 * np.arctan2(np.linalg.norm(unit_a - unit_b), np.linalg.norm(unit_a + unit_b))
    if np.sin(angle) < SAME_DIRECTION:
        return None
    arc = (np.sin((1 - share) * angle)[:, None] * unit_a + np.sin(share * angle)[:, None] * unit_b) / np.sin(angle)
    return _line(np.array(norms[:1]), np.array(norms[1:]), share) * arc


LAST = -1
"""In place of a layer's number: the last, whose points are the latent ones."""


@dataclass(frozen=True, eq=False)
class LatentRows:
    """Rows on the stage with their scores and, where there is a latent space, their latent points.

    Attributes
    ----------
    rows : (m,) row numbers
    labels : (m,) uint8, 1 marks an anomaly
    points : (m, 2) on the stage
    anomaly_score : (m,) higher is more anomalous
    n_layers : of a flow; 0 for other models
    latent : (m, n_latent); None without a latent space
    """

    rows: np.ndarray
    labels: np.ndarray
    points: np.ndarray
    anomaly_score: np.ndarray
    n_layers: int = 0
    latent: np.ndarray | None = None


def rows(model: DensityModel, dataset: Dataset, n: int = 1500, layer: int = LAST) -> LatentRows:
    """Rows on the stage with their scores and, where there is a latent space, their latent points.

    With a flow, `layer` gives the points after that layer (0 before the first, in scaled units) in place of the last.
    """
    indices = display_rows(dataset, int(np.clip(n, 2, 20_000)), MAX_ANOMALIES)
    X = dataset.X[indices]
    labels = np.zeros(len(indices), np.uint8) if dataset.y is None else (dataset.y[indices] == 1).astype(np.uint8)
    n_layers = len(model.log_det_path(X[:1])) if isinstance(model, FlowModel) else 0
    Z = None
    if isinstance(model, LatentModel):
        Z = latent(model, dataset, X) if layer == LAST else _after_layer(model, dataset, X, layer)
    return LatentRows(indices, labels, stage(dataset).project(X), model.anomaly_score(X), n_layers, Z)


def _after_layer(model: LatentModel, dataset: Dataset, X: np.ndarray, layer: int) -> np.ndarray:
    if not isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} has no layers to look into; choose a flow")
    path = model.transform_path(X)
    if not 0 <= layer < len(path):
        raise ValueError(f"layer must be a whole number from 0 to {len(path) - 1}, not {layer!r}")
    return path[layer][:, judged(model, dataset)]
