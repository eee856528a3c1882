"""The architectures of the speed benchmark in nflows, zuko and normflows: the same layers, plain ReLU networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

N_BINS = 8


@dataclass(frozen=True)
class Shape:
    """What is built: kind "affine", "maf" or "spline"; every network has two hidden layers of `hidden`."""

    kind: str
    n_features: int
    n_layers: int
    hidden: int


SHAPES = {
    "lecture moons 10 x 2x32": Shape("affine", 2, 10, 32),
    "RealNVP 2-D 8 x 2x64": Shape("affine", 2, 8, 64),
    "MAF 2-D 5 x 2x64": Shape("maf", 2, 5, 64),
    "MAF 30-D 5 x 2x64": Shape("maf", 30, 5, 64),
    "spline 2-D 6 x 2x64": Shape("spline", 2, 6, 64),
    "RealNVP 64-D 8 x 2x128": Shape("affine", 64, 8, 128),
    "spline 64-D 4 x 2x128": Shape("spline", 64, 4, 128),
}


@dataclass(frozen=True)
class Peer:
    """A model of another library: its parameters, log-density of (n, d) rows, and sampler."""

    parameters: list[Tensor]
    log_density: Callable[[Tensor], Tensor]
    sample: Callable[[int], Tensor]


class _Mlp(nn.Sequential):
    def __init__(self, n_inputs: int, hidden: int, n_outputs: int):
        super().__init__(
            nn.Linear(n_inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, n_outputs)
        )

    def forward(self, x, context=None):
        return super().forward(x)


def nflows(shape: Shape, tail_bound: float = 4.0, log_scale=None) -> Peer:
    """nflows 0.14. Its coupling scale is sigmoid(r + 2) + 0.001; `log_scale` (a function of r) replaces it."""
    from nflows import transforms as T
    from nflows.distributions.normal import StandardNormal
    from nflows.flows.base import Flow

    class Coupling(T.AffineCouplingTransform):
        def _scale_and_shift(self, parameters):
            if log_scale is None:
                return super()._scale_and_shift(parameters)
            n = self.num_transform_features
            return torch.exp(log_scale(parameters[:, n:])), parameters[:, :n]

    d, layers = shape.n_features, []
    for layer in range(shape.n_layers):
        mask = (torch.arange(d) + layer) % 2
        if shape.kind == "affine":
            layers.append(Coupling(mask, lambda i, o: _Mlp(i, shape.hidden, o)))
        elif shape.kind == "spline":
            layers.append(
                T.PiecewiseRationalQuadraticCouplingTransform(
                    mask,
                    lambda i, o: _Mlp(i, shape.hidden, o),
                    num_bins=N_BINS,
                    tails="linear",
                    tail_bound=tail_bound,
                )
            )
        else:
            layers += [
                T.ReversePermutation(d),
                T.MaskedAffineAutoregressiveTransform(d, shape.hidden, num_blocks=1, use_residual_blocks=False),
            ]
    flow = Flow(T.CompositeTransform(layers), StandardNormal([d]))
    return Peer(list(flow.parameters()), flow.log_prob, flow.sample)


def zuko(shape: Shape) -> Peer:
    """zuko: NICE is its coupling flow (affine unless told otherwise), MAF its autoregressive one."""
    from zuko.flows import MAF, NICE
    from zuko.transforms import MonotonicRQSTransform

    kwargs = {"hidden_features": (shape.hidden, shape.hidden), "transforms": shape.n_layers}
    if shape.kind == "affine":
        flow = NICE(shape.n_features, **kwargs)
    elif shape.kind == "spline":
        bins = [(N_BINS,), (N_BINS,), (N_BINS - 1,)]
        flow = NICE(shape.n_features, univariate=MonotonicRQSTransform, shapes=bins, **kwargs)
    else:
        flow = MAF(shape.n_features, **kwargs)
    return Peer(list(flow.parameters()), lambda x: flow().log_prob(x), lambda n: flow().sample((n,)))


def normflows(shape: Shape) -> Peer:
    """normflows. Its MaskedAffineAutoregressive evaluates densities column by column: slow here, fast to sample."""
    import normflows as nf
    from normflows.flows.neural_spline.coupling import PiecewiseRationalQuadraticCoupling

    d, h, layers = shape.n_features, shape.hidden, []
    for layer in range(shape.n_layers):
        if shape.kind == "affine":
            layers += [
                nf.flows.AffineCouplingBlock(nf.nets.MLP([d // 2, h, h, d])),
                nf.flows.Permute(d, mode="swap"),
            ]
        elif shape.kind == "spline":
            spline = nf.flows.CoupledRationalQuadraticSpline(d, 1, h, num_bins=N_BINS)
            spline.prqct = PiecewiseRationalQuadraticCoupling(
                mask=(torch.arange(d) + layer) % 2,
                transform_net_create_fn=lambda i, o: _Mlp(i, h, o),
                num_bins=N_BINS,
                tails="linear",
                tail_bound=4.0,
                apply_unconditional_transform=False,
            )
            layers.append(spline)
        else:
            layers += [
                nf.flows.MaskedAffineAutoregressive(d, h, num_blocks=1, use_residual_blocks=False),
                nf.flows.Permute(d, mode="swap"),
            ]
    flow = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(d, trainable=False), layers)
    return Peer(list(flow.parameters()), flow.log_prob, lambda n: flow.sample(n)[0])


LIBRARIES = {"nflows": nflows, "zuko": zuko, "normflows": normflows}


class LectureRealNVP(nn.Module):
    """The course's Keras RealNVP in torch: separate networks for s and t on masked full-width inputs, L2 on kernels."""

    def __init__(self, n_layers: int = 10, hidden: int = 32, penalty: float = 0.01):
        super().__init__()
        self.penalty = penalty
        self.scales = nn.ModuleList(_Mlp(2, hidden, 2) for _ in range(n_layers))
        self.shifts = nn.ModuleList(_Mlp(2, hidden, 2) for _ in range(n_layers))
        self.masks = [torch.tensor([0.0, 1.0] if i % 2 == 0 else [1.0, 0.0]) for i in range(n_layers)]

    def log_density(self, x: Tensor) -> Tensor:
        log_det = 0.0
        for scale, shift, mask in zip(self.scales, self.shifts, self.masks):
            kept, moved = x * mask, 1 - mask
            s, t = torch.tanh(scale(kept)) * moved, shift(kept) * moved
            x = kept + moved * (x - t) * torch.exp(-s)
            log_det = log_det - s.sum(1)
        return log_det - 0.5 * (x * x).sum(1) - math.log(2 * math.pi)

    def loss(self, x: Tensor) -> Tensor:
        squares = sum((p * p).sum() for p in self.parameters() if p.ndim == 2)
        return -self.log_density(x).mean() + self.penalty * squares
