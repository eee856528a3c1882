"""Notes on blocks of a file add up to notes on the file, whatever words a column's name holds."""

from flowlab.tables.notes import Note, added
from flowlab.tables.read import read_table


def test_notes_that_differ_only_in_count_and_example_become_one():
    blocks = [
        Note("5 rows has new values in ", 2, example=", such as 'a'"),
        Note("A sentence without a count."),
        Note("5 rows has new values in ", 1999, example=", such as 'b'"),
        Note("6 rows has new values in ", 1),
        Note("A sentence without a count."),
    ]
    assert [str(note) for note in added(blocks)] == [
        "5 rows has new values in 2\u2009001 rows, such as 'a'.",
        "A sentence without a count.",
        "6 rows has new values in 1 row.",
    ]


def test_reading_says_what_became_of_rows():
    table = read_table(b"a,b\n1,2\n3\n,\na,b\n5,6\n" + b"7,8\n" * 30)
    said = [*table.report.changes, *table.report.warnings]
    assert "Dropped 1 row without any value." in said
    assert "Dropped 1 repeated header line inside the table." in said
    assert "The last cells of 1 row shorter than the header count as missing, first in line 3." in said
