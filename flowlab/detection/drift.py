"""Drift: how far new rows differ from those of training, column by column and in the score, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from flowlab.formatting import count, plain, short_percent

N_BINS = 10
STRONG = 0.25
"""A population stability index from here on is a strong shift (Siddiqi 2006, "Credit risk scorecards")."""
ERROR = 0.05
"""Share of files without drift of which anything is said, all columns, the score and the flagged rows together."""
POWER = 0.9
"""Share of files with a shift in which it is said, for the shift that "would have been seen"."""
MAX_VALUES = 200_000
MOST_DRAWS = 200_000
"""Simulated columns without drift, at most."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """Distribution of each feature in training, and of the score in validation, in about ten bins of equal share.

    Attributes
    ----------
    edges : (n_features + 1, 9) inner edges, the score last; repeated edges make empty bins
    shares : (n_features + 1, 10) share of rows in each bin
    n_rows : () number of training rows
    n_scores : () number of rows whose scores these are
    """

    edges: np.ndarray
    shares: np.ndarray
    n_rows: int
    n_scores: int

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
        """Population stability index of each feature and of the score, (n_features + 1,), less what chance adds."""
        return _index(counts, self.shares, self._n_known)

    def p_values(self, counts: np.ndarray) -> np.ndarray:
        """How often chance alone shifts a feature, or the score, as far, (n_features + 1,): by its index, simulated."""
        n, shift = max(int(counts[0].sum()), 1), self.shift(counts)
        used = ((counts > 0) | (self.shares > 0)).sum(axis=1)
        return np.array(
            [
                _p_value(found, _by_chance(n, int(m), int(k), len(shift) - 1)) if found >= STRONG else 1.0
                for m, k, found in zip(self._n_known, used, shift, strict=True)
            ]
        )

    @property
    def _n_known(self) -> np.ndarray:
        return np.r_[np.full(len(self.shares) - 1, self.n_rows), self.n_scores]

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The baseline as arrays by name, for an NPZ file; `from_arrays` reads them."""
        return {
            "edges": self.edges,
            "shares": self.shares,
            "n_rows": np.array(self.n_rows),
            "n_scores": np.array(self.n_scores),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Baseline:
        """The baseline that `to_arrays` wrote; KeyError or ValueError for anything else.

        Earlier files do not tell how many scores there were; then it is the number of their calibration scores.
        """
        edges, shares = arrays["edges"], arrays["shares"]
        if edges.ndim != 2 or shares.shape != (len(edges), N_BINS) or edges.shape[1] != N_BINS - 1:
            raise ValueError("the statistics of training do not have the shape they should have")
        n_scores = arrays["n_scores"] if "n_scores" in arrays else len(arrays["calibration"])
        return cls(edges, shares, int(arrays["n_rows"]), int(n_scores))


@dataclass(frozen=True)
class FlaggedRows:
    """How many rows are flagged: at the choice of the threshold, and of a new file."""

    n_chosen_on: int
    flagged_there: int
    n_new: int
    flagged_new: int

    def p_value(self) -> float:
        """How often as many or as few are flagged of new rows from the same source (two sides, beta-binomial)."""
        k, m = self.flagged_there, self.n_chosen_on
        few = stats.betabinom.cdf(self.flagged_new, self.n_new, k + 1, max(m - k, 1))
        many = stats.betabinom.sf(self.flagged_new - 1, self.n_new, max(k, 0.5), m - k + 1)
        return float(min(1.0, 2 * min(few, many)))


def baseline(X: np.ndarray, scores: np.ndarray) -> Baseline:
    """The baseline of training rows X (n, n_features) and of scores (m,) of rows outside training."""
    binned = [_binned(values) for values in [*X[:MAX_VALUES].T, scores]]
    edges, shares = (np.array(each) for each in zip(*binned))
    return Baseline(edges, shares, min(len(X), MAX_VALUES), len(scores))


def _binned(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inner edges (9,) of ten bins of equal share, and the share of the values in each, (10,)."""
    edges = np.quantile(values, np.linspace(0, 1, N_BINS + 1)[1:-1])
    return edges, np.bincount(np.searchsorted(edges, values, side="right"), minlength=N_BINS) / len(values)


def rescored(known: Baseline, scores: np.ndarray) -> Baseline:
    """The baseline with the distribution of other scores (m,); the features stay those of training."""
    edge, share = _binned(scores)
    edges, shares = np.vstack([known.edges[:-1], edge]), np.vstack([known.shares[:-1], share])
    return Baseline(edges, shares, known.n_rows, len(scores))


def drift_sentences(
    names: tuple[str, ...], known: Baseline, counts: np.ndarray, flagged: FlaggedRows | None = None, n_shown: int = 4
) -> list[str]:
    """One sentence for each strong shift that is more than chance: flagged rows, the score, then columns.

    Of files without drift at most 5 % get any sentence (Bonferroni over all that is looked at).

    Parameters
    ----------
    names : of the features
    known : the baseline
    counts : (n_features + 1, 10) new rows per bin, of `Baseline.count`
    flagged : how many rows are flagged, None where that is not known
    n_shown : how many columns are named; one more sentence counts the others
    """
    level = _level(len(names))
    shift, p_values = known.shift(counts), known.p_values(counts)
    is_strong = p_values <= level
    sentences = [] if flagged is None or flagged.p_value() > level else [_flagged_sentence(flagged)]
    if is_strong[-1]:
        sentences.append(
            f"The scores have shifted strongly since training (stability index {shift[-1]:.2f}); train again on newer "
            "rows."
        )
    columns = np.argsort(-shift[:-1], kind="stable")
    strong = [j for j in columns if is_strong[j]]
    sentences += [f"{names[j]} has shifted strongly (stability index {shift[j]:.2f})." for j in strong[:n_shown]]
    if len(strong) > n_shown:
        more = len(strong) - n_shown
        sentences.append(f"So {'has 1 further column' if more == 1 else f'have {more} further columns'}.")
    return sentences


def visible_shift(known: Baseline, n_rows: int) -> str:
    """What shift of a column would have been seen in a file of `n_rows` rows, as a sentence.

    Of a normal column whose mean moves by so many standard deviations, in 9 of 10 simulated files.
    """
    if n_rows < 1:
        return ""
    size = _visible(n_rows, known.n_rows, len(known.shares) - 1)
    if size is None:
        return f"With {count(n_rows)} rows hardly any shift of a single column would have been seen."
    return (
        f"No strong shift was found; a column whose mean had moved by {plain(size)} standard deviations would have "
        f"been named in 9 of 10 files of {count(n_rows)} rows."
    )


def _flagged_sentence(flagged: FlaggedRows) -> str:
    before = short_percent(flagged.flagged_there / flagged.n_chosen_on)
    now = short_percent(flagged.flagged_new / flagged.n_new)
    known = f"{now} of these rows are flagged; of the rows the threshold was chosen on it were {before}"
    if flagged.flagged_new / flagged.n_new > flagged.flagged_there / flagged.n_chosen_on:
        return (
            f"{known}. Anomalies are more frequent, or normal rows have changed: then a promise on their false alarms "
            "is broken. Look at some, and train again on newer rows."
        )
    return f"{known}. A promise of few false alarms is kept, but the rows are others; train again on newer rows."


def _level(n_features: int) -> float:
    """The level of each of the tests: of the features, the score and the flagged rows."""
    return max(ERROR / (n_features + 2), 2 / MOST_DRAWS)


def _index(counts: np.ndarray, shares: np.ndarray, n_known: np.ndarray) -> np.ndarray:
    """Population stability index of counts (k, 10) against shares (k, 10) of `n_known` (k,) rows, (k,).

    It sums (p - q) log(p / q) over the bins; for n new rows without drift it is about (bins - 1) (1 / n + 1 /
    n_known), which is subtracted.
    """
    n = np.maximum(counts.sum(axis=1), 1)[:, None]
    m = np.asarray(n_known)[:, None]
    p = (counts + 0.5) / (n + 0.5 * N_BINS)
    q = (shares * m + 0.5) / (m + 0.5 * N_BINS)
    used = (counts > 0) | (shares > 0)
    index = np.where(used, (p - q) * np.log(p / q), 0.0).sum(axis=1)
    return np.maximum(index - (used.sum(axis=1) - 1) * (1 / n + 1 / m)[:, 0], 0.0)


@lru_cache(maxsize=64)
def _by_chance(n: int, n_known: int, n_bins: int, n_features: int) -> np.ndarray:
    """Indices of `n` new rows without drift, for bins of equal share that `n_known` rows made; enough for `_level`."""
    n_draws = int(np.clip(10 / _level(n_features), 2000, MOST_DRAWS))
    return _simulated(n, n_known, n_bins, np.zeros(n_draws))


def _p_value(found: float, by_chance: np.ndarray) -> float:
    return float((1 + np.sum(by_chance >= found)) / (1 + len(by_chance)))


def _simulated(n: int, n_known: int, n_bins: int, moved: np.ndarray) -> np.ndarray:
    """Indices of new rows whose mean moved by so many standard deviations (k,), for a normal column; (k,)."""
    rng = np.random.default_rng(0)
    # the shares that the known rows' own deciles cut off are Dirichlet
    per_bin = (n_known + 1) / n_bins
    edges = np.cumsum(rng.dirichlet(np.full(n_bins, per_bin), len(moved)), axis=1)[:, :-1]
    below = stats.norm.cdf(stats.norm.ppf(np.clip(edges, 1e-12, 1 - 1e-12)) - moved[:, None])
    shares = np.clip(np.diff(below, axis=1, prepend=0.0, append=1.0), 0.0, 1.0)
    counts = np.zeros((len(moved), N_BINS))
    counts[:, :n_bins] = rng.multinomial(n, shares / shares.sum(axis=1, keepdims=True))
    known = np.zeros((len(moved), N_BINS))
    known[:, :n_bins] = 1 / n_bins
    return _index(counts, known, np.full(len(moved), n_known))


@lru_cache(maxsize=64)
def _visible(n: int, n_known: int, n_features: int) -> float | None:
    level, sizes = _level(n_features), np.r_[np.arange(0.3, 3.05, 0.1), 4.0, 5.0]
    least = max(STRONG, float(np.quantile(_by_chance(n, n_known, N_BINS, n_features), 1 - level, method="higher")))
    found = _simulated(n, n_known, N_BINS, np.repeat(sizes, 300)).reshape(len(sizes), 300) >= least
    seen = np.flatnonzero(found.mean(axis=1) >= POWER)
    return float(round(sizes[seen[0]], 1)) if len(seen) else None
