"""The command line: train a detector on a table, score another table with it, list the runs of a store.

python -m flowlab train orders.csv --label fraud -o orders.detector
python -m flowlab score orders.detector new.csv -o scored.csv
python -m flowlab runs
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flowlab import catalog
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.rules import RULES
from flowlab.detection.scored import Evidence
from flowlab.jobs import JobError
from flowlab.records import Spec
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.scoring import score_file
from flowlab.store.runs import RunStore
from flowlab.tables.limits import TableError
from flowlab.tables.read import read_table

LONG_FILE = 32 * 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, or 1 after an error; argparse exits with 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (TableError, ValueError, JobError, OSError) as error:
        print(f"flowlab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("flowlab: interrupted", file=sys.stderr)
        return 1


def train(options: argparse.Namespace) -> int:
    """Train on a table and save the detector."""
    frame = read_table(options.file).frame
    for name in filter(None, (options.label, options.time, options.context)):
        if name not in frame:
            raise ValueError(f"there is no column {name!r}; the file has {', '.join(map(str, frame.columns[:12]))}")
    spec, problems = catalog.MODELS[options.model].tidy(Spec(options.model, _pairs(options.set)))
    for problem in problems:
        print(problem, file=sys.stderr)
    dataset, _ = make_table_dataset(
        frame,
        label=options.label or "(none)",
        time=options.time or "",
        roles=f"context={frame.columns.get_loc(options.context) + 1}" if options.context else "",
        train_on=options.train_on,
        seed=options.seed,
        name=Path(options.file).name,
        learner=catalog.learner(spec),
    )
    model = catalog.make_model(spec, options.seed, dataset)
    X_val = dataset.fitting_rows("monitor")
    events = model.fit_iter(dataset.fitting_rows(), X_val if len(X_val) else None)
    for event in events:
        _say(f"step {event.step:,} of {event.n_steps:,}, validation loss {event.val_loss:.3f}")
    _say("")
    evidence = Evidence.of(dataset, model.anomaly_score(dataset.X))
    rule = options.rule or evidence.best_default_rule
    parameters = {name: float(value) for name, value in _pairs(options.rule_set).items()}
    threshold = evidence.choose(rule, **parameters)
    if threshold.refused:
        raise ValueError(threshold.sentence)
    print(f"{len(dataset.rows('train')):,} rows trained on, {dataset.n_features} features. {threshold.sentence}")
    for sentence in evidence.level_notes():
        print(sentence)
    for part in ("validation", "test"):
        print(_quality(evidence, part, threshold.value))
    detector = make_detector(spec, options.seed, model.get_state(), evidence, threshold)
    _write(options.output, to_bytes(detector))
    return 0


def score(options: argparse.Namespace) -> int:
    """Score a table with a saved detector."""
    detector = Path(options.detector).read_bytes()
    size = Path(options.file).stat().st_size

    def progress(n_rows: int, n_bytes: int) -> None:
        _say(f"{100 * min(n_bytes / max(size, 1), 1):.0f} %, {n_rows:,} rows")

    partial = Path(f"{options.output}.part")
    try:
        with open(options.file, "rb") as source, partial.open("wb") as sink:
            summary = score_file(detector, source, sink, _lanes(options.lanes, size), progress=progress)
        partial.replace(options.output)
    finally:
        partial.unlink(missing_ok=True)
    _say("")
    share = 100 * summary.n_flagged / summary.n_rows
    print(
        f"{summary.n_rows:,} rows scored, {summary.n_flagged:,} flagged ({share:.2f} %), "
        f"{summary.rows_per_second:,.0f} rows/s; written to {options.output}"
    )
    for sentence in (*summary.drift, *summary.notes):
        print(sentence)
    return 0


def _lanes(n_lanes: int | None, size: int) -> int | None:
    """Number of processes for a file of `size` bytes, None for one per core; short files are scored in this one."""
    if n_lanes is not None:
        if n_lanes < 0:
            raise ValueError(f"--lanes must be 0 or more, not {n_lanes}")
        return n_lanes
    return None if size >= LONG_FILE or os.environ.get("FLOWLAB_SCHEDULER") else 0


def runs(options: argparse.Namespace) -> int:
    """List the runs of a store, newest first."""
    stored = RunStore(Path(options.home)).list()
    for run in stored:
        made = datetime.datetime.fromtimestamp(run.created).strftime("%Y-%m-%d %H:%M")
        steps = f"{run.events[-1].step:,} steps" if run.events else "no step"
        print(f"{run.run_id}  {made}  {run.status:<11}  {run.spec.data.name} · {run.spec.model.name}, {steps}")
    if not stored:
        print(f"There are no runs in {options.home}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m flowlab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("train", help="train a detector on a table")
    command.add_argument("file", help="CSV, other delimited text, gzip of it, or Parquet")
    command.add_argument("-o", "--output", required=True, help="the detector file to write")
    command.add_argument("--label", help="column that marks anomalies; it is not a feature")
    command.add_argument("--time", help="column that orders rows; by default proposed from names and values")
    command.add_argument("--context", help="column of classes or kinds: a row is judged among the rows of its kind")
    command.add_argument("--train-on", choices=("normal", "all"), default="normal", help="rows to fit where labelled")
    command.add_argument(
        "--model", choices=list(catalog.MODELS), default="detector", metavar="MODEL", help="name in the catalog"
    )
    command.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the model")
    command.add_argument("--rule", choices=list(RULES), help="how the threshold is chosen")
    command.add_argument("--rule-set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the rule")
    command.add_argument("--seed", type=int, default=0, help="division of the rows, initial weights, batches")
    command.set_defaults(command=train)
    command = commands.add_parser("score", help="score a table with a detector, in bounded memory")
    command.add_argument("detector", help="a detector file")
    command.add_argument("file", help="table with the columns the detector was trained on")
    command.add_argument("-o", "--output", required=True, help="the CSV to write")
    command.add_argument("--lanes", type=int, help="processes; 0 this one; by default one per core for long files")
    command.set_defaults(command=score)
    command = commands.add_parser("runs", help="list the runs of a store")
    command.add_argument("--home", default=os.environ.get("FLOWLAB_HOME", ".flowlab"), help="folder of the store")
    command.set_defaults(command=runs)
    return parser


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"settings are written NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


def _quality(evidence: Evidence, part: str, threshold: float) -> str:
    curves = evidence.curves(part)
    at = {name: float(value) for name, value in curves.at(threshold).items()}
    line = f"{part + ' rows:':<17}{int(at['flagged']):,} of {len(curves.ordered):,} flagged"
    if not curves.has_labels:
        return line
    known = {"precision": at["precision"], "recall": at["recall"], "AUROC": curves.auroc()}
    return line + "".join(f", {name} {value:.3f}" for name, value in known.items() if np.isfinite(value))


def _write(path: str, data: bytes) -> None:
    """Write whole or not at all."""
    partial = Path(f"{path}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    print(f"{len(data):,} bytes written to {path}")


def _say(line: str) -> None:
    """Progress on one line, where a person is looking."""
    if sys.stderr.isatty():
        with contextlib.suppress(OSError):
            print(f"\r\x1b[K{line}", end="" if line else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
