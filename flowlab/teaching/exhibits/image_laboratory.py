"""The flow of patches of one photograph that several exhibits look into, and what it is tried on; trained once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from flowlab.images.backgrounds import broad_background
from flowlab.images.families import FAMILIES
from flowlab.images.pixels import rows_of
from flowlab.images.shape import ImageShape
from flowlab.images.sources import photo_patches
from flowlab.models.images import scores
from flowlab.models.images.image_flow import ImageFlow
from flowlab.ranking import auroc, spearman_matrix

SHAPE = ImageShape(8, 8)
N_PATCHES, N_TRIED, N_STEPS = 8000, 500, 160
OUTSIDE = {
    "flower": "another photograph",
    "constant": "one grey",
    "blurred": "blurred",
    "half_contrast": "half contrast",
    "noise": "uniform noise",
    "shuffled": "shuffled pixels",
}
SCORES = {
    "likelihood": "-log p",
    "ratio": "ratio to a broad set",
    "complexity": "-log p less zlib's bits",
    "typicality": "distance from the typical",
    "last_scale": "last scale alone",
    "last_ratio": "last scale, ratio",
}


@dataclass(frozen=True, eq=False)
class Laboratory:
    """A flow of patches of china.jpg, one of a broad synthetic set, and the pictures they are tried on."""

    flow: ImageFlow
    general: ImageFlow
    train: np.ndarray
    pictures: dict[str, np.ndarray]
    """By name, "inside" among them: (n, 8, 8, 1) uint8, of which no pixel was trained on."""

    def rows(self, name: str) -> np.ndarray:
        """Its pictures as rows."""
        return rows_of(self.pictures[name])

    def scored(self, name: str, score: str) -> np.ndarray:
        """Anomaly scores (n,) of pictures by one of `SCORES`."""
        X = self.rows(name)
        match score:
            case "likelihood":
                return self.flow.anomaly_score(X)
            case "ratio":
                return scores.likelihood_ratio(self.flow, self.general, X)
            case "complexity":
                return scores.complexity(self.flow, X, SHAPE)
            case "typicality":
                return scores.typicality(self.flow, X, self.train[:1000])
            case "last_scale":
                return scores.last_scale(self.flow, X)
        return scores.last_scale(self.flow, X, self.general)


@lru_cache(maxsize=1)
def laboratory() -> Laboratory:
    """Trains both flows at the first call."""
    rng = np.random.default_rng(0)
    patches = photo_patches("china", N_PATCHES, SHAPE, rng)
    inside = patches.pixels[patches.split == 2][:N_TRIED]
    pictures = {"inside": inside, "flower": photo_patches("flower", N_TRIED, SHAPE, rng).pixels}
    pictures |= {name: FAMILIES[name](inside, rng) for name in OUTSIDE if name != "flower"}
    train = rows_of(patches.pixels[patches.split == 0])
    flow = ImageFlow(n_steps=N_STEPS, random_state=0).fit(train)
    general = ImageFlow(n_steps=N_STEPS, random_state=0).fit(rows_of(broad_background(SHAPE, N_PATCHES, rng)))
    return Laboratory(flow, general, train, pictures)


def detected(inside: np.ndarray, outside: np.ndarray) -> float:
    """AUROC of anomaly scores inside (n,) and outside (m,)."""
    return auroc(np.concatenate([inside, outside]), np.repeat([False, True], [len(inside), len(outside)]))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, of two arrays of as many numbers."""
    return float(spearman_matrix(np.stack([a.ravel(), b.ravel()], axis=1))[0, 1])
