"""Stacks by name: the architectures that the estimators of `models.flows` offer.

Over no features (a table of constants) each of them is the empty stack.
"""

from __future__ import annotations

import numpy as np
import torch

from flowlab.nets.engine.affine import Additive, Affine
from flowlab.nets.engine.autoregressive import MaskedAutoregressive, layer_orders
from flowlab.nets.engine.coupling import Coupling, alternating_masks
from flowlab.nets.engine.elementary import ActivationNorm, LinearLU, Planar, Radial
from flowlab.nets.engine.spline import Spline
from flowlab.nets.engine.stack import Stack

NO_LOG_DET, NO_MASK = "no log-determinant", "no mask"
"""Faults on purpose: loss and score without the log-determinant; networks that also read the features they change."""


def coupling_stack(
    n_features: int,
    transformer: Affine | Additive | Spline,
    n_layers: int = 8,
    hidden_features: int = 32,
    n_hidden: int = 2,
    mask: str = "alternate",
    activation_norm: bool = False,
    n_context: int = 0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    fault: str = "none",
) -> Stack:
    """Coupling layers with one kind of transformer (RealNVP, NICE, neural spline flow)."""
    layers = [
        Coupling(moved, transformer, hidden_features, n_hidden, n_context, masked=fault != NO_MASK)
        for moved in alternating_masks(n_features, n_layers, mask, seed)
    ]
    layers = _with_norms(layers, n_features, activation_norm)
    return Stack(n_features, layers, n_context, seed, dtype, log_det_weight=float(fault != NO_LOG_DET))


def autoregressive_stack(
    n_features: int,
    transformer: Affine | Additive | Spline,
    n_layers: int = 5,
    hidden_features: int = 64,
    n_hidden: int = 2,
    permutation: str = "reverse",
    inverted: bool = False,
    activation_norm: bool = False,
    n_context: int = 0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    fault: str = "none",
) -> Stack:
    """Masked autoregressive layers: MAF, or with `inverted` IAF; with `permutation` "lu" a linear map between them."""
    layers: list = [
        MaskedAutoregressive(order, transformer, hidden_features, n_hidden, n_context, inverted, fault != NO_MASK)
        for order in layer_orders(n_features, n_layers, permutation, seed)
    ]
    layers = _with_norms(layers, n_features, activation_norm)
    if permutation == "lu":
        layers = [part for i, layer in enumerate(layers) for part in ([LinearLU(n_features)] * bool(i) + [layer])]
    return Stack(n_features, layers, n_context, seed, dtype, log_det_weight=float(fault != NO_LOG_DET))


def elementary_stack(
    n_features: int, kind: str, n_layers: int = 16, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Stack:
    """Planar or radial layers."""
    layer = {"planar": Planar, "radial": Radial}[kind]
    return Stack(n_features, [layer(n_features) for _ in range(n_layers if n_features else 0)], 0, seed, dtype)


def affine_or_additive(scale_map: str, convention: str) -> Affine | Additive:
    """The transformer of a scale map's name; "additive" for none."""
    return Additive() if scale_map == "additive" else Affine(scale_map, convention)


def real(exact: bool) -> torch.dtype:
    """float64 for exact round trips, float32 for training."""
    return torch.float64 if exact else torch.float32


def feature_major(rows: np.ndarray, exact: bool = False) -> torch.Tensor:
    """Rows (n, d) as the batch (d, n) that a stack takes, float32 or, if `exact`, float64."""
    return torch.from_numpy(np.ascontiguousarray(rows.T, dtype=np.float64 if exact else np.float32))


def _with_norms(layers: list, n_features: int, activation_norm: bool) -> list:
    if not activation_norm:
        return layers
    return [part for layer in layers for part in (ActivationNorm(n_features), layer)]
