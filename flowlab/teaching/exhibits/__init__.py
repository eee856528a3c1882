"""The exhibits of the lessons, a module for each theme."""

from __future__ import annotations

from types import ModuleType

from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits import (
    autoregressive,
    bridge,
    change_of_variables,
    clump,
    code_scores,
    codes,
    coupling,
    coupling_flows,
    divergences,
    families,
    kernel_density,
    learning,
    likelihood,
    low_density,
    reconstruction,
    slips,
    stopwatch,
    variational,
)

_MODULES: tuple[ModuleType, ...] = (
    autoregressive,
    bridge,
    change_of_variables,
    clump,
    code_scores,
    codes,
    coupling,
    coupling_flows,
    divergences,
    families,
    kernel_density,
    learning,
    likelihood,
    low_density,
    reconstruction,
    slips,
    stopwatch,
    variational,
)

EXHIBITS: dict[str, Exhibit] = {exhibit.key: exhibit for module in _MODULES for exhibit in module.EXHIBITS}
"""All exhibits by key. A module lists its own in `EXHIBITS`."""
