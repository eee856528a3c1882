"""A detector in one file: model, encoder, threshold and training statistics, as a zip of JSON and NPZ.

Nothing in it is executed when it is read: no pickle, models are built from the catalog's names and ranges, and a
digest of every member is checked first. Anybody may have made the file, so whatever is wrong with it, it is refused
with a `DetectorFileError`, before it takes more memory than `unpacking` allows.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

import flowlab
from flowlab import catalog
from flowlab.datasets.dataset import Dataset, Part
from flowlab.detection.calibration import Calibration
from flowlab.detection.conformal import for_new_files
from flowlab.detection.drift import N_BINS, Baseline, FlaggedRows, baseline
from flowlab.detection.flag_rules import MAX_RULES, FlagRule, flag_rule
from flowlab.detection.group_thresholds import MAX_GROUPS, Group, GroupThresholds
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.rules import RULES
from flowlab.detection.scored_table import RowScores, ScoredTable
from flowlab.detection.threshold import Threshold
from flowlab.encoding.encoder import TableEncoder
from flowlab.explain.reference import MAX_REFERENCE, part_of
from flowlab.models.base import DensityModel
from flowlab.models.folds import FoldEnsemble
from flowlab.records import Spec
from flowlab.serving.unpacking import DetectorFileError, read_arrays, read_json, unpack
from flowlab.store.arrays import npz_bytes
from flowlab.store.label import RunLabel
from flowlab.views.attribution import reference_rows

FORMAT, VERSION = "flowlab detector", 2
MEMBERS = ("detector.json", "model.npz", "statistics.npz")
MAX_CALIBRATION, MAX_GROUP_CALIBRATION = 50_000, 10_000
MAX_REFERENCE_NUMBERS = 2_000_000
"""Numbers of the reference rows that a file holds, at most."""
MAX_COLUMNS = 100_000
MAX_FOLDS = 1000
MAX_SENTENCE = 4000
DAMAGED = "The detector file is damaged inside; save it again."


@dataclass(frozen=True, eq=False)
class DetectorBundle:
    """A fitted model with its encoder and a threshold: scores tables of the same columns.

    Attributes
    ----------
    spec, seed : what the model is, by the catalog
    state : the fitted estimator's arrays
    columns : names of the features
    threshold : from which score on rows are flagged, and why
    calibration : scores of normal rows outside training, for percentiles and p-values
    baseline : training distribution of every feature and of the score, for drift
    encoder : JSON of the TableEncoder, "" where rows are numbers already
    trained_on : "normal" where the training rows were known to be, else "all"
    facts : data set's name, number of training rows and versions, for display
    level_calibration : what makes scores within a level of the model's scores, None without a context
    reference : (m, n_features) normal rows of training, with which strange rows are compared; None in older files
    ranges : (2, n_features) least and largest value of each feature in training; None in older files
    n_folds : copies of the model that were each fitted without one fold of the rows (`FoldEnsemble`); 0 for one model
    flag_rules : which rows are never, or always, flagged, whatever their score; the first that fits decides
    """

    spec: Spec
    seed: int
    state: Mapping[str, np.ndarray]
    columns: tuple[str, ...]
    threshold: Threshold
    calibration: Calibration
    baseline: Baseline
    encoder: str = ""
    trained_on: str = "all"
    facts: Mapping[str, Any] = field(default_factory=dict)
    level_calibration: LevelCalibration | None = None
    reference: np.ndarray | None = None
    ranges: np.ndarray | None = None
    flag_rules: tuple[FlagRule, ...] = ()
    n_folds: int = 0

    @property
    def label(self) -> RunLabel:
        """Name, note and tags of its run, empty where it has none."""
        facts = {name: str(self.facts.get(name) or "") for name in ("name", "note", "tags")}
        return RunLabel.from_record({**facts, "tags": facts["tags"].split(",")})

    def rule_columns(self) -> list[str]:
        """The columns that a flag rule may ask for."""
        encoder = self.table_encoder()
        return list(self.columns) if encoder is None else [name for name in encoder.order_ if name in encoder.needed_]

    def with_flag_rules(self, never: Sequence[str] = (), always: Sequence[str] = ()) -> DetectorBundle:
        """The same detector with rules in words such as "city = Rome"; ValueError, one sentence, where one is none."""
        columns = self.rule_columns()
        texts = [*(("never", text) for text in never), *(("always", text) for text in always)]
        return replace(self, flag_rules=tuple(flag_rule(verdict, text, columns) for verdict, text in texts))

    def model(self) -> DensityModel:
        """The fitted estimator; DetectorFileError where its arrays do not fit it or it cannot score typical rows."""
        try:
            model = catalog.make_model(self.spec, self.seed)
            if model.asks_if_normal and "trained_on" not in self.spec.params:
                model.set_params(trained_on=self.trained_on)
            if self.n_folds:
                model = FoldEnsemble(model, self.n_folds, self.seed)
            model = model.set_state(self.state)
            scores = model.anomaly_score(self._typical_rows())
            if np.shape(scores) != (N_BINS - 1,) or np.isnan(scores).any():
                raise ValueError("the model gives no score")
            return model
        except Exception as error:  # arrays that anybody may have written break a model in any way
            raise DetectorFileError("The model in this file does not fit its description; save it again.") from error

    def table_encoder(self) -> TableEncoder | None:
        """The encoder, None where rows are numbers already; DetectorFileError where it does not give `columns`."""
        if not self.encoder:
            return None
        try:
            encoder = TableEncoder.from_json(self.encoder)
            if not 0 <= encoder.lags < len(self.columns):  # asked first: so many names would fill the memory
                raise ValueError("lags")
            if tuple(map(str, encoder.get_feature_names_out())) != self.columns:
                raise ValueError("the features are others")
            return encoder
        except Exception as error:  # JSON that anybody may have written
            raise DetectorFileError("The encoder in this file does not fit its description; save it again.") from error

    def check(self) -> None:
        """Try model and encoder on typical rows; DetectorFileError where they do not work."""
        self.model()
        encoder = self.table_encoder()
        if encoder is None:
            return
        try:
            rows = encoder.inverse_transform(self._typical_rows())
            if encoder.time_ and encoder.time_ not in rows:
                rows[encoder.time_] = pd.date_range("2000-01-01", periods=len(rows))
            encoded = encoder.transform(rows)
            if encoded.shape != (len(rows), len(self.columns)) or not np.isfinite(encoded).all():
                raise ValueError("the encoder gives no features")
            encoder.unfamiliar(rows)
        except Exception as error:
            raise DetectorFileError("The encoder in this file does not fit its description; save it again.") from error

    def _typical_rows(self) -> np.ndarray:
        """(9, n_features): the deciles of every feature in training."""
        return np.ascontiguousarray(self.baseline.edges[:-1].T)

    def anomaly_score(self, model: DensityModel, X: np.ndarray) -> np.ndarray:
        """Scores (n,) of rows X (n, n_features) by the fitted `model`; under a context calibrated within each level."""
        scores = model.anomaly_score(X)
        return scores if self.level_calibration is None else self.level_calibration.of_rows(scores, X)

    def flagged_rows(self, n_new: int, flagged_new: int) -> FlaggedRows | None:
        """How many rows of a new file are flagged, beside validation rows; None for files that do not tell those."""
        there = int(self.facts.get("validation_rows", 0))
        if there < 1:
            return None
        return FlaggedRows(there, int(self.facts["validation_flagged"]), n_new, flagged_new)

    def row_scores(self, scores: np.ndarray, levels: np.ndarray | None = None) -> RowScores:
        """Score, percentile and p-value of each row, from anomaly scores (n,); see `gives_p_values`.

        `levels` (n,) are the rows' groups, where groups have their own thresholds.
        """
        found = RowScores.of(scores, self.calibration, levels)
        if not self.gives_p_values:
            found.p_value[:] = np.nan
        return found

    @property
    def gives_p_values(self) -> bool:
        """Whether the calibration rows can promise anything of new rows; if not, p-values are nan."""
        return bool(self.facts.get("gives_p_values", True))


def make_detector(
    spec: Spec,
    seed: int,
    state: Mapping[str, np.ndarray],
    scored: ScoredTable,
    threshold: Threshold,
    label: RunLabel | None = None,
) -> DetectorBundle:
    """The detector of a trained model.

    Parameters
    ----------
    spec, seed : what the model is, by the catalog
    state : the fitted estimator's arrays
    scored : its scores of the data set it was trained on
    threshold : from which score on rows are flagged
    label : name, note and tags of the run, which travel with it
    """
    dataset: Dataset = scored.dataset
    rows = dataset.rows(Part.TRAIN)
    validation = scored.scores[scored.rows(Part.VALIDATION)]
    facts = {
        "data": dataset.name,
        "training_rows": len(rows),
        **({"left_out": dataset.left_out} if dataset.left_out else {}),
        **({"name": label.name, "note": label.note, "tags": label.tags_text} if label else {}),
        "validation_rows": len(validation),
        "validation_flagged": int(scored.flags(threshold)[scored.rows(Part.VALIDATION)].sum()),
        "gives_p_values": not scored.no_promise(),
        "flowlab": flowlab.__version__,
        "numpy": np.__version__,
    }
    return DetectorBundle(
        spec,
        seed,
        dict(state),
        dataset.columns,
        for_new_files(threshold),
        thinned(scored.compared_with(threshold)),
        # of all rows, labelled anomalies too: a new file has its own
        baseline(dataset.X[dataset.split == 0], validation),
        dataset.encoder.to_json() if dataset.encoder else "",
        dataset.train_on,
        facts,
        scored.level_calibration,
        _reference(dataset),
        np.stack([dataset.X[rows].min(axis=0), dataset.X[rows].max(axis=0)]),
        n_folds=scored.n_folds,
    )


def thinned(calibration: Calibration) -> Calibration:
    """At most as many calibration rows as a file holds, evenly spread, the lowest and highest among them."""
    groups = {name: _evenly(scores, MAX_GROUP_CALIBRATION) for name, scores in calibration.groups.items()}
    return Calibration(_evenly(calibration.pooled, MAX_CALIBRATION), groups)


def _evenly(ordered: np.ndarray, most: int) -> np.ndarray:
    return ordered if len(ordered) <= most else ordered[np.linspace(0, len(ordered) - 1, most).astype(int)]


def _reference(dataset: Dataset) -> np.ndarray | None:
    """The rows that the Detect page compares with, fewer where they have many features."""
    X = dataset.X[reference_rows(dataset)]
    if len(X) < 2:
        return None
    return X[part_of(len(X))][: max(MAX_REFERENCE_NUMBERS // dataset.n_features, 2)].astype(np.float64)


def to_bytes(detector: DetectorBundle) -> bytes:
    """The content of the detector file, a zip. Equal detectors give equal bytes."""
    threshold = _plain(asdict(detector.threshold))
    if detector.threshold.groups is None:
        del threshold["groups"]
    description = {
        "model": asdict(detector.spec),
        "seed": detector.seed,
        "columns": list(detector.columns),
        "threshold": threshold,
        "encoder": detector.encoder,
        "trained_on": detector.trained_on,
        "facts": dict(detector.facts),
    }
    if detector.flag_rules:
        description["flag_rules"] = [[rule.verdict, rule.condition] for rule in detector.flag_rules]
    if detector.n_folds:
        description["n_folds"] = detector.n_folds
    statistics = {"calibration": detector.calibration.pooled, **detector.baseline.to_arrays()}
    if detector.threshold.groups is not None:
        places = enumerate(group.name for group in detector.threshold.groups.groups)
        own = detector.calibration.groups
        statistics |= {f"calibration_{i}": own[name] for i, name in places if name in own}
    if detector.level_calibration is not None:
        statistics |= detector.level_calibration.to_arrays()
    if detector.reference is not None:
        statistics["reference"] = detector.reference
    if detector.ranges is not None:
        statistics["ranges"] = detector.ranges
    members = {
        "detector.json": json.dumps(description, sort_keys=True, allow_nan=False).encode(),
        "model.npz": npz_bytes(dict(sorted(detector.state.items()))),
        "statistics.npz": npz_bytes(dict(sorted(statistics.items()))),
    }
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
    }
    members["manifest.json"] = json.dumps(manifest, sort_keys=True).encode()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            # a fixed date: equal detectors are equal files
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def from_bytes(data: bytes) -> DetectorBundle:
    """Read a detector file; DetectorFileError, one sentence, for anything else, altered or of another version."""
    try:
        members = _read_members(data)
        description = read_json(members["detector.json"])
        state = read_arrays(members["model.npz"])
        statistics = read_arrays(members["statistics.npz"])
        columns = tuple(_text(name) for name in description["columns"])
        if not 1 <= len(columns) <= MAX_COLUMNS:
            raise ValueError("columns")
        threshold = _threshold(description["threshold"])
        detector = DetectorBundle(
            _checked_spec(description["model"]),
            _whole(description["seed"]),
            state,
            columns,
            threshold,
            _calibration(statistics, threshold),
            _checked_baseline(Baseline.from_arrays(statistics), len(columns)),
            _text(description["encoder"], None),
            _choice(description["trained_on"], ("normal", "all")),
            _checked_facts(description["facts"]),
            LevelCalibration.from_arrays(statistics, len(columns)),
            _checked_rows(statistics.get("reference"), len(columns)),
            _checked_rows(statistics.get("ranges"), len(columns), 2),
            n_folds=_folds(description.get("n_folds", 0)),
        )
        if detector.encoder:
            read_json(detector.encoder.encode())  # within its budgets, before the encoder is made of it
        detector.table_encoder()
        groups = detector.threshold.groups
        if groups is not None and groups.column not in detector.rule_columns():
            raise ValueError("groups of a column that it does not read")
        rules = list(description.get("flag_rules", []))
        if len(rules) > MAX_RULES:
            raise ValueError("so many rules")
        known = detector.rule_columns() if rules else []
        found = tuple(flag_rule(_text(verdict), _text(condition), known) for verdict, condition in rules)
        return replace(detector, flag_rules=found)
    except DetectorFileError:
        raise
    except Exception as error:  # KeyError, TypeError, OverflowError, MemoryError ...: anybody may have made the file
        raise DetectorFileError(DAMAGED) from error


def describe_detector(data: bytes) -> dict[str, Any]:
    """What people read of a detector file, and what summing up its scores takes: texts, numbers and lists of them.

    A function of the file's bytes alone, so that a process of its own can carry it out on a file of unknown origin.
    Model and encoder are tried on typical rows. DetectorFileError, one sentence, where anything is wrong.

    Returns
    -------
    dict of label (its run's name, note and tags), model (its label), data, training_rows, left_out (which rows trained
    nothing, else ""), recalibrated (on which rows, else ""), threshold, sentence (why that threshold), unit (of a score
    that is calibrated within levels, else ""), grouped_by (the column whose groups have thresholds of their own, else
    ""), expected (share of normal rows outside training that it flags), columns (names of the features), flag_rules (in
    words)
    """
    detector = from_bytes(data)
    detector.check()
    return description(detector)


def description(detector: DetectorBundle) -> dict[str, Any]:
    """See `describe_detector`."""
    groups = detector.threshold.groups
    return {
        "label": detector.label.to_record(),
        "model": catalog.MODELS[detector.spec.name].label,
        "data": str(detector.facts.get("data") or "a table"),
        "training_rows": int(detector.facts.get("training_rows", 0)),
        "left_out": str(detector.facts.get("left_out") or ""),
        "recalibrated": str(detector.facts.get("recalibrated") or ""),
        "threshold": detector.threshold.value,
        "sentence": detector.threshold.sentence,
        "unit": detector.level_calibration.score_label if detector.level_calibration else "",
        "grouped_by": "" if groups is None else groups.column,
        "expected": float(np.mean(detector.calibration.pooled >= detector.threshold.value))
        if groups is None
        else groups.expected,
        "columns": list(detector.columns),
        "flag_rules": [rule.sentence for rule in detector.flag_rules],
    }


def _read_members(data: bytes) -> dict[str, bytes]:
    members = unpack(data, lambda names: names == {*MEMBERS, "manifest.json"})
    manifest = read_json(members.pop("manifest.json"))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.")
    version, digests = manifest["version"], dict(manifest["sha256"])
    if version == 1:
        raise DetectorFileError(
            "The detector was saved by FlowLab 0.1, which spread repeated values at random when it scored; train it "
            "again on the same table."
        )
    if version != VERSION:
        raise DetectorFileError(
            f"The file has version {str(version)[:20]}, this FlowLab reads {VERSION}; update FlowLab."
        )
    for member in MEMBERS:
        if hashlib.sha256(members[member]).hexdigest() != digests.get(member):
            raise DetectorFileError(f"The detector file was altered or damaged ({member}); get it again.")
    return members


def _text(value: object, longest: int | None = MAX_SENTENCE) -> str:
    if not isinstance(value, str) or (longest is not None and len(value) > longest):
        raise ValueError("a text was expected")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("a whole number was expected")
    return value


def _folds(value: object) -> int:
    n_folds = _whole(value)
    if n_folds == 1 or n_folds > MAX_FOLDS:
        raise ValueError("another number of folds was expected")
    return n_folds


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or math.isnan(float(value)):
        raise ValueError("a number was expected")
    return float(value)


def _choice(value: Any, choices: Sequence[Any]) -> Any:
    if value not in choices:
        raise ValueError("one of a few values was expected")
    return value


def _checked_spec(fields: Mapping[str, Any]) -> Spec:
    name = _text(fields["name"])
    if name not in catalog.MODELS:
        raise DetectorFileError(f"The model of this file cannot be made here: there is no model {name[:40]!r}.")
    spec, problems = catalog.MODELS[name].tidy(Spec(name, _scalars(fields["params"])))
    if problems:
        raise DetectorFileError(f"The model of this file cannot be made here: {problems[0]}")
    return spec


def _scalars(fields: Mapping[str, Any]) -> dict[str, Any]:
    if not all(isinstance(value, str | int | float) for value in dict(fields).values()):
        raise ValueError("texts and numbers were expected")
    return {_text(name): _text(value) if isinstance(value, str) else value for name, value in fields.items()}


def _checked_facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    facts = _scalars(fields)
    rows, flagged = _whole(facts.get("validation_rows", 0)), _whole(facts.get("validation_flagged", 0))
    if flagged > rows:
        raise ValueError("more rows are flagged than there are")
    _whole(facts.get("training_rows", 0))
    _choice(facts.get("gives_p_values", True), (False, True))
    _text(facts.get("data") or "")
    return facts


def _calibration(statistics: Mapping[str, np.ndarray], threshold: Threshold) -> Calibration:
    groups = () if threshold.groups is None else threshold.groups.groups
    own = {
        group.name: _checked_calibration(statistics[f"calibration_{i}"], MAX_GROUP_CALIBRATION)
        for i, group in enumerate(groups)
        if not group.borrows
    }
    return Calibration(_checked_calibration(statistics["calibration"], MAX_CALIBRATION), own)


def _checked_calibration(scores: np.ndarray, most: int) -> np.ndarray:
    if scores.ndim != 1 or not 1 <= len(scores) <= most or scores.dtype.kind != "f":
        raise ValueError("scores were expected")
    if (np.diff(scores) < 0).any():
        raise ValueError("ascending scores were expected")
    return scores


def _checked_rows(rows: np.ndarray | None, n_columns: int, n_rows: int = 0) -> np.ndarray | None:
    """Rows of finite numbers, 2 to 4,000 of them or as many as are said; None stays None."""
    if rows is None:
        return None
    if rows.ndim != 2 or rows.shape[1] != n_columns or rows.dtype != np.float64 or not np.isfinite(rows).all():
        raise ValueError("rows of finite numbers were expected")
    if not (n_rows or 2) <= len(rows) <= (n_rows or MAX_REFERENCE):
        raise ValueError("another number of rows was expected")
    return rows


def _checked_baseline(found: Baseline, n_columns: int) -> Baseline:
    shares = found.shares
    if len(shares) != n_columns + 1 or found.edges.dtype.kind != "f" or shares.dtype.kind != "f":
        raise ValueError("the statistics of training do not have the shape they should have")
    if found.n_rows < 1 or found.n_scores < 1:
        raise ValueError("the statistics of training are of no rows")
    if not np.isfinite(found.edges[:-1]).all() or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError("the statistics of training are no shares")
    return found


def _threshold(fields: Mapping[str, Any]) -> Threshold:
    values = dict(fields)
    for name in ("plateau", "interval"):
        if values[name] is not None:
            low, high = values[name]
            values[name] = (_number(low), _number(high))
    threshold = Threshold(
        **values
        | {
            "value": _number(values["value"]),
            "rule": _choice(values["rule"], (*RULES, "manual")),
            "sentence": _text(values["sentence"]),
            "caution": _text(values["caution"]),
            "parameters": _scalars(values["parameters"]),
            "n_rows": _whole(values["n_rows"]),
            "refused": bool(_choice(values["refused"], (False, True))),
            "groups": _groups(values.get("groups")),
        }
    )
    return for_new_files(threshold)


def _groups(fields: Mapping[str, Any] | None) -> GroupThresholds | None:
    """Thresholds of groups; None stays None."""
    if fields is None:
        return None
    if not 1 <= len(fields["groups"]) <= MAX_GROUPS:
        raise ValueError("another number of groups was expected")
    groups = tuple(
        Group(
            _text(group["name"]),
            _number(group["threshold"]),
            bool(_choice(group["borrows"], (False, True))),
            _whole(group["n_calibration"]),
            _whole(group["n_calibration_flagged"]),
            _whole(group["n_rows"]),
            _whole(group["n_pooled"]),
            _whole(group["n_flagged"]),
            _number(group["low"]),
            _number(group["high"]),
        )
        for group in fields["groups"]
    )
    if any(g.n_calibration_flagged > g.n_calibration or max(g.n_pooled, g.n_flagged) > g.n_rows for g in groups):
        raise ValueError("more rows are flagged than there are")
    return GroupThresholds(_text(fields["column"]), groups)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: such numbers become text, which float() reads."""

    def of(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, (tuple, list)):
            return [of(v) for v in value]
        return {k: of(v) for k, v in value.items()} if isinstance(value, dict) else value

    return of(fields)
