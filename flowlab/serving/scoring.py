"""A saved detector on a new file of any length: read, scored and written block by block, in bounded memory."""

from __future__ import annotations

import codecs
import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from flowlab.detection.drift import drift_sentences
from flowlab.detection.scored import ADDED, with_scores
from flowlab.jobs.pool import pool
from flowlab.serving.bundle import DetectorBundle, DetectorFileError, from_bytes
from flowlab.tables.delimited import read_delimited
from flowlab.tables.dialect import Dialect, sniff
from flowlab.tables.export import FORMULA_STARTS, to_csv_bytes
from flowlab.tables.filetype import refuse_foreign, to_utf8
from flowlab.tables.limits import Limits, TableError
from flowlab.tables.read import read_table

Progress = Callable[[int, int], None]
BLOCK_BYTES = 4 * 2**20
MAX_NOTES = 12
WHOLE = (b"\x1f\x8b", b"PAR1", b"\xff\xfe", b"\xfe\xff")
"""Beginnings of files that are read as a whole: gzip, Parquet, UTF-16; so is whatever holds zero bytes."""


@dataclass(frozen=True)
class Block:
    """A piece of a text table.

    Attributes
    ----------
    detector : content of the detector file
    header, body : bytes of the table's header and of some rows
    first_row : row number of the first row, carried ones included
    dialect : of the text
    carried : rows before this block that lag features need; they are not scored again
    """

    detector: bytes
    header: bytes
    body: bytes
    first_row: int
    dialect: Dialect
    carried: bytes


@dataclass(frozen=True, eq=False)
class ScoredBlock:
    """The scored rows of one block, and the numbers that add up over blocks.

    Attributes
    ----------
    csv : a header line and the rows, UTF-8
    n_rows, n_flagged : rows scored and flagged
    counts : (n_features + 1, n_bins) of `Baseline.count`
    notes : sentences on what the features cannot show
    highest : the 100 highest scoring rows with their scores
    n_bytes : bytes read
    """

    csv: bytes
    n_rows: int
    n_flagged: int
    counts: np.ndarray
    notes: tuple[str, ...]
    highest: pd.DataFrame
    n_bytes: int


@dataclass(frozen=True, eq=False)
class Summary:
    """The result of scoring a file.

    Attributes
    ----------
    n_rows, n_flagged : rows scored and flagged
    seconds : time it took
    shift : (n_features + 1,) stability index of each feature and of the score
    drift : a sentence for each strong shift
    notes : sentences on new categories and the like
    highest : the 100 highest scoring rows with their scores
    """

    n_rows: int
    n_flagged: int
    seconds: float
    shift: np.ndarray
    drift: tuple[str, ...]
    notes: tuple[str, ...]
    highest: pd.DataFrame

    @property
    def rows_per_second(self) -> float:
        """Rows scored per second, reading and writing included."""
        return self.n_rows / max(self.seconds, 1e-9)


class Scorer:
    """A detector ready to score frames."""

    def __init__(self, detector: DetectorBundle) -> None:
        self.detector = detector
        self.model = detector.model()
        self.encoder = detector.table_encoder()

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """The features (n, n_features) of a frame, matched by column name.

        DetectorFileError names columns that are missing, or hold cells that are no numbers and need an encoder.
        """
        required = list(self.detector.columns if self.encoder is None else dict.fromkeys(self.encoder.sources_))
        missing = [name for name in required if name not in frame]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DetectorFileError(
                f"The detector was trained on columns that the file lacks: {', '.join(missing[:5])}{more}. "
                f"The file has {', '.join(map(str, frame.columns[:8]))}."
            )
        if self.encoder is not None:
            return self.encoder.transform(frame)
        numbers = frame[required].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
        holes = ~np.isfinite(numbers)
        if holes.any():
            name = required[int(np.argmax(holes.any(axis=0)))]
            raise DetectorFileError(f"The column {name} has cells that are no numbers; fill them in first.")
        return numbers

    def score(self, frame: pd.DataFrame, n_carried: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """`DetectorBundle.sheet` of all but the first `n_carried` rows, and their counts (`Baseline.count`)."""
        X = self.matrix(frame)[n_carried:]
        sheet = self.detector.sheet(self.model.anomaly_score(X))
        return sheet, self.detector.baseline.count(X, sheet["score"])

    def notes(self, frame: pd.DataFrame) -> list[str]:
        """Sentences on what the features cannot show: new categories, constants that changed."""
        return [] if self.encoder is None else self.encoder.unfamiliar(frame)


def blocks(detector: bytes, source: BinaryIO, n_lags: int = 0) -> Iterator[Block]:
    """Blocks of a text table, cut at line ends outside quotes; the dialect is detected once, from the first block.

    Parameters
    ----------
    detector : content of a detector file
    source : text in any encoding
    n_lags : how many rows before its own a block carries along
    """
    text = _Text(source)
    head = text.read()
    dialect = sniff(head, delimiter=None, decimal=None, header=None)
    quote = dialect.quotechar.encode()
    header, body, first_row = head[: dialect.body], head[dialect.body :], 0
    carried, n_carried = b"", 0
    while True:
        following = text.read()
        if following:
            end = _last_line_end(body, quote)
            body, rest = body[:end], body[end:]
        else:
            rest = b""
        if body.strip():
            n_rows = body.count(b"\n") + (not body.endswith(b"\n"))
            yield Block(detector, header, body, first_row - n_carried, dialect, carried)
            first_row += n_rows
            if n_lags:
                lines = (carried + body).splitlines(keepends=True)[-n_lags:]
                carried, n_carried = b"".join(lines), len(lines)
        if not following:
            return
        body = rest + following


def score_block(block: Block) -> ScoredBlock:
    """One block, read, scored and written as CSV: a function of its bytes alone, so that any worker can compute it."""
    scorer = _scorer(hashlib.sha256(block.detector).digest(), block.detector)
    frame, _, _ = read_delimited(block.header + block.carried + block.body, block.dialect, (), Limits())
    n_carried = min(block.carried.count(b"\n"), len(frame))
    as_written = block.dialect.delimiter == "," and block.dialect.decimal == "." and b'"' not in block.body
    raw = block.body if as_written else b""
    return _scored(scorer, frame, block.first_row, n_carried, raw, len(block.body))


def score_file(
    detector: bytes,
    source: BinaryIO,
    sink: BinaryIO,
    width: int | None = 0,
    nice: int = 0,
    progress: Progress = lambda n_rows, n_bytes: None,
) -> Summary:
    """Score a table from `source` and write the original columns with score, percentile, p-value and flag to `sink`.

    Parameters
    ----------
    detector : content of a detector file
    source : CSV or other delimited text of any length; gzip and Parquet are read as a whole
    sink : where UTF-8 CSV is written
    width : number of processes, 0 for this one, None for one per core (or the Dask cluster of FLOWLAB_SCHEDULER)
    nice : niceness of these processes
    progress : called after each block with rows scored and bytes read so far

    DetectorFileError for the detector, or columns that it lacks; TableError for a file that holds no table.
    """
    opened = from_bytes(detector)
    start = source.read(4096)
    source.seek(0)
    refuse_foreign(start)
    began = time.perf_counter()
    encoder = opened.table_encoder()
    with pool(width, nice) as imap:
        if start.startswith(WHOLE) or b"\x00" in start:
            results = imap(score_whole, [(detector, source.read())])
        else:
            results = imap(score_block, blocks(detector, source, encoder.lags if encoder else 0))
        return _drain(opened, results, sink, progress, began)


def _drain(
    detector: DetectorBundle, results: Iterator[ScoredBlock], sink: BinaryIO, progress: Progress, began: float
) -> Summary:
    n_rows = n_flagged = n_bytes = 0
    counts = np.zeros(detector.baseline.shares.shape, np.int64)
    notes: dict[str, str] = {}
    highest = None
    for scored in results:
        sink.write(scored.csv if n_rows == 0 else scored.csv[scored.csv.index(b"\n") + 1 :])
        n_rows, n_flagged, n_bytes = n_rows + scored.n_rows, n_flagged + scored.n_flagged, n_bytes + scored.n_bytes
        counts += scored.counts
        for note in scored.notes:
            # notes of blocks that differ only in their counts are one note
            notes.setdefault(re.sub(r"[\d,]+ rows", "", note), note)
        highest = scored.highest if highest is None else pd.concat([highest, scored.highest])
        highest = highest.iloc[np.argsort(-_scores_of(highest), kind="stable")[:100]]
        progress(n_rows, n_bytes)
    if n_rows == 0:
        raise TableError("The file holds no rows to score.")
    shift = detector.baseline.shift(counts)
    drift = tuple(drift_sentences(detector.columns, shift))
    distinct_notes = tuple(notes.values())[:MAX_NOTES]
    return Summary(n_rows, n_flagged, time.perf_counter() - began, shift, drift, distinct_notes, highest)


def _scores_of(scored: pd.DataFrame) -> np.ndarray:
    """The column that `with_scores` added: the fourth from the end."""
    return scored.iloc[:, -len(ADDED)].to_numpy()


def score_whole(work: tuple[bytes, bytes]) -> ScoredBlock:
    """A file that cannot be cut, read, scored and written as CSV: `work` is the detector's and the file's content."""
    detector, data = work
    scorer = _scorer(hashlib.sha256(detector).digest(), detector)
    return _scored(scorer, read_table(data).frame, 0, 0, b"", len(data))


def _scored(
    scorer: Scorer, frame: pd.DataFrame, first_row: int, n_carried: int, raw: bytes, n_bytes: int
) -> ScoredBlock:
    """`raw` are the rows' own lines where they can be passed on as they are, else b""."""
    # what spreads repeated values depends on a row's number, so numbers go on from block to block
    frame.index = pd.RangeIndex(first_row, first_row + len(frame))
    sheet, counts = scorer.score(frame, n_carried)
    frame = frame.iloc[n_carried:]
    top = np.argsort(-sheet["score"], kind="stable")[:100]
    highest = with_scores(frame.iloc[top], {name: values[top] for name, values in sheet.items()})
    highest.index = frame.index[top]
    return ScoredBlock(
        csv=_csv(frame, sheet, raw),
        n_rows=len(frame),
        n_flagged=int(sheet["flagged"].sum()),
        counts=counts,
        notes=tuple(scorer.notes(frame)),
        highest=highest,
        n_bytes=n_bytes,
    )


def _csv(frame: pd.DataFrame, sheet: dict[str, np.ndarray], raw: bytes) -> bytes:
    """The rows as CSV. Lines that hold nothing a spreadsheet would execute go through untouched: 10 times faster."""
    lines = raw.splitlines()
    if len(lines) != len(frame) or any(_may_execute(frame[name]) for name in frame):
        return to_csv_bytes(with_scores(frame, sheet))
    header = to_csv_bytes(with_scores(frame.iloc[:0], {name: values[:0] for name, values in sheet.items()}))
    added = pa.table({name: sheet[name].astype(np.int8 if name == "flagged" else np.float64) for name in ADDED})
    buffer = io.BytesIO()
    pa_csv.write_csv(added, buffer, pa_csv.WriteOptions(include_header=False))
    pairs = zip(lines, buffer.getvalue().splitlines(), strict=True)
    return header + b"".join([b"%b,%b\n" % pair for pair in pairs])


def _may_execute(column: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    return bool(column.astype("str").str.startswith(FORMULA_STARTS).any())


@lru_cache(maxsize=2)
def _scorer(digest: bytes, detector: bytes) -> Scorer:
    return Scorer(from_bytes(detector))


class _Text:
    """UTF-8 text from a file in any encoding, block by block, cut where no character is split."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._decoder = source, None

    def read(self) -> bytes:
        data = self._source.read(BLOCK_BYTES)
        if self._decoder is None:
            # the first block's last line may be cut inside a character: it is judged without it
            _, encoding, _ = to_utf8(data[: data.rfind(b"\n") + 1] or data)
            codec = "cp1252" if "1252" in encoding else "latin-1" if "Latin" in encoding else "utf-8-sig"
            self._decoder = codecs.getincrementaldecoder(codec)(errors="replace")
        return self._decoder.decode(data, final=not data).encode()


def _last_line_end(body: bytes, quote: bytes) -> int:
    """Where the last whole row ends: behind the last line end that stands outside quotes."""
    end = len(body)
    while (end := body.rfind(b"\n", 0, end)) >= 0:
        if body.count(quote, 0, end) % 2 == 0:
            return end + 1
    return 0
