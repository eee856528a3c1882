"""What is measured of costs: bounds wide enough for a busy computer, and counts where time would not do."""

import numpy as np
import pytest

from flowlab.teaching.exhibits import stopwatch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def columns():
    return stopwatch.cost_of_columns(n_rows=200, most="32")


def test_row_89_the_inverse_flow_swaps_the_times(columns):
    assert columns.iaf_ratio < 1 < columns.maf_ratio


def test_row_90_the_slow_side_grows_with_the_columns(columns):
    assert columns.nflows_ratio > 4
    assert 0.4 < columns.nflows_slope < 2


def test_row_91_couplings_are_as_fast_both_ways_and_nice_has_no_log_determinant(columns):
    for ratio in (columns.affine_ratio, columns.spline_ratio, columns.nice_ratio):
        assert 0.2 < ratio < 5
        assert ratio < columns.nflows_ratio
    assert columns.nice_log_det == 0


def test_row_115_elimination_is_cubic_and_the_diagonal_linear():
    found = stopwatch.cost_of_determinants("512")
    assert 1.8 < found.elimination_slope < 3.4 and 0.5 < found.diagonal_slope < 1.6
    figure = stopwatch.draw_cost_of_determinants(found)
    lines = [np.polyfit(np.log(line.x), np.log(line.y), 1)[0] for line in figure.data if "slope" in line.name]
    assert lines == pytest.approx([3, 1])


def test_row_120_straight_lines_fit_rows_columns_and_layers():
    found = stopwatch.linear_cost("affine")
    assert min(found.r2_rows, found.r2_columns, found.r2_layers) > 0.7
    assert found.by_rows[-1] > 2 * found.by_rows[0]


def test_row_45_the_card_says_what_each_family_has():
    found = stopwatch.family_card(8)
    assert found.likelihood == ("exact", "exact", "exact", "lower bound", "none")
    assert found.n_latent.tolist() == [8, 8, 8, 4, 4]
    assert found.flow_error < 1e-3 < found.vae_error
    assert found.autoregressive_ratio > found.coupling_ratio
    assert "likelihood lower bound" in stopwatch.draw_family_card(found).data[0].text[3]
