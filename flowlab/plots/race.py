"""Runs that race: the validation losses of a run and its forks on one chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme

DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class Racer:
    """One run in a race: its name, steps (n,) and validation losses (n,).

    A fork has its branch point first, at step `start`; the `present` run is the one looked at.
    """

    name: str
    steps: Sequence[int]
    losses: Sequence[float]
    start: int = 0
    present: bool = False


def loss_race(
    racers: Sequence[Racer], loss_label: str, floor: float | None = None, dark: bool = False, height: int = 300
) -> go.Figure:
    """Validation loss against the step, a line for each run, branch points ringed; `floor` is the entropy."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", f"validation {loss_label}")
    palette = (c.model, c.second, c.third)
    values = [np.empty(0)]
    for i, racer in enumerate(racers):
        losses = np.asarray(racer.losses, float)
        values.append(losses[np.isfinite(losses)])
        color, dash = palette[i % len(palette)], DASHES[i % len(DASHES)]
        sizes = np.zeros(len(losses))
        sizes[:1] = 11 if racer.start else 0
        fig.add_trace(
            go.Scatter(
                x=np.asarray(racer.steps),
                y=losses,
                mode="lines+markers",
                name=racer.name,
                line={
                    "color": color,
                    "dash": dash,
                    "width": 3 if racer.present else 1.8,
                },
                marker={"symbol": "circle-open", "size": sizes, "color": color, "line": {"width": 2}},
                hovertemplate="step %{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    if floor is not None and np.isfinite(floor):
        fig.add_hline(
            y=floor,
            line={"color": c.truth, "width": 1.5, "dash": "dot"},
            annotation={"text": f"entropy {floor:.3f}", "font": {"color": c.truth}, "yanchor": "bottom"},
        )
    everything = np.concatenate(values)
    if len(everything):
        # The first losses may be hundreds of nats; the end of the race is what is looked at.
        low = min(float(everything.min()), floor if floor is not None else np.inf)
        high = max(float(np.quantile(everything, 0.9)), *(float(v[-1]) for v in values if len(v)))
        margin = 0.1 * max(high - low, 1e-3)
        fig.update_yaxes(range=[low - margin, high + 2 * margin])
    return fig
