"""A fitted model and a data set, turned into the arrays that each picture needs. Arrays only: no figure, no torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from flowlab.views.density import MASSES, density_grid, density_slice, equal_mass_levels, profile
from flowlab.views.draws import gap, kolmogorov_distance, latent, margins, samples
from flowlab.views.frames import final, frame
from flowlab.views.inside import layers, receipt, typical_row
from flowlab.views.reasons import reasons, repaired
from flowlab.views.staging import Stage, display_rows, stage

__all__ = [
    "MASSES",
    "VIEWS",
    "Stage",
    "density_grid",
    "density_slice",
    "display_rows",
    "equal_mass_levels",
    "final",
    "frame",
    "gap",
    "kolmogorov_distance",
    "latent",
    "layers",
    "margins",
    "profile",
    "reasons",
    "receipt",
    "repaired",
    "samples",
    "stage",
    "typical_row",
]

VIEWS: dict[str, Callable[..., dict[str, np.ndarray]]] = {
    "density_grid": density_grid,
    "density_slice": density_slice,
    "profile": profile,
    "samples": samples,
    "latent": latent,
    "margins": margins,
    "gap": gap,
    "layers": layers,
    "receipt": receipt,
    "reasons": reasons,
    "repaired": repaired,
    "frame": frame,
    "final": final,
}
"""What a page may ask for by name: `f(model, dataset, **settings) -> arrays`."""
