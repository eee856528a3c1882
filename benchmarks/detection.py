"""How well the models of the catalog find anomalies in tables, beside PyOD's detectors, without any tuning per table.

Each table is a `.npz` with `X` (n_rows, n_features) and `y` (1 = anomaly). 70 % of its rows train, 30 % test,
stratified by `y`, anew for each seed. Protocol A fits on all training rows, unlabelled, their anomalies among them;
protocol B fits on the normal ones only. PyOD's detectors see standardised columns and keep their defaults. Ranks are by
AUROC among all models of the table, averaged over seeds first. Seconds are of one core: one thread, processor time.

    pip install -r benchmarks/requirements.txt
    python benchmarks/detection.py --data DIR [--tables A,B] [--models "detector,KDE,PyOD KNN"] [--seeds 3] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.encoding.encoder import TableEncoder
from flowlab.encoding.roles import ColumnRole
from flowlab.models import detector
from flowlab.models.classical import density, scorers, trivial
from flowlab.models.flows import nflows

Maker = Callable[[int, str], object]
"""(seed, "all" or "normal") -> a model with `fit` and `anomaly_score` or PyOD's `decision_function`."""
FIELDS = ("table", "protocol", "seed", "model", "auroc", "precision", "fit_s", "score_s_per_10k", "non_finite", "error")


class EncodedDetector:
    """The detector as it meets a table of the user's: columns go through a `TableEncoder` fitted to the rows."""

    def __init__(self, seed: int, rows: str) -> None:
        self.detector = detector.Detector(trained_on=rows, random_state=seed)

    def fit(self, X: np.ndarray) -> None:
        roles = [ColumnRole(name, "feature") for name in self._frame(X)]
        self.encoder = TableEncoder(roles, learner="scorer").fit(self._frame(X))
        self.detector.fit(self.encoder.transform(self._frame(X)))

    def anomaly_score(self, X: np.ndarray) -> np.ndarray:
        return self.detector.anomaly_score(self.encoder.transform(self._frame(X)))

    @staticmethod
    def _frame(X: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])


OURS: dict[str, Maker] = {
    "detector": lambda seed, rows: detector.Detector(trained_on=rows, random_state=seed),
    "encoded detector": EncodedDetector,
    "detector, flows only": lambda seed, rows: detector.Detector(classical="none", trained_on=rows, random_state=seed),
    "nflows coupling": lambda seed, rows: nflows.NflowsCoupling(random_state=seed),
    "nflows MAF": lambda seed, rows: nflows.NflowsMAF(random_state=seed),
    "KDE": lambda seed, rows: density.KDE(random_state=seed),
    "Gaussian": lambda seed, rows: density.Gaussian(),
    "Gaussian mixture": lambda seed, rows: density.GaussianMixture(random_state=seed),
    "isolation forest": lambda seed, rows: scorers.IsolationForestModel(random_state=seed),
    "nearest neighbours": lambda seed, rows: scorers.NearestNeighbours(random_state=seed),
    "PCA residual": lambda seed, rows: scorers.PCAResidual(),
    "largest |z|": lambda seed, rows: trivial.LargestZ(),
    "sum of z squared": lambda seed, rows: trivial.SumOfSquares(),
    "random": lambda seed, rows: trivial.RandomScore(random_state=seed),
}


def pyod_models() -> dict[str, Maker]:
    """PyOD's detectors with their defaults; none of them where PyOD is not installed."""
    try:
        from pyod.models import cblof, copod, ecod, gmm, hbos, iforest, kde, knn, lof, ocsvm, pca
    except ImportError:
        print("PyOD is not installed: pip install -r benchmarks/requirements.txt", file=sys.stderr)
        return {}
    return {
        "PyOD IForest": lambda seed, rows: iforest.IForest(random_state=seed),
        "PyOD ECOD": lambda seed, rows: ecod.ECOD(),
        "PyOD COPOD": lambda seed, rows: copod.COPOD(),
        "PyOD KNN": lambda seed, rows: knn.KNN(),
        "PyOD OCSVM": lambda seed, rows: ocsvm.OCSVM(),
        "PyOD GMM": lambda seed, rows: gmm.GMM(random_state=seed),
        "PyOD KDE": lambda seed, rows: kde.KDE(),
        "PyOD PCA": lambda seed, rows: pca.PCA(random_state=seed),
        "PyOD LOF": lambda seed, rows: lof.LOF(),
        "PyOD HBOS": lambda seed, rows: hbos.HBOS(),
        "PyOD CBLOF": lambda seed, rows: cblof.CBLOF(random_state=seed),
    }


def splits(paths: list[Path], seeds: int, protocols: str, max_rows: int) -> Iterator[tuple]:
    """(table, protocol, seed, training rows, test rows, test labels) in turn; rows beyond `max_rows` are left out."""
    for path in paths:
        with np.load(path) as table:
            X, y = np.asarray(table["X"], float), np.asarray(table["y"]).astype(int)
        for seed in range(seeds):
            rows = np.random.default_rng(seed).permutation(len(X))[:max_rows]
            train, test = train_test_split(rows, test_size=0.3, stratify=y[rows], random_state=seed)
            for protocol in protocols:
                fitted = train if protocol == "A" else train[y[train] == 0]
                yield path.stem, protocol, seed, X[fitted], X[test], y[test]


def measure(make: Maker, seed: int, protocol: str, X: np.ndarray, X_test: np.ndarray, y: np.ndarray) -> dict:
    """AUROC, average precision and seconds of one model on one split; an exception becomes an `error`."""
    model = make(seed, "all" if protocol == "A" else "normal")
    if hasattr(model, "decision_function"):
        scaler = StandardScaler().fit(X)
        X, X_test = scaler.transform(X), scaler.transform(X_test)
    try:
        began = time.process_time()
        model.fit(X)
        fitted = time.process_time()
        score = getattr(model, "anomaly_score", None) or model.decision_function
        scores = np.asarray(score(X_test), float)
        many = X_test[np.arange(10_000) % len(X_test)]
        scoring = time.process_time()
        score(many)
        scored = time.process_time()
    except Exception as error:  # a rival that breaks is part of the result
        return {"error": f"{type(error).__name__}: {error}"[:120]}
    finite = np.nan_to_num(scores, nan=0.0, posinf=1e300, neginf=-1e300)
    return {
        "auroc": roc_auc_score(y, finite),
        "precision": average_precision_score(y, finite),
        "fit_s": fitted - began,
        "score_s_per_10k": scored - scoring,
        "non_finite": int((~np.isfinite(scores)).sum()),
    }


def summary(results: list[dict], protocol: str) -> list[tuple]:
    """One line per model: mean AUROC and average precision in percent, mean rank, seconds, faults; best first."""
    results = [r for r in results if r["protocol"] == protocol]
    models, tables = list(dict.fromkeys(r["model"] for r in results)), sorted({r["table"] for r in results})
    auroc = np.array([[_mean(results, "auroc", model, table, 0.5) for table in tables] for model in models])
    ranks = rankdata(-auroc, axis=0).mean(axis=1)
    lines = []
    for i, model in enumerate(models):
        mine = [r for r in results if r["model"] == model]
        lines.append(
            (
                model,
                100 * auroc[i].mean(),
                100 * np.mean([_mean(results, "precision", model, table, 0.0) for table in tables]),
                ranks[i],
                np.mean([r["fit_s"] for r in mine if not r.get("error")] or [np.nan]),
                np.mean([r["score_s_per_10k"] for r in mine if not r.get("error")] or [np.nan]),
                sum(bool(r.get("error")) for r in mine),
                sum(bool(r.get("non_finite")) for r in mine),
            )
        )
    return sorted(lines, key=lambda line: -line[1])


def _mean(results: list[dict], what: str, model: str, table: str, failed: float) -> float:
    values = [r.get(what, failed) for r in results if r["model"] == model and r["table"] == table]
    return float(np.mean(values)) if values else failed


def print_summary(results: list[dict], protocol: str) -> None:
    fitted_on = {"A": "all training rows, unlabelled", "B": "normal training rows only"}[protocol]
    print(f"\nProtocol {protocol}: fitted on {fitted_on}")
    print(f"{'model':24}{'AUROC %':>9}{'AP %':>8}{'rank':>7}{'fit s':>8}{'s / 10k':>9}{'failed':>8}{'non-finite':>12}")
    for model, auroc, precision, rank, fit_s, score_s, failed, non_finite in summary(results, protocol):
        print(f"{model:24}{auroc:9.2f}{precision:8.2f}{rank:7.2f}{fit_s:8.2f}{score_s:9.3f}{failed:8d}{non_finite:12d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="directory of .npz tables")
    parser.add_argument("--tables", default="", help="names, separated by commas; default: all in the directory")
    parser.add_argument("--models", default="", help="names, separated by commas; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--protocols", default="AB")
    parser.add_argument("--max-rows", type=int, default=10_000, help="rows of a table that are used, at most")
    parser.add_argument("--csv", type=Path, help="also append every single result here, and go on from what it holds")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    models = OURS | pyod_models()
    chosen = [name.strip() for name in options.models.split(",") if name.strip()] or list(models)
    unknown = sorted(set(chosen) - set(models))
    if unknown:
        parser.error(f"unknown models {unknown}; there are: {', '.join(models)}")
    results = _read(options.csv)
    done = {(r["table"], r["protocol"], r["seed"], r["model"]) for r in results}
    wanted = {name.strip() for name in options.tables.split(",") if name.strip()}
    paths = [path for path in sorted(options.data.glob("*.npz")) if not wanted or path.stem in wanted]
    if not paths or wanted - {path.stem for path in paths}:
        parser.error(f"no .npz tables {', '.join(sorted(wanted - {path.stem for path in paths}))} in {options.data}")
    for table, protocol, seed, X, X_test, y in splits(paths, options.seeds, options.protocols, options.max_rows):
        for name in chosen:
            if (table, protocol, seed, name) in done:
                continue
            result = {"table": table, "protocol": protocol, "seed": seed, "model": name}
            result |= measure(models[name], seed, protocol, X, X_test, y)
            results.append(result)
            _append(options.csv, result)
            print(table, protocol, seed, name, result.get("error") or f"{100 * result['auroc']:.1f}", file=sys.stderr)
    for protocol in options.protocols:
        print_summary(results, protocol)


def _read(path: Path | None) -> list[dict]:
    if path is None or not path.exists():
        return []
    with path.open() as file:
        rows = list(csv.DictReader(file))
    texts = ("table", "protocol", "model", "error")
    return [{k: v if k in texts else float(v) for k, v in row.items() if v != ""} for row in rows]


def _append(path: Path | None, result: dict) -> None:
    if path is None:
        return
    is_new = not path.exists()
    with path.open("a") as file:
        writer = csv.DictWriter(file, FIELDS)
        if is_new:
            writer.writeheader()
        writer.writerow(result)


if __name__ == "__main__":
    main()
