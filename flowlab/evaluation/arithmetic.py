"""A model's own arithmetic: inverse, log-determinant and total mass, checked against its outputs alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from flowlab.columns import spread_of
from flowlab.evaluation.finding import Finding, level_of
from flowlab.models.base import DensityModel, FlowModel

ROUND_TRIP_NUMBERS = 30_000
"""Rows times columns of the data that make the round trip; as many are drawn from the model."""
MASS_POINTS, MASS_CELLS = 25_600, 64
"""Where the density of one or two columns is summed: points in all, and cells of equal count to begin with."""
MASS_ERROR = 0.15
"""Standard error of the mass, as a share of it, from which on it is not reported."""


def round_trip(model: FlowModel, X: np.ndarray, rng: np.random.Generator) -> Finding:
    """Largest |x - inverse(transform(x))| in standard deviations, over rows X (n, d) and rows drawn from the model.

    More than ten deviations from the mean, where a number has fewer digits after the point, the unit is a tenth of
    that distance.
    """
    n_rows = min(len(X), 1000, max(100, ROUND_TRIP_NUMBERS // X.shape[1]))
    drawn = model.inverse_transform(rng.standard_normal((n_rows, X.shape[1])))
    rows = np.vstack([X[:n_rows], drawn])
    unit = np.maximum(spread_of(X), np.abs(rows - X.mean(0)) / 10)
    error = np.abs(model.inverse_transform(model.transform(rows)) - rows) / unit
    worst = float(error.max()) if np.isfinite(error).all() else np.inf
    level = level_of(worst, 1e-3, 0.03)
    words = {
        "green": "Going to the latent space and back returns each row.",
        "amber": "Going to the latent space and back loses digits; the scores of far rows are inexact.",
        "red": "Going to the latent space and back does not return the rows: this is no invertible map.",
    }
    return Finding("Round trip", worst, "standard deviations", level, words[level])


@dataclass(frozen=True)
class Jacobians:
    """Numerical Jacobians dz_i / dx_j of a flow at some rows, x in standard deviations. Made by `measure`.

    There are two step widths: the narrow one suits maps computed in float64, the wide one those computed in float32.

    Attributes
    ----------
    rows, latent : (n, d) rows in data units, and their latent points
    narrow, wide : (n, d, d) Jacobians at steps of 1e-4 and 5e-3 standard deviations
    spread : (d,) standard deviations
    """

    rows: np.ndarray
    latent: np.ndarray
    narrow: np.ndarray
    wide: np.ndarray
    spread: np.ndarray

    @classmethod
    def measure(cls, model: FlowModel, X: np.ndarray, rng: np.random.Generator) -> Jacobians:
        """Jacobians at a random part of X (n, d), at most 200 rows, fewer of many columns, by central differences."""
        d, spread = X.shape[1], spread_of(X)
        rows = X[rng.permutation(len(X))[: min(200, max(8, 6_000 // (8 * d)))]]
        fine, coarse = (_slopes(model, rows, spread, step) for step in (1e-4, 5e-3))
        return cls(rows, model.transform(rows), fine, coarse, spread)


def log_determinant(model: FlowModel, jacobians: Jacobians) -> Finding:
    """Median over rows of |score - (log N(z) + numerical log-determinant)|, at the better of two step widths."""
    rows, d = jacobians.rows, jacobians.rows.shape[1]
    base = norm.logpdf(jacobians.latent).sum(1) - np.log(jacobians.spread).sum()
    scores = model.score_samples(rows)
    errors = [np.abs(scores - base - np.linalg.slogdet(m)[1]) for m in (jacobians.narrow, jacobians.wide)]
    error = float(min(np.median(e) for e in errors))
    level = level_of(error, 0.01 * max(1.0, d / 4), 0.1 * max(1.0, d / 4))
    words = {
        "green": "The volume change in the scores is the one the map makes.",
        "amber": "The volume change in the scores is slightly off the one the map makes.",
        "red": "The scores leave out or misstate the volume change of the map: they are no log-densities.",
    }
    return Finding("Log-determinant", error, "nats", level, words[level])


def total_mass(model: DensityModel, X: np.ndarray, rng: np.random.Generator) -> Finding | None:
    """Integral of the density: over a window for one or two columns, by importance weights up to eight.

    None for more than eight columns, for three to eight where the model cannot be sampled, and where the standard error
    exceeds 0.15.

    The estimate for more columns is the mean of q(x) / p(x) over rows drawn from the model, q a narrower normal
    density fitted to them: 1 / mass if the scores are log-densities of what is drawn (Gelfand & Dey 1994).
    """
    d = X.shape[1]
    if d <= 2:
        mass, error = _mass_in_window(model, X, rng)
        lost, doubled = (0.04, 0.02), (0.15, 0.1)
        how = f"± {error:.3f} over the window of the training rows"
    elif d <= 8 and model.can_sample:
        mass, error = _mass_by_importance(model, rng)
        lost, doubled = (0.05, 0.05), (0.2, 0.2)
        how = f"± {error:.2f} by importance weights"
    else:
        return None
    if error > MASS_ERROR * max(mass, 1.0):
        return None
    level = next(
        (
            level
            for level, low, high in zip(("green", "amber"), *np.transpose([lost, doubled]).tolist())
            if -low - 3 * error <= mass - 1 <= high + 3 * error
        ),
        "red",
    )
    words = {
        "green": f"The density sums to {mass:.3f} {how}, as a density must.",
        "amber": f"The density sums to {mass:.3f} {how}; some mass is lost or doubled.",
        "red": f"The density sums to {mass:.3g} {how}, not to 1: these are no densities.",
    }
    return Finding("Total mass", float(mass), "probability", level, words[level])


def _slopes(model: FlowModel, rows: np.ndarray, spread: np.ndarray, step: float) -> np.ndarray:
    """Central differences of order four, (n_rows, n_features, n_features)."""
    d = rows.shape[1]
    moves = np.concatenate([k * step * np.eye(d) for k in (-2, -1, 1, 2)])
    Z = model.transform((rows[:, None] + moves * spread).reshape(-1, d)).reshape(len(rows), 4, d, -1)
    return ((Z[:, 0] - 8 * Z[:, 1] + 8 * Z[:, 2] - Z[:, 3]) / (12 * step)).transpose(0, 2, 1)


def _mass_in_window(model: DensityModel, X: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Integral over the range of the rows, widened by half a standard deviation on each side; and its standard error.

    The window is divided so that each cell holds about as many rows, each of these evenly, and then cells whose
    integral is least certain again: cells are small where the density is sharp. The last look at all cells is a fresh
    one, so that none that seemed certain by chance has a say.
    """
    d, margin = X.shape[1], 0.5 * spread_of(X)
    cells = _cells_of_equal_count(X, X.min(0) - margin, X.max(0) + margin, np.ptp(X, axis=0), MASS_CELLS)
    low, high = (np.array(ends) for ends in zip(*cells))
    parts = round(max(MASS_POINTS / (2 * 2**d * len(cells)), 1) ** (1 / d))
    places = np.stack(np.meshgrid(*d * [np.arange(parts) / parts], indexing="ij"), -1).reshape(-1, d)
    low, side = low[:, None] + places * (high - low)[:, None], np.repeat((high - low) / parts, len(places), axis=0)
    low = low.reshape(-1, d)
    high = low + side
    mean, error = _in_cells(model, low, high, rng)
    while len(low) * 2**d < MASS_POINTS:
        order = np.argsort(-error)
        cut, kept = order[: -(-len(order) // 8)], order[-(-len(order) // 8) :]
        corners = np.stack(np.meshgrid(*d * [[0.0, 0.5]], indexing="ij"), -1).reshape(-1, d)
        child_low = (low[cut, None] + corners * (high - low)[cut, None]).reshape(-1, d)
        child_high = child_low + np.repeat((high - low)[cut] / 2, 2**d, axis=0)
        children = _in_cells(model, child_low, child_high, rng)
        low, high = np.r_[low[kept], child_low], np.r_[high[kept], child_high]
        mean, error = np.r_[mean[kept], children[0]], np.r_[error[kept], children[1]]
    mean, error = _in_cells(model, low, high, rng)
    return float(mean.sum()), float(np.sqrt((error**2).sum()))


def _in_cells(
    model: DensityModel, low: np.ndarray, high: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Integral over each cell, from a random point in each of its halves, quarters or so; and its standard error."""
    d = low.shape[1]
    corners = np.stack(np.meshgrid(*d * [[0.0, 0.5]], indexing="ij"), -1).reshape(-1, d)
    places = corners + 0.5 * rng.uniform(size=(len(low), 2**d, d))
    points = low[:, None] + places * (high - low)[:, None]
    density = np.exp(np.minimum(model.score_samples(points.reshape(-1, d)), 700)).reshape(len(low), -1)
    volume = (high - low).prod(1)
    return volume * density.mean(1), volume * density.std(1, ddof=1) / 2 ** (d / 2)


def _cells_of_equal_count(X: np.ndarray, low: np.ndarray, high: np.ndarray, whole: np.ndarray, n: int) -> list:
    """At most `n` boxes (low, high) that fill a window, with about as many rows each, cut at medians of the wider side.

    `whole` (d,) is the unit of width: the range of all rows.
    """
    axis = int(np.argmax(np.ptp(X, axis=0) / np.where(whole > 0, whole, 1))) if len(X) > 1 else 0
    cut = float(np.median(X[:, axis])) if len(X) > 1 else np.nan
    below = X[:, axis] <= cut
    if n < 2 or len(X) < 2 or below.all():
        return [(low, high)]
    middle_high, middle_low = high.copy(), low.copy()
    middle_high[axis] = middle_low[axis] = cut
    return [
        *_cells_of_equal_count(X[below], low, middle_high, whole, n // 2),
        *_cells_of_equal_count(X[~below], middle_low, high, whole, n // 2),
    ]


def _mass_by_importance(model: DensityModel, rng: np.random.Generator) -> tuple[float, float]:
    drawn = model.sample(5000, random_state=int(rng.integers(2**31)))
    center, covariance = drawn.mean(0), 0.5 * np.cov(drawn.T)
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(center)))
    white = np.linalg.solve(root, (drawn - center).T)
    log_q = norm.logpdf(white).sum(0) - np.log(np.diag(root)).sum()
    ratio = np.exp(np.minimum(log_q - model.score_samples(drawn), 50))
    inverse_mass = ratio.mean()
    return 1 / inverse_mass, float(ratio.std() / len(ratio) ** 0.5 / inverse_mass)
