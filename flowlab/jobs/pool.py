"""A pool for work in many equal pieces, such as scoring a long file: processes here, or a Dask cluster."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import TypeVar

from flowlab.jobs import slices
from flowlab.jobs.lanes import JobError, dask_client, default_width, is_lost_worker

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextlib.contextmanager
def pool(width: int | None = None, nice: int = 0) -> Iterator[Callable]:
    """A context that gives imap(function, items): results in order, computed a few pieces ahead.

    With FLOWLAB_SCHEDULER the workers of that Dask cluster compute them, unless `width` is 0. At the end of the block
    the processes are gone and pieces that were not consumed are dropped. JobError from `imap` if a worker is lost.

    Parameters
    ----------
    width : number of processes; 0 works in this one, None has `default_width()`
    nice : niceness of the processes
    """
    if width == 0:
        yield lambda function, items: map(function, items)
        return
    address = os.environ.get("FLOWLAB_SCHEDULER", "")
    if address:
        with dask_client(address) as client:
            threads = sum(w["nthreads"] for w in client.scheduler_info(n_workers=-1)["workers"].values())
            yield lambda function, items: _in_order(client.get_executor(pure=False), function, items, max(threads, 1))
        return
    width = width or default_width()
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(width, mp_context=context, initializer=slices.start_worker, initargs=(nice,))
    try:
        yield lambda function, items: _in_order(executor, function, items, width)
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _in_order(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item], width: int
) -> Iterator[Result]:
    items = iter(items)
    ahead = deque(executor.submit(function, item) for item in itertools.islice(items, width + 2))
    while ahead:
        try:
            result = ahead.popleft().result()
        except Exception as error:
            if is_lost_worker(error):
                raise JobError("A worker was lost; try again, with fewer lanes if memory is short.") from error
            raise
        ahead.extend(executor.submit(function, item) for item in itertools.islice(items, 1))
        yield result
