"""The table of cures: every score of patches of a photograph by everything outside, and the runs that it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.catalog import tidy
from flowlab.catalog.data import DATASETS
from flowlab.formatting import short_percent
from flowlab.images.backgrounds import BACKGROUND_SHARES
from flowlab.images.sets import BROAD, PHOTOGRAPHS, TRIED
from flowlab.ranking import auroc
from flowlab.records import RunSpec, Scalar, Spec

N_SEEDS = 3
DATA = "patches"
"""The data set whose runs have a table."""
_BROAD = "a broad set: " + ", ".join(f"{name} {short_percent(share)}" for name, share in BACKGROUND_SHARES.items())


@dataclass(frozen=True)
class Cure:
    """A line of the table.

    Attributes
    ----------
    name : of the score
    held : what its background held; "" where it has none
    model : which run of `cure_runs` is scored
    general : the run whose score is subtracted; "" for none
    score : which of that run's scores (`views.cures.tried_scores`)
    """

    name: str
    held: str
    model: str
    general: str = ""
    score: str = "likelihood"


CURES = (
    Cure("-log p", "", "flow"),
    Cure("finest scale alone", "", "flow", score="finest scale"),
    Cure("coarsest scale alone", "", "flow", score="coarsest scale"),
    Cure("-log p less PNG's bits", "", "flow", score="png"),
    Cure("-log p less zlib's bits", "", "flow", score="zlib"),
    Cure("distance from the typical", "", "flow", score="typicality"),
    Cure("flow of a PCA code", "", "flow", score="code"),
    Cure("ratio to a broad set", _BROAD, "flow", "broad"),
    Cure("coarsest scale, ratio to a broad set", _BROAD, "flow", "broad", "coarsest scale"),
    Cure("ratio to corrupted pictures", "the same patches, a fifth of the pixels replaced", "flow", "corrupted"),
    Cure("ratio to a tiny flow", "the same patches, networks of 4 channels", "flow", "tiny"),
    Cure("ratio to the other photograph", "patches of the photograph that is to be found", "flow", "other"),
    Cure("classifier", _BROAD, "flow", score="classifier"),
    Cure("-log p after the outlier loss", _BROAD, "outlier"),
    Cure("-log p after the margin loss", _BROAD, "margin"),
    Cure("PixelCNN: -log p", "", "pixelcnn"),
    Cure("PixelCNN: ratio to a broad set", _BROAD, "pixelcnn", "pixelcnn_broad"),
)


def cure_runs(present: RunSpec) -> list[dict[str, RunSpec]]:
    """By the names that `CURES` uses, the runs of each of three seeds, on patches as `present` names them."""
    photo, side, color, n_images = (
        DATASETS[DATA].complete(present.data).params[name] for name in ("photo", "side", "color", "n_images")
    )
    other = next(name for name in PHOTOGRAPHS if name != photo)
    size: dict[str, Scalar] = {"side": side, "color": color, "n_images": n_images}
    inside = Spec(DATA, {"photo": photo, "out": other, **size})
    others = Spec(DATA, {"photo": other, "out": photo, **size})
    broad = Spec("synthetic_images", {"family": BROAD, "out": "none", **size})
    made = {
        "flow": (inside, Spec("image_flow")),
        "broad": (broad, Spec("image_flow")),
        "corrupted": (inside, Spec("image_flow", {"corruption": 0.2})),
        "tiny": (inside, Spec("image_flow", {"hidden_channels": 4})),
        "other": (others, Spec("image_flow")),
        "outlier": (inside, Spec("image_flow", {"background": "broad", "background_loss": "outlier"})),
        "margin": (inside, Spec("image_flow", {"background": "broad", "background_loss": "margin"})),
        "pixelcnn": (inside, Spec("pixelcnn")),
        "pixelcnn_broad": (broad, Spec("pixelcnn")),
    }
    return [
        {name: tidy(RunSpec(data, model, present.seed + i))[0] for name, (data, model) in made.items()}
        for i in range(N_SEEDS)
    ]


OUTSIDE = {"other": "other photograph"} | {name: name.replace("_", " ") for name in TRIED}
"""What is outside, in words."""
Scores = Mapping[str, Mapping[str, np.ndarray]]
"""By kind of pictures and by score, anomaly scores (n,)."""


@dataclass(frozen=True, eq=False)
class CureTable:
    """AUROC of every cure against everything outside.

    Attributes
    ----------
    auroc : (n_cures, n_outside, n_seeds); nan where a run is missing
    """

    auroc: np.ndarray

    @property
    def n_seeds(self) -> np.ndarray:
        """How many seeds each mean is of, (n_cures,)."""
        return np.isfinite(self.auroc[:, 0]).sum(axis=1)

    @property
    def mean(self) -> np.ndarray:
        """Mean over the seeds that are there, (n_cures, n_outside); nan where there is none."""
        n = self.n_seeds[:, None]
        return np.divide(np.nansum(self.auroc, axis=2), n, out=np.full(self.auroc.shape[:2], np.nan), where=n > 0)

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of each mean, (n_cures, n_outside); nan for fewer than two seeds."""
        n = self.n_seeds[:, None]
        squares = np.nansum((self.auroc - self.mean[:, :, None]) ** 2, axis=2)
        return np.sqrt(np.divide(squares, n * (n - 1), out=np.full(squares.shape, np.nan), where=n > 1))

    @property
    def worst(self) -> np.ndarray:
        """Lowest mean of each cure, (n_cures,)."""
        return self.mean.min(axis=1)

    @property
    def mean_row(self) -> np.ndarray:
        """Mean of each cure over everything outside, (n_cures,)."""
        return self.mean.mean(axis=1)


def cure_table(by_seed: Sequence[Mapping[str, Scores]]) -> CureTable:
    """The table from the scores of the runs that are there: for each seed, by the names of `cure_runs`."""
    found = np.full((len(CURES), len(OUTSIDE), len(by_seed)), np.nan)
    for k, runs in enumerate(by_seed):
        for i, cure in enumerate(CURES):
            needed = [name for name in (cure.model, cure.general) if name]
            if not all(name in runs for name in needed):
                continue
            scored = {
                kind: runs[cure.model][kind][cure.score]
                - (runs[cure.general][kind][cure.score] if cure.general else 0.0)
                for kind in ("inside", *OUTSIDE)
            }
            inside = scored["inside"]
            for j, kind in enumerate(OUTSIDE):
                labels = np.repeat([False, True], [len(inside), len(scored[kind])])
                found[i, j, k] = auroc(np.concatenate([inside, scored[kind]]), labels)
    return CureTable(found)
