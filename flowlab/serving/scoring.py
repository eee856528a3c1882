"""A saved detector on a new file of any length: read, scored and written block by block, in bounded memory."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flowlab import formatting
from flowlab.detection.drift import drift_sentences
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.scored import ADDED, with_scores
from flowlab.encoding.plans import column_as_learned
from flowlab.jobs.pool import pool
from flowlab.serving.bundle import DetectorBundle, DetectorFileError, from_bytes
from flowlab.tables.cells import spellings, text_cells
from flowlab.tables.dialect import DELIMITERS, Dialect, sniff
from flowlab.tables.export import may_execute, to_csv_bytes, to_csv_lines
from flowlab.tables.filetype import codec_of, refuse_foreign, to_utf8
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import GZIP, PARQUET, read_table, unpacked
from flowlab.tables.schema import (
    HUGE,
    MAX_VIOLATIONS,
    ColumnSchema,
    Violation,
    as_schema,
    breaches,
    read_frame,
)
from flowlab.tables.text import TextTable, read_text, row_ends, sound_names

Progress = Callable[[int, int], None]
BLOCK_BYTES = 4 * 2**20
MAX_NOTES = 12
MAX_ROW_BYTES = 64 * 2**20
NEWLINE = b"\n"
WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Beginnings of text in UTF-16, which is decoded as a whole; so is whatever holds zero bytes."""


@dataclass(frozen=True)
class Block:
    """A piece of a text table: the bytes of some rows, and the number of the first of them."""

    detector: bytes
    body: bytes
    first_row: int
    dialect: Dialect
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class ScoredBlock:
    """CSV of the rows (the first block's with a header line), and what sums up over blocks."""

    csv: bytes
    n_rows: int
    n_flagged: int
    counts: np.ndarray
    notes: tuple[str, ...]
    highest: pd.DataFrame
    n_bytes: int
    broken: Mapping[tuple[str, str], int]
    violations: tuple[Violation, ...]


@dataclass(frozen=True, eq=False)
class Summary:
    """What scoring a file found.

    Attributes
    ----------
    n_rows, n_flagged, seconds : of the whole file
    shift : (n_features + 1,) stability index of each feature and of the score
    drift, notes : sentences
    highest : the 100 highest scoring rows
    violations : the first cells that did not fit the detector's schema
    broken : (column, rule) -> how many such cells the file has
    """

    n_rows: int
    n_flagged: int
    seconds: float
    shift: np.ndarray
    drift: tuple[str, ...]
    notes: tuple[str, ...]
    highest: pd.DataFrame
    violations: tuple[Violation, ...] = ()
    broken: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def violation_table(self) -> pd.DataFrame:
        """The first cells that did not fit: row (from 1), column, value as written, and what is wrong with it."""
        rows = [(v.row + 1, v.column, v.value, f"the cell {v.rule}") for v in self.violations]
        return pd.DataFrame(rows, columns=["row", "column", "value", "what is wrong"])

    @property
    def rows_per_second(self) -> float:
        return self.n_rows / max(self.seconds, 1e-9)


class Scorer:
    """A detector ready to score tables: columns are matched by name and read by the detector's schema."""

    def __init__(self, detector: DetectorBundle) -> None:
        self.detector = detector
        self.model = detector.model()
        self.encoder = detector.table_encoder()
        schemas = (
            [ColumnSchema(name, "number") for name in detector.columns]
            if self.encoder is None
            else map(ColumnSchema.from_dict, self.encoder.schema_)
        )
        self.schema = {schema.name: schema for schema in schemas}

    def frame(
        self, text: TextTable, decimal: str = "", first_row: int = 0, missing: frozenset[str] = frozenset()
    ) -> Typed:
        """The needed columns of a table of text, typed.

        `decimal` is the file's decimal sign where that is sure, `missing` further texts for "no value".
        """
        self._check_names(text.names)
        names = [name for name in text.names if name in self.schema]
        schemas = [self.schema[name] for name in names]
        if decimal:
            schemas = [replace(schema, decimal=decimal) if schema.kind == "number" else schema for schema in schemas]
        if missing:
            schemas = [replace(schema, missing=tuple(sorted({*schema.missing, *missing}))) for schema in schemas]
        columns = dict(zip(text.names, text.columns))
        return Typed(*read_frame(names, [columns[name] for name in names], schemas, first_row))

    def typed(self, frame: pd.DataFrame) -> Typed:
        """The needed columns of a table that came with types."""
        self._check_names(list(frame))
        values, counts, violations = {}, {}, []
        for name in (name for name in frame if name in self.schema):
            reading = as_schema(frame[name], self.schema[name])
            values[name] = reading.values
            more, found = breaches(name, reading, frame[name].iloc.__getitem__)
            counts |= more
            violations += found
        return Typed(pd.DataFrame(values), counts, violations)

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The features (n, n_features) of a typed frame, matched by column name.

        DetectorFileError names columns that are missing, or hold cells that are no numbers and need an encoder.
        """
        self._check_names(list(frame))
        if self.encoder is not None:
            return self.encoder.transform(frame)
        numbers = frame[list(self.detector.columns)].to_numpy(np.float64)
        holes = ~np.isfinite(numbers)
        if holes.any():
            name = self.detector.columns[int(np.argmax(holes.any(axis=0)))]
            raise DetectorFileError(f"The column {name} has cells that are no numbers; fill them in first.")
        return numbers

    def score(self, frame: pd.DataFrame) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """`DetectorBundle.sheet` of the rows, and their counts (`Baseline.count`)."""
        try:
            X = self.matrix(frame)
            sheet = self.detector.sheet(self.detector.anomaly_score(self.model, X))
            return sheet, self.detector.baseline.count(X, sheet["score"])
        except (TableError, DetectorFileError):
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise DetectorFileError("The detector in this file cannot score these rows; train it again.") from error

    def notes(self, frame: pd.DataFrame) -> list[str]:
        """What the frame holds that the features cannot show: new categories, constants that changed."""
        sentences = [] if self.encoder is None else self.encoder.unfamiliar(frame)
        calibration = self.detector.level_calibration
        if calibration is not None:
            sentences += calibration.small_levels() + calibration.unseen_levels(self._levels(frame, calibration))
        return sentences

    def _levels(self, frame: pd.DataFrame, calibration: LevelCalibration) -> np.ndarray:
        """The context of each row as the features have it, (n,)."""
        if self.encoder is None:
            return pd.to_numeric(frame[calibration.name], errors="coerce").to_numpy(np.float64)
        plan = next(plan for plan in self.encoder.columns_ if plan.name == calibration.name)
        return plan.codes(column_as_learned(frame, plan)).astype(np.float64)

    def _check_names(self, names: Sequence[str]) -> None:
        wanted = list(self.detector.columns if self.encoder is None else dict.fromkeys(self.encoder.sources_))
        missing = [name for name in wanted if name not in names]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DetectorFileError(
                f"The detector was trained on columns that the file lacks: {', '.join(missing[:5])}{more}. "
                f"The file has {', '.join(map(str, names[:8]))}."
            )


class Typed(NamedTuple):
    """Columns read by a schema: their frame, how many cells broke which (column, rule), and the first of those."""

    frame: pd.DataFrame
    counts: dict[tuple[str, str], int]
    violations: list[Violation]


def blocks(detector: bytes, source: BinaryIO, wanted: Sequence[str], n_lags: int = 0, **reading) -> Iterator[Block]:
    """Cut a text table at the ends of rows; how it is written is found out once, from the first block.

    `wanted` are columns that the header names; `reading` are delimiter, decimal, header, encoding and missing_codes
    where the user gave them.
    """
    text = _Text(source, reading.pop("encoding", None))
    missing = spellings(reading.pop("missing_codes", ()))
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
                f"A quote opened after row {first_row + rows.count(NEWLINE):,} is not closed within "
                f"{MAX_ROW_BYTES >> 20} MB; close it or remove it."
            )
        if rows.strip():
            yield Block(detector, rows, first_row, dialect, missing)
            first_row += rows.count(NEWLINE) + (not rows.endswith(NEWLINE))
        if not following:
            return
        body += following


def _dialect(head: bytes, wanted: Sequence[str], reading: Mapping[str, object]) -> Dialect:
    """How a text is written: by the delimiter that makes its first line name the wanted columns, if there is one."""
    given = {"delimiter": None, "decimal": None, "header": None} | dict(reading)
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r\ufeff")
    for delimiter in DELIMITERS if given["delimiter"] is None and given["header"] is None else ():
        names = sound_names(next(csv.reader([first], delimiter=delimiter), []), [])
        if wanted and set(wanted) <= set(names):
            given |= {"delimiter": delimiter, "header": True}
            break
    return sniff(head, **given)


def score_block(block: Block) -> ScoredBlock:
    """Read, score and write one block: a function of its own bytes, for any worker."""
    scorer = _scorer(hashlib.sha256(block.detector).digest(), block.detector)
    text = read_text(block.body, block.dialect, Limits())
    decimal = block.dialect.decimal if block.dialect.decimal_is_sure else ""
    typed = scorer.frame(text, decimal, block.first_row, block.missing)
    as_written = block.dialect.delimiter == "," and b'"' not in block.body and not text.cautions
    lines = block.body.splitlines() if as_written else []
    return _scored(scorer, text, typed, block.first_row, lines, len(block.body))


def score_file(
    detector: bytes,
    source: BinaryIO,
    sink: BinaryIO,
    width: int | None = 0,
    nice: int = 0,
    progress: Progress = lambda n_rows, n_bytes: None,
    reading: Mapping[str, object] = MappingProxyType({}),
) -> Summary:
    """Score a table from `source` and write its cells, as they are, with score, percentile, p-value and flag to `sink`.

    Parameters
    ----------
    detector : content of a detector file
    source : CSV or other delimited text of any length; gzip and Parquet are unpacked as a whole
    sink : where UTF-8 CSV is written
    width : number of processes, 0 for this one, None for one per core (or the Dask cluster of FLOWLAB_SCHEDULER)
    nice : how far these processes stand back for others
    progress : called after each block with rows scored and bytes read so far
    reading : delimiter, decimal, encoding, header and missing_codes of the text, where the user gives them
    """
    start = source.read(4096)
    source.seek(0)
    refuse_foreign(start)
    began = time.perf_counter()
    if start.startswith(GZIP):
        source = io.BytesIO(unpacked(source.read(), Limits()))
        start = source.read(4096)
        source.seek(0)
    elif not start.startswith(PARQUET) and (b"\x00" in start or start.startswith(WIDE)):
        source = io.BytesIO(to_utf8(source.read())[0])
    with pool(width, nice) as imap:
        # a file of unknown origin is opened where the work is done, not in a server that called this
        opened, wanted, n_lags = next(imap(_opened, [detector]))
        if start.startswith(PARQUET):
            results = imap(score_whole, [(detector, source.read())])
        else:
            results = imap(score_block, blocks(detector, source, wanted, n_lags, **reading))
        return _drain(opened, results, sink, progress, began)


def _opened(detector: bytes) -> tuple[DetectorBundle, list[str], int]:
    """The detector, the columns it needs, and how many earlier rows stand beside each row."""
    opened = from_bytes(detector)
    encoder = opened.table_encoder()
    if encoder is None:
        return opened, list(opened.columns), 0
    return opened, list(dict.fromkeys(encoder.sources_)), encoder.lags


def _drain(
    detector: DetectorBundle, results: Iterator[ScoredBlock], sink: BinaryIO, progress: Progress, began: float
) -> Summary:
    n_rows = n_flagged = n_bytes = 0
    counts = np.zeros(detector.baseline.shares.shape, np.int64)
    sentences: list[str] = []
    broken: Counter[tuple[str, str]] = Counter()
    violations: list[Violation] = []
    highest = None
    for scored in results:
        sink.write(scored.csv if n_rows == 0 else scored.csv[scored.csv.index(b"\n") + 1 :])
        n_rows, n_flagged, n_bytes = n_rows + scored.n_rows, n_flagged + scored.n_flagged, n_bytes + scored.n_bytes
        counts += scored.counts
        sentences += scored.notes
        broken.update(scored.broken)
        violations += scored.violations[: MAX_VIOLATIONS - len(violations)]
        highest = scored.highest if highest is None else pd.concat([highest, scored.highest])
        highest = highest.iloc[np.argsort(-_scores_of(highest), kind="stable")[:100]]
        progress(n_rows, n_bytes)
    if n_rows == 0:
        raise TableError("The file holds no rows to score.")
    shift = detector.baseline.shift(counts)
    drift = tuple(drift_sentences(detector.columns, shift))
    notes = (*_broken_sentences(broken, violations), *_summed(sentences))[:MAX_NOTES]
    return Summary(
        n_rows, n_flagged, time.perf_counter() - began, shift, drift, notes, highest, tuple(violations), dict(broken)
    )


def _broken_sentences(broken: Mapping[tuple[str, str], int], violations: Sequence[Violation]) -> list[str]:
    """What did not fit the schema, one sentence per column and rule, with the first example."""
    first: dict[tuple[str, str], Violation] = {}
    for violation in violations:
        first.setdefault((violation.column, violation.rule), violation)
    sentences = []
    for (column, rule), n_cells in broken.items():
        cells = f"1 cell {rule}" if n_cells == 1 else f"{n_cells:,} cells {rule.replace('is ', 'are ', 1)}"
        example = first.get((column, rule))
        where = f", such as {example.value!r} in row {example.row + 1:,}" if example else ""
        fate = "they count as extreme" if rule == HUGE else "they count as missing"
        sentences.append(f"{column}: {cells}{where}; {fate}.")
    return sentences


def _summed(sentences: Sequence[str]) -> list[str]:
    """Sentences of all blocks: those that differ only in a count become one, with the counts added."""
    totals: dict[str, int] = {}
    shown: dict[str, str] = {}
    for sentence in sentences:
        count = re.search(r"[\d,]+(?= rows?\b| repeated| comment)", sentence)
        key = re.sub(r"[\d,]+ rows?|, such as .*|\(first in line .*?\)|^[\d,]+", "", sentence)
        totals[key] = totals.get(key, 0) + (int(count[0].replace(",", "")) if count else 0)
        shown.setdefault(key, sentence)
    return [
        re.sub(r"[\d,]+(?= rows?\b| repeated| comment)", f"{totals[key]:,}", sentence, count=1)
        for key, sentence in shown.items()
    ]


def _scores_of(scored: pd.DataFrame) -> np.ndarray:
    """The column that `with_scores` added: the fourth from the end."""
    return scored.iloc[:, -len(ADDED)].to_numpy()


def score_whole(work: tuple[bytes, bytes]) -> ScoredBlock:
    """Read, score and write a Parquet file: `work` is the detector's and the file's content."""
    detector, data = work
    scorer = _scorer(hashlib.sha256(detector).digest(), detector)
    frame = read_table(data).frame
    names = tuple(map(str, frame))
    cells = [pc.fill_null(text_cells(frame[name].astype("str")), "") for name in frame]
    return _scored(scorer, TextTable(names, tuple(cells)), scorer.typed(frame), 0, [], len(data))


def _scored(
    scorer: Scorer, text: TextTable, typed: Typed, first_row: int, lines: list[bytes], n_bytes: int
) -> ScoredBlock:
    """`lines` are the rows as they stand in the file, where they can be passed on so."""
    frame, cells = typed.frame, text.columns
    sheet, counts = scorer.score(frame)
    top = np.argsort(-sheet["score"], kind="stable")[:100]
    shown = pd.DataFrame(
        {
            name: frame[name].iloc[top] if name in frame else column.take(pa.array(top)).to_pandas()
            for name, column in zip(text.names, cells)
        }
        if len(frame.columns) == len(text.names)
        else {name: column.take(pa.array(top)).to_pylist() for name, column in zip(text.names, cells)}
    )
    highest = with_scores(shown, {name: values[top] for name, values in sheet.items()})
    highest.index = first_row + top
    return ScoredBlock(
        csv=_csv(text.names, cells, sheet, lines),
        n_rows=len(sheet["score"]),
        n_flagged=int(sheet["flagged"].sum()),
        counts=counts,
        notes=(*text.cautions, *(c for c in text.changes if "rows" in c or "lines inside" in c), *scorer.notes(frame)),
        highest=highest,
        n_bytes=n_bytes,
        broken=typed.counts,
        violations=tuple(typed.violations),
    )


def _csv(
    names: Sequence[str], cells: Sequence[pa.ChunkedArray], sheet: Mapping[str, np.ndarray], lines: Sequence[bytes]
) -> bytes:
    """The rows as CSV, each cell as it was written, and what is said of each.

    Lines that hold nothing a spreadsheet would execute go through untouched: 10 times faster.
    """
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in names})
    header = to_csv_bytes(with_scores(empty, {name: values[:0] for name, values in sheet.items()}))
    n_rows = len(sheet["score"])
    added = pa.table({name: sheet[name].astype(np.int8 if name == "flagged" else np.float64) for name in ADDED})
    out = io.BytesIO()
    pa_csv.write_csv(added, out, pa_csv.WriteOptions(include_header=False))
    if len(lines) != n_rows or any(pc.any(may_execute(column)).as_py() for column in cells):
        lines = [line.encode() for line in to_csv_lines(cells).to_pylist()]
    pairs = zip(lines, out.getvalue().splitlines(), strict=True)
    return header + b"".join([b"%b,%b\n" % pair for pair in pairs])


def how_far(n_rows: int, share: float, seconds: float) -> str:
    """What is said while a file is scored: rows so far, rows per second, and how long the rest will take.

    >>> how_far(120_000, 0.25, 4.0)
    '120,000 rows, 30,000 rows/s, 12.0 s left'
    """
    if seconds <= 0 or not 0 < share < 1:
        return f"{n_rows:,} rows"
    return (
        f"{n_rows:,} rows, {n_rows / seconds:,.0f} rows/s, {formatting.brief_seconds(seconds * (1 / share - 1))} left"
    )


@lru_cache(maxsize=2)
def _scorer(digest: bytes, detector: bytes) -> Scorer:
    return Scorer(from_bytes(detector))


class _Text:
    """UTF-8 text from a file in any encoding, block by block, cut where no character is split."""

    def __init__(self, source: BinaryIO, encoding: str | None = None) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace") if encoding else None

    def read(self) -> bytes:
        data = self._source.read(BLOCK_BYTES)
        if self._decoder is None:
            # the first block's last line may be cut inside a character: it is judged without it
            _, encoding, _ = to_utf8(data[: data.rfind(b"\n") + 1] or data)
            self._decoder = codecs.getincrementaldecoder(codec_of(encoding))(errors="replace")
        return self._decoder.decode(data, final=not data).encode()
