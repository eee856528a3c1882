"""The flow on half moons that several exhibits look into, trained once in a process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import theme
from flowlab.toys.curves import Moons

MOONS = Moons(noise=0.05)
N_ROWS = 3000
N_LAYERS = 8
LOWEST = -12.0
"""Log-densities of the moons below this are drawn as this, so that colours tell the moons apart."""


@dataclass(frozen=True, eq=False)
class History:
    """A flow at steps of its training.

    Attributes
    ----------
    flow : as it is at the end
    steps : (n,) from 0, before the first
    states : of the flow at each of them
    X : its training rows
    X_new : rows it never saw
    train_loss, val_loss : (n,) in nats in the units of the data; on `X_new` the second
    """

    flow: AffineCouplingFlow
    steps: np.ndarray
    states: Sequence[Mapping[str, np.ndarray]]
    X: np.ndarray
    X_new: np.ndarray
    train_loss: np.ndarray
    val_loss: np.ndarray

    def at(self, i: int) -> AffineCouplingFlow:
        """The flow at `steps[i]`."""
        flow = type(self.flow)(**self.flow.get_params())
        flow.set_state(self.states[i])
        return flow

    @property
    def unit_shift(self) -> float:
        """Nats from the loss of standardised columns to that in data units: the sum of log standard deviations."""
        return float(np.log(self.X.std(axis=0)).sum())


@lru_cache(maxsize=6)
def trained(
    n_steps: int = 800, n_rows: int = N_ROWS, n_layers: int = N_LAYERS, hidden_features: int = 24, batch_size: int = 256
) -> History:
    """An affine flow trained on half moons without regularisation, with its state every 50 steps."""
    X, X_new = MOONS.sample(n_rows, 0), MOONS.sample(2000, 1)
    flow = AffineCouplingFlow(
        n_layers, hidden_features, n_steps=n_steps, batch_size=batch_size, regularize="none", random_state=0
    )
    training = flow.fit_iter(X)
    states = [flow.get_state()]
    steps, losses = [0], [(-flow.score_samples(X).mean(), -flow.score_samples(X_new).mean())]
    for event in training:
        states.append(flow.get_state())
        steps.append(event.step)
        losses.append((-flow.score_samples(X).mean(), -flow.score_samples(X_new).mean()))
    train_loss, val_loss = np.array(losses).T
    return History(flow, np.array(steps), states, X, X_new, train_loss, val_loss)


def plane(n: int = 90) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The window of the moons: n values across, n values up, and the (n * n, 2) points of their grid, row by row."""
    x0, x1, y0, y1 = MOONS.window()
    x, y = np.linspace(x0, x1, n), np.linspace(y0, y1, n)
    return x, y, np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def draw_rows_and_draws(rows: np.ndarray, draws: np.ndarray, name: str, dark: bool, height: int) -> go.Figure:
    """Rows (n, 2) and draws (m, 2) over each other; `name` is what the draws are called."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    for points, label, color, symbol in ((rows, "rows", c.data, "circle-open"), (draws, name, c.model, "circle")):
        fig.add_scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", name=label,
            marker={"color": color, "symbol": symbol, "size": 5, "opacity": 0.6},
            hovertemplate="(%{x:.2f}, %{y:.2f})",
        )  # fmt: skip
    return fig
