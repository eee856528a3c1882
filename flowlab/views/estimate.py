"""What training will take, found out by a few steps of it."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flowlab import formatting
from flowlab.datasets.dataset import Dataset, Part
from flowlab.models.base import DensityModel
from flowlab.models.classical.one_step import OneStepModel

ENOUGH_SECONDS = 0.25
"""A stretch that took so long is measured well enough."""
EVALUATED_EVERY = 50
"""Steps of a training after which the loss of validation rows is found out."""
FIRST_ROWS = 200
STEEPEST = 2.0
"""How the time of a model without steps may grow with the rows, at most: their square."""


@dataclass(frozen=True)
class TrainingEstimate:
    """What training will take on a free core of this machine.

    Attributes
    ----------
    seconds : of training, nan where that is not known
    n_bytes : of memory that the process takes meanwhile, program and data included; 0 where that is not known
    is_guess : whether it was found on fewer rows, or on the first of several models
    may_end_early : whether training ends before its last step where the loss no longer falls
    """

    seconds: float
    n_bytes: int = 0
    is_guess: bool = False
    may_end_early: bool = False

    @property
    def sentence(self) -> str:
        """Time and memory with as many digits as they deserve, and how far they are to be trusted; "" if unknown.

        >>> TrainingEstimate(11.7, 312_000_000).sentence
        'Takes about 12 s of a free core and 350 MB, measured on a few steps.'
        >>> TrainingEstimate(0.02, is_guess=True).sentence
        'Perhaps under 1 s of a free core, a guess from a part of it.'
        """
        if not math.isfinite(self.seconds):
            return ""
        is_short = self.seconds < 1
        time_taken = f"{'under 1 s' if is_short else _about(self.seconds)} of a free core"
        amounts = " and ".join(filter(None, [time_taken, _size(self.n_bytes)]))
        if self.is_guess:
            return f"Perhaps {amounts}, a guess from a part of it."
        about = "" if is_short else "at most about " if self.may_end_early else "about "
        return f"Takes {about}{amounts}, measured on a few steps."


UNKNOWN = TrainingEstimate(math.nan)


def estimate(model: DensityModel, dataset: Dataset, clock: Callable[[], float] = time.process_time) -> TrainingEstimate:
    """What fitting this model to the rows of the data set will take; takes about half a second itself.

    A model that is trained in steps takes more and more of them until they last long enough; one without steps is
    fitted to more and more rows. `model` is left part-trained. The processor's time is what is measured, so that others
    who are at work do not count.
    """
    X, X_val = dataset.fitting_rows(), dataset.fitting_rows(Part.MONITOR)
    val = X_val if len(X_val) else None
    with _peak_memory() as peak:
        if isinstance(model, OneStepModel):
            seconds, is_guess = _of_rows(model, X, val, clock)
        else:
            seconds, is_guess = _of_steps(model, X, val, clock), model.is_ensemble
    return TrainingEstimate(seconds, max(peak), is_guess, bool(getattr(model, "patience", 0)))


def _of_steps(model: DensityModel, X: np.ndarray, X_val: np.ndarray | None, clock: Callable[[], float]) -> float:
    """Seconds of all steps, from stretches of them: what each step takes, and what the evaluation after each stretch.

    The first step, which sets things up, counts once.
    """
    start = clock()
    (first,) = model.fit_iter(X, X_val, n_steps=1)
    setup, total, step, n = clock() - start, first.n_steps, first.step, 2
    stretches: list[tuple[int, float]] = []
    while step < total:
        began = clock()
        events = list(model.fit_iter(X, X_val, checkpoint=model.get_checkpoint(), n_steps=n))
        done, took = (events[-1].step if events else step) - step, clock() - began
        step += done
        stretches.append((done, took))
        if done < n or step >= total:  # it is over, by itself or at the last step
            return clock() - start
        if took >= ENOUGH_SECONDS:
            break
        n = min(4 * n, max(n + 1, math.ceil(1.2 * n * ENOUGH_SECONDS / max(took, 1e-9))))
    if not stretches:
        return setup
    (few, short), (many, long) = (stretches[0] if len(stretches) > 1 else (0, 0.0)), stretches[-1]
    each = max(long - short, 0.0) / (many - few)
    evaluation = max(long - each * many, 0.0)
    return setup + total * (each + evaluation / EVALUATED_EVERY)


def _of_rows(
    model: DensityModel, X: np.ndarray, X_val: np.ndarray | None, clock: Callable[[], float]
) -> tuple[float, bool]:
    """Seconds of one fit, and whether they are extrapolated from fits to fewer rows."""
    found: list[tuple[int, float]] = []
    n = min(FIRST_ROWS, len(X))
    while True:
        start = clock()
        for _ in model.fit_iter(X[:n], None if X_val is None else X_val[: max(n // 4, 1)]):
            pass
        found.append((n, clock() - start))
        if n == len(X):
            return found[-1][1], False
        if found[-1][1] >= ENOUGH_SECONDS:
            break
        n = min(2 * n, len(X))
    (few, short), (many, long) = found[-2:] if len(found) > 1 else [(1, 0.0), *found]
    steepness = min(max(math.log(long / short) / math.log(many / few), 0.0), STEEPEST) if short > 0 else STEEPEST
    return long * (len(X) / many) ** steepness, True


@contextmanager
def _peak_memory(every_seconds: float = 0.005) -> Iterator[list[int]]:
    """A list to which the bytes of memory that this process holds are added while the block runs; 0 where unknown."""
    statm, seen, is_over = Path("/proc/self/statm"), [0], threading.Event()

    def watch() -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not is_over.wait(every_seconds):
            seen[0] = max(seen[0], int(statm.read_text().split()[1]) * page)

    if not statm.exists():  # only Linux has it
        yield seen
        return
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def _about(seconds: float) -> str:
    """A duration with the digits that an estimate has: 8 s, 12 s, 45 s, 4 min, 2.1 h."""
    if seconds < 90:
        return f"{formatting.count(round(seconds) if seconds < 20 else 5 * round(seconds / 5))} s"
    return f"{formatting.count(round(seconds / 60))} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _size(n_bytes: int) -> str:
    """An amount of memory, rounded up to 50 MB or 0.1 GB; "" where it is not known."""
    if not n_bytes:
        return ""
    megabytes = 50 * math.ceil(n_bytes / 50e6)
    return f"{megabytes} MB" if megabytes < 1000 else f"{math.ceil(n_bytes / 1e8) / 10:.1f} GB"
