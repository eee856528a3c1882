"""Quality of a fit on rows that the model was not trained on: latent shape, held-out gap and samples."""

from __future__ import annotations

import numpy as np
from scipy.stats import chi, kstest, norm

from flowlab.evaluation.arithmetic import Jacobians
from flowlab.evaluation.finding import Finding, level_of
from flowlab.evaluation.two_sample import classifier_test
from flowlab.models.base import DensityModel, FlowModel

HUGE = 1e100
"""Samples of this magnitude or more are reported and not computed with: powers of them overflow."""


def untouched_columns(jacobians: Jacobians, Z: np.ndarray) -> Finding | None:
    """Latent axes that are a column only shifted and scaled, though that column is not normal at latent points Z.

    Z (n, d) may include the latent points of training rows: an axis that is not learned does not fit them either.
    None for a single column.
    """
    if Z.shape[1] == 1:
        return None
    size = np.abs(jacobians.wide)
    largest = size.max(2)
    alone = (largest / np.maximum(size.sum(2), 1e-300)).min(0) > 0.999
    steady = largest.std(0) < 1e-3 * np.maximum(largest.mean(0), 1e-300)
    untouched = alone & steady & (_ks_axes(Z) > _ks_tolerance(0.0, len(Z)))
    count = int(untouched.sum())
    level = "red" if count else "green"
    sentence = (
        f"{count} of {Z.shape[1]} columns pass every layer unchanged, so their shape is not learned: alternate masks."
        if count
        else "Every column is transformed, or needs no transformation."
    )
    return Finding("Untouched columns", count, "columns", level, sentence)


def latent_axes(Z: np.ndarray) -> Finding:
    """Largest Kolmogorov-Smirnov distance of a latent axis from the standard normal; Z (n, d) of held-out rows."""
    worst = float(_ks_axes(Z).max())
    level = level_of(worst, _ks_tolerance(0.04, len(Z)), _ks_tolerance(0.12, len(Z)))
    words = {
        "green": "Each latent axis looks standard normal.",
        "amber": "A latent axis is visibly not standard normal: the fit is rough.",
        "red": "A latent axis is far from standard normal: the flow has not learned the shape of the data.",
    }
    return Finding("Latent axes", worst, "KS distance", level, words[level])


def latent_norm(Z: np.ndarray) -> Finding:
    """Kolmogorov-Smirnov distance of the latent norm from the chi distribution; Z (n, d) of held-out rows."""
    distance = float(kstest(np.linalg.norm(Z, axis=1), chi(Z.shape[1]).cdf).statistic)
    wider = _many_columns(Z.shape[1])
    level = level_of(distance, _ks_tolerance(0.04 * wider, len(Z)), _ks_tolerance(0.12 * wider, len(Z)))
    words = {
        "green": "Distances from the latent centre follow the chi distribution.",
        "amber": "Distances from the latent centre stray from the chi distribution.",
        "red": "Distances from the latent centre do not follow the chi distribution: the fit is poor.",
    }
    return Finding("Latent norm", distance, "KS distance", level, words[level])


def tails(model: FlowModel, path: np.ndarray) -> Finding:
    """Share of held-out rows beyond a spline's bound on any layer, or beyond 5 at the input of other flows.

    `path` (n_layers + 1, n, d) is what `transform_path` gives for those rows.
    """
    bound = 5.0 if model.tail_bound is None else float(model.tail_bound)
    if model.tail_bound is None:
        path = path[:1]
    share = float(np.mean((np.abs(path) > bound).any(axis=(0, 2))))
    wider = _many_columns(path.shape[2])
    level = level_of(share, 0.02 * wider, 0.1 * wider)
    words = {
        "green": f"Nearly all rows stay within {bound:g} deviations, where the map was taught.",
        "amber": f"Some rows leave +-{bound:g} deviations, where the map was not taught; their scores are rough.",
        "red": f"Many rows leave +-{bound:g} deviations, where the map was not taught. Tame heavy tails first.",
    }
    return Finding("Rows in the tails", share, "share of rows", level, words[level])


def generalisation(model: DensityModel, train: np.ndarray, held_out: np.ndarray) -> Finding:
    """How much better training rows (n, d) score than held-out rows (m, d): the generalisation gap.

    In nats per column for a density, else in standard deviations of the training rows' scores.
    """
    inside, outside = model.score_samples(train), model.score_samples(held_out)
    unit = "nats per column" if model.is_density else "score"
    scale = train.shape[1] if model.is_density else max(float(np.std(inside)), 1e-12)
    gap = float(np.mean(_clipped(inside)) - np.mean(_clipped(outside))) / scale
    noise = (
        2 * np.hypot(_clipped(inside).std() / len(inside) ** 0.5, _clipped(outside).std() / len(outside) ** 0.5) / scale
    )
    level = level_of(gap, 0.05 + noise, 0.25 + noise)
    words = {
        "green": "Held-out rows score like training rows.",
        "amber": "Training rows score better than held-out rows: some of the fit is memory.",
        "red": "Training rows score far better than held-out rows: the model has memorised them.",
    }
    return Finding("Training against held-out rows", gap, unit, level, words[level])


def samples(model: DensityModel, held_out: np.ndarray, random_state: int) -> Finding:
    """AUROC with which boosted trees tell the model's samples from held-out rows (n, d); 0.5 means not at all."""
    drawn = model.sample(len(held_out), random_state=random_state)
    if not (np.abs(drawn) < HUGE).all():
        return Finding("Samples", 1.0, "AUROC", "red", "Samples contain values that are not finite, or absurdly large.")
    auroc = classifier_test(drawn, held_out, random_state).effect
    noise = 1.0 / np.sqrt(len(held_out))
    level = level_of(auroc, 0.56 + noise, 0.75 + noise)
    words = {
        "green": "A classifier can hardly tell samples from held-out rows.",
        "amber": "A classifier sees a difference between samples and held-out rows.",
        "red": "A classifier easily tells samples from held-out rows: do not use them as data.",
    }
    return Finding("Samples", float(auroc), "AUROC", level, words[level])


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


def _clipped(scores: np.ndarray) -> np.ndarray:
    """Scores without the lowest thousandth, so that one far row does not decide a mean."""
    return np.maximum(scores, np.quantile(scores, 0.001))
