"""What one move of the threshold slider costs on the server, beside a full recomputation of scikit-learn's curves.

python benchmarks/threshold.py --rows 200000
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.detection.bands import confidence_bands
from flowlab.detection.cost import CostModel
from flowlab.detection.metrics import score_bins, threshold_curves
from flowlab.detection.rules import RULES


def milliseconds(work: Callable[[], object], repeats: int = 20) -> float:
    """Median time of one call."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    n = parser.parse_args().rows
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.01).astype(int)
    scores = rng.normal(3.0 * y)
    curves = threshold_curves(scores, y, CostModel(tolerance=12))
    grid = curves.grid()

    def move() -> None:
        """All that a moved slider asks for: measures, confusion, curves to draw, histogram."""
        curves.at(2.0)
        curves.confusion(2.0)
        curves.at(grid)
        score_bins(scores, y)

    def recompute() -> None:
        precision_recall_curve(y, scores)
        roc_curve(y, scores)
        confusion_matrix(y, scores >= 2.0)

    print(f"{n:,} rows, milliseconds (median)")
    print(f"{'one move of the slider':<52}{milliseconds(move):>10.1f}")
    print(f"{'scikit-learn: both curves and the confusion again':<52}{milliseconds(recompute, 5):>10.1f}")
    sort = milliseconds(lambda: threshold_curves(scores, y, CostModel(tolerance=12)), 5)
    print(f"{'once per run: sorting, with the cost model':<52}{sort:>10.1f}")
    bands = milliseconds(lambda: confidence_bands(curves, grid), 3)
    print(f"{'once per run: bootstrap bands of all curves':<52}{bands:>10.1f}")
    for rule in RULES.values():
        print(f"{'rule: ' + rule.label:<52}{milliseconds(lambda rule=rule: rule(scores, y), 3):>10.1f}")


if __name__ == "__main__":
    main()
