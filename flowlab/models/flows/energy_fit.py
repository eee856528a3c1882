"""Flows fitted to an energy instead of rows; see `flowlab.nets.reverse_kl`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def energy(name: str, points: np.ndarray) -> np.ndarray:
    """U at points (n, 2) in nats, (n,): one of table 1 of Rezende & Mohamed 2015, arXiv:1505.05770, within a wall."""
    from flowlab.nets import reverse_kl

    return reverse_kl.energy(name, points)


def fit_energy(name: str, kind: str, n_layers: int, n_steps: int) -> Iterator[tuple[int, float, np.ndarray]]:
    """Step, KL(q || exp(-U) / Z) - log Z in nats, and 2,000 draws (2000, 2) of a flow while it is fitted to exp(-U)."""
    from flowlab.nets import reverse_kl

    yield from reverse_kl.fit_energy(name, kind, n_layers, n_steps)
