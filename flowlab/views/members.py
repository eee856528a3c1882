"""How far the members of a detector are apart."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel
from flowlab.models.detector import Detector


def disagreement(model: DensityModel, dataset: Dataset) -> np.ndarray | None:
    """Variance of the members' -log tail probabilities of each row (n_rows,), in squared nats; None without members."""
    if not isinstance(model, Detector):
        return None
    return np.var(list(model.member_scores(dataset.X).values()), axis=0)
