"""The command line: open the dashboard, train a detector on a table, score another with it, list and export runs.

flowlab app
flowlab train orders.csv --label fraud -o orders.detector
flowlab score orders.detector new.csv -o scored.csv
flowlab watch orders.detector month/*.csv
flowlab serve orders.detector
flowlab runs
flowlab export 3f9a0c1d -o film.html
"""

from __future__ import annotations

import argparse
import codecs
import contextlib
import datetime
import glob
import hashlib
import io
import json
import os
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from flowlab import __version__, catalog
from flowlab.controls import Control
from flowlab.datasets.dataset import Dataset, Part
from flowlab.datasets.from_table import NONE, RoleSettings, anomaly_values_of, choose_roles
from flowlab.detection.flag_rules import VERDICTS, flag_rule
from flowlab.detection.monitor import ERROR, Monitor
from flowlab.detection.rules import RULES
from flowlab.detection.scored_table import ScoredTable
from flowlab.formatting import count
from flowlab.jobs import JobError
from flowlab.records import Scalar, Spec
from flowlab.serving.blocks import Reading
from flowlab.serving.bundle import from_bytes
from flowlab.serving.detection import asked_roles, prepare
from flowlab.serving.film import stored_film
from flowlab.serving.scoring import Summary, how_far, score_file
from flowlab.serving.watch import begin, read_history, watched
from flowlab.store.atomic import append_lines, replacing
from flowlab.store.runs import RunStore
from flowlab.tables.dialect import DELIMITERS
from flowlab.tables.export import to_csv_bytes
from flowlab.tables.limits import TableError
from flowlab.tables.read import column_readings, read_table
from flowlab.tables.schema import KINDS

LONG_FILE = 32 * 2**20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, or 1 after an error; argparse exits with 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # not every code page has thin spaces and minus signs
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (TableError, ValueError, JobError, OSError, ImportError) as error:
        print(f"flowlab: {error}", file=sys.stderr)
        return 1
    except MemoryError:
        print("flowlab: the memory is too small for this; use fewer rows or columns", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("flowlab: interrupted", file=sys.stderr)
        return 1


def app(options: argparse.Namespace) -> int:
    """Serve the dashboard until it is stopped."""
    os.environ["FLOWLAB_HOME"] = options.home
    try:
        from flowlab.dashboard import launcher
    except ModuleNotFoundError as error:
        raise ImportError(f'the dashboard needs {error.name}; install it with: pip install "flowlab[app]"') from error
    launcher.run(options.port, options.address, sys.stdout.isatty() if options.open is None else options.open)
    return 0


def train(options: argparse.Namespace) -> int:
    """Train on a table and save the detector. What can be refused is refused before training."""
    spec = _model_spec(options.model, _pairs(options.set, "--set"))
    parameters = _rule_parameters(options.rule, options.rule_set)
    _check_output(options.output, options.file)
    table = read_table(options.file, **_reading(options), **column_readings(options.column))
    frame = table.frame
    for sentence in table.report.warnings:
        print(sentence)
    label = NONE if options.no_label else options.label or ""
    asked = asked_roles(frame, label, options.time or "", options.context or "")
    _say_roles(frame, asked)
    for verdict, conditions in (("never", options.never), ("always", options.always)):
        for condition in conditions:
            flag_rule(verdict, condition, list(map(str, frame)))
    prepared = prepare(table, asked, options.train_on, spec, options.seed)
    for sentence in prepared.findings:
        print(sentence)
    _check_rule(prepared.dataset, options.rule, parameters)
    detection = prepared.fit(
        lambda event: _say(f"step {count(event.step)} of {count(event.n_steps)}, validation loss {event.val_loss:.3f}")
    )
    _say("")
    dataset, scored = prepared.dataset, detection.scored
    threshold = detection.choose(options.rule or "", "rows", **parameters)
    print(
        f"{count(len(dataset.rows(Part.TRAIN)))} rows trained on, {dataset.n_features} features. {threshold.sentence}"
    )
    for sentence in scored.notes():
        print(sentence)
    for part in (Part.VALIDATION, Part.TEST):
        print(_quality(scored, part, threshold.value))
    _write(options.output, detection.to_bytes(threshold, options.never, options.always))
    return 0


def _model_spec(name: str, given: Mapping[str, str]) -> Spec:
    entry = catalog.MODELS[name]
    controls = {control.name: control for control in entry.controls}
    for key, text in given.items():
        if key not in controls:
            known = f"it has {', '.join(controls)}" if controls else "it has none"
            raise ValueError(f"{entry.label} has no setting {key!r} for --set; {known}")
        _setting("--set", controls[key], text)
    return entry.tidy(Spec(name, given))[0]


def _rule_parameters(rule: str | None, texts: Sequence[str]) -> dict[str, float]:
    given = _pairs(texts, "--rule-set")
    if given and rule is None:
        raise ValueError("--rule-set needs --rule, the rule whose parameters these are")
    controls = {control.name: control for control in RULES[rule].controls} if rule else {}
    for name in given:
        if name not in controls:
            raise ValueError(
                f"the rule {rule!r} has no parameter {name!r} for --rule-set; it has {', '.join(controls)}"
            )
    return {name: float(_setting("--rule-set", controls[name], text)) for name, text in given.items()}


def _setting(option: str, control: Control, text: str) -> Scalar:
    try:
        return control.strictly(text)
    except ValueError as error:
        raise ValueError(f"{option} {control.name}={text}: {error}") from None


def _check_output(output: str, source: str) -> None:
    folder = Path(output).resolve().parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder} to write {Path(output).name} to; make it first")
    if Path(output).is_dir():
        raise ValueError(f"{output} is a folder; give the name of a file to write")
    if Path(output).resolve() == Path(source).resolve():
        raise ValueError(f"{output} is the file that is read; give another name with -o")


def _say_roles(frame: pd.DataFrame, asked: RoleSettings) -> None:
    """Say what was proposed rather than asked for: the label and the time."""
    roles, _ = choose_roles(frame, **asked)
    label = next((role for role in roles if role.role == "label"), None)
    if label and not asked["label"]:
        anomalies = ", ".join(anomaly_values_of(frame[label.name])[:6])
        print(
            f"The column {label.name} is taken as the label ({label.reason}), {anomalies} as anomalies; "
            "choose another with --label, or none with --no-label."
        )
    time = next((role for role in roles if role.role == "time"), None)
    if time and not asked["time"]:
        print(f"Rows are ordered by the column {time.name}; choose another with --time.")


def _check_rule(dataset: Dataset, rule: str | None, parameters: Mapping[str, float]) -> None:
    """Refuse what no training can mend: a rule that says no even to scores that tell the anomalies apart."""
    n_rows = len(dataset)
    is_high = np.zeros(n_rows, bool)
    is_high[dataset.rows(Part.TEST)[::2]] = is_high[dataset.rows(Part.VALIDATION)[::20]] = True
    if dataset.y is not None and (rule is None or RULES[rule].labels != "unused"):
        is_high = dataset.y.astype(bool)
    tail = -np.log(np.random.default_rng(0).permutation(n_rows) + 1.0)
    trial = ScoredTable.of(dataset, tail - tail.min() + np.where(is_high, 1000.0, 0.0))
    threshold = trial.choose(rule or trial.best_default_rule, "rows", **parameters)
    if threshold.refused:
        raise ValueError(f"{threshold.sentence} Nothing was trained: use a longer table or another rule (--rule).")


def score(options: argparse.Namespace) -> int:
    """Score tables with a saved detector: one to a file, or several to a folder."""
    files = _files(options.files)
    if len(files) == 1 and not Path(options.output).is_dir():
        _check_output(options.output, files[0])
        outputs = [options.output]
    else:
        outputs = _outputs(files, options.output)
    _check_output(outputs[0], options.detector)
    detector = Path(options.detector).read_bytes()
    violations = []
    for file, output in zip(files, outputs, strict=True):
        summary = _score_one(options, detector, file, output)
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


def _files(patterns: Sequence[str]) -> list[str]:
    """The files that names and patterns such as data/*.csv stand for, each once."""
    found: list[str] = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern)) if glob.has_magic(pattern) and not Path(pattern).exists() else [pattern]
        if not matches:
            raise ValueError(f"no file is named {pattern}")
        found += [match for match in matches if match not in found]
    return found


def _outputs(files: Sequence[str], folder: str) -> list[str]:
    """A file for each in a folder, which is made; ValueError where two would have one name."""
    if Path(folder).is_file():
        raise ValueError(f"{folder} is a file; {len(files)} tables are scored to a folder")
    Path(folder).mkdir(parents=True, exist_ok=True)
    outputs = [str(Path(folder) / f"{Path(file).name.partition('.')[0]}_scored.csv") for file in files]
    twice = [name for name in outputs if outputs.count(name) > 1]
    if twice:
        raise ValueError(f"two tables would be written to {twice[0]}; score them to two folders")
    return outputs


def _score_one(options: argparse.Namespace, detector: bytes, file: str, output: str | None) -> Summary:
    """Score one file, to nowhere where there is no output."""
    size, began = Path(file).stat().st_size, time.perf_counter()

    def progress(n_rows: int, n_bytes: int) -> None:
        share = min(n_bytes / max(size, 1), 1)
        _say(f"{100 * share:.0f} %, {how_far(n_rows, share, time.perf_counter() - began)}")

    sink = open(os.devnull, "wb") if output is None else replacing(Path(output))  # noqa: SIM115
    with open(file, "rb") as source, sink as out:
        summary = score_file(
            detector,
            source,
            out,
            _lanes(options.lanes, size),
            progress=progress,
            reading=_reading(options),
            with_reasons=options.reasons,
        )
    _say("")
    return summary


BROKEN = 3
"""Exit status of `flowlab watch` where a promise is broken."""


def watch(options: argparse.Namespace) -> int:
    """Score new files, add them to the detector's history and say whether its promise holds; status 3 if not."""
    data = Path(options.detector).read_bytes()
    detector, name = from_bytes(data), hashlib.sha256(data).hexdigest()[:16]
    if not 0 < options.error < 1:
        raise ValueError(f"--error must lie between 0 and 1, not {options.error:g}")
    if options.webhook and not options.webhook.startswith(("http://", "https://")):
        raise ValueError("--webhook is an address that begins with http:// or https://")
    history = Path(options.history or f"{options.detector}.history.jsonl")
    lines = read_history(history.read_bytes().splitlines()) if history.exists() else []
    own = [line for line in lines if line.detector == name]
    seen = {line.digest for line in own}
    monitor = Monitor.from_record(own[-1].monitor) if own and not options.restart else begin(detector, options.error)
    for file in _files(options.files):
        content = Path(file).read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        if digest in seen:
            print(f"{file}: seen before")
            continue
        output = None if options.output is None else _outputs([file], options.output)[0]
        summary = _score_one(options, data, file, output)
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        monitor, line = watched(monitor, detector, summary, file, digest, name, when)
        append_lines(history, line.to_json().encode() + b"\n")
        seen.add(digest)
        for sentence in (line.line, *summary.drift):
            print(sentence)
    print(monitor.sentence)
    if not monitor.is_broken:
        return 0
    if options.webhook:
        _post(options.webhook, {"detector": options.detector, "broken": monitor.sentence, **monitor.to_record()})
    return BROKEN


def _post(address: str, message: Mapping[str, object]) -> None:
    """Send a message as JSON; a failure is said and changes nothing else."""
    body = json.dumps(message).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        print(f"flowlab: the webhook did not take the message ({error})", file=sys.stderr)


def serve(options: argparse.Namespace) -> int:
    """Serve a detector over HTTP until it is stopped."""
    try:
        import uvicorn

        from flowlab.serving.http import make_service
    except ModuleNotFoundError as error:
        raise ImportError(f'the service needs {error.name}; install it with: pip install "flowlab[serve]"') from error
    token = os.environ.get("FLOWLAB_TOKEN", "")
    if not token and options.address not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"others reach {options.address}: set a token in FLOWLAB_TOKEN, which requests must carry")
    service = make_service(Path(options.detector).read_bytes(), token, options.max_mb * 2**20)
    print(f"http://{options.address}:{options.port}/score takes rows; /health and /version answer", flush=True)
    uvicorn.run(service, host=options.address, port=options.port, log_level="warning", server_header=False)
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
        steps = f"{count(run.events[-1].step)} steps" if run.events else "no step"
        print(f"{run.run_id}  {made}  {run.status:<11}  {run.spec.data.name} · {run.spec.model.name}, {steps}")
    if not stored:
        print(f"There are no runs in {options.home}.")
    return 0


def export(options: argparse.Namespace) -> int:
    """Write a finished run as one HTML page."""
    film = stored_film(RunStore(Path(options.home)), options.run, options.address)
    _write(options.output, film.to_html().encode())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowlab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"flowlab {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_app, _add_train, _add_score, _add_watch, _add_serve, _add_runs, _add_export):
        add(commands)
    return parser


def _add_app(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("app", help="open the dashboard")
    command.add_argument("--port", type=_port, help="by default 8501, or the next that is free")
    command.add_argument("--address", help="to listen on; by default 127.0.0.1, which only this machine reaches")
    _add_home(command)
    command.add_argument(
        "--open", action=argparse.BooleanOptionalAction, help="open a browser; by default when run in a terminal"
    )
    command.set_defaults(command=app)


def _add_train(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("train", help="train a detector on a table")
    command.add_argument("file", help="CSV, other delimited text, gzip of it, or Parquet")
    command.add_argument("-o", "--output", required=True, help="the detector file to write")
    label = command.add_mutually_exclusive_group()
    label.add_argument("--label", help="column that marks anomalies, not a feature; by default proposed")
    label.add_argument("--no-label", action="store_true", help="take no column as the label, though one looks like it")
    command.add_argument("--time", help="column that orders rows; by default proposed from names and values")
    command.add_argument("--context", help="column of classes or kinds: a row is judged among the rows of its kind")
    command.add_argument("--train-on", choices=("normal", "all"), default="normal", help="rows to fit where labelled")
    command.add_argument(
        "--model", choices=list(catalog.MODELS), default="detector", metavar="MODEL", help="name in the catalog"
    )
    command.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the model")
    command.add_argument("--rule", choices=list(RULES), help="how the threshold is chosen")
    command.add_argument("--rule-set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the rule")
    for verdict in VERDICTS:
        command.add_argument(
            f"--{verdict}",
            action="append",
            default=[],
            metavar="CONDITION",
            help=f"rows that are {verdict} flagged: 'city = Rome and price > 100', 'load is missing'; repeat",
        )
    command.add_argument(
        "--column",
        nargs="*",
        default=[],
        metavar="NAME=TYPE",
        help=f"read a column as {', '.join(KINDS)}, or as dates of a format such as %%d/%%m/%%Y",
    )
    command.add_argument("--seed", type=_seed, default=0, help="division of the rows, initial weights, batches")
    _add_reading(command)
    command.set_defaults(command=train)


def _add_score(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("score", help="score tables with a detector, in bounded memory")
    command.add_argument("detector", help="a detector file")
    command.add_argument("files", nargs="+", help="tables with the columns it was trained on, or a pattern of names")
    command.add_argument("-o", "--output", required=True, help="the CSV to write, or a folder for several")
    command.add_argument("--violations", metavar="FILE", help="a CSV to write: cells that do not fit their column")
    _add_scoring(command)
    command.set_defaults(command=score)


def _add_watch(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("watch", help="score new files and say whether the detector's promise still holds")
    command.add_argument("detector", help="a detector file")
    command.add_argument("files", nargs="+", help="tables, or a pattern of names; a file seen before is passed over")
    command.add_argument("-o", "--output", help="a folder for the scored tables; by default they are not kept")
    command.add_argument("--history", metavar="FILE", help="a line for each file; by default beside the detector")
    command.add_argument("--error", type=float, default=ERROR, help="chance of ever crying wolf; default %(default)s")
    command.add_argument("--restart", action="store_true", help="forget what the monitor saw, not the history")
    command.add_argument("--webhook", metavar="URL", help="address to send a message to when the promise is broken")
    _add_scoring(command)
    command.set_defaults(command=watch)


def _add_serve(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("serve", help="score rows over HTTP; FLOWLAB_TOKEN is the token requests must carry")
    command.add_argument("detector", help="a detector file")
    command.add_argument("--port", type=_port, default=8600, help="by default %(default)s")
    command.add_argument("--address", default="127.0.0.1", help="to listen on; by default only this machine reaches it")
    command.add_argument("--max-mb", type=int, default=64, help="longest request in MB; by default %(default)s")
    command.set_defaults(command=serve)


def _add_scoring(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--reasons", action=argparse.BooleanOptionalAction, default=True, help="say why each flagged row is flagged"
    )
    command.add_argument("--lanes", type=int, help="processes; 0 this one; by default one per core for long files")
    _add_reading(command)


def _add_runs(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("runs", help="list the runs of a store")
    _add_home(command)
    command.set_defaults(command=runs)


def _add_export(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("export", help="write a finished run as one HTML page")
    command.add_argument("run", help="id of the run, or how it begins; `runs` lists them")
    command.add_argument("-o", "--output", required=True, help="the HTML file to write")
    _add_home(command)
    command.add_argument("--address", default="http://localhost:8501", help="of the dashboard that the page links to")
    command.set_defaults(command=export)


def _add_home(command: argparse.ArgumentParser) -> None:
    """The folder of runs and tables."""
    home = os.environ.get("FLOWLAB_HOME", ".flowlab")
    command.add_argument("--home", default=home, help="folder of runs and tables; by default %(default)s")


def _add_reading(command: argparse.ArgumentParser) -> None:
    """How the table is written, where that is not to be found out."""
    group = command.add_argument_group("reading", "how the table is written; found out unless given")
    group.add_argument("--delimiter", type=_delimiter, help="one character, or " + ", ".join(DELIMITERS.values()))
    group.add_argument("--encoding", type=_encoding, help="such as utf-8, cp1252 or shift_jis")
    group.add_argument("--decimal", choices=(".", ","), help="decimal sign")
    group.add_argument(
        "--header", action=argparse.BooleanOptionalAction, default=None, help="whether the first row names the columns"
    )
    group.add_argument(
        "--missing",
        action="append",
        default=[],
        metavar="CODE",
        help="a cell that means no value, such as -999; repeat",
    )


def _reading(options: argparse.Namespace) -> Reading:
    """Arguments of `read_table`: those that were given."""
    return Reading(
        delimiter=options.delimiter,
        encoding=options.encoding,
        decimal=options.decimal,
        header=options.header,
        missing_codes=tuple(options.missing or ()),
    )


def _delimiter(text: str) -> str:
    found = {name: sign for sign, name in DELIMITERS.items()}.get(text, "\t" if text == "\\t" else text)
    if len(found) != 1 or found.isalnum():
        raise argparse.ArgumentTypeError(f"one character or one of {', '.join(DELIMITERS.values())}, not {text!r}")
    return found


def _encoding(text: str) -> str:
    try:
        is_text = codecs.lookup(text)._is_text_encoding
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise argparse.ArgumentTypeError(f"{text!r} is no encoding; name one such as utf-8, cp1252 or shift_jis")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"a number from 1 to 65535, not {text!r}")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"a whole number from 0 to 999999999, not {text!r}")
    return int(text)


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{option} is written NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


def _quality(scored: ScoredTable, part: Part, threshold: float) -> str:
    curves = scored.curves(part)
    at = curves.at(threshold)
    line = f"{part + ' rows:':<17}{count(int(at.flagged))} of {count(len(curves.ordered))} flagged"
    if not curves.has_labels:
        return line
    judged = curves.labelled.at(threshold)
    known = {"precision": float(judged.precision), "recall": float(judged.recall), "AUROC": curves.auroc()}
    return line + "".join(f", {name} {value:.3f}" for name, value in known.items() if np.isfinite(value))


def _write(path: str, data: bytes) -> None:
    with replacing(Path(path)) as file:
        file.write(data)
    print(f"{count(len(data))} bytes written to {path}")


def _say(line: str) -> None:
    """Progress on one line, where a person is looking."""
    if sys.stderr.isatty():
        with contextlib.suppress(OSError):
            print(f"\r\x1b[K{line}", end="" if line else "\r", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
