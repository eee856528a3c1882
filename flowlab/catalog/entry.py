"""Entry and Control: one data set or model of the catalog, and one of its parameters."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from flowlab.records import Scalar, Spec

_MASK = re.compile("=?[01]{2,1000}")


@dataclass(frozen=True)
class Control:
    """One parameter a person can edit: its label, its help and its allowed values.

    `kind` is "int", "float", "choice", "mask" (a choice, or digits 0 and 1 for the columns), "flag" or "text"; `low`
    and `high` bound the numbers; `choices` maps values to labels; `main` controls are shown at once, the others fold
    away. A `learning` control says how the weights are learned, not what they mean or what the loss measures: a fork
    may change it. A `later` control came when runs already had names: its default is no part of them.
    """

    name: str
    label: str
    kind: str
    low: float = 0
    high: float = 0
    step: float = 1
    choices: Mapping[str, str] = field(default_factory=dict)
    help: str = ""
    main: bool = False
    log: bool = False
    learning: bool = False
    later: bool = False

    def read(self, value: object) -> tuple[Scalar, str]:
        """The value as this control allows it, and a sentence if it was changed. Raises ValueError if unreadable."""
        if self.kind == "flag":
            text = str(value).strip().lower()
            if text not in ("true", "false"):
                raise ValueError(f"{self.label} is either true or false")
            return text == "true", ""
        if self.kind == "choice":
            if str(value) not in self.choices:
                raise ValueError(f"{self.label} is one of: {', '.join(self.choices)}")
            return str(value), ""
        if self.kind == "mask":
            text = str(value).strip()
            if text not in self.choices and not (_MASK.fullmatch(text) and {"0", "1"} <= set(text)):
                raise ValueError(
                    f"{self.label} is one of: {', '.join(self.choices)}; or a 0 or 1 for each column, at least one of "
                    "both, as in 0110 (in turn) or =0110 (the same in each layer)"
                )
            return text, ""
        if self.kind == "text":
            return str(value), ""
        try:
            number = float(str(value))
        except ValueError:
            raise ValueError(f"{self.label} is a number from {self.low:g} to {self.high:g}") from None
        if not math.isfinite(number):
            raise ValueError(f"{self.label} is a number from {self.low:g} to {self.high:g}")
        inside = min(max(number, self.low), self.high)
        problem = (
            "" if inside == number else f"{self.label} was set to {inside:g}: {self.low:g} to {self.high:g} is allowed."
        )
        return (round(inside) if self.kind == "int" else inside), problem


@dataclass(frozen=True)
class Entry:
    """One data set or model of the catalog.

    `make` is called with the parameters by name; what its signature says are the defaults.
    """

    name: str
    label: str
    make: Callable[..., Any]
    controls: tuple[Control, ...] = ()
    blurb: str = ""
    group: str = ""
    fixed: Mapping[str, Scalar] = field(default_factory=dict)
    """Arguments of `make` that define this entry and cannot be edited."""

    @cached_property
    def defaults(self) -> dict[str, Scalar]:
        """Default of each control, read from the signature of `make`."""
        parameters = inspect.signature(self.make).parameters
        return {control.name: parameters[control.name].default for control in self.controls}

    def tidy(self, spec: Spec) -> tuple[Spec, list[str]]:
        """The spec with only known, allowed parameters that differ from the defaults, and one sentence per problem."""
        controls = {control.name: control for control in self.controls}
        params: dict[str, Scalar] = {}
        problems = []
        for key, value in spec.params.items():
            if key not in controls:
                problems.append(f"{self.label} has no setting named {key[:40]!r}; it was ignored.")
                continue
            try:
                params[key], problem = controls[key].read(value)
            except ValueError as error:
                problems.append(f"{error}; {str(value)[:40]!r} was ignored.")
                continue
            if problem:
                problems.append(problem)
        return Spec(self.name, {k: v for k, v in params.items() if v != self.defaults[k]}), problems

    def complete(self, spec: Spec) -> Spec:
        """The spec with every parameter written out."""
        return Spec(self.name, {**self.defaults, **spec.params})

    def identity(self, spec: Spec) -> Spec:
        """What names a run: the complete spec, but without `later` controls at their default."""
        params = dict(self.complete(spec).params)
        for control in self.controls:
            if control.later and params[control.name] == self.defaults[control.name]:
                del params[control.name]
        return Spec(self.name, params)
