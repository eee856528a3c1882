"""Finding: one measured property of a model, and its level, green, amber or red."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEVELS = ("green", "amber", "red")


@dataclass(frozen=True)
class Finding:
    """One measured property of a model.

    Attributes
    ----------
    name : of the property
    value, unit : the number and its unit
    level : "green", "amber" or "red"
    sentence : what it means
    """

    name: str
    value: float
    unit: str
    level: str
    sentence: str


def overall(findings: Sequence[Finding]) -> str:
    """The worst level among the findings; "green" without any."""
    return max((f.level for f in findings), key=LEVELS.index, default="green")


def level_of(value: float, amber: float, red: float) -> str:
    """The level of a value: "green" up to `amber`, "amber" up to `red`, "red" above."""
    return "green" if value <= amber else "amber" if value <= red else "red"
