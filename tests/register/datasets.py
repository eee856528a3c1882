"""What the check-up before training says of a table; see `test_register`."""

from __future__ import annotations

SPEAKERS = ("flowlab/datasets/checkup.py",)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
