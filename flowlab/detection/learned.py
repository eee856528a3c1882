"""Learning from answers: a ranking that starts as the detector's and moves where people said yes or no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from scipy.special import expit
from scipy.stats import norm, rankdata

from flowlab.detection.threshold import check_scores
from flowlab.formatting import fixed, plural

RESEMBLANCE_VARIANCES = (0.0, 0.5, 2.0, 4.0, 9.0, 16.0)
"""Prior variances, in squared nats, of what resemblance to answered rows may add to a row's log-odds. Scores are
averaged over them, weighed by how probable each makes the answers: little is added where the detector is right."""
SLOPE_VARIANCE = 0.25
CONSTANT_VARIANCE = 25.0
LENGTH_SCALE = 0.5
"""Squared length scale of the kernel, as a share of the number of columns."""
LEAST_OF_EACH = 5
MAX_FOLDS = 10
N_RESAMPLES = 500
BLOCK = 5_000_000
"""Rows times answers whose kernel is held at once."""
MAX_STEPS, MIN_SHARE = 100, 1e-6


@dataclass(frozen=True)
class Gain:
    """Average precision among the answered rows, each ranked without its own answer.

    Attributes
    ----------
    before, after : of the detector's score and of the learned one
    interval : 2.5 and 97.5 % quantile of `after - before` over resamples of the answered rows
    """

    before: float
    after: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Learned:
    """What the answers make of the scores. Made by `learn`.

    Attributes
    ----------
    scores : (n,) log-odds of an anomaly in nats, up to a constant; without answers in the order of the detector's
    variance : (n,) of the log-odds given the answers, in squared nats
    n_yes, n_no : answers that were learned from
    """

    scores: np.ndarray
    variance: np.ndarray
    n_yes: int
    n_no: int
    _estimate: Callable[[], Gain]

    @cached_property
    def gain(self) -> Gain | None:
        """Whether it ranks better, by cross-validation on the answers; None with fewer than five of either kind."""
        return self._estimate() if min(self.n_yes, self.n_no) >= LEAST_OF_EACH else None

    @property
    def sentence(self) -> str:
        """Whether it ranks better, as far as the answers tell."""
        learned = f"Learned from {self.n_yes} yes and {self.n_no} no."
        if self.gain is None:
            return f"{learned} Whether that ranks better can be told from {LEAST_OF_EACH} answers of each kind on."
        before, after = fixed(self.gain.before), fixed(self.gain.after)
        low, high = self.gain.interval
        verdict = "That is no clear difference."
        if low > 0:
            verdict = "That is better by more than chance."
        elif high < 0:
            verdict = "That is worse by more than chance: keep to the detector's own score."
        return (
            f"{learned} Among the {plural(self.n_yes + self.n_no, 'answered row')}, each ranked without its own "
            f"answer, average precision is {after} instead of {before}; 95 % of resamples of these rows differ by "
            f"{fixed(low, 2)} to {fixed(high, 2)}. {verdict}"
        )

    def moved(self, scores: np.ndarray, n_top: int) -> int:
        """How many of the `n_top` highest rows are not among the `n_top` highest of `scores` (n,)."""
        return len(set(ranked(self.scores)[:n_top].tolist()) - set(ranked(scores)[:n_top].tolist()))

    def next_row(self, n_top: int, asked: Mapping[int, object], disagreement: np.ndarray | None = None) -> int | None:
        """The row to ask next: near the border of the `n_top` highest and uncertain; None when all were asked.

        It maximises 1.96 standard deviations less the distance to the border (the straddle heuristic, Bryan et al.
        2005, "Active learning for identifying function threshold boundaries").

        Parameters
        ----------
        n_top : how many rows are flagged
        asked : row number -> anything, rows that are not to be asked again
        disagreement : (n,) variance of the members' scores, in squared nats, added to that of the log-odds
        """
        border = np.sort(self.scores)[-min(max(n_top, 1), len(self.scores))]
        variance = self.variance if disagreement is None else self.variance + disagreement
        worth = 1.96 * np.sqrt(variance) - np.abs(self.scores - border)
        worth[list(asked)] = -np.inf
        row = int(np.argmax(worth))
        return row if np.isfinite(worth[row]) else None


def ranked(scores: np.ndarray) -> np.ndarray:
    """Row numbers, the highest score first; equal ones in their order."""
    return np.argsort(-scores, kind="stable")


def learn(scores: np.ndarray, X: np.ndarray, answers: Mapping[int, bool | None], random_state: int = 0) -> Learned:
    """Scores that heed the answers.

    The log-odds of an anomaly are t, the detector's -log share of rows that score at least as high, plus a Gaussian
    process: a constant, a correction of the slope of t, and how a row resembles the answered ones (a Gaussian kernel of
    the columns' normal scores). Its mode is found by Newton's method and its evidence by Laplace's approximation
    (Rasmussen and Williams 2006, algorithm 3.1). Without answers the order is the detector's. Which rows were asked may
    depend on scores and columns.

    Parameters
    ----------
    scores : (n,) the detector's anomaly scores
    X : (n, n_features) the rows
    answers : row number -> True (an anomaly), False (normal) or None (unsure: not learned from)
    random_state : seed of the folds and resamples behind `gain`

    Raises
    ------
    ValueError
        If `X` has another number of rows than `scores`.
    """
    scores, _ = check_scores(scores)
    if len(X) != len(scores):
        raise ValueError(f"X must have a row for each of the {len(scores)} scores, {len(X)} came")
    decided = {row: answer for row, answer in sorted(answers.items()) if answer is not None}
    rows, y = np.array(list(decided), int), np.array(list(decided.values()), float)
    tail = -np.log(rankdata(-scores, "max") / len(scores))
    n_yes = int(y.sum())
    Z = _normal_scores(X)
    inside = SLOPE_VARIANCE * np.outer(tail[rows], tail[rows]), _resemblance(Z[rows], Z[rows])
    fits = _fits(*inside, tail[rows], y)
    learned, variance = np.empty_like(tail), np.empty_like(tail)
    for block in np.array_split(np.arange(len(tail)), max(1, len(tail) * len(rows) // BLOCK)):
        learned[block], variance[block] = _predict(fits, tail[block], Z[block], tail[rows], Z[rows])
    estimate = partial(_gain, *inside, tail[rows], y, random_state)
    return Learned(learned, variance, n_yes, len(y) - n_yes, estimate)


@dataclass(frozen=True, eq=False)
class _Fit:
    """A Gaussian process under one prior variance of resemblance.

    Attributes
    ----------
    resemblance : the prior variance
    pull : (m,) gradient of the log-likelihood at the mode
    precision : (m, m) inverse of the kernel plus the inverse of the likelihood's curvature
    weight : share of it in the average
    """

    resemblance: float
    pull: np.ndarray
    precision: np.ndarray
    weight: float


def _predict(
    fits: list[_Fit], tail: np.ndarray, Z: np.ndarray, tail_answered: np.ndarray, Z_answered: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean without the constant, and variance, of the log-odds of rows (n,), averaged over the fits."""
    mean, second = np.zeros_like(tail), np.zeros_like(tail)
    slope, resemblance = SLOPE_VARIANCE * np.outer(tail, tail_answered), _resemblance(Z, Z_answered)
    for fit in fits:
        kernel = slope + fit.resemblance * resemblance
        log_odds = tail + kernel @ fit.pull
        kernel += CONSTANT_VARIANCE
        prior = SLOPE_VARIANCE * tail**2 + fit.resemblance + CONSTANT_VARIANCE
        variance = np.maximum(prior - np.sum(kernel @ fit.precision * kernel, axis=1), 0.0)
        mean += fit.weight * log_odds
        second += fit.weight * (variance + log_odds**2)
    return mean, np.maximum(second - mean**2, 0.0)


def _normal_scores(X: np.ndarray) -> np.ndarray:
    """Each column's ranks as quantiles of the standard normal distribution, equal values at their middle."""
    return norm.ppf((rankdata(X, axis=0) - 0.5) / len(X))


def _resemblance(Z: np.ndarray, Z_answered: np.ndarray) -> np.ndarray:
    """Gaussian kernel between normal scores (n, n_features) and (m, n_features): (n, m)."""
    squares = np.sum(Z**2, axis=1)[:, None] + np.sum(Z_answered**2, axis=1) - 2 * Z @ Z_answered.T
    return np.exp(-np.maximum(squares, 0.0) / (2 * LENGTH_SCALE * Z.shape[1]))


def _fits(slope: np.ndarray, resemblance: np.ndarray, mean: np.ndarray, y: np.ndarray) -> list[_Fit]:
    """One for each prior variance that has a share above 1 %; `slope`, `resemblance` (m, m), `mean` and `y` (m,)."""
    found = [_mode(slope + v * resemblance + CONSTANT_VARIANCE, mean, y) for v in RESEMBLANCE_VARIANCES]
    evidence = np.array([evidence for *_, evidence in found])
    weights = np.exp(evidence - evidence.max())
    weights[weights < 0.01 * weights.sum()] = 0.0
    weights /= weights.sum()
    each = zip(RESEMBLANCE_VARIANCES, found, weights, strict=True)
    return [_Fit(v, pull, precision, float(weight)) for v, (pull, precision, _), weight in each if weight]


def _mode(kernel: np.ndarray, mean: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Gradient (m,) at the mode, precision (m, m) and log evidence of answers `y` (m,) with log-odds `mean`."""
    one, pull = np.eye(len(y)), np.zeros_like(mean)
    reached = _log_posterior(kernel, mean, y, pull)
    for _ in range(MAX_STEPS):
        log_odds = mean + kernel @ pull
        root = _root(log_odds)
        b = root**2 * (log_odds - mean) + y - expit(log_odds)
        step = b - root * np.linalg.solve(one + root[:, None] * kernel * root, root * (kernel @ b)) - pull
        share, gained = 1.0, _log_posterior(kernel, mean, y, pull + step) - reached
        while gained < 0 and share > MIN_SHARE:  # a whole step may lead beyond the mode
            share /= 2
            gained = _log_posterior(kernel, mean, y, pull + share * step) - reached
        if gained <= 1e-9:
            break
        pull, reached = pull + share * step, reached + gained
    root = _root(mean + kernel @ pull)
    inner = one + root[:, None] * kernel * root
    precision = root[:, None] * np.linalg.inv(inner) * root
    return pull, precision, float(reached - np.linalg.slogdet(inner)[1] / 2)


def _log_posterior(kernel: np.ndarray, mean: np.ndarray, y: np.ndarray, pull: np.ndarray) -> float:
    added = kernel @ pull
    log_odds = mean + added
    return float(-np.logaddexp(0, np.where(y > 0, -log_odds, log_odds)).sum() - pull @ added / 2)


def _root(log_odds: np.ndarray) -> np.ndarray:
    p = expit(log_odds)
    return np.sqrt(np.maximum(p * (1 - p), 1e-9))


def _gain(slope: np.ndarray, resemblance: np.ndarray, tail: np.ndarray, y: np.ndarray, random_state: int) -> Gain:
    rng = np.random.default_rng(random_state)
    order = rng.permutation(len(y))
    order = order[np.argsort(y[order], kind="stable")]  # each fold holds both kinds in their proportion
    fold = np.empty(len(y), int)
    fold[order] = np.arange(len(y)) % min(MAX_FOLDS, len(y))
    after = tail.copy()
    for i in np.unique(fold):
        out, kept = np.flatnonzero(fold == i), np.flatnonzero(fold != i)
        inside, across = np.ix_(kept, kept), np.ix_(out, kept)
        for fit in _fits(slope[inside], resemblance[inside], tail[kept], y[kept]):
            after[out] += fit.weight * ((slope[across] + fit.resemblance * resemblance[across]) @ fit.pull)
    draws = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), N_RESAMPLES)
    draws = draws[(draws @ y > 0)]
    low, high = np.quantile(_precision(y, after, draws) - _precision(y, tail, draws), [0.025, 0.975])
    once = np.ones((1, len(y)))
    return Gain(float(_precision(y, tail, once)[0]), float(_precision(y, after, once)[0]), (float(low), float(high)))


def _precision(y: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average precision with row i counted counts[:, i] times, (len(counts),); ties enter together."""
    order = ranked(scores)
    last = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])
    hits, seen = (np.cumsum(c[:, order], axis=1)[:, last] for c in (counts * y, counts))
    return np.sum(np.diff(hits, axis=1, prepend=0) * hits / np.maximum(seen, 1), axis=1) / hits[:, -1]
