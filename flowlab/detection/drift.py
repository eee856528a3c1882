"""Drift: how far new rows differ from those of training, column by column and in the score, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

N_BINS = 10
STRONG = 0.25
"""A population stability index from here on is a strong shift (Siddiqi 2006, "Credit risk scorecards")."""
MAX_VALUES = 200_000


@dataclass(frozen=True, eq=False)
class Baseline:
    """Training distribution of each feature, and of the score, in about ten bins of equal share.

    Attributes
    ----------
    edges : (n_features + 1, 9) inner edges, the score last; repeated edges make empty bins
    shares : (n_features + 1, 10) share of rows in each bin
    n_rows : () number of training rows
    """

    edges: np.ndarray
    shares: np.ndarray
    n_rows: int

    def count(self, X: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Rows per bin, (n_features + 1, 10), the score last; counts of chunks add up.

        Parameters
        ----------
        X : (n, n_features)
        scores : (n,) anomaly scores
        """
        counts = np.empty(self.shares.shape, np.int64)
        for j, values in enumerate([*X.T, scores]):
            counts[j] = np.bincount(np.searchsorted(self.edges[j], values, side="right"), minlength=N_BINS)
        return counts

    def shift(self, counts: np.ndarray) -> np.ndarray:
        """Population stability index of each feature and of the score, (n_features + 1,), less what chance adds.

        The index sums (p - q) log(p / q) over the bins; for n new rows without drift it is about (bins - 1) (1 / n
        + 1 / n_training), which is subtracted.
        """
        n = max(int(counts[0].sum()), 1)
        p = (counts + 0.5) / (n + 0.5 * N_BINS)
        q = (self.shares * self.n_rows + 0.5) / (self.n_rows + 0.5 * N_BINS)
        used = (counts > 0) | (self.shares > 0)
        index = np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=1)
        return np.maximum(index - (used.sum(axis=1) - 1) * (1 / n + 1 / self.n_rows), 0.0)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The baseline as arrays by name, for an NPZ file; `from_arrays` reads them."""
        return {"edges": self.edges, "shares": self.shares, "n_rows": np.array(self.n_rows)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Baseline:
        """The baseline that `to_arrays` wrote; KeyError or ValueError for anything else."""
        edges, shares = arrays["edges"], arrays["shares"]
        if edges.ndim != 2 or shares.shape != (len(edges), N_BINS) or edges.shape[1] != N_BINS - 1:
            raise ValueError("the statistics of training do not have the shape they should have")
        return cls(edges, shares, int(arrays["n_rows"]))


def baseline(X: np.ndarray, scores: np.ndarray) -> Baseline:
    """The baseline of training rows X (n, n_features) and of scores (m,) of normal rows outside training."""
    inner = np.linspace(0, 1, N_BINS + 1)[1:-1]
    edges, shares = [], []
    for values in [*X[:MAX_VALUES].T, scores]:
        edge = np.quantile(values, inner)
        edges.append(edge)
        shares.append(np.bincount(np.searchsorted(edge, values, side="right"), minlength=N_BINS) / len(values))
    return Baseline(np.array(edges), np.array(shares), len(X))


def drift_sentences(names: tuple[str, ...], shift: np.ndarray, n_shown: int = 4) -> list[str]:
    """One sentence for each strong shift, the score first, then the strongest columns.

    Parameters
    ----------
    names : of the features
    shift : (n_features + 1,) stability indices of `Baseline.shift`
    n_shown : how many columns are named; one more sentence counts the others
    """
    sentences = []
    if shift[-1] >= STRONG:
        sentences.append(
            f"The scores have shifted strongly since training (stability index {shift[-1]:.2f}): "
            "the threshold's promise no longer holds; train again on newer rows."
        )
    columns = np.argsort(-shift[:-1], kind="stable")
    strong = [j for j in columns if shift[j] >= STRONG]
    sentences += [f"{names[j]} has shifted strongly (stability index {shift[j]:.2f})." for j in strong[:n_shown]]
    if len(strong) > n_shown:
        more = len(strong) - n_shown
        sentences.append(f"So {'has 1 further column' if more == 1 else f'have {more} further columns'}.")
    return sentences
