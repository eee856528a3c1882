"""What the pages say beside what the library says; see `test_register`."""

from __future__ import annotations

SPEAKERS = (
    "flowlab/dashboard/shell/headline.py",
    "flowlab/dashboard/explore/trust.py",
    "flowlab/dashboard/compare/*.py",
    "flowlab/dashboard/train/*.py",
)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
