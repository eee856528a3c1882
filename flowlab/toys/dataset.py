"""Toy data: samples from densities whose logarithm, and so the best reachable loss, is known exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flowlab.constraints import YES_OR_NO, Interval, checked
from flowlab.datasets.dataset import Dataset, random_split
from flowlab.toys.base import ToyDensity
from flowlab.toys.class_conditional import GivenClass
from flowlab.toys.contaminated import Clump1D, Clump2D, WithOutliers
from flowlab.toys.curves import Moons, Rings, Spirals, SwissRoll
from flowlab.toys.mixtures import GaussianModes, Pinwheel, Star
from flowlab.toys.shapes import Banana, Checkerboard, CorrelatedGaussian, Funnel, Sine
from flowlab.toys.table64 import Table64

__all__ = [
    "Banana",
    "Checkerboard",
    "Clump1D",
    "Clump2D",
    "CorrelatedGaussian",
    "Funnel",
    "GaussianModes",
    "Moons",
    "Pinwheel",
    "Rings",
    "Sine",
    "Spirals",
    "Star",
    "SwissRoll",
    "TOYS",
    "Table64",
    "ToyDensity",
    "WithOutliers",
    "make_toy",
]

TOYS: dict[str, type[ToyDensity]] = {
    "moons": Moons,
    "eight_gaussians": GaussianModes,
    "rings": Rings,
    "checkerboard": Checkerboard,
    "spirals": Spirals,
    "pinwheel": Pinwheel,
    "banana": Banana,
    "swiss_roll": SwissRoll,
    "star": Star,
    "sine": Sine,
    "funnel": Funnel,
    "gaussian": CorrelatedGaussian,
    "clump_1d": Clump1D,
    "clump_2d": Clump2D,
    "table_64d": Table64,
}
"""Every toy by its short name; the constructors' parameters are what a user may change."""


@checked(n_samples=Interval(int, 10, 1_000_000), anomaly_share=Interval(float, 0, 0.5), by_class=YES_OR_NO)
def make_toy(
    density: ToyDensity,
    n_samples: int = 20_000,
    seed: int = 0,
    name: str = "",
    *,
    anomaly_share: float = 0.0,
    by_class: bool = False,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
) -> Dataset:
    """A Dataset of draws from a toy density, in its natural units.

    Parameters
    ----------
    density : the exact density, which the Dataset carries along
    n_samples : number of rows, 10 to 1,000,000
    seed : of the draws and of the division into training, validation and test rows
    name : name of the Dataset
    anomaly_share : share of rows, for densities of two features, that are replaced by labelled outliers spread
        evenly over the window; the Dataset's density is then the exact density of this mixture
    by_class : whether the class of each row is a context column, the last; the density is then that given the class.
        A single class conditions nothing
    fractions : of training, validation and test rows

    >>> data = make_toy(Clump1D(), 1000)
    >>> data.X.shape, int(data.y.sum())
    ((1000, 1), 10)
    """
    if anomaly_share:
        density = WithOutliers(density, anomaly_share)
    n_classes, context = density.n_classes, None
    if by_class and n_classes > 1:
        density, context = GivenClass(density), density.n_features
    X, component = density.sample_with_components(n_samples, np.random.default_rng([seed, 0x70F5]))
    y = None
    if density.anomaly_component is not None:
        y = (component == density.anomaly_component).astype(np.int8)
    split = random_split(n_samples, fractions, seed, y)
    classes = component if component.max(initial=0) > 0 else None
    dataset = Dataset(X, density.columns, y=y, name=name, density=density, split=split, classes=classes)
    return dataset if context is None else replace(dataset, context=context, levels=_level_names(n_classes))


def _level_names(n_classes: int) -> tuple[str, ...]:
    return tuple(f"class {i + 1}" for i in range(n_classes))
