"""What loss answers, the trust badge and comparisons say; see `test_register`."""

from __future__ import annotations

SPEAKERS = (
    "flowlab/evaluation/*.py",
    "flowlab/catalog/sweeps.py",
)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
