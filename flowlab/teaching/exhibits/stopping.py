"""When to stop: patience, delta and the best weights, on the loss of a flow that learns few rows by heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Flag, Float, Int
from flowlab.formatting import count, fixed
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, trained


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


EXHIBITS = (
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
)  # fmt: skip
