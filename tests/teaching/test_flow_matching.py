"""The velocity that flow matching asks for, against a sum over lines and what the end must be."""

import numpy as np
import pytest

from flowlab.teaching.exhibits.flow_matching import mean_velocity, velocity

ROWS = np.random.default_rng(0).normal(size=(40, 2))


def test_the_mean_velocity_is_that_of_lines_that_pass_nearby():
    rng = np.random.default_rng(1)
    place, t, near = np.array([0.2, -0.3]), 0.6, 0.05
    x = ROWS[rng.integers(0, len(ROWS), 2_000_000)]
    z = rng.standard_normal(x.shape)
    passing = np.linalg.norm((1 - t) * x + t * z - place, axis=1) < near
    mean, spread, _ = mean_velocity(place[None], ROWS, t)
    lines = (z - x)[passing]
    error = 4 * lines.std(axis=0) / np.sqrt(passing.sum())
    assert (np.abs(lines.mean(axis=0) - mean[0]) < error + near).all()
    assert spread[0] == pytest.approx(lines.var(axis=0).sum(), rel=0.1)


def test_at_the_end_the_velocity_is_the_place_less_the_mean_row():
    places = np.array([[0.0, 0.0], [2.0, -1.0]])
    mean, spread, _ = mean_velocity(places, ROWS, 1.0)
    assert mean == pytest.approx(places - ROWS.mean(axis=0))
    assert spread == pytest.approx(ROWS.var(axis=0).sum())


@pytest.mark.parametrize("time", [0.0, 0.02, 1.0])
def test_the_extreme_times_have_arrows(time):
    assert np.isfinite(velocity(time).velocity).any()
