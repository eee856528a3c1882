"""A detector ready to score tables: their columns are typed by its schema, encoded and scored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from flowlab.detection.flag_rules import decided_by
from flowlab.detection.group_thresholds import group_names
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.scored_table import RowScores
from flowlab.encoding.plans import column_as_learned
from flowlab.encoding.sources import feature_sources, silent_holes, table_sources
from flowlab.explain.many_rows import RowReasons, reasons_of_rows
from flowlab.explain.novelty import range_novelty, row_novelty
from flowlab.explain.reference import Reference
from flowlab.serving.bundle import DetectorBundle, DetectorFileError
from flowlab.tables.limits import TableError
from flowlab.tables.notes import Note
from flowlab.tables.schema import ColumnSchema, Violation, as_schema, breaches, read_frame
from flowlab.tables.text import TextTable

NO_P_VALUES = "This detector gives no p-values: the rows its threshold was chosen on promise nothing of new rows."


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
        found = read_frame(names, [columns[name] for name in names], schemas, first_row)
        return Typed(*found, dict(zip(names, schemas)))

    def typed(self, frame: pd.DataFrame) -> Typed:
        """The needed columns of a table that came with types."""
        self._check_names(list(frame))
        values: dict[str, pd.Series] = {}
        counts: dict[tuple[str, str], int] = {}
        violations: list[Violation] = []
        for name in (name for name in frame if name in self.schema):
            reading = as_schema(frame[name], self.schema[name])
            values[name] = reading.values
            more, found = breaches(name, reading, frame[name].iloc.__getitem__)
            counts |= more
            violations += found
        return Typed(pd.DataFrame(values), counts, violations, self.schema)

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

    def score(self, frame: pd.DataFrame) -> tuple[RowScores, np.ndarray, np.ndarray]:
        """Scores of the rows, their counts (`Baseline.count`) and their features (n, n_features)."""
        with _refusing():
            X = self.matrix(frame)
            scores = self.detector.row_scores(self.anomaly_score(X), self.groups(frame))
            return scores, self.detector.baseline.count(X, scores.score), X

    def groups(self, frame: pd.DataFrame) -> np.ndarray | None:
        """The group of each row of a typed frame, (n_rows,) of text; None where all rows have the same threshold."""
        groups = self.detector.threshold.groups
        return None if groups is None else group_names(frame[groups.column])

    def flags(self, frame: pd.DataFrame, scores: np.ndarray) -> np.ndarray:
        """Which rows of a typed frame are flagged, (n_rows,) bool, by their scores (n_rows,) and by the flag rules."""
        flags, rules = self.detector.threshold.flag(scores, self.groups(frame)), self.detector.flag_rules
        decided = decided_by(rules, frame)
        for i, rule in enumerate(rules):
            flags[decided == i] = rule.verdict == "always"
        return flags

    def novelty(self, frame: pd.DataFrame) -> np.ndarray:
        """What is new in each row, (n_rows,) of text, "" where nothing is; see `explain.novelty`."""
        with _refusing():
            if self.encoder is not None:
                return row_novelty(self.encoder, frame)
            if self.detector.ranges is None:
                return np.full(len(frame), "", dtype=object)
            return range_novelty(self.detector.columns, self.matrix(frame), *self.detector.ranges)

    def reasons(self, frame: pd.DataFrame, X: np.ndarray, rows: np.ndarray) -> list[RowReasons]:
        """Why some rows of a typed frame, by number, score as they do; empty for a detector without reference rows.

        X (n, n_features) are the features of the frame. The reasons are those of the Detect page: rows are compared
        with the same rows of training.
        """
        with _refusing():
            if self.reference is None:
                return []
            told = X.copy()
            holes = {} if self.encoder is None else silent_holes(self.encoder, frame)
            for source in self.reference.sources:
                told[holes.get(source.name, []), source.features] = np.nan
            return reasons_of_rows(self, X[rows], self.reference, told[rows])

    @cached_property
    def reference(self) -> Reference | None:
        """The rows of training that others are compared with."""
        detector = self.detector
        if detector.reference is None:
            return None
        calibration = detector.level_calibration
        if self.encoder is not None:
            sources = table_sources(self.encoder)
        elif calibration is not None:
            sources = feature_sources(detector.columns, calibration.column, calibration.level_names)
        else:
            sources = feature_sources(detector.columns)
        return Reference(detector.reference, sources)

    @property
    def scores_by_reconstruction(self) -> bool:
        """Whether the score is the sum of `feature_errors`."""
        return self.model.scores_by_reconstruction

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        """Anomaly scores (n,) of features X (n, n_features), as they stand in a scored file."""
        return self.detector.anomaly_score(self.model, X)

    def feature_errors(self, X: np.ndarray) -> np.ndarray:
        """Squared reconstruction errors (n, n_features)."""
        return self.model.feature_errors(X)

    def notes(self, frame: pd.DataFrame) -> list[Note]:
        """What the frame holds that the features cannot show: new categories, constants that changed."""
        notes = [] if self.encoder is None else self.encoder.unfamiliar(frame)
        if not self.detector.gives_p_values:
            notes.append(Note(NO_P_VALUES))
        groups, names = self.detector.threshold.groups, self.groups(frame)
        if groups is not None and names is not None and not np.isin(names, [g.name for g in groups.groups]).all():
            sentence = f"Groups of {groups.column} that were never seen take the threshold of all rows."
            notes.append(Note(sentence))
        calibration = self.detector.level_calibration
        if calibration is not None:
            sentences = calibration.small_levels() + calibration.unseen_levels(self._levels(frame, calibration))
            notes += map(Note, sentences)
        return notes

    def _levels(self, frame: pd.DataFrame, calibration: LevelCalibration) -> np.ndarray:
        """The context of each row as the features have it, (n,)."""
        if self.encoder is None:
            return pd.to_numeric(frame[calibration.name], errors="coerce").to_numpy(np.float64)
        plan = next(p for p in self.encoder.columns_ if p.name == calibration.name and p.kind == "category")
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


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Whatever a file of unknown origin breaks is said in one sentence."""
    try:
        yield
    except (TableError, DetectorFileError):
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DetectorFileError("The detector in this file cannot score these rows; train it again.") from error


class Typed(NamedTuple):
    """Columns read by schemas: their frame, how many cells broke which (column, rule), the first of those, schemas."""

    frame: pd.DataFrame
    counts: dict[tuple[str, str], int]
    violations: list[Violation]
    schemas: dict[str, ColumnSchema]
