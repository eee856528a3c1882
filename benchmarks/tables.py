"""Reading and encoding a large CSV against one plain pandas.read_csv of the same file: seconds, ratio, memory.

    python -m benchmarks.tables                  # writes 1.1 million rows x 9 to a temporary folder
    python -m benchmarks.tables --csv my.csv     # a file of your own

Memory is the highest resident size of a process of its own, less what it held after its imports; read on Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

REPEATS = 7
KINDS = ("numbers", "mixed")

_CHILD = """
import json, re, sys, time
import numpy as np, pandas as pd, pyarrow
from flowlab.tables.read import read_table
from flowlab.datasets.from_table import make_table_dataset
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
read_table(b"a,b\\n1,x\\n2,y\\n")  # imports and first calls
pd.read_csv(__import__("io").BytesIO(b"a\\n1\\n"))
path, what = sys.argv[1:]
open("/proc/self/clear_refs", "w").write("5")  # the kernel's own mark of the highest begins again
start = resident()
begin = time.perf_counter()
if what == "pandas":
    frame = pd.read_csv(path)
    marks = [time.perf_counter() - begin]
else:
    table = read_table(path)
    marks = [time.perf_counter() - begin]
    dataset, encoder = make_table_dataset(table.frame)
    marks.append(time.perf_counter() - begin)
highest = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
print(json.dumps({"seconds": marks, "peak": highest - start, "kept": resident() - start}))
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


def measure(path: Path) -> dict[str, list[dict]]:
    """REPEATS runs of each, in turn, each in a new process: what else the machine does, it does to both."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    runs: dict[str, list[dict]] = {"pandas": [], "flowlab": []}
    for _ in range(REPEATS):
        for what, done in runs.items():
            command = [sys.executable, "-c", _CHILD, str(path), what]
            ran = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
            done.append(json.loads(ran.stdout))
            time.sleep(0.2)
    return runs


def report(path: Path, kind: str) -> None:
    size = path.stat().st_size
    runs = measure(path)

    def line(what: str, of: str, mark: int) -> str:
        """Seconds and their ratio to pandas: of the quickest runs, as other work only ever adds time, and medians."""
        seconds, base = ([run["seconds"][m] for run in runs[w]] for w, m in ((of, mark), ("pandas", 0)))
        best, middle = min(seconds), statistics.median(seconds)
        ratios = f"{best / min(base):5.2f} x  (medians {middle:5.2f} s {middle / statistics.median(base):5.2f} x)"
        return f"  {what:<22}{best:6.2f} s {ratios}"

    def memory(of: str, what: str) -> str:
        return f"{max(run[what] for run in runs[of]) / size:4.2f} x the file"

    print(f"{kind}: {size / 1e6:.0f} MB, {REPEATS} runs each in turn")
    print(f"{line('pandas.read_csv', 'pandas', 0)}   peak memory {memory('pandas', 'peak')}")
    print(line("read_table", "flowlab", 0))
    print(f"{line('read, encoded, split', 'flowlab', 1)}   peak memory {memory('flowlab', 'peak')}")
    print(f"  kept afterwards (frame and matrix): {memory('flowlab', 'kept')}")


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
