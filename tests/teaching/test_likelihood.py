"""The loss of a one-dimensional Gaussian over its two parameters, and what that loss does not depend on."""

import numpy as np
import pytest
from scipy.stats import norm

from flowlab.teaching.exhibits.likelihood import loss_surface, mean_loss, rows_of, unseen


@pytest.mark.parametrize("n_rows", [20, 1000, 10_000])
def test_row_85_the_exact_optimum_is_mean_and_deviation_and_nothing_lies_below_it(n_rows):
    result = loss_surface(n_rows=n_rows)
    _, x = rows_of(n_rows, 0)
    assert (result.mean, result.sd) == pytest.approx((x.mean(), x.std()))
    assert result.loss_exact <= result.loss_true
    assert (result.loss >= result.loss_exact).all()
    assert result.loss_exact == pytest.approx(-norm(x.mean(), x.std()).logpdf(x).mean())
    assert result.loss[3, 5] == pytest.approx(mean_loss(x, result.mu[5], result.sigma[3]))


def test_row_85_the_descent_ends_at_the_exact_optimum():
    for start in ((0.2, 1.2), (2.0, 0.1), (0.0, 0.3)):
        result = loss_surface(*start)
        assert result.path[0] == pytest.approx(start)
        assert result.path[-1] == pytest.approx((result.mean, result.sd), abs=0.01)


def test_the_best_node_of_the_grid_may_lie_above_the_truth():
    result = loss_surface()
    assert 1.0 not in result.mu and 0.5 not in result.sigma
    assert result.loss_grid > result.loss_true > result.loss_exact


def test_a_single_row_has_no_best_sigma():
    result = loss_surface(n_rows=1)
    assert "no optimum" in result.finding and result.sd == 0 and np.isfinite(result.path).all()


def test_row_84_the_loss_does_not_depend_on_the_z_that_made_the_rows():
    rising, falling = (unseen(1.0, 0.5, story) for story in ("rising", "falling"))
    assert np.array_equal(rising.x, falling.x) and np.array_equal(rising.true_z, -falling.true_z)
    assert rising.x == pytest.approx(1 + 0.5 * rising.true_z) and falling.x == pytest.approx(1 - 0.5 * falling.true_z)
    assert rising.loss == falling.loss == unseen(1.0, 0.5, "rising", reveal=True).loss
    assert rising.loss == pytest.approx(-norm(1.0, 0.5).logpdf(rising.x).mean())
    assert rising.apart < 1e-12 < falling.apart
