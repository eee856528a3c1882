"""What threshold rules, promises and drift say; see `test_register`."""

from __future__ import annotations

SPEAKERS = (
    "flowlab/detection/*.py",
    "flowlab/dashboard/detect/*.py",
    "flowlab/dashboard/score/*.py",
)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
