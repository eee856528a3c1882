"""A detector in one file: model, encoder, threshold and training statistics, as a zip of JSON and NPZ.

Nothing in it is executed when it is read: there is no pickle, models are built from the catalog's names and ranges,
and a digest of every member is checked first.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

import flowlab
from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.detection.drift import Baseline, baseline
from flowlab.detection.levels import LevelCalibration
from flowlab.detection.scored import Evidence, score_sheet
from flowlab.detection.threshold import Threshold
from flowlab.encoding.encoder import TableEncoder
from flowlab.models.base import DensityModel
from flowlab.records import Spec

FORMAT, VERSION = "flowlab detector", 1
MEMBERS = ("detector.json", "model.npz", "statistics.npz")
MAX_BYTES = 512 * 2**20
MAX_CALIBRATION = 50_000


class DetectorFileError(ValueError):
    """A detector file, or a table for it, cannot be used here; the text is a sentence and a next step."""


@dataclass(frozen=True, eq=False)
class DetectorBundle:
    """A fitted model with its encoder and a threshold: scores tables of the same columns.

    Attributes
    ----------
    spec, seed : what the model is, by the catalog
    state : the fitted estimator's arrays
    columns : names of the features
    threshold : from which score on rows are flagged, and why
    calibration : (m,) ascending scores of normal rows outside training, for percentiles and p-values
    baseline : training distribution of every feature and of the score, for drift
    encoder : JSON of the TableEncoder, "" where rows are numbers already
    trained_on : "normal" where the training rows were known to be, else "all"
    facts : data set's name, number of training rows and versions, for display
    level_calibration : what makes scores within a level of the model's scores, None without a context
    """

    spec: Spec
    seed: int
    state: Mapping[str, np.ndarray]
    columns: tuple[str, ...]
    threshold: Threshold
    calibration: np.ndarray
    baseline: Baseline
    encoder: str = ""
    trained_on: str = "all"
    facts: Mapping[str, Any] = field(default_factory=dict)
    level_calibration: LevelCalibration | None = None

    def model(self) -> DensityModel:
        """The fitted estimator; DetectorFileError if the arrays do not fit the spec."""
        try:
            model = catalog.make_model(self.spec, self.seed)
            if "trained_on" in model.get_params(deep=False) and "trained_on" not in self.spec.params:
                model.set_params(trained_on=self.trained_on)
            return model.set_state(self.state)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DetectorFileError("The model in this file does not fit its description; save it again.") from error

    def table_encoder(self) -> TableEncoder | None:
        """The encoder of raw tables, or None where rows are numbers already."""
        return TableEncoder.from_json(self.encoder) if self.encoder else None

    def anomaly_score(self, model: DensityModel, X: np.ndarray) -> np.ndarray:
        """Scores (n,) of rows X (n, n_features) by the fitted `model`; under a context calibrated within each level."""
        scores = model.anomaly_score(X)
        return scores if self.level_calibration is None else self.level_calibration.of_rows(scores, X)

    def sheet(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        """`score`, `percentile`, `p_value` and `flagged` of each row, (n,), from anomaly scores (n,)."""
        return score_sheet(scores, self.calibration, self.threshold)


def make_detector(
    spec: Spec,
    seed: int,
    state: Mapping[str, np.ndarray],
    evidence: Evidence,
    threshold: Threshold,
) -> DetectorBundle:
    """The detector of a trained model.

    Parameters
    ----------
    spec, seed : what the model is, by the catalog
    state : the fitted estimator's arrays
    evidence : its scores of the data set it was trained on
    threshold : from which score on rows are flagged
    """
    dataset: Dataset = evidence.dataset
    rows = dataset.rows("train")
    calibration = np.sort(evidence.calibration)
    if len(calibration) > MAX_CALIBRATION:
        calibration = calibration[np.linspace(0, len(calibration) - 1, MAX_CALIBRATION).astype(int)]
    facts = {
        "data": dataset.name,
        "training_rows": len(rows),
        "flowlab": flowlab.__version__,
        "numpy": np.__version__,
    }
    return DetectorBundle(
        spec,
        seed,
        dict(state),
        dataset.columns,
        threshold,
        calibration,
        baseline(dataset.X[rows], evidence.scores[evidence.rows("validation")]),
        dataset.encoder.to_json() if dataset.encoder else "",
        "normal" if dataset.y is not None and dataset.train_on == "normal" else "all",
        facts,
        evidence.level_calibration,
    )


def to_bytes(detector: DetectorBundle) -> bytes:
    """The content of the detector file, a zip. Equal detectors give equal bytes."""
    description = {
        "model": asdict(detector.spec),
        "seed": detector.seed,
        "columns": list(detector.columns),
        "threshold": _plain(asdict(detector.threshold)),
        "encoder": detector.encoder,
        "trained_on": detector.trained_on,
        "facts": dict(detector.facts),
    }
    statistics = {"calibration": detector.calibration, **detector.baseline.to_arrays()}
    if detector.level_calibration is not None:
        statistics |= detector.level_calibration.to_arrays()
    members = {
        "detector.json": json.dumps(description, sort_keys=True, allow_nan=False).encode(),
        "model.npz": _npz(detector.state),
        "statistics.npz": _npz(statistics),
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
    """The detector in the content of a detector file.

    DetectorFileError, one sentence, for any other content, an altered or damaged file or another version.
    """
    members = _read_members(data)
    try:
        description = json.loads(members["detector.json"])
        state = _arrays(members["model.npz"])
        statistics = _arrays(members["statistics.npz"])
        spec, problems = _checked_spec(description["model"])
        if problems:
            raise DetectorFileError(f"The model of this file cannot be made here: {problems[0]}")
        threshold = _threshold(description["threshold"])
        return DetectorBundle(
            spec,
            int(description["seed"]),
            state,
            tuple(map(str, description["columns"])),
            threshold,
            statistics.pop("calibration"),
            Baseline.from_arrays(statistics),
            str(description["encoder"]),
            "normal" if description["trained_on"] == "normal" else "all",
            dict(description["facts"]),
            LevelCalibration.from_arrays(statistics, len(description["columns"])),
        )
    except DetectorFileError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise DetectorFileError("The detector file is damaged inside; save it again.") from error


def _read_members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            if set(sizes) != {*MEMBERS, "manifest.json"}:
                raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.")
            if sum(sizes.values()) > MAX_BYTES:
                raise DetectorFileError(f"The detector file unpacks to more than {MAX_BYTES >> 20} MB.")
            members = {name: archive.read(name) for name in sizes}
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.") from error
    try:
        manifest = json.loads(members.pop("manifest.json"))
        name, version, digests = manifest["format"], manifest["version"], dict(manifest["sha256"])
    except (KeyError, TypeError, ValueError) as error:
        raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.") from error
    if name != FORMAT:
        raise DetectorFileError("This is not a detector file; choose one that FlowLab saved.")
    if version != VERSION:
        raise DetectorFileError(f"The file has version {version!r}, this FlowLab reads {VERSION}; update FlowLab.")
    for member in MEMBERS:
        if hashlib.sha256(members[member]).hexdigest() != digests.get(member):
            raise DetectorFileError(f"The detector file was altered or damaged ({member}); get it again.")
    return members


def _checked_spec(fields: Mapping[str, Any]) -> tuple[Spec, list[str]]:
    spec = Spec(str(fields["name"]), dict(fields["params"]))
    if spec.name not in catalog.MODELS:
        return spec, [f"there is no model {spec.name[:40]!r}."]
    return catalog.MODELS[spec.name].tidy(spec)


def _threshold(fields: Mapping[str, Any]) -> Threshold:
    values = dict(fields)
    for name in ("plateau", "interval"):
        if values[name] is not None:
            low, high = values[name]
            values[name] = (float(low), float(high))
    values["value"] = float(values["value"])
    return Threshold(**values)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: such numbers become text, which float() reads."""

    def of(value):
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        if isinstance(value, (tuple, list)):
            return [of(v) for v in value]
        return {k: of(v) for k, v in value.items()} if isinstance(value, dict) else value

    return of(fields)


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue())
    return content.getvalue()


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
