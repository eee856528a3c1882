"""How a flow learns half moons: the parts of its loss, before and after, arrows, batches, stopping, a class, a sum."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy.stats import ks_2samp

from flowlab.controls import Choice, Flag, Float, Int
from flowlab.formatting import count, fixed, percent
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, plane, trained
from flowlab.toys.base import LOG_2PI
from flowlab.toys.class_conditional import GivenClass

LOWEST = -12.0
"""Log-densities below this are drawn as this, so that colours tell the moons apart."""


@dataclass(frozen=True, eq=False)
class LikelihoodParts:
    """The loss at steps of a training, mean per row in nats, for standardised columns.

    Attributes
    ----------
    steps : (n,) from 0
    square, log_det : (n,) half the squared length of the latent points; log-determinant of the layers
    constant : d / 2 log(2 pi)
    loss : (n,) minus the model's own log-density, measured apart from the parts
    entropy : of the exact density, which the loss cannot pass
    at : number of the step that is looked at
    """

    steps: np.ndarray
    square: np.ndarray
    log_det: np.ndarray
    constant: float
    loss: np.ndarray
    entropy: float
    at: int

    @property
    def first_loss(self) -> float:
        """Before the first step."""
        return float(self.loss[0])

    @property
    def last_loss(self) -> float:
        """At the end."""
        return float(self.loss[-1])

    @property
    def last_square(self) -> float:
        """Half the squared length at the end."""
        return float(self.square[-1])

    @property
    def last_log_det(self) -> float:
        """Log-determinant at the end."""
        return float(self.log_det[-1])

    @property
    def error(self) -> float:
        """Largest difference between the loss and the sum of its parts, over all steps."""
        return float(np.abs(self.square + self.constant - self.log_det - self.loss).max())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        i = self.at
        return (
            f"After {count(int(self.steps[i]))} steps: {fixed(self.square[i])} for the lengths + "
            f"{fixed(self.constant)} - {fixed(self.log_det[i])} for the volume = {fixed(self.loss[i])} nats; the floor "
            f"is {fixed(self.entropy)}."
        )


def loss_parts(step: int = 800) -> LikelihoodParts:
    """The loss of the moons' flow, divided; at the recorded step nearest to `step`."""
    history = trained()
    square, log_det = np.empty((2, len(history.steps)))
    for i in range(len(history.steps)):
        flow = history.at(i)
        square[i] = 0.5 * (flow.transform(history.X) ** 2).sum(1).mean()
        log_det[i] = flow.log_det_path(history.X).sum(0).mean()
    shift = history.unit_shift
    at = int(np.abs(history.steps - step).argmin())
    loss = history.train_loss - shift
    return LikelihoodParts(history.steps, square, log_det, LOG_2PI, loss, MOONS.entropy() - shift, at)


def draw_loss_parts(result: LikelihoodParts, dark: bool = False, height: int = 420) -> go.Figure:
    """Loss and parts over the steps, the floor, and the step that is looked at."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", "mean per row (nats)")
    lines = {
        "loss": (result.loss, c.model, "solid"),
        "½‖z‖²": (result.square, c.second, "dash"),
        "log-determinant": (result.log_det, c.third, "dot"),
        "constant": (np.full(len(result.steps), result.constant), c.data, "dashdot"),
    }
    for name, (values, color, dash) in lines.items():
        fig.add_scatter(
            x=result.steps, y=values, mode="lines", line={"color": color, "dash": dash, "width": 3}, name=name,
            hovertemplate="step %{x}<br>%{y:.3f} nats",
        )  # fmt: skip
        theme.write_at(fig, result.steps[-1], float(values[-1]), name, color)
    fig.add_hline(y=result.entropy, line={"color": c.truth, "dash": "dash"})
    theme.write_at(fig, 0, result.entropy, "entropy of the moons", c.truth, xanchor="left", yanchor="top")
    fig.add_vline(x=result.steps[result.at], line={"color": c.threshold, "width": 1})
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class BeforeAfter:
    """The density before the first step and after another one, in one picture with a border.

    Attributes
    ----------
    x, y : (n,) the window
    before, after : (n, n) log-density in nats
    border : share of the width, from the left, that shows `before`
    steps, loss : (m,) of the whole training, from step 0, on rows it never saw
    step : of `after`
    """

    x: np.ndarray
    y: np.ndarray
    before: np.ndarray
    after: np.ndarray
    border: float
    steps: np.ndarray
    loss: np.ndarray
    step: int

    @property
    def loss_before(self) -> float:
        """Nats on new rows before the first step."""
        return float(self.loss[0])

    @property
    def loss_after(self) -> float:
        """Nats on new rows after `step`."""
        return float(self.loss[self.steps == self.step][0])

    @property
    def shown(self) -> np.ndarray:
        """(n, n), what stands left and right of the border."""
        return np.where(np.arange(len(self.x)) < round(self.border * len(self.x)), self.before, self.after)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Left of the line the density before the first step, {fixed(self.loss_before)} nats a row on new rows; "
            f"right of it after {count(self.step)} steps, {fixed(self.loss_after)} nats."
        )


def before_after(border: int = 50, step: int = 800) -> BeforeAfter:
    """The moons' flow at step 0 and at the recorded step nearest to `step`; `border` in percent."""
    history = trained()
    x, y, points = plane()
    at = int(np.abs(history.steps - step).argmin())
    before, after = (history.at(i).score_samples(points).reshape(len(y), len(x)) for i in (0, at))
    return BeforeAfter(x, y, before, after, border / 100, history.steps, history.val_loss, int(history.steps[at]))


def draw_before_after(result: BeforeAfter, dark: bool = False, height: int = 420) -> go.Figure:
    """One heat map of both, and the border."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_heatmap(
        x=result.x, y=result.y, z=result.shown.clip(LOWEST), zmin=LOWEST, zmax=1.0,
        colorscale=theme.colorscale(c.sequential), colorbar={"title": {"text": "log p(x)<br>(nats)"}},
        hovertemplate="x1 %{x:.2f}<br>x2 %{y:.2f}<br>log p %{z:.2f}<extra></extra>",
    )  # fmt: skip
    edge = result.x[0] + result.border * (result.x[-1] - result.x[0])
    fig.add_vline(x=edge, line={"color": c.threshold, "width": 3})
    theme.write_at(fig, edge, result.y[-1], "step 0 ", c.text, yanchor="top")
    theme.write_at(fig, edge, result.y[-1], f" step {count(result.step)}", c.text, yanchor="top", xanchor="left")
    return fig


@dataclass(frozen=True, eq=False)
class Arrows:
    """Where the points of a grid in latent space go in data space.

    Attributes
    ----------
    latent, data : (k, 2) tails and heads, the latent points in the units of z, the data in standard deviations
    round_trip : largest distance between a latent point and the latent point of its image
    rows : (n, 2) some rows, in standard deviations
    """

    latent: np.ndarray
    data: np.ndarray
    round_trip: float
    rows: np.ndarray

    @property
    def n_arrows(self) -> int:
        """How many."""
        return len(self.latent)

    @property
    def mean_length(self) -> float:
        """How far a point goes."""
        return float(np.linalg.norm(self.data - self.latent, axis=1).mean())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"{self.n_arrows} points of latent space go {fixed(self.mean_length)} on average to reach the moons. "
            f"Sent back by the flow, each returns to its place within {self.round_trip:.0e}."
        )


def arrows(reach: float = 2.0, step: int = 800) -> Arrows:
    """A 7 x 7 grid from -reach to reach through the inverse of the moons' flow at the recorded step nearest `step`."""
    history = trained()
    flow = history.at(int(np.abs(history.steps - step).argmin()))
    ticks = np.linspace(-reach, reach, 7)
    latent = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    data = flow.inverse_transform(latent)
    back = flow.transform(data)
    center, scale = history.X.mean(axis=0), history.X.std(axis=0)
    error = float(np.linalg.norm(back - latent, axis=1).max())
    return Arrows(latent, (data - center) / scale, error, (history.X[:800] - center) / scale)


def draw_arrows(result: Arrows, dark: bool = False, height: int = 420) -> go.Figure:
    """An arrow for each grid point, one trace each, over the rows."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "z1 (tail), x1 in standard deviations (head)", "z2, x2", square=True)
    for tail, head in zip(result.latent, result.data, strict=True):
        fig.add_scatter(
            x=[tail[0], head[0]], y=[tail[1], head[1]], mode="lines+markers",
            marker={"symbol": ["circle-open", "arrow"], "size": [6, 10], "angleref": "previous", "color": c.model},
            line={"color": theme.translucent(c.model, 0.6), "width": 1.5},
            hovertemplate="(%{x:.2f}, %{y:.2f})<extra></extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=result.rows[:, 0], y=result.rows[:, 1], mode="markers", hoverinfo="skip",
        marker={"color": c.data, "size": 3, "opacity": 0.35},
    )  # fmt: skip
    return fig.update_layout(showlegend=False)


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
    return _rows_and_draws(result.rows, result.draws, "draws", dark, height)


def _rows_and_draws(rows: np.ndarray, draws: np.ndarray, name: str, dark: bool, height: int) -> go.Figure:
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    for points, label, color, symbol in ((rows, "rows", c.data, "circle-open"), (draws, name, c.model, "circle")):
        fig.add_scatter(
            x=points[:, 0], y=points[:, 1], mode="markers", name=label,
            marker={"color": color, "symbol": symbol, "size": 5, "opacity": 0.6},
            hovertemplate="(%{x:.2f}, %{y:.2f})",
        )  # fmt: skip
    return fig


@dataclass(frozen=True, eq=False)
class Stopping:
    """Early stopping replayed on the loss of a flow that learns 300 rows by heart.

    Attributes
    ----------
    steps, train_loss, val_loss : (n,) at each evaluation, nats
    entropy : of the exact density
    stop : number of the evaluation after which training ends
    kept : number of the evaluation whose weights are kept
    best : number of the evaluation with the lowest validation loss up to `stop`
    """

    steps: np.ndarray
    train_loss: np.ndarray
    val_loss: np.ndarray
    entropy: float
    stop: int
    kept: int
    best: int

    @property
    def stop_step(self) -> float:
        """Where training ends."""
        return float(self.steps[self.stop])

    @property
    def best_step(self) -> float:
        """Where the validation loss is lowest up to there."""
        return float(self.steps[self.best])

    @property
    def kept_loss(self) -> float:
        """Validation loss of the weights that are kept."""
        return float(self.val_loss[self.kept])

    @property
    def best_loss(self) -> float:
        """The lowest validation loss of the whole curve."""
        return float(self.val_loss.min())

    @property
    def last_val_loss(self) -> float:
        """Validation loss at the end of the whole curve."""
        return float(self.val_loss[-1])

    @property
    def last_train_loss(self) -> float:
        """Training loss at the end of the whole curve."""
        return float(self.train_loss[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        ends = "Training runs to its end" if self.stop == len(self.steps) - 1 else "Training stops"
        which = "best" if self.kept == self.best else "last"
        return (
            f"{ends} at step {count(int(self.stop_step))}; the {which} weights, of step "
            f"{count(int(self.steps[self.kept]))}, are kept: {fixed(self.kept_loss)} nats on new rows, where the best "
            f"of the whole curve is {fixed(self.best_loss)}."
        )


FEW_ROWS = 300


def stop_of(val_loss: np.ndarray, patience: int, min_delta: float) -> int:
    """Number of the evaluation after which `patience` evaluations brought no loss `min_delta` below the best so far.

    The last one where patience is 0 or never runs out. As `nets.training` counts.

    >>> stop_of(np.array([3.0, 2.0, 2.5, 2.4, 1.0]), 2, 0.0)
    3
    """
    best, waited = np.inf, 0
    for i, loss in enumerate(val_loss):
        waited = 0 if loss < best - min_delta else waited + 1
        best = min(best, loss)
        if patience and waited >= patience:
            return i
    return len(val_loss) - 1


def stopping(patience: int = 5, min_delta: float = 0.0, restore: bool = True) -> Stopping:
    """Early stopping on the curve of a flow of 300 rows: its patience in evaluations, one every 50 steps."""
    history = trained(n_steps=1000, n_rows=FEW_ROWS)
    stop = stop_of(history.val_loss[1:], patience, min_delta) + 1  # step 0 is no evaluation
    best = int(history.val_loss[: stop + 1].argmin())
    kept = best if restore else stop
    return Stopping(history.steps, history.train_loss, history.val_loss, MOONS.entropy(), stop, kept, best)


def draw_stopping(result: Stopping, dark: bool = False, height: int = 420) -> go.Figure:
    """Both curves, the floor, the best step and the end."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", "negative log-likelihood (nats)")
    for values, name, color, dash in (
        (result.train_loss, "training rows", c.data, "dash"),
        (result.val_loss, "new rows", c.model, "solid"),
    ):
        fig.add_scatter(
            x=result.steps, y=values, mode="lines", line={"color": color, "dash": dash, "width": 3},
            hovertemplate=f"{name}<br>step %{{x}}: %{{y:.3f}} nats<extra></extra>",
        )  # fmt: skip
        theme.write_at(fig, result.steps[-1], float(values[-1]), name, color)
    fig.add_hline(y=result.entropy, line={"color": c.truth, "dash": "dash"})
    theme.write_at(fig, 0, result.entropy, "entropy", c.truth, xanchor="left")
    fig.add_vline(x=result.stop_step, line={"color": c.threshold})
    fig.add_scatter(
        x=[result.steps[result.kept]], y=[result.kept_loss], mode="markers",
        marker={"symbol": "star", "size": 16, "color": c.third, "line": {"color": c.text, "width": 1}},
        hovertemplate="kept: step %{x}, %{y:.3f} nats<extra></extra>",
    )  # fmt: skip
    theme.write_at(fig, result.stop_step, float(result.val_loss.max()), "stop ", c.text, yanchor="top")
    theme.write_at(fig, float(result.steps[result.kept]), result.kept_loss, "kept", c.third, yanchor="top")
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class OneClass:
    """Draws of a flow that is told the class.

    Attributes
    ----------
    rows, draws : (n, 2) data rows of both classes; draws of one
    right : share of the draws, of both classes alike, that the exact density gives to their own class
    """

    rows: np.ndarray
    draws: np.ndarray
    right: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Asked for one moon, the flow draws that moon: by the exact density {percent(self.right)} of its draws "
            "belong to the class that was asked for."
        )


@lru_cache(maxsize=1)
def _conditional() -> AffineCouplingFlow:
    given = GivenClass(MOONS)
    flow = AffineCouplingFlow(6, 24, n_steps=500, regularize="none", context_column=2, random_state=0)
    for _ in flow.fit_iter(given.sample(2000, 0)):
        pass
    return flow


def one_class(moon: str = "upper", temperature: float = 1.0) -> OneClass:
    """Draws of one moon from a flow conditioned on which moon a row is of."""
    flow = _conditional()
    rows, n = MOONS.sample(1000, 0), 500
    right, shown = [], rows[:0]
    for level in (0, 1):
        draws = flow.sample_given(level, n, random_state=1, temperature=temperature)[:, :2]
        right.append(MOONS.class_log_density(draws).argmax(axis=1) == level)
        if level == ("upper", "lower").index(moon):
            shown = draws
    return OneClass(rows, shown, float(np.mean(right)))


def draw_one_class(result: OneClass, dark: bool = False, height: int = 420) -> go.Figure:
    """Rows of both moons, draws of one."""
    return _rows_and_draws(result.rows, result.draws, "draws of one class", dark, height)


@dataclass(frozen=True, eq=False)
class Collections:
    """Two collections of rows under the exact density of the moons, and their union.

    Attributes
    ----------
    moons, spread : (n, 2), (m, 2) draws from the moons; draws spread evenly over the window
    log_moons, log_spread : (n,), (m,) log p of each row, nats
    log_union : log-likelihood of all rows as one collection
    """

    moons: np.ndarray
    spread: np.ndarray
    log_moons: np.ndarray
    log_spread: np.ndarray
    log_union: float

    @property
    def sum_moons(self) -> float:
        """Log-likelihood of the first."""
        return float(self.log_moons.sum())

    @property
    def sum_spread(self) -> float:
        """Log-likelihood of the second."""
        return float(self.log_spread.sum())

    @property
    def difference(self) -> float:
        """Of the union from the sum of the two, nats."""
        return abs(self.log_union - self.sum_moons - self.sum_spread)

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The {len(self.moons)} rows of the moons: {fixed(self.sum_moons, 1)} nats. {len(self.spread)} rows spread "
            f"over the window: {fixed(self.sum_spread, 1)} nats. Together: {fixed(self.log_union, 1)} nats, their sum."
        )


def collections(n_moons: int = 20, n_spread: int = 5) -> Collections:
    """Log-likelihoods of independent rows: the sum of their log-densities."""
    x0, x1, y0, y1 = MOONS.window()
    moons = MOONS.sample(n_moons, 3)
    spread = np.random.default_rng(4).uniform([x0, y0], [x1, y1], (n_spread, 2))
    log_moons, log_spread = (MOONS.log_density(rows) if len(rows) else np.zeros(0) for rows in (moons, spread))
    union = MOONS.log_density(np.vstack([moons, spread])).sum() if n_moons + n_spread else 0.0
    return Collections(moons, spread, log_moons, log_spread, float(union))


def draw_collections(result: Collections, dark: bool = False, height: int = 420) -> go.Figure:
    """Log p of every row, stacked into the running sum."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "rows so far", "log-likelihood so far (nats)")
    start, done = 0.0, 0
    for values, name, color, symbol in (
        (result.log_moons, "moons", c.truth, "circle"),
        (result.log_spread, "spread", c.anomaly, "x"),
    ):
        total = start + np.concatenate([[0.0], np.cumsum(values)])
        fig.add_scatter(
            x=done + np.arange(len(total)), y=total, mode="lines+markers", line={"color": color, "width": 3},
            marker={"symbol": symbol, "size": 7}, hovertemplate=f"{name}<br>row %{{x}}: %{{y:.2f}} nats<extra></extra>",
        )  # fmt: skip
        if len(values):
            theme.write_at(fig, done + len(values), float(total[-1]), f"{name} ", color)
        start, done = float(total[-1]), done + len(values)
    return fig.update_layout(showlegend=False)


_STEP = Int("step", "Step", 0, 800, 50, help="Of the training; the states of every 50 steps are kept")

EXHIBITS = (
    Exhibit("loss_parts", (_STEP,), loss_parts, draw_loss_parts, rows=(18, 32), is_slow=True),
    Exhibit(
        "before_after",
        (Int("border", "Border (%)", 0, 100, 5, help="Left of it: before the first step"), _STEP),
        before_after,
        draw_before_after,
        rows=(95,),
        is_slow=True,
    ),
    Exhibit(
        "arrows",
        (Float("reach", "Reach of the grid", 0.5, 3.0, 0.25, help="In standard deviations of z"), _STEP),
        arrows,
        draw_arrows,
        rows=(37,),
        is_slow=True,
    ),
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
    Exhibit(
        "stopping",
        (
            Int("patience", "Patience", 0, 20, help="Evaluations without progress before training ends; 0: never"),
            Float("min_delta", "Delta", 0, 0.2, 0.01, help="Nats by which a loss must fall to count as progress"),
            Flag("restore", "Restore the best weights", help="Off: the weights of the last step are kept"),
        ),
        stopping,
        draw_stopping,
        rows=(30,),
        is_slow=True,
    ),
    Exhibit(
        "one_class",
        (
            Choice("moon", "Moon", {"upper": "the upper", "lower": "the lower"}, help="What the flow is asked for"),
            Float("temperature", "Temperature", 0, 2, 0.1, help="Scales the latent points"),
        ),
        one_class,
        draw_one_class,
        rows=(21,),
        is_slow=True,
    ),
    Exhibit(
        "collections",
        (
            Int("n_moons", "Rows of the moons", 0, 60, help="Drawn from the exact density"),
            Int("n_spread", "Rows spread evenly", 0, 60, help="Drawn from the whole window"),
        ),
        collections,
        draw_collections,
        rows=(119,),
    ),
)  # fmt: skip
