"""A detector on a table in a few lines: read, fit, choose a threshold, look at what is flagged, save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flowlab import catalog, views
from flowlab.datasets.checkup import checkup
from flowlab.datasets.dataset import DIVISION, Dataset, Part
from flowlab.datasets.from_table import NONE, RoleSettings, choose_roles, make_table_dataset
from flowlab.detection.scored_table import ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.evaluation.versions import Versions
from flowlab.models.base import DensityModel
from flowlab.models.folds import FoldEnsemble
from flowlab.records import Scalar, Spec, TrainEvent
from flowlab.serving.bundle import DetectorBundle, make_detector, to_bytes
from flowlab.serving.scored_rows import scored_rows
from flowlab.serving.scorer import Scorer
from flowlab.store.atomic import make_folder, on_disk, write_whole
from flowlab.store.label import RunLabel
from flowlab.tables.limits import TableError
from flowlab.tables.read import Table
from flowlab.views.estimate import TrainingEstimate, estimate

MAX_EXPLAINED = 500
"""Flagged rows that get reasons, the highest scores first."""


@dataclass(frozen=True, eq=False)
class Detection:
    """A detector trained on a table, and the scores of the table's rows.

    Attributes
    ----------
    spec, seed : what the model is, by the catalog
    model : the fitted estimator
    scored : the rows and their anomaly scores, divided into training, validation and test rows
    notes : what was found odd about the table, in sentences
    """

    spec: Spec
    seed: int
    model: DensityModel
    scored: ScoredTable
    notes: tuple[str, ...] = ()

    def choose(self, rule: str = "", unit: str = "rows", by_group: str = "", **parameters: float | str) -> Threshold:
        """A threshold, chosen on the validation rows by a rule of `detection.rules`, "" for the one that suits them.

        With the name of a column with few levels as `by_group` each of its groups gets a threshold and a promise of its
        own; the rule is then "conformal". ValueError, one sentence, where the rule finds none.
        """
        rule = rule or ("conformal" if by_group else self.scored.best_default_rule)
        threshold = self.scored.choose(rule, unit, **parameters)
        if threshold.refused:
            raise ValueError(threshold.sentence)
        return self.scored.by_group(threshold, by_group) if by_group else threshold

    def flagged(self, threshold: Threshold, n_explained: int = MAX_EXPLAINED) -> pd.DataFrame:
        """The flagged rows as they were read, the highest score first, with score, percentile and p-value.

        The first `n_explained` have up to three reasons, the strongest first, each with column, value and usual values.
        """
        rows = self.scored.flagged(threshold)
        explained = tuple(int(row) for row in rows[:n_explained])
        reasons = views.top_reasons(self.model, self.scored.dataset, explained) if explained else None
        return scored_rows(self.scored, threshold, reasons, rows)

    def versus(self, threshold: Threshold, old: DetectorBundle) -> Versions:
        """This detector at a threshold and an older one at its own, on all rows of this table.

        Quality is measured on the test rows, which this one was not trained on; that the old one was not either holds
        where it comes from the same table with the same seed, or from another table. DetectorFileError where the old
        one cannot score these rows.
        """
        scorer = Scorer(old)
        typed = scorer.typed(self.scored.frame).frame
        scores = scorer.score(typed)[0].score
        return Versions(
            scores,
            self.scored.scores,
            scorer.flags(typed, scores),
            self.scored.flags(threshold),
            self.scored.dataset.y,
            self.scored.rows(Part.TEST),
        )

    def save(
        self,
        path: str | Path,
        threshold: Threshold,
        never: Sequence[str] = (),
        always: Sequence[str] = (),
        label: RunLabel | None = None,
    ) -> None:
        """Write the detector file, which `flowlab score` and the Score page read. StoreError where that fails.

        Rows that meet a condition such as "city = Rome and price > 100" are `never`, or `always`, flagged, whatever
        their score; ValueError, one sentence, where a condition is none. A name, a note and tags travel as `label`.
        """
        with on_disk(f"{path} could not be written"):
            make_folder(Path(path).parent)
            write_whole(Path(path), self.to_bytes(threshold, never, always, label))

    def to_bytes(
        self,
        threshold: Threshold,
        never: Sequence[str] = (),
        always: Sequence[str] = (),
        label: RunLabel | None = None,
    ) -> bytes:
        """The detector file's content; see `save`."""
        detector = make_detector(self.spec, self.seed, self.model.get_state(), self.scored, threshold, label)
        return to_bytes(detector.with_flag_rules(never, always))


@dataclass(frozen=True, eq=False)
class PreparedTable:
    """A table encoded and divided for a model that has yet to learn from it.

    Attributes
    ----------
    spec, seed : what the model is, by the catalog
    frame : the rows as they were read
    dataset : the rows as numbers, divided into training, validation and test rows
    warnings : what was odd in the file, in sentences
    findings : what is odd about the rows, in sentences
    """

    spec: Spec
    seed: int
    frame: pd.DataFrame
    dataset: Dataset
    warnings: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    def estimate(self) -> TrainingEstimate:
        """What `fit` will take, by a few steps."""
        return estimate(catalog.make_model(self.spec, self.seed, self.dataset), self.dataset)

    def fit(self, on_event: Callable[[TrainEvent], object] = lambda _: None, n_folds: int = 0) -> Detection:
        """Train the model, telling `on_event` of each stretch, and score all rows.

        With `n_folds` no rows are set aside for the threshold: so many copies are each fitted without one fold, and
        training and validation rows all calibrate. The encoding is that of the training rows.
        """
        if n_folds:
            return self._fit_folds(on_event, n_folds)
        dataset, model = self.dataset, catalog.make_model(self.spec, self.seed, self.dataset)
        X_val = dataset.fitting_rows(Part.MONITOR)
        for event in model.fit_iter(dataset.fitting_rows(), X_val if len(X_val) else None):
            on_event(event)
        scored = ScoredTable.of(dataset, model.anomaly_score(dataset.X), self.frame)
        return Detection(self.spec, self.seed, model, scored, (*self.warnings, *self.findings))

    def _fit_folds(self, on_event: Callable[[TrainEvent], object], n_folds: int) -> Detection:
        dataset = self.dataset
        if dataset.context is not None:
            raise ValueError("folds and a context exclude each other: leave one out")
        rows = np.flatnonzero(dataset.split != DIVISION.index(Part.TEST))
        if dataset.y is not None and dataset.train_on == "normal":
            rows = rows[dataset.y[rows] == 0]
        model = FoldEnsemble(catalog.make_model(self.spec, self.seed, dataset), n_folds, self.seed)
        fitted = dataset.X[rows] if dataset.cells is None else dataset.cells.spread(dataset.X, rows)
        for event in model.fit_iter(fitted):
            on_event(event)
        scores = model.anomaly_score(dataset.X)
        scores[rows] = model.out_of_fold(dataset.X[rows])
        scored = ScoredTable.of(dataset, scores, self.frame, n_folds)
        return Detection(self.spec, self.seed, model, scored, (*self.warnings, *self.findings))


def detect(
    table: Table | pd.DataFrame | Any,
    *,
    label: str = "",
    time: str = "",
    context: str = "",
    train_on: str = "normal",
    leave_out: str = "",
    model: str = "detector",
    settings: Mapping[str, Scalar] | None = None,
    seed: int = 0,
    n_folds: int = 0,
) -> Detection:
    """Encode a table, train a detector on a part of its rows and score them all.

    Parameters
    ----------
    table : what `read_table` gave, or a frame of pandas, Polars or Arrow
    label, time : names of the columns that mark anomalies and that order the rows; "" as proposed, "(none)" for none
    context : name of a column of kinds, among whose rows each is judged; "" for none
    train_on : "normal" leaves labelled anomalies out of the fit, "all" does not; "known": there are no labels, but all
        rows are known to be normal
    leave_out : rows, such as "17, 40-57", or a period, such as "2024-03-01 to 2024-03-09", that neither train nor help
        to choose the threshold; they are scored like the others
    model, settings : name in the catalog, and what differs from its defaults
    seed : of the division of the rows, initial weights and batches
    n_folds : for a small table: so many copies of the model, each fitted without one fold, so that training and
        validation rows all set the threshold and give p-values (`models.folds.FoldEnsemble`); 0 sets rows aside

    Raises
    ------
    TableError
        Where nothing can be learned from the table; one sentence.
    ValueError
        Where the catalog has no such model or setting; one sentence.
    """
    asked = asked_roles(frame_of(table), label, time, context)
    return prepare(table, asked, train_on, _checked_spec(model, settings or {}), seed, leave_out).fit(n_folds=n_folds)


def frame_of(table: Table | pd.DataFrame | Any) -> pd.DataFrame:
    """The rows of a table as a frame of pandas; TypeError where it is none."""
    frame = table.frame if isinstance(table, Table) else table
    if isinstance(frame, pd.DataFrame):
        return frame
    if not hasattr(frame, "to_pandas"):
        raise TypeError(f"table must be what read_table gives or a frame, not {type(table).__name__}")
    return frame.to_pandas()


def asked_roles(frame: pd.DataFrame, label: str, time: str, context: str) -> RoleSettings:
    """What `choose_roles` takes for the columns that are to be label, time and context; TableError if one is absent."""
    for name in filter(None, (label, time, context)):
        if name not in frame and name != NONE:
            raise TableError(f"There is no column {name!r}; the table has {', '.join(map(str, frame.columns[:12]))}.")
    roles = f"context={frame.columns.get_loc(context) + 1}" if context not in ("", NONE) else ""
    return {"label": label, "time": time, "roles": roles}


def prepare(
    table: Table | pd.DataFrame | Any, asked: RoleSettings, train_on: str, spec: Spec, seed: int, leave_out: str = ""
) -> PreparedTable:
    """Encode and divide a table for a model of the catalog; `asked` as of `asked_roles`, the rest as for `detect`."""
    frame, report = frame_of(table), table.report if isinstance(table, Table) else None
    name = report.name if report else ""
    learner = catalog.learner(spec)
    dataset, _ = make_table_dataset(
        frame, **asked, train_on=train_on, left_out=leave_out, seed=seed, name=name, learner=learner
    )
    findings = checkup(frame, choose_roles(frame, **asked)[0], dataset)
    return PreparedTable(spec, seed, frame, dataset, tuple(report.warnings) if report else (), tuple(findings))


def _checked_spec(model: str, settings: Mapping[str, Scalar]) -> Spec:
    if model not in catalog.MODELS:
        raise ValueError(f"there is no model {model!r}; the catalog has {', '.join(catalog.MODELS)}")
    spec, problems = catalog.MODELS[model].tidy(Spec(model, dict(settings)))
    if problems:
        raise ValueError(problems[0])
    return spec
