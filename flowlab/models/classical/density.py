"""Classical densities: kernel density estimate, Gaussian and Gaussian mixture. Scores in nats, in the data's units."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture as SklearnMixture
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, NOT_NEGATIVE, POSITIVE, YES_OR_NO, OneOf
from flowlab.models.base import GenerativeModel
from flowlab.models.classical.one_step import OneStepModel, mean_and_scale, standardise

LOG_2PI = float(np.log(2 * np.pi))
CV_BANDWIDTHS = np.geomspace(0.03, 2.0, 25)
"""Bandwidths tried by cross-validation, in standard deviations where the columns are standardised."""
CV_ROWS = 5000
"""Rows that cross-validation works on, at most."""


class KDE(OneStepModel, GenerativeModel):
    """Kernel density estimate with a Gaussian kernel: exact log-densities, by matrix products in chunks.

    Parameters
    ----------
    bandwidth : "scott" (n^(-1/(d+4)), Scott 1992), "silverman" ((n (d+2)/4)^(-1/(d+4)), Silverman 1986), "cv"
        (the best leave-one-out log-likelihood of 1,000 of at most 5,000 rows), or a positive number; in standard
        deviations of each column if `standardize`, else in the data's units
    standardize : whether columns are divided by their standard deviation first; constant columns never are
    max_rows : fit on at most so many rows, chosen at random
    random_state : chooses those rows and the rows of "cv"

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> KDE().fit(X).score_samples([[0.0, 0.0]]).round(1)
    array([-1.9])
    """

    valid = {
        "bandwidth": OneOf("scott", "silverman", "cv") | POSITIVE,
        "standardize": YES_OR_NO,
        "max_rows": COUNT,
    }
    _learned = ("mean_", "scale_", "points_", "bandwidth_")

    def __init__(
        self, bandwidth: str | float = "scott", standardize: bool = True, max_rows: int = 20_000, random_state: int = 0
    ):
        self.bandwidth = bandwidth
        self.standardize = standardize
        self.max_rows = max_rows
        self.random_state = random_state

    def _fit(self, X: np.ndarray) -> None:
        rng = check_random_state(self.random_state)
        self.mean_, self.scale_ = mean_and_scale(X, self.standardize)
        if len(X) > self.max_rows:
            X = X[np.sort(rng.choice(len(X), self.max_rows, replace=False))]
        self.points_ = standardise(X, self.mean_, self.scale_)
        self.bandwidth_ = self._choose_bandwidth(rng)

    def _choose_bandwidth(self, rng: np.random.RandomState) -> float:
        n, d = self.points_.shape
        if self.bandwidth == "scott":
            return float(n ** (-1 / (d + 4)))
        if self.bandwidth == "silverman":
            return float((n * (d + 2) / 4) ** (-1 / (d + 4)))
        if self.bandwidth == "cv":
            return _leave_one_out_bandwidth(self.points_, rng)
        return float(self.bandwidth)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, (n_samples,): exact, over all kept training rows."""
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        n, d = self.points_.shape
        scores = np.empty(len(Z))
        rows = max(1, 2**19 // n)  # a block of distances that stays in the cache
        for start in range(0, len(Z), rows):
            block = slice(start, start + rows)
            scores[block] = logsumexp_rows(_squared_distances(Z[block], self.points_) * (-0.5 / self.bandwidth_**2))
        return scores - np.log(n) - d * (np.log(self.bandwidth_) + 0.5 * LOG_2PI) - np.log(self.scale_).sum()

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, shape (n_samples, n_features); `temperature` multiplies the kernel's width."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        centres = self.points_[rng.randint(len(self.points_), size=n_samples)]
        Z = centres + temperature * self.bandwidth_ * rng.normal(size=centres.shape)
        return Z * self.scale_ + self.mean_


class Gaussian(OneStepModel, GenerativeModel):
    """One multivariate normal: sample mean and sample covariance (maximum likelihood).

    Directions in which the rows hardly vary would make the density infinite: eigenvalues of the correlation matrix
    below `min_eigenvalue` are lifted to it.
    """

    valid = {"min_eigenvalue": POSITIVE}
    _learned = ("mean_", "scale_", "values_", "vectors_")

    def __init__(self, min_eigenvalue: float = 1e-6):
        self.min_eigenvalue = min_eigenvalue

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)
        Z = standardise(X, self.mean_, self.scale_)
        values, self.vectors_ = np.linalg.eigh(Z.T @ Z / len(Z))
        self.values_ = np.maximum(values, self.min_eigenvalue)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, (n_samples,)."""
        whitened = standardise(self._check_rows(X), self.mean_, self.scale_) @ self.vectors_ / np.sqrt(self.values_)
        log_volume = 0.5 * np.log(self.values_).sum() + np.log(self.scale_).sum()
        return -0.5 * np.einsum("ij,ij->i", whitened, whitened) - 0.5 * len(self.values_) * LOG_2PI - log_volume

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, shape (n_samples, n_features); `temperature` multiplies their distance from the mean."""
        check_is_fitted(self)
        noise = check_random_state(random_state).normal(size=(n_samples, len(self.values_)))
        return temperature * (noise * np.sqrt(self.values_)) @ self.vectors_.T * self.scale_ + self.mean_


class GaussianMixture(OneStepModel, GenerativeModel):
    """Mixture of Gaussians with full covariances by expectation maximisation (scikit-learn's).

    Parameters
    ----------
    n_components : a number, or "bic": the number up to `max_components` with the lowest Bayesian information
        criterion (Schwarz 1978), compared on at most 5,000 rows
    max_components : where the search ends, at the latest
    min_variance : added to the variances of the standardised columns, so that no component shrinks to a point
    random_state : seed of the starts
    """

    valid = {
        "n_components": OneOf("bic") | COUNT,
        "max_components": COUNT,
        "min_variance": NOT_NEGATIVE,
    }
    _learned = ("mean_", "scale_", "weights_", "means_", "whiteners_", "n_components_")

    def __init__(
        self,
        n_components: int | str = "bic",
        max_components: int = 10,
        min_variance: float = 1e-4,
        random_state: int = 0,
    ):
        self.n_components = n_components
        self.max_components = max_components
        self.min_variance = min_variance
        self.random_state = random_state

    def _fit(self, X: np.ndarray) -> None:
        self.mean_, self.scale_ = mean_and_scale(X)
        Z = standardise(X, self.mean_, self.scale_)
        is_searched = self.n_components == "bic"
        mixture = self._search(Z) if is_searched else self._mixture(min(int(self.n_components), len(Z)), Z)
        self.n_components_ = mixture.n_components
        self.weights_, self.means_ = mixture.weights_, mixture.means_
        self.whiteners_ = mixture.precisions_cholesky_

    def _search(self, Z: np.ndarray) -> SklearnMixture:
        rng = check_random_state(self.random_state)
        subset = Z[rng.permutation(len(Z))[:5000]]
        best, best_bic, misses = None, np.inf, 0
        for n_components in range(1, min(self.max_components, max(1, len(subset) // 2)) + 1):
            mixture = self._mixture(n_components, subset)
            bic = mixture.bic(subset)
            if bic < best_bic:
                best, best_bic, misses = mixture, bic, 0
            else:
                misses += 1
                if misses == 2:  # two numbers in a row did not lower the criterion
                    break
        return best if len(subset) == len(Z) else self._mixture(best.n_components, Z)

    def _mixture(self, n_components: int, Z: np.ndarray) -> SklearnMixture:
        mixture = SklearnMixture(n_components, reg_covar=self.min_variance, random_state=self.random_state)
        with warnings.catch_warnings():
            # fewer distinct rows than components, or a slow end of EM: the mixture is valid all the same
            warnings.simplefilter("ignore", ConvergenceWarning)
            return mixture.fit(Z)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats in the units of X, (n_samples,)."""
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        d = Z.shape[1]
        parts = np.empty((len(Z), len(self.weights_)))
        for k, (mean, whitener) in enumerate(zip(self.means_, self.whiteners_, strict=True)):
            whitened = Z @ whitener - mean @ whitener
            parts[:, k] = -0.5 * np.einsum("ij,ij->i", whitened, whitened) + np.log(np.diag(whitener)).sum()
        with np.errstate(divide="ignore"):
            parts += np.log(self.weights_)
        return logsumexp_rows(parts) - 0.5 * d * LOG_2PI - np.log(self.scale_).sum()

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """Draws, shape (n_samples, n_features); `temperature` multiplies their distance from their component's mean."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        component = rng.choice(len(self.weights_), size=n_samples, p=self.weights_ / self.weights_.sum())
        noise = temperature * rng.normal(size=(n_samples, self.means_.shape[1]))
        Z = self.means_[component]
        for k, whitener in enumerate(self.whiteners_):
            rows = component == k
            Z[rows] += np.linalg.solve(whitener.T, noise[rows].T).T
        return Z * self.scale_ + self.mean_


def _leave_one_out_bandwidth(points: np.ndarray, rng: np.random.RandomState) -> float:
    n_all, d = points.shape
    points = points[rng.permutation(n_all)[:CV_ROWS]]
    left_out = np.arange(min(len(points), 1000))
    best, best_likelihood = float(CV_BANDWIDTHS[-1]), -np.inf
    squares = _squared_distances(points[left_out], points)
    squares[np.arange(len(left_out)), left_out] = np.inf  # leave-one-out: a row is no neighbour of itself
    for h in CV_BANDWIDTHS:
        likelihood = float(np.mean(logsumexp_rows(squares * (-0.5 / h**2)))) - d * np.log(h)
        if likelihood > best_likelihood:
            best, best_likelihood = float(h), likelihood
    # the best bandwidth shrinks with the number of rows like Scott's
    return best * (n_all / len(points)) ** (-1 / (d + 4))


def _squared_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    squares = A @ B.T
    squares *= -2
    squares += np.einsum("ij,ij->i", A, A)[:, None]
    squares += np.einsum("ij,ij->i", B, B)
    return np.maximum(squares, 0, out=squares)


def logsumexp_rows(exponents: np.ndarray) -> np.ndarray:
    """log of the sum of exponentials of each row, shape (n,); overwrites its argument. Faster than SciPy's."""
    top = exponents.max(axis=1)
    exponents -= top[:, None]
    return top + np.log(np.exp(exponents, out=exponents).sum(axis=1))
