"""One column at a time: histograms of the data against samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kstwobign

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.ranking import kolmogorov_distance
from flowlab.views.pairs import fitted_kind

LEVEL = 0.05
"""How often some column of samples that are like the data differs by more than chance, all columns together."""


@dataclass(frozen=True, eq=False)
class Marginals:
    """The distribution of every column, data against samples.

    Attributes
    ----------
    edges : (n_features, n_bins + 1) of the bins, in data units
    data, samples : (n_features, n_bins) densities per unit of the column
    distance : (n_features,) largest difference of the two distribution functions (Kolmogorov-Smirnov)
    chance : the largest of all columns' distances is at most this in 95 % of cases if data and samples are alike
    """

    edges: np.ndarray
    data: np.ndarray
    samples: np.ndarray
    distance: np.ndarray
    chance: float


def marginals(model: DensityModel, dataset: Dataset, n: int = 4000, seed: int = 0, n_bins: int = 48) -> Marginals:
    """Histograms of every column, data against samples; ValueError if the model cannot sample."""
    if not model.can_sample:
        raise ValueError(f"{type(model).__name__} cannot draw samples")
    rows = np.random.default_rng(0xD15).permutation(fitted_kind(dataset, np.arange(len(dataset))))[: int(n)]
    X = dataset.X[rows]
    samples = model.sample(int(n), random_state=int(seed))
    n_features = dataset.n_features
    edges = np.empty((n_features, n_bins + 1))
    densities = np.empty((2, n_features, n_bins))
    distance = np.empty(n_features)
    for j in range(n_features):
        low, high = np.quantile(X[:, j], [0.002, 0.998])
        margin = 0.1 * (high - low) or 0.5
        edges[j] = np.linspace(low - margin, high + margin, n_bins + 1)
        for k, values in enumerate((X[:, j], samples[:, j])):
            densities[k, j] = np.histogram(values, edges[j])[0] / (len(values) * np.diff(edges[j]))
        distance[j] = kolmogorov_distance(X[:, j], samples[:, j])
    chance = float(kstwobign.isf(LEVEL / n_features)) * (1 / len(X) + 1 / len(samples)) ** 0.5
    return Marginals(edges, densities[0], densities[1], distance, chance)
