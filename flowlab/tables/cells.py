"""Cells of text: their distinct texts, and which of them mean nothing, a number, a date or a truth value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from flowlab.formatting import plural

_MISSING = """na n/a n.a. n.a nan -nan nat null (null) #null! none nil <na> missing \\n ? - -- --- – — . .. #n/a #na
#div/0! #value! #ref! #name? #num! 1.#ind -1.#ind 1.#qnan -1.#qnan"""
MISSING_TEXTS = frozenset(["", "#n/a n/a", *_MISSING.split()])
"""What counts as an empty cell, in lower case and without surrounding blanks."""

SPACES = "\u00a0\u202f\u2009 '’_"
CURRENCY = r"(?:[$€£¥₹]|EUR|USD|GBP|CHF|INR)"
_DIGITS = rf"(?:\d+[.,]?\d*|[.,]\d+|\d{{1,3}}(?:[.,{SPACES}]\d{{2,3}})*[.,{SPACES}]\d{{3}}(?:[.,]\d*)?)"
_NUMBER = rf"(?:{CURRENCY}\s*)?[+\-−]?\s*(?:{CURRENCY}\s*)?{_DIGITS}(?:[eE][+-]?\d+)?\s*(?:%|{CURRENCY})?"
NUMBER = rf"^(?:{_NUMBER}|\({_NUMBER}\)|[+-]?(?i:inf|infinity))$"
"""Any way of writing a number: 12, -3.5e4, 1.234,56, 1 000, 1,23,456, 12 %, $5, (5)."""
_IS_NUMBER = re.compile(NUMBER)
_CLOCK = r"([T ]\s*\d{1,2}:\d{2}.*)?"
_DATE = re.compile(
    rf"\d{{1,4}}([-/.])\d{{1,2}}\1\d{{1,4}}{_CLOCK}|\d{{4}}-\d{{2}}-\d{{2}}[T ].*"
    r"|(1[6-9]|20|21)\d{2}[-/](0[1-9]|1[0-2])"
    rf"|\d{{1,2}}[- ][A-Za-z]{{3,9}}[- ]\d{{2,4}}{_CLOCK}|[A-Za-z]{{3,9}} \d{{1,2}}, \d{{4}}{_CLOCK}"
)
ENOUGH = 0.8
"""Share of a column's cells that must fit what it is taken for; the others count as missing, and that is said."""
_TRUTHS = {"true": True, "false": False, "t": True, "f": False, "yes": True, "no": False, "1": True, "0": False}
_TRUTHS |= {"1.0": True, "0.0": False, "y": True, "n": False}


def is_number(text: str) -> bool:
    """Whether a cell alone could be a number in some way of writing."""
    return len(text) < 80 and _IS_NUMBER.match(text.strip()) is not None


def is_date(text: str) -> bool:
    """Whether a cell alone could be a date or a date with a time."""
    return _DATE.fullmatch(text.strip()) is not None


def truth_of(text: str) -> bool | None:
    """Whether a cell says true or false; None where it says neither."""
    return _TRUTHS.get(text.lower())


def has_name_shape(text: str, others: Iterable[str]) -> bool:
    """Whether a usual text for "no value" looks like the values beside it: NA among countries, Null among names."""
    others = [other for other in others if other != text]
    if text.isupper() and len(text) <= 3:
        alike = [other.isupper() and len(other) == len(text) for other in others]
    else:
        alike = [text.istitle() and other.istitle() for other in others]
    return len(others) >= 3 and float(np.mean(alike)) >= 0.8


def spellings(codes: Iterable[str | float]) -> frozenset[str]:
    """How codes of missing values may be written."""
    texts: set[str] = set()
    for code in codes:
        text = str(code).strip()
        texts.add(text)
        try:
            value = float(text)
        except ValueError:
            continue
        texts |= {repr(value), f"{value:g}", f"{value:.1f}", f"{value:.2f}"}
    return frozenset(texts)


def missing_texts(more: frozenset[str]) -> frozenset[str]:
    """All texts that mean "no value", in lower case: the usual ones and `more`."""
    return MISSING_TEXTS | {text.lower() for text in more}


def text_cells(column: pd.Series) -> pa.ChunkedArray:
    """The cells of a column of text, shape (n_rows,), without a copy."""
    cells = pa.array(column.array, type=pa.large_string())
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def holds(cells: pa.ChunkedArray, *characters: bytes) -> bool:
    """Whether one of these ASCII characters is in any cell: one search through the memory of all."""
    return any(character in text for text, _ in map(_memory, cells.chunks) for character in characters)


def first_characters(cells: pa.ChunkedArray) -> np.ndarray:
    """The first two bytes of each cell, (n_rows, 2) uint8; 0 where it is shorter."""
    found = [np.empty((0, 2), np.uint8)]
    for text, ends in map(_memory, cells.chunks):
        letters = np.append(np.frombuffer(text, np.uint8), np.zeros(2, np.uint8))
        lengths = np.diff(ends)
        found.append(np.stack([np.where(lengths > i, letters[ends[:-1] + i], 0) for i in (0, 1)], axis=1))
    return np.concatenate(found).astype(np.uint8, copy=False)


def _memory(chunk: pa.StringArray | pa.LargeStringArray) -> tuple[bytes, np.ndarray]:
    """The text of all cells of a chunk in one piece, and where each begins, (n_cells + 1,)."""
    _, offsets, letters = chunk.buffers()
    kind = np.int64 if pa.types.is_large_string(chunk.type) else np.int32
    ends = np.frombuffer(offsets, kind, len(chunk) + 1, chunk.offset * np.dtype(kind).itemsize)
    text = b"" if letters is None else letters[ends[0] : ends[-1]].to_pybytes()
    return text, ends - ends[0]


def few(texts: Iterable[str]) -> str:
    """Up to three texts, quoted, for a sentence."""
    return ", ".join(repr(text[:40]) for text in list(texts)[:3])


@dataclass(frozen=True, eq=False)
class Distinct:
    """The distinct texts of a column.

    Attributes
    ----------
    texts : those that mean a value, without surrounding blanks, in order of their first row
    counts : (len(texts),) how many cells have each
    codes : (n_rows,) number of each cell's text; -1 where the cell means "no value"
    missing : the distinct texts that mean "no value", as written but for blanks
    n_blank : cells with blanks around their text
    """

    texts: pa.Array
    counts: np.ndarray
    codes: np.ndarray
    missing: tuple[str, ...]
    n_blank: int

    @classmethod
    def of(cls, cells: pa.ChunkedArray, missing: frozenset[str]) -> Distinct:
        """From cells (n_rows,), and the lower-case texts that mean "no value"."""
        coded = cells.dictionary_encode().combine_chunks()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.chunk(0) if coded.num_chunks else pa.array([], cells.type).dictionary_encode()
        trimmed = pc.utf8_trim_whitespace(coded.dictionary)
        empty = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(sorted(missing), cells.type))
        present = ~empty.to_numpy(zero_copy_only=False)
        number = np.where(present, np.cumsum(present) - 1, -1)
        raw = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
        codes = np.append(number, -1)[raw]
        texts = trimmed.filter(pa.array(present))
        n_cells = np.bincount(raw[raw >= 0], minlength=len(present))
        differs = pc.not_equal(trimmed, coded.dictionary).to_numpy(zero_copy_only=False) & present
        return cls(
            texts, n_cells[present], codes, tuple(trimmed.filter(empty).to_pylist()), int(n_cells[differs].sum())
        )

    def __len__(self) -> int:
        return len(self.texts)

    def head(self, n: int) -> list[str]:
        """Up to `n` of the texts, spread evenly over all."""
        if not len(self.texts):
            return []
        where = np.unique(np.linspace(0, len(self.texts) - 1, min(len(self.texts), n)).astype(int))
        return self.texts.take(pa.array(where)).to_pylist()

    def share(self, fits: np.ndarray) -> float:
        """The share of the cells with a value whose text fits, from a mask (len(texts),)."""
        return float(self.counts[fits].sum() / max(self.counts.sum(), 1))

    def examples(self, mask: np.ndarray) -> str:
        """Up to three of the texts of a mask, for a sentence."""
        return few(self.texts.filter(pa.array(mask)).slice(0, 3).to_pylist())

    def not_read(self, odd: np.ndarray, one: str, many: str) -> str:
        """What is said of cells, True in `odd` (n_distinct,), that are not `one` ("a number") or `many` ("numbers")."""
        n = int(self.counts[odd].sum())
        are, count = (f"is not {one}", "counts") if n == 1 else (f"are not {many}", "count")
        return f"{plural(n, 'cell')} {are} ({self.examples(odd)}) and {count} as missing"

    def spread(self, values: np.ndarray, fill: object) -> np.ndarray:
        """Values of the texts (len(texts),) as values of the cells (n_rows,); `fill` where there is none."""
        return np.append(values, np.array([fill], values.dtype))[self.codes]

    def spread_texts(self, texts: pa.Array) -> pd.Series:
        """Texts (len(texts),) as a column of text; missing where the cell means "no value"."""
        codes = pa.array(np.maximum(self.codes, 0), mask=self.codes < 0)
        if not len(texts):
            return pd.Series(pa.nulls(len(self.codes), pa.large_string()).to_pandas(), dtype="str")
        return pd.Series(pd.array(texts.take(codes), dtype="str"))
