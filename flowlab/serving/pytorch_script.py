"""A run of the affine coupling flow as a program of its own, in plain PyTorch or with nflows: no FlowLab in it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from flowlab import catalog
from flowlab.datasets.dataset import Dataset, Part
from flowlab.evaluation.comparison import held_out
from flowlab.models.flows.engine_flow import FEW_ROWS, SMOOTHING
from flowlab.records import RunSpec

LIBRARIES = ("PyTorch", "nflows")
SCALES = {
    "tanh": "torch.tanh(r)",
    "clamp": "4 / math.pi * torch.atan(r / 2)",
    "exp": "r",
    "sigmoid": "torch.log(torch.sigmoid(r + 2) + 1e-3)",
}
"""How the network's output r becomes the log-scale, by scale map."""
MASKS = {"alternate": "(torch.arange(d) + i) % 2 == 1", "half": "(torch.arange(d) >= d // 2) ^ (i % 2 == 1)"}

_HEAD = '''\
"""{title}

Reads {rows}: the columns of the table and `part`, which is train, validation or test.
"""

import math

import pandas as pd
import torch
from torch import nn

N_LAYERS, WIDTH, N_HIDDEN = {n_layers}, {hidden_features}, {n_hidden}
N_STEPS, BATCH, RATE, DECAY = {n_steps}, {batch_size}, {learning_rate}, {weight_decay}
NOISE, NOISE_END = {noise}, {noise_end}  # standard deviations, at the first and the last step
SEED = {seed}
START = torch.Generator().manual_seed(SEED)

table = pd.read_csv("{rows}")
parts = {{p: torch.tensor(g.drop(columns="part").to_numpy()) for p, g in table.groupby("part")}}
train = parts["train"]
d, mean, scale = train.shape[1], train.mean(0), train.std(0, correction=0)


def network(n_in, n_out):
    sizes = [n_in] + [WIDTH] * N_HIDDEN + [n_out]
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        drawn = torch.empty(b, a + 1).uniform_(-1 / math.sqrt(a), 1 / math.sqrt(a), generator=START)
        layers += [nn.Linear(a, b), nn.ReLU()]
        with torch.no_grad():
            layers[-2].bias.copy_(drawn[:, 0])
            layers[-2].weight.copy_(drawn[:, 1:])
    with torch.no_grad():
        layers[-2].weight.mul_(0.01)  # the flow begins near the identity
        layers[-2].bias.mul_(0.01)
    return nn.Sequential(*layers[:-1])


def mixed(z):  # splitmix64, so that order and noise are a function of seed and step
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ z >> shift) * factor) % 2**64
    return z ^ z >> 31


def stream(number, index):
    seed = SEED * 0x9E3779B97F4A7C15 + number * 0xBF58476D1CE4E5B9 + index * 0x94D049BB133111EB
    return torch.Generator().manual_seed(mixed(seed % 2**64) >> 1)


'''
_TORCH = """
class Coupling(nn.Module):
    def __init__(self, moved):
        super().__init__()
        self.moved, self.kept = moved.nonzero()[:, 0], (~moved).nonzero()[:, 0]
        self.net = network(len(self.kept), 2 * len(self.moved))

    def forward(self, x):
        r, t = self.net(x[:, self.kept]).chunk(2, dim=1)
        s = {scale}
        y = x.clone()
        y[:, self.moved] = {formula}
        return y, s.sum(1)


def mask(i):
    return {mask}


layers = nn.ModuleList([Coupling(mask(i)) for i in range(N_LAYERS)])


def log_density(x):
    z, log_det = x, 0.0
    for layer in layers:
        z, part = layer(z)
        log_det = log_det + part
    return -0.5 * z.square().sum(1) - 0.5 * d * math.log(2 * math.pi) + log_det

"""
_NFLOWS = """
from nflows.distributions.normal import StandardNormal
from nflows.flows.base import Flow
from nflows.transforms import AffineCouplingTransform, CompositeTransform


class Coupling(AffineCouplingTransform):
    def _coupling_transform_forward(self, inputs, transform_params):
        r, t = transform_params.chunk(2, dim=1)
        s = {scale}
        return {nflows_formula}, s.sum(1)


class Net(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.net = network(n_in, n_out)

    def forward(self, x, context=None):
        return self.net(x)


def mask(i):
    return {mask}


layers = Flow(CompositeTransform([Coupling(mask(i).int(), Net) for i in range(N_LAYERS)]), StandardNormal([d]))
log_density = layers.log_prob

"""
_LOOP = """
def nll(rows, log_density):
    with torch.no_grad():  # in the units of the data: the columns were scaled
        return (scale.log().sum() - log_density(((rows - mean) / scale).float()).mean()).item()


weights = list(layers.parameters())
adam = torch.optim.Adam(weights, betas=(0.9, 0.99))
x = ((train - mean) / scale).float()
size = min(BATCH, len(x))
average = [w.detach().clone() for w in weights]
best, best_loss = average, math.inf
for step in range(N_STEPS):
    position = step % (len(x) // size)
    if position == 0:
        order = torch.randperm(len(x), generator=stream(1, step // (len(x) // size)))
    batch = x[order[position * size : (position + 1) * size]]
    if NOISE:
        noise = torch.randn((d, size), generator=stream(2, step)).T
        batch = batch + noise * NOISE * (NOISE_END / NOISE) ** (step / N_STEPS)
    done = step / N_STEPS
    rate = RATE * (max(done / 0.05, 0.02) if done < 0.05 else 1 - (done - 0.05) / 0.95 + 1e-3)
    loss = -log_density(batch).mean()
    adam.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 10.0)
    adam.param_groups[0]["lr"] = rate
    adam.step()
    with torch.no_grad():
        for a, w in zip(average, weights):
            w.mul_(1 - rate * DECAY)
            a.lerp_(w, max(0.01, 1 / (step + 1)))
    if (step + 1) % 50 == 0 or step + 1 == N_STEPS:  # the averaged weights that are best on validation rows are kept
        now = [w.detach().clone() for w in weights]
        with torch.no_grad():
            for w, a in zip(weights, average):
                w.copy_(a)
        validation = nll(parts.get("validation", train[:2000]), log_density)
        if validation < best_loss:
            best, best_loss = [a.clone() for a in average], validation
        with torch.no_grad():
            for w, n in zip(weights, now):
                w.copy_(n)

with torch.no_grad():
    for w, b in zip(weights, best):
        w.copy_(b)
print(f"negative log-likelihood of the test rows: {nll(parts['test'], log_density):.3f} nats")
"""


def script_problem(spec: RunSpec) -> str:
    """Why there is no program of this kind for a run, in a sentence; "" where there is one."""
    if spec.model.name != "affine":
        return "Programs in plain PyTorch are written for the affine coupling flow; choose it as the model."
    values = catalog.MODELS["affine"].complete(spec.model).params
    unlike = {
        "scale map": values["scale_map"] in SCALES,
        "mask": values["mask"] in MASKS,
        "fault": values["fault"] == "none",
        "patience": values["patience"] == 0,
        "choice of weights": bool(values["keep_best"]),
        "standardisation": bool(values["standardize"]),
        "parent": not spec.parent,
    }
    wrong = [name for name, is_written in unlike.items() if not is_written]
    return f"The program is not written for this {' and '.join(wrong)}; take the default." if wrong else ""


def pytorch_script(spec: RunSpec, n_rows: int, library: str = "PyTorch", rows: str = "rows.csv") -> str:
    """A program that trains the same flow on the same rows by the same rule, without FlowLab.

    It begins with the run's weights, batches and noise, which are a function of the seed; what is left is rounding,
    which training may enlarge.

    Parameters
    ----------
    spec : a run of the affine coupling flow
    n_rows : how many training rows it has
    library : one of `LIBRARIES`
    rows : name of the file of `script_rows`

    Raises
    ------
    ValueError
        Where `script_problem` says why.
    """
    if problem := script_problem(spec):
        raise ValueError(problem)
    if library not in LIBRARIES:
        raise ValueError(f"library is one of {', '.join(LIBRARIES)}, not {library!r}")
    values = dict(catalog.MODELS["affine"].complete(spec.model).params)
    smooth = values["regularize"] == "auto" and values["noise"] == 0 and n_rows < FEW_ROWS
    noise, noise_end = SMOOTHING if smooth else (values["noise"], values["noise"])
    first = values["convention"] == "scale then shift"
    moved = "x[:, self.moved]"
    fill = values | {
        "title": f"A flow of {values['n_layers']} affine couplings on {spec.data.name}, with {library} alone.",
        "rows": rows,
        "seed": spec.seed,
        "noise": noise,
        "noise_end": noise_end,
        "scale": SCALES[str(values["scale_map"])],
        "mask": MASKS[str(values["mask"])],
        "formula": f"{moved} * s.exp() + t" if first else f"({moved} + t) * s.exp()",
        "nflows_formula": "inputs * s.exp() + t" if first else "(inputs + t) * s.exp()",
    }
    return (_HEAD + (_TORCH if library == "PyTorch" else _NFLOWS)).format(**fill) + _LOOP


def script_rows(dataset: Dataset) -> pd.DataFrame:
    """The rows a program reads: the fitted ones, those training is watched on, and the held-out normal ones."""
    test = held_out(dataset)
    if dataset.y is not None:
        test = test[dataset.y[test] != 1]
    parts = {
        "train": dataset.fitting_rows(),
        "validation": dataset.fitting_rows(Part.MONITOR),
        "test": dataset.X[test],
    }
    table = pd.DataFrame(np.vstack(list(parts.values())), columns=list(dataset.columns))
    return table.assign(part=np.repeat(list(parts), [len(rows) for rows in parts.values()]))
