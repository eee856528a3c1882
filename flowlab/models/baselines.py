"""Classical densities: kernel density estimate, Gaussian and Gaussian mixture. Scores in nats, in the data's units."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from flowlab.models.onestep import OneStepModel, mean_and_scale, standardise

LOG_2PI = float(np.log(2 * np.pi))
CV_BANDWIDTHS = np.geomspace(0.03, 2.0, 25)
"""Bandwidths tried by cross-validation, in standard deviations where the columns are standardised."""


class KDE(OneStepModel):
    """Kernel density estimate with a Gaussian kernel: exact log-densities, by matrix products in chunks.

    Parameters
    ----------
    bandwidth : "scott" (n^(-1/(d+4)), Scott 1992), "silverman" ((n (d+2)/4)^(-1/(d+4)), Silverman 1986), "cv"
        (the best leave-one-out log-likelihood on at most 1,000 rows), or a positive number; in standard
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

    _learned = ("mean_", "scale_", "points_", "bandwidth_")

    def __init__(self, bandwidth="scott", standardize=True, max_rows=20_000, random_state=0):
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
        try:
            h = float(self.bandwidth)
        except (TypeError, ValueError):
            h = np.nan
        if not (np.isfinite(h) and h > 0):
            raise ValueError(
                f"bandwidth must be 'scott', 'silverman', 'cv' or a positive number, not {self.bandwidth!r}"
            )
        return h

    def score_samples(self, X) -> np.ndarray:
        Z = standardise(self._check_rows(X), self.mean_, self.scale_)
        n, d = self.points_.shape
        scores = np.empty(len(Z))
        rows = max(1, 2**19 // n)  # a block of distances that stays in the cache
        for start in range(0, len(Z), rows):
            block = slice(start, start + rows)
            scores[block] = logsumexp_rows(_squared_distances(Z[block], self.points_) * (-0.5 / self.bandwidth_**2))
        return scores - np.log(n) - d * (np.log(self.bandwidth_) + 0.5 * LOG_2PI) - np.log(self.scale_).sum()

    def sample(self, n_samples: int = 1, random_state=None, temperature: float = 1.0) -> np.ndarray:
        """Draws, shape (n_samples, n_features); `temperature` multiplies the kernel's width."""
        check_is_fitted(self)
        rng = check_random_state(random_state)
        centres = self.points_[rng.randint(len(self.points_), size=n_samples)]
        Z = centres + temperature * self.bandwidth_ * rng.normal(size=centres.shape)
        return Z * self.scale_ + self.mean_


def _leave_one_out_bandwidth(points: np.ndarray, rng: np.random.RandomState) -> float:
    n, d = points.shape
    chosen = rng.choice(n, min(n, 1000), replace=False)
    best, best_likelihood = float(CV_BANDWIDTHS[-1]), -np.inf
    squares = _squared_distances(points[chosen], points)
    squares[np.arange(len(chosen)), chosen] = np.inf  # a row must not vouch for itself
    for h in CV_BANDWIDTHS:
        likelihood = float(np.mean(logsumexp_rows(squares * (-0.5 / h**2)))) - d * np.log(h)
        if likelihood > best_likelihood:
            best, best_likelihood = float(h), likelihood
    return best


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
