"""How a process computes with torch when many share a machine."""

from __future__ import annotations

import threading

import torch

_done = threading.local()


def use_one_thread() -> None:
    """One torch thread, denormals flushed to zero; cheap to call again.

    Small nets gain nothing from more threads, and workers share the cores; with one thread sums are also the same on
    any number of cores. Denormals are tens of times slower; the flag that flushes them belongs to the calling thread.
    """
    if getattr(_done, "yes", False):
        return
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _done.yes = True
