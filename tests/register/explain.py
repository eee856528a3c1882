"""What reasons and repairs say of a row; see `test_register`."""

from __future__ import annotations

SPEAKERS = ("flowlab/explain/*.py",)

NO_STATEMENTS: tuple[str, ...] = ()
"""Names of things and invitations to act, which cannot be false."""

ENTRIES = ()
