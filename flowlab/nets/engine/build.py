"""Stacks by name: the architectures that the estimators of `models.flows` offer."""

from __future__ import annotations

import torch

from flowlab.nets.engine.affine import Additive, Affine
from flowlab.nets.engine.coupling import Coupling, alternating_masks
from flowlab.nets.engine.spline import Spline
from flowlab.nets.engine.stack import Stack


def coupling_stack(
    n_features: int,
    transformer: Affine | Additive | Spline,
    n_layers: int = 8,
    hidden_features: int = 32,
    n_hidden: int = 2,
    mask: str = "alternate",
    n_context: int = 0,
    seed: int = 0,
    dtype=torch.float32,
) -> Stack:
    """Coupling layers with one kind of transformer (RealNVP, NICE, neural spline flow)."""
    layers = [
        Coupling(moved, transformer, hidden_features, n_hidden, n_context)
        for moved in alternating_masks(n_features, n_layers, mask, seed)
    ]
    return Stack(n_features, layers, n_context, seed, dtype)
