"""What a flow of couplings needs: three requirements, a bounded scale, a penalty that works, layers enough."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Int
from flowlab.formatting import count, fixed, percent
from flowlab.models.classical.density import Gaussian
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import LOWEST, MOONS, N_LAYERS, plane, trained
from flowlab.toys.base import LOG_2PI


@dataclass(frozen=True, eq=False)
class Requirement:
    """What is left of a flow where one of its three requirements is dropped.

    Attributes
    ----------
    dropped : "nothing", "nonlinear", "invertible" or "determinant"
    x, y : (n,) the window, or sizes and seconds for the determinant
    log_density : (n, n) what the model claims, nats
    gap : nats above the truth on new rows
    round_trip : largest error of the inverse over rows, standard deviations
    sizes, lu_seconds, sum_seconds : (m,) of a Jacobian; time for log |det| by LU, and for a sum of s
    """

    dropped: str
    x: np.ndarray
    y: np.ndarray
    log_density: np.ndarray
    gap: float
    round_trip: float
    sizes: np.ndarray
    lu_seconds: np.ndarray
    sum_seconds: np.ndarray

    @property
    def largest(self) -> float:
        """The largest size."""
        return float(self.sizes[-1]) if len(self.sizes) else np.nan

    @property
    def cost_ratio(self) -> float:
        """LU against sum at the largest size."""
        return float(self.lu_seconds[-1] / self.sum_seconds[-1]) if len(self.sizes) else np.nan

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if self.dropped == "determinant":
            return (
                f"At {self.sizes[-1]} columns log |det| by LU takes {fixed(1e3 * self.lu_seconds[-1], 2)} ms, the sum "
                f"of s {fixed(1e3 * self.sum_seconds[-1], 3)} ms, for every row of every step."
            )
        if self.dropped == "nonlinear":
            return f"A chain of linear maps is one linear map: a Gaussian at best, {fixed(self.gap)} nats off."
        if self.dropped == "invertible":
            return (
                f"The networks also read what they change: the way back misses rows by up to {fixed(self.round_trip)}, "
                "and what the formula gives is no density."
            )
        return (
            f"With all three the flow is {fixed(self.gap)} nats above the truth, and the way back misses no row by "
            f"more than {self.round_trip:.0e}."
        )


@lru_cache(maxsize=1)
def _without_mask() -> AffineCouplingFlow:
    flow = AffineCouplingFlow(N_LAYERS, 24, n_steps=300, regularize="none", fault="no mask", random_state=0)
    for _ in flow.fit_iter(trained().X):
        pass
    return flow


def _seconds(size: int) -> tuple[float, float]:
    """The shortest of five times each: log |det| of a matrix by LU, a sum of as many numbers."""
    rng = np.random.default_rng(size)
    matrix, s = rng.normal(size=(size, size)), rng.normal(size=size)
    times = np.empty((2, 5))
    for i in range(5):
        began = perf_counter()
        np.linalg.slogdet(matrix)
        middle = perf_counter()
        s.sum()
        times[:, i] = middle - began, perf_counter() - middle
    return float(times[0].min()), float(times[1].min())


def requirements(drop: str = "nothing") -> Requirement:
    """Half moons by a flow, by a linear one, by one without inverse; or the cost of a determinant."""
    x, y, points = plane()
    nothing = np.empty(0)
    if drop == "determinant":
        sizes = np.array([8, 16, 32, 64, 128, 256])
        lu, total = np.array([_seconds(int(n)) for n in sizes]).T
        return Requirement(drop, x, y, np.zeros((0, 0)), np.nan, np.nan, sizes, lu, total)
    history = trained()
    if drop == "nonlinear":
        model = Gaussian().fit(history.X)
        error = 0.0
    else:
        model = history.flow if drop == "nothing" else _without_mask()
        back = model.inverse_transform(model.transform(history.X_new))
        error = float(np.nan_to_num(np.abs(back - history.X_new) / history.X.std(axis=0), nan=1e6).clip(0, 1e6).max())
    gap = float((MOONS.log_density(history.X_new) - model.score_samples(history.X_new)).mean())
    shown = model.score_samples(points).reshape(len(y), len(x))
    return Requirement(drop, x, y, shown, gap, error, nothing, nothing, nothing)


def draw_requirements(result: Requirement, dark: bool = False, height: int = 420) -> go.Figure:
    """The density, or the times."""
    c = theme.colors(dark)
    if result.dropped == "determinant":
        fig = theme.figure(dark, height, "columns", "milliseconds for one row")
        for values, name, color, dash in (
            (result.lu_seconds, "log |det| by LU", c.anomaly, "solid"),
            (result.sum_seconds, "sum of s", c.model, "dash"),
        ):
            fig.add_scatter(x=result.sizes, y=1e3 * values, mode="lines+markers", line={"color": color, "dash": dash})
            fig.add_annotation(
                x=np.log10(result.sizes[-1]), y=np.log10(1e3 * values[-1]), text=name, showarrow=False, xanchor="right",
                yanchor="bottom", font={"color": color, "size": 14},
            )  # fmt: skip
        return fig.update_layout(showlegend=False, xaxis_type="log", yaxis_type="log")
    fig = theme.figure(dark, height, "x1", "x2", square=True)
    fig.add_heatmap(
        x=result.x, y=result.y, z=result.log_density.clip(LOWEST), zmin=LOWEST, zmax=1.0,
        colorscale=theme.colorscale(c.sequential), colorbar={"title": {"text": "log p(x)<br>(nats)"}},
    )  # fmt: skip
    return fig


@dataclass(frozen=True, eq=False)
class ScaleMaps:
    """Flows that differ in how the network's output becomes a scale, at one learning rate and seed.

    Attributes
    ----------
    names : of the maps
    failed : (k,) share of the reports in which a step was not finite
    loss : (k,) at the end, nats in standardised columns, on rows without the far one
    floor : the lowest loss that scales of at most 1.001 allow
    far : how many standard deviations the far row is out
    """

    names: list[str]
    failed: np.ndarray
    loss: np.ndarray
    floor: float
    far: int

    @property
    def failed_exp(self) -> float:
        """Share of reports with a step that was not finite, exp."""
        return float(self.failed[self.names.index("exp")])

    @property
    def failed_tanh(self) -> float:
        """Share of reports with a step that was not finite, tanh."""
        return float(self.failed[self.names.index("tanh")])

    @property
    def loss_tanh(self) -> float:
        """At the end, tanh."""
        return float(self.loss[self.names.index("tanh")])

    @property
    def loss_sigmoid(self) -> float:
        """At the end, the sigmoid of nflows 0.14."""
        return float(self.loss[self.names.index("sigmoid")])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"The map exp met numbers that are not finite in {percent(self.failed_exp)} of its reports, tanh in "
            f"{percent(self.failed_tanh)}. The sigmoid of nflows 0.14 cannot stretch: {fixed(self.loss_sigmoid)} nats, "
            f"its floor is {fixed(self.floor)}; tanh has {fixed(self.loss_tanh)}."
        )


MAPS = ("tanh", "clamp", "exp", "sigmoid", "additive")


@lru_cache(maxsize=3)
def scale_maps(far: int = 1000, n_steps: int = 300) -> ScaleMaps:
    """Five scale maps on half moons with one row `far` standard deviations out, at a learning rate of 0.05."""
    clean = MOONS.sample(1500, 0)
    center, scale = clean.mean(axis=0), clean.std(axis=0)
    rows = (clean - center) / scale
    with_far = np.vstack([rows, [[float(far), -float(far)]]]) if far else rows
    failed, losses = [], []
    for name in MAPS:
        flow = AffineCouplingFlow(
            10, 16, scale_map=name, n_steps=n_steps, learning_rate=0.05, regularize="none", standardize=False,
            random_state=0,
        )  # fmt: skip
        notes = [bool(event.note) for event in flow.fit_iter(with_far)]
        failed.append(float(np.mean(notes)))
        losses.append(float(np.clip(-flow.score_samples(rows).mean(), -50, 50)))
    floor = float(LOG_2PI - 10 * np.log(1.001))
    return ScaleMaps(list(MAPS), np.array(failed), np.array(losses), floor, far)


def draw_scale_maps(result: ScaleMaps, dark: bool = False, height: int = 420) -> go.Figure:
    """Losses as bars, with the share of reports that failed written above."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "scale map", "loss without the far row (nats)")
    failing = [c.anomaly if share else c.model for share in result.failed]
    fig.add_bar(
        x=result.names, y=result.loss, marker={"color": failing}, textposition="outside",
        text=[
            f"{fixed(loss, 2)}<br>{percent(share)} not finite"
            for loss, share in zip(result.loss, result.failed, strict=True)
        ],
        hoverinfo="skip", cliponaxis=False,
    )  # fmt: skip
    fig.add_hline(y=result.floor, line={"color": c.truth, "dash": "dash"})
    top = max(float(result.loss.max()), result.floor) * 1.25
    return fig.update_layout(showlegend=False, yaxis={"range": [min(0.0, 1.2 * float(result.loss.min())), top]})


@dataclass(frozen=True, eq=False)
class WeightPenalty:
    """Three trainings that differ in the penalty on the weights.

    Attributes
    ----------
    names : "without", "as in the seed", "with"
    length : (3,) Euclidean length of all weights at the end
    loss : (3,) on new rows, nats
    same : whether the first two ended with the same weights to the bit
    """

    names: tuple[str, ...]
    length: np.ndarray
    loss: np.ndarray
    same: bool

    @property
    def length_without(self) -> float:
        """Of the weights without a penalty."""
        return float(self.length[0])

    @property
    def length_seed(self) -> float:
        """Of the weights with the penalty that the seed declares and never adds."""
        return float(self.length[1])

    @property
    def length_with(self) -> float:
        """Of the weights with a penalty that works."""
        return float(self.length[2])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        return (
            f"Length of the weights: without a penalty {fixed(self.length_without, 2)}; declared but never added to "
            f"the loss {fixed(self.length_seed, 2)}, the same weights; added at each step {fixed(self.length_with, 2)}."
        )


@lru_cache(maxsize=3)
def weight_penalty(strength: int = 30) -> WeightPenalty:
    """Trainings without a penalty, with one that is declared and not applied, and with decoupled decay of `strength` %.

    Lecture 000's layers declare an L2 penalty, and its training step takes the gradient of the likelihood alone: the
    second training therefore is the first, with the declared sum computed beside it and left out.
    """
    rows, new = MOONS.sample(500, 0), MOONS.sample(1000, 1)
    lengths, losses, weights = [], [], []
    for applied in (0.0, 0.0, strength / 100):
        flow = AffineCouplingFlow(
            4, 16, n_steps=250, learning_rate=0.01, weight_decay=applied, regularize="none", random_state=0
        )
        flow.fit(rows)
        weights.append(flow.parameters_.copy())
        lengths.append(float(np.linalg.norm(weights[-1])))
        losses.append(float(-flow.score_samples(new).mean()))
    same = bool((weights[0] == weights[1]).all())
    return WeightPenalty(("without", "as in the seed", "with"), np.array(lengths), np.array(losses), same)


def draw_weight_penalty(result: WeightPenalty, dark: bool = False, height: int = 420) -> go.Figure:
    """The lengths as bars."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "L2 penalty", "length of all weights")
    fig.add_bar(
        x=result.names, y=result.length, marker={"color": [c.data, c.anomaly, c.model]}, textposition="inside",
        text=[f"{fixed(n, 2)}<br>{fixed(v)} nats" for n, v in zip(result.length, result.loss, strict=True)],
    )  # fmt: skip
    return fig


@dataclass(frozen=True, eq=False)
class DepthSweep:
    """The loss against the number of layers, and against the depth of their networks.

    Attributes
    ----------
    values : (n,) layers, or hidden layers
    gaps : (n,) nats above the truth on new rows
    what : "layers" or "depth"
    """

    values: np.ndarray
    gaps: np.ndarray
    what: str

    @property
    def first_gap(self) -> float:
        """At the smallest value."""
        return float(self.gaps[0])

    @property
    def second_gap(self) -> float:
        """At the next value."""
        return float(self.gaps[1])

    @property
    def before_last_gap(self) -> float:
        """At the last value but one."""
        return float(self.gaps[-2])

    @property
    def last_gap(self) -> float:
        """At the largest value."""
        return float(self.gaps[-1])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        unit = "coupling layers" if self.what == "layers" else "hidden layers in each network"
        return (
            f"From {self.values[0]} to {self.values[-1]} {unit} the distance from the truth goes from "
            f"{fixed(self.first_gap)} to {fixed(self.last_gap)} nats; the lowest is {fixed(self.gaps.min())}."
        )


@lru_cache(maxsize=2)
def depth_sweep(what: str = "layers") -> DepthSweep:
    """Flows of 1 to 16 layers, or with 0 to 3 hidden layers, trained for 400 steps on 2 000 rows of the moons."""
    rows, new = MOONS.sample(2000, 0), MOONS.sample(2000, 1)
    truth = MOONS.log_density(new).mean()
    values = np.array([1, 2, 4, 8, 16] if what == "layers" else [0, 1, 2, 3])
    gaps = []
    for value in values:
        n_layers, n_hidden = (int(value), 2) if what == "layers" else (6, int(value))
        flow = AffineCouplingFlow(n_layers, 16, n_hidden, n_steps=400, regularize="none", random_state=0)
        gaps.append(float(truth - flow.fit(rows).score_samples(new).mean()))
    return DepthSweep(values, np.array(gaps), what)


def draw_depth_sweep(result: DepthSweep, dark: bool = False, height: int = 420) -> go.Figure:
    """The distance from the truth against what is varied."""
    c = theme.colors(dark)
    x = "coupling layers" if result.what == "layers" else "hidden layers in each network"
    fig = theme.figure(dark, height, x, "nats above the truth")
    fig.add_scatter(
        x=[count(int(v)) for v in result.values], y=result.gaps, mode="lines+markers+text",
        line={"color": c.model, "width": 3},
        marker={"size": 10}, text=[fixed(gap, 2) for gap in result.gaps], textposition="top right", cliponaxis=False,
    )  # fmt: skip
    return fig.update_xaxes(type="category").update_yaxes(rangemode="tozero")


EXHIBITS = (
    Exhibit(
        "requirements",
        (
            Choice(
                "drop", "Drop", {
                    "nothing": "nothing", "nonlinear": "nonlinearity", "invertible": "invertibility",
                    "determinant": "the cheap determinant",
                },
                help="One of the three requirements",
            ),
        ),
        requirements,
        draw_requirements,
        rows=(10,),
        is_slow=True,
    ),
    Exhibit(
        "scale_maps",
        (
            Int("far", "Far row", 0, 2000, 100, help="How many standard deviations one row is out; 0: none is"),
            Int("n_steps", "Steps", 50, 300, 50, help="Of training"),
        ),
        scale_maps,
        draw_scale_maps,
        rows=(23,),
        is_slow=True,
    ),
    Exhibit(
        "weight_penalty",
        (Int("strength", "Strength (%)", 0, 300, 10, help="Of the penalty that works"),),
        weight_penalty,
        draw_weight_penalty,
        rows=(23,),
        is_slow=True,
    ),
    Exhibit(
        "depth_sweep",
        (Choice("what", "Vary", {"layers": "coupling layers", "depth": "hidden layers"}, help="The other is fixed"),),
        depth_sweep,
        draw_depth_sweep,
        rows=(16,),
        is_slow=True,
    ),
)  # fmt: skip
