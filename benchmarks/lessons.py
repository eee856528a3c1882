"""How fast the exhibits of the lessons answer: milliseconds from the controls to arrays, and from these to a figure.

Each exhibit is computed at its defaults, then with each control at its ends, in turns; the medians and the slowest are
printed. The reach is 100 ms for both together; those that train or measure run in a worker and are listed apart, in
seconds, with `--slow`.

    python benchmarks/lessons.py
    python benchmarks/lessons.py --slow
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from teaching.test_exhibits import corners  # noqa: E402

from flowlab.teaching.exhibit import Exhibit  # noqa: E402
from flowlab.teaching.exhibits import EXHIBITS  # noqa: E402

REACH_MS = 100.0


def measure(exhibit: Exhibit, turns: int) -> tuple[float, float, float]:
    """Median milliseconds of compute and of draw, and the slowest answer, over settings and turns."""
    exhibit.draw(exhibit.compute(**exhibit.defaults), False, 440)
    computed, drawn = [], []
    for _ in range(turns):
        for settings in corners(exhibit):
            start = time.perf_counter()
            with np.errstate(all="ignore"):
                result = exhibit.compute(**settings)
            middle = time.perf_counter()
            exhibit.draw(result, False, 440).to_json()
            computed.append(1000 * (middle - start))
            drawn.append(1000 * (time.perf_counter() - middle))
    return float(np.median(computed)), float(np.median(drawn)), float(np.max(np.add(computed, drawn)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="repetitions of every setting (default 3)")
    parser.add_argument("--slow", action="store_true", help="also those that train or measure, once each")
    asked = parser.parse_args()
    print(f"{'exhibit':24}{'compute ms':>12}{'draw ms':>10}{'slowest ms':>12}")
    within = []
    for key, exhibit in EXHIBITS.items():
        if not exhibit.is_slow:
            compute, draw, slowest = measure(exhibit, asked.turns)
            within.append(compute + draw <= REACH_MS)
            print(f"{key:24}{compute:12.1f}{draw:10.1f}{slowest:12.1f}")
    print(f"{sum(within)} of {len(within)} exhibits answer within {REACH_MS:g} ms (medians)")
    for key, exhibit in EXHIBITS.items():
        if asked.slow and exhibit.is_slow:
            start = time.perf_counter()
            exhibit.compute(**exhibit.defaults)
            print(f"{key:24}{time.perf_counter() - start:10.1f} s in a worker")


if __name__ == "__main__":
    main()
