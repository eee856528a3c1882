"""Pictures of the Compare page, checked through their data, names and titles."""

import numpy as np

from flowlab.evaluation.comparison import Measured, Standing
from flowlab.plots import comparison, reconstruction
from flowlab.views.density import DensityGrid, DensityMap
from flowlab.views.reconstruction import ReconstructionMap


def standing(name, auroc=np.nan, log_likelihood=np.nan, trivial=False):
    measures = Measured(auroc, 0.01), Measured(auroc), Measured(auroc), Measured(log_likelihood)
    return Standing(name, *measures, Measured(1.0), Measured(0.01), 10, trivial, 1, False, ())


def test_quadrants_are_named_with_their_counts():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400))
    fig = comparison.quadrant_scatter(a, b, np.arange(400), ("AE", "flow"), 0.1, (a > 1).astype(int))
    texts = {note.text.split(":")[0]: int(note.text.split(":")[1]) for note in fig.layout.annotations}
    assert set(texts) == {"neither alarmed", "only reconstruction", "only likelihood", "both alarmed"}
    assert sum(texts.values()) == 400
    assert texts["only reconstruction"] + texts["both alarmed"] == 40
    assert {trace.name for trace in fig.data} == {"normal rows", "anomalies"}
    assert "(rank, %)" in fig.layout.xaxis.title.text
    raw = comparison.quadrant_scatter(a - a.min(), b, np.arange(400), ("AE", "flow"), 0.1, raw=True, chosen=[7])
    assert raw.layout.xaxis.type == "log" and "nats" in raw.layout.yaxis.title.text
    assert len(raw.data) == 2 and len(raw.data[1].x) == 1


def test_alarms_and_anomalies_are_never_left_out_of_a_large_scatter():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 20_000))
    y = (rng.uniform(size=20_000) < 0.01).astype(int)
    fig = comparison.quadrant_scatter(a, b, np.arange(20_000), ("AE", "flow"), 0.02, y)
    drawn = np.concatenate([trace.customdata for trace in fig.data])
    assert len(drawn) < 4000
    alarmed = np.flatnonzero((a > np.quantile(a, 0.98)) | (b > np.quantile(b, 0.98)) | (y == 1))
    assert np.isin(alarmed, drawn).all()


def test_empty_inputs_give_empty_pictures_with_axes():
    nothing = np.empty(0)
    fig = comparison.quadrant_scatter(nothing, nothing, nothing, ("AE", "flow"), 0.1)
    assert not fig.data and fig.layout.xaxis.title.text
    assert not comparison.leaderboard_dots([]).data
    assert reconstruction.error_beside_density({}, {}, np.empty((0, 2))).layout.xaxis.title.text == "x1"


def test_leaderboard_marks_one_line_rivals_and_falls_back_to_likelihood():
    fig = comparison.leaderboard_dots([standing("flow", 0.9), standing("coin", 0.5, trivial=True)])
    assert [trace.marker.symbol for trace in fig.data] == ["circle", "circle-open"]
    assert fig.data[0].error_x.array[0] == 0.02
    fig = comparison.leaderboard_dots([standing("flow", log_likelihood=-1.2), standing("AE")])
    assert list(fig.data[0].y) == ["flow"] and "nats" in fig.layout.xaxis.title.text


def test_agreement_shows_its_numbers():
    fig = comparison.agreement_matrix(["a", "b"], np.array([[1, 0.25], [0.25, 1]]))
    assert fig.data[0].text[0][1] == "0.25" and fig.data[0].zmin == -1


def test_maps_show_errors_arrows_and_manifold_beside_the_density():
    line = np.linspace(0, 1, 5)
    picture = ReconstructionMap(
        window=(0.0, 1.0, 0.0, 1.0), x=line, y=line, error=np.ones((5, 5)),
        tail=np.zeros((4, 2)), tip=np.ones((4, 2)), manifold=np.zeros((9, 2)),
    )  # fmt: skip
    density = DensityGrid((0, 1, 0, 1.0), line, line, DensityMap(np.zeros((5, 5)), 1.0, np.zeros(4)), None)
    fig = reconstruction.error_beside_density({"AE": picture}, {"flow": density}, np.zeros((3, 2)))
    assert [trace.type for trace in fig.data].count("heatmap") == 2
    assert [note.text for note in fig.layout.annotations] == ["error of AE", "log-density of flow"]
    arrows = next(trace for trace in fig.data if trace.type == "scatter" and trace.mode == "lines+markers")
    assert np.nanmax(arrows.x) <= 0.05
    assert len(reconstruction.codes(np.zeros((3, 2)), np.ones((3, 2)), np.array([0, 1, 0])).data) == 6


def test_sweeps_draw_a_line_for_each_measure():
    fig = comparison.sweep_curves([1, 2, 4], {"rate": [3, 2, 1], "distortion": [1, np.nan, 3]}, "beta", "nats")
    assert [trace.name for trace in fig.data] == ["rate", "distortion"]
    assert fig.data[0].line.dash != fig.data[1].line.dash
