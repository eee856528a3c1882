"""The trust badge: what can be measured about a fitted model from its outputs alone.

`audit` checks the model's own arithmetic (inverse, log-determinant, total mass) against numbers computed from its
outputs alone, and its fit (distance to the truth where that is known, latent shape, tails, held-out gap, samples,
simple densities) against rows it was not trained on. Levels are set by effect sizes, widened by the sampling error of
so few rows, because with enough rows every model fails every test; and a fit is called good only where there are rows
enough to have shown a bad one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation import arithmetic, fit_quality
from flowlab.evaluation.finding import Finding, overall
from flowlab.evaluation.known_gap import distance_to_the_truth
from flowlab.models.base import DensityModel, FlowModel
from flowlab.models.classical.density import KDE, Gaussian
from flowlab.models.flows.conditional import ConditionalFlow
from flowlab.models.images.image_flow import ImageFlow
from flowlab.models.images.image_model import ImageModel

__all__ = ["Finding", "audit", "overall"]

MAX_ROWS, MAX_NUMBERS = 3000, 100_000
"""Rows used of each part, and fewer where they are wide, so that a badge takes a second or two."""
MIN_ROWS = 20
"""Fewest held-out rows that are measured on."""
DRAWS = 20_000
"""Draws whose scores are compared with those of held-out rows."""
RIVAL_ROWS, MOST_COLUMNS_OF_RIVALS = 3000, 8
"""Training rows of the simple densities, and columns up to which kernels are one of them."""


def audit(model: DensityModel, dataset: Dataset, random_state: int = 0) -> list[Finding]:
    """Findings about a fitted model on its own data set, in a few seconds. Checks that do not apply are left out.

    A model without a latent space has no round trip to check, one that is no density no mass. A class-conditional
    flow is checked at the commonest value of its context in all that concerns its map and its tails. Held-out are the
    validation and test rows together.

    Parameters
    ----------
    model : fitted on the data set's training rows
    dataset : with its division of the rows
    random_state : seed of the rows and samples used
    """
    rng = np.random.default_rng(random_state)
    train = _some(_normal_rows(dataset, Part.TRAIN), rng)
    held_out = _some(_normal_rows(dataset, Part.UNSEEN), rng)
    # Pictures of 8 bits are points of a density only with noise in their cells.
    filled = [model.dequantized(rows) if isinstance(model, ImageModel) else rows for rows in (train, held_out)]
    is_given = dataset.context is not None and model.can_condition and isinstance(model, FlowModel)
    if is_given:
        findings = _given_the_commonest_level(model, dataset, filled[0], filled[1], rng)
    else:
        findings = _of_the_map(model, filled[0], filled[1], dataset.columns, rng)
    truth = distance_to_the_truth(model, dataset)
    findings += [] if truth is None else [truth]
    if len(held_out) < MIN_ROWS:
        return [*findings, fit_quality.too_few_rows(len(held_out), MIN_ROWS)]
    findings += [fit_quality.generalisation(model, train, held_out)]
    if model.can_sample:
        drawn = model.sample(max(len(held_out), 1000), random_state=random_state)
        findings += [fit_quality.samples(held_out, drawn, random_state)]
    if model.is_density and dataset.context is None and (np.ptp(train, axis=0) > 0).all():
        findings += [fit_quality.simple_rivals(model, _rivals(train), held_out)]
    return findings


def _of_the_map(
    model: DensityModel, train: np.ndarray, held_out: np.ndarray, names: Sequence[str], rng: np.random.Generator
) -> list[Finding]:
    """What concerns a density over all columns of the rows (n, d); its arithmetic may be checked on training rows."""
    findings = []
    has_rows = len(held_out) >= MIN_ROWS
    rows = held_out if has_rows else train
    if isinstance(model, FlowModel):
        jacobians = arithmetic.Jacobians.measure(model, rows, rng)
        Z = model.transform(rows)
        findings += [
            arithmetic.round_trip(model, rows, rng),
            arithmetic.log_determinant(model, jacobians),
            fit_quality.untouched_columns(jacobians, np.vstack([model.transform(train), Z])),
        ]
        findings += [fit_quality.latent_axes(Z), fit_quality.latent_norm(Z)] if has_rows else []
    if model.is_density and model.can_sample and has_rows:
        drawn = model.sample(DRAWS, random_state=int(rng.integers(2**31)))
        findings += [fit_quality.tails(model, held_out, np.clip(np.nan_to_num(drawn), -1e30, 1e30), names)]
    if model.is_density:
        findings += [arithmetic.total_mass(model, train, rng)]
    return [finding for finding in findings if finding is not None]


def _given_the_commonest_level(
    flow: ConditionalFlow | ImageFlow,
    dataset: Dataset,
    train: np.ndarray,
    held_out: np.ndarray,
    rng: np.random.Generator,
) -> list[Finding]:
    names = [dataset.columns[j] for j in dataset.judged]
    levels, counts = np.unique(train[:, dataset.context], return_counts=True)
    level = levels[counts.argmax()]
    fitted, kept = (rows[rows[:, dataset.context] == level][:, dataset.judged] for rows in (train, held_out))
    findings = _of_the_map(flow.given(level), fitted, kept, names, rng)
    where = f"Measured given {dataset.levels[int(level)]}."
    return [replace(finding, sentence=f"{finding.sentence} {where}") for finding in findings]


def _rivals(train: np.ndarray) -> list[tuple[str, DensityModel]]:
    """Simple densities fitted to training rows (n, d), with their names in a sentence."""
    rows = train[:RIVAL_ROWS]
    found: list[tuple[str, DensityModel]] = [("One Gaussian", Gaussian().fit(rows))]
    if train.shape[1] <= MOST_COLUMNS_OF_RIVALS:
        found.append(("A kernel density", KDE().fit(rows)))
    return found


def _some(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n_rows = max(min(MAX_ROWS, MAX_NUMBERS // X.shape[1]), 200)
    return X[np.sort(rng.permutation(len(X))[:n_rows])]


def _normal_rows(dataset: Dataset, part: Part) -> np.ndarray:
    """Rows of a part; without labelled anomalies where the model was trained without them."""
    rows = dataset.rows(part)
    if dataset.train_on == "normal" and dataset.y is not None:
        rows = rows[dataset.y[rows] == 0]
    return dataset.X[rows]
