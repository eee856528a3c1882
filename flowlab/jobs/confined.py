"""A process of its own for one piece of work on bytes of unknown origin: bounded in memory and in time, then gone."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from flowlab.jobs import slices
from flowlab.jobs.lanes import JobError, is_lost_worker

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_ADDRESSES = 3 * 2**30
"""Bytes of address space; PyTorch and our own imports take 1 GB of it, most of which is never touched."""
MAX_SECONDS = 90.0
"""The start of the process included, which takes seconds, and more of them on a busy server."""
MAX_AT_ONCE = 2

_places = threading.Semaphore(MAX_AT_ONCE)


def confined(
    function: Callable[[Item], Result], item: Item, max_addresses: int = MAX_ADDRESSES, seconds: float = MAX_SECONDS
) -> Result:
    """function(item), carried out by a process that may use so much address space and take so long.

    What the function raises is raised here, JobError where the process took too long or too much, or died. Two such
    processes run at a time, further calls wait. The limit of memory holds where the system has one (not on Windows).
    """
    with _places:
        context = multiprocessing.get_context("spawn")
        executor = ProcessPoolExecutor(1, mp_context=context, initializer=_confine, initargs=(max_addresses,))
        try:
            return executor.submit(function, item).result(seconds)
        except FutureTimeout:
            raise JobError(
                f"This took longer than {seconds:g} s and was given up; choose another file, or try again later."
            ) from None
        except Exception as error:
            if isinstance(error, MemoryError) or is_lost_worker(error):
                raise JobError("This needed more memory than it is given; choose another file.") from error
            raise
        finally:
            for process in list((executor._processes or {}).values()):
                process.kill()
            executor.shutdown(wait=False, cancel_futures=True)


def _confine(max_addresses: int) -> None:
    slices.start_worker()
    slices.limit("RLIMIT_AS", max_addresses)
