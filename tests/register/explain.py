"""What reasons and repairs say of a row; see `test_register`."""

from __future__ import annotations

from register.entry import entry

SPEAKERS = ("flowlab/explain/*.py",)

NO_STATEMENTS: tuple[str, ...] = (
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
)
"""Names of things, markup and invitations to act, which cannot be false."""

ENTRIES = (
    entry(
        "the score lies below the threshold",
        "tests/explain/test_reasons_hold.py::test_a_row_that_is_not_flagged_is_never_called_unusual",
        "The row is not flagged: its score {} lies below the threshold {}.",
    ),
    entry(
        "no exchange of one column lowers the score",
        "tests/explain/test_reasons_hold.py::test_where_every_value_is_usual_the_combination_is_named",
        "No single column raises the score above that of rows alike in all others.",
    ),
    entry(
        "the column with the largest contribution holds a value that similar rows have",
        "tests/explain/test_reasons_hold.py::test_where_every_value_is_usual_the_combination_is_named",
        "The value that raises the score most is no unusual one; the combination counts, mostly {}.",
    ),
    entry(
        "the edited row scores below the threshold",
        "tests/explain/test_attribution.py::test_a_corrupted_column_comes_first_and_repair_restores_it",
        "Set {}: the score falls from {} to {}, below {}.",
    ),
    entry(
        "no exchange of one column lowers the score",
        "tests/explain/test_reasons_hold.py::test_no_edit_is_proposed_where_none_lowers_the_score",
        "No single edit to usual values lowers the score {}.",
    ),
    entry(
        "the edits found do not bring the score below the threshold",
        "tests/explain/test_reasons_hold.py::test_no_edit_is_proposed_where_none_lowers_the_score",
        "Even with {} the score stays at {}, above {}.",
    ),
    entry(
        "more than half of the similar rows lack the value",
        "tests/explain/test_attribution_of_tables.py::test_a_cell_that_was_filled_silently_is_told_as_missing",
        "{} is {}, usually missing ({} of {} similar rows)",
        "{} is missing, as in {} of {} similar rows",
    ),
)
