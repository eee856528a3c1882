"""How much training fits into a number of seconds, measured where training happens."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.models.base import DensityModel

ROUND = 50
"""Steps are given in multiples of this, so that two measurements of one machine often agree."""


def steps_within(model: DensityModel, dataset: Dataset, seconds: float) -> dict[str, np.ndarray]:
    """n_steps: training steps that fit into `seconds` here, in multiples of 50; the model may be unfitted."""
    steps = model.steps_within(seconds, dataset.part("train"))
    return {"n_steps": np.asarray(max(ROUND, steps // ROUND * ROUND))}
