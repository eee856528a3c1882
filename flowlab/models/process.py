"""What a process that only computes says to the libraries under the estimators."""

from __future__ import annotations


def use_one_thread() -> None:
    """One thread for torch, denormals flushed, in the calling thread; see `flowlab.nets.process`."""
    from flowlab.nets.process import use_one_thread

    use_one_thread()
