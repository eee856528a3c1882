"""Dataset: a table of numbers with its names, and its division into training, validation and test rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pandas as pd

from flowlab.datasets.left_out import LEFT_OUT
from flowlab.encoding.sources import Source, feature_sources, table_sources

if TYPE_CHECKING:
    from flowlab.encoding.encoder import TableEncoder
    from flowlab.encoding.spread import Cells
    from flowlab.images.shape import ImageShape

MONITOR_ROWS = 2000
"""Validation rows that training evaluates on; the exact loss of `Part.MONITOR` is then over the same rows."""


class Part(StrEnum):
    """A part of the rows of a data set; see `Dataset.rows`."""

    TRAIN = "train"
    MONITOR = "monitor"
    VALIDATION = "validation"
    TEST = "test"
    UNSEEN = "unseen"
    LEFT_OUT = "left out"
    ALL = "all"


DIVISION = (Part.TRAIN, Part.VALIDATION, Part.TEST)
"""The parts that a number in `Dataset.split` stands for; 3 are rows that are left out (`left_out`)."""


class ExactDensity(Protocol):
    """A density whose logarithm is known: what toy data carry."""

    n_features: int

    def sample(self, n_samples: int, random_state: int | np.random.Generator | None = None) -> np.ndarray:
        """Independent draws, shape (n_samples, n_features)."""

    def log_density(self, X: np.ndarray) -> np.ndarray:
        """Exact log-density in nats, shape (n_samples,); minus infinity outside the support."""

    def window(self) -> tuple[float, float, float, float]:
        """x from, x to, y from, y to of a picture that shows it."""

    def entropy(self) -> float:
        """Differential entropy in nats: the lowest expected negative log-likelihood any model can reach."""


class ScoringModel(Protocol):
    """What a model declares: whether its scores and its losses are log-densities, and whether it takes a context."""

    is_density: bool
    can_condition: bool
    loss_is_likelihood: bool


@dataclass(frozen=True, eq=False)
class Dataset:
    """A table of numbers, ready for an estimator.

    Attributes
    ----------
    X : (n_rows, n_features) float64, finite
    columns : one name per feature
    y : (n_rows,) int8 or None; 1 marks an anomaly, 0 a normal row
    time : (n_rows,) datetime64[ns] or float, or None
    name : name shown to people ("half moons", "orders.csv")
    density : the exact density of toy data, else None
    split : (n_rows,) int8; 0 training, 1 validation, 2 test, 3 left out of training and validation
    train_on : "normal" where the rows that are fitted are known to be normal: those `y` marks as anomalies are left out
        of the fit, and where there is no `y` somebody said so; else "all"
    classes : (n_rows,) int or None; class of each row, for colours
    class_names : names of the classes, from 0 on; empty where they have none
    context : which column conditions the others instead of being modelled, or None; it holds the numbers of `levels`
    levels : names of the context's values, from 0 on
    encoder : what made the features from a table of the user's, or None where they are its columns
    silent_holes : column name to the numbers of its rows that were missing, where no feature says so
    cells : how far each value is spread while an expansive density trains, or None; X itself is never spread
    label_column : name of the column of the user's table that `y` was read from, "" where none was
    image_shape : the shape of the pictures that the judged columns of a row are, in [0, 1]; None where rows are none
    left_out : which rows are left out, in words; "" where none is
    """

    X: np.ndarray
    columns: tuple[str, ...]
    y: np.ndarray | None = None
    time: np.ndarray | None = None
    name: str = ""
    density: ExactDensity | None = None
    split: np.ndarray = None  # type: ignore[assignment]  # of one that is built, never None: see __post_init__
    train_on: str = "all"
    classes: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    context: int | None = None
    levels: tuple[str, ...] = ()
    encoder: TableEncoder | None = None
    silent_holes: Mapping[str, np.ndarray] = field(default_factory=dict)
    cells: Cells | None = None
    label_column: str = ""
    image_shape: ImageShape | None = None
    left_out: str = ""

    def __post_init__(self) -> None:
        if self.X.ndim != 2 or self.X.shape[1] != len(self.columns):
            raise ValueError(f"X of shape {self.X.shape} does not fit {len(self.columns)} column names")
        if self.split is None:
            object.__setattr__(self, "split", random_split(len(self.X)))
        if self.train_on not in ("all", "normal"):
            raise ValueError(f"train_on must be 'all' or 'normal', not {self.train_on!r}")

    def __len__(self) -> int:
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def judged(self) -> np.ndarray:
        """Numbers of the columns that a density is over, (n,): all but the context."""
        columns = np.arange(self.n_features)
        return columns if self.context is None else np.delete(columns, self.context)

    def pictures(self, X: np.ndarray) -> np.ndarray:
        """The pictures (n, height, width, channels) of rows X (n, n_features); ValueError where rows are none."""
        if self.image_shape is None:
            raise ValueError("These rows are not pictures.")
        return self.image_shape.of(X if self.context is None else X[:, self.judged])

    def sources(self) -> tuple[Source, ...]:
        """The columns of the user's table, each with its features."""
        if self.encoder is not None:
            return table_sources(self.encoder)
        return feature_sources(self.columns, self.context, self.levels)

    @property
    def n_scaling(self) -> int:
        """Number of judged columns that a change of unit multiplies: numbers whose tails were not squashed."""
        return sum(source.kind == "number" and not getattr(source.plan, "scale", 0.0) for source in self.sources())

    def told_row(self, row: int) -> np.ndarray:
        """The features of a row (n_features,), nan where its column was missing and was filled silently."""
        x = self.X[row].copy()
        for source in self.sources() if self.silent_holes else ():
            if row in self.silent_holes.get(source.name, ()):
                x[source.features] = np.nan
        return x

    def table(self, X: np.ndarray, drawn: bool = False) -> pd.DataFrame:
        """Rows X (n, n_features) in the user's columns, with their types, categories and dates.

        Rows that a model has `drawn` are put into the ranges and on the grids of the columns.
        """
        if self.encoder is not None:
            return self.encoder.inverse_transform(X, drawn=drawn)
        return pd.DataFrame({j: source.read(X) for j, source in enumerate(self.sources())}).set_axis(
            list(self.columns), axis=1
        )

    def rows(self, part: Part) -> np.ndarray:
        """Row numbers of a part.

        Training rows are those that are fitted. MONITOR are the validation rows on which training is watched, the
        first 2,000 of them: without labelled anomalies if the fit is. UNSEEN are validation and test rows together.
        LEFT_OUT rows are in none of these.
        """
        if part == Part.ALL:
            return np.arange(len(self.X))
        if part == Part.UNSEEN:
            return np.flatnonzero((self.split == 1) | (self.split == 2))
        if part == Part.LEFT_OUT:
            return np.flatnonzero(self.split == LEFT_OUT)
        in_part = self.split == DIVISION.index(Part.VALIDATION if part == Part.MONITOR else Part(part))
        if part in (Part.TRAIN, Part.MONITOR) and self.train_on == "normal" and self.y is not None:
            in_part = in_part & (self.y == 0)
        return np.flatnonzero(in_part)[: MONITOR_ROWS if part == Part.MONITOR else None]

    def part(self, part: Part) -> np.ndarray:
        """The rows of one part as a matrix (n, n_features)."""
        return self.X[self.rows(part)]

    def fitting_rows(self, part: Part = Part.TRAIN) -> np.ndarray:
        """The rows of one part as a fit sees them, (n, n_features): values that have cells are spread over them."""
        rows = self.rows(part)
        return self.X[rows] if self.cells is None else self.cells.spread(self.X, rows)

    def truth_for(self, model: ScoringModel) -> ExactDensity | None:
        """The exact density that the scores of a model, or class of models, can be held against, or None.

        Under a context that is the density given it, which a model that cannot condition does not have.
        """
        comparable = model.is_density and (model.can_condition or self.context is None)
        return self.density if comparable else None

    def exact_loss(self, part: Part) -> float | None:
        """Mean negative log of the exact density over a part, in nats; None where no density is known.

        The lowest loss a model can have on just these rows, up to luck: the entropy plus their sampling error.
        """
        return None if self.density is None else -float(np.mean(self.density.log_density(self.part(part))))

    def digest(self) -> str:
        """First 16 hex digits of the sha256 over X, split, y, column names, `train_on` and context."""
        h = hashlib.sha256()
        for array in (self.X, self.split, self.y):
            if array is not None:
                h.update(np.ascontiguousarray(array).tobytes())
        h.update(repr((self.columns, self.train_on)).encode())
        if self.context is not None:
            h.update(repr(self.context).encode())
        return h.hexdigest()[:16]


def random_split(
    n_rows: int,
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    y: np.ndarray | None = None,
) -> np.ndarray:
    """Divide rows at random into training 0, validation 1 and test 2; stratified by `y` when it is given.

    Parameters
    ----------
    n_rows : number of rows
    fractions : of training, validation and test rows; they sum to 1
    seed : of the division
    y : (n_rows,) labels; each part then holds about the same share of each label

    Returns
    -------
    split : (n_rows,) int8

    >>> np.bincount(random_split(100)).tolist()
    [70, 15, 15]
    """
    if abs(sum(fractions) - 1) > 1e-9 or min(fractions) < 0:
        raise ValueError(f"the three fractions must be at least 0 and sum to 1, not {fractions}")
    rng = np.random.default_rng([seed, 0x5711])
    split = np.empty(n_rows, np.int8)
    groups = [np.arange(n_rows)] if y is None else [np.flatnonzero(y == label) for label in np.unique(y)]
    for group in groups:
        split[rng.permutation(group)] = _parts_in_order(len(group), fractions)
    return split


def chronological_split(time: np.ndarray, fractions: tuple[float, float, float] = (0.5, 0.2, 0.3)) -> np.ndarray:
    """Divide rows by `time` (n_rows,): the earliest become training 0, then validation 1, the latest test 2; int8."""
    split = np.empty(len(time), np.int8)
    split[np.argsort(time, kind="stable")] = _parts_in_order(len(time), fractions)
    return split


def _parts_in_order(n_rows: int, fractions: tuple[float, float, float]) -> np.ndarray:
    ends = np.rint(np.cumsum(fractions) * n_rows).astype(int)
    return np.repeat(np.arange(3, dtype=np.int8), np.diff([0, *ends[:2], n_rows]))
