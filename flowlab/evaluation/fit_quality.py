"""Quality of a fit on rows that the model was not trained on: latent shape, tails, held-out gap, samples, a rival.

A finding is green only if so many rows would have shown a bad fit (`finding.with_power`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta, binom, chi, kstest, norm

from flowlab.evaluation.arithmetic import Jacobians
from flowlab.evaluation.finding import Finding, level_of, with_power
from flowlab.evaluation.two_sample import classifier_auroc
from flowlab.formatting import count
from flowlab.models.base import DensityModel

HUGE = 1e100
"""Samples of this magnitude or more are reported and not computed with: powers of them overflow."""
KS_AMBER, KS_RED = 0.04, 0.12
KS_NOISE = 1.95
"""99.9 % quantile of the Kolmogorov-Smirnov statistic under equality, times the root of the number of rows."""
GAP_AMBER, GAP_RED = 0.05, 0.25
"""Nats per column."""
AUROC_AMBER, AUROC_RED = 0.56, 0.75
AUROC_NOISE = 1.2
"""More than three standard deviations of the AUROC under equality, times the root of the number of held-out rows."""
FEWEST_TO_CLASSIFY = 400
"""Held-out rows from which on boosted trees see a Gaussian in the place of a curved or split shape."""
TAIL = 0.001
"""Share of the model's own draws that its tail holds."""
TAIL_AMBER, TAIL_RED = 1.0, 5.0
"""How many times that share of the held-out rows may lie there, besides their luck."""
TAIL_SURE = 2e-3


def too_few_rows(n_rows: int, fewest: int) -> Finding:
    """What stands in the place of all that held-out rows would tell, where there are fewer than `fewest`."""
    sentence = (
        f"There are too few held-out rows to measure the fit on; {fewest} are needed, about 1,400 to call it good."
    )
    return Finding("Held-out rows", n_rows, "rows", "grey", sentence)


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
    n_untouched = int(untouched.sum())
    level = "red" if n_untouched else "green"
    sentence = (
        f"{n_untouched} of {Z.shape[1]} columns pass every layer unchanged, so their shape is not learned: alternate "
        "masks."
        if n_untouched
        else "Every column is transformed, or needs no transformation."
    )
    return Finding("Untouched columns", n_untouched, "columns", level, sentence)


def latent_axes(Z: np.ndarray) -> Finding:
    """Largest Kolmogorov-Smirnov distance of a latent axis from the standard normal; Z (n, d) of held-out rows."""
    worst = float(_ks_axes(Z).max())
    level = level_of(worst, _ks_tolerance(KS_AMBER, len(Z)), _ks_tolerance(KS_RED, len(Z)))
    words = {
        "green": "Each latent axis looks standard normal.",
        "amber": "A latent axis is visibly not standard normal: the fit is rough.",
        "red": "A latent axis is far from standard normal: the flow has not learned the shape of the data.",
    }
    return with_power(Finding("Latent axes", worst, "KS distance", level, words[level]), len(Z), _ks_rows(1.0))


def latent_norm(Z: np.ndarray) -> Finding:
    """Kolmogorov-Smirnov distance of the latent norm from the chi distribution; Z (n, d) of held-out rows."""
    distance = float(kstest(np.linalg.norm(Z, axis=1), chi(Z.shape[1]).cdf).statistic)
    wider = _many_columns(Z.shape[1])
    level = level_of(distance, _ks_tolerance(KS_AMBER * wider, len(Z)), _ks_tolerance(KS_RED * wider, len(Z)))
    words = {
        "green": "Distances from the latent centre follow the chi distribution.",
        "amber": "Distances from the latent centre stray from the chi distribution.",
        "red": "Distances from the latent centre do not follow the chi distribution: the fit is poor.",
    }
    return with_power(Finding("Latent norm", distance, "KS distance", level, words[level]), len(Z), _ks_rows(wider))


def tails(model: DensityModel, held_out: np.ndarray, drawn: np.ndarray, names: Sequence[str]) -> Finding:
    """Share of held-out rows (n, d) that score below all but a thousandth of the model's own draws (m, d).

    As many should as of the draws. `names` are of the columns; the one that is farthest out is named.
    """
    own, scores = np.sort(model.score_samples(drawn)), model.score_samples(held_out)
    n, n_below = len(held_out), max(1, round(TAIL * len(drawn)))
    beyond = ~(scores >= own[n_below])
    n_beyond, share = int(beyond.sum()), float(beyond.mean())
    # the share that truly lies there is known up to the luck of the draws
    model_share = float(beta.ppf(0.95, n_below + 1, len(drawn) - n_below))
    sure = [binom.sf(n_beyond - 1, n, min(times * model_share, 1.0)) < TAIL_SURE for times in (TAIL_AMBER, TAIL_RED)]
    level = "red" if all(sure) else "amber" if sure[0] else "green"
    expected = f"{max(n * TAIL, 0.1):.1f}"
    far = f"{count(n_beyond)} of {count(n)} held-out rows lie where the model expects {expected}"
    words = {
        "green": f"Far rows are about as common as the model says: {far}.",
        "amber": f"The data have heavier tails than the model: {far}",
        "red": f"The data have far heavier tails than the model: {far}",
    }
    sentence = words[level]
    if level != "green":
        sentence += f", mostly through {names[_farthest_column(held_out, beyond)]}. Scores of far rows are too low."
    needed = _tail_rows(model_share)
    return with_power(Finding("Rows in the tails", share, "share of rows", level, sentence), n, needed)


def generalisation(model: DensityModel, train: np.ndarray, held_out: np.ndarray) -> Finding:
    """How much better training rows (n, d) score than held-out rows (m, d): the generalisation gap.

    In nats per column for a density, else in standard deviations of the training rows' scores.
    """
    inside, outside = model.score_samples(train), model.score_samples(held_out)
    unit = "nats per column" if model.is_density else "standard deviations"
    scale = train.shape[1] if model.is_density else max(float(np.std(inside)), 1e-12)
    gap = float(np.mean(_clipped(inside)) - np.mean(_clipped(outside))) / scale
    noise = (
        2 * np.hypot(_clipped(inside).std() / len(inside) ** 0.5, _clipped(outside).std() / len(outside) ** 0.5) / scale
    )
    level = level_of(gap, GAP_AMBER + noise, GAP_RED + noise)
    words = {
        "green": "Held-out rows score like training rows.",
        "amber": "Training rows score better than held-out rows: some of the fit is memory.",
        "red": "Training rows score far better than held-out rows: the model has memorised them.",
    }
    finding = Finding("Training against held-out rows", gap, unit, level, words[level])
    return with_power(finding, len(held_out), len(held_out) * (2 * noise / (GAP_RED - GAP_AMBER)) ** 2)


def samples(held_out: np.ndarray, drawn: np.ndarray, random_state: int) -> Finding:
    """AUROC with which boosted trees tell a model's draws (m, d) from held-out rows (n, d); 0.5 means not at all."""
    if not (np.abs(drawn) < HUGE).all():
        return Finding("Samples", 1.0, "AUROC", "red", "Samples contain values that are not finite, or absurdly large.")
    auroc = classifier_auroc(held_out, drawn, random_state)
    noise = AUROC_NOISE / np.sqrt(len(held_out))
    level = level_of(auroc, AUROC_AMBER + noise, AUROC_RED + noise)
    words = {
        "green": "A classifier can hardly tell samples from held-out rows.",
        "amber": "A classifier sees a difference between samples and held-out rows.",
        "red": "A classifier easily tells samples from held-out rows: do not use them as data.",
    }
    return with_power(Finding("Samples", auroc, "AUROC", level, words[level]), len(held_out), FEWEST_TO_CLASSIFY)


def simple_rivals(model: DensityModel, rivals: Sequence[tuple[str, DensityModel]], held_out: np.ndarray) -> Finding:
    """How much higher the log-density of the best simple rival is on held-out rows (n, d), in nats per column.

    `rivals` are names and models fitted to the same training rows. Rows are paired: the error is of the difference.
    """
    scores, d = model.score_samples(held_out), held_out.shape[1]
    ahead = []
    for name, rival in rivals:
        difference = _clipped(rival.score_samples(held_out) - scores) / d
        ahead.append((float(difference.mean()), 3 * float(difference.std()) / len(held_out) ** 0.5, name))
    best, noise, name = max(ahead)
    level = level_of(best - noise, GAP_AMBER, GAP_RED)
    words = {
        "green": "No simple density fits held-out rows much better.",
        "amber": f"{name} fits held-out rows better: this model misses a part of their shape.",
        "red": f"{name} fits held-out rows far better: this model has not learned their shape.",
    }
    return Finding("Against simple densities", best, "nats per column", level, words[level])


def _farthest_column(rows: np.ndarray, chosen: np.ndarray) -> int:
    """The column in which the chosen rows are most often farthest from the median, in quartile distances."""
    low, median, high = np.quantile(rows, [0.25, 0.5, 0.75], axis=0)
    distance = np.abs(rows[chosen] - median) / np.where(high > low, high - low, 1.0)
    return int(np.bincount(distance.argmax(1), minlength=rows.shape[1]).argmax())


def _ks_axes(Z: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov distance of each column from the standard normal, (d,)."""
    n = len(Z)
    levels = norm.cdf(np.sort(Z, axis=0))
    steps = np.arange(n)[:, None] / n
    return np.maximum(levels - steps, steps + 1 / n - levels).max(0)


def _ks_tolerance(distance: float, n_rows: int) -> float:
    """`distance`, widened by the 99.9 % quantile of the statistic under equality."""
    return distance + KS_NOISE / n_rows**0.5


def _ks_rows(wider: float) -> float:
    """Rows with which a true distance of KS_RED is seen: a step at one place varies by at most a half per root row."""
    return ((KS_NOISE + 1.0) / ((KS_RED - KS_AMBER) * wider)) ** 2


def _tail_rows(model_share: float) -> float:
    """Rows with which tails that hold twice TAIL_RED times the model's share are seen in nine of ten cases."""
    n = np.unique(np.geomspace(20, 100_000, 200).astype(int))
    enough = binom.isf(TAIL_SURE, n, TAIL_AMBER * model_share) + 1
    return float(n[np.argmax(binom.sf(enough - 1, n, 2 * TAIL_RED * TAIL) >= 0.9)])


def _many_columns(d: int) -> float:
    """How much wider a tolerance on whole rows is than on pairs of columns: small deviations add up like a sum."""
    return max(1.0, (d / 2) ** 0.5)


def _clipped(scores: np.ndarray) -> np.ndarray:
    """Scores without the lowest thousandth, so that one far row does not decide a mean."""
    return np.maximum(scores, np.quantile(scores, 0.001))
