"""What a step sees: batches of several sizes, and all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import ks_2samp

from flowlab.controls import Choice, Int
from flowlab.formatting import count, fixed
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, draw_rows_and_draws, trained


@dataclass(frozen=True, eq=False)
class BatchNoise:
    """The loss of single batches while the same flow goes on with batches of several sizes.

    Attributes
    ----------
    sizes : (k,) rows in a batch
    steps : (n,) of the training
    losses : (k, n) loss of each batch, nats
    row_spread : standard deviation of the loss of a single row, nats
    size : the one that is looked at
    """

    sizes: np.ndarray
    steps: np.ndarray
    losses: np.ndarray
    row_spread: float
    size: int

    @property
    def spreads(self) -> np.ndarray:
        """(k,) measured: standard deviation of a curve about its straight line, nats."""
        lines = [np.polyval(np.polyfit(self.steps, line, 1), self.steps) for line in self.losses]
        return (self.losses - lines).std(axis=1, ddof=2)

    @property
    def spread_of_16(self) -> float:
        """Measured with batches of 16 rows."""
        return float(self.spreads[0])

    @property
    def spread_of_64(self) -> float:
        """Measured with batches of 64 rows."""
        return float(self.spreads[1])

    @property
    def spread_of_256(self) -> float:
        """Measured with batches of 256 rows."""
        return float(self.spreads[2])

    @property
    def spread_of_all(self) -> float:
        """Measured with all rows in each batch."""
        return float(self.spreads[-1])

    @property
    def expected(self) -> float:
        """What chance gives at `size`: the spread of a row over the root of the size; 0 for all rows."""
        return 0.0 if self.size >= self.sizes[-1] else self.row_spread / float(np.sqrt(self.size))

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        measured = float(self.spreads[list(self.sizes).index(self.size)])
        if self.size >= self.sizes[-1]:
            return (
                f"With all {count(self.size)} rows in each step nothing is left to chance: the curve moves by "
                f"{fixed(measured)} nats about its line."
            )
        return (
            f"Batches of {self.size} rows: losses spread by {fixed(measured)} nats about their line; the spread of one "
            f"row, {fixed(self.row_spread)}, over the root of {self.size} is {fixed(self.expected)}."
        )


N_NOISE_STEPS = 60


@lru_cache(maxsize=1)
def _batch_curves() -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Sizes, steps, losses (k, n) and the spread of a row; each size goes on from the same weights."""
    history = trained()
    start = history.flow.get_checkpoint()
    sizes = np.array([16, 64, 256, len(history.X)])
    losses = np.empty((len(sizes), N_NOISE_STEPS))
    for k, size in enumerate(sizes):
        flow = AffineCouplingFlow(
            **history.flow.get_params()
            | {"batch_size": int(size), "n_steps": int(history.steps[-1]) + N_NOISE_STEPS + 1, "learning_rate": 1e-3}
        )
        state = start
        for i in range(N_NOISE_STEPS):
            for event in flow.fit_iter(history.X, checkpoint=state, n_steps=1):
                losses[k, i] = event.train_loss
            state = flow.get_checkpoint()
    steps = history.steps[-1] + 1 + np.arange(N_NOISE_STEPS)
    return sizes, steps, losses, float(history.flow.score_samples(history.X).std())


def batch_noise(size: str = "64") -> BatchNoise:
    """The moons' flow goes on for 60 steps with batches of 16, 64, 256 and all rows; `size` is drawn strongly."""
    sizes, steps, losses, row_spread = _batch_curves()
    return BatchNoise(sizes, steps, losses, row_spread, int(sizes[-1]) if size == "all" else int(size))


def draw_batch_noise(result: BatchNoise, dark: bool = False, height: int = 420) -> go.Figure:
    """The curves, and the band that chance gives the chosen one."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", "loss of the batch (nats)")
    at = list(result.sizes).index(result.size)
    line = np.polyval(np.polyfit(result.steps, result.losses[at], 1), result.steps)
    band = 2 * result.expected
    fig.add_scatter(
        x=np.concatenate([result.steps, result.steps[::-1]]), y=np.concatenate([line + band, (line - band)[::-1]]),
        fill="toself", fillcolor=theme.translucent(c.model, 0.15), line={"width": 0}, hoverinfo="skip",
    )  # fmt: skip
    for k, losses in enumerate(result.losses):
        chosen = k == at
        fig.add_scatter(
            x=result.steps, y=losses, mode="lines",
            line={"color": c.model if chosen else c.data, "width": 3 if chosen else 1}, opacity=1 if chosen else 0.5,
            hovertemplate=f"{result.sizes[k]} rows<br>step %{{x}}: %{{y:.3f}} nats<extra></extra>",
        )  # fmt: skip
    name = "all rows" if result.expected == 0 else f"{result.size} rows, band of two standard deviations"
    theme.write_at(fig, result.steps[-1], float((line + band).max()), name, c.model)
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class FullBatch:
    """Rows and draws after full-batch steps.

    Attributes
    ----------
    rows, draws : (n, 2), (m, 2)
    n_steps : of Adam, each on all rows
    p_values : (2,) of the Kolmogorov-Smirnov test between rows and draws, a column each
    """

    rows: np.ndarray
    draws: np.ndarray
    n_steps: int
    p_values: np.ndarray

    @property
    def lowest_p(self) -> float:
        """The smaller p-value of the two columns."""
        return float(self.p_values.min())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        verdict = "cannot tell" if self.lowest_p > 0.01 else "tells"
        return (
            f"After {count(self.n_steps)} full-batch steps a Kolmogorov-Smirnov test {verdict} draws from rows: p is "
            f"{fixed(self.p_values[0])} in x1 and {fixed(self.p_values[1])} in x2."
        )


FULL_ROWS = 400


@lru_cache(maxsize=8)
def full_batch(n_steps: int = 1000) -> FullBatch:
    """A small flow on 400 rows of the moons, all of them in each of `n_steps` steps; as many draws."""
    rows = MOONS.sample(FULL_ROWS, 2)
    flow = AffineCouplingFlow(6, 16, n_steps=max(n_steps, 1), batch_size=FULL_ROWS, regularize="none", random_state=0)
    training = flow.fit_iter(rows)
    if n_steps:
        for _ in training:
            pass
    draws = flow.sample(FULL_ROWS, random_state=0)
    return FullBatch(rows, draws, n_steps, np.array([ks_2samp(rows[:, j], draws[:, j]).pvalue for j in range(2)]))


def draw_full_batch(result: FullBatch, dark: bool = False, height: int = 420) -> go.Figure:
    """Rows and draws over each other."""
    return draw_rows_and_draws(result.rows, result.draws, "draws", dark, height)


EXHIBITS = (
    Exhibit(
        "batch_noise",
        (
            Choice(
                "size", "Batch size", {"16": "16 rows", "64": "64 rows", "256": "256 rows", "all": "all rows"},
                help="Rows in each step",
            ),
        ),
        batch_noise,
        draw_batch_noise,
        rows=(31, 104),
        is_slow=True,
    ),
    Exhibit(
        "full_batch",
        (Int("n_steps", "Full-batch steps", 0, 1000, 100, help="Steps of Adam, each on all rows"),),
        full_batch,
        draw_full_batch,
        rows=(96,),
        is_slow=True,
    ),
)  # fmt: skip
