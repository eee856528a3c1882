"""RunStatus: where a run stands, as pages are told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunStatus:
    """Where a run stands.

    state : queued, running, paused, done, stopped, failed or interrupted
    ahead : how many runs have their turn before this one
    turn_every_seconds : how long from one of its turns to the next, measured; 0 while unknown
    message : a sentence where something happened that people should know, else ""
    lost_workers : how many workers died over this run; each cost one slice
    settling : a slice is under way or not yet on disk, so that what one reads may still change
    """

    state: str
    step: int = 0
    n_steps: int = 0
    ahead: int = 0
    turn_every_seconds: float = 0.0
    steps_per_second: float = 0.0
    message: str = ""
    lost_workers: int = 0
    settling: bool = False
