"""The stock flows of nflows 0.14, unchanged, and two presets of the course; no other module imports nflows.

A flow is a list of layers from data to noise; a layer is one nflows transform with the permutation in front of it.
Its known faults are kept for demonstration, and caught where they would raise:

- affine coupling: the scale is sigmoid(s + 2) + 0.001, at most 1.001, so the flow can only contract (issue 49);
- rational-quadratic splines: the inverse asserts that a discriminant is not negative, and fails on rounding (issue 87);
- rows that are not finite pass silently.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from nflows import transforms
from nflows.nn.nets import ResidualNet
from nflows.transforms.base import InputOutsideDomain
from torch import Tensor, nn

from flowlab.nets.module import FlatModule, load

LOG_2PI = math.log(2 * math.pi)
EVAL_ROWS = 4096


class Flow(nn.Module):
    """Layers from data to noise over a standard normal base."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Latent points (n, n_features) and log-determinants (n,), in nats, of rows (n, n_features)."""
        log_det = rows.new_zeros(len(rows))
        for layer in self.layers:
            rows, contribution = layer(rows)
            log_det = log_det + contribution
        return rows, log_det

    def loaded(self, parameters: np.ndarray) -> Flow:
        """This flow with the flat `parameters`, in float64, so that a row scores the same in any batch."""
        return load(self.double().eval(), parameters)

    def path(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Positions (n_layers + 1, n, n_features) and log-determinants (n_layers, n) layer by layer."""
        positions, log_dets = [rows], []
        for layer in self.layers:
            rows, contribution = layer(rows)
            positions.append(rows)
            log_dets.append(contribution)
        return torch.stack(positions), torch.stack(log_dets)

    def inverse(self, latent: Tensor) -> Tensor:
        """Rows (n, n_features) of latent points; a point that nflows cannot invert comes back as nan."""
        return torch.cat([self._inverse(part) for part in latent.split(EVAL_ROWS)])

    def _inverse(self, latent: Tensor) -> Tensor:
        try:
            rows = latent
            for layer in reversed(self.layers):
                rows = layer.inverse(rows)[0]  # type: ignore[operator]  # torch takes a method of a submodule for a tensor
        except (AssertionError, InputOutsideDomain):
            if len(latent) == 1:
                return torch.full_like(latent, math.nan)
            # One bad point fails its whole batch: halve until the good ones are through.
            half = len(latent) // 2
            return torch.cat([self._inverse(latent[:half]), self._inverse(latent[half:])])
        return torch.where(rows.isfinite().all(dim=1, keepdim=True), rows, math.nan)


def evaluate(flow: Flow, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Latent points (n, n_features) and log-determinants (n,) of rows (n, n_features)."""
    return _in_parts(flow, rows, axis=0)


def evaluate_path(flow: Flow, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n_layers + 1, n, n_features) and log-determinants (n_layers, n) of rows (n, n_features)."""
    return _in_parts(flow.path, rows, axis=1)


def jacobian(flow: Flow, row: np.ndarray, layer: int | None = None) -> np.ndarray:
    """Jacobian (n_features, n_features) by autograd of the flow, or of `layer` (0 the first), at a row (n_features,).

    Element (i, j) is the derivative of feature i after by feature j before. One pass: copy i of the row receives
    the gradient of feature i.
    """
    before = torch.tensor(np.tile(row, (len(row), 1)), dtype=torch.float64)
    if layer is not None:
        with torch.no_grad():
            for earlier in flow.layers[:layer]:
                before = earlier(before)[0]
    before.requires_grad_()
    after = (flow if layer is None else flow.layers[layer])(before)[0]
    return torch.autograd.grad(after.diagonal().sum(), before)[0].numpy()


def triangular_orders(flow: Flow, layer: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Orders of the rows and columns in which the Jacobian of `layer` (0 the first) is lower triangular.

    The third is how many features, the first in these orders, the layer keeps. An autoregressive layer permutes its
    columns first, so there rows and columns are in different orders.
    """
    step = flow.layers[layer]
    if isinstance(step, transforms.CompositeTransform):
        order = step._transforms[0]._permutation.numpy()
        return np.arange(len(order)), order, 0
    kept, moved = (np.asarray(features) for features in (step.identity_features, step.transform_features))
    order = np.concatenate([kept, moved])
    return order, order, len(kept)


def _in_parts(
    function: Callable[[Tensor], tuple[Tensor, Tensor]], rows: np.ndarray, axis: int
) -> tuple[np.ndarray, np.ndarray]:
    with torch.inference_mode():
        parts = [function(part) for part in torch.tensor(rows, dtype=torch.float64).split(EVAL_ROWS)]
    first, second = (np.concatenate([p.numpy() for p in part], axis=axis) for part in zip(*parts, strict=True))
    return first, second


def invert(flow: Flow, latent: np.ndarray) -> np.ndarray:
    """Rows (n, n_features) of latent points; one that nflows cannot invert comes back as nan."""
    with torch.inference_mode():
        return flow.inverse(torch.tensor(latent, dtype=torch.float64)).numpy().copy()


def trainable(flow: Flow, n_features: int) -> FlatModule:
    """The flow as a net of the training loop, its loss the mean negative log-density in nats."""
    return FlatModule(flow, n_features, negative_log_density)


def negative_log_density(flow: Flow, rows: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Negative log-density of each row, (n,), in nats: -log N(z; 0, 1) - log-determinant."""
    latent, log_det = flow(rows)
    loss = 0.5 * latent.square().sum(1) + 0.5 * latent.shape[1] * LOG_2PI - log_det
    if torch.is_grad_enabled() and not loss.requires_grad:
        # The loss of a batch wholly in the linear tails depends on no parameter; its gradient is zero, not an error.
        loss = loss + 0.0 * sum(parameter.sum() for parameter in flow.parameters())
    return loss


class TanhCoupling(transforms.AffineCouplingTransform):
    """The affine coupling of the course's lecture: y = (x - t) * exp(-tanh(s)), the scale bounded by e."""

    def _coupling_transform_forward(self, inputs: Tensor, transform_params: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = transform_params.chunk(2, dim=1)
        log_scale = torch.tanh(log_scale)
        return (inputs - shift) * torch.exp(-log_scale), -log_scale.sum(1)

    def _coupling_transform_inverse(self, inputs: Tensor, transform_params: Tensor) -> tuple[Tensor, Tensor]:
        shift, log_scale = transform_params.chunk(2, dim=1)
        log_scale = torch.tanh(log_scale)
        return inputs * torch.exp(log_scale) + shift, log_scale.sum(1)


class LinearMap(transforms.LULinear):
    """An invertible linear map by its LU decomposition; its inverse is nflows' own in terms that torch still has."""

    def inverse_no_cache(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (n, n_features) of their images, and the log-determinant of the inverse (n,)."""
        lower, upper = self._create_lower_upper()
        outputs = torch.linalg.solve_triangular(lower, (inputs - self.bias).t(), upper=False, unitriangular=True)
        outputs = torch.linalg.solve_triangular(upper, outputs, upper=True)
        return outputs.t(), -self.logabsdet() * inputs.new_ones(len(inputs))


class ShiftAndScaleNets(nn.Module):
    """Shift and log-scale with networks of their own, as in the lecture; Glorot weights, zero biases, as in Keras."""

    def __init__(self, n_in: int, n_out: int, hidden_features: int, n_hidden: int) -> None:
        super().__init__()
        sizes = [n_in, *[hidden_features] * n_hidden, n_out // 2]
        self.shift, self.log_scale = _relu_net(sizes), _relu_net(sizes)

    def forward(self, inputs: Tensor, context: Tensor | None = None) -> Tensor:
        """Shift, then log-scale, (batch, n_out), of inputs (batch, n_in); `context` is ignored."""
        return torch.cat([self.shift(inputs), self.log_scale(inputs)], dim=1)


def _relu_net(sizes: list[int]) -> nn.Sequential:
    steps: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        linear = nn.Linear(n_in, n_out)
        nn.init.xavier_uniform_(linear.weight)
        nn.init.zeros_(linear.bias)
        steps += [linear, nn.ReLU()]
    return nn.Sequential(*steps[:-1])


def build(
    kind: str,
    n_features: int,
    *,
    n_layers: int,
    hidden_features: int,
    n_blocks: int,
    n_bins: int = 8,
    tail_bound: float = 5.0,
    permutation: str = "reverse",
    seed: int = 0,
) -> Flow:
    """A new flow, its weights drawn from `seed` without touching torch's global generator.

    `kind` is "coupling", "tanh coupling", "spline coupling", "glow", "autoregressive" or "spline autoregressive".
    Couplings alternate which half of the columns they change; autoregressive layers come after a permutation of the
    columns, "reverse" or "random". `n_blocks` counts residual blocks, or hidden layers where `kind` is "tanh coupling".
    """
    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        torch.manual_seed(seed)
        layers = []
        for i in range(n_layers):
            if kind == "glow":
                layers.append(_glow_step(n_features, i, hidden_features, n_blocks))
                continue
            if kind.endswith("coupling"):
                mask = (torch.arange(n_features) + i) % 2
                layers.append(_coupling(kind, mask, hidden_features, n_blocks, n_bins, tail_bound))
                continue
            order = torch.arange(n_features).flip(0) if permutation == "reverse" else torch.randperm(n_features)
            sizes = {"features": n_features, "hidden_features": hidden_features, "num_blocks": n_blocks}
            if kind == "autoregressive":
                step = transforms.MaskedAffineAutoregressiveTransform(**sizes)
            else:
                step = transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
                    **sizes, num_bins=n_bins, tails="linear", tail_bound=tail_bound
                )
            layers.append(transforms.CompositeTransform([transforms.Permutation(order), step]))
        return Flow(layers)


def _glow_step(n_features: int, i: int, hidden_features: int, n_hidden: int) -> nn.Module:
    """Activation normalisation, an invertible linear map, a coupling (Kingma & Dhariwal 2018, arXiv:1807.03039).

    The linear map is the one of a 1 x 1 convolution where each row is one pixel. The normalisation starts as the
    identity, not from a first batch: columns are standardised already.
    """
    norm = transforms.ActNorm(n_features)
    norm.initialized.fill_(True)
    mask = (torch.arange(n_features) + i) % 2
    coupling = _coupling("tanh coupling", mask, hidden_features, n_hidden, 0, 0.0)
    return transforms.CompositeTransform([norm, LinearMap(n_features, identity_init=True), coupling])


def _coupling(
    kind: str, mask: Tensor, hidden_features: int, n_blocks: int, n_bins: int, tail_bound: float
) -> nn.Module:
    if kind == "tanh coupling":
        return TanhCoupling(mask, lambda n_in, n_out: ShiftAndScaleNets(n_in, n_out, hidden_features, n_blocks))

    def conditioner(n_in: int, n_out: int) -> nn.Module:
        return ResidualNet(n_in, n_out, hidden_features=hidden_features, num_blocks=n_blocks)

    if kind == "coupling":
        return transforms.AffineCouplingTransform(mask, conditioner)
    return transforms.PiecewiseRationalQuadraticCouplingTransform(
        mask, conditioner, num_bins=n_bins, tails="linear", tail_bound=tail_bound
    )
