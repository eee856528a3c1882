"""A fitted model and a data set, turned into the arrays that each picture needs. Arrays only: no figure, no torch."""

from __future__ import annotations

from flowlab.evaluation.known_gap import gap
from flowlab.views.attribution import painted_score, reasons, repaired, scores_elsewhere, top_reasons, what_if
from flowlab.views.comparison import cost, steps_within, trivial_rivals, two_samples
from flowlab.views.context import ALL_LEVELS, is_conditioned, is_planar, judged
from flowlab.views.coupling import coupling, jacobian, masks
from flowlab.views.density import MASSES, density_grid, density_slice, equal_mass_levels, profile, truth
from flowlab.views.film import final, frame, two_columns
from flowlab.views.guesses import guesses
from flowlab.views.latent import latent_paths, latent_point, rows
from flowlab.views.layers import layers
from flowlab.views.marginals import marginals
from flowlab.views.members import disagreement
from flowlab.views.pairs import pair_rows
from flowlab.views.pictures import between_four, latent_sheet, pixel_contributions
from flowlab.views.projection import Stage, display_rows, stage
from flowlab.views.receipt import receipt, typical_row
from flowlab.views.reconstruction import reconstruction, reconstruction_map
from flowlab.views.samples import samples
from flowlab.views.trust import trust

__all__ = [
    "ALL_LEVELS",
    "MASSES",
    "Stage",
    "between_four",
    "cost",
    "coupling",
    "density_grid",
    "density_slice",
    "disagreement",
    "display_rows",
    "equal_mass_levels",
    "final",
    "frame",
    "gap",
    "guesses",
    "is_conditioned",
    "is_planar",
    "jacobian",
    "judged",
    "latent_paths",
    "latent_point",
    "latent_sheet",
    "layers",
    "marginals",
    "masks",
    "painted_score",
    "pair_rows",
    "pixel_contributions",
    "profile",
    "reasons",
    "receipt",
    "reconstruction",
    "reconstruction_map",
    "repaired",
    "rows",
    "samples",
    "scores_elsewhere",
    "stage",
    "steps_within",
    "top_reasons",
    "what_if",
    "trivial_rivals",
    "trust",
    "truth",
    "two_samples",
    "two_columns",
    "typical_row",
]
