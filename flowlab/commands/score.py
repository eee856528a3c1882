"""`flowlab score`: tables scored with a saved detector, in bounded memory."""

from __future__ import annotations

import argparse
import contextlib
import glob
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from flowlab.commands.arguments import add_query, add_reading, check_output, queried, reading, say
from flowlab.formatting import count
from flowlab.serving.scored_file import FORMATS, write_scored
from flowlab.serving.scoring import Summary, how_far, score_file
from flowlab.store.atomic import replacing
from flowlab.tables.database import write_query
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.workbook import check_rows

LONG_FILE = 32 * 2**20
"""Bytes from which a file is scored by several processes."""


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("score", help="score tables with a detector, in bounded memory")
    command.add_argument("detector", help="a detector file")
    command.add_argument("files", nargs="*", help="tables with the columns it was trained on, or a pattern of names")
    command.add_argument("-o", "--output", required=True, help="the file to write, or a folder for several")
    command.add_argument(
        "--format",
        choices=FORMATS,
        help="of the files to write; by default as the name of the output ends (.xlsx, .parquet), else csv",
    )
    command.add_argument("--violations", metavar="FILE", help="a CSV to write: cells that do not fit their column")
    add_query(command)
    add_scoring(command)
    command.set_defaults(command=score)


def add_scoring(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--reasons", action=argparse.BooleanOptionalAction, default=True, help="say why each flagged row is flagged"
    )
    command.add_argument("--lanes", type=int, help="processes; 0 this one; by default one per core for long files")
    add_reading(command)


def score(options: argparse.Namespace) -> int:
    """Score tables with a saved detector: one to a file, or several to a folder; or the rows of a query."""
    if not queried(options):
        return _score_files(options)
    with tempfile.NamedTemporaryFile(suffix=".csv") as rows:
        write_query(options.database, options.query, rows)
        rows.flush()
        options.files, options.delimiter, options.encoding, options.decimal, options.header = (
            [rows.name], ",", "utf-8", ".", True,
        )  # fmt: skip
        return _score_files(options)


def _score_files(options: argparse.Namespace) -> int:
    files = named_files(options.files)
    ending = Path(options.output).suffix.lower().removeprefix(".")
    format = options.format or (ending if ending in FORMATS else "csv")
    if len(files) == 1 and not Path(options.output).is_dir():
        check_output(options.output, files[0])
        outputs = [options.output]
    else:
        outputs = outputs_in(options.output, files, format)
    check_output(outputs[0], options.detector)
    detector = Path(options.detector).read_bytes()
    violations = []
    for file, output in zip(files, outputs, strict=True):
        summary = score_one(options, detector, file, output, format)
        share, rate = 100 * summary.n_flagged / summary.n_rows, round(summary.rows_per_second)
        print(
            f"{count(summary.n_rows)} rows scored, {count(summary.n_flagged)} flagged ({share:.2f} %)"
            f"{f', {count(rate)} rows/s' if rate else ''}; written to {output}"
        )
        for sentence in (*summary.drift, *summary.notes, *(kind.sentence for kind in summary.kinds)):
            print(sentence)
        violations.append(summary.violation_table.assign(**({"file": file} if len(files) > 1 else {})))
    if options.violations:
        with replacing(Path(options.violations)) as sink:
            sink.write(to_csv_bytes(pd.concat(violations)))
        print(f"{count(sum(map(len, violations)))} cells that do not fit written to {options.violations}")
    return 0


def named_files(patterns: Sequence[str]) -> list[str]:
    """The files that names and patterns such as data/*.csv stand for, each once."""
    found: list[str] = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) and not Path(pattern).exists() else [pattern]
        if not matches:
            raise ValueError(f"no file is named {pattern}")
        found += [match for match in matches if match not in found]
    return found


def outputs_in(folder: str, files: Sequence[str], format: str = "csv") -> list[str]:
    """A file for each in a folder, which is made; ValueError where two would have one name."""
    if Path(folder).is_file():
        raise ValueError(f"{folder} is a file; {len(files)} tables are scored to a folder")
    Path(folder).mkdir(parents=True, exist_ok=True)
    outputs = [str(Path(folder) / f"{Path(file).name.partition('.')[0]}_scored.{format}") for file in files]
    twice = [name for name in outputs if outputs.count(name) > 1]
    if twice:
        raise ValueError(f"two tables would be written to {twice[0]}; score them to two folders")
    return outputs


def score_one(
    options: argparse.Namespace, detector: bytes, file: str, output: str | None, format: str = "csv"
) -> Summary:
    """Score one file, to nowhere where there is no output."""
    size, began = Path(file).stat().st_size, time.perf_counter()

    def progress(n_rows: int, n_bytes: int) -> None:
        if format == "xlsx":
            check_rows(n_rows)
        share = min(n_bytes / max(size, 1), 1)
        say(f"{100 * share:.0f} %, {how_far(n_rows, share, time.perf_counter() - began)}")

    sink = open(os.devnull, "wb") if output is None else replacing(Path(output))  # noqa: SIM115
    with open(file, "rb") as source, sink as wanted, contextlib.ExitStack() as stack:
        out = wanted if format == "csv" else stack.enter_context(tempfile.TemporaryFile())
        summary = score_file(
            detector,
            source,
            out,
            _lanes(options.lanes, size),
            progress=progress,
            reading=reading(options),
            with_reasons=options.reasons,
        )
        if format != "csv":
            say(f"{count(summary.n_rows)} rows, writing {format}")
            out.seek(0)
            write_scored(out, summary.columns, wanted, format)
    say("")
    return summary


def _lanes(n_lanes: int | None, size: int) -> int | None:
    """Number of processes for a file of `size` bytes, None for one per core; short files are scored in this one."""
    if n_lanes is not None:
        if n_lanes < 0:
            raise ValueError(f"--lanes must be 0 or more, not {n_lanes}")
        return n_lanes
    return None if size >= LONG_FILE or os.environ.get("FLOWLAB_SCHEDULER") else 0
