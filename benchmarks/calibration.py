"""False alarms and caught anomalies of a promise on small tables: rows set aside, or folds.

Tables are drawn anew: normal rows of two clusters with heavy tails in six columns, new rows of the same and anomalies
around them. "Set aside" fits on 82 % of the rows and calibrates on the others, as training and validation rows are
divided by default; "folds" fits a copy without each of five folds and calibrates on all rows, a new row having the
least of its scores; "median" gives it their median, which no theorem backs (the default of the package nonconform).

    python benchmarks/calibration.py [--tables 300] [--rows 60,120,300,1000] [--rate 0.02]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.base import clone

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.detection.calibration import Calibration
from flowlab.detection.conformal import rows_needed
from flowlab.detection.cross_conformal import worst_rate
from flowlab.models.base import DensityModel
from flowlab.models.classical.density import Gaussian
from flowlab.models.classical.scorers import NearestNeighbours
from flowlab.models.folds import FoldEnsemble

DETECTORS: dict[str, DensityModel] = {"nearest neighbours": NearestNeighbours(), "Gaussian": Gaussian()}
ASIDE, N_FOLDS, N_NEW = 15 / 85, 5, 300


def draw(rng: np.random.Generator, n_rows: int, anomalous: bool = False) -> np.ndarray:
    """Rows (n_rows, 6): normal ones of two clusters, or anomalies three times as far out."""
    centre = np.where(rng.random((n_rows, 1)) < 0.5, -2.0, 2.0)
    return centre + (3.0 if anomalous else 1.0) * rng.standard_t(5, size=(n_rows, 6))


def p_values(detector: DensityModel, X: np.ndarray, new: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Of new rows by each way to calibrate."""
    n_aside = round(ASIDE * len(X))
    alone = clone(detector).fit(X[n_aside:])
    yield "set aside", Calibration.of(alone.anomaly_score(X[:n_aside])).p_values(alone.anomaly_score(new))
    copies = FoldEnsemble(detector, N_FOLDS, seed).fit(X)
    calibration = Calibration.of(copies.out_of_fold(X))
    yield "folds", calibration.p_values(copies.anomaly_score(new))
    median = np.median([model.anomaly_score(new) for model in copies.models_], axis=0)
    yield "median", calibration.p_values(median)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--rows", default="60,120,300,1000")
    parser.add_argument("--rate", type=float, default=0.02)
    options = parser.parse_args()
    rate = options.rate
    print(
        f"promised: at most {rate:.1%} false alarms, which takes {rows_needed(rate)} calibration rows; "
        "%, mean of tables"
    )
    print(
        f"{'detector':<20}{'rows':>6}  {'calibration':<12}{'false alarms':>14}{'(s.e.)':>8}{'caught':>8}"
        f"{'at worst':>10}"
    )
    for name, detector in DETECTORS.items():
        for n_rows in map(int, options.rows.split(",")):
            false: dict[str, list[float]] = {}
            caught: dict[str, list[float]] = {}
            for seed in range(options.tables):
                rng = np.random.default_rng(seed)
                X, new = draw(rng, n_rows), np.r_[draw(rng, N_NEW), draw(rng, N_NEW, anomalous=True)]
                for way, found in p_values(detector, X, new, seed):
                    false.setdefault(way, []).append(float(np.mean(found[:N_NEW] <= rate)))
                    caught.setdefault(way, []).append(float(np.mean(found[N_NEW:] <= rate)))
            worst = {"set aside": rate, "folds": worst_rate(rate, n_rows, N_FOLDS)}
            for way, shares in false.items():
                error = 100 * np.std(shares) / np.sqrt(len(shares))
                bound = f"{100 * worst[way]:.1f}" if way in worst else "-"
                print(
                    f"{name:<20}{n_rows:>6}  {way:<12}{100 * np.mean(shares):>14.2f}{error:>8.2f}"
                    f"{100 * np.mean(caught[way]):>8.1f}{bound:>10}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
