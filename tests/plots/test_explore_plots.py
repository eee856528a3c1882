"""Pictures of the Explore page say what the arrays say, in both themes, and survive having nothing to show."""

from dataclasses import replace

import numpy as np
import pytest

from flowlab import views
from flowlab.models.classical.density import KDE, Gaussian
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import coupling, density, latent, marginals, receipt, theme
from flowlab.plots import samples as samples_plots
from flowlab.toys.contaminated import Clump1D
from flowlab.toys.dataset import make_toy
from flowlab.toys.shapes import Banana, Checkerboard, CorrelatedGaussian
from flowlab.views.density import Profile
from flowlab.views.samples import Samples

DATA = make_toy(Banana(), 600)
KERNEL = KDE().fit(DATA.X)
FLOW = AffineCouplingFlow(n_layers=3, n_steps=40).fit(DATA.X)
GRID = views.density_grid(KERNEL, DATA, n=40)
WITHOUT_TRUTH = replace(GRID, true=None)


def heatmaps(fig):
    return [trace for trace in fig.data if trace.type == "heatmap"]


@pytest.mark.parametrize("dark", [False, True])
def test_learned_and_true_density_share_one_scale(dark):
    fig = density.density_panels(GRID, dark=dark)
    learned, true, difference = heatmaps(fig)
    np.testing.assert_allclose(learned.z, np.exp(GRID.learned.log_density), rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(true.z, np.exp(GRID.true.log_density), rtol=1e-5, atol=1e-30)
    np.testing.assert_allclose(difference.z, GRID.difference, rtol=1e-4, atol=1e-8)
    assert learned.coloraxis == true.coloraxis == "coloraxis"
    assert difference.zmin == -difference.zmax < 0
    assert difference.colorscale[0][1] == theme.colors(dark).diverging[0]
    assert fig.layout.xaxis2.matches == fig.layout.xaxis3.matches == "x"
    assert [a.text for a in fig.layout.annotations] == ["learned", "true", "learned − true"]


def test_without_a_known_truth_there_is_one_picture():
    fig = density.density_panels(WITHOUT_TRUTH)
    assert len(heatmaps(fig)) == 1 and not fig.layout.annotations


def test_energy_is_minus_log_density_and_both_have_units():
    log_density = density.density_panels(GRID, "log_density")
    energy = density.density_panels(GRID, "energy")
    np.testing.assert_allclose(heatmaps(log_density)[0].z, -heatmaps(energy)[0].z)
    assert log_density.layout.coloraxis.colorbar.title.text == "log-density (nats)"
    assert energy.layout.coloraxis.cmin == pytest.approx(-log_density.layout.coloraxis.cmax)
    strongest = log_density.layout.coloraxis.colorscale[-1][1]
    assert energy.layout.coloraxis.colorscale[0][1] == strongest
    with pytest.raises(ValueError, match="quantity must be one of density"):
        density.density_panels(GRID, "mass")


def test_contours_lie_at_the_levels():
    """Where the log-density equals a level, the drawn map equals that level's number."""
    fig = density.density_panels(WITHOUT_TRUTH)
    contour = next(trace for trace in fig.data if trace.type == "contour")
    for level, number in zip(GRID.learned.levels, (4, 3, 2, 1), strict=True):
        above = GRID.learned.log_density > level
        assert np.all(np.asarray(contour.z)[above] >= number - 1e-6)
        assert np.all(np.asarray(contour.z)[~above] <= number + 1e-6)


def test_densities_with_empty_regions_are_drawn():
    board = make_toy(Checkerboard(), 400)
    grid = views.density_grid(KDE().fit(board.X), board, n=30)
    for quantity in density.QUANTITIES:
        fig = density.density_panels(grid, quantity)
        assert all(np.all(np.isfinite(trace.z)) for trace in heatmaps(fig))


def test_one_feature_gives_curves_with_units():
    clump = make_toy(Clump1D(), 500)
    fig = density.density_panels(views.density_grid(KDE().fit(clump.X), clump, n=50), axes=("x1", "density"))
    assert [trace.name for trace in fig.data] == ["true", "learned"]
    assert fig.layout.yaxis.title.text == "density (per unit of x1)"
    assert fig.data[0].line.dash != fig.data[1].line.dash


def test_points_can_be_picked_by_their_row():
    stage = views.stage(DATA)
    points = density.PickableRows(stage.points, stage.rows, int(stage.rows[4]))
    fig = density.density_panels(GRID, points=points)
    picked = fig.data[-1]
    np.testing.assert_array_equal(picked.customdata, stage.rows)
    assert picked.marker.size[4] == max(picked.marker.size)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_samples_and_data_differ_in_more_than_colour(side_by_side):
    drawn = views.samples(KERNEL, DATA, n=100)
    fig = samples_plots.samples_scatter(drawn, side_by_side=side_by_side, chosen=3, nearest=DATA.X[0])
    data, samples, line = fig.data
    assert data.marker.symbol != samples.marker.symbol and data.marker.color != samples.marker.color
    assert len(samples.x) == 100
    assert (line.x[0], line.y[0]) == pytest.approx(tuple(drawn.points[3]))
    assert (samples.xaxis == "x2") == side_by_side


def test_the_bars_of_a_receipt_end_in_the_log_density():
    bill = views.receipt(FLOW, DATA, 7)
    fig = receipt.receipt_bars(bill, layer=2)
    bars = fig.data[0]
    assert list(bars.x) == ["scaling", "layer 1", "layer 2", "layer 3", "base"]
    ends = np.asarray(bars.base, float) + np.asarray(bars.y, float)
    np.testing.assert_allclose(ends, bill.running)
    np.testing.assert_allclose(np.asarray(bars.base, float)[1:], ends[:-1])
    assert ends[-1] == pytest.approx(FLOW.score_samples(DATA.X[7:8])[0], abs=1e-4)
    assert bars.marker.line.width[2] == 2
    assert fig.layout.yaxis.title.text == "running total (nats)"
    assert fig.data[1].x == ("log p(x)",) and fig.data[1].y[0] == pytest.approx(ends[-1])


def test_profiles_mark_the_lowest_point():
    line = views.profile(KERNEL, DATA, 0, 1)
    fig = density.profile_curve(line)
    assert [trace.name for trace in fig.data] == ["true", "learned"]
    assert fig.layout.annotations[0].x == pytest.approx(line.distance[line.lowest])
    assert "nats" in fig.layout.yaxis.title.text


def test_slices_mark_the_row():
    data = make_toy(CorrelatedGaussian(n_features=3), 500)
    cut = views.density_slice(Gaussian().fit(data.X), data, row=9, columns=(0, 2), n=30)
    fig = density.slice_heatmap(cut, ("x1", "x3"))
    assert (fig.data[-1].x[0], fig.data[-1].y[0]) == pytest.approx((data.X[9, 0], data.X[9, 2]))


def test_margins_and_latent_checks():
    arrays = views.marginals(FLOW, DATA, n=500)
    fig = marginals.marginal_histogram(arrays, 1, "x2")
    assert [trace.name for trace in fig.data] == ["data", "samples"]
    assert fig.layout.yaxis.title.text == "density (per unit of x2)"
    pair = views.rows(FLOW, DATA, n=300)
    lines = latent.quantile_lines(pair.latent)
    assert [trace.name for trace in lines.data] == ["standard normal", "z1", "z2"]
    assert lines.data[1].y[49] == pytest.approx(np.median(pair.latent[:, 0]))
    norms = latent.norm_histogram(np.linalg.norm(pair.latent, axis=1), 2)
    chi = norms.data[1]
    assert np.trapezoid(chi.y, chi.x) == pytest.approx(1, abs=0.02)
    assert chi.x[np.argmax(chi.y)] == pytest.approx(1, abs=0.05)  # the mode of chi with two degrees


def test_one_layer_opened():
    arrays = views.coupling(FLOW, DATA, layer=2, n=100)
    kept, moved = (int(np.flatnonzero(arrays.moved[1] == flag)[0]) for flag in (False, True))
    fig = coupling.scale_and_shift(arrays, kept, moved, row=int(arrays.rows[3]))
    np.testing.assert_allclose(fig.data[0].y, arrays.log_scale[:, moved])
    assert fig.data[0].marker.symbol != fig.data[1].marker.symbol
    assert fig.layout.shapes[0].x0 == pytest.approx(arrays.before[3, kept])
    masks = coupling.moved_features(arrays.moved, layer=2)
    np.testing.assert_array_equal(np.asarray(masks.data[0].z, bool), arrays.moved)


def test_nothing_to_show_is_still_a_figure_with_axes():
    nowhere = np.empty((0, 2))
    empty = Samples(nowhere, np.empty(0), nowhere, nowhere)
    for fig in (
        samples_plots.samples_scatter(empty),
        latent.norm_histogram(np.empty(0), 2),
        density.profile_curve(Profile(nowhere, np.empty(0), np.empty(0), None, 0)),
    ):
        assert fig.layout.xaxis.title.text
