"""A large table that is parsed piece by piece is the table that a parse of the whole gives."""

import numpy as np
import pandas as pd
import pytest

from flowlab.tables import delimited, segments
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table
from flowlab.tables.segments import put_together

N_ROWS = 1_000
AT = 700
"""The row from which on a column looks different than before."""


@pytest.fixture(params=[1, 3], ids=["one segment", "three segments"])
def in_pieces(monkeypatch, request):
    """Reading in pieces of 100 rows, counted; the list says for each read whether the pieces fitted together."""
    monkeypatch.setattr(segments, "n_threads", lambda: request.param)
    monkeypatch.setattr(segments, "MIN_SEGMENT_BYTES", 1_000)
    fitted = []

    def counted(*arguments, **options):
        frame = put_together(*arguments, **options)
        fitted.append(frame is not None)
        return frame

    monkeypatch.setattr(delimited, "put_together", counted)
    monkeypatch.setattr(delimited, "MIN_PIECE_ROWS", 100)
    monkeypatch.setattr(delimited, "PIECE_CELLS", 0)
    return fitted


def column(before: object, after: object) -> list[object]:
    return [before] * AT + [after] * (N_ROWS - AT)


DATES = pd.date_range("2024-02-28", periods=N_ROWS, freq="min").astype(str).tolist()
TABLES = {
    "numbers, dates and texts": ({"c": DATES, "d": column("x", "y")}, True),
    "decimals appear": ({"c": column(1, 2.5)}, True),
    "whole numbers appear": ({"c": column(1.5, 2)}, True),
    "numbers run out": ({"c": column(1.5, "")}, True),
    "dates run out": ({"c": [*DATES[:AT], *[""] * (N_ROWS - AT)]}, True),
    "texts run out": ({"c": column("x", "")}, True),
    "line ends in quotes": ({"c": column('"two\nlines, one cell"', "x")}, True),
    "blank lines": ({"c": [*DATES[:50], DATES[50] + "\n", *DATES[51:]]}, True),
    "texts appear": ({"c": column("", "x")}, False),
    "dates appear": ({"c": [*[""] * AT, *DATES[AT:]]}, False),
    "a text among numbers": ({"c": [*range(AT), "?!", *range(AT + 1, N_ROWS)]}, False),
    "a text among dates": ({"c": [*DATES[:AT], "soon", *DATES[AT + 1 :]]}, False),
    "truth values with a hole": ({"c": [*[True] * AT, "", *[False] * (N_ROWS - AT - 1)]}, False),
    "truth values turn numbers": ({"c": column("True", 5)}, False),
    "beyond 64 bits": ({"c": column(1, 2**70)}, False),
    "a header in the middle": ({"c": [*range(AT), "c\na,c", *range(AT + 1, N_ROWS)]}, False),
}


def text_of(cells: dict[str, list[object]]) -> bytes:
    names = ["a", *cells]
    rows = zip(np.arange(N_ROWS) / 8, *cells.values(), strict=True)
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]).encode()


@pytest.mark.parametrize(("cells", "fits"), TABLES.values(), ids=TABLES)
def test_pieces_make_the_whole(cells, fits, in_pieces):
    data = text_of(cells)
    table = read_table(data)
    assert in_pieces == [fits]
    delimited.MIN_PIECE_ROWS = N_ROWS  # undone with the fixture's own
    whole = read_table(data)
    assert len(in_pieces) == 1
    pd.testing.assert_frame_equal(table.frame, whole.frame)
    assert table.report == whole.report


def test_a_bad_line_is_named_by_its_number(in_pieces):
    lines = text_of({"c": DATES}).splitlines()
    lines[AT] += b",1,2"
    with pytest.raises(TableError, match=f"Line {AT + 1:,} has 4 cells where 2 were expected"):
        read_table(b"\n".join(lines))
    assert not any(in_pieces)


def test_line_ends_that_were_not_counted_do_not_fit(in_pieces):
    data = text_of({"c": DATES}).replace(b"\n", b"\r")
    assert len(read_table(data.replace(b"\r", b"\n", 1)).frame) == N_ROWS
    assert not any(in_pieces)
