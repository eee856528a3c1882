"""Classical detectors that rank rows without a density: isolation forest, PCA residual, nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state

from flowlab.constraints import COUNT, SHARE, YES_OR_NO, OneOf
from flowlab.models.base import LatentModel, OutlierDetector
from flowlab.models.classical.one_step import OneStepScorer, mean_and_scale, standardise

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

FLOAT32_LIMIT = 1e30
"""scikit-learn's trees compare in float32."""


class IsolationForestModel(OutlierDetector, OneStepScorer):
    """Isolation forest (Liu, Ting & Zhou 2008, doi:10.1109/ICDM.2008.17): anomalies are cut off by few random splits.

    The score is minus 2^(-mean path length / expected path length), from -1 (most anomalous) to 0. Trees are grown
    by scikit-learn on standardised columns (splits do not depend on the scale, the precision of float32 does), kept as
    plain arrays and evaluated here.

    Parameters
    ----------
    n_trees : number of trees
    max_samples : rows that each tree is grown on, at most
    contamination : share of the training rows that `predict` calls outliers
    random_state : seed of the trees
    """

    valid = {"n_trees": COUNT, "max_samples": COUNT}
    _learned = ("mean_", "scale_", "feature_", "cut_", "child_", "path_length_", "depth_", "normal_length_")
    score_label = "isolation score (-1 to 0)"

    def __init__(
        self,
        n_trees: int = 100,
        max_samples: int = 256,
        contamination: float = 0.01,
        random_state: int = 0,
    ):
        self.n_trees = n_trees
        self.max_samples = max_samples
        self.contamination = contamination
        self.random_state = random_state

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)
        forest = IsolationForest(
            n_estimators=self.n_trees, max_samples=min(self.max_samples, len(X)), random_state=self.random_state
        ).fit(_as_float32(standardise(X, self.mean_, self.scale_)))
        trees = [_breadth_first(estimator.tree_) for estimator in forest.estimators_]
        size = max(len(tree["cut"]) for tree in trees)
        for name in ("feature", "cut", "child", "path_length"):
            padded = [np.pad(tree[name], (0, size - len(tree[name]))) for tree in trees]
            setattr(self, f"{name}_", np.stack(padded))
        self.depth_ = max(int(tree["depth"]) for tree in trees)
        self.normal_length_ = float(_average_path_length(np.array([forest.max_samples_]))[0])

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus 2^(-mean path length / expected path length), (n_samples,), from -1 to 0."""
        Z = _as_float32(standardise(self._check_rows(X), self.mean_, self.scale_))
        scores = np.empty(len(Z))
        for start in range(0, len(Z), 2048):  # a block of rows that stays in the cache
            scores[start : start + 2048] = self._path_lengths(Z[start : start + 2048])
        # trees grown on one row (max_samples=1) have an expected length of 0
        return -(2.0 ** (-scores / (len(self.cut_) * max(self.normal_length_, 1e-9))))

    def _path_lengths(self, Z: np.ndarray) -> np.ndarray:
        """Path length of each row, summed over the trees, shape (n,)."""
        n = len(Z)
        cells, row = np.ascontiguousarray(Z.T).ravel(), np.arange(n)
        lengths = np.zeros(n)
        for feature, cut, child, path_length in zip(
            self.feature_ * n, self.cut_, self.child_, self.path_length_, strict=True
        ):
            node = np.zeros(n, np.intp)
            for _ in range(self.depth_):
                goes_right = cells.take(feature.take(node) + row) > cut.take(node)
                node = child.take(node)
                node += goes_right
            lengths += path_length.take(node)
        return lengths


def _as_float32(Z: np.ndarray) -> np.ndarray:
    return np.clip(Z, -FLOAT32_LIMIT, FLOAT32_LIMIT).astype(np.float32)


def _breadth_first(tree: Tree) -> dict[str, np.ndarray]:
    """scikit-learn's tree, renumbered so that a node's right child follows its left; a leaf is its own child."""
    nodes, children, depth = [0], list[int](), [0]
    for old in nodes:  # grows while it is walked
        if tree.children_left[old] < 0:
            children.append(len(children))
        else:
            children.append(len(nodes))
            nodes += [tree.children_left[old], tree.children_right[old]]
            depth += [depth[len(children) - 1] + 1] * 2
    order, child = np.array(nodes), np.array(children, np.intp)
    leaf = tree.children_left[order] < 0
    rest = _average_path_length(tree.n_node_samples[order])
    return {
        "feature": np.where(leaf, 0, tree.feature[order]).astype(np.intp),
        "cut": np.where(leaf, np.inf, tree.threshold[order]),
        "child": child,
        "path_length": np.where(leaf, np.array(depth) + rest, 0.0),
        "depth": np.array(max(depth)),
    }


def _average_path_length(n: np.ndarray) -> np.ndarray:
    """Mean depth of an unsuccessful search in a binary tree of n rows, c(n) of Liu et al. (equation 1)."""
    n = np.asarray(n, float)
    many = 2 * (np.log(np.maximum(n - 1, 1)) + np.euler_gamma) - 2 * (n - 1) / np.maximum(n, 1)
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, many))


class NearestNeighbours(OutlierDetector, OneStepScorer):
    """Distance to the k nearest training rows (Ramaswamy et al. 2000, doi:10.1145/342009.335437), negated.

    Parameters
    ----------
    n_neighbors : k; many look past a dense group of anomalies to the rows around it
    distance : "mean" of the k distances, or the "largest"
    standardize : whether columns are divided by their standard deviation first
    max_rows : compare with at most so many training rows, chosen at random
    contamination : share of the training rows that `predict` calls outliers
    random_state : chooses those rows
    """

    valid = {
        "n_neighbors": COUNT,
        "distance": OneOf("mean", "largest"),
        "standardize": YES_OR_NO,
        "max_rows": COUNT,
    }
    _learned = ("mean_", "scale_", "points_")
    score_label = "minus distance to the nearest rows (standard deviations)"

    def __init__(
        self,
        n_neighbors: int = 5,
        distance: str = "mean",
        standardize: bool = True,
        max_rows: int = 20_000,
        contamination: float = 0.01,
        random_state: int = 0,
    ):
        self.n_neighbors = n_neighbors
        self.distance = distance
        self.standardize = standardize
        self.max_rows = max_rows
        self.contamination = contamination
        self.random_state = random_state

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X, self.standardize)
        if len(X) > self.max_rows:
            rng = check_random_state(self.random_state)
            X = X[np.sort(rng.choice(len(X), self.max_rows, replace=False))]
        self.points_ = standardise(X, self.mean_, self.scale_)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus the distance to the nearest training rows, (n_samples,), in standard deviations if `standardize`."""
        return -self._distances(standardise(self._check_rows(X), self.mean_, self.scale_), skip=0)

    def training_scores(self, X: np.ndarray) -> np.ndarray:
        """Scores of the rows in `points_`, each compared with the others only, as new rows are."""
        return -self._distances(self.points_, skip=1)

    def _distances(self, Z: np.ndarray, skip: int) -> np.ndarray:
        k = min(self.n_neighbors + skip, len(self.points_))
        # measured for 10,000 against 3,000 rows: from six columns on a tree is slower than all distances at once
        search = NearestNeighbors(n_neighbors=k, algorithm="kd_tree" if Z.shape[1] < 6 else "brute").fit(self.points_)
        distances = search.kneighbors(Z)[0][:, min(skip, k - 1) :]
        return distances[:, -1] if self.distance == "largest" else distances.mean(axis=1)


class PCAResidual(OutlierDetector, OneStepScorer, LatentModel):
    """Residual of principal components: the squared distance of a standardised row to its reconstruction.

    Parameters
    ----------
    variance : share of the variance that the kept components explain, 0 to 1; at least one component is left out
    max_components : how many are kept, at most; None for no limit
    standardize : whether columns are divided by their standard deviation first
    contamination : share of the training rows that `predict` calls outliers
    """

    valid = {"variance": SHARE, "max_components": OneOf(None) | COUNT, "standardize": YES_OR_NO}
    _learned = ("mean_", "scale_", "components_")
    loss_label = "mean squared reconstruction error (standardised)"
    score_label = "minus squared reconstruction error (standardised)"

    def __init__(
        self,
        variance: float = 0.9,
        standardize: bool = True,
        contamination: float = 0.01,
        max_components: int | None = None,
    ):
        self.variance = variance
        self.max_components = max_components
        self.standardize = standardize
        self.contamination = contamination

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X, self.standardize)
        Z = standardise(X, self.mean_, self.scale_)
        values, vectors = np.linalg.eigh(Z.T @ Z / len(Z))
        shares = np.cumsum(values[::-1]) / max(values.sum(), 1e-300)
        n_components = min(
            int(np.searchsorted(shares, self.variance)) + 1, Z.shape[1] - 1, self.max_components or X.size
        )
        # Contiguous, as it is read back from a file: products of a reversed view round otherwise.
        self.components_ = np.ascontiguousarray(vectors[:, ::-1][:, :n_components].T)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Minus the squared reconstruction error, (n_samples,), in squared standard deviations if `standardize`."""
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        residual = Z - (Z @ self.components_.T) @ self.components_
        return -np.einsum("ij,ij->i", residual, residual)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Principal components, shape (n_samples, n_components)."""
        return standardise(self._check_rows(X), self.mean_, self.scale_) @ self.components_.T

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Rows of the principal subspace, in data units, shape (n_samples, n_features)."""
        return np.asarray(Z) @ self.components_ * self.scale_ + self.mean_
