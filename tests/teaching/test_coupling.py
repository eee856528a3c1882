"""Inside a coupling layer, against arithmetic done by hand, and flows with a requirement dropped."""

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from flowlab.catalog.sweeps import sweeps
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.models.flows.nflows import LectureRealNVP
from flowlab.records import RunSpec, Spec
from flowlab.teaching.exhibits import coupling, coupling_flows, coupling_requirements
from flowlab.teaching.exhibits.moons import MOONS, trained


def test_row_10_each_requirement_that_is_dropped_breaks_something():
    sound = coupling_requirements.requirements("nothing")
    assert sound.gap < 0.2 and sound.round_trip < 1e-6
    assert coupling_requirements.requirements("nonlinear").gap > sound.gap + 0.5, "a linear flow cannot fit moons"
    assert coupling_requirements.requirements("invertible").round_trip > 0.01
    cost = coupling_requirements.requirements("determinant")
    assert cost.lu_seconds[-1] > 5 * cost.sum_seconds[-1]


def test_row_11_latent_points_are_independent_standard_normals():
    result = coupling_flows.latent_check()
    for j, told in ((0, result.distance_1), (1, result.distance_2)):
        assert kstest(result.points[:, j], "norm").statistic == told < 0.08
    assert kstest((result.points**2).sum(axis=1), chi2(2).cdf).statistic == result.norm_distance < 0.08
    assert abs(result.correlation) < 0.1
    assert abs(coupling_flows.latent_check(0).distance_1) > result.distance_1, "before training they are not"


@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_row_13_the_numbers_on_the_graph_are_the_flows_own(direction):
    flow, rows = trained().flow, trained().X
    for row, layer in ((0, 1), (3, 2), (7, 8)):
        result = coupling_flows.graph(row, layer, direction)
        path = flow.transform_path(rows[[row]])
        end = path[layer - (direction == "inverse"), 0]
        assert result.error < 1e-9
        assert end == pytest.approx([result.kept, result.result][:: 1 if result.kept_column == 1 else -1])
    texts = [a.text for a in coupling_flows.draw_graph(result).layout.annotations]
    assert any("network" in text for text in texts) and any("(batch, 1)" in text for text in texts)


def test_row_16_the_loss_falls_with_layers_then_flattens():
    result = coupling_requirements.depth_sweep("layers")
    assert list(result.values) == [1, 2, 4, 8, 16]
    assert (np.diff(result.gaps[:4]) < 0).all()
    assert abs(result.gaps[4] - result.gaps[3]) < 0.3 * (result.gaps[0] - result.gaps[3])
    hidden = coupling_requirements.depth_sweep("depth")
    assert list(hidden.values) == [0, 1, 2, 3] and hidden.gaps[0] > hidden.gaps[1]
    offered = sweeps(RunSpec(Spec("moons"), Spec("affine")), 2, False)
    assert offered["Layers"].values[-1] == 16 and list(offered["Network depth"].values) == [0, 1, 2, 3]


def test_row_16_without_a_hidden_layer_scale_and_shift_are_linear():
    rows = MOONS.sample(300, 0)
    for depth, is_linear in ((0, True), (1, False)):
        flow = AffineCouplingFlow(1, 8, depth, scale_map="exp", n_steps=100, regularize="none").fit(rows)
        kept = flow.transform_path(rows)[0, :, 0]
        s, t = (values[0, :, 1] for values in flow.layer_readout(rows))
        for values in (s, t):
            line = np.polyval(np.polyfit(kept, values, 1), kept)
            assert (np.abs(values - line).max() < 1e-6) == is_linear


def test_row_22_weights_are_those_of_the_formula():
    rows = MOONS.sample(100, 0)
    flow = LectureRealNVP(n_layers=2, hidden_features=64, n_blocks=2, n_steps=1).fit(rows)
    assert flow.n_parameters() == 2 * 2 * coupling.weights_of(1, 1, 64, 2)
    assert 2 * coupling.weights_of(1, 1, 64, 2) == 2 * (2 * 64 + 65 * 64 + 65)


def test_row_23_exp_meets_numbers_that_are_not_finite_where_tanh_does_not():
    result = coupling_requirements.scale_maps()
    assert result.failed_exp > result.failed_tanh == 0
    assert result.loss_sigmoid >= result.floor == pytest.approx(1.828, abs=1e-3)
    assert result.loss_tanh < result.floor


def test_row_23_a_penalty_that_is_not_in_the_loss_changes_nothing():
    result = coupling_requirements.weight_penalty()
    assert result.same and result.length_seed == result.length_without
    assert result.length_with < result.length_without


@pytest.mark.parametrize("convention", ["scale then shift", "shift then scale"])
def test_row_24_forward_and_inverse_undo_each_other_in_both_directions(convention):
    for x, s, t in ((1.0, 0.7, 0.5), (-2.0, -1.5, 2.0), (0.0, 0.0, -1.0)):
        assert coupling.directions(x, s, t, convention).back == pytest.approx(x)
    y = coupling.directed(coupling.directed(0.3, 0.9, -1.2, -1, -1), 0.9, -1.2, 1, 0)
    assert y == pytest.approx(0.3), "the inverse first, then forward"
    assert coupling.directions(1.0, 0.7, 0.5, convention, gate=False).error > 0.1


def test_row_25_masked_networks_have_more_weights_than_split_ones():
    result = coupling.network_sizes(159, 32, 2)
    assert result.split_weights == 2 * coupling.weights_of(80, 79, 32, 2)
    assert result.full_weights == 2 * coupling.weights_of(159, 159, 32, 2)
    assert result.ratio == pytest.approx(result.full_weights / result.split_weights) and result.ratio > 1.5
    flow = AffineCouplingFlow(1, 32, 2, mask="half", n_steps=1, regularize="none")
    flow.fit(np.random.default_rng(0).normal(size=(60, 10)))
    joint = coupling.weights_of(5, 10, 32, 2)
    assert len(flow.parameters_) == joint, "FlowLab's layers have one split network for s and t"


@pytest.mark.parametrize("n_features", [2, 3, 64, 159])
def test_row_43_a_network_reads_as_many_columns_as_the_mask_keeps(n_features):
    result = coupling.network_sizes(n_features)
    assert result.input_width == coupling.masks("half", n_features).sum()
    assert result.input_width == {2: 1, 3: 2, 64: 32, 159: 80}[n_features]


def test_row_46_the_second_convention_has_its_own_inverse():
    result = coupling.directions(0.4, 0.8, -0.3, "shift then scale")
    assert result.y == pytest.approx((0.4 - 0.3) * np.exp(0.8)) and result.back == pytest.approx(0.4)
    rows = MOONS.sample(300, 0)
    flow = AffineCouplingFlow(3, 8, convention="shift then scale", n_steps=50, regularize="none").fit(rows)
    assert flow.inverse_transform(flow.transform(rows)) == pytest.approx(rows, abs=1e-6)


def test_row_109_the_chain_leads_from_data_to_the_base_and_back():
    result = coupling_flows.chain(200)
    flow, rows = trained().flow, MOONS.sample(200, 0)
    assert result.positions[-1] == pytest.approx(flow.transform(rows), abs=1e-6)
    assert flow.inverse_transform(result.positions[-1]) == pytest.approx(rows, abs=1e-6)
    fig = coupling_flows.draw_chain(result)
    titles = [axis.title.text for axis in fig.select_xaxes()]
    assert titles[0] == "data" and titles[-1] == "latent" and len(titles) == 5


@pytest.mark.parametrize("d", [2, 5, 8])
def test_row_117_the_formula_with_b_equals_the_one_in_two_halves(d):
    for kind in ("alternate", "half", "all", "none"):
        result = coupling.masked(kind, d)
        assert result.error < 1e-12 and result.round_trip < 1e-9
    assert list(coupling.masks("alternate", 5)) == [1, 0, 1, 0, 1]


def test_row_118_the_half_split_has_a_block_jacobian():
    result = coupling.masked("half", 6)
    assert result.jacobian[:3, :3] == pytest.approx(np.eye(3), abs=1e-6)
    assert result.jacobian[:3, 3:] == pytest.approx(np.zeros((3, 3)), abs=1e-6)
    assert np.abs(result.jacobian[3:, :3]).min() > 0
    lower = result.jacobian[3:, 3:]
    assert lower == pytest.approx(np.diag(np.diag(lower)), abs=1e-6)
    assert np.log(np.diag(lower)).sum() == pytest.approx(result.log_det, abs=1e-5)
