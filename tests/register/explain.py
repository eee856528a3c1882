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
        "no value of the row that raises its score is unusual among similar rows",
        "tests/explain/test_kinds.py::test_every_row_is_of_one_kind_however_many_there_are",
        "a combination of usual values",
    ),
    entry(
        "rows counted by what is unusual in them, with a row that is among those counted",
        "tests/explain/test_kinds.py::test_two_planted_kinds_are_found_with_their_rows_and_a_typical_one",
        "{}: {}. Typical is row {}: {}.",
    ),
    entry(
        "no row that the encoding was learned from holds this",
        "tests/explain/test_novelty.py::test_each_change_is_named_in_its_row_alone",
        " instead of {}, as always before",
        "{} does not follow from {}, as always before",
        "{} is infinite, or as good as",
        "{} {} is {} than all learned, to {}",
    ),
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
