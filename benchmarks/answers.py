"""What answers are worth: average precision of the detector after 0, 20 and 100 simulated answers.

Each table has labels, which answer for the person. 40 % of its rows train the detector, unlabelled; 30 % may be asked,
30 % test, stratified and anew for each seed. The first twenty rows asked are those of an audit whose threshold flags
5 % of the rows; the others are each the most telling one (`Learned.next_row`), learned from at once. Average precision
is that of test rows, none of which was asked. Tables come from scikit-learn and from our toy data; `--data` takes a
folder of `.npz` with `X` and `y` (1 = anomaly) instead.

    python benchmarks/answers.py [--data DIR] [--tables A,B] [--seeds 3] [--rows 3000]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, make_blobs, make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab import catalog
from flowlab.detection.audit import plan_audit
from flowlab.detection.learned import learn
from flowlab.models.detector import Detector
from flowlab.records import Spec

COUNTS = (0, 20, 100)
FLAGGED = 0.05
SHARE = 0.05
Table = tuple[np.ndarray, np.ndarray]


def made() -> Iterator[tuple[str, Table]]:
    """Tables that need no download."""
    moons = catalog.make_dataset(Spec("moons", {"n_samples": 3000, "anomaly_share": SHARE}), 0)
    yield "moons, scattered", (moons.X, moons.y)
    X, group = make_blobs([1500, 1200, 100, 100], centers=None, n_features=6, cluster_std=1.5, random_state=0)
    yield "blobs, one of two small ones", (X, (group == 3).astype(int))
    X, y = make_classification(3000, 12, n_informative=6, weights=[1 - SHARE], flip_y=0, random_state=0)
    yield "classification, rare class", (X, y)
    X, digit = load_digits(return_X_y=True)
    yield "digits, few fours", _rare(X, digit == 4)
    X, benign = load_breast_cancer(return_X_y=True)
    yield "breast cancer, few malignant", _rare(X, benign == 0)


def _rare(X: np.ndarray, is_anomaly: np.ndarray) -> Table:
    """All normal rows and so many anomalies that they are `SHARE` of the table."""
    normal, anomalies = np.flatnonzero(~is_anomaly), np.flatnonzero(is_anomaly)
    rows = np.r_[normal, anomalies[: round(len(normal) * SHARE / (1 - SHARE))]]
    return X[rows], is_anomaly[rows].astype(int)


def kept(folder: Path) -> Iterator[tuple[str, Table]]:
    """The tables of a folder."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            yield path.stem, (arrays["X"], arrays["y"].astype(int))


def simulate(X: np.ndarray, y: np.ndarray, seed: int) -> list[float]:
    """Average precision of test rows after each of `COUNTS` answers; nan where fewer rows may be asked."""
    train, others = train_test_split(np.arange(len(X)), train_size=0.4, stratify=y, random_state=seed)
    pool, test = train_test_split(others, test_size=0.5, stratify=y[others], random_state=seed)
    X = StandardScaler().fit(X[train]).transform(X)
    model = Detector(random_state=seed).fit(X[train])
    rows = np.r_[pool, test]
    scores, X, y = model.anomaly_score(X[rows]), X[rows], y[rows]
    disagreement = np.var(list(model.member_scores(X).values()), axis=0)
    is_test = np.arange(len(rows)) >= len(pool)
    plan = plan_audit(scores[~is_test], float(np.quantile(scores[~is_test], 1 - FLAGGED)), seed)
    to_ask = plan.first_rows(20).tolist()
    answers: dict[int, bool | None] = {}
    found = [average_precision_score(y[is_test], scores[is_test])]
    never = dict.fromkeys(np.flatnonzero(is_test).tolist())
    learned = None
    while len(answers) < min(COUNTS[-1], len(pool)):
        row = to_ask.pop(0) if to_ask else None
        if row is None:
            learned = learn(scores, X, answers)
            row = learned.next_row(round(FLAGGED * len(rows)), answers | never, disagreement)
        answers[row] = bool(y[row])
        if len(answers) in COUNTS[1:]:
            found.append(average_precision_score(y[is_test], learn(scores, X, answers).scores[is_test]))
    return found + [np.nan] * (len(COUNTS) - len(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of .npz tables instead of those made here")
    parser.add_argument("--tables", help="names, separated by commas")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000, help="at most so many rows of a table")
    settings = parser.parse_args()
    print(
        f"{'average precision x 100 after answers':<40}" + "".join(f"{n:>8}" for n in COUNTS) + "   worst change at 20"
    )
    everything = []
    for name, (X, y) in kept(settings.data) if settings.data else made():
        if settings.tables and name not in settings.tables.split(","):
            continue
        runs = []
        for seed in range(settings.seeds):
            X_seed, y_seed = X, y
            if len(X) > settings.rows:
                X_seed, _, y_seed, _ = train_test_split(X, y, train_size=settings.rows, stratify=y, random_state=seed)
            runs.append(simulate(X_seed, y_seed, seed))
        everything.append(100 * np.array(runs))
        _line(name, everything[-1])
    if everything:
        _line("mean", np.nanmean(everything, axis=0), np.concatenate(everything))


def _line(name: str, runs: np.ndarray, each: np.ndarray | None = None) -> None:
    changes = (runs if each is None else each)[:, :2] @ np.array([-1.0, 1.0])
    print(f"{name:<40}" + "".join(f"{v:>8.1f}" for v in runs.mean(axis=0)) + f"{changes.min():>+21.1f}", flush=True)


if __name__ == "__main__":
    main()
