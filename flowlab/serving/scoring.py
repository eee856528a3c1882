"""A saved detector on a new file of any length: read, scored and written block by block, in bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import IO, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flowlab import formatting
from flowlab.detection.drift import drift_sentences, visible_shift
from flowlab.detection.flag_rules import decided_by
from flowlab.explain.kinds import Kind, TraitCounts, kinds_of
from flowlab.explain.many_rows import RowReasons
from flowlab.jobs.pool import pool
from flowlab.serving.blocks import Block, Reading, cut_blocks
from flowlab.serving.bundle import DetectorBundle, from_bytes
from flowlab.serving.scored_rows import free_names, reason_columns
from flowlab.serving.scorer import Scorer, Typed
from flowlab.tables.as_text import ZIP, begins_records
from flowlab.tables.dialect import Written
from flowlab.tables.export import may_execute, to_csv_bytes, to_csv_lines
from flowlab.tables.feather import FEATHER
from flowlab.tables.filetype import refuse_foreign, to_utf8
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.notes import Note
from flowlab.tables.notes import added as added_up
from flowlab.tables.old_workbook import COMPOUND
from flowlab.tables.packed import GZIP, unpacked
from flowlab.tables.parquet import PARQUET
from flowlab.tables.read import read_table
from flowlab.tables.schema import HUGE, MAX_VIOLATIONS, ColumnSchema, Violation, schema_of_frame
from flowlab.tables.stack import delimited, written_cells
from flowlab.tables.text import TextTable, read_text

Progress = Callable[[int, int], None]
MAX_NOTES = 12
N_HIGHEST = 100
WIDE = (b"\xff\xfe", b"\xfe\xff")
"""Beginnings of text in UTF-16, which is decoded as a whole; so is whatever holds zero bytes."""


@dataclass(frozen=True, eq=False)
class Highest:
    """The highest scoring rows, highest first: their cells, and beside them what scoring says of each.

    `traits` are those of its reasons (`RowReasons.traits`), empty for a row that has none.
    """

    cells: pd.DataFrame
    scores: pd.DataFrame
    traits: tuple[tuple[str, ...], ...]

    def joined(self, other: Highest) -> Highest:
        """The highest of both."""
        cells, scores = pd.concat([self.cells, other.cells]), pd.concat([self.scores, other.scores])
        top = np.argsort(-scores["anomaly_score"].to_numpy(), kind="stable")[:N_HIGHEST]
        traits = (*self.traits, *other.traits)
        return Highest(cells.iloc[top], scores.iloc[top], tuple(traits[i] for i in top))

    def of_kind(self, kind: Kind) -> Highest:
        """Those of one kind of anomaly."""
        rows = [i for i, traits in enumerate(self.traits) if traits in kind.members]
        return Highest(self.cells.iloc[rows], self.scores.iloc[rows], tuple(self.traits[i] for i in rows))

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class ScoredBlock:
    """CSV of the rows (the first block's with a header line), and what sums up over blocks."""

    csv: bytes
    n_rows: int
    n_flagged: int
    counts: np.ndarray
    notes: tuple[Note, ...]
    highest: Highest
    n_bytes: int
    broken: Mapping[tuple[str, str], int]
    violations: tuple[Violation, ...]
    traits: TraitCounts
    n_novel: int
    flagged_rows: np.ndarray
    columns: Mapping[str, ColumnSchema | None]
    scores: np.ndarray
    levels: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Summary:
    """What scoring a file found.

    Attributes
    ----------
    n_rows, n_flagged, seconds : of the whole file
    shift : (n_features + 1,) stability index of each feature and of the score
    drift, notes : sentences
    highest : the 100 highest scoring rows
    kinds : kinds of anomaly among the flagged rows, the largest first
    n_novel : rows in which something is new
    flagged_rows : (n_flagged,) numbers of the flagged rows, ascending
    scores : (n_rows,) anomaly scores
    levels : (n_rows,) the rows' groups, where these have thresholds of their own, else None
    violations : the first cells that did not fit the detector's schema
    broken : (column, rule) -> how many such cells the file has
    columns : how the columns of the scored file are written, in its order; None for those that the detector ignores
    """

    n_rows: int
    n_flagged: int
    seconds: float
    shift: np.ndarray
    drift: tuple[str, ...]
    notes: tuple[str, ...]
    highest: Highest
    kinds: tuple[Kind, ...] = ()
    n_novel: int = 0
    flagged_rows: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    violations: tuple[Violation, ...] = ()
    broken: Mapping[tuple[str, str], int] = field(default_factory=dict)
    columns: Mapping[str, ColumnSchema | None] = field(default_factory=dict)
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))
    levels: np.ndarray | None = None

    @property
    def violation_table(self) -> pd.DataFrame:
        """The first cells that did not fit: row (from 0), column, value as written, and what is wrong with it."""
        rows = [(v.row, v.column, v.value, f"the cell {v.rule}") for v in self.violations]
        return pd.DataFrame(rows, columns=["row", "column", "value", "what is wrong"])

    @property
    def rows_per_second(self) -> float:
        """Rows scored per second, reading and writing included."""
        return self.n_rows / max(self.seconds, 1e-9)


def score_block(block: Block, with_reasons: bool = True) -> ScoredBlock:
    """Read, score and write one block: a function of its own bytes, for any worker."""
    scorer = _scorer(hashlib.sha256(block.detector).digest(), block.detector)
    text = read_text(block.body, block.dialect, Limits())
    decimal = block.dialect.decimal if block.dialect.decimal_is_sure else ""
    typed = scorer.frame(text, decimal, block.first_row, block.missing)
    as_written = block.dialect.delimiter == "," and b'"' not in block.body and not text.cautions
    lines = block.body.splitlines() if as_written else []
    text = replace(text, cautions=(*block.cautions, *text.cautions))
    return _scored(scorer, text, typed, block.first_row, lines, len(block.body), with_reasons)


def score_file(
    detector: bytes,
    source: BinaryIO,
    sink: IO[bytes],
    width: int | None = 0,
    nice: int = 0,
    progress: Progress = lambda n_rows, n_bytes: None,
    reading: Reading | None = None,
    with_reasons: bool = True,
    workers: Callable | None = None,
) -> Summary:
    """Score a table from `source` and write its cells, as they are, with what is said of each row to `sink`.

    That is score, percentile, p-value, flag, novelty, and for flagged rows up to three reasons (`reason_columns`).

    Parameters
    ----------
    detector : content of a detector file
    source : CSV or other delimited text of any length; what is packed or no text is read as a whole
    sink : where UTF-8 CSV is written
    width : number of processes, 0 for this one, None for one per core (or the Dask cluster of FLOWLAB_SCHEDULER)
    nice : how far these processes stand back for others
    progress : called after each block with rows scored and bytes read so far
    reading : delimiter, decimal, encoding, header and missing_codes of the text, where the user gives them
    with_reasons : whether flagged rows get their reasons, which takes about as long as scoring a hundred rows
    workers : what a `pool` gave that scores several files; `width` and `nice` are then those of that pool
    """
    start = source.read(4096)
    source.seek(0)
    began = time.perf_counter()
    if start.startswith((GZIP, ZIP)):
        source = io.BytesIO(unpacked(source.read(), Limits()))
        start = source.read(4096)
        source.seek(0)
    reading = Reading() if reading is None else reading
    found = None
    if start.startswith((ZIP, COMPOUND)) or begins_records(start):
        written = Written(
            delimiter=reading.get("delimiter"),
            decimal=reading.get("decimal"),
            encoding=reading.get("encoding"),
            header=reading.get("header"),
        )
        found = delimited(source.read(), Limits(), **written)
    if found is not None:
        source, start = io.BytesIO(found.text), found.text[:4096]
        reading = {**reading, "delimiter": ",", "encoding": "utf-8"}
        if found.decimal:
            reading["decimal"] = found.decimal
        if found.header is not None:
            reading["header"] = found.header
    refuse_foreign(start)
    if not start.startswith((PARQUET, FEATHER)) and (b"\x00" in start or start.startswith(WIDE)):
        source = io.BytesIO(to_utf8(source.read())[0])
    with pool(width, nice) if workers is None else contextlib.nullcontext(workers) as imap:
        # a file of unknown origin is opened where the work is done, not in a server that called this
        opened, wanted, n_lags = next(imap(_opened, [detector]))
        if start.startswith((PARQUET, FEATHER)):
            results = imap(partial(score_whole, with_reasons=with_reasons), [(detector, source.read())])
        else:
            blocks = cut_blocks(detector, source, wanted, n_lags, **reading)
            results = imap(partial(score_block, with_reasons=with_reasons), blocks)
        return _drain(opened, results, sink, progress, began)


@lru_cache(maxsize=2)
def _opened(detector: bytes) -> tuple[DetectorBundle, list[str], int]:
    """The detector, the columns it needs, and how many earlier rows stand beside each row."""
    opened = from_bytes(detector)
    encoder = opened.table_encoder()
    if encoder is None:
        return opened, list(opened.columns), 0
    return opened, list(dict.fromkeys(encoder.sources_)), encoder.lags


def _drain(
    detector: DetectorBundle, results: Iterator[ScoredBlock], sink: IO[bytes], progress: Progress, began: float
) -> Summary:
    n_rows = n_flagged = n_bytes = 0
    counts = np.zeros(detector.baseline.shares.shape, np.int64)
    noted: list[Note] = []
    broken: Counter[tuple[str, str]] = Counter()
    violations: list[Violation] = []
    highest: Highest | None = None
    columns: Mapping[str, ColumnSchema | None] = {}
    traits, n_novel, flagged = TraitCounts(), 0, []
    scores: list[np.ndarray] = []
    levels: list[np.ndarray] = []
    for scored in results:
        columns = columns or scored.columns
        sink.write(scored.csv if n_rows == 0 else scored.csv[scored.csv.index(b"\n") + 1 :])
        n_rows, n_flagged, n_bytes = n_rows + scored.n_rows, n_flagged + scored.n_flagged, n_bytes + scored.n_bytes
        counts += scored.counts
        noted += scored.notes
        broken.update(scored.broken)
        violations += scored.violations[: MAX_VIOLATIONS - len(violations)]
        traits.add(scored.traits)
        flagged.append(scored.flagged_rows)
        scores.append(scored.scores)
        levels += [] if scored.levels is None else [scored.levels]
        n_novel += scored.n_novel
        highest = scored.highest if highest is None else highest.joined(scored.highest)
        progress(n_rows, n_bytes)
    if highest is None or n_rows == 0:
        raise TableError("The file holds no rows to score.")
    shift = detector.baseline.shift(counts)
    drift = tuple(
        drift_sentences(detector.columns, detector.baseline, counts, detector.flagged_rows(n_rows, n_flagged))
    )
    seen = () if drift else (visible_shift(detector.baseline, n_rows),)
    notes = (*(*_broken_sentences(broken, violations), *map(str, added_up(noted)))[:MAX_NOTES], *seen)
    return Summary(
        n_rows, n_flagged, time.perf_counter() - began, shift, drift, notes, highest, tuple(kinds_of(traits)), n_novel,
        np.concatenate(flagged), tuple(violations), dict(broken), columns, np.concatenate(scores),
        np.concatenate(levels) if levels else None,
    )  # fmt: skip


def _broken_sentences(broken: Mapping[tuple[str, str], int], violations: Sequence[Violation]) -> list[str]:
    """What did not fit the schema, one sentence per column and rule, with the first example."""
    first: dict[tuple[str, str], Violation] = {}
    for violation in violations:
        first.setdefault((violation.column, violation.rule), violation)
    sentences = []
    for (column, rule), n_cells in broken.items():
        are = rule.replace("is ", "are ", 1)
        cells = f"1 cell {rule}" if n_cells == 1 else f"{formatting.count(n_cells)} cells {are}"
        example = first.get((column, rule))
        where = f", such as {example.value!r} in row {formatting.count(example.row)}" if example else ""
        counts_as = "it counts" if n_cells == 1 else "they count"
        sentences.append(f"{column}: {cells}{where}; {counts_as} as {'extreme' if rule == HUGE else 'missing'}.")
    return sentences


def score_whole(work: tuple[bytes, bytes], with_reasons: bool = True) -> ScoredBlock:
    """Read, score and write a Parquet or Feather file: `work` is the detector's and the file's content."""
    detector, data = work
    scorer = _scorer(hashlib.sha256(detector).digest(), detector)
    frame = read_table(data).frame
    text = TextTable(tuple(map(str, frame)), tuple(written_cells(frame)))
    scored = _scored(scorer, text, scorer.typed(frame), 0, [], len(data), with_reasons)
    typed = {schema.name: replace(schema, formats=("ISO8601",)) for schema in schema_of_frame(frame)}
    return replace(scored, columns={**scored.columns, **typed})


def _scored(
    scorer: Scorer,
    text: TextTable,
    typed: Typed,
    first_row: int,
    lines: list[bytes],
    n_bytes: int,
    with_reasons: bool = True,
) -> ScoredBlock:
    """`lines` are the rows as they stand in the file, where they can be passed on so."""
    frame, cells = typed.frame, text.columns
    row_scores, counts, X = scorer.score(frame)
    levels = scorer.groups(frame)
    columns = row_scores.columns(scorer.detector.threshold, levels)
    columns["novelty"] = scorer.novelty(frame)
    rules = scorer.detector.flag_rules
    decided = decided_by(rules, frame)
    for i, rule in enumerate(rules):
        columns["flagged"][decided == i] = rule.verdict == "always"
    flagged = np.flatnonzero(columns["flagged"])
    reasons = scorer.reasons(frame, X, flagged) if with_reasons else []
    told: dict[int, RowReasons] = {}
    if with_reasons and scorer.detector.reference is not None:
        told = dict(zip(flagged.tolist(), reasons, strict=True))
        columns |= reason_columns([told.get(row) for row in range(len(frame))])
    if rules:
        columns["rule"] = np.array([*(rule.sentence for rule in rules), ""], dtype=object)[decided]
    added = dict(zip(free_names(text.names, list(columns)), columns.values()))
    top = np.argsort(-row_scores.score, kind="stable")[:N_HIGHEST]
    shown = pd.DataFrame(
        {
            name: frame[name].to_numpy()[top] if name in frame else column.take(pa.array(top)).to_numpy()
            for name, column in zip(text.names, cells)
        }
    )
    shown.index = first_row + top
    return ScoredBlock(
        csv=_csv(text.names, cells, added, lines),
        n_rows=len(row_scores),
        n_flagged=int(columns["flagged"].sum()),
        counts=counts,
        notes=(*text.cautions, *(c for c in text.changes if isinstance(c, Note)), *scorer.notes(frame)),
        highest=Highest(
            shown,
            pd.DataFrame({name: values[top] for name, values in columns.items()}, shown.index),
            tuple(told[row].traits if row in told else () for row in top.tolist()),
        ),
        n_bytes=n_bytes,
        broken=typed.counts,
        violations=tuple(typed.violations),
        traits=TraitCounts.of(first_row + flagged, row_scores.score[flagged], reasons) if reasons else TraitCounts(),
        n_novel=int(np.count_nonzero(columns["novelty"])),
        flagged_rows=first_row + flagged,
        columns={name: typed.schemas.get(name) for name in text.names}
        | {name: ColumnSchema(name, "number" if v.dtype.kind in "biuf" else "text") for name, v in added.items()},
        scores=row_scores.score,
        levels=levels,
    )


def _csv(
    names: Sequence[str], cells: Sequence[pa.ChunkedArray], added: Mapping[str, np.ndarray], lines: Sequence[bytes]
) -> bytes:
    """The rows as CSV, each cell as it was written, and what is said of each.

    Lines that hold nothing a spreadsheet would execute go through untouched: 10 times faster.
    """
    header = to_csv_bytes(pd.DataFrame(columns=[*names, *added]))
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in added.items()})  # nan: empty
    n_rows = len(table)
    out = io.BytesIO()
    pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=False))
    if len(lines) != n_rows or any(pc.any(may_execute(column)).as_py() for column in cells):
        lines = [line.encode() for line in to_csv_lines(cells).to_pylist()]
    pairs = zip(lines, out.getvalue().splitlines(), strict=True)
    return header + b"".join([b"%b,%b\n" % pair for pair in pairs])


def how_far(n_rows: int, share: float, seconds: float) -> str:
    """What is said while a file is scored: rows so far, rows per second, and how long the rest will take.

    >>> how_far(120_000, 0.25, 4.0).replace("\\u2009", " ")
    '120 000 rows, 30 000 rows/s, 12.0 s left'
    """
    if not 0 < share < 1 or n_rows < seconds:
        return f"{formatting.count(n_rows)} rows"
    left = formatting.brief_seconds(seconds * (1 / share - 1))
    return f"{formatting.count(n_rows)} rows, {formatting.fixed(n_rows / max(seconds, 1e-9), 0)} rows/s, {left} left"


@lru_cache(maxsize=2)
def _scorer(digest: bytes, detector: bytes) -> Scorer:
    return Scorer(from_bytes(detector))
