"""FlowLab: explore normalizing flows and find anomalies.

The names below are FlowLab's public library; each is imported from its module when it is first asked for, so importing
`flowlab` loads neither torch nor a plot library. Tables of everything the dashboard offers are in `flowlab.catalog`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_CONTENTS = {
    "flowlab.records": ("RunSpec", "Spec"),
    "flowlab.tables.read": ("read_table",),
    "flowlab.tables.limits": ("TableError",),
    "flowlab.encoding.encoder": ("TableEncoder",),
    "flowlab.encoding.roles": ("ColumnRole", "propose_roles"),
    "flowlab.datasets.dataset": ("Dataset",),
    "flowlab.toys.curves": ("Moons", "Rings", "Spirals", "SwissRoll"),
    "flowlab.toys.mixtures": ("GaussianModes", "Pinwheel", "Star"),
    "flowlab.toys.shapes": ("Banana", "Checkerboard", "CorrelatedGaussian", "Funnel", "Sine"),
    "flowlab.toys.contaminated": ("Clump1D", "Clump2D", "WithOutliers"),
    "flowlab.models.flows.families": (
        "AffineCouplingFlow",
        "InverseAutoregressiveFlow",
        "MaskedAutoregressiveFlow",
        "PlanarFlow",
        "RadialFlow",
        "SplineCouplingFlow",
    ),
    "flowlab.models.flows.nflows": (
        "NflowsCoupling",
        "NflowsMAF",
        "NflowsSplineAutoregressive",
        "NflowsSplineCoupling",
    ),
    "flowlab.models.autoencoders.autoencoder": ("Autoencoder",),
    "flowlab.models.autoencoders.variational": ("VariationalAutoencoder",),
    "flowlab.models.classical.density": ("Gaussian", "GaussianMixture", "KDE"),
    "flowlab.models.classical.scorers": ("IsolationForestModel", "NearestNeighbours", "PCAResidual"),
    "flowlab.models.detector": ("Detector",),
    "flowlab.detection.cost": ("CostModel",),
    "flowlab.detection.threshold": ("Threshold",),
    "flowlab.store.runs": ("RunStore",),
}
"""Module -> the public names it defines."""

_HOME = {name: module for module, names in _CONTENTS.items() for name in names}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowlab' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
