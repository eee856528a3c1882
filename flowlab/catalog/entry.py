"""Entry: one data set or model of the catalog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from flowlab.constraints import Constraint, constraints_of
from flowlab.controls import Control, defaults
from flowlab.records import Scalar, Spec

Make = TypeVar("Make", bound=Callable[..., Any], covariant=True)
"""What makes it: the class of a model, or a function to a Dataset."""


@dataclass(frozen=True)
class Entry(Generic[Make]):
    """One data set or model of the catalog.

    `make` is called with the parameters by name and hands them on to its `parts`, if it has any: their signatures say
    the defaults, and their constraints what is valid. `needs_network`: it is fetched when it is first made.
    """

    name: str
    label: str
    make: Make
    controls: tuple[Control, ...] = ()
    blurb: str = ""
    group: str = ""
    parts: tuple[Callable[..., Any], ...] = ()
    needs_network: bool = False

    @cached_property
    def defaults(self) -> dict[str, Scalar]:
        """Default of each control's parameter."""
        return defaults(self.controls, *(self.parts or (self.make,)))

    @cached_property
    def valid(self) -> dict[str, Constraint]:
        """What the parameters may be, by name; it may be more than the controls offer."""
        return {name: found for part in self.parts or (self.make,) for name, found in constraints_of(part).items()}

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
