"""How a flow learns half moons: the parts of its loss, before and after, and where latent points go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Float, Int
from flowlab.formatting import count, fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import LOWEST, MOONS, plane, trained
from flowlab.toys.base import LOG_2PI


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
)  # fmt: skip
