"""Anomalies of a computing cluster: kernel density estimate, cost model and thresholds, with the library alone.

The table is `data/hpc.csv.zip` of github lompabo/aiiti-course-2021-04 (MIT): 6,667 rows, a timestamp, 159
measurements and `anomaly` (0 normal). The course's split, cost model and search range give costs of 0 on training,
266 on validation and 265 on test rows; this script shows them, rivals of one line, and what a finer search does.

    python benchmarks/hpc.py hpc.csv
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.datasets.dataset import Dataset
from flowlab.detection.cost import CostModel, cost_curve
from flowlab.detection.labelled import least_cost
from flowlab.detection.resampling import bootstrap_interval
from flowlab.models.classical.density import KDE

PARTS = ("train", "validation", "test")
COURSE = {"c_alarm": 1, "c_missed": 5, "tolerance": 12}


def read(path: str) -> Dataset:
    """Rows 0 to 2999 train, 3000 to 4499 validation, the rest test; columns in training standard deviations."""
    table = pd.read_csv(path, parse_dates=["timestamp"])
    split = np.repeat([0, 1, 2], [3000, 1500, len(table) - 4500]).astype(np.int8)
    X = table.drop(columns=["timestamp", "anomaly"])
    trained = X[split == 0]
    return Dataset(
        X=((X - trained.mean()) / trained.std(ddof=0)).to_numpy(),
        columns=tuple(X.columns),
        y=(table["anomaly"] > 0).to_numpy(np.int8),
        time=table["timestamp"].to_numpy("datetime64[ns]"),
        name="HPC cluster",
        split=split,
    )


def report(label: str, dataset: Dataset, scores: np.ndarray, threshold: float) -> None:
    """One line: the threshold and its cost on each part."""
    costs = []
    for part in PARTS:
        rows = dataset.rows(part)
        costs.append(float(cost_curve(scores[rows], dataset.y[rows], CostModel(**COURSE), rows).cost(threshold)))
    print(f"{label:<52}{threshold:>14,.5g}" + "".join(f"{cost:>12,.0f}" for cost in costs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", help="hpc.csv, or hpc.csv.zip as it is")
    dataset = read(parser.parse_args().csv)
    validation, X, labels = dataset.rows("validation"), dataset.X, dataset.y[dataset.rows("validation")]

    began = time.perf_counter()
    kde = KDE(bandwidth=0.5, standardize=False).fit(dataset.part("train")).anomaly_score(X)
    print(
        f"KDE fitted to {len(dataset.rows('train')):,} rows, {len(X):,} scored in {time.perf_counter() - began:.1f} s\n"
    )
    one_column = np.abs(X[:, dataset.columns.index("ips_p0_14")])
    detectors = {
        "KDE, bandwidth 0.5": kde,
        "|z| of ips_p0_14 (known in hindsight)": one_column,
        "sum of z squared": np.sum(X**2, axis=1),
        "largest |z|": np.abs(X).max(axis=1),
    }

    print(f"{'cost of thresholds chosen on validation rows':<52}{'threshold':>14}" + "".join(f"{p:>12}" for p in PARTS))
    report("never alarm", dataset, kde, np.inf)
    course = least_cost(kde[validation], labels, **COURSE, candidates=np.linspace(1e4, 1e5, 100))
    report("KDE, 100 steps from 1e4 to 1e5 (the course)", dataset, kde, course.value)
    for label, scores in detectors.items():
        steps = np.linspace(scores[validation].min(), scores[validation].max(), 100)
        coarse = least_cost(scores[validation], labels, **COURSE, candidates=steps)
        report(f"{label}, 100 steps", dataset, scores, coarse.value)
        exact = least_cost(scores[validation], labels, **COURSE)
        report(f"{label}, every score", dataset, scores, exact.value)
    sure = bootstrap_interval(least_cost(kde[validation], labels, **COURSE), kde[validation], labels)
    low, high = sure.interval
    print("\nThe finer the search, the lower the cost on validation rows, and the higher on test rows: the best one")
    print(f"of KDE, {sure.value:,.4g}, could as well be {low:,.4g} or {high:,.4g} (95 % bootstrap interval).")


if __name__ == "__main__":
    main()
