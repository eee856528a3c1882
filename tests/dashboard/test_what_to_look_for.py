"""What Explore says under a density: how much of it is misplaced, from the very grid that is drawn."""

import numpy as np
import pytest
from scipy.stats import norm

from flowlab.dashboard.explore.density import what_to_look_for
from flowlab.views.density import DensityGrid, DensityMap


def grid(shift: float, known: bool = True) -> DensityGrid:
    """Two standard normals, the learned one shifted."""
    x = np.linspace(-8, 8, 801)
    learned, true = (DensityMap(norm.logpdf(x, at), 1.0, np.zeros(0)) for at in (shift, 0.0))
    return DensityGrid((-8.0, 8.0, 0.0, 1.0), x, None, learned, true if known else None)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0])
def test_the_misplaced_probability_is_the_total_variation(shift):
    exact = 100 * (2 * norm.cdf(shift / 2) - 1)
    assert f"Look at the difference: at least {exact:.1f}\N{NO-BREAK SPACE}%".replace("\xa0", " ") in what_to_look_for(
        grid(shift)
    ).replace("\xa0", " ")


def test_nothing_is_compared_where_the_truth_is_not_known_and_nothing_said_of_a_broken_flow():
    assert "the density is highest at 2." in what_to_look_for(grid(2.0, known=False))
    assert what_to_look_for(grid(2.0), is_density=False) == ""
