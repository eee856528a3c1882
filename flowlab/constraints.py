"""Constraints: which values of its parameters a class or a function accepts, stated once and checked in one place.

A class states them in `valid`, merged over its bases; a function by the decorator `checked`.

>>> @checked(share=Interval(float, 0, 1, closed="neither"))
... def top(scores, *, share=0.01): ...
>>> top([1, 2], share=2)
Traceback (most recent call last):
    ...
ValueError: share must be a number above 0 and below 1, not 2
"""

from __future__ import annotations

import functools
import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class Constraint(ABC):
    """What one parameter may be; `str` says it in words, `a | b` allows either."""

    @abstractmethod
    def accepts(self, value: object) -> bool:
        """Whether the parameter may have this value."""

    def __or__(self, other: Constraint) -> Constraint:
        return Either(self, other)


@dataclass(frozen=True)
class Interval(Constraint):
    """Finite numbers from `low` to `high`, whole ones if `kind` is int.

    `closed` says which ends belong to it: "both", "left", "right" or "neither".
    """

    kind: type[int] | type[float]
    low: float = -math.inf
    high: float = math.inf
    closed: str = "both"

    def accepts(self, value: object) -> bool:
        """See `Constraint.accepts`; numbers of NumPy are numbers."""
        if not isinstance(value, Integral if self.kind is int else Real) or not math.isfinite(value):
            return False
        number = float(value)
        reaches_low = number >= self.low if self._has_low else number > self.low
        return reaches_low and (number <= self.high if self._has_high else number < self.high)

    @property
    def _has_low(self) -> bool:
        return self.closed in ("both", "left")

    @property
    def _has_high(self) -> bool:
        return self.closed in ("both", "right")

    def __str__(self) -> str:
        number = "a whole number" if self.kind is int else "a number"
        low, high = f"{self.low:,.15g}", f"{self.high:,.15g}"
        if math.isfinite(self.low) and math.isfinite(self.high) and self.closed == "both":
            return f"{number} from {low} to {high}"
        above = [f"of at least {low}" if self._has_low else f"above {low}"] * math.isfinite(self.low)
        below = [f"at most {high}" if self._has_high else f"below {high}"] * math.isfinite(self.high)
        return f"{number} {' and '.join([*above, *below])}".strip()


class OneOf(Constraint):
    """One of a few values."""

    def __init__(self, *values: Hashable) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"OneOf{self.values!r}"

    def accepts(self, value: object) -> bool:
        """See `Constraint.accepts`."""
        return isinstance(value, Hashable) and value in self.values

    def __str__(self) -> str:
        return ("one of " if len(self.values) > 1 else "") + ", ".join(map(str, self.values))


@dataclass(frozen=True)
class Matching(Constraint):
    """Texts that a regular expression matches as a whole, in `words`."""

    pattern: str
    words: str

    def accepts(self, value: object) -> bool:
        """See `Constraint.accepts`."""
        return isinstance(value, str) and re.fullmatch(self.pattern, value, re.DOTALL) is not None

    def __str__(self) -> str:
        return self.words


class Either(Constraint):
    """What one of several constraints accepts."""

    def __init__(self, *parts: Constraint) -> None:
        self.parts = parts

    def __repr__(self) -> str:
        return " | ".join(map(repr, self.parts))

    def accepts(self, value: object) -> bool:
        """See `Constraint.accepts`."""
        return any(part.accepts(value) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


YES_OR_NO = OneOf(True, False)
TEXT = Matching(".*", "a text")
COUNT = Interval(int, 1)
POSITIVE = Interval(float, 0, closed="neither")
NOT_NEGATIVE = Interval(float, 0)
SHARE = Interval(float, 0, 1)
PROPER_SHARE = Interval(float, 0, 1, closed="neither")
"""Some rows, not none and not all."""


def constraints_of(maker: Callable[..., Any]) -> dict[str, Constraint]:
    """What the parameters of a class or function may be, by name; of those for which it is stated."""
    while isinstance(maker, functools.partial):
        maker = maker.func
    owners = reversed(maker.__mro__) if isinstance(maker, type) else (maker,)
    return {name: constraint for owner in owners for name, constraint in vars(owner).get("valid", {}).items()}


def check_parameters(values: Mapping[str, object], constraints: Mapping[str, Constraint]) -> None:
    """ValueError that names the first of `values` that its constraint does not accept, and what is allowed."""
    for name, constraint in constraints.items():
        if name in values and not constraint.accepts(values[name]):
            raise ValueError(f"{name} must be {constraint}, not {values[name]!r}")


def checked(**valid: Constraint) -> Callable[[F], F]:
    """A decorator: the function checks these of its parameters before it runs."""

    def decorate(function: F) -> F:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def checking(*args: Any, **kwargs: Any) -> Any:
            check_parameters(signature.bind(*args, **kwargs).arguments, valid)
            return function(*args, **kwargs)

        vars(checking)["valid"] = valid
        return checking  # type: ignore[return-value]

    return decorate
