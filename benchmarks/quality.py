"""How close to the truth: nats above the exact entropy after some seconds of training, ours and other recipes.

    pip install -r benchmarks/requirements.txt
    python benchmarks/quality.py --seconds 1 5 --seeds 3              # ours on all 2-D densities
    python benchmarks/quality.py --peers same --seconds 5             # ours, and nflows and zuko at our architecture
    python benchmarks/quality.py --peers stock --seconds 5 60         # the recipes that the other libraries' pages show
    python benchmarks/quality.py --table --seconds 15                 # the 64-column table, 20 000 rows

Seconds are processor seconds of the one thread that trains, so that other work on the machine does not count; ours
include validation. Rows are drawn fresh (a million) except for the table. The gap is the mean over 20 000 test rows
of exact log-density minus the model's: an estimate of the Kullback-Leibler divergence in nats.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peers import LectureRealNVP, Peer, Shape, nflows, zuko
from flowlab.models.flows.families import MaskedAutoregressiveFlow, SplineCouplingFlow
from flowlab.nets.engine import spline
from flowlab.nets.process import use_one_thread
from flowlab.toys.dataset import TOYS

DENSITIES = ["moons", "eight_gaussians", "checkerboard", "spirals", "rings", "pinwheel"]
OUR_RECIPES = {
    1: {"n_layers": 4, "learning_rate": 7e-3},
    5: {"n_layers": 8},
    15: {"n_layers": 8, "n_bins": 16, "batch_size": 512},
}


def draw(name: str, n_train: int, n_test: int, seed: int):
    """Training and test rows, standardised by the training rows, and the exact log-density of the test rows."""
    density = TOYS[name]()
    X, test = density.sample(n_train, seed), density.sample(n_test, 10_000 + seed)
    center, scale = X.mean(0), X.std(0)
    truth = density.log_density(test) + np.log(scale).sum()
    return (X - center) / scale, (test - center) / scale, truth


def ours(model, X: np.ndarray, X_val: np.ndarray | None, seconds: float):
    """Fit `model` with as many steps as fit into `seconds`; returns their number and the seconds they took."""
    model.set_params(n_steps=max(100, model.steps_within(seconds, X, clock=time.process_time)))
    began = time.process_time()
    for _ in model.fit_iter(X, X_val):
        pass
    return model.n_steps, time.process_time() - began


def theirs(loss, parameters, X: torch.Tensor, batch: int, seconds: float, optimizer, schedule=None) -> int:
    """Train until `seconds` of processor time are used; `schedule(progress)` scales the learning rate."""
    rate, used, steps = optimizer.param_groups[0]["lr"], 0.0, 0
    while used < seconds:
        began = time.process_time()
        if schedule is not None:
            optimizer.param_groups[0]["lr"] = rate * schedule(used / seconds)
        rows = X[torch.randint(len(X), (batch,))]
        optimizer.zero_grad()
        loss(rows).backward()
        if schedule is not None:
            torch.nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        used += time.process_time() - began
        steps += 1
    return steps


def our_schedule(progress: float) -> float:
    return max(progress / 0.05, 0.02) if progress < 0.05 else 1 - (progress - 0.05) / 0.95 + 1e-3


def same_architecture(library: str, seconds: float) -> tuple[Peer, dict]:
    """Our layers, optimiser and schedule in another library."""
    recipe = {"n_layers": 8, "learning_rate": 5e-3, **OUR_RECIPES[min(OUR_RECIPES, key=lambda s: abs(s - seconds))]}
    shape = Shape("spline", 2, recipe["n_layers"], 32)
    peer = nflows(shape) if library == "nflows" else zuko(shape)
    optimizer = torch.optim.Adam(peer.parameters, lr=recipe["learning_rate"], betas=(0.9, 0.99))
    return peer, {"batch": recipe.get("batch_size", 256), "optimizer": optimizer, "schedule": our_schedule}


def stock_recipe(name: str) -> tuple[Peer, dict]:
    """What the libraries' first pages show: nflows' moons notebook, zuko's tutorial, normflows' README, the lecture."""
    if name == "lecture":
        model = LectureRealNVP()
        peer = Peer(list(model.parameters()), model.log_density, None)
        return peer, {"batch": 256, "optimizer": torch.optim.Adam(peer.parameters, lr=1e-3), "penalty": model.loss}
    if name == "nflows":
        from nflows.distributions.normal import StandardNormal
        from nflows.flows.base import Flow
        from nflows.transforms import CompositeTransform, MaskedAffineAutoregressiveTransform, ReversePermutation

        layers = []
        for _ in range(5):
            layers += [ReversePermutation(2), MaskedAffineAutoregressiveTransform(2, 4)]
        flow = Flow(CompositeTransform(layers), StandardNormal([2]))
        peer, batch, kwargs = Peer(list(flow.parameters()), flow.log_prob, None), 128, {"lr": 1e-3}
    elif name == "zuko":
        from zuko.flows import NSF

        flow = NSF(2, transforms=3, hidden_features=(64, 64))
        peer, batch, kwargs = Peer(list(flow.parameters()), lambda x: flow().log_prob(x), None), 64, {"lr": 1e-3}
    else:
        import normflows as nf

        layers = []
        for _ in range(32):
            layers += [
                nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 64, 64, 2], init_zeros=True)),
                nf.flows.Permute(2, mode="swap"),
            ]
        flow = nf.NormalizingFlow(nf.distributions.base.DiagGaussian(2), layers)
        peer, batch = Peer(list(flow.parameters()), flow.log_prob, None), 512
        kwargs = {"lr": 5e-4, "weight_decay": 1e-5}
    return peer, {"batch": batch, "optimizer": torch.optim.Adam(peer.parameters, **kwargs)}


def their_gap(peer: Peer, setup: dict, X, test, truth, seconds: float) -> tuple[float, int]:
    penalty = setup.pop("penalty", None)
    loss = penalty or (lambda rows: -peer.log_density(rows).mean())
    X, test = (torch.from_numpy(a.astype(np.float32)) for a in (X, test))
    steps = theirs(loss, peer.parameters, X, seconds=seconds, **setup)
    with torch.no_grad():
        log_density = torch.cat([peer.log_density(part) for part in test.split(5000)]).double().numpy()
    return float(np.mean(truth - log_density)), steps


def line(name: str, density: str, seconds: float, gaps: list[float], steps: list[int]) -> None:
    spread = " ".join(f"{g:.4f}" for g in gaps)
    print(
        f"{seconds:5g} s  {density:<16}{name:<28} gap {statistics.median(gaps):8.4f} nats   "
        f"{int(statistics.median(steps)):6d} steps   ({spread})",
        flush=True,
    )


def toy_densities(arguments) -> None:
    for density in arguments.densities:
        data = [draw(density, 1_000_000, 20_000, seed) for seed in range(arguments.seeds)]
        for seconds in arguments.seconds:
            recipe = OUR_RECIPES[min(OUR_RECIPES, key=lambda s: abs(s - seconds))]
            if not arguments.only_peers:
                gaps, steps = [], []
                for seed, (X, test, truth) in enumerate(data):
                    model = SplineCouplingFlow(**recipe, regularize="none", random_state=seed)
                    n_steps, _ = ours(model, X, None, seconds)
                    gaps.append(float(np.mean(truth - model.score_samples(test))))
                    steps.append(n_steps)
                line("ours", density, seconds, gaps, steps)
            names = {"none": [], "same": ["nflows", "zuko"], "stock": ["nflows", "zuko", "normflows", "lecture"]}
            for name in names[arguments.peers]:
                gaps, steps = [], []
                for seed, (X, test, truth) in enumerate(data):
                    torch.manual_seed(seed)
                    same = arguments.peers == "same"
                    peer, setup = same_architecture(name, seconds) if same else stock_recipe(name)
                    gap, n_steps = their_gap(peer, setup, X, test, truth, seconds)
                    gaps.append(gap)
                    steps.append(n_steps)
                line(f"{name}, {'our recipe' if same else 'stock recipe'}", density, seconds, gaps, steps)


def table(arguments) -> None:
    """MAF 5 x 2x128 on the 64-column table with 20 000 rows: ours, nflows and zuko."""
    X, test, truth = draw("table_64d", 22_000, 10_000, 1)
    X, X_val = X[:20_000], X[20_000:]
    print(f"64-column table: entropy of the standardised truth {-truth.mean():.2f} nats")
    for seconds in arguments.seconds:
        model = MaskedAutoregressiveFlow()
        n_steps, _ = ours(model, X, X_val, seconds)
        line("ours", "table_64d", seconds, [float(np.mean(truth - model.score_samples(test)))], [n_steps])
        for library, build in (("nflows", nflows), ("zuko", zuko)):
            torch.manual_seed(0)
            peer = build(Shape("maf", 64, 5, 128))
            setup = {"batch": 256, "optimizer": torch.optim.Adam(peer.parameters, lr=1e-3)}
            gap, steps = their_gap(peer, setup, X, test, truth, seconds)
            line(f"{library}, Adam 1e-3", "table_64d", seconds, [gap], [steps])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 5.0])
    parser.add_argument("--densities", nargs="+", default=DENSITIES, choices=list(TOYS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--peers", choices=["none", "same", "stock"], default="none")
    parser.add_argument("--only-peers", action="store_true")
    parser.add_argument("--table", action="store_true", help="the 64-column table instead of the 2-D densities")
    parser.add_argument("--no-numba", action="store_true", help="as where numba is not installed")
    arguments = parser.parse_args()
    if arguments.no_numba:
        spline._kernels = lambda required: None
    warnings.filterwarnings("ignore")
    use_one_thread()
    table(arguments) if arguments.table else toy_densities(arguments)


if __name__ == "__main__":
    main()
