"""The total mass: one of every exact density, also the widest funnel's; a scaled density is seen."""

from types import SimpleNamespace

import numpy as np
import pytest

from flowlab.evaluation.arithmetic import total_mass
from flowlab.toys.dataset import TOYS
from flowlab.toys.shapes import Funnel

FLAT = [name for name, toy in TOYS.items() if toy().n_features <= 2]


def model(density, factor=1.0):
    return SimpleNamespace(
        score_samples=lambda X: density.log_density(X) + np.log(factor), can_sample=True, sample=density.sample
    )


@pytest.mark.parametrize("n", [300, 5000])
@pytest.mark.parametrize("density", [*(TOYS[name]() for name in FLAT), Funnel(1.5)], ids=[*FLAT, "widest funnel"])
def test_the_mass_of_every_exact_density_is_one_within_its_error(density, n):
    """Less what lies outside the window of the rows; the widest funnel was called no density on a coarse grid."""
    X = density.sample(n, 0)
    finding = total_mass(model(density), X, np.random.default_rng(0))
    assert finding is None or finding.level == "green", finding
    assert finding is not None or isinstance(density, Funnel)


@pytest.mark.parametrize(("factor", "level"), [(1.06, "amber"), (0.9, "amber"), (1.3, "red"), (0.7, "red")])
@pytest.mark.parametrize("name", ["moons", "checkerboard", "banana"])
def test_a_density_that_is_scaled_is_seen(name, factor, level):
    density = TOYS[name]()
    finding = total_mass(model(density, factor), density.sample(5000, 0), np.random.default_rng(0))
    assert finding.level == level, finding
