"""Spec, RunSpec, RunState and TrainEvent: JSON-able records that parts of FlowLab exchange. Standard library only."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

Scalar = int | float | str | bool

MAX_QUERY_VALUE = 4000
"""Longest value, in characters, that a link may carry."""

_PARENT = re.compile(r"([0-9a-f]{16})@([1-9][0-9]{0,8})\Z")


@dataclass(frozen=True)
class Spec:
    """What to build: a catalog name and the parameters that differ from its defaults.

    >>> Spec("moons", {"noise": 0.1}).to_json()
    '{"name":"moons","params":{"noise":0.1}}'
    """

    name: str
    params: Mapping[str, Scalar] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.to_json())

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, so that equal specs are equal texts."""
        return _canonical(asdict(self))


@dataclass(frozen=True)
class RunSpec:
    """A data Spec, a model Spec and a seed (split, initialisation, batch order): everything a run depends on.

    A fork also has a `parent`, "<run id>@<step>": it goes on from that step of that run.

    >>> spec = RunSpec(Spec("moons", {"noise": 0.1}), Spec("spline"), seed=1)
    >>> spec.to_query()
    {'data': 'moons', 'data.noise': '0.1', 'model': 'spline', 'seed': '1'}
    """

    data: Spec
    model: Spec
    seed: int = 0
    parent: str = ""

    def __post_init__(self) -> None:
        if self.parent and not _PARENT.match(self.parent):
            raise ValueError(f"parent must be '<16 hex digits>@<step>', not {_short(self.parent)!r}")

    @property
    def branch(self) -> tuple[str, int] | None:
        """Run id and step a fork goes on from; None for a run that begins at the beginning.

        >>> RunSpec(Spec("moons"), Spec("spline")).forked("3f9a0c1d77e2ab41", 120).branch
        ('3f9a0c1d77e2ab41', 120)
        """
        match = _PARENT.match(self.parent)
        return (match[1], int(match[2])) if match else None

    def forked(self, run_id: str, step: int) -> RunSpec:
        """The same spec as a fork that continues from `step` of run `run_id`."""
        return replace(self, parent=f"{run_id}@{step}")

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces; without `parent` where there is none."""
        # A run without a parent has the text, and so the run id, it had before there were forks.
        return _canonical({key: value for key, value in asdict(self).items() if key != "parent" or value})

    @classmethod
    def from_json(cls, text: str) -> RunSpec:
        """The RunSpec in the text of `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        fields = json.loads(text)
        return cls(Spec(**fields["data"]), Spec(**fields["model"]), int(fields["seed"]), str(fields.get("parent", "")))

    def digest(self) -> str:
        """First 16 hex digits of the sha256 of the canonical JSON. See `catalog.run_id`, which fills in defaults."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_query(self) -> dict[str, str]:
        """The spec as the readable part of a link; defaults (params not given, seed 0) are left out."""
        query = {"data": self.data.name}
        query |= {f"data.{key}": _to_text(value) for key, value in sorted(self.data.params.items())}
        query["model"] = self.model.name
        query |= {f"model.{key}": _to_text(value) for key, value in sorted(self.model.params.items())}
        if self.seed:
            query["seed"] = str(self.seed)
        if self.parent:
            query["from"] = self.parent
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str], default: RunSpec) -> tuple[RunSpec, list[str]]:
        """Read a link: a RunSpec whose parameters are still text, and one sentence for each part that was ignored.

        Names, types and ranges are not checked here but by `catalog.tidy`. Keys that are not of a run (view
        settings of a page) are ignored.
        """
        problems: list[str] = []
        texts: dict[str, str] = {}
        for key, value in query.items():
            if len(str(value)) > MAX_QUERY_VALUE:
                problems.append(f"The link's {_short(key)!r} is too long and was ignored.")
            else:
                texts[key] = str(value)
        specs = {}
        for part, fallback in (("data", default.data), ("model", default.model)):
            name = texts.get(part, fallback.name)
            inherited = fallback.params if name == fallback.name and part not in texts else {}
            prefix = f"{part}."
            params = {key[len(prefix) :]: value for key, value in texts.items() if key.startswith(prefix)}
            specs[part] = Spec(name, {**inherited, **params})
        seed = default.seed
        if "seed" in texts:
            text = texts["seed"].strip()
            if text.isdecimal() and len(text) <= 9:
                seed = int(text)
            else:
                problems.append(
                    f"The link's seed {_short(text)!r} is not a number from 0 to 999999999; {seed} is used."
                )
        parent = texts.get("from", default.parent).strip()
        if parent and not _PARENT.match(parent):
            problems.append(
                f"The link's from {_short(parent)!r} is no run id and step, as in 3f9a0c1d77e2ab41@120; it was ignored."
            )
            parent = ""
        return cls(specs["data"], specs["model"], seed, parent), problems


class RunState(StrEnum):
    """Where a run stands; the text is what its record on disk says."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_live(self) -> bool:
        """Whether it is in training, or waits for its turn."""
        return self in (RunState.QUEUED, RunState.RUNNING)

    @property
    def rests(self) -> bool:
        """Whether it can be gone on with."""
        return self in (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED)


@dataclass(frozen=True)
class TrainEvent:
    """A report on one stretch of training.

    `train_loss` (mean over the stretch) and `val_loss` (newest evaluation, nan before the first) are means per
    row, in the unit the estimator's `loss_label` names; `seconds` counts training time since the run began.
    """

    step: int
    n_steps: int
    epoch: float
    train_loss: float
    val_loss: float
    seconds: float
    rows_per_second: float
    is_best: bool = False
    note: str = ""

    def to_json(self) -> str:
        """One line of JSON; numbers that are not finite become null."""
        values = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }
        return _canonical(values)

    @classmethod
    def from_json(cls, text: str) -> TrainEvent:
        """The event in a line of `to_json`; null becomes nan."""
        values = json.loads(text)
        return cls(**{key: math.nan if value is None else value for key, value in values.items()})


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _to_text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
