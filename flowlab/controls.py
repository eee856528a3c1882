"""Controls: what a person may set of a parameter, how it reads from a link, and where its default stands.

A control offers a range; what an estimator accepts may be wider (`flowlab.constraints`). Defaults stand in the
signatures of the functions and classes that take the parameters, and nowhere else (`defaults`).

>>> LAYERS = Int("n_layers", "Layers", 1, 32)
>>> LAYERS.read("8"), LAYERS.read(99)
((8, ''), (32, 'Layers was set to 32: 1 to 32 is allowed.'))
"""

from __future__ import annotations

import inspect
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from flowlab.records import Scalar

_DIGITS = re.compile("=?[01]{2,1000}")


@dataclass(frozen=True)
class Control(ABC):
    """One parameter a person can edit: its label, its help and what it may be.

    `main` controls are shown at once, the others fold away. A `learning` control says how the weights are learned, not
    what they mean or what the loss measures: a fork may change it. A `later` control came when runs already had names:
    its default is no part of them.
    """

    name: str
    label: str
    _: KW_ONLY
    help: str = ""
    main: bool = False
    learning: bool = False
    later: bool = False

    @abstractmethod
    def read(self, value: object) -> tuple[Scalar, str]:
        """The value as this control allows it, and a sentence if it was changed. Raises ValueError if unreadable."""

    def strictly(self, value: object) -> Scalar:
        """The value read, or ValueError with what is allowed where it cannot be taken as it is."""
        return self.read(value)[0]

    def spelled(self, value: Scalar) -> str:
        """The value in a list of settings: 0.01, alternate."""
        return f"{value:g}" if isinstance(value, float) else str(value)

    def read_or(self, value: object, default: Scalar) -> Scalar:
        """The value as this control allows it; the default for None and for what cannot be read."""
        try:
            return default if value is None else self.read(value)[0]
        except ValueError:
            return default


@dataclass(frozen=True)
class Number(Control):
    """A number from `low` to `high` in steps of `step`; the range of a `log` one is too wide for a slider."""

    low: float
    high: float
    step: float = 1
    _: KW_ONLY
    log: bool = False

    @abstractmethod
    def typed(self, number: float) -> int | float:
        """The number in the type of the parameter."""

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`; out of range means the nearest end."""
        number = self._number(value)
        inside = min(max(number, self.low), self.high)
        changed = f"{self.label} was set to {inside:g}: {self.low:g} to {self.high:g} is allowed."
        return self.typed(inside), "" if inside == number else changed

    def number_or(self, value: object, default: float) -> float:
        """As `Control.read_or`, which for a number gives a number."""
        return float(self.read_or(value, default))

    def strictly(self, value: object) -> Scalar:
        """See `Control.strictly`; out of range is refused."""
        number, changed = self.read(value)
        if changed:
            raise ValueError(self._allowed())
        return number

    def _number(self, value: object) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(self._allowed())
        return number

    def _allowed(self) -> str:
        return f"{self.label} is a number from {self.low:g} to {self.high:g}"


class Int(Number):
    """A whole number."""

    def typed(self, number: float) -> int:
        """See `Number.typed`."""
        return round(number)


class Float(Number):
    """A number."""

    def typed(self, number: float) -> float:
        """See `Number.typed`."""
        return float(number)


@dataclass(frozen=True)
class Choice(Control):
    """One of `choices`, a mapping of values to labels."""

    choices: Mapping[str, str]

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`."""
        if str(value) not in self.choices:
            raise ValueError(f"{self.label} is one of: {', '.join(self.choices)}")
        return str(value), ""


class Mask(Choice):
    """One of `choices`, or digits 0 and 1 for the columns."""

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`."""
        text = str(value).strip()
        if text not in self.choices and not (_DIGITS.fullmatch(text) and {"0", "1"} <= set(text)):
            raise ValueError(
                f"{self.label} is one of: {', '.join(self.choices)}; or a 0 or 1 for each column, at least one of "
                "both, as in 0110 (in turn) or =0110 (the same in each layer)"
            )
        return text, ""


@dataclass(frozen=True)
class Rule(Choice):
    """One of `choices`, each a rule, or a number from `low` to `high` in place of one."""

    low: float
    high: float

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`."""
        if str(value) in self.choices:
            return str(value), ""
        try:
            number = float(str(value).replace(",", "."))
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high:
            raise ValueError(
                f"{self.label} is one of: {', '.join(self.choices)}; or a number from {self.low:g} to {self.high:g}"
            )
        return number, ""


class Flag(Control):
    """True or false."""

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`."""
        text = str(value).strip().lower()
        if text not in ("true", "false"):
            raise ValueError(f"{self.label} is either true or false")
        return text == "true", ""

    def spelled(self, value: Scalar) -> str:
        """See `Control.spelled`: on, off."""
        return "on" if value else "off"


class Text(Control):
    """Any text; no form shows it."""

    def read(self, value: object) -> tuple[Scalar, str]:
        """See `Control.read`."""
        return str(value), ""


def defaults(controls: Iterable[Control], *makers: Callable[..., Any]) -> dict[str, Any]:
    """Default of each control's parameter, read from the signatures of what takes it; KeyError where nothing does."""
    taken = {p.name: p.default for maker in makers for p in inspect.signature(maker).parameters.values()}
    return {control.name: taken[control.name] for control in controls}
