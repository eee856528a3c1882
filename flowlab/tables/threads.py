"""Work on parts of one array or file in threads, which run in parallel where compiled code releases the lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

MAX_THREADS = 4


def n_threads() -> int:
    """Number of parts worked on at once: that of the processors, at most `MAX_THREADS`."""
    return min(MAX_THREADS, os.cpu_count() or 1)


def in_threads(work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
    """Results of `work` for each part, in their order; the first error is raised once all have ended."""
    if len(parts) == 1:
        return [work(parts[0])]
    with ThreadPoolExecutor(n_threads()) as pool:
        return list(pool.map(work, parts))
