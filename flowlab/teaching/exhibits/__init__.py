"""The exhibits of the lessons, a module for each theme: whichever names some in its `EXHIBITS` is found here."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module

from flowlab.teaching.exhibit import Exhibit

EXHIBITS: Mapping[str, Exhibit]
"""All exhibits by key; the modules are imported when it is first asked for."""


def __getattr__(name: str) -> Mapping[str, Exhibit]:
    if name == "EXHIBITS":
        return _by_key()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@lru_cache(maxsize=1)
def _by_key() -> Mapping[str, Exhibit]:
    found: dict[str, Exhibit] = {}
    for module in pkgutil.iter_modules(__path__):
        exhibits: tuple[Exhibit, ...] = getattr(import_module(f"{__name__}.{module.name}"), "EXHIBITS", ())
        for exhibit in exhibits:
            if exhibit.key in found:
                raise ValueError(f"two exhibits are called {exhibit.key!r}")
            found[exhibit.key] = exhibit
    return found
