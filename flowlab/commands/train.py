"""`flowlab train`: a detector from a table."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from flowlab import catalog
from flowlab.commands.arguments import (
    add_label,
    add_query,
    add_reading,
    check_output,
    label_of,
    pairs,
    queried,
    reading,
    say,
    say_versions,
    seed,
    write,
)
from flowlab.commands.score import named_files
from flowlab.controls import Control
from flowlab.datasets.case import case_of
from flowlab.datasets.dataset import Dataset, Part
from flowlab.datasets.from_table import NONE, TRAIN_ON, RoleSettings, anomaly_values_of, choose_roles
from flowlab.detection.flag_rules import VERDICTS, flag_rule
from flowlab.detection.rules import RULES
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.formatting import count
from flowlab.records import Scalar, Spec
from flowlab.serving.bundle import MAX_FOLDS, from_bytes
from flowlab.serving.detection import PreparedTable, asked_roles, prepare
from flowlab.store.label import RunLabel
from flowlab.tables.database import read_query
from flowlab.tables.read import column_readings, read_table
from flowlab.tables.schema import KINDS


def add(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser("train", help="train a detector on a table")
    command.add_argument(
        "files",
        nargs="*",
        help="CSV or other text, gzip of it, .xlsx, .xls, .ods, JSON records, Parquet, Feather, or a ZIP; several of "
        "one shape are stacked",
    )
    goal = command.add_mutually_exclusive_group(required=True)
    goal.add_argument("-o", "--output", help="the detector file to write")
    goal.add_argument("--estimate", action="store_true", help="say what training takes here, by a few steps, and end")
    label = command.add_mutually_exclusive_group()
    label.add_argument("--label", help="column that marks anomalies, not a feature; by default proposed")
    label.add_argument("--no-label", action="store_true", help="take no column as the label, though one looks like it")
    command.add_argument("--time", help="column that orders rows; by default proposed from names and values")
    command.add_argument("--context", help="column of classes or kinds: a row is judged among the rows of its kind")
    help_rows = "rows to fit: those labelled normal, all, or all of a table without labels whose rows are known normal"
    command.add_argument("--train-on", choices=TRAIN_ON, default="normal", help=help_rows)
    command.add_argument(
        "--model", choices=list(catalog.MODELS), default="detector", metavar="MODEL", help="name in the catalog"
    )
    command.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the model")
    command.add_argument("--rule", choices=list(RULES), help="how the threshold is chosen")
    command.add_argument("--rule-set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of the rule")
    command.add_argument(
        "--by-group",
        default="",
        metavar="COLUMN",
        help="column with few levels: each gets a threshold and a promise of its own, by the rule conformal",
    )
    command.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="K",
        help="for a small table: train K models, each without one fold of the rows, and set no rows aside for the "
        "threshold; 5 is usual. Training and scoring take K times as long",
    )
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
    command.add_argument("--seed", type=seed, default=0, help="division of the rows, initial weights, batches")
    add_query(command)
    add_label(command)
    command.add_argument(
        "--leave-out",
        action="append",
        default=[],
        metavar="ROWS",
        help="rows that train nothing: '17, 40-57' (the first is 0) or '2024-03-01 to 2024-03-09'; repeat",
    )
    command.add_argument(
        "--against", metavar="DETECTOR", help="an older detector file, compared with the new one on all rows"
    )
    add_reading(command)
    command.set_defaults(command=train)


def train(options: argparse.Namespace) -> int:
    """Train on a table and save the detector. What can be refused is refused before training."""
    called = label_of(options, RunLabel())
    spec = _model_spec(options.model, pairs(options.set, "--set"))
    rule = options.rule or ("conformal" if options.by_group else None)
    parameters = _rule_parameters(rule, options.rule_set)
    is_query = queried(options)
    files = named_files(options.files)
    for file in files if options.output else ():
        check_output(options.output, file)
    names = [Path(file).name for file in files]
    names = names if len(set(names)) == len(names) else files
    if is_query:
        table = read_query(options.database, options.query, options.missing, column_readings(options.column))
    else:
        table = read_table(dict(zip(names, map(Path, files))), **reading(options), **column_readings(options.column))
    frame = table.frame
    for sentence in table.report.warnings:
        print(sentence)
    label = NONE if options.no_label else options.label or ""
    asked = asked_roles(frame, label, options.time or "", options.context or "")
    _say_roles(frame, asked)
    if options.folds and options.by_group:
        raise ValueError("--folds and --by-group exclude each other: promises of groups need rows set aside")
    if options.folds == 1 or not 0 <= options.folds <= MAX_FOLDS:
        raise ValueError(f"--folds takes 2 to {MAX_FOLDS}, or 0 for rows set aside, not {options.folds}")
    for verdict, conditions in (("never", options.never), ("always", options.always)):
        for condition in conditions:
            flag_rule(verdict, condition, list(map(str, frame)))
    old = None
    if options.against:
        check_output(options.output, options.against)
        old = from_bytes(Path(options.against).read_bytes())
    prepared = prepare(table, asked, options.train_on, spec, options.seed, ", ".join(options.leave_out))
    for sentence in prepared.findings:
        print(sentence)
    _check_rule(prepared, rule, parameters, options.by_group, options.folds)
    if options.estimate:
        print(prepared.estimate().sentence)
        return 0
    detection = prepared.fit(
        lambda event: say(f"step {count(event.step)} of {count(event.n_steps)}, validation loss {event.val_loss:.3f}"),
        options.folds,
    )
    say("")
    dataset, scored = prepared.dataset, detection.scored
    threshold = detection.choose(rule or "", "rows", options.by_group, **parameters)
    print(
        f"{count(len(dataset.rows(Part.TRAIN)))} rows trained on, {dataset.n_features} features. {threshold.sentence}"
    )
    if detection.model.asks_if_normal:
        print(case_of(dataset))
    for sentence in scored.notes():
        print(sentence)
    for part in (Part.VALIDATION, Part.TEST):
        print(_quality(scored, part, threshold))
    if old is not None:
        say_versions(detection.versus(threshold, old))
    write(options.output, detection.to_bytes(threshold, options.never, options.always, called))
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
    given = pairs(texts, "--rule-set")
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


def _check_rule(
    prepared: PreparedTable, rule: str | None, parameters: Mapping[str, float], by_group: str, n_folds: int
) -> None:
    """Refuse what no training can mend: a rule that says no even to scores that tell the anomalies apart."""
    dataset: Dataset = prepared.dataset
    n_rows = len(dataset)
    is_high = np.zeros(n_rows, bool)
    is_high[dataset.rows(Part.TEST)[::2]] = is_high[dataset.rows(Part.VALIDATION)[::20]] = True
    if dataset.y is not None and (rule is None or RULES[rule].labels != "unused"):
        is_high = dataset.y.astype(bool)
    tail = -np.log(np.random.default_rng(0).permutation(n_rows) + 1.0)
    trial = ScoredTable.of(dataset, tail - tail.min() + np.where(is_high, 1000.0, 0.0), prepared.frame, n_folds)
    threshold = trial.choose(rule or trial.best_default_rule, "rows", **parameters)
    if threshold.refused:
        folds = ", --folds 5" if threshold.rule == "conformal" and not (n_folds or by_group) else ""
        raise ValueError(
            f"{threshold.sentence} Nothing was trained: use a longer table{folds} or another rule (--rule)."
        )
    if by_group:
        trial.by_group(threshold, by_group)


def _quality(scored: ScoredTable, part: Part, threshold: Threshold) -> str:
    curves, (flags, there) = scored.curves(part), scored.operating(part, threshold)
    at = flags.at(there)
    line = f"{part + ' rows:':<17}{count(int(at.flagged))} of {count(len(curves.ordered))} flagged"
    if not curves.has_labels:
        return line
    judged = flags.labelled.at(there)
    known = {"precision": float(judged.precision), "recall": float(judged.recall), "AUROC": curves.auroc()}
    return line + "".join(f", {name} {value:.3f}" for name, value in known.items() if np.isfinite(value))
