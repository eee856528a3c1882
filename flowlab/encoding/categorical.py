"""How a column of categories becomes numbers a flow can learn, and how numbers become categories again."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from flowlab.encoding.spread import Extent
from flowlab.formatting import count
from flowlab.tables.limits import TableError

MAX_CONTEXT_LEVELS = 100
NEW = "(new value)"
"""How a level reads that was not there at the fit."""


@dataclass
class CategoryColumn:
    """A column of texts, truth values or codes.

    Two levels give one 0/1 feature, a few give one-hot features, many give one feature "rarity": minus the binary
    logarithm of the level's share, each level on a cell of its own. A missing value is the level None; a level that
    was not there at the fit lies outside all cells. A context column keeps the numbers of its levels: a flow reads them
    but does not model their distribution, so no noise is added.
    """

    kind: ClassVar[Literal["category"]] = "category"
    name: str
    dtype: str
    levels: tuple[str | int | float | bool | None, ...]
    edges: tuple[float, ...] = ()
    is_context: bool = False

    @classmethod
    def learn(cls, column: pd.Series, max_one_hot: int) -> CategoryColumn:
        """The plan of a column: its levels by falling frequency, rarity cells where more than `max_one_hot` levels."""
        codes, uniques = pd.factorize(as_levels(column))
        counts = np.bincount(codes[codes >= 0], minlength=len(uniques))
        order = np.lexsort((np.arange(len(uniques)), -counts))
        levels = [_plain(uniques[i]) for i in order]
        counts = counts[order]
        n_missing = int((codes < 0).sum())
        if n_missing:
            levels.append(None)
            counts = np.append(counts, n_missing)
        plan = cls(str(column.name), str(column.dtype), tuple(levels))
        if len(levels) > max_one_hot:
            order = np.argsort(-counts, kind="stable")
            plan.levels = tuple(levels[i] for i in order)
            plan.edges = tuple(_rarity_edges(counts[order]).tolist())
        return plan

    @property
    def is_rarity(self) -> bool:
        """Whether the column is one feature, the rarity of its levels."""
        return bool(self.edges)

    @classmethod
    def learn_context(cls, column: pd.Series) -> CategoryColumn:
        """The plan of a context; TableError where it has more levels than a flow can be conditioned on."""
        plan = cls.learn(column, MAX_CONTEXT_LEVELS)
        if plan.is_rarity:
            raise TableError(
                f"The context {plan.name!r} has {count(len(plan.levels))} different values, more than "
                f"{MAX_CONTEXT_LEVELS}; "
                "give it the role category or feature."
            )
        return replace(plan, is_context=True)

    def level_names(self) -> tuple[str, ...]:
        """Each level as text; a missing value is "missing"."""
        return tuple(_level_text(level) for level in self.levels)

    def names(self) -> list[str]:
        """Names of the features."""
        if self.is_context:
            return [self.name]
        if self.is_rarity:
            return [f"{self.name} (rarity)"]
        if len(self.levels) <= 2:
            return [f"{self.name} = {_level_text(self.levels[-1])}"]
        return [f"{self.name} = {_level_text(level)}" for level in self.levels]

    def codes(self, column: pd.Series) -> np.ndarray:
        """Position of each row's level in `levels`; len(levels) for what was not there at the fit."""
        codes, uniques = pd.factorize(as_levels(column))
        where = {level: i for i, level in enumerate(self.levels)}
        table = np.array([where.get(_plain(value), len(self.levels)) for value in uniques] + [0], dtype=np.int64)
        table[-1] = where.get(None, len(self.levels))
        return table[codes]

    def encode(self, column: pd.Series) -> np.ndarray:
        """Shape (n_rows, n_features): the number of the level for a context, its rarity, or 0 and 1."""
        codes = self.codes(column)
        if self.is_context:
            return codes[:, None].astype(float)
        if self.is_rarity:
            edges = np.append(self.edges, self.edges[-1] + 1.0)
            return ((edges[codes] + edges[codes + 1]) / 2)[:, None]
        n_features = len(self.names())
        return (codes[:, None] if n_features == 1 else codes[:, None] == np.arange(n_features)).astype(float)

    def extents(self, column: pd.Series) -> list[Extent]:
        """How far the cells of the features reach, one extent per feature."""
        if self.is_context:
            return [(0.0, 0.0)]
        if self.is_rarity:
            codes = self.codes(column)
            half = np.append(np.diff(self.edges), 1.0)[codes] / 2
            return [(-half, half)]
        return [(-0.5, 0.5)] * len(self.names())

    def decode(self, block: np.ndarray, drawn: bool = True) -> pd.Series:
        """The column, in its type, of features `block` (n_rows, n_features): the nearest level of each row.

        What a model has drawn is always a level of the fit; what was encoded may be none of them, and reads so.
        """
        if self.is_rarity:
            codes = np.searchsorted(self.edges, block[:, 0], side="right") - 1
        elif block.shape[1] == 1:
            codes = np.rint(np.nan_to_num(block[:, 0])).astype(int)
        else:
            is_level = drawn | (block.max(axis=1) > 0.5)
            codes = np.where(is_level, block.argmax(axis=1), len(self.levels))
        is_new = codes >= len(self.levels)
        codes = np.clip(codes, 0, len(self.levels) - 1)
        values = np.array(self.levels, dtype=object)[codes]
        if not drawn:
            values[is_new] = NEW if self.dtype in ("str", "object", "string") else None
        column = pd.Series(values, dtype=object)
        if self.dtype == "bool" and None not in values:
            return column == "True"
        if self.dtype.lower().startswith(("int", "uint", "float")):
            column = column.astype(float)
            return column if column.isna().any() or "float" in self.dtype.lower() else column.astype(self.dtype.lower())
        return column.astype("str")


def as_levels(column: pd.Series) -> pd.Series:
    """The column as JSON-able levels: numbers stay, infinities are missing, all else is text, truth values too."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.replace([np.inf, -np.inf], np.nan) if pd.api.types.is_float_dtype(column.dtype) else column
    return column.astype("str")


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    return value.item() if isinstance(value, np.generic) else value


def _level_text(level: object) -> str:
    return "missing" if level is None else str(level)[:60]


def _rarity_edges(counts: np.ndarray) -> np.ndarray:
    """Cell borders, ascending from the commonest level: about minus log2 of the share, equal counts side by side."""
    total = counts.sum()
    edges = [-np.log2((counts[0] + 0.5) / total)]
    for n_rows in np.unique(counts)[::-1]:
        n_levels = int((counts == n_rows).sum())
        end = -np.log2((n_rows - 0.5) / total)
        # cells of common levels would be so narrow that the density peaks there: a quarter of a bit at least
        width = max(end - edges[-1], 0.25 if n_rows > 0.01 * total else 1e-3 * n_levels)
        edges += list(edges[-1] + width * np.arange(1, n_levels + 1) / n_levels)
    return np.array(edges)
