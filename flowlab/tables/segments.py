"""Join the parsed pieces of a large table into one frame whose columns are filled in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock

import numpy as np
import pandas as pd
import pyarrow as pa

from flowlab.tables.cells import text_cells
from flowlab.tables.threads import in_threads, n_threads

MIN_SEGMENT_BYTES = 8 * 2**20


def put_together(
    data: bytes, start: int, parse: Callable[[Segment], Iterator[pd.DataFrame]], divisible: bool
) -> pd.DataFrame | None:
    """The rows of a text table from byte `start` on; None where a column changes its type between pieces.

    Parameters
    ----------
    data : the text
    start : byte offset of the first data row
    parse : reads a segment of the text as pieces of rows whose columns hold numbers, truth values, datetime64[ns] or
        str
    divisible : whether several segments may be read at once. They end at line ends; an end within quotes leaves a
        quote open, which `parse` refuses, so a wrong cut is noticed
    """
    bounds = _bounds(data, start, n_threads() if divisible else 1)
    n_lines = [count_byte(data, b"\n", low, high) + 1 for low, high in bounds]
    columns = _Columns(sum(n_lines))

    def fill(number: int) -> tuple[int, int] | None:
        first = filled = sum(n_lines[:number])
        for piece in parse(Segment(data, *bounds[number])):
            if filled + len(piece) > first + n_lines[number] or not columns.put(piece, filled):
                return None
            filled += len(piece)
        return first, filled

    spans = in_threads(fill, range(len(bounds)))
    return None if None in spans else columns.frame(spans)


class Segment:
    """A binary file over the bytes from `start` to `end`.

    It is not an io.IOBase: pandas would decode those and encode them again for parsing.
    """

    def __init__(self, data: bytes, start: int, end: int | None = None) -> None:
        self._rest = memoryview(data)[start:end]

    def read(self, n_bytes: int = -1) -> bytes:
        """The next `n_bytes` bytes, or all that are left if it is negative."""
        n_bytes = len(self._rest) if n_bytes < 0 else n_bytes
        piece, self._rest = bytes(self._rest[:n_bytes]), self._rest[n_bytes:]
        return piece

    def __iter__(self) -> Iterator[bytes]:  # pandas requires it of a file
        return iter(self.read().splitlines(keepends=True))


def count_byte(data: bytes, byte: bytes, start: int = 0, end: int | None = None) -> int:
    """How often a byte occurs between `start` and `end`; three times as fast as bytes.count."""
    cells, step = np.frombuffer(data, np.uint8)[start:end], 1 << 18
    return sum(int(np.count_nonzero(cells[i : i + step] == byte[0])) for i in range(0, len(cells), step))


def _bounds(data: bytes, start: int, n_segments: int) -> list[tuple[int, int]]:
    n_segments = max(1, min(n_segments, (len(data) - start) // MIN_SEGMENT_BYTES))
    cuts = [start + i * (len(data) - start) // n_segments for i in range(1, n_segments)]
    ends = [data.find(b"\n", cut) + 1 or len(data) for cut in cuts] + [len(data)]
    return [(low, high) for low, high in zip([start, *ends], ends) if low < high]


class _Columns:
    """Columns of known length that several threads fill with pieces of rows."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows, self._lock, self._fit = n_rows, Lock(), True
        self._arrays: dict[int, np.ndarray] = {}
        self._texts: dict[int, dict[int, list[pa.Array]]] = {}
        self._order: list[int] = []

    def put(self, piece: pd.DataFrame, row: int) -> bool:
        """Put a piece's rows from `row` on; False where a column is of another type than before."""
        with self._lock:
            self._order = self._order or list(piece)
            self._fit = self._fit and all(self._put(name, piece[name], row) for name in piece)
            return self._fit

    def _put(self, name: int, column: pd.Series, row: int) -> bool:
        if column.dtype == object:
            return False  # truth values with holes, or numbers beside texts
        is_empty = column.dtype.kind == "f" and bool(column.isna().all())
        if isinstance(column.dtype, pd.StringDtype):
            self._texts.setdefault(name, {})[row] = text_cells(column).chunks
            return name not in self._arrays
        if name in self._texts:
            self._texts[name][row] = [pa.nulls(len(column), pa.large_string())]
            return is_empty
        held = self._arrays.setdefault(name, np.empty(0, column.dtype))
        if not len(held):
            held = self._arrays[name] = np.empty(self._n_rows, column.dtype)
        kinds = held.dtype.kind + column.dtype.kind
        if kinds == "if":
            held = self._arrays[name] = held.astype(float)
        elif kinds != "fi" and held.dtype != column.dtype and not (kinds == "Mf" and is_empty):
            return False
        held[row : row + len(column)] = np.datetime64("NaT") if kinds == "Mf" else column.to_numpy()
        return True

    def frame(self, spans: list[tuple[int, int]]) -> pd.DataFrame:
        """The rows of the spans."""
        whole = {}
        for name in self._order:
            if name in self._texts:
                chunks = [chunk for _, chunks in sorted(self._texts.pop(name).items()) for chunk in chunks]
                whole[name] = pd.Series(pd.array(pa.chunked_array(chunks, pa.large_string()), dtype="str"), copy=False)
            else:
                whole[name] = pd.Series(_without_gaps(self._arrays.pop(name), spans), copy=False)
        return pd.DataFrame(whole, copy=False)


def _without_gaps(values: np.ndarray, spans: list[tuple[int, int]]) -> np.ndarray:
    """The values in the spans, moved together in place: blank lines leave gaps."""
    end = 0
    for low, high in spans:
        if low > end:
            values[end : end + high - low] = values[low:high]
        end += high - low
    return values[:end]
