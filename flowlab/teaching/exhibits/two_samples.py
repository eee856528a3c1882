"""Two samples, one distribution? The tests that tell draws from rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Float, Int
from flowlab.evaluation.two_sample import two_sample_tests
from flowlab.formatting import count, fixed, percent
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit
from flowlab.toys.contaminated import Clump2D


@dataclass(frozen=True, eq=False)
class Compared:
    """Two-sample tests of rows against draws from the bulk alone.

    Attributes
    ----------
    names : of the tests; the first, per column, is Kolmogorov and Smirnov's
    effects, p_values : (4,)
    per_axis : (2,) Kolmogorov-Smirnov distance of each column
    share, n : as set
    """

    names: tuple[str, ...]
    effects: np.ndarray
    p_values: np.ndarray
    per_axis: np.ndarray
    share: float
    n: int

    @property
    def lowest_p(self) -> float:
        """The smallest p-value of the four tests."""
        return float(self.p_values.min())

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        seen = int((self.p_values < 0.01).sum())
        return (
            f"Of {count(self.n)} rows {percent(self.share)} are of the clump, which the model lacks. "
            f"{seen} of 4 tests see it (p below 0.01); the lowest p-value is {fixed(self.lowest_p)}."
        )


def compared(share: float = 0.01, n: int = 600) -> Compared:
    """Rows with a share of the two-dimensional clump, against rows without it, by all four two-sample tests."""
    rng = np.random.default_rng(1)
    exercise = Clump2D()
    A = rng.standard_normal((2 * n, 2))
    A[:, 1] = exercise.correlation * A[:, 0] + np.sqrt(1 - exercise.correlation**2) * A[:, 1]
    rows, draws = A[:n].copy(), A[n:]
    k = round(share * n)
    rows[:k] = [exercise.distance, 0] + exercise.width * rng.standard_normal((k, 2))
    tests = two_sample_tests(rows, draws, 0, n_permutations=199)
    per_axis = tests[0].per_axis
    return Compared(
        ("Kolmogorov-Smirnov,<br>largest column", "energy distance", "mean discrepancy", "classifier"),
        np.array([test.effect for test in tests]),
        np.array([test.p_value for test in tests]),
        np.zeros(2) if per_axis is None else per_axis,
        share,
        n,
    )


def draw_compared(result: Compared, dark: bool = False, height: int = 420) -> go.Figure:
    """The p-value of each test on a logarithmic axis, and the level 0.01."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "p-value by permutation, log scale")
    fig.add_scatter(
        x=result.p_values, y=list(result.names), mode="markers+text", text=[f"{p:.3f}" for p in result.p_values],
        textposition="top center", marker={"color": c.model, "size": 14}, cliponaxis=False,
        customdata=result.effects, hovertemplate="%{y}: p %{x:.3f}, effect %{customdata:.3f}<extra></extra>",
    )  # fmt: skip
    fig.add_vline(0.01, line={"color": c.threshold, "width": 1.5})
    fig.add_annotation(x=-2, y=1, yref="paper", text="0.01", showarrow=False, xanchor="left", yanchor="top", xshift=4)
    fig.update_xaxes(type="log", range=[-3.6, 0.25], dtick=1)
    fig.update_yaxes(range=[3.5, -0.7])
    return fig


EXHIBITS = (
    Exhibit(
        "two_samples",
        (
            Float("share", "Share of the clump", 0, 0.2, 0.005, help="With 0 both samples have one distribution"),
            Int("n", "Rows of each", 50, 1000, 50, help="Rows of data, and draws of the model"),
        ),
        compared,
        draw_compared,
        rows=(97,),
        is_slow=True,
    ),
)
