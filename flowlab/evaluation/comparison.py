"""Models on the same rows: leaderboard, verdict, agreement of scores, and the rows on which they disagree.

Everywhere an anomaly score is higher for more anomalous rows. Scores of different models have different units, so
models are compared through ranks; only log-densities in the same data units are compared as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from flowlab.datasets.dataset import Dataset, Part
from flowlab.ranking import alarm_counts, area_under_roc, area_under_steps

QUADRANTS = ("neither alarmed", "only reconstruction", "only likelihood", "both alarmed")
EQUAL_MARGIN = 0.005
"""AUROC differences up to this count as none: they are as large between fits with different seeds."""
SOLVED = 0.95
"""AUROC from which a trivial detector solves the task."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One model's anomaly scores on the compared rows, and what it cost to get them.

    Attributes
    ----------
    name : of the model
    anomaly_score : (n,) higher is more anomalous
    y : (n,) 1 for anomalies, None without labels
    data : identifies rows and split (`Dataset.digest()`)
    log_likelihood : mean log-density of held-out normal rows in nats, nan for a model that is no density
    fit_seconds, score_seconds : time spent, nan where it is unknown
    n_parameters : of the fitted model
    trivial : whether it is a one-line baseline
    """

    name: str
    anomaly_score: np.ndarray
    y: np.ndarray | None = None
    data: str = ""
    log_likelihood: float = float("nan")
    fit_seconds: float = float("nan")
    score_seconds: float = float("nan")
    n_parameters: int = 0
    trivial: bool = False


@dataclass(frozen=True)
class Measured:
    """A mean over seeds and its standard deviation: over seeds, or, with one seed, over bootstrap samples of the rows.

    Both are nan where the measure has no meaning, the second also where it is not known.
    """

    mean: float
    spread: float = float("nan")


@dataclass(frozen=True)
class Standing:
    """A line of the leaderboard; `over_seeds` says whether spreads are those over seeds. Units are as in `Scored`."""

    name: str
    auroc: Measured
    average_precision: Measured
    precision_at_k: Measured
    log_likelihood: Measured
    fit_seconds: Measured
    score_seconds: Measured
    n_parameters: int
    trivial: bool
    n_seeds: int
    over_seeds: bool


def held_out(dataset: Dataset) -> np.ndarray:
    """The rows models are compared on: the test part, or what stands in for it."""
    for part in (Part.TEST, Part.VALIDATION, Part.ALL):
        rows = dataset.rows(part)
        if len(rows):
            return rows
    return dataset.rows(Part.ALL)


def held_out_labels(dataset: Dataset) -> np.ndarray | None:
    """Labels of the rows models are compared on, 1 for anomalies; None without labels."""
    return None if dataset.y is None else dataset.y[held_out(dataset)]


def has_labels(dataset: Dataset) -> bool:
    """Whether both kinds of rows are among those compared."""
    y = held_out_labels(dataset)
    return y is not None and 0 < int((y == 1).sum()) < len(y)


def normal_mean(values: np.ndarray, y: np.ndarray | None) -> float:
    """Mean over the rows that are no anomalies, nan where there are none; without labels over all rows."""
    normal = values if y is None else values[y == 0]
    return float(normal.mean()) if len(normal) else float("nan")


def score_held_out(
    name: str,
    dataset: Dataset,
    anomaly_score: np.ndarray,
    is_density: bool,
    *,
    data: str,
    fit_seconds: float,
    score_seconds: float,
    n_parameters: int,
) -> Scored:
    """A model on the compared rows, from its anomaly scores of all rows, (n_rows,), and what it cost.

    `is_density` says whether the scores are negative log-densities in nats; `data` is `dataset.digest()`.
    """
    values, y = anomaly_score[held_out(dataset)], held_out_labels(dataset)
    likelihood = -normal_mean(values, y) if is_density else float("nan")
    return Scored(name, values, y, data, likelihood, fit_seconds, score_seconds, n_parameters)


def check_comparable(models: Sequence[Scored]) -> None:
    """ValueError, a sentence and a next step, unless all models scored the same rows of the same split."""
    first = models[0]
    for other in models[1:]:
        if other.data != first.data or len(other.anomaly_score) != len(first.anomaly_score):
            raise ValueError(
                f"{first.name} and {other.name} cannot be compared: they were trained on different data or on another "
                "split of it. Train both on the same data with the same seed."
            )


def leaderboard(groups: Mapping[str, Sequence[Scored]], k: int | None = None) -> list[Standing]:
    """One Standing per group, best first: by AUROC where there are labels, else by log-likelihood.

    Parameters
    ----------
    groups : name to the runs of one model that differ in their seed only
    k : number of highest scores for the precision at k; by default the number of anomalies
    """
    board = [_standing(name, runs, k) for name, runs in groups.items()]

    def order(standing: Standing) -> tuple[float, float]:
        return (-np.nan_to_num(standing.auroc.mean, nan=-1.0), -np.nan_to_num(standing.log_likelihood.mean, nan=-1e300))

    return sorted(board, key=order)


@dataclass(frozen=True, eq=False)
class DetectionMeasures:
    """How well scores detect labelled anomalies; nan unless both labels occur.

    Attributes
    ----------
    auroc, average_precision, precision_at_k : a number each, or (m,) for m ways of weighting the rows
    """

    auroc: np.ndarray
    average_precision: np.ndarray
    precision_at_k: np.ndarray


def detection_measures(
    scores: np.ndarray, y: np.ndarray, k: int | None = None, weights: np.ndarray | None = None
) -> DetectionMeasures:
    """AUROC, average precision and precision at k, ties counted by their average; nan unless both labels occur.

    Parameters
    ----------
    scores : (n,) higher is more anomalous; y : (n,) 1 for anomalies
    k : number of highest scores for the precision at k; by default the number of anomalies
    weights : (m, n) how often each row counts; the measures are then (m,), else ()

    >>> found = detection_measures([3, 2, 1, 1], [1, 0, 1, 0], k=3)
    >>> print(found.auroc, found.average_precision, found.precision_at_k)
    0.625 0.75 0.5
    """
    is_anomaly = np.asarray(y) == 1
    anomalies, normal = alarm_counts(scores, is_anomaly, weights)
    caught, flagged = anomalies.cumsum(1), (anomalies + normal).cumsum(1)
    k = k or max(1, int(is_anomaly.sum()))
    looked_at = np.array([np.interp(k, np.r_[0, f], np.r_[0, c]) for c, f in zip(caught, flagged)])
    auroc = area_under_roc(anomalies, normal)
    measures = (auroc, area_under_steps(anomalies, normal), looked_at / np.minimum(k, flagged[:, -1]))
    measures = [np.where(np.isfinite(auroc), values, np.nan) for values in measures]
    return DetectionMeasures(*(values if weights is not None else values[0] for values in measures))


def verdict(board: Sequence[Standing]) -> str:
    """Which model of the leaderboard detects best, and by how much, in one or two sentences."""
    text = _verdict(board)
    return text[:1].upper() + text[1:]


def _verdict(board: Sequence[Standing]) -> str:
    trivial = [s for s in board if s.trivial and np.isfinite(s.auroc.mean)]
    models = [s for s in board if not s.trivial and np.isfinite(s.auroc.mean)]
    if not models:
        return _verdict_without_labels([s for s in board if not s.trivial])
    best = max(models, key=lambda s: s.auroc.mean)
    if trivial:
        rival = max(trivial, key=lambda s: s.auroc.mean)
        margin = _margin(best, rival)
        if rival.auroc.mean >= best.auroc.mean - margin and rival.auroc.mean >= SOLVED:
            return (
                f"{rival.name} already solves this (AUROC {rival.auroc.mean:.3f}); "
                f"{best.name} adds nothing here ({best.auroc.mean:.3f})."
            )
        if rival.auroc.mean >= best.auroc.mean - margin:
            return (
                f"No model beats the one-line rival {rival.name} (AUROC {rival.auroc.mean:.3f}) by more than the "
                f"noise; the best, {best.name}, reaches {best.auroc.mean:.3f}."
            )
    others = sorted((s for s in models if s is not best), key=lambda s: -s.auroc.mean)
    against = f" The best one-line rival, {rival.name}, reaches {rival.auroc.mean:.3f}." if trivial else ""
    if others:
        margin = _margin(best, others[0])
        if others[0].auroc.mean >= best.auroc.mean - margin:
            return (
                f"{best.name} ({best.auroc.mean:.3f}) and {others[0].name} ({others[0].auroc.mean:.3f}) detect equally "
                f"well within the noise.{against}"
            )
    return f"{best.name} detects best (AUROC {best.auroc.mean:.3f}).{against}"


def _margin(a: Standing, b: Standing) -> float:
    """Largest difference of AUROC that counts as noise."""
    return max(EQUAL_MARGIN, 2 * float(np.nan_to_num(np.hypot(a.auroc.spread, b.auroc.spread))))


def rank_shares(scores: np.ndarray) -> np.ndarray:
    """Share of the rows that score lower than each, ties and the row itself half: (n,) between 0 and 1."""
    return (rankdata(scores) - 0.5) / len(scores)


def consensus(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Mean rank share over models, (n,): an anomaly score that does not depend on the models' units."""
    return np.mean([rank_shares(s) for s in scores], axis=0)


def quadrants(reconstruction: np.ndarray, negative_log_likelihood: np.ndarray, share: float) -> np.ndarray:
    """Index into QUADRANTS per row, (n,), when each detector alarms on its highest `share` of the rows.

    Parameters
    ----------
    reconstruction, negative_log_likelihood : (n,) anomaly scores
    share : between 0 and 1
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share must lie between 0 and 1, not {share!r}: it is the share of rows each detector alarms on"
        )
    return (rank_shares(reconstruction) > 1 - share) + 2 * (rank_shares(negative_log_likelihood) > 1 - share)


def disagreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of rank shares of scores a - b, (n,): near 1 where only `a` is high, near -1 where only `b` is."""
    return rank_shares(a) - rank_shares(b)


def _standing(name: str, runs: Sequence[Scored], k: int | None) -> Standing:
    if runs[0].y is None:
        detection = [Measured(float("nan"))] * 3
    elif len(runs) == 1:
        detection = _bootstrapped(runs[0], k)
    else:
        found = [detection_measures(run.anomaly_score, run.y, k) for run in runs]
        per_measure = zip(*((m.auroc, m.average_precision, m.precision_at_k) for m in found))
        detection = [_over_seeds(values) for values in per_measure]
    return Standing(
        name,
        *detection,
        log_likelihood=_over_seeds([run.log_likelihood for run in runs]),
        fit_seconds=_over_seeds([run.fit_seconds for run in runs]),
        score_seconds=_over_seeds([run.score_seconds for run in runs]),
        n_parameters=runs[0].n_parameters,
        trivial=runs[0].trivial,
        n_seeds=len(runs),
        over_seeds=len(runs) > 1,
    )


def _over_seeds(values: Sequence[float]) -> Measured:
    return Measured(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))


def _bootstrapped(run: Scored, k: int | None, n_boot: int = 100) -> list[Measured]:
    """AUROC, average precision and precision at k, and how they vary over resampled rows (multinomial weights)."""
    n = len(run.y)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=n_boot).astype(np.float64)
    found = detection_measures(run.anomaly_score, run.y, k)
    drawn = detection_measures(run.anomaly_score, run.y, k or max(1, int((run.y == 1).sum())), weights)
    return [
        Measured(float(value), float(np.nanstd(values)) if np.isfinite(values).any() else float("nan"))
        for value, values in (
            (found.auroc, drawn.auroc),
            (found.average_precision, drawn.average_precision),
            (found.precision_at_k, drawn.precision_at_k),
        )
    ]


def _verdict_without_labels(models: list[Standing]) -> str:
    densities = sorted((s for s in models if np.isfinite(s.log_likelihood.mean)), key=lambda s: -s.log_likelihood.mean)
    if not densities:
        return "Without labels and without a density nothing ranks these models; look at the rows they disagree on."
    best = densities[0]
    return (
        f"{best.name} gives held-out rows the highest likelihood ({best.log_likelihood.mean:.3f} nats a row). "
        "Without labels nobody knows which model detects best."
    )
