"""Requests of 100 rows to `flowlab serve` from several clients: latency and errors.

python benchmarks/service.py --requests 2000 --clients 16
"""

from __future__ import annotations

import argparse
import io
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import flowlab
from flowlab.serving.http import make_service

N_COLUMNS = 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--model", default="detector")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(5000, N_COLUMNS)).round(4), columns=[f"c{j}" for j in range(N_COLUMNS)])
    detection = flowlab.detect(table, model=options.model)
    service = make_service(detection.to_bytes(detection.choose("quantile", share=0.01)))
    server = uvicorn.Server(uvicorn.Config(service, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/score"
    body = table.head(100).to_csv(index=False).encode()

    def ask(_: int) -> tuple[float, bool]:
        began = time.perf_counter()
        request = urllib.request.Request(address, body, {"Content-Type": "text/csv"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                right = len(pd.read_csv(io.BytesIO(answer.read()))) == 100
        except OSError:
            right = False
        return time.perf_counter() - began, right

    ask(0)
    began = time.perf_counter()
    with ThreadPoolExecutor(options.clients) as pool:
        found = list(pool.map(ask, range(options.requests)))
    seconds = np.array([each for each, _ in found])
    server.should_exit = True
    thread.join()
    print(f"{options.requests} requests of 100 rows x {N_COLUMNS}, {options.clients} clients, {options.model}")
    middle, high = 1000 * np.quantile(seconds, [0.5, 0.95])
    rate = options.requests / (time.perf_counter() - began)
    errors = sum(not right for _, right in found)
    print(f"median {middle:.0f} ms, p95 {high:.0f} ms, {rate:.0f} requests/s, {errors} errors")


if __name__ == "__main__":
    main()
