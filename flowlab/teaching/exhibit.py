"""Exhibits: figures with controls that stand in a lesson, each a pure function from controls to arrays to a figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from flowlab.controls import Control, defaults
from flowlab.records import Scalar

if TYPE_CHECKING:
    from flowlab.plots.theme import Figure


class Result(Protocol):
    """What an exhibit computes: a frozen dataclass of arrays and numbers."""

    @property
    def finding(self) -> str:
        """What the figure shows, in a sentence or two with the present numbers; also for who cannot see it."""


@dataclass(frozen=True)
class Exhibit:
    """A figure one can touch.

    Attributes
    ----------
    key : its name in lessons and links
    controls : what one can set; the defaults stand in `compute`'s signature
    compute : controls to a frozen dataclass (see `Result`) whose numbers a lesson may name (`numbers`); within 100 ms
        unless `is_slow`. At any allowed setting it gives something to draw, and says so where mathematics ends.
    draw : `draw(result, dark, height)`, the figure
    rows : of the catalogue of lectures that it makes true
    is_slow : it trains or measures, so it is computed in a worker while the page counts the seconds
    picks : the two controls that a click on a point of the figure sets to its place, across and up; none without
    """

    key: str
    controls: tuple[Control, ...]
    compute: Callable[..., Any]
    draw: Callable[[Any, bool, int], Figure]
    rows: tuple[int, ...]
    is_slow: bool = False
    picks: tuple[str, str] | None = None

    @property
    def defaults(self) -> dict[str, Scalar]:
        """The controls' values where nothing is said."""
        return defaults(self.controls, self.compute)

    def settings(self, texts: Mapping[str, str]) -> dict[str, Scalar]:
        """All controls' values, those of `texts` read strictly. ValueError for what is no control or not allowed."""
        by_name = {control.name: control for control in self.controls}
        if unknown := texts.keys() - by_name.keys():
            raise ValueError(f"the exhibit {self.key!r} has no control {', '.join(sorted(unknown))}")
        return self.defaults | {name: by_name[name].strictly(text) for name, text in texts.items()}


def numbers(result: object) -> dict[str, float]:
    """The numbers of a dataclass by name: its fields and properties that are one number or a truth value.

    >>> @dataclass(frozen=True)
    ... class Cell:
    ...     width: float
    ...     corners: np.ndarray
    ...     @property
    ...     def area(self):
    ...         return self.width**2
    >>> numbers(Cell(2.0, np.zeros(4)))
    {'width': 2.0, 'area': 4.0}
    """
    kind = type(result)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    names += [name for name in dir(kind) if isinstance(getattr(kind, name, None), property)]
    values = {name: getattr(result, name) for name in names}
    return {name: float(v) for name, v in values.items() if isinstance(v, int | float | np.number | np.bool_)}
