"""Cells of text looked at through their memory: the same answers as cell by cell."""

import pyarrow as pa
import pytest

from flowlab.tables.cells import first_characters, holds

TEXTS = ["007", "", "+1", "0", "x,e", "\u00e9", "12"]


def chunked(kind: pa.DataType) -> pa.ChunkedArray:
    """The texts in three chunks, of which one is a slice and one is empty."""
    whole = pa.array(["E", *TEXTS[:4], "."], kind)
    return pa.chunked_array([whole.slice(1, 4), pa.array([], kind), pa.array(TEXTS[4:], kind)])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_first_characters_and_searches_see_each_cell_of_any_chunk(kind):
    cells = chunked(kind)
    expected = [([*list(text.encode()[:2]), 0, 0])[:2] for text in TEXTS]
    assert first_characters(cells).tolist() == expected
    assert holds(cells, b"e") and holds(cells, b"!", b"+") and not holds(cells, b"E", b"."), "slices end where they end"
    assert first_characters(pa.chunked_array([], kind)).shape == (0, 2)
