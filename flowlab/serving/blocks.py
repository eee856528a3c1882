"""A long text table as blocks of whole rows, cut in one pass whatever stands in its cells."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Unpack

from flowlab.formatting import count
from flowlab.tables.cells import spellings
from flowlab.tables.dialect import DELIMITERS, Dialect, Written, sniff
from flowlab.tables.filetype import codec_of, encoding_doubt, to_utf8
from flowlab.tables.limits import TableError
from flowlab.tables.notes import Note
from flowlab.tables.text import row_ends, sound_names

BLOCK_BYTES = 4 * 2**20
MAX_ROW_BYTES = 64 * 2**20
NEWLINE = b"\n"


@dataclass(frozen=True)
class Block:
    """A piece of a text table: the bytes of some rows, the number of the first, and doubts about the whole text."""

    detector: bytes
    body: bytes
    first_row: int
    dialect: Dialect
    missing: frozenset[str] = frozenset()
    cautions: tuple[Note, ...] = ()


class Reading(Written, total=False):
    """How a text is written, as far as the user says it, and which cells mean no value."""

    missing_codes: Sequence[str | float]


def cut_blocks(
    detector: bytes, source: BinaryIO, wanted: Sequence[str], n_lags: int = 0, **reading: Unpack[Reading]
) -> Iterator[Block]:
    """Cut a text table at the ends of rows; how it is written is found out once, from the first block.

    `wanted` are columns that the header names; `reading` are delimiter, decimal, header, encoding and missing_codes
    where the user gave them.
    """
    text = _Text(source, reading.get("encoding"))
    missing = spellings(reading.get("missing_codes", ()))
    head = text.read()
    dialect = _dialect(head, wanted, reading)
    body, first_row = head[dialect.body :], 0
    dialect = replace(dialect, body=0)
    while True:
        following = text.read()
        while n_lags and following:  # windows reach back over any distance, in order of time: one block
            body += following
            following = text.read()
        end = row_ends(body, dialect.quotechar, dialect.delimiter)[0] if following else len(body)
        rows, body = body[:end], body[end:]
        if len(body) > MAX_ROW_BYTES:
            raise TableError(
                f"A quote opened after row {count(first_row + rows.count(NEWLINE))} is not closed within "
                f"{MAX_ROW_BYTES >> 20} MB; close it or remove it."
            )
        if rows.strip():
            cautions = (Note(text.doubt),) if text.doubt and not first_row else ()
            yield Block(detector, rows, first_row, dialect, missing, cautions)
            first_row += rows.count(NEWLINE) + (not rows.endswith(NEWLINE))
        if not following:
            return
        body += following


def _dialect(head: bytes, wanted: Sequence[str], reading: Reading) -> Dialect:
    """How a text is written: by the delimiter that makes its first line name the wanted columns, if there is one."""
    delimiter, header = reading.get("delimiter"), reading.get("header")
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r\ufeff")
    for sign in DELIMITERS if delimiter is None and header is None else ():
        names = sound_names(next(csv.reader([first], delimiter=sign), []), [])
        if wanted and set(wanted) <= set(names):
            delimiter, header = sign, True
            break
    return sniff(head, delimiter=delimiter, decimal=reading.get("decimal"), header=header)


class _Text:
    """UTF-8 text from a file in any encoding, block by block, cut where no character is split."""

    def __init__(self, source: BinaryIO, encoding: str | None = None) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace") if encoding else None
        self.doubt = ""

    def read(self) -> bytes:
        data = self._source.read(BLOCK_BYTES)
        if self._decoder is None:
            # the first block's last line may be cut inside a character: it is judged without it
            _, encoding, _ = to_utf8(data[: data.rfind(b"\n") + 1] or data)
            self._decoder = codecs.getincrementaldecoder(codec_of(encoding))(errors="replace")
            self.doubt = encoding_doubt(encoding)
        return self._decoder.decode(data, final=not data).encode()
