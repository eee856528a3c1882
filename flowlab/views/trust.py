"""The findings of the trust badge as arrays."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.trust import audit
from flowlab.models.base import DensityModel

Arrays = dict[str, np.ndarray]


def trust(model: DensityModel, dataset: Dataset, seed: int = 0) -> Arrays:
    """The findings of `evaluation.trust.audit` as columns: name, value, unit, level, sentence, each (k,)."""
    findings = audit(model, dataset, seed)
    return {
        field: np.array([getattr(finding, field) for finding in findings])
        for field in ("name", "value", "unit", "level", "sentence")
    }
