"""Errors of a store, each a sentence that a page can show."""

from __future__ import annotations


class StoreError(RuntimeError):
    """The disk, or a file on it, cannot be used; the text is one sentence and a next step, fit for a page."""


class RunNotFound(StoreError):
    """There is no run, or no table, of this name here."""


class DamagedRun(StoreError):
    """The record of a run cannot be understood; the run is left as it is until somebody sets it aside."""


class NewerRun(StoreError):
    """A newer FlowLab wrote the run; it is whole, and this one cannot read it."""
