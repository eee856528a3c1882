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
    decision,
    divergences,
    families,
    flow_matching,
    image_digits,
    image_inside,
    image_networks,
    image_off_support,
    image_paradox,
    image_statistics,
    image_training,
    kernel_density,
    learning,
    likelihood,
    low_density,
    malware,
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
    decision,
    divergences,
    families,
    flow_matching,
    image_digits,
    image_inside,
    image_networks,
    image_off_support,
    image_paradox,
    image_statistics,
    image_training,
    kernel_density,
    learning,
    likelihood,
    low_density,
    malware,
    reconstruction,
    slips,
    stopwatch,
    variational,
)


def _by_key() -> dict[str, Exhibit]:
    found: dict[str, Exhibit] = {}
    for exhibit in (exhibit for module in _MODULES for exhibit in module.EXHIBITS):
        if exhibit.key in found:
            raise ValueError(f"two exhibits are called {exhibit.key!r}")
        found[exhibit.key] = exhibit
    return found


EXHIBITS = _by_key()
"""All exhibits by key. A module lists its own in `EXHIBITS`."""
