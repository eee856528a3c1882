"""FlowLab: explore normalizing flows and find anomalies.

The names below are FlowLab's public library; each is imported from its module when it is first asked for, so importing
`flowlab` loads neither torch nor Streamlit. Tables of everything the dashboard offers are in `flowlab.catalog`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_CONTENTS = {
    # a table with a detector, in five lines
    "read_table": "flowlab.tables.read",  # a file becomes a frame, or is refused in a sentence
    "detect": "flowlab.serving.detection",  # a table becomes a detector and a score for each row
    "Detection": "flowlab.serving.detection",  # that; chooses thresholds, lists flagged rows with reasons, saves
    "Threshold": "flowlab.detection.threshold",  # the score from which a row is flagged, and why that one
    "CostModel": "flowlab.detection.cost",  # what a false alarm and a missed anomaly cost
    "TableError": "flowlab.tables.limits",  # why a table is refused
    "TableEncoder": "flowlab.encoding.encoder",  # a frame becomes numbers, and back
    "ColumnRole": "flowlab.encoding.roles",  # what a column is for
    "propose_roles": "flowlab.encoding.roles",  # the roles that names and values suggest
    "Dataset": "flowlab.datasets.dataset",  # numbers with their names and their division
    # a flow and what it learns
    "film": "flowlab.serving.film",  # train a model and keep its film; also `model.film(data)`
    "Film": "flowlab.serving.film",  # plays in a notebook, saves one HTML page
    "density_figure": "flowlab.serving.figures",  # the learned density beside the exact one
    # exact densities
    "Banana": "flowlab.toys.shapes",  # a bent Gaussian
    "Checkerboard": "flowlab.toys.shapes",  # squares with sharp edges
    "Clump1D": "flowlab.toys.contaminated",  # a Gaussian and a dense clump of anomalies, on a line
    "Clump2D": "flowlab.toys.contaminated",  # the same in the plane
    "CorrelatedGaussian": "flowlab.toys.shapes",  # what one affine layer can learn
    "Funnel": "flowlab.toys.shapes",  # a width that varies exponentially
    "GaussianModes": "flowlab.toys.mixtures",  # Gaussians on a circle
    "Moons": "flowlab.toys.curves",  # two half moons
    "Pinwheel": "flowlab.toys.mixtures",  # bent arms
    "Rings": "flowlab.toys.curves",  # circles in circles
    "Sine": "flowlab.toys.shapes",  # a wave
    "Spirals": "flowlab.toys.curves",  # two arms
    "Star": "flowlab.toys.mixtures",  # crossed Gaussians
    "SwissRoll": "flowlab.toys.curves",  # a rolled sheet
    "WithOutliers": "flowlab.toys.contaminated",  # another density and a share of outliers
    # flows
    "SplineCouplingFlow": "flowlab.models.flows.families",  # the default for densities
    "AffineCouplingFlow": "flowlab.models.flows.families",  # RealNVP
    "MaskedAutoregressiveFlow": "flowlab.models.flows.families",  # MAF, the default for many columns
    "InverseAutoregressiveFlow": "flowlab.models.flows.families",  # IAF, fast to draw from
    "PlanarFlow": "flowlab.models.flows.families",  # each layer pushes across a line
    "RadialFlow": "flowlab.models.flows.families",  # each layer swells around a point
    "PCAFlow": "flowlab.models.flows.pca_flow",  # of whitened principal components: for embeddings
    "NflowsCoupling": "flowlab.models.flows.nflows",  # as nflows ships them, for comparison
    "NflowsMAF": "flowlab.models.flows.nflows",  # likewise
    "NflowsSplineAutoregressive": "flowlab.models.flows.nflows",  # likewise
    "NflowsSplineCoupling": "flowlab.models.flows.nflows",  # likewise
    # densities of small pictures
    "ImageFlow": "flowlab.models.images.image_flow",  # multi-scale and convolutional: a small Glow, or RealNVP
    "PixelCNN": "flowlab.models.images.pixelcnn_model",  # one pixel after the other
    "TwoLevelVAE": "flowlab.models.images.two_level_vae",  # a code and a code of the code
    # other densities, autoencoders, detectors
    "KDE": "flowlab.models.classical.density",  # kernel density estimate
    "Gaussian": "flowlab.models.classical.density",  # one, with full covariance
    "GaussianMixture": "flowlab.models.classical.density",  # several, their number by BIC
    "Autoencoder": "flowlab.models.autoencoders.autoencoder",  # judges by reconstruction
    "VariationalAutoencoder": "flowlab.models.autoencoders.variational",  # a latent-variable density
    "Detector": "flowlab.models.detector",  # flows and classical detectors, joined: the default for anomalies
    "IsolationForestModel": "flowlab.models.classical.scorers",  # isolation by random splits
    "NearestNeighbours": "flowlab.models.classical.scorers",  # distance to the nearest rows
    "PCAResidual": "flowlab.models.classical.scorers",  # distance to the principal subspace
    # runs
    "RunSpec": "flowlab.records",  # data, model and seed: what a link says
    "Spec": "flowlab.records",  # a name of the catalog and what differs from its defaults
    "RunStore": "flowlab.store.runs",  # runs on disk
}
"""Public name -> the module that defines it."""

__all__ = ["__version__", *sorted(_CONTENTS)]


def __getattr__(name: str) -> Any:
    if name not in _CONTENTS:
        raise AttributeError(f"module 'flowlab' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_CONTENTS[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_CONTENTS})
