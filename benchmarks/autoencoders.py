"""How fast a training step of the autoencoders is, and what an autoencoder reaches on the cluster data.

    python benchmarks/autoencoders.py [hpc.csv]

One process, one thread; variants take turns and medians are compared: trust the ratios. "products" are the matrix
products of one step alone. With the table of `benchmarks/hpc.py`, the cost of an autoencoder with 64 units whose
threshold is chosen on validation rows, and the column it blames for rows 5006 and 6666.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import hpc
from benchmarks.speed import interleave
from flowlab.detection.labelled import least_cost
from flowlab.models.autoencoders.autoencoder import Autoencoder
from flowlab.nets.autoencoder import AutoencoderNet, Layers, VariationalNet
from flowlab.nets.process import use_one_thread

BATCH = 256
SHAPES = {"2 columns, code 1": (2, 1, [64, 64]), "30 columns, code 5": (30, 5, [64, 64]),
          "64 columns, code 8": (64, 8, [128, 128]), "159 columns, code 64": (159, 64, [128])}  # fmt: skip


def products(net) -> list[tuple]:
    """The operands (a, b, out) of every matrix product of one step, on buffers of their own."""
    calls = []
    for layers in (net.encoder, net.decoder):
        for i, weight in enumerate(layers.weights):
            below, above = 0.1 * torch.randn(weight.shape[1], BATCH), 0.1 * torch.randn(weight.shape[0], BATCH)
            calls.append((weight, below, torch.empty_like(above)))
            calls.append((above, below.t(), torch.empty_like(weight)))
            if i or layers is net.decoder:
                calls.append((weight[:, :-1].t(), above, torch.empty(weight.shape[1] - 1, BATCH)))
    return calls


def multiply(calls: list[tuple]):
    def run():
        with torch.inference_mode():
            for a, b, out in calls:
                torch.mm(a, b, out=out)

    return run


def step(net, x: torch.Tensor, generator: torch.Generator):
    def run():
        with torch.inference_mode():
            net.loss_and_gradient(x, generator)

    return run


def speed() -> None:
    generator = torch.Generator().manual_seed(0)
    for name, (n_features, n_latent, hidden) in SHAPES.items():
        x = torch.randn(n_features, BATCH, generator=generator)
        nets = {
            "autoencoder": AutoencoderNet(n_features, n_latent, hidden, "relu", "squared"),
            "VAE": VariationalNet(n_features, n_latent, hidden, "relu"),
        }
        variants = {}
        for label, net in nets.items():
            net.initialise(0)
            variants[label] = step(net, x, generator)
            variants[f"{label}, products"] = multiply(products(net))
        ms = interleave(variants)
        size = sum(Layers.size(layers.sizes) for layers in (nets["VAE"].encoder, nets["VAE"].decoder))
        print(f"\n{name}, batch {BATCH}, {size:,} parameters")
        for label in nets:
            floor = ms[f"{label}, products"]
            print(f"  {label:<12}{ms[label]:8.3f} ms  {ms[label] / floor:5.2f} x products ({floor:.3f} ms)")


def cluster(path: str) -> None:
    dataset = hpc.read(path)
    model = Autoencoder(n_latent=64, n_layers=0, n_steps=1000).fit(dataset.part("train"))
    scores = model.anomaly_score(dataset.X)
    validation = dataset.rows("validation")
    threshold = least_cost(scores[validation], dataset.y[validation], **hpc.COURSE)
    print(f"\n{'cost':<52}{'threshold':>14}" + "".join(f"{part:>12}" for part in hpc.PARTS))
    hpc.report("autoencoder, 64 units, every score", dataset, scores, threshold.value)
    for row in (5006, 6666):
        worst = model.feature_errors(dataset.X[[row]])[0].argmax()
        print(f"row {row}: largest error in {dataset.columns[worst]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", nargs="?", help="hpc.csv, or hpc.csv.zip as it is")
    path = parser.parse_args().csv
    use_one_thread()
    speed()
    if path:
        cluster(path)


if __name__ == "__main__":
    main()
