"""Two-sample tests: whether two tables come from one distribution. Four, each with an effect size and a p-value.

All p-values count permutations of the pooled rows (or ranks), so under equality they are uniform whatever the
distribution. With enough rows any model fails any test: read the effect first, the p-value second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from flowlab.columns import spread_of
from flowlab.ranking import auroc, largest_gaps, sample_steps, sorted_columns

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier


@dataclass(frozen=True)
class TwoSampleTest:
    """The result of one test.

    Attributes
    ----------
    name : of the test
    effect, effect_name : effect size and what it is; 0 (AUROC: 0.5) for equal distributions
    p_value : uniform under equality
    per_axis : (d,) effect on each column, None for tests of whole rows
    """

    name: str
    effect: float
    effect_name: str
    p_value: float
    per_axis: np.ndarray | None = None


def two_sample_tests(
    A: np.ndarray, B: np.ndarray, random_state: int = 0, n_permutations: int = 199
) -> list[TwoSampleTest]:
    """All four tests for rows `A` (n, d) and `B` (m, d); at most 1,000 to 3,000 rows of each are used.

    ValueError unless both have at least 4 rows and equally many columns.

    >>> rng = np.random.default_rng(0)
    >>> [t.p_value < 0.01 for t in two_sample_tests(rng.normal(size=(300, 2)), rng.normal(1, 1, size=(300, 2)))]
    [True, True, True, True]
    """
    return [test(A, B, random_state, n_permutations) for test in (ks_test, energy_test, mmd_test, classifier_test)]


def ks_test(A: np.ndarray, B: np.ndarray, random_state: int = 0, n_permutations: int = 199) -> TwoSampleTest:
    """Largest Kolmogorov-Smirnov distance over the columns; its p-value accounts for their number."""
    rng = np.random.default_rng(random_state)
    A, B = (M[rng.permutation(len(M))[:2000]] for M in _checked(A, B))
    pooled = np.vstack([A, B])
    order, ends = sorted_columns(pooled)
    steps = sample_steps(len(A), len(B))
    gaps = largest_gaps(order, ends, steps)
    p = _p_value(
        gaps.max(), [largest_gaps(order, ends, rng.permutation(steps)).max() for _ in range(n_permutations)], rng
    )
    per_axis = gaps / (len(A) * len(B))
    return TwoSampleTest("Kolmogorov-Smirnov, largest column", float(per_axis.max()), "KS distance", p, per_axis)


def energy_test(A: np.ndarray, B: np.ndarray, random_state: int = 0, n_permutations: int = 199) -> TwoSampleTest:
    """Energy distance 2 E|a - b| - E|a - a'| - E|b - b'| in standard deviations (Székely & Rizzo 2013)."""
    rng = np.random.default_rng(random_state)
    A, B = _standardised(A, B, rng)
    effect, p = _quadratic_test(-cdist(*2 * [np.vstack([A, B])]), len(A), rng, n_permutations)
    return TwoSampleTest("Energy distance", effect, "energy distance (sd)", p)


def mmd_test(A: np.ndarray, B: np.ndarray, random_state: int = 0, n_permutations: int = 199) -> TwoSampleTest:
    """Squared maximum mean discrepancy, Gaussian kernel of median width (Gretton et al. 2012, equation 5)."""
    rng = np.random.default_rng(random_state)
    A, B = _standardised(A, B, rng)
    squared = cdist(*2 * [np.vstack([A, B])], "sqeuclidean")
    width = np.median(squared[np.triu_indices(len(squared), 1)])
    effect, p = _quadratic_test(np.exp(-squared / max(width, 1e-12)), len(A), rng, n_permutations)
    return TwoSampleTest("Maximum mean discrepancy", effect, "squared MMD", p)


def classifier_test(
    A: np.ndarray, B: np.ndarray, random_state: int = 0, n_permutations: int = 199, max_rows: int = 3000
) -> TwoSampleTest:
    """AUROC with which boosted trees tell held-out rows of `A` and `B` apart (Lopez-Paz & Oquab 2017).

    One half trains, the other is tested; the p-value permutes the labels of the tested half.
    """
    rng = np.random.default_rng(random_state)
    A, B = _standardised(A, B, rng, max_rows)
    pooled, is_a = _pool(A, B)
    in_fit = np.zeros(len(pooled), bool)
    in_fit[: len(A) // 2] = in_fit[len(A) : len(A) + len(B) // 2] = True
    trees = _trees(random_state).fit(pooled[in_fit], is_a[in_fit])
    chance = trees.predict_proba(pooled[~in_fit])[:, 1]
    tested = is_a[~in_fit]
    ranks = rankdata(chance)
    permuted = [ranks[rng.permutation(tested)].sum() for _ in range(n_permutations)]
    p = _p_value(ranks[tested].sum(), permuted, rng)
    return TwoSampleTest("Classifier", auroc(chance, tested), "AUROC of telling them apart", p)


def classifier_auroc(A: np.ndarray, B: np.ndarray, random_state: int = 0, folds: int = 3) -> float:
    """AUROC with which boosted trees tell rows of `A` (n, d) from rows of `B` (m, d), each row judged by other rows.

    The tables count alike however many rows they have: draws of a model cost nothing, and with many of them few
    held-out rows are told from them better than by `classifier_test`.
    """
    rng = np.random.default_rng(random_state)
    A, B = _checked(A, B)
    pooled, is_a = _pool(A, B)
    fold = np.r_[rng.permutation(len(A)) % folds, rng.permutation(len(B)) % folds]
    weight = np.where(is_a, len(B) / len(A), 1.0)
    pooled = _binned(pooled)  # scikit-learn does so too, but with weights at a hundred times the cost
    found = []
    for i in range(folds):
        seen = fold != i
        trees = _trees(random_state).fit(pooled[seen], is_a[seen], sample_weight=weight[seen])
        found.append(auroc(trees.predict_proba(pooled[~seen])[:, 1], is_a[~seen]))
    return float(np.mean(found))


def _trees(random_state: int) -> HistGradientBoostingClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=15, min_samples_leaf=10, early_stopping=False, random_state=random_state
    )


def _binned(X: np.ndarray, n_bins: int = 200) -> np.ndarray:
    """The number of the bin of each value (n, d), with about as many rows in each bin of a column."""
    edges = np.quantile(X, np.linspace(0, 1, n_bins + 1)[1:-1], axis=0)
    return np.column_stack([np.searchsorted(edges[:, j], X[:, j], side="right") for j in range(X.shape[1])])


def _quadratic_test(kernel: np.ndarray, n_a: int, rng: np.random.Generator, n_permutations: int) -> tuple[float, float]:
    """a' K a for a = 1/n on one sample and -1/m on the other, and its permutation p-value."""
    n = len(kernel)
    step = np.where(np.arange(n) < n_a, 1 / n_a, -1 / (n - n_a))
    steps = np.stack([step, *(rng.permutation(step) for _ in range(n_permutations))], axis=1)
    values = np.einsum("ij,ij->j", steps, kernel @ steps)
    return float(values[0]), _p_value(values[0], values[1:], rng)


def _p_value(observed: float, permuted: ArrayLike, rng: np.random.Generator) -> float:
    """Share of permutations more extreme, ties (the observation among them) counted by a random share.

    The random share makes the p-value exactly uniform under equality, also for statistics with few values.
    """
    permuted = np.asarray(permuted)
    tolerance = 1e-12 * max(1.0, abs(observed))
    above = np.sum(permuted > observed + tolerance)
    equal = 1 + np.sum(np.abs(permuted - observed) <= tolerance)
    return float((above + rng.uniform() * equal) / (1 + len(permuted)))


def _pool(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.vstack([A, B]), np.arange(len(A) + len(B)) < len(A)


def _checked(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    A, B = np.asarray(A, np.float64), np.asarray(B, np.float64)
    if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[1] or min(len(A), len(B)) < 4:
        raise ValueError(
            f"two tables of at least 4 rows and equally many columns are needed, not {A.shape} and {B.shape}"
        )
    return A, B


def _standardised(
    A: np.ndarray, B: np.ndarray, rng: np.random.Generator, max_rows: int = 1000
) -> tuple[np.ndarray, np.ndarray]:
    """A random `max_rows` of each, in pooled standard deviations."""
    A, B = (M[rng.permutation(len(M))[:max_rows]] for M in _checked(A, B))
    spread = spread_of(np.vstack([A, B]))
    return A / spread, B / spread
