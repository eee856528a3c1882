"""`flowlab recalibrate`: a detector's threshold set anew on newer rows."""

from __future__ import annotations

import argparse
from pathlib import Path

from flowlab.commands.arguments import check_output, write
from flowlab.commands.score import add_scoring, score_one
from flowlab.serving.bundle import from_bytes, to_bytes
from flowlab.serving.recalibration import recalibrated


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("recalibrate", help="set a detector's threshold anew on newer rows; the model stays")
    command.add_argument("detector", help="a detector file, which is kept")
    command.add_argument("file", help="a table whose rows are to count as normal")
    command.add_argument("-o", "--output", required=True, help="the detector file to write")
    add_scoring(command)
    command.set_defaults(command=recalibrate, reasons=False)


def recalibrate(options: argparse.Namespace) -> int:
    """Set the threshold anew, say what changed, and write a second detector file."""
    for file in (options.detector, options.file):
        check_output(options.output, file)
    data = Path(options.detector).read_bytes()
    summary = score_one(options, data, options.file, None)
    found = recalibrated(from_bytes(data), summary.scores, summary.levels, Path(options.file).name)
    for sentence in (*summary.drift, *found.sentences):
        print(sentence)
    write(options.output, to_bytes(found.detector))
    return 0
