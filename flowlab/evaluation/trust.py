"""The trust badge: what can be measured about a fitted model from its outputs alone.

`audit` checks the model's own arithmetic (inverse, log-determinant, total mass) against numbers computed from its
outputs alone, and its fit (latent shape, held-out gap, samples) against rows it was not trained on. Levels are set
by effect sizes, widened by the sampling error of so few rows, because with enough rows every model fails every test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation import arithmetic, fit_quality
from flowlab.evaluation.finding import Finding, overall
from flowlab.models.base import DensityModel, FlowModel
from flowlab.models.flows.conditional import ConditionalFlow

__all__ = ["Finding", "audit", "overall"]

MAX_ROWS, MAX_NUMBERS = 3000, 100_000
"""Rows used of each part, and fewer where they are wide, so that a badge takes a second or two."""
MIN_ROWS = 20
"""Fewest rows of a part that are measured on."""


def audit(model: DensityModel, dataset: Dataset, random_state: int = 0) -> list[Finding]:
    """Findings about a fitted model on its own data set, in a second or two. Checks that do not apply are left out.

    A model without a latent space has no round trip to check, one that is no density no mass. A class-conditional
    flow is checked at the commonest value of its context in all that concerns its map.

    Parameters
    ----------
    model : fitted on the data set's training rows
    dataset : with its division of the rows
    random_state : seed of the rows and samples used
    """
    rng = np.random.default_rng(random_state)
    train = _some(_normal_rows(dataset, Part.TRAIN), rng)
    held_out = _some(_held_out(dataset), rng)
    if dataset.context is not None and model.can_condition and isinstance(model, FlowModel):
        findings = _given_the_commonest_level(model, dataset, train, held_out, rng)
    else:
        findings = _of_the_map(model, train, held_out, rng)
    findings += [fit_quality.generalisation(model, train, held_out)]
    if model.can_sample:
        findings += [fit_quality.samples(model, held_out, random_state)]
    return findings


def _of_the_map(
    model: DensityModel, train: np.ndarray, held_out: np.ndarray, rng: np.random.Generator
) -> list[Finding]:
    findings = []
    if isinstance(model, FlowModel):
        jacobians = arithmetic.Jacobians.measure(model, held_out, rng)
        path = model.transform_path(held_out)
        findings += [
            arithmetic.round_trip(model, held_out, rng),
            arithmetic.log_determinant(model, jacobians),
            fit_quality.untouched_columns(jacobians, np.vstack([model.transform(train), path[-1]])),
            fit_quality.latent_axes(path[-1]),
            fit_quality.latent_norm(path[-1]),
            fit_quality.tails(model, path),
        ]
    if model.is_density:
        findings += [arithmetic.total_mass(model, train, rng)]
    return [finding for finding in findings if finding is not None]


def _given_the_commonest_level(
    flow: ConditionalFlow, dataset: Dataset, train: np.ndarray, held_out: np.ndarray, rng: np.random.Generator
) -> list[Finding]:
    levels, counts = np.unique(train[:, dataset.context], return_counts=True)
    level = levels[counts.argmax()]
    kept = [rows[rows[:, dataset.context] == level][:, dataset.judged] for rows in (train, held_out)]
    findings = _of_the_map(flow.given(level), kept[0], kept[1] if len(kept[1]) >= MIN_ROWS else kept[0], rng)
    where = f"Measured given {dataset.levels[int(level)]}."
    return [replace(finding, sentence=f"{finding.sentence} {where}") for finding in findings]


def _some(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n_rows = max(min(MAX_ROWS, MAX_NUMBERS // X.shape[1]), 200)
    return X[np.sort(rng.permutation(len(X))[:n_rows])]


def _held_out(dataset: Dataset) -> np.ndarray:
    for part in (Part.TEST, Part.VALIDATION, Part.TRAIN):
        rows = _normal_rows(dataset, part)
        if len(rows) >= MIN_ROWS:
            return rows
    return dataset.X


def _normal_rows(dataset: Dataset, part: Part) -> np.ndarray:
    """Rows of a part; without labelled anomalies where the model was trained without them."""
    rows = dataset.rows(part)
    if dataset.train_on == "normal" and dataset.y is not None:
        rows = rows[dataset.y[rows] == 0]
    return dataset.X[rows]
