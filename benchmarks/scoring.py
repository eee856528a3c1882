"""How fast `python -m flowlab score` works through a long CSV, and how much memory it takes.

Prints rows per second and their ratio to the same model on an in-memory array, and the peak memory of the command
for the full file and for a tenth of it: it does not grow with the file. Then, in this process and by its processor
time, the ratio of the speed with reasons (of about 1 % of the rows) to that without, taken in turns.

    python benchmarks/scoring.py --rows 1000000 --columns 20
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab import catalog
from flowlab.datasets.from_table import make_table_dataset
from flowlab.detection.scored_table import ScoredTable
from flowlab.records import Spec
from flowlab.serving.bundle import make_detector, to_bytes
from flowlab.serving.scoring import Summary, score_file

MEASURED = """
import resource, sys
from flowlab.__main__ import main
code = main(sys.argv[1:])
print("PEAK", max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
sys.exit(code)
"""


def write_csv(path: Path, n_rows: int, n_columns: int) -> None:
    """A table of correlated numbers with five digits, written in pieces."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(n_columns, n_columns))
    with path.open("w") as file:
        for start in range(0, n_rows, 50_000):
            X = rng.normal(size=(min(50_000, n_rows - start), n_columns)) @ mixing
            frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(n_columns)])
            frame.to_csv(file, index=False, header=start == 0, float_format="%.5f")


def train(path: Path, model: str, n_steps: int):
    """Detector and fitted model of the file's first 20,000 rows."""
    frame = pd.read_csv(path, nrows=20_000)
    dataset, encoder = make_table_dataset(frame, label="(none)", name=path.name)
    spec = Spec(model, {"n_steps": n_steps} if model in ("affine", "spline", "maf") else {})
    fitted = catalog.make_model(spec, 0, dataset).fit(dataset.part("train"))
    scored = ScoredTable.of(dataset, fitted.anomaly_score(dataset.X))
    return make_detector(spec, 0, fitted.get_state(), scored, scored.choose("conformal")), fitted, encoder


def run(folder: Path, detector: Path, csv: Path, lanes: int | None) -> tuple[float, float, float]:
    """Seconds of the whole command, rows/s it reports (without its start), and its peak memory in MB.

    The peak is that of the command, or of its largest lane if that is more.
    """
    command = [sys.executable, "-c", MEASURED, "score", str(detector), str(csv), "-o", str(folder / "out.csv")]
    if lanes is not None:
        command += ["--lanes", str(lanes)]
    began = time.perf_counter()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    seconds = time.perf_counter() - began
    reported = float(re.findall(r"([\d,]+) rows/s", done.stdout)[-1].replace(",", ""))
    return seconds, reported, int(done.stdout.split("PEAK")[1]) / 1024


def reasons_ratio(detector: bytes, csv: bytes, n_turns: int = 3) -> tuple[float, Summary]:
    """Processor time of scoring without reasons over that with them, and what was found."""
    seconds = {True: 0.0, False: 0.0}
    for _ in range(n_turns):
        for with_reasons in seconds:
            began = time.process_time()
            found = score_file(detector, io.BytesIO(csv), io.BytesIO(), with_reasons=with_reasons)
            seconds[with_reasons] += time.process_time() - began
    return seconds[False] / seconds[True], found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--model", default="spline", help="a name of the catalog")
    parser.add_argument("--lanes", type=int, help="processes of the command; 0 for none but its own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_csv(folder / "long.csv", options.rows, options.columns)
        write_csv(folder / "short.csv", options.rows // 10, options.columns)
        detector, fitted, encoder = train(folder / "long.csv", options.model, 200)
        (folder / "detector").write_bytes(to_bytes(detector))
        X = encoder.transform(pd.read_csv(folder / "short.csv"))
        began = time.perf_counter()
        fitted.anomaly_score(X)
        in_memory = len(X) / (time.perf_counter() - began)
        size = (folder / "long.csv").stat().st_size / 2**20
        print(f"{options.rows:,} rows x {options.columns} columns, {size:.0f} MB, model {options.model}")
        print(f"{'in-memory array':<48}{in_memory:>14,.0f} rows/s")
        for file, n_rows in (("short.csv", options.rows // 10), ("long.csv", options.rows)):
            seconds, scoring, peak = run(folder, folder / "detector", folder / file, options.lanes)
            for what, speed in (("scoring", scoring), ("with its start", n_rows / seconds)):
                label = f"command line, {n_rows:,} rows, {what}"
                print(f"{label:<48}{speed:>14,.0f} rows/s  ratio {speed / in_memory:.2f}  peak {peak:,.0f} MB")
        ratio, found = reasons_ratio((folder / "detector").read_bytes(), (folder / "short.csv").read_bytes())
        print(f"reasons for {found.n_flagged:,} of {found.n_rows:,} rows{'':<22}ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
