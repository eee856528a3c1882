"""Answers: views of trained models, computed on a separate lane so that a slider answers while others train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from flowlab.datasets.dataset import Dataset
from flowlab.jobs import slices
from flowlab.jobs.dispatch import Dispatcher
from flowlab.jobs.lanes import JobError, Lane, is_lost_worker
from flowlab.records import RunSpec

MAX_TRIES = 4
"""One call may report what the worker lacks and one sends it; both again if the worker was lost."""

_LOST = "The worker that computes pictures was lost; try again in a few seconds."


class Answers:
    """Computes views on the evaluation lane, sends data or weights it lacks, and replaces its worker when that dies.

    Parameters
    ----------
    lane : the evaluation lane
    dispatcher : its lock guards the lane
    load : gives the data set of a run, for a worker that cannot build it itself
    """

    def __init__(self, lane: Lane, dispatcher: Dispatcher, load: Callable[[RunSpec], Dataset]) -> None:
        self._lane, self._dispatcher, self._load = lane, dispatcher, load

    def ask(
        self,
        spec: RunSpec,
        state: slices.Arrays,
        key: tuple,
        view: Callable[..., Any],
        kwargs: Mapping[str, Any],
        timeout: float,
    ) -> Any:
        """What a view gives: `view(model, dataset, **kwargs)`.

        Parameters
        ----------
        spec : of the run
        state : its weights, empty for a model that is not trained
        key : identifies `state`, so that the worker can keep the model
        view, kwargs : a function of a module, and its arguments
        timeout : seconds to wait

        JobError after `timeout`, or if the worker was lost repeatedly.
        """
        needs = slices.Needs()
        for _ in range(MAX_TRIES):
            dataset = self._load(spec) if needs.data else None
            arguments = (spec, state if needs.state else None, view, kwargs, dataset, key)
            answer = self._again(slices.run_view, arguments, timeout)
            if not isinstance(answer, slices.Needs):
                return answer
            needs = answer
        raise JobError(_LOST)

    def compute(self, function: Callable[..., Any], kwargs: Mapping[str, Any], timeout: float) -> Any:
        """`function(**kwargs)` of a module, for what needs no run. JobError as `ask`."""
        return self._again(_apply, (function, kwargs), timeout)

    def _again(self, function: Callable[..., Any], arguments: tuple, timeout: float) -> Any:
        """As `_once`; once more where the worker was lost."""
        for _ in range(MAX_TRIES):
            try:
                return self._once(function, arguments, timeout)
            except Exception as error:
                if not is_lost_worker(error):
                    raise
                with self._dispatcher.lock:
                    self._lane.reopen(self._dispatcher.post)
        raise JobError(_LOST)

    def _once(self, function: Callable[..., Any], arguments: tuple, timeout: float) -> Any:
        with self._dispatcher.lock:
            if self._dispatcher.closed:
                raise JobError("The server is shutting down.")
            if self._lane.state == "closed":
                self._lane.open(self._dispatcher.post)
            future = self._lane.worker.submit(function, *arguments)
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise JobError(f"This took longer than {timeout:g} s; ask for fewer rows or points.") from None


def _apply(function: Callable[..., Any], kwargs: Mapping[str, Any]) -> Any:
    return function(**kwargs)
