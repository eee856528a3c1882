"""The engine's layers are what they say: invertible, with the log-determinant and the gradients autograd finds."""

import math

import numpy as np
import pytest
import torch

from flowlab.nets.engine.affine import SCALE_MAPS, Additive, Affine
from flowlab.nets.engine.build import NO_LOG_DET, NO_MASK, autoregressive_stack, coupling_stack, elementary_stack
from flowlab.nets.engine.coupling import Coupling, alternating_masks
from flowlab.nets.engine.elementary import ActivationNorm, Permutation
from flowlab.nets.engine.spline import Spline
from flowlab.nets.engine.stack import CHUNK, Stack

F64 = torch.float64


def _affine(d, context, **kwargs):
    return coupling_stack(d, Affine(**kwargs), 3, 16, n_context=context, dtype=F64)


STACKS = {
    **{f"affine {m}": (lambda d, c, m=m: _affine(d, c, scale_map=m)) for m in SCALE_MAPS},
    "affine shift first": lambda d, c: _affine(d, c, scale_map="clamp", convention="shift then scale"),
    "additive": lambda d, c: coupling_stack(d, Additive(), 3, 16, n_context=c, dtype=F64),
    "half": lambda d, c: coupling_stack(d, Affine(), 3, 16, mask="half", n_context=c, dtype=F64),
    "random mask": lambda d, c: coupling_stack(d, Affine(), 4, 16, mask="random", n_context=c, dtype=F64),
    "one hidden layer": lambda d, c: coupling_stack(d, Affine(), 2, 16, 1, n_context=c, dtype=F64),
    "normalised": lambda d, c: coupling_stack(d, Affine(), 3, 16, activation_norm=True, n_context=c, dtype=F64),
    "spline": lambda d, c: coupling_stack(d, Spline(use_numba=False), 3, 16, n_context=c, dtype=F64),
    "spline numba": lambda d, c: coupling_stack(d, Spline(use_numba=True), 3, 16, n_context=c, dtype=F64),
    "spline random mask": lambda d, c: coupling_stack(d, Spline(5, 3.0), 4, 16, mask="random", n_context=c, dtype=F64),
    "maf": lambda d, c: autoregressive_stack(d, Affine(), 3, 16, n_context=c, dtype=F64),
    "maf random": lambda d, c: autoregressive_stack(d, Affine("clamp"), 3, 16, 3, "random", n_context=c, dtype=F64),
    "maf lu": lambda d, c: autoregressive_stack(d, Affine(), 3, 16, permutation="lu", n_context=c, dtype=F64),
    "maf spline": lambda d, c: autoregressive_stack(d, Spline(), 2, 16, n_context=c, dtype=F64),
    "iaf": lambda d, c: autoregressive_stack(d, Affine(), 3, 16, 2, "random", True, n_context=c, dtype=F64),
    "iaf shift first": lambda d, c: autoregressive_stack(
        d, Affine("clamp", "shift then scale"), 2, 16, 1, "reverse", True, n_context=c, dtype=F64
    ),
    "iaf additive": lambda d, c: autoregressive_stack(d, Additive(), 2, 16, 1, "none", True, n_context=c, dtype=F64),
}
ELEMENTARY = {
    "planar": lambda d, c: elementary_stack(d, "planar", 4, dtype=F64),
    "radial": lambda d, c: elementary_stack(d, "radial", 4, dtype=F64),
    "permutation": lambda d, c: Stack(d, [Permutation([*range(1, d), 0]), ActivationNorm(d)], dtype=F64),
}
FAULTY = {
    "affine without log-det": lambda d, c: coupling_stack(d, Affine(), 3, 16, n_context=c, dtype=F64, fault=NO_LOG_DET),
    "spline without log-det": lambda d, c: coupling_stack(d, Spline(), 3, 16, n_context=c, dtype=F64, fault=NO_LOG_DET),
    "maf without log-det": lambda d, c: autoregressive_stack(
        d, Affine(), 3, 16, n_context=c, dtype=F64, fault=NO_LOG_DET
    ),
    "affine without mask": lambda d, c: coupling_stack(d, Affine(), 3, 16, n_context=c, dtype=F64, fault=NO_MASK),
    "spline without mask": lambda d, c: coupling_stack(d, Spline(), 3, 16, n_context=c, dtype=F64, fault=NO_MASK),
    "maf without mask": lambda d, c: autoregressive_stack(d, Affine(), 3, 16, n_context=c, dtype=F64, fault=NO_MASK),
    "normalised maf without log-det": lambda d, c: autoregressive_stack(
        d, Affine(), 2, 16, activation_norm=True, n_context=c, dtype=F64, fault=NO_LOG_DET
    ),
    "iaf without log-det": lambda d, c: autoregressive_stack(
        d, Affine(), 3, 16, inverted=True, n_context=c, dtype=F64, fault=NO_LOG_DET
    ),
    "random affine without mask": lambda d, c: coupling_stack(
        d, Affine(), 4, 16, mask="random", n_context=c, dtype=F64, fault=NO_MASK
    ),
}
CASES = [(name, d, 1) for name in STACKS for d in (1, 2, 5)] + [(name, d, 0) for name in ELEMENTARY for d in (2, 5)]


def _random_stack(name, d, context):
    """A stack far from the identity, and a batch with some rows beyond the spline's bound."""
    stack = (STACKS | ELEMENTARY | FAULTY)[name](d, context)
    generator = torch.Generator().manual_seed(d)
    x = 1.7 * torch.randn(d + context, 37, generator=generator, dtype=F64)
    stack.fit_start(x)
    step = torch.randn(len(stack.parameters), generator=generator, dtype=F64)
    stack.parameters.add_(0.2 * step * (1 if stack._gradient_mask is None else stack._gradient_mask))
    return stack, x


@pytest.mark.parametrize("name, d, context", CASES)
def test_inverse_undoes_transform(name, d, context):
    stack, x = _random_stack(name, d, context)
    z, log_det = stack.transform(x)
    back, log_det_back = stack.inverse(torch.cat([z, x[d:]]))
    assert (z - x[:d]).abs().max() > 0.01
    torch.testing.assert_close(back, x[:d], rtol=0, atol=1e-6)
    torch.testing.assert_close(log_det_back, -log_det, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name, d, context", CASES)
def test_log_determinant_is_that_of_the_jacobian(name, d, context):
    stack, x = _random_stack(name, d, context)
    step = 1e-6
    columns = []
    for i in range(d):
        shifted = [x.clone(), x.clone()]
        shifted[0][i] += step
        shifted[1][i] -= step
        columns.append((stack.transform(shifted[0])[0] - stack.transform(shifted[1])[0]) / (2 * step))
    jacobian = torch.stack(columns).permute(2, 1, 0)
    log_det = stack.transform(x)[1]
    torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], log_det, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name, d, context", CASES + [(name, d, 1) for name in FAULTY for d in (1, 5)])
def test_gradient_is_the_slope_of_the_loss(name, d, context):
    stack, x = _random_stack(name, d, context)
    loss = stack.loss_and_gradient(x)
    gradient = stack.gradient.clone()
    assert loss == pytest.approx(stack.loss(x).mean().item(), abs=1e-10)
    chosen = torch.randperm(len(gradient), generator=torch.Generator().manual_seed(0))[:30].tolist()
    if stack._gradient_mask is not None:
        assert (gradient[stack._gradient_mask == 0] == 0).all()
        chosen = [i for i in chosen if stack._gradient_mask[i]]
    for i in chosen:
        value, losses = stack.parameters[i].item(), []
        for sign in (1, -1):
            stack.parameters[i] = value + sign * 1e-6
            losses.append(stack.loss(x).mean().item())
        stack.parameters[i] = value
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[i].item(), abs=1e-7, rel=1e-6)


@pytest.mark.parametrize("name", ["affine tanh", "spline", "maf", "iaf", "planar"])
def test_input_gradient_is_the_slope_of_the_log_density(name):
    stack, x = _random_stack(name, 3, 0)
    x = x.clamp(-3.5, 3.5)  # away from the kink of the spline's tails
    gradient = stack.input_gradient(x)
    for i in range(3):
        up, down = x.clone(), x.clone()
        up[i] += 1e-6
        down[i] -= 1e-6
        slope = (stack.log_density(up) - stack.log_density(down)) / 2e-6
        assert (slope - gradient[i]).abs().median() < 1e-7


def _autograd_mlp(net, weights, inputs):
    h = inputs
    for i, weight in enumerate(weights):
        h = weight @ torch.cat([torch.ones_like(h[:1]), h])
        h = torch.relu(h) if i < len(weights) - 1 else h
    return h


def _autograd_transform(stack, parameters, x):
    """The same flow written for autograd, from the papers' formulas."""
    start, log_det = 0, 0.0
    for layer in stack.layers:
        weights = []
        for rows, columns in layer.shapes:
            weights.append(parameters[start : start + rows * columns].view(rows, columns))
            start += rows * columns
        if isinstance(layer, Coupling):
            raw, before = _autograd_mlp(layer.net, weights, x[layer.kept] if layer.masked else x), x[layer.moved]
        else:
            raw, before = _autograd_mlp(layer.net, weights, x), x
        n = len(before)
        if isinstance(layer.transformer, Affine):
            s = torch.tanh(raw[:n])
            after = before * s.exp() + raw[n:]
        else:
            after, s = _autograd_spline(layer.transformer, raw.view(-1, n, raw.shape[1]), before)
        if isinstance(layer, Coupling):
            x = x.index_copy(0, torch.tensor(layer.moved), after)
        else:
            x = after
        log_det = log_det + s.sum(0)
    return x, log_det


def _autograd_spline(spline, raw, x):
    from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline

    k, raw = spline.n_bins, raw.permute(2, 1, 0)
    y, log_det = unconstrained_rational_quadratic_spline(
        x.t(), raw[..., :k], raw[..., k : 2 * k], raw[..., 2 * k :], tails="linear", tail_bound=spline.tail_bound
    )
    return y.t(), log_det.t()


@pytest.mark.parametrize("d", [2, 7])
@pytest.mark.parametrize("name", ["affine tanh", "spline", "spline numba", "maf", *list(FAULTY)[:6]])
def test_gradient_equals_autograd(name, d):
    stack, x = _random_stack(name, d, 0)
    parameters = stack.parameters.clone().requires_grad_()
    z, log_det = _autograd_transform(stack, parameters, x)
    loss = (0.5 * z.square().sum(0) - stack.log_det_weight * log_det).mean() + 0.5 * d * math.log(2 * math.pi)
    expected = torch.autograd.grad(loss, parameters)[0]
    if stack._gradient_mask is not None:
        expected = expected * stack._gradient_mask
    assert stack.loss_and_gradient(x) == pytest.approx(loss.item(), rel=1e-9)
    assert (stack.gradient - expected).norm() / expected.norm() < 1e-8


@pytest.mark.parametrize("name", ["affine without mask", "spline without mask", "maf without mask"])
def test_without_a_mask_there_is_no_inverse_and_the_log_determinant_is_not_the_jacobians(name):
    stack, x = _random_stack(name, 5, 0)
    z, log_det = stack.transform(x)
    assert (stack.inverse(z)[0] - x).abs().max() > 0.1
    for i in range(0, x.shape[1], 6):
        jacobian = torch.autograd.functional.jacobian(
            lambda v: _autograd_transform(stack, stack.parameters, v.reshape(5, 1))[0].reshape(5), x[:, i]
        )
        assert abs(torch.linalg.slogdet(jacobian)[1] - log_det[i]) > 1e-3


def test_a_left_out_log_determinant_is_missing_from_loss_and_score_alone():
    sound, x = _random_stack("maf", 5, 0)
    faulty = FAULTY["maf without log-det"](5, 0)
    faulty.parameters.copy_(sound.parameters)
    log_det = sound.transform(x)[1]
    torch.testing.assert_close(faulty.transform(x)[1], log_det)
    torch.testing.assert_close(faulty.log_density(x), sound.log_density(x) - log_det)


@pytest.mark.parametrize("name", ["affine tanh", "spline", "spline numba", "maf"])
def test_log_determinant_equals_autograds(name):
    stack, x = _random_stack(name, 5, 0)
    z, log_det = stack.transform(x)
    for i in range(0, x.shape[1], 6):
        row = x[:, i : i + 1]
        jacobian = torch.autograd.functional.jacobian(
            lambda v: _autograd_transform(stack, stack.parameters, v.reshape(5, 1))[0].reshape(5), row.reshape(5)
        )
        assert torch.linalg.slogdet(jacobian)[1].item() == pytest.approx(log_det[i].item(), abs=1e-9)
        assert (_autograd_transform(stack, stack.parameters, row)[0] - z[:, i : i + 1]).abs().max() < 1e-9


@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("name", ["affine tanh", "spline", "spline numba", "maf"])
def test_jacobian_equals_autograds(name, d):
    stack, x = _random_stack(name, d, 0)
    kept = stack.gradient.fill_(7.0).clone()
    for i in range(0, x.shape[1], 6):
        expected = torch.autograd.functional.jacobian(
            lambda v: _autograd_transform(stack, stack.parameters, v.reshape(d, 1))[0].reshape(d), x[:, i]
        )
        torch.testing.assert_close(stack.jacobian(x[:, i]), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(stack.gradient, kept)


@pytest.mark.parametrize("name, d, context", CASES)
def test_jacobians_of_the_layers_multiply_to_that_of_the_stack(name, d, context):
    stack, x = _random_stack(name, d, context)
    for i in range(0, x.shape[1], 12):
        log_dets = stack.path(x[:, i : i + 1]).log_dets[:, 0]
        product = torch.eye(d, dtype=F64)
        for layer, log_det in enumerate(log_dets):
            matrix = stack.jacobian(x[:, i], layer)
            assert torch.linalg.slogdet(matrix)[1].item() == pytest.approx(log_det.item(), abs=1e-8)
            product = matrix @ product
        torch.testing.assert_close(stack.jacobian(x[:, i]), product, rtol=1e-8, atol=1e-9)


def _nflows_mlp(inputs, outputs):
    from nflows.nn.nets import MLP

    class Mlp(MLP):
        def forward(self, inputs, context=None):
            return super().forward(inputs)

    return Mlp([inputs], [outputs], [16, 16])


def _copy_linear(linears, weights, rows=None):
    for i, (linear, weight) in enumerate(zip(linears, weights)):
        if rows is not None and i == len(linears) - 1:
            weight = weight[rows]
        linear.weight.data.copy_(weight[:, 1:])
        linear.bias.data.copy_(weight[:, 0])


@pytest.mark.filterwarnings("ignore:Inputs to the softmax")
@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("kind, dtype, tolerance", [("affine", torch.float32, 1e-5), ("spline", F64, 1e-9)])
def test_coupling_equals_nflows_with_the_same_weights(kind, dtype, tolerance, d):
    from nflows import transforms

    transformer = Affine("sigmoid") if kind == "affine" else Spline(8, 4.0)
    stack = coupling_stack(d, transformer, 3, 16, dtype=dtype)
    stack.parameters.add_(0.3 * torch.randn(len(stack.parameters), generator=torch.Generator().manual_seed(1)))
    layers = []
    for layer in stack.layers:
        mask = torch.tensor([1 if i in layer.moved else 0 for i in range(d)])
        if kind == "affine":  # ours is [scale; shift], theirs [shift, scale]
            theirs = transforms.AffineCouplingTransform(mask, _nflows_mlp)
            n = len(layer.moved)
            rows = list(range(n, 2 * n)) + list(range(n))
        else:  # ours is (3K - 1, n), theirs (n, 3K - 1)
            theirs = transforms.PiecewiseRationalQuadraticCouplingTransform(
                mask, _nflows_mlp, num_bins=8, tails="linear", tail_bound=4.0
            )
            n = len(layer.moved)
            rows = [j * n + i for i in range(n) for j in range(23)]
        net = theirs.to(dtype).transform_net
        _copy_linear([net._input_layer, *net._hidden_layers, net._output_layer], layer.net.weights, rows)
        layers.append(theirs)
    x = 1.5 * torch.randn(500, d, generator=torch.Generator().manual_seed(2), dtype=dtype)
    z, log_det = transforms.CompositeTransform(layers)(x)
    ours, our_log_det = stack.transform(x.t().contiguous())
    torch.testing.assert_close(ours.t(), z, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(our_log_det, log_det, rtol=tolerance, atol=2 * tolerance)


@pytest.mark.parametrize("d", [2, 5])
def test_masked_autoregressive_equals_nflows_with_the_same_weights(d):
    from nflows.transforms import MaskedAffineAutoregressiveTransform

    stack = autoregressive_stack(d, Affine("softplus"), 1, 16, permutation="none")
    stack.parameters.add_(0.3 * torch.randn(len(stack.parameters), generator=torch.Generator().manual_seed(1)))
    stack.parameters.mul_(stack._gradient_mask)
    theirs = MaskedAffineAutoregressiveTransform(d, 16, num_blocks=1, use_residual_blocks=False)
    made = theirs.autoregressive_net
    # Their hidden degrees run 1, 2, .., 1, 2, ..; ours are the same ones sorted. Their outputs alternate scale, shift.
    units = torch.argsort(made.initial_layer.degrees, stable=True)
    first, second, last = stack.layers[0].net.weights
    with torch.no_grad():
        made.initial_layer.weight[units], made.initial_layer.bias[units] = first[:, 1:], first[:, 0]
        middle = made.blocks[0].linear
        middle.weight[units[:, None], units], middle.bias[units] = second[:, 1:], second[:, 0]
        made.final_layer.weight[:, units] = last[:, 1:].view(2, d, 16).transpose(0, 1).reshape(2 * d, 16)
        made.final_layer.bias.copy_(last[:, 0].view(2, d).t().reshape(-1))
    x = torch.randn(500, d, generator=torch.Generator().manual_seed(2))
    z, log_det = theirs(x)
    ours, our_log_det = stack.transform(x.t().contiguous())
    torch.testing.assert_close(ours.t(), z, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(our_log_det, log_det, rtol=1e-5, atol=1e-5)
    back, _ = stack.inverse(ours)
    torch.testing.assert_close(back, x.t(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype, tolerance", [(F64, 1e-8), (torch.float32, 1e-3)])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_numba_kernels_equal_tensor_operations(d, dtype, tolerance):
    with_numba = coupling_stack(d, Spline(6, 3.0, use_numba=True), 3, 16, dtype=dtype)
    without = coupling_stack(d, Spline(6, 3.0, use_numba=False), 3, 16, dtype=dtype)
    with_numba.parameters.add_(0.1 * torch.randn(len(without.parameters), generator=torch.Generator().manual_seed(1)))
    without.parameters.copy_(with_numba.parameters)
    x = 2 * torch.randn(d, 300, generator=torch.Generator().manual_seed(2), dtype=dtype)
    x[:, 0], x[:, 1], x[:, 2] = 3.0, -3.0, 50.0
    assert with_numba.loss_and_gradient(x) == pytest.approx(without.loss_and_gradient(x), rel=tolerance)
    assert (with_numba.gradient - without.gradient).norm() / without.gradient.norm() < tolerance
    for a, b in zip(with_numba.transform(x) + with_numba.inverse(x), without.transform(x) + without.inverse(x)):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_a_fresh_flow_is_close_to_the_identity():
    x = torch.randn(4, 200, generator=torch.Generator().manual_seed(0))
    for stack in (
        coupling_stack(4, Affine()),
        coupling_stack(4, Spline(), n_layers=4),
        autoregressive_stack(4, Affine()),
    ):
        assert (stack.transform(x)[0] - x).abs().max() < 0.5


def test_nan_in_a_batch_reaches_the_loss():
    x = torch.randn(2, 64)
    x[0, 3] = math.nan
    for transformer in (Affine(), Spline(use_numba=True), Spline(use_numba=False)):
        assert math.isnan(coupling_stack(2, transformer, 2, 8).loss_and_gradient(x))


@pytest.mark.parametrize("n", [1, 63, 64, 65, CHUNK, CHUNK + 1, 3 * CHUNK + 7])
def test_evaluation_in_chunks_covers_every_row_once(n):
    stack = coupling_stack(3, Affine(), 2, 8)
    x = torch.randn(3, n, generator=torch.Generator().manual_seed(0))
    whole = stack.log_density(x)
    some = torch.tensor([0, n // 2, n - 1])
    torch.testing.assert_close(whole[some], stack.log_density(x[:, some]), rtol=1e-6, atol=1e-6)
    path = stack.path(x)
    torch.testing.assert_close(path.positions[-1], stack.transform(x)[0])
    torch.testing.assert_close(path.log_dets.sum(0), stack.transform(x)[1])
    assert stack.log_density(x[:, :0]).shape == (0,)


def test_path_shows_what_affine_layers_apply():
    stack, x = _random_stack("affine tanh", 4, 0)
    path = stack.path(x)
    for before, after, s, t in zip(path.positions, path.positions[1:], path.log_scale, path.shift):
        torch.testing.assert_close(after, before * s.exp() + t)


def test_masks_move_every_feature():
    for kind in ("alternate", "half", "random", "0110"):
        masks = np.array(alternating_masks(4, 6, kind, 0))
        assert (masks[::2] ^ masks[1::2]).all()
    assert alternating_masks(4, 1, "0110", 0) == [[False, True, True, False]]
    for wrong in ("0000", "011", "odd", "01a1"):
        with pytest.raises(ValueError, match="mask must be"):
            alternating_masks(4, 2, wrong, 0)


@pytest.mark.parametrize("d, hidden", [(5, 16), (40, 16), (200, 32)])
def test_masks_let_nearly_every_feature_speak_and_only_forwards(d, hidden):
    layer = autoregressive_stack(d, Affine(), 1, hidden, permutation="none").layers[0]
    first, *middle, last = (mask[:, 1:] for mask in layer.mask)
    reach = first
    for mask in middle:
        reach = mask @ reach
    reach = (last @ reach)[:d]
    assert (reach.triu() == 0).all()
    assert (reach.sum(0) > 0).sum() >= d - 1 - math.ceil(d / hidden)


def test_wrong_choices_are_named():
    with pytest.raises(ValueError, match="scale_map"):
        Affine("relu")
    with pytest.raises(ValueError, match="convention"):
        Affine("tanh", "shift")
    with pytest.raises(ValueError, match="n_bins"):
        Spline(1)
    with pytest.raises(ValueError, match="tail_bound"):
        Spline(8, 0)
    with pytest.raises(ValueError, match="permutation"):
        autoregressive_stack(3, Affine(), permutation="shuffle")


def test_sigmoid_and_contract_cannot_expand():
    r = torch.linspace(-30, 30, 1001)
    s = torch.empty_like(r)
    SCALE_MAPS["sigmoid"]().log_scale(r, s)
    assert s.max() <= math.log(1.001) + 1e-6
    SCALE_MAPS["contract"]().log_scale(r, s)
    assert s.max() <= 1e-6 and s.min() > -7
