"""How fast image flows train, when their likelihood lies, and which cure helps, all on pictures that ship.

    pip install -r benchmarks/requirements.txt
    python benchmarks/images.py                # all parts; or some: python benchmarks/images.py steps paradox digits
    python benchmarks/images.py paradox --seconds 60 --seeds 0 1 2

steps: a training step (loss, gradient, Adam) of a small Glow, batch 64, against nflows' image transforms of the same
shapes, with our networks' layers and with its own residual ones, and against the bare convolutions of our step. All
take turns in one process with one thread; medians of processor time are compared.
paradox: 8 x 8 grey patches of china.jpg inside. AUROC with what is outside as the anomaly, by -log p, its scales, the
ratio to a broad synthetic background, complexity and typicality. A fit gets `--seconds` of processor time of one core.
cures: the same with every cure of the lecture: other backgrounds, a code, a classifier, the outlier loss.
digits: digits 0 to 4 inside, 5 to 9 outside, a dense flow; and the first samples of a flow of all digits.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab.images.backgrounds import broad_background
from flowlab.images.families import FAMILIES
from flowlab.images.pixels import rows_of
from flowlab.images.shape import ImageShape
from flowlab.images.sources import digits, photo_patches
from flowlab.models.flows.pca_flow import PCAFlow
from flowlab.models.images import scores
from flowlab.models.images.image_flow import ImageFlow
from flowlab.nets.images.multiscale import MultiscaleFlow, Sizes
from flowlab.nets.module import FlatModule
from flowlab.nets.process import use_one_thread
from flowlab.nets.training import adam_
from flowlab.ranking import auroc

SHAPE = ImageShape(8, 8)
BATCH = 64


def our_step(side: int, channels: int):
    """One training step of our small Glow."""
    module = MultiscaleFlow(Sizes(side, side, channels, mask="channel", activation_norm=True, mix_channels=True))
    n = side * side * channels
    net = FlatModule(module, n, lambda flow, rows, generator: -flow.contributions(rows).sum(1))
    x = torch.randn(n, BATCH)
    moments = torch.zeros(2, len(net.parameters))
    count = torch.zeros(())

    def step():
        with torch.inference_mode():
            net.loss_and_gradient(x, torch.Generator())
            count.add_(1)
            adam_(net.parameters, net.gradient, *moments, count, 1e-3, 0.99)

    return step


class Plain(nn.Module):
    """The layers of our networks as a network of nflows."""

    def __init__(self, n_in: int, n_out: int, hidden: int = 32):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(n_in, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, n_out, 3, padding=1),
        )  # fmt: skip

    def forward(self, x, context=None):
        return self.layers(x)


def nflows_step(side: int, channels: int, network):
    """One training step of the same Glow built of nflows' transforms."""
    from nflows import transforms

    whole = transforms.MultiscaleCompositeTransform(2)
    shape = (channels, side, side)
    for _ in range(2):
        c, h, w = 4 * shape[0], shape[1] // 2, shape[2] // 2
        layers = [transforms.SqueezeTransform()]
        for i in range(4):
            mask = torch.ones(c)
            mask[: c // 2] = -1
            coupling = transforms.AffineCouplingTransform(mask if i % 2 == 0 else -mask, network)
            layers += [transforms.ActNorm(c), transforms.OneByOneConvolution(c), coupling]
        shape = whole.add_transform(transforms.CompositeTransform(layers), (c, h, w))
    x = torch.randn(BATCH, channels, side, side)
    whole(x)  # starts the activation normalisation
    optimizer = torch.optim.Adam(whole.parameters(), lr=1e-3)

    def step():
        z, log_det = whole(x)
        loss = (0.5 * z.square().flatten(1).sum(1) - log_det).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def bare_step(side: int, channels: int):
    """The convolutions of one of our steps alone, forward and backward."""
    nets, inputs = [], []
    c, h = channels, side
    for _ in range(2):
        c, h = 4 * c, h // 2
        for _ in range(4):
            nets.append(Plain(c // 2, c).to(memory_format=torch.channels_last))
            inputs.append(torch.randn(BATCH, c // 2, h, h).to(memory_format=torch.channels_last).requires_grad_())
        c //= 2

    def step():
        for net, x in zip(nets, inputs, strict=True):
            y = net(x)
            y.backward(torch.ones_like(y))

    return step


def steps() -> None:
    from nflows.nn.nets import ConvResidualNet

    print("\nTraining step, batch 64, 2 scales of 4 couplings, 32 channels: processor time over that of nflows")
    print("shape        ours / nflows, our layers   ours / nflows, its residual nets   ours / bare convolutions")
    for side, channels in ((8, 1), (16, 1), (8, 3), (16, 3)):
        made = {
            "ours": our_step(side, channels),
            "same": nflows_step(side, channels, Plain),
            "residual": nflows_step(side, channels, lambda a, b: ConvResidualNet(a, b, 32, num_blocks=2)),
            "bare": bare_step(side, channels),
        }
        taken: dict[str, list[float]] = {name: [] for name in made}
        for turn in range(33):
            for name, step in made.items():
                began = time.process_time()
                step()
                if turn >= 3:
                    taken[name].append(time.process_time() - began)
        median = {name: statistics.median(each) for name, each in taken.items()}
        ratios = [median["ours"] / median[name] for name in ("same", "residual", "bare")]
        print(f"{side:2} x {side:2} x {channels}  {ratios[0]:12.2f} {ratios[1]:32.2f} {ratios[2]:28.2f}", flush=True)


def fitted(rows: np.ndarray, seconds: float, **settings) -> ImageFlow:
    """A flow trained for so many seconds of processor time, as near as timing its first steps tells."""
    flow = ImageFlow(**settings)
    n_steps = min(flow.steps_within(seconds, rows, time.process_time), 20_000)
    flow.set_params(n_steps=n_steps)
    began = time.process_time()
    flow.fit(rows)
    print(f"    {n_steps} steps, {time.process_time() - began:.0f} s of one core", flush=True)
    return flow


def paradox(seconds: float, seeds: list[int], every_cure: bool) -> None:
    print(f"\nChina inside, {seconds:.0f} s of one core for each fit: mean AUROC (standard error) over seeds")
    table: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        patches = photo_patches("china", 8000, SHAPE, rng)
        inside = patches.pixels[patches.split == 2]
        outside = {"flower": photo_patches("flower", 1500, SHAPE, rng).pixels}
        names = ("constant", "blurred", "half_contrast", "noise", "shuffled")
        outside |= {name: FAMILIES[name](inside, rng) for name in names}
        train, test = rows_of(patches.pixels[patches.split < 2]), rows_of(inside)
        flow = fitted(train, seconds, random_state=seed)
        background = rows_of(broad_background(SHAPE, 12_000, rng))
        general = {"synthetic": fitted(background, seconds, random_state=seed)}
        others = {}
        if every_cure:
            general["corrupted"] = fitted(train, seconds, corruption=0.2, random_state=seed)
            general["tiny"] = fitted(train, seconds / 4, hidden_channels=4, random_state=seed)
            contrasted = ImageFlow(n_steps=max(flow.n_steps // 2, 1), random_state=seed)
            contrasted.fit_against(train, background, weight=3.0)
            others = {
                "PCA code, then a flow": PCAFlow(random_state=seed).fit(train),
                "classifier against synthetic": scores.BackgroundClassifier.fit(train, background, random_state=seed),
                "outlier loss, -log p": contrasted,
            }

        def all_scores(X: np.ndarray, flow=flow, general=general, others=others, train=train):
            found = {"-log p": flow.anomaly_score(X)}
            raw = scores.scale_scores(flow, X)
            found |= {f"scale {k + 1}": raw[:, k] for k in range(raw.shape[1])}
            for name, other in general.items():
                found[f"ratio to {name}"] = scores.likelihood_ratio(flow, other, X)
                found[f"last scale, ratio to {name}"] = scores.last_scale(flow, X, other)
            found["zlib"] = scores.complexity(flow, X, SHAPE, "zlib")
            found["png"] = scores.complexity(flow, X, SHAPE, "png")
            found["typicality"] = scores.typicality(flow, X, train)
            return found | {name: other.anomaly_score(X) for name, other in others.items()}

        of_inside = all_scores(test)
        print(f"    bits per dimension inside {flow.bits_per_dimension(test).mean():.3f}", flush=True)
        for out, pixels in outside.items():
            for score, values in all_scores(rows_of(pixels)).items():
                labels = np.repeat([0, 1], [len(test), len(values)])
                found = auroc(np.concatenate([of_inside[score], values]), labels == 1)
                table.setdefault((score, out), []).append(found)
    print("score".ljust(34), *(out.rjust(14) for out in outside))
    for score in of_inside:
        cells = [np.array(table[score, out]) for out in outside]
        error = [c.std(ddof=1) / len(c) ** 0.5 if len(c) > 1 else 0.0 for c in cells]
        print(score.ljust(34), *(f"{c.mean():.2f} ({e:.2f})".rjust(14) for c, e in zip(cells, error, strict=True)))


def digit_pairs(seconds: float, seeds: list[int]) -> None:
    print("\nDigits 0 to 4 inside, 5 to 9 outside: AUROC of -log p")
    every = digits()
    rows, inside = rows_of(every.pixels), every.classes < 5
    for name, settings in {
        "dense": {
            "network": "dense", "equal_size": False, "mask": "checkerboard", "hidden_channels": 64, "n_scales": 1,
            "corruption": 0.05,
        },
        "convolutional": {},
    }.items():  # fmt: skip
        found = []
        for seed in seeds:
            order = np.random.default_rng(seed).permutation(np.flatnonzero(inside))
            n = round(0.7 * len(order))
            flow = fitted(rows[order[:n]], seconds, **settings, random_state=seed)
            test = np.concatenate([rows[order[n:]], rows[~inside]])
            labels = np.repeat([0, 1], [len(order) - n, int((~inside).sum())])
            found.append(auroc(flow.anomaly_score(test), labels == 1))
        print(name, np.round(found, 3), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["steps", "cures", "digits"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    asked = parser.parse_args()
    use_one_thread()
    if "steps" in asked.parts:
        steps()
    if "paradox" in asked.parts or "cures" in asked.parts:
        paradox(asked.seconds, asked.seeds, "cures" in asked.parts)
    if "digits" in asked.parts:
        digit_pairs(asked.seconds, asked.seeds)


if __name__ == "__main__":
    main()
