"""Runs that race: the validation losses of a run and its forks on one chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.plots import theme


@dataclass(frozen=True)
class Racer:
    """One run in a race: its name, steps (n,) and validation losses (n,); `start` is the step it was forked at."""

    name: str
    steps: Sequence[int]
    losses: Sequence[float]
    start: int = 0


def loss_race(
    racers: Sequence[Racer], loss_label: str, floor: float | None = None, dark: bool = False, height: int = 300
) -> go.Figure:
    """Validation loss against the step, one line style for each run; `floor` is the loss of the exact density."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "step", f"validation {loss_label}")
    palette, dashes = (c.model, c.second, c.third, c.data), ("solid", "dash", "dot", "dashdot")
    everything = []
    for i, racer in enumerate(racers):
        losses = np.asarray(racer.losses, float)
        finite = losses[np.isfinite(losses)]
        everything.append(finite)
        style = {"color": palette[i % 4], "dash": dashes[i % 4], "width": 2}
        fig.add_trace(go.Scatter(x=list(racer.steps), y=losses, mode="lines", name=racer.name, line=style))
        if racer.start:
            fig.add_vline(x=racer.start, line={"color": c.muted, "width": 1, "dash": "dot"})
    if floor is not None and np.isfinite(floor):
        fig.add_hline(y=floor, line={"color": c.truth, "width": 1.5, "dash": "dash"}, annotation_text="exact density",
                      annotation_font={"color": c.truth})  # fmt: skip
    values = np.concatenate(everything) if everything else np.empty(0)
    if len(values):
        # The first losses may be hundreds of nats; the end of the race is what is looked at.
        low = min(float(values.min()), floor if floor is not None else np.inf)
        high = float(np.quantile(values, 0.9))
        margin = 0.1 * max(high - low, 1e-3)
        fig.update_yaxes(range=[low - margin, high + 2 * margin])
    return fig
