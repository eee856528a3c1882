"""The data sets of the catalog: toy densities, tables that ship with scikit-learn, simulated tables, uploads."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from flowlab.catalog.entry import Control, Entry
from flowlab.datasets import toys
from flowlab.datasets.dataset import Dataset

TOYS = "Toy densities"
BUNDLED = "Tables that ship with scikit-learn"
SIMULATED = "Simulated tables"
UPLOADED = "Uploaded table"


def _toy(name: str, label: str, density: type, *controls: Control, n_samples: int = 20_000, blurb: str = "") -> Entry:
    size = Control("n_samples", "Rows", "int", 200, 100_000, 100, log=True, help="Rows drawn: 80 % train the model.")
    return Entry(name, label, _toy_maker(density, label, n_samples), (*controls, size), blurb, TOYS)


def _toy_maker(density: type, label: str, rows: int) -> Callable[..., Dataset]:
    """A maker whose signature is the density's, with the number of rows added."""

    def make(*, seed: int = 0, n_samples: int = rows, **params: float) -> Dataset:
        return toys.make_toy(density(**params), n_samples, seed, label)

    known = inspect.signature(make).parameters
    own = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(density).parameters.values()]
    make.__signature__ = inspect.Signature([*own, known["seed"], known["n_samples"]])  # type: ignore[attr-defined]
    return make


def _noise(low: float, high: float, step: float, help: str = "Standard deviation of the noise.") -> Control:
    return Control("noise", "Noise", "float", low, high, step, help=help, main=True)


DATASETS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        _toy("moons", "Half moons", toys.Moons, _noise(0.02, 0.5, 0.01)),
    )
}
