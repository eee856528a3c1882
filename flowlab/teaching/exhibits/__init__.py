"""The exhibits of the lessons, a module for each theme."""

from __future__ import annotations

from types import ModuleType

from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits import change_of_variables, clump, codes, decision, malware, reconstruction

_MODULES: tuple[ModuleType, ...] = (change_of_variables, clump, reconstruction, codes, decision, malware)

EXHIBITS: dict[str, Exhibit] = {exhibit.key: exhibit for module in _MODULES for exhibit in module.EXHIBITS}
"""All exhibits by key. A module lists its own in `EXHIBITS`."""
