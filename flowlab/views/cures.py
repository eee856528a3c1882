"""What a model of pictures says of patches and of what is outside them: the scores of the table of cures."""

from __future__ import annotations

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.images.backgrounds import broad_background
from flowlab.images.pixels import rows_of
from flowlab.images.sets import tried_pictures
from flowlab.models.base import DensityModel
from flowlab.models.flows.pca_flow import PCAFlow
from flowlab.models.images import scores
from flowlab.models.images.image_flow import ImageFlow

N_TRIED = 500
"""Pictures of each kind."""
N_CODE, CODE_STEPS = 16, 600
"""Principal components of the code, and the steps its flow is trained for."""


def tried_scores(
    model: DensityModel, dataset: Dataset, photo: str = "china", seed: int = 0, further: bool = False
) -> dict[str, dict[str, np.ndarray]]:
    """Anomaly scores (n,) by kind of pictures (`tried_pictures`) and by score.

    Every model of pictures has "likelihood", a flow "finest scale" and "coarsest scale" as well. `further` adds what
    is made of the model and of the rows it was trained on: "png", "zlib", "typicality", "code", "classifier".
    """
    shape = dataset.image_shape
    assert shape is not None  # its rows are pictures
    scored = {
        kind: _scores(model, rows_of(pixels)) for kind, pixels in tried_pictures(photo, shape, N_TRIED, seed).items()
    }
    if further:
        learned = dataset.fitting_rows()
        code = PCAFlow(N_CODE, n_steps=CODE_STEPS, random_state=seed).fit(learned)
        background = rows_of(broad_background(shape, len(learned), seed))
        classifier = scores.BackgroundClassifier.fit(learned, background, random_state=seed)
        typical = float(model.anomaly_score(learned[:1000]).mean())
        for kind, pixels in tried_pictures(photo, shape, N_TRIED, seed).items():
            own, X = scored[kind], rows_of(pixels)
            own |= {name: scores.complexity(model, X, shape, name) for name in ("png", "zlib")}
            own["typicality"] = np.abs(own["likelihood"] - typical)
            own["code"], own["classifier"] = code.anomaly_score(X), classifier.anomaly_score(X)
    return scored


def _scores(model: DensityModel, X: np.ndarray) -> dict[str, np.ndarray]:
    found = {"likelihood": model.anomaly_score(X)}
    if isinstance(model, ImageFlow):
        scales = scores.scale_scores(model, X)
        found |= {"finest scale": scales[:, 0], "coarsest scale": scales[:, -1]}
    return found
