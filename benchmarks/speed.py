"""How fast a training step, a log-density and a sample are: ours against nflows, zuko, normflows and bare products.

    pip install -r benchmarks/requirements.txt
    python benchmarks/speed.py            # all shapes; or part of their names: python benchmarks/speed.py 2-D

One process, one thread; all variants take turns, and medians over the turns are compared, so that a busy machine
slows them alike: trust the ratios. "ours, loop" is the training loop as it is used (drawing the batch, checking the
loss, clipping); "ours, step" is loss, gradient and Adam, which is also what a step of the other libraries does.
"products" are the matrix products of one of our steps alone: the floor for this model in PyTorch.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers import LIBRARIES, SHAPES, LectureRealNVP, Shape
from flowlab.nets.engine.affine import Affine
from flowlab.nets.engine.build import autoregressive_stack, coupling_stack
from flowlab.nets.engine.spline import Spline
from flowlab.nets.engine.stack import Stack
from flowlab.nets.process import use_one_thread
from flowlab.nets.training import Settings, TrainState, _adam_step, train


def ours(shape: Shape, use_numba: bool | None = None) -> Stack:
    if shape.kind == "maf":
        return autoregressive_stack(shape.n_features, Affine(), shape.n_layers, shape.hidden)
    transformer = Affine() if shape.kind == "affine" else Spline(8, 4.0, use_numba)
    return coupling_stack(shape.n_features, transformer, shape.n_layers, shape.hidden)


def our_step(stack: Stack, x: torch.Tensor):
    state, settings = TrainState.start(stack), Settings()

    def step():
        with torch.inference_mode():
            stack.loss_and_gradient(x)
            state.step += 1
            _adam_step(stack, state, settings)

    return step


def our_loop(stack: Stack, x: torch.Tensor, batch: int, steps: int = 20):
    """`steps` steps of the training loop, over a table of eight batches."""
    settings = Settings(n_steps=10**9, batch_size=batch, eval_every=10**9)
    state, table = TrainState.start(stack), x.repeat(1, 8)

    def run():
        for _ in train(stack, state, table, None, settings, 0, n_steps=steps):
            pass

    return run, steps


def their_step(parameters, loss):
    optimizer = torch.optim.Adam(parameters, lr=1e-3)

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def products(stack: Stack, batch: int):
    """The matrix products of one step, forward and both backward, on buffers of their own."""
    calls = []
    for layer in stack.layers:
        for i, weight in enumerate(layer.net.weights):
            below, above = 0.1 * torch.randn(weight.shape[1], batch), 0.1 * torch.randn(weight.shape[0], batch)
            features = slice(1 + layer.net.n_context, None)
            transposed, down = weight[:, features].t(), torch.empty(weight.shape[1] - 1, batch)
            calls.append((weight, below, torch.empty_like(above)))
            calls.append((above, below.t(), torch.empty_like(weight)))
            if i or layer is not stack.layers[0]:
                calls.append((transposed, above, down))

    def run():
        with torch.inference_mode():
            for a, b, out in calls:
                torch.mm(a, b, out=out)

    return run


def interleave(variants: dict, rounds: int = 11, budget: float = 0.08) -> dict[str, float]:
    """Median milliseconds per call of each variant; every round runs each for about `budget` seconds."""
    counts, times = {}, {name: [] for name in variants}
    for name, run in variants.items():
        run()
        began = time.perf_counter()
        run()
        counts[name] = max(1, int(budget / (time.perf_counter() - began)))
    for _ in range(rounds):
        for name, run in variants.items():
            began = time.perf_counter()
            for _ in range(counts[name]):
                run()
            times[name].append((time.perf_counter() - began) / counts[name] * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, ms: dict[str, float], rows: int | None = None) -> None:
    """One line per variant: milliseconds (or million rows a second), and the ratio to nflows, above 1 = better."""
    print(f"\n{title}")
    for name, value in ms.items():
        speed = f"{value:9.3f} ms" if rows is None else f"{rows / value / 1e3:9.4f} M rows/s"
        ratio = value / ms["nflows"] if rows is None else ms["nflows"] / value
        floor = f"{value / ms['products']:8.2f} x products" if "products" in ms else ""
        print(f"  {name:<16}{speed}{ratio:9.3f} x nflows{floor}")


def training(name: str, shape: Shape, batch: int) -> None:
    torch.manual_seed(0)
    x = 0.8 * torch.randn(batch, shape.n_features)
    xt = x.t().contiguous()
    variants = {}
    for library, build in LIBRARIES.items():
        if (library, shape.kind, shape.n_features) == ("normflows", "maf", 30):
            continue  # a hundred milliseconds a step, see peers.normflows
        peer = build(shape)
        variants[library] = their_step(peer.parameters, lambda peer=peer: -peer.log_density(x).mean())
    if name.startswith("lecture"):
        lecture = LectureRealNVP()
        variants["lecture, torch"] = their_step(lecture.parameters(), lambda: lecture.loss(x))
    if shape.kind == "spline":
        variants["ours, no numba"] = our_step(ours(shape, use_numba=False), xt)
    variants["ours, step"] = our_step(ours(shape), xt)
    loop, steps = our_loop(ours(shape), xt, batch)
    variants["ours, loop"] = loop
    variants["products"] = products(ours(shape), batch)
    ms = interleave(variants)
    ms["ours, loop"] /= steps
    report(f"{name}, training step, batch {batch}", ms)


def evaluation(name: str, shape: Shape) -> None:
    torch.manual_seed(0)
    rows = 4096 if shape.n_features <= 2 else 2048
    x = 0.8 * torch.randn(rows, shape.n_features)
    xt = x.t().contiguous()
    densities, samples = {}, {}
    for library, build in LIBRARIES.items():
        peer = build(shape)
        densities[library] = torch.no_grad()(lambda peer=peer: peer.log_density(x))
        samples[library] = torch.no_grad()(lambda peer=peer: peer.sample(rows))
    for label, use_numba in (("ours", None), *((("ours, no numba", False),) if shape.kind == "spline" else ())):
        stack = ours(shape, use_numba)
        densities[label] = lambda stack=stack: stack.log_density(xt)
        samples[label] = lambda stack=stack: stack.inverse(torch.randn(shape.n_features, rows))
    report(f"{name}, log-density of {rows} rows", interleave(densities, rounds=7), rows)
    report(f"{name}, sampling {rows} rows", interleave(samples, rounds=7), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", default="", help="measure only the shapes whose name holds this text")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--no-evaluation", action="store_true", help="training steps only")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    use_one_thread()
    for name, shape in SHAPES.items():
        if arguments.part in name:
            for batch in arguments.batches:
                training(name, shape, batch)
            if not arguments.no_evaluation:
                evaluation(name, shape)


if __name__ == "__main__":
    main()
