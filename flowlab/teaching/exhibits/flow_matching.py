"""Continuous flows: the velocity that carries the moons to a Gaussian, what a network learns of it, and its cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Float, Int
from flowlab.formatting import count, fixed
from flowlab.models.flows.continuous import ContinuousFlow
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import panels, theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, plane, trained

N_ROWS = 3000
N_NEW = 1000
GRID = 60
REACH = 2.8
"""Standard deviations to each side that the pictures of standardised columns show."""
COUPLING_STEPS = 1200


@dataclass(frozen=True, eq=False)
class Velocity:
    """Where the rows of the moons are at a time, and the velocity that flow matching asks for there.

    Attributes
    ----------
    time : 0 at the data, 1 at the noise
    points : (n, 2) on straight lines from rows to draws of a Gaussian, standard deviations
    places, velocity : (m, 2) of a grid, and the mean of z - x over all lines through each place; nan where none is near
    fan : how far lines through one place differ, as the root mean squared distance of their velocities from the mean,
        in standard deviations, at the points
    """

    time: float
    points: np.ndarray
    places: np.ndarray
    velocity: np.ndarray
    fan: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        where = "the rows" if self.time == 0 else "the noise" if self.time == 1 else "between rows and noise"
        return (
            f"At time {fixed(self.time, 2)}, {where}: the lines through one place go {fixed(self.fan, 2)} standard "
            "deviations apart on average; the arrow is their mean."
        )


@lru_cache(maxsize=1)
def _standardised() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the moons in standard deviations, and the mean and scale that bring them there."""
    X = MOONS.sample(600, 0)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, mean, scale


def mean_velocity(places: np.ndarray, rows: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E[z - x | (1 - t) x + t z = place] over `rows` x and Gaussian z; exact for these rows.

    Parameters
    ----------
    places : (m, d)
    rows : (n, d)
    t : above 0, at most 1

    Returns the means (m, d), the mean squared distances from them (m,), and the log-densities of the places (m,) up to
    a constant. At t = 1 the mean is the place less the mean row.

    >>> mean, spread, _ = mean_velocity(np.array([[0.5]]), np.array([[-1.0], [1.0]]), 1.0)
    >>> mean.tolist(), spread.tolist()
    ([[0.5]], [1.0])
    """
    z = (places[:, None] - (1 - t) * rows) / t
    log_weights = -0.5 * (z**2).sum(axis=2)
    top = log_weights.max(axis=1, keepdims=True)
    weights = np.exp(log_weights - top)
    total = weights.sum(axis=1, keepdims=True)
    weights /= total
    lines = z - rows
    mean = np.einsum("mn,mnd->md", weights, lines)
    spread = np.einsum("mn,mnd->m", weights, (lines - mean[:, None]) ** 2)
    return mean, spread, (top + np.log(total))[:, 0]


SOON = 0.02
"""The earliest time of which a velocity is drawn: at 0 each row has a line of its own to every draw."""


def velocity(time: float = 0.5) -> Velocity:
    """The exact mean velocity at a time between data (0) and noise (1)."""
    rows, _, _ = _standardised()
    z = np.random.default_rng(1).standard_normal(rows.shape)
    points = (1 - time) * rows + time * z
    t = max(time, SOON)
    side = np.linspace(-REACH, REACH, 15)
    places = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    arrows, _, log_density = mean_velocity(places, rows, t)
    arrows[log_density < log_density.max() - 9] = np.nan
    shown = (1 - t) * rows[:200] + t * z[:200]
    spread = mean_velocity(shown, rows, t)[1]
    return Velocity(time, points, places, arrows, float(np.sqrt(spread.mean())))


def draw_velocity(result: Velocity, dark: bool = False, height: int = 420) -> go.Figure:
    """Points, and an arrow at each place."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "x1 (standard deviations)", "x2 (standard deviations)", square=True)
    fig.add_scatter(
        x=result.points[:, 0], y=result.points[:, 1], mode="markers", hoverinfo="skip",
        marker={"color": c.data, "size": 4, "opacity": 0.5},
    )  # fmt: skip
    known = np.isfinite(result.velocity).all(axis=1)
    ends = result.places[known] + 0.12 * result.velocity[known]
    _add_lines(fig, np.stack([result.places[known], ends]), c.model, width=2)
    fig.add_scatter(
        x=ends[:, 0], y=ends[:, 1], mode="markers", customdata=result.velocity[known],
        hovertemplate="velocity (%{customdata[0]:.2f}, %{customdata[1]:.2f})<extra></extra>",
        marker={
            "symbol": "triangle-up", "size": 7, "color": c.model,
            "angle": np.degrees(np.arctan2(result.velocity[known, 0], result.velocity[known, 1])),
        },
    )  # fmt: skip
    fig.update_xaxes(range=[-REACH, REACH])
    fig.update_yaxes(range=[-REACH, REACH])
    return fig.update_layout(showlegend=False)


def _add_lines(fig: go.Figure, positions: np.ndarray, color: str, width: float, **where: object) -> None:
    """Lines through positions (n_stations, n, 2), one for each of the n points, as one trace."""
    n_stations, n, _ = positions.shape
    joined = np.full((n, n_stations + 1, 2), np.nan)
    joined[:, :-1] = positions.transpose(1, 0, 2)
    x, y = joined.reshape(-1, 2).T
    fig.add_scatter(
        x=x, y=y, mode="lines", line={"color": color, "width": width}, hoverinfo="skip", showlegend=False, **where
    )


@lru_cache(maxsize=3)
def _continuous(n_steps: int) -> tuple[ContinuousFlow, float]:
    """A continuous flow trained on the moons for so many steps, and how many seconds that took."""
    flow, began = ContinuousFlow(n_steps=n_steps, random_state=0), time.perf_counter()
    flow.fit(MOONS.sample(N_ROWS, 0))
    return flow, time.perf_counter() - began


def _couplings() -> AffineCouplingFlow:
    return trained(COUPLING_STEPS, N_ROWS).flow


@dataclass(frozen=True, eq=False)
class Beside:
    """A continuous flow and couplings on the same rows, beside the exact density.

    Attributes
    ----------
    x, y : (n,) the window
    continuous, couplings, truth : (n, n) log-densities in nats
    gap, gap_error, coupling_gap, coupling_gap_error : nats above the truth on rows that neither has seen, and standard
        errors
    mass : what the continuous flow's density sums to over the window
    n_steps : of training by flow matching
    """

    x: np.ndarray
    y: np.ndarray
    continuous: np.ndarray
    couplings: np.ndarray
    truth: np.ndarray
    gap: float
    gap_error: float
    coupling_gap: float
    coupling_gap_error: float
    mass: float
    n_steps: int

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"After {count(self.n_steps)} steps of flow matching the continuous flow is {fixed(self.gap)} ± "
            f"{fixed(self.gap_error)} nats above the truth, the couplings {fixed(self.coupling_gap)} ± "
            f"{fixed(self.coupling_gap_error)}. Its density sums to {fixed(self.mass)}."
        )


def beside(n_steps: int = 2000) -> Beside:
    """Densities of both flows and the gaps to the truth."""
    x, y, points = plane(GRID)
    X_new = MOONS.sample(N_NEW, 1)
    exact, exact_new = MOONS.log_density(points), MOONS.log_density(X_new)
    flow, couplings = _continuous(n_steps)[0], _couplings()
    ours, theirs = flow.score_samples(points), couplings.score_samples(points)
    differences = [exact_new - each.score_samples(X_new) for each in (flow, couplings)]
    (gap, error), (coupling_gap, coupling_error) = (
        (float(d.mean()), float(d.std(ddof=1) / np.sqrt(N_NEW))) for d in differences
    )
    mass = float(np.exp(ours).sum() * (x[1] - x[0]) * (y[1] - y[0]))
    ours, theirs, exact = (each.reshape(GRID, GRID) for each in (ours, theirs, exact))
    return Beside(x, y, ours, theirs, exact, gap, error, coupling_gap, coupling_error, mass, n_steps)


def draw_beside(result: Beside, dark: bool = False, height: int = 420) -> go.Figure:
    """Three densities on one scale."""
    c = theme.colors(dark)
    window = (result.x[0], result.x[-1], result.y[0], result.y[-1])
    fig = panels.panels(["continuous", "couplings", "exact"], ("x1", "x2"), dark, height, window)
    top = float(np.exp(result.truth.max()))
    for i, log_density in enumerate((result.continuous, result.couplings, result.truth)):
        fig.add_heatmap(
            x=result.x, y=result.y, z=np.exp(np.minimum(log_density, 50)).astype(np.float32), zmin=0, zmax=top,
            colorscale=theme.colorscale(c.sequential), showscale=i == 2, colorbar=panels.colorbar("density"),
            hovertemplate="x1 %{x:.2f}<br>x2 %{y:.2f}<br>density %{z:.3f}<extra></extra>", **panels.on(i),
        )  # fmt: skip
    return fig


@dataclass(frozen=True, eq=False)
class Paths:
    """How the same rows get from data to noise in both flows.

    Attributes
    ----------
    continuous, couplings : (n_stations, n, 2) positions, standard deviations
    shown : station of the continuous path at the time set, from 0
    time : 0 to 1
    detour, coupling_detour : mean length of a path over the distance of its ends
    """

    continuous: np.ndarray
    couplings: np.ndarray
    shown: int
    time: float
    detour: float
    coupling_detour: float

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"A row's way through time is {fixed(self.detour, 2)} times as long as the straight line between its ends, "
            f"through {len(self.couplings) - 1} couplings {fixed(self.coupling_detour, 2)} times."
        )


def paths(time: float = 1.0, n_rows: int = 40) -> Paths:
    """Paths of rows of the moons up to a time, 0 the data and 1 the noise, and the couplings' through all layers."""
    X = MOONS.sample(N_ROWS, 0)[:n_rows]
    flow = ContinuousFlow(**_continuous(2000)[0].get_params()).set_params(n_layers=24, steps_per_layer=1)
    flow.set_state(_continuous(2000)[0].get_state())
    ours, theirs = flow.transform_path(X), _couplings().transform_path(X)
    shown = int(np.rint(np.sqrt(time) * 24))  # the stations lie at the squares of equal steps
    return Paths(ours, theirs, shown, time, _detour(ours), _detour(theirs))


def _detour(positions: np.ndarray) -> float:
    """Mean length of the paths (n_stations, n, 2) over the mean distance of their ends.

    >>> _detour(np.array([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]])).__round__(3)
    1.414
    """
    length = np.linalg.norm(np.diff(positions, axis=0), axis=2).sum(axis=0)
    return float(length.mean() / np.linalg.norm(positions[-1] - positions[0], axis=1).mean())


def draw_paths(result: Paths, dark: bool = False, height: int = 420) -> go.Figure:
    """Curves in time, broken lines through layers."""
    c = theme.colors(dark)
    fig = panels.panels(
        ["through time", "through couplings"], ("x1 (standard deviations)", "x2 (standard deviations)"), dark, height,
        (-REACH, REACH, -REACH, REACH),
    )  # fmt: skip
    for i, positions in enumerate((result.continuous[: result.shown + 1], result.couplings)):
        _add_lines(fig, positions, c.muted, 1, **panels.on(i))
        for station, color in ((0, c.data), (-1, c.model)):
            fig.add_scatter(
                x=positions[station, :, 0], y=positions[station, :, 1], mode="markers", hoverinfo="skip",
                marker={"color": color, "size": 6}, **panels.on(i),
            )  # fmt: skip
    return fig.update_layout(showlegend=False)


@dataclass(frozen=True, eq=False)
class Cost:
    """What a density and a sample cost, and how exact they are, over the number of Runge-Kutta steps.

    Attributes
    ----------
    evaluations : (n,) of the network for each density
    errors : (n,) mean error of log p in nats against four times the finest steps
    density_ms, sample_ms : milliseconds for 1,000 rows by the continuous flow, with the number of steps that is set
    coupling_density_ms, coupling_sample_ms : the same by the couplings
    n_evaluations, error : of the network, and of log p, at the number of steps that is set
    """

    evaluations: np.ndarray
    errors: np.ndarray
    density_ms: float
    sample_ms: float
    coupling_density_ms: float
    coupling_sample_ms: float
    n_evaluations: int
    error: float

    @property
    def density_ratio(self) -> float:
        """How many of the couplings' densities one of the continuous flow's costs."""
        return self.density_ms / self.coupling_density_ms

    @property
    def sample_ratio(self) -> float:
        """The same of samples."""
        return self.sample_ms / self.coupling_sample_ms

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"With {self.n_evaluations} evaluations of the network log p is off by {fixed(self.error, 4)} nats; a "
            f"density then costs {fixed(self.density_ratio, 0)} times the couplings', a sample "
            f"{fixed(self.sample_ratio, 0)} times."
        )


STEPS = (2, 4, 8, 16, 32)


def cost(n_steps: str = "16") -> Cost:
    """Errors over the number of integration steps, and the measured times of 1,000 densities and samples."""
    X = MOONS.sample(N_NEW, 1)
    base = _continuous(2000)[0]

    def with_steps(n: int) -> ContinuousFlow:
        flow = ContinuousFlow(**base.get_params()).set_params(n_layers=1, steps_per_layer=n)
        flow.set_state(base.get_state())
        return flow

    few = X[:300]
    reference = with_steps(4 * STEPS[-1]).score_samples(few)
    errors = np.array([np.abs(with_steps(n).score_samples(few) - reference).mean() for n in STEPS])
    n = int(n_steps)
    flow, couplings = with_steps(n), _couplings()
    return Cost(
        evaluations=4 * np.array(STEPS),
        errors=errors,
        density_ms=_milliseconds(lambda: flow.score_samples(X)),
        sample_ms=_milliseconds(lambda: flow.sample(N_NEW, random_state=0)),
        coupling_density_ms=_milliseconds(lambda: couplings.score_samples(X)),
        coupling_sample_ms=_milliseconds(lambda: couplings.sample(N_NEW, random_state=0)),
        n_evaluations=4 * n,
        error=float(errors[STEPS.index(n)]),
    )


def _milliseconds(call: Callable[[], object]) -> float:
    """The shortest of three times: what the call itself needs, whatever else the machine does."""
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        spent.append(time.perf_counter() - began)
    return 1000 * min(spent)


def draw_cost(result: Cost, dark: bool = False, height: int = 420) -> go.Figure:
    """Error over evaluations, both logarithmic; the chosen number is marked."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "evaluations of the network for a density", "mean error of log p (nats)")
    fig.add_scatter(
        x=result.evaluations, y=result.errors, mode="lines+markers", line={"color": c.model}, marker={"size": 8},
        hovertemplate="%{x} evaluations<br>error %{y:.2g} nats<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=[result.n_evaluations], y=[result.error], mode="markers", hoverinfo="skip",
        marker={"color": c.threshold, "size": 14, "symbol": "circle-open", "line": {"width": 3}},
    )  # fmt: skip
    fig.update_xaxes(type="log", tickvals=result.evaluations, ticktext=[str(n) for n in result.evaluations])
    fig.update_yaxes(type="log", exponentformat="power", dtick=1)
    return fig.update_layout(showlegend=False)


TIME = Float("time", "Time", 0.0, 1.0, 0.05, help="0: the data, 1: the noise")

EXHIBITS = (
    Exhibit("velocity", (TIME,), velocity, draw_velocity, rows=()),
    Exhibit(
        "continuous_density",
        (Int("n_steps", "Steps of training", 100, 4000, 100, help="Of flow matching; about 300 a second"),),
        beside, draw_beside, rows=(), is_slow=True,
    ),
    Exhibit(
        "paths_in_time",
        (TIME, Int("n_rows", "Rows", 1, 200, 1, help="Whose paths are drawn")),
        paths, draw_paths, rows=(), is_slow=True,
    ),
    Exhibit(
        "cost_of_integration",
        (
            Choice(
                "n_steps", "Runge-Kutta steps", {str(n): str(n) for n in STEPS},
                help="From data to noise; each asks the network four times",
            ),
        ),
        cost, draw_cost, rows=(), is_slow=True,
    ),
)  # fmt: skip
