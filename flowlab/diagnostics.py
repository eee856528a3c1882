"""The trust badge: what can be measured about a fitted model without believing it.

`audit` checks the model's own arithmetic (inverse, log-determinant, total mass) against numbers computed from its
outputs alone, and its fit (latent shape, held-out gap, samples) against rows it was not trained on. Levels are set
by effect sizes, widened by what so few rows can show, because with enough rows every model fails every test.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi, kstest, norm

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel, FlowModel
from flowlab.twosample import classifier_test

MAX_ROWS = 3000
LEVELS = ("green", "amber", "red")


@dataclass(frozen=True)
class Finding:
    """One measured property: `level` is "green", "amber" or "red"; `sentence` says what it means."""

    name: str
    value: float
    unit: str
    level: str
    sentence: str


def audit(model: DensityModel, dataset: Dataset, random_state: int = 0) -> list[Finding]:
    """Measure a fitted model on its own data set, in a second or two. Checks that do not apply are left out.

    A model without a latent space has no round trip to check, one that is no density no mass.
    """
    rng = np.random.default_rng(random_state)
    train = _some(_normal_rows(dataset, "train"), rng)
    held_out = _some(_held_out(dataset), rng)
    findings = []
    if isinstance(model, FlowModel):
        jacobians = _Jacobians.measure(model, held_out, rng)
        findings += [
            round_trip(model, held_out, rng),
            log_determinant(model, jacobians),
            untouched_columns(model, jacobians, held_out),
            latent_axes(model, held_out),
            latent_norm(model, held_out),
            tails(model, held_out),
        ]
    if model.is_density:
        findings += [total_mass(model, train, rng)]
    findings += [generalisation(model, train, held_out)]
    if model.can_sample:
        findings += [samples(model, held_out, random_state)]
    return [finding for finding in findings if finding is not None]


def overall(findings: list[Finding]) -> str:
    """The worst level among the findings; "green" without any."""
    return max((f.level for f in findings), key=LEVELS.index, default="green")


def round_trip(model: FlowModel, X: np.ndarray, rng: np.random.Generator) -> Finding:
    """Largest |x - inverse(transform(x))| in standard deviations, over rows and over rows drawn from the model."""
    drawn = model.inverse_transform(rng.standard_normal((min(len(X), 1000), X.shape[1])))
    rows = np.vstack([X[:1000], drawn])
    error = np.abs(model.inverse_transform(model.transform(rows)) - rows) / _spread(X)
    worst = float(error.max()) if np.isfinite(error).all() else np.inf
    level = _level(worst, 1e-3, 0.03)
    words = {
        "green": "Going to the latent space and back returns each row.",
        "amber": "Going to the latent space and back loses digits; the scores of far rows are inexact.",
        "red": "Going to the latent space and back does not return the rows: this is no invertible map.",
    }
    return Finding("Round trip", worst, "standard deviations", level, words[level])


@dataclass(frozen=True)
class _Jacobians:
    """Rows, their latent points and numerical Jacobians dz_i / dx_j, x in standard deviations.

    Two step widths: the narrow one suits maps computed in float64, the wide one those computed in float32.
    """

    rows: np.ndarray
    latent: np.ndarray
    narrow: np.ndarray
    wide: np.ndarray
    spread: np.ndarray

    @classmethod
    def measure(cls, model: FlowModel, X: np.ndarray, rng: np.random.Generator) -> _Jacobians:
        d, spread = X.shape[1], _spread(X)
        rows = X[rng.permutation(len(X))[: min(200, max(8, 12_000 // (8 * d)))]]
        matrices = [_slopes(model, rows, spread, step) for step in (1e-4, 5e-3)]
        return cls(rows, model.transform(rows), *matrices, spread)


def _slopes(model: FlowModel, rows: np.ndarray, spread: np.ndarray, step: float) -> np.ndarray:
    """Central differences of order four, (n_rows, n_features, n_features)."""
    d = rows.shape[1]
    moves = np.concatenate([k * step * np.eye(d) for k in (-2, -1, 1, 2)])
    Z = model.transform((rows[:, None] + moves * spread).reshape(-1, d)).reshape(len(rows), 4, d, -1)
    return ((Z[:, 0] - 8 * Z[:, 1] + 8 * Z[:, 2] - Z[:, 3]) / (12 * step)).transpose(0, 2, 1)


def log_determinant(model: FlowModel, jacobians: _Jacobians) -> Finding:
    """Median over rows of |score - (log N(z) + numerical log-determinant)|, at the better of two step widths."""
    rows, d = jacobians.rows, jacobians.rows.shape[1]
    base = norm.logpdf(jacobians.latent).sum(1) - np.log(jacobians.spread).sum()
    scores = model.score_samples(rows)
    errors = [np.abs(scores - base - np.linalg.slogdet(m)[1]) for m in (jacobians.narrow, jacobians.wide)]
    error = float(min(np.median(e) for e in errors))
    level = _level(error, 0.01 * max(1.0, d / 4), 0.1 * max(1.0, d / 4))
    words = {
        "green": "The volume change in the scores is the one the map makes.",
        "amber": "The volume change in the scores is slightly off the one the map makes.",
        "red": "The scores leave out or misstate the volume change of the map: they are no log-densities.",
    }
    return Finding("Log-determinant", error, "nats", level, words[level])


def untouched_columns(model: FlowModel, jacobians: _Jacobians, X: np.ndarray) -> Finding | None:
    """Latent axes that are a column only moved and stretched, though that column is not normal."""
    if X.shape[1] == 1:
        return None
    size = np.abs(jacobians.wide)
    largest = size.max(2)
    alone = (largest / np.maximum(size.sum(2), 1e-300)).min(0) > 0.999
    steady = largest.std(0) < 1e-3 * np.maximum(largest.mean(0), 1e-300)
    untouched = alone & steady & (_ks_axes(model.transform(X)) > _ks_tolerance(0.0, len(X)))
    count = int(untouched.sum())
    level = "red" if count else "green"
    sentence = (
        f"{count} of {X.shape[1]} columns pass every layer unchanged, so their shape is not learned: alternate masks."
        if count
        else "Every column is transformed, or needs no transformation."
    )
    return Finding("Untouched columns", count, "columns", level, sentence)


def latent_axes(model: FlowModel, X: np.ndarray) -> Finding:
    """Largest Kolmogorov-Smirnov distance of a latent axis of held-out rows from the standard normal."""
    worst = float(_ks_axes(model.transform(X)).max())
    level = _level(worst, _ks_tolerance(0.04, len(X)), _ks_tolerance(0.12, len(X)))
    words = {
        "green": "Each latent axis looks standard normal.",
        "amber": "A latent axis is visibly not standard normal: the fit is rough.",
        "red": "A latent axis is far from standard normal: the flow has not learned the shape of the data.",
    }
    return Finding("Latent axes", worst, "KS distance", level, words[level])


def latent_norm(model: FlowModel, X: np.ndarray) -> Finding:
    """Kolmogorov-Smirnov distance of the latent norm of held-out rows from the chi distribution."""
    distance = float(kstest(np.linalg.norm(model.transform(X), axis=1), chi(X.shape[1]).cdf).statistic)
    wider = _many_columns(X.shape[1])
    level = _level(distance, _ks_tolerance(0.04 * wider, len(X)), _ks_tolerance(0.12 * wider, len(X)))
    words = {
        "green": "Distances from the latent centre follow the chi distribution.",
        "amber": "Distances from the latent centre stray from the chi distribution.",
        "red": "Distances from the latent centre do not follow the chi distribution: the fit is poor.",
    }
    return Finding("Latent norm", distance, "KS distance", level, words[level])


def tails(model: FlowModel, X: np.ndarray) -> Finding:
    """Share of held-out rows beyond a spline's bound on any layer, or beyond 5 at the input of other flows."""
    path, bound = model.transform_path(X), 5.0
    if hasattr(model, "tail_bound"):
        bound = float(model.tail_bound)
    else:
        path = path[:1]
    share = float(np.mean((np.abs(path) > bound).any(axis=(0, 2))))
    wider = _many_columns(X.shape[1])
    level = _level(share, 0.02 * wider, 0.1 * wider)
    words = {
        "green": f"Nearly all rows stay within {bound:g} deviations, where the map was taught.",
        "amber": f"Some rows leave +-{bound:g} deviations, where the map was not taught; their scores are rough.",
        "red": f"Many rows leave +-{bound:g} deviations, where the map was not taught. Tame heavy tails first.",
    }
    return Finding("Rows in the tails", share, "share of rows", level, words[level])


def total_mass(model: DensityModel, X: np.ndarray, rng: np.random.Generator) -> Finding | None:
    """Integral of the density: on a grid over a window for one or two columns, by importance weights up to eight.

    The estimate for more columns is the mean of q(x) / p(x) over rows drawn from the model, q a narrower normal
    density fitted to them: 1 / mass if the scores are log-densities of what is drawn (Gelfand & Dey 1994).
    """
    d = X.shape[1]
    if d <= 2:
        mass, how = _mass_on_grid(model, X), "over the window"
        level = "green" if 0.96 <= mass <= 1.02 else "amber" if 0.85 <= mass <= 1.1 else "red"
    elif d <= 8 and model.can_sample:
        mass, error = _mass_by_importance(model, rng)
        if error > 0.15:
            return None
        how, off = f"+- {error:.2f} by importance weights", abs(mass - 1)
        level = _level(off, 0.05 + 3 * error, 0.2 + 3 * error)
    else:
        return None
    words = {
        "green": f"The density sums to {mass:.3f} {how}, as a density must.",
        "amber": f"The density sums to {mass:.3f} {how}; some mass is lost or doubled.",
        "red": f"The density sums to {mass:.3g} {how}, not to 1: these are no densities.",
    }
    return Finding("Total mass", float(mass), "probability", level, words[level])


def generalisation(model: DensityModel, train: np.ndarray, held_out: np.ndarray) -> Finding:
    """How much better training rows score than held-out rows, per column."""
    inside, outside = model.score_samples(train), model.score_samples(held_out)
    unit = "nats per column" if model.is_density else "score"
    scale = train.shape[1] if model.is_density else max(float(np.std(inside)), 1e-12)
    gap = float(np.mean(_clipped(inside)) - np.mean(_clipped(outside))) / scale
    noise = (
        2 * np.hypot(_clipped(inside).std() / len(inside) ** 0.5, _clipped(outside).std() / len(outside) ** 0.5) / scale
    )
    level = _level(gap, 0.05 + noise, 0.25 + noise)
    words = {
        "green": "Held-out rows score like training rows.",
        "amber": "Training rows score better than held-out rows: some of the fit is memory.",
        "red": "Training rows score far better than held-out rows: the model has memorised them.",
    }
    return Finding("Training against held-out rows", gap, unit, level, words[level])


def samples(model: DensityModel, held_out: np.ndarray, random_state: int) -> Finding:
    """AUROC with which boosted trees tell the model's samples from held-out rows; 0.5 is as good as real."""
    drawn = model.sample(len(held_out), random_state=random_state)
    if not np.isfinite(drawn).all():
        return Finding("Samples", 1.0, "AUROC", "red", "Samples contain values that are not finite numbers.")
    auroc = classifier_test(drawn, held_out, random_state).effect
    noise = 1.0 / np.sqrt(len(held_out))
    level = _level(auroc, 0.56 + noise, 0.75 + noise)
    words = {
        "green": "A classifier can hardly tell samples from held-out rows.",
        "amber": "A classifier sees a difference between samples and held-out rows.",
        "red": "A classifier easily tells samples from held-out rows: do not use them as data.",
    }
    return Finding("Samples", float(auroc), "AUROC", level, words[level])


def _mass_on_grid(model: DensityModel, X: np.ndarray, cells: int = 25_600) -> float:
    """Midpoint rule over the range of the rows, widened by half a standard deviation on each side."""
    d = X.shape[1]
    per_axis = round(cells ** (1 / d))
    margin = 0.5 * _spread(X)
    low, width = X.min(0) - margin, np.ptp(X, 0) + 2 * margin
    ticks = (np.arange(per_axis) + 0.5) / per_axis
    grid = np.stack(np.meshgrid(*d * [ticks], indexing="ij"), -1).reshape(-1, d)
    log_density = model.score_samples(low + width * grid)
    return float(np.exp(np.minimum(log_density, 700)).sum() * width.prod() / len(grid))


def _mass_by_importance(model: DensityModel, rng: np.random.Generator) -> tuple[float, float]:
    drawn = model.sample(5000, random_state=int(rng.integers(2**31)))
    center, covariance = drawn.mean(0), 0.5 * np.cov(drawn.T)
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(center)))
    white = np.linalg.solve(root, (drawn - center).T)
    log_q = norm.logpdf(white).sum(0) - np.log(np.diag(root)).sum()
    ratio = np.exp(np.minimum(log_q - model.score_samples(drawn), 50))
    inverse_mass = ratio.mean()
    return 1 / inverse_mass, float(ratio.std() / len(ratio) ** 0.5 / inverse_mass)


def _ks_axes(Z: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov distance of each column from the standard normal, (d,)."""
    n = len(Z)
    levels = norm.cdf(np.sort(Z, axis=0))
    steps = np.arange(n)[:, None] / n
    return np.maximum(levels - steps, steps + 1 / n - levels).max(0)


def _ks_tolerance(distance: float, n_rows: int) -> float:
    """`distance`, widened by the 99.9 % quantile of the statistic under equality."""
    return distance + 1.95 / n_rows**0.5


def _many_columns(d: int) -> float:
    """How much wider a tolerance on whole rows is than on pairs of columns: small deviations add up like a sum."""
    return max(1.0, (d / 2) ** 0.5)


def _level(value: float, amber: float, red: float) -> str:
    return "green" if value <= amber else "amber" if value <= red else "red"


def _clipped(scores: np.ndarray) -> np.ndarray:
    """Scores without the lowest thousandth, so that one far row does not decide a mean."""
    return np.maximum(scores, np.quantile(scores, 0.001))


def _spread(X: np.ndarray) -> np.ndarray:
    spread = X.std(0)
    return np.where(spread > 0, spread, 1.0)


def _some(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X[np.sort(rng.permutation(len(X))[:MAX_ROWS])]


def _held_out(dataset: Dataset) -> np.ndarray:
    for part in ("test", "validation", "train"):
        rows = _normal_rows(dataset, part)
        if len(rows) >= 20:
            return rows
    return dataset.X


def _normal_rows(dataset: Dataset, part: str) -> np.ndarray:
    """Rows of a part; without labelled anomalies where the model was trained without them."""
    rows = dataset.rows(part)
    if dataset.train_on == "normal" and dataset.y is not None:
        rows = rows[dataset.y[rows] == 0]
    return dataset.X[rows]
