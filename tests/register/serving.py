"""What the report says; see `test_register`."""

from __future__ import annotations

SPEAKERS = ("flowlab/serving/report.py",)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
