"""Latent points of rows, one point that is moved by hand, and interpolation paths between two rows."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import chdtr, chdtri, ndtri

from flowlab.datasets.dataset import Dataset
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel, FlowModel, LatentModel
from flowlab.views.context import decoded, judged, latent
from flowlab.views.density import check_row
from flowlab.views.projection import MAX_ANOMALIES, display_rows, stage

Arrays = dict[str, np.ndarray]

MAX_POINTS = 2001
"""Most points of an interpolation path."""
SAME_DIRECTION = 1e-6
"""Sine of the angle below which two latent points lie on one line through the origin, and no great circle is theirs."""


def latent_point(
    model: DensityModel,
    dataset: Dataset,
    row: int = -1,
    axes: tuple[int, ...] = (),
    values: tuple[float, ...] = (),
) -> Arrays:
    """A latent point set by hand, and the row that the model decodes from it.

    The point is that of `row`, or the origin for -1, with its coordinates `axes` (from 0) replaced by `values`. Under a
    context its level is that of the row, for the origin that of the first row.

    Returns
    -------
    z : (n_latent,)
    x : (n_features,) in data units
    place : (1, 2) of x on the stage
    score : () the model's score of x, nan where x is not finite
    norm : () length of z
    gaussian : () bool, whether the model's prior is a standard normal, as that of flows and variational autoencoders
    nearer : () share of a standard normal that lies nearer to the origin than z: the distribution function of chi
        with n_latent degrees of freedom
    usual : (2,) the norms between which 95 % lie

    Raises
    ------
    ValueError
        If the model has no latent space, or `axes` and `values` do not fit it.
    """
    z = _start(model, dataset, row)
    z = _replaced(z, axes, values)
    x = _decoded(model, dataset, z[None], _levels(dataset, max(row, 0)))
    norm, k = math.hypot(*z), len(z)  # which does not overflow
    return {
        "z": z,
        "x": x[0],
        "place": _places(dataset, x),
        "score": _scores(model, x)[0],
        "norm": np.array(norm),
        "gaussian": np.array(isinstance(model, FlowModel | VariationalAutoencoder)),
        "nearer": np.array(chdtr(k, min(norm, 1e100) ** 2)),
        "usual": np.sqrt(chdtri(k, np.array([0.975, 0.025]))),
    }


def latent_ways(model: DensityModel, dataset: Dataset, start: int = 0, end: int = 1, n: int = 101) -> Arrays:
    """Interpolation paths between two rows: straight in latent space, a great circle there, straight in data space.

    On the great circle the direction turns evenly and the norm changes evenly (spherical interpolation, Shoemake
    1985), so the path avoids the middle of the latent space, where in many dimensions practically no draw lies.
    There is no such path for one latent dimension or when the two points lie on one line through the origin. The
    context along a path is that of the nearer end.

    Returns
    -------
    share : (n,) from 0 at `start` to 1 at `end`
    latent_z, arc_z, straight_z : (n, n_latent)
    latent_x, arc_x, straight_x : (n, n_features) in data units
    latent_place, ... : (n, 2) of x on the stage
    latent_score, ... : (n,) the model's scores of x
    true_latent_score, ... : (n,) the exact log-density in nats, where it is known
    """
    rows = dataset.X[[check_row(dataset, start), check_row(dataset, end)]]
    n = int(np.clip(n, 11, MAX_POINTS))
    share = np.linspace(0, 1, n)
    levels = np.where(share < 0.5, _levels(dataset, start), _levels(dataset, end))
    z0, z1 = _latent(model, dataset, rows)
    paths = {"latent": _line(z0, z1, share), "arc": _arc(z0, z1, share), "straight": _line(*rows, share)}
    arrays: Arrays = {"share": share}
    for name, points in paths.items():
        if points is None:
            continue
        in_data_space = name == "straight"
        if in_data_space and dataset.context is not None:
            points[:, dataset.context] = levels
        x = points if in_data_space else _decoded(model, dataset, points, levels)
        arrays |= {
            f"{name}_z": _latent(model, dataset, points) if in_data_space else points,
            f"{name}_x": x,
            f"{name}_place": _places(dataset, x),
            f"{name}_score": _scores(model, x),
        }
        density = dataset.truth_for(model)
        if density is not None and np.isfinite(x).all():
            arrays[f"true_{name}_score"] = density.log_density(x)
    return arrays


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
    return _line(*np.array(norms)[:, None], share) * arc


LAST = -1
"""In place of a layer's number: the last, whose points are the latent ones."""


def rows(model: DensityModel, dataset: Dataset, n: int = 1500, layer: int = LAST) -> Arrays:
    """Rows on the stage with their scores and, where there is a latent space, their latent points.

    With a flow, `layer` gives the points after that layer (0 before the first, in scaled units) in place of the last.

    Returns
    -------
    n_layers : () of a flow
    rows : (m,) row numbers
    labels : (m,) uint8, 1 marks an anomaly
    points : (m, 2) on the stage
    anomaly_score : (m,) higher is more anomalous
    latent : (m, n_latent)
    norm : (m,) length of each latent vector
    expected : (99,) quantiles of the standard normal
    quantiles : (99, n_latent) of the latent marginals
    """
    indices = display_rows(dataset, int(np.clip(n, 2, 20_000)), MAX_ANOMALIES)
    X = dataset.X[indices]
    arrays = {
        "rows": indices,
        "labels": np.zeros(len(indices), np.uint8) if dataset.y is None else (dataset.y[indices] == 1).astype(np.uint8),
        "points": stage(dataset).project(X),
        "anomaly_score": model.anomaly_score(X),
    }
    if isinstance(model, FlowModel):
        arrays["n_layers"] = np.array(len(model.log_det_path(X[:1])))
    if isinstance(model, LatentModel):
        Z = latent(model, dataset, X) if layer == LAST else _after_layer(model, dataset, X, layer)
        shares = (np.arange(99) + 1) / 100
        arrays |= {
            "latent": Z,
            "norm": np.linalg.norm(Z, axis=1),
            "expected": ndtri(shares),
            "quantiles": np.quantile(Z, shares, axis=0),
        }
    return arrays


def _after_layer(model: LatentModel, dataset: Dataset, X: np.ndarray, layer: int) -> np.ndarray:
    if not isinstance(model, FlowModel):
        raise ValueError(f"{type(model).__name__} has no layers to look into; choose a flow")
    path = model.transform_path(X)
    if not 0 <= layer < len(path):
        raise ValueError(f"layer must be a whole number from 0 to {len(path) - 1}, not {layer!r}")
    return path[layer][:, judged(model, dataset)]
