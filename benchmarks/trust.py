"""The trust badge on good and bad models: no good one may be red, no bad one green; known truths are hidden from it.

    python benchmarks/trust.py [--models WORDS]

Good are exact densities of the toys themselves and fits that come near them; bad are models of the wrong family,
under-trained ones, ones with lighter tails than the data, and ones with few rows. With --models only those whose name
holds one of the words. Prints each model's level without and with the known truth, how many nats a column it stands
above the truth, and the findings that set its level. A good one stands at most 0.05 above.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flowlab import catalog
from flowlab.datasets.dataset import Dataset
from flowlab.evaluation.finding import overall
from flowlab.evaluation.known_gap import gap
from flowlab.evaluation.trust import audit
from flowlab.models.autoencoders.variational import VariationalAutoencoder
from flowlab.models.base import DensityModel
from flowlab.models.classical.density import KDE, Gaussian, GaussianMixture
from flowlab.models.flows.families import AffineCouplingFlow, MaskedAutoregressiveFlow, SplineCouplingFlow
from flowlab.records import Spec
from flowlab.toys.shapes import Funnel


class Exact(DensityModel):
    """The density of a data set as a model."""

    def __init__(self, density):
        self.density = density

    def _train(self, X, X_val, checkpoint, n_steps):
        """Nothing to do."""
        return iter(())

    def score_samples(self, X):
        """Exact log-density."""
        return self.density.log_density(np.asarray(X))

    def sample(self, n_samples=1, random_state=None, temperature=1.0):
        """Exact draws."""
        return self.density.sample(n_samples, random_state)

    def get_state(self):
        """Nothing is learned."""
        return {}

    def set_state(self, state):
        """Nothing is learned."""
        return self


class BoundedSpline(SplineCouplingFlow):
    """A spline flow that does not learn tails: beyond its bound the map is the identity."""

    _learns_tails = False


@dataclass(frozen=True)
class Case:
    """A data set, a model to fit to it, and whether it is a good one."""

    name: str
    is_good: bool
    data: Callable[[], Dataset]
    model: Callable[[Dataset], DensityModel]


def toy(name: str, n: int = 20_000) -> Callable[[], Dataset]:
    """A toy data set of so many rows."""
    return lambda: catalog.make_dataset(Spec(name, {"n_samples": n}), 0)


@dataclass(frozen=True)
class Independent:
    """The density of independent columns that are alike."""

    column: Any
    n_columns: int

    def sample(self, n_samples: int, random_state: Any = None) -> np.ndarray:
        """Exact draws, (n_samples, n_columns)."""
        return self.column.rvs((n_samples, self.n_columns), random_state=random_state)

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """Exact log-density in nats, (n,)."""
        return self.column.logpdf(np.asarray(X)).sum(axis=1)


def columns(column: Any, n: int, d: int = 2) -> Callable[[], Dataset]:
    """A table of independent columns of a distribution of `scipy.stats`."""
    density = Independent(column, d)
    return lambda: Dataset(density.sample(n, 0), tuple(f"x{j}" for j in range(d)), density=density)


def funnel(n: int) -> Callable[[], Dataset]:
    """The widest funnel."""

    def make() -> Dataset:
        density = Funnel(1.5)
        return Dataset(density.sample(n, 0), ("x", "y"), density=density)

    return make


def exact(dataset: Dataset) -> DensityModel:
    """The truth."""
    return Exact(dataset.density)


def fits(make: Callable[..., DensityModel], **params) -> Callable[[Dataset], DensityModel]:
    """A model fitted to the training rows."""

    def fit(dataset: Dataset) -> DensityModel:
        model = make(**params)
        for _ in model.fit_iter(dataset.part("train"), dataset.part("validation")):
            pass
        return model

    return fit


GOOD = [
    *(
        Case(f"the truth of {name}, {n:,} rows", True, toy(name, n), exact)
        for name in ("moons", "eight_gaussians", "rings", "checkerboard", "pinwheel", "banana", "star", "sine")
        for n in (6000,)
    ),
    Case("the truth of moons, 170 rows", True, toy("moons", 170), exact),
    Case("the truth of rings, 1,000 rows", True, toy("rings", 1000), exact),
    Case("the truth of the widest funnel, 20,000 rows", True, funnel(20_000), exact),
    Case("the truth of a funnel, 6,000 rows", True, toy("funnel", 6000), exact),
    Case("spline flow on moons, 20,000 rows", True, toy("moons"), fits(SplineCouplingFlow)),
    Case("spline flow on banana, 10,000 rows", True, toy("banana", 10_000), fits(SplineCouplingFlow, n_steps=1500)),
    Case("spline flow on t(2), 20,000 rows", True, columns(stats.t(2), 20_000), fits(SplineCouplingFlow)),
    Case("spline flow on exponentials, 10,000 rows", True, columns(stats.expon(), 10_000), fits(SplineCouplingFlow)),
    Case("MAF on t(2), 10,000 rows", True, columns(stats.t(2), 10_000), fits(MaskedAutoregressiveFlow, n_steps=800)),
    Case("Gaussian on normal columns, 6,000 rows", True, columns(stats.norm(), 6000, 5), fits(Gaussian)),
    Case("Gaussian on normal columns, 100 rows", True, columns(stats.norm(), 100, 4), fits(Gaussian)),
    Case("mixture on eight Gaussians, 6,000 rows", True, toy("eight_gaussians", 6000), fits(GaussianMixture)),
    Case("affine flow on normal columns, 6,000 rows", True, columns(stats.norm(), 6000, 3), fits(AffineCouplingFlow)),
]
BAD = [
    Case("Gaussian on moons, 6,000 rows", False, toy("moons", 6000), fits(Gaussian)),
    Case("Gaussian on moons, 170 rows", False, toy("moons", 170), fits(Gaussian)),
    Case("Gaussian on pinwheel, 1,000 rows", False, toy("pinwheel", 1000), fits(Gaussian)),
    Case("Gaussian on banana, 2,000 rows", False, toy("banana", 2000), fits(Gaussian)),
    Case("Gaussian on exponentials, 5,000 rows", False, columns(stats.expon(), 5000), fits(Gaussian)),
    Case(
        "mixture of two on eight Gaussians",
        False,
        toy("eight_gaussians", 5000),
        fits(GaussianMixture, max_components=2),
    ),
    Case(
        "identity on exponentials, 170 rows",
        False,
        columns(stats.expon(), 170),
        fits(AffineCouplingFlow, n_steps=1, learning_rate=1e-9),
    ),
    Case(
        "identity on exponentials, 5,000 rows",
        False,
        columns(stats.expon(), 5000),
        fits(AffineCouplingFlow, n_steps=1, learning_rate=1e-9),
    ),
    Case(
        "VAE on checkerboard, 6,000 rows", False, toy("checkerboard", 6000), fits(VariationalAutoencoder, n_steps=500)
    ),
    Case("spline flow on moons, 50 steps", False, toy("moons", 6000), fits(SplineCouplingFlow, n_steps=50)),
    Case("spline flow on rings, 100 steps", False, toy("rings", 6000), fits(SplineCouplingFlow, n_steps=100)),
    Case(
        "affine flow on checkerboard, 100 steps",
        False,
        toy("checkerboard", 6000),
        fits(AffineCouplingFlow, n_steps=100),
    ),
    Case("MAF on pinwheel, 100 steps", False, toy("pinwheel", 6000), fits(MaskedAutoregressiveFlow, n_steps=100)),
    Case("bounded spline on t(2), 20,000 rows", False, columns(stats.t(2), 20_000), fits(BoundedSpline)),
    Case("bounded spline on t(3), 20,000 rows", False, columns(stats.t(3), 20_000), fits(BoundedSpline, n_steps=800)),
    Case("Gaussian on t(3), 6,000 rows", False, columns(stats.t(3), 6000), fits(Gaussian)),
    Case("MAF on t(1), 10,000 rows", False, columns(stats.t(1), 10_000), fits(MaskedAutoregressiveFlow, n_steps=800)),
    Case("narrow kernels on 100 rows", False, columns(stats.norm(), 100, 4), fits(KDE, bandwidth=0.05)),
    Case(
        "spline flow without validation, 200 rows",
        False,
        toy("moons", 200),
        fits(SplineCouplingFlow, regularize="none"),
    ),
    Case("spline flow on 40 rows", False, toy("rings", 40), fits(SplineCouplingFlow, n_steps=500)),
]


def judge(case: Case) -> tuple[list[str], list[str], float]:
    """Levels without and with the known truth, what set the first, nats a column above the truth (nan if unknown)."""
    dataset = case.data()
    model = case.model(dataset)
    hidden = audit(model, replace(dataset, density=None))
    known = audit(model, dataset) if dataset.density is not None else hidden
    reasons = [f"{f.name} {f.level} ({f.value:.3g})" for f in hidden if f.level != "green"]
    above = gap(model, dataset).nats / dataset.n_features if dataset.truth_for(model) is not None else np.nan
    return [overall(hidden), overall(known)], reasons, above


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table, and how many are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[""], help="only models whose name holds one of these words")
    chosen = parser.parse_args(argv).models
    wrong = {"red though good": 0, "green though bad": 0}
    for case in [c for c in [*GOOD, *BAD] if any(word in c.name for word in chosen)]:
        began = time.perf_counter()
        (hidden, known), reasons, above = judge(case)
        wrong["red though good"] += case.is_good and "red" in (hidden, known)
        wrong["green though bad"] += not case.is_good and "green" in (hidden, known)
        kind = "good" if case.is_good else "bad"
        seconds = time.perf_counter() - began
        line = f"{kind:5}{case.name:46}{hidden:7}{known:7}{above:7.3f}{seconds:6.1f} s  {', '.join(reasons)}"
        print(line.rstrip(), flush=True)
    print(", ".join(f"{count} {what}" for what, count in wrong.items()))


if __name__ == "__main__":
    main()
