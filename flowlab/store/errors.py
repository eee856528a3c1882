"""What can go wrong with a store, in a sentence for whoever reads the page."""

from __future__ import annotations


class StoreError(RuntimeError):
    """The disk or a file on it is the trouble; the text is one sentence and a next step, fit for a page."""


class RunNotFound(StoreError):
    """There is no run, or no table, of this name here."""
