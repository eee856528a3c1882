"""Finding: one measured property of a model, and its level, green, grey, amber or red."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from flowlab.formatting import count

LEVELS = ("green", "grey", "amber", "red")


@dataclass(frozen=True)
class Finding:
    """One measured property of a model.

    Attributes
    ----------
    name : of the property
    value, unit : the number and its unit
    level : "green", "amber" or "red"; "grey" where so few rows could hide what would be red
    sentence : what it means
    """

    name: str
    value: float
    unit: str
    level: str
    sentence: str


def overall(findings: Sequence[Finding]) -> str:
    """The worst level among the findings, grey being worse than green; "green" without any."""
    return max((f.level for f in findings), key=LEVELS.index, default="green")


def level_of(value: float, amber: float, red: float) -> str:
    """The level of a value: "green" up to `amber`, "amber" up to `red`, "red" above."""
    return "green" if value <= amber else "amber" if value <= red else "red"


def with_power(finding: Finding, n_rows: int, needed: float) -> Finding:
    """A green finding as it is where `n_rows` held-out rows have the power for it; else grey, with what it would take.

    `needed` is the number of held-out rows with which a property bad enough for red would almost surely be seen.
    """
    if finding.level != "green" or n_rows >= needed:
        return finding
    digits = 10 ** max(0, math.floor(math.log10(needed)) - 1)
    rows = f"{count(math.ceil(needed / digits) * digits)}"
    return Finding(
        finding.name,
        finding.value,
        finding.unit,
        "grey",
        f"Nothing wrong is seen, but {count(n_rows)} held-out rows could hide a bad fit here; about {rows} "
        "would show it.",
    )
