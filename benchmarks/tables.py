"""Reading and encoding a large CSV against one plain pandas.read_csv of the same file: seconds, ratio, memory.

    python -m benchmarks.tables                  # writes 1.1 million rows x 9 to a temporary folder
    python -m benchmarks.tables --csv my.csv     # a file of your own

Memory is the highest resident size of a process of its own, less what it held after its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

REPEATS = 5
KINDS = ("numbers", "mixed")

_CHILD = """
import gc, json, sys, threading, time
import numpy as np, pandas as pd, pyarrow
from flowlab.datasets.tables import read_table
from flowlab.datasets.uploads import make_table_dataset
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
read_table(b"a,b\\n1,x\\n2,y\\n")  # imports and first calls
pd.read_csv(__import__("io").BytesIO(b"a\\n1\\n"))
path, what = sys.argv[1:]
start, peak, done = resident(), [0], []
def watch():
    while not done:
        peak[0] = max(peak[0], resident())
        time.sleep(0.002)
threading.Thread(target=watch, daemon=True).start()
begin = time.perf_counter()
if what == "pandas":
    frame = pd.read_csv(path)
    marks = [time.perf_counter() - begin]
else:
    table = read_table(path)
    marks = [time.perf_counter() - begin]
    dataset, encoder = make_table_dataset(table.frame)
    marks.append(time.perf_counter() - begin)
done.append(1)
print(json.dumps({"seconds": marks, "peak": peak[0] - start, "kept": resident() - start}))
"""


def write_table(path: Path, kind: str, n_rows: int) -> None:
    """Nine columns: all numbers, or numbers, whole numbers, dates, categories and holes."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n_rows, 9)), columns=list("abcdefghi"))
    if kind == "mixed":
        frame["b"] = rng.integers(0, 5000, n_rows)
        frame["c"] = pd.date_range("2020-01-01", periods=n_rows, freq="min").astype(str)
        frame["d"] = rng.choice(["Bonn", "Rome", "Kyiv", "Oslo"], n_rows)
        frame.loc[rng.random(n_rows) < 0.05, "e"] = np.nan
    frame.to_csv(path, index=False, float_format="%.7f")


def measure(path: Path, what: str) -> dict:
    """Best of REPEATS runs, each in a new process: the machine's other work only ever adds time."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    runs = []
    for _ in range(REPEATS):
        command = [sys.executable, "-c", _CHILD, str(path), what]
        runs.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=env).stdout))
        time.sleep(0.2)
    best = min(runs, key=lambda run: run["seconds"][-1])
    return {"seconds": best["seconds"], "peak": min(r["peak"] for r in runs), "kept": min(r["kept"] for r in runs)}


def report(path: Path, kind: str) -> None:
    size = path.stat().st_size
    plain, ours = measure(path, "pandas"), measure(path, "flowlab")
    read, ready = ours["seconds"]
    base = plain["seconds"][0]
    print(f"{kind}: {size / 1e6:.0f} MB")
    print(f"  pandas.read_csv       {base:6.2f} s   1.00 x   peak memory {plain['peak'] / size:4.2f} x the file")
    print(f"  read_table            {read:6.2f} s   {read / base:4.2f} x")
    print(f"  read, encoded, split  {ready:6.2f} s   {ready / base:4.2f} x   peak memory {ours['peak'] / size:4.2f} x")
    print(f"  kept afterwards (frame and matrix)            {ours['kept'] / size:4.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--csv", type=Path, help="measure this file instead")
    parser.add_argument("--rows", type=int, default=1_100_000)
    arguments = parser.parse_args()
    if arguments.csv:
        report(arguments.csv, arguments.csv.name)
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            path = Path(folder) / f"{kind}.csv"
            write_table(path, kind, arguments.rows)
            report(path, kind)


if __name__ == "__main__":
    main()
