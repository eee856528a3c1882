"""Draws of one class: a flow that is told which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Float
from flowlab.formatting import percent
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS, draw_rows_and_draws
from flowlab.toys.class_conditional import GivenClass


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
    return draw_rows_and_draws(result.rows, result.draws, "draws of one class", dark, height)


EXHIBITS = (
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
)  # fmt: skip
