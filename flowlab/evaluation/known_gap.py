"""How far a model is from the exact density of a toy: the one number that every page, answer and badge says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.finding import Finding, level_of
from flowlab.formatting import above_the_truth, fixed
from flowlab.models.base import DensityModel, FlowModel

DRAWS = 20_000
DRAWS_OF_SLOW_MODELS = 5_000
"""Models that are not flows may compare every draw with every training row."""
AMBER, RED = 0.05, 0.25
"""Nats per column above the truth."""


@dataclass(frozen=True)
class Gap:
    """How far a model is from the exact density.

    Attributes
    ----------
    nats : Kullback-Leibler divergence; no less than it where scores are a lower bound of the log-density
    error : its standard error, in nats
    n : number of draws
    """

    nats: float
    error: float
    n: int


def gap(model: DensityModel, dataset: Dataset, n: int = 0, seed: int = 1) -> Gap:
    """Kullback-Leibler divergence of the model from the exact density in nats, with its standard error.

    The mean over fresh draws x of log p(x) - log q(x). Draws are paired, so the error is that of the difference and
    far below that of either mean.

    Raises
    ------
    ValueError
        If the exact density is not known.
    """
    density = dataset.truth_for(model)
    if density is None:
        raise ValueError("the distance to the truth needs a toy density and a model that gives log-densities of it")
    n = n or (DRAWS if isinstance(model, FlowModel) else DRAWS_OF_SLOW_MODELS)
    X = density.sample(n, np.random.default_rng([int(seed), 0x6A9]))
    difference = density.log_density(X) - model.score_samples(X)
    return Gap(float(difference.mean()), float(difference.std() / np.sqrt(n)), n)


def distance_to_the_truth(model: DensityModel, dataset: Dataset) -> Finding | None:
    """The known gap as a finding; None where no exact density is known."""
    if dataset.truth_for(model) is None:
        return None
    found, d = gap(model, dataset), len(dataset.judged)
    noise = 2 * found.error
    if found.nats < -0.01 - 2 * noise:
        sentence = f"Scores claim {fixed(-found.nats)} nats more than the truth, which no density can: they are none."
        return Finding("Distance to the truth", found.nats, "nats", "red", sentence)
    level = level_of(found.nats, AMBER * d + noise, RED * d + noise) if np.isfinite(found.nats) else "red"
    where = f"{above_the_truth(found.nats, model.score_is_bound)} (± {fixed(found.error)})"
    words = {
        "green": f"The density is {where}: as near as a good fit comes.",
        "amber": f"The density is {where}: the fit is rough.",
        "red": f"The density is {where}: the shape of the data is not learned.",
    }
    return Finding("Distance to the truth", found.nats, "nats", level, words[level])
