"""The findings of the trust badge."""

from __future__ import annotations

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.finding import Finding
from flowlab.evaluation.trust import audit
from flowlab.models.base import DensityModel


def trust(model: DensityModel, dataset: Dataset, seed: int = 0) -> tuple[Finding, ...]:
    """What `evaluation.trust.audit` finds about a fitted model."""
    return tuple(audit(model, dataset, seed))
