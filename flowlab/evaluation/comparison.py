"""Models on the same rows: leaderboard, verdict, agreement of scores, and the rows on which they disagree.

Everywhere an anomaly score is higher for more anomalous rows. Scores of different models have different units, so
models are compared through ranks; only log-densities in the same data units are compared as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from flowlab.datasets.dataset import Dataset
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
class Standing:
    """A line of the leaderboard: means over seeds, each with its spread.

    `spread` maps a measure to its standard deviation over seeds, or, with one seed, to the standard deviation over
    bootstrap samples of the rows (`over_seeds` says which). Measures without meaning are nan.
    """

    name: str
    auroc: float
    average_precision: float
    precision_at_k: float
    log_likelihood: float
    fit_seconds: float
    score_seconds: float
    n_parameters: int
    trivial: bool
    n_seeds: int
    over_seeds: bool
    spread: Mapping[str, float]


def held_out(dataset: Dataset) -> np.ndarray:
    """The rows models are compared on: the test part, or what stands in for it."""
    for part in ("test", "validation", "all"):
        rows = dataset.rows(part)
        if len(rows):
            return rows
    return dataset.rows("all")


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
        return (-np.nan_to_num(standing.auroc, nan=-1.0), -np.nan_to_num(standing.log_likelihood, nan=-1e300))

    return sorted(board, key=order)


def detection_measures(scores, y, k: int | None = None, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """AUROC, average precision and precision at k, ties counted by their average; nan unless both labels occur.

    Parameters
    ----------
    scores : (n,) higher is more anomalous; y : (n,) 1 for anomalies
    k : number of highest scores for the precision at k; by default the number of anomalies
    weights : (m, n) how often each row counts; the measures are then (m,), else ()

    >>> {name: float(value) for name, value in detection_measures([3, 2, 1, 1], [1, 0, 1, 0], k=3).items()}
    {'auroc': 0.625, 'average_precision': 0.75, 'precision_at_k': 0.5}
    """
    is_anomaly = np.asarray(y) == 1
    anomalies, normal = alarm_counts(scores, is_anomaly, weights)
    caught, flagged = anomalies.cumsum(1), (anomalies + normal).cumsum(1)
    k = k or max(1, int(is_anomaly.sum()))
    looked_at = np.array([np.interp(k, np.r_[0, f], np.r_[0, c]) for c, f in zip(caught, flagged)])
    measures = {
        "auroc": area_under_roc(anomalies, normal),
        "average_precision": area_under_steps(anomalies, normal),
        "precision_at_k": looked_at / np.minimum(k, flagged[:, -1]),
    }
    both = np.isfinite(measures["auroc"])
    measures = {name: np.where(both, values, np.nan) for name, values in measures.items()}
    return measures if weights is not None else {name: values[0] for name, values in measures.items()}


def verdict(board: Sequence[Standing]) -> str:
    """Which model of the leaderboard detects best, and by how much, in one or two sentences."""
    text = _verdict(board)
    return text[:1].upper() + text[1:]


def _verdict(board: Sequence[Standing]) -> str:
    trivial = [s for s in board if s.trivial and np.isfinite(s.auroc)]
    models = [s for s in board if not s.trivial and np.isfinite(s.auroc)]
    if not models:
        return _verdict_without_labels([s for s in board if not s.trivial])
    best = max(models, key=lambda s: s.auroc)
    spread = best.spread.get("auroc", 0.0)
    if trivial:
        rival = max(trivial, key=lambda s: s.auroc)
        margin = max(EQUAL_MARGIN, 2 * float(np.hypot(spread, rival.spread.get("auroc", 0.0))))
        if rival.auroc >= best.auroc - margin and rival.auroc >= SOLVED:
            return (
                f"{rival.name} already solves this (AUROC {rival.auroc:.3f}); "
                f"{best.name} adds nothing here ({best.auroc:.3f})."
            )
        if rival.auroc >= best.auroc - margin:
            return (
                f"No model beats the one-line rival {rival.name} (AUROC {rival.auroc:.3f}) by more than the noise; "
                f"the best, {best.name}, reaches {best.auroc:.3f}."
            )
    others = sorted((s for s in models if s is not best), key=lambda s: -s.auroc)
    against = f" The best one-line rival, {rival.name}, reaches {rival.auroc:.3f}." if trivial else ""
    if others:
        margin = max(EQUAL_MARGIN, 2 * float(np.hypot(spread, others[0].spread.get("auroc", 0.0))))
        if others[0].auroc >= best.auroc - margin:
            return (
                f"{best.name} ({best.auroc:.3f}) and {others[0].name} ({others[0].auroc:.3f}) detect equally well "
                f"within the noise.{against}"
            )
    return f"{best.name} detects best (AUROC {best.auroc:.3f}).{against}"


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
    measures = [_measures(run, k) for run in runs]
    values = {key: np.array([m[key] for m in measures]) for key in measures[0]}
    for key in ("log_likelihood", "fit_seconds", "score_seconds"):
        values[key] = np.array([getattr(run, key) for run in runs])
    over_seeds = len(runs) > 1
    if over_seeds:
        spread = {key: float(np.std(v, ddof=1)) for key, v in values.items()}
    else:
        spread = _bootstrap_spread(runs[0], k)
    means = {key: float(np.mean(v)) for key, v in values.items()}
    return Standing(
        name=name,
        n_parameters=runs[0].n_parameters,
        trivial=runs[0].trivial,
        n_seeds=len(runs),
        over_seeds=over_seeds,
        spread=spread,
        **means,
    )


def _measures(run: Scored, k: int | None) -> dict[str, float]:
    if run.y is None:
        return {"auroc": np.nan, "average_precision": np.nan, "precision_at_k": np.nan}
    return {name: float(value) for name, value in detection_measures(run.anomaly_score, run.y, k).items()}


def _bootstrap_spread(run: Scored, k: int | None, n_boot: int = 100) -> dict[str, float]:
    """Standard deviations over resampled rows: how often each row counts is a multinomial draw."""
    if run.y is None:
        return {}
    n = len(run.y)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=n_boot).astype(np.float64)
    drawn = detection_measures(run.anomaly_score, run.y, k or max(1, int((run.y == 1).sum())), weights)
    return {name: float(np.nanstd(values)) if np.isfinite(values).any() else np.nan for name, values in drawn.items()}


def _verdict_without_labels(models: list[Standing]) -> str:
    densities = sorted((s for s in models if np.isfinite(s.log_likelihood)), key=lambda s: -s.log_likelihood)
    if not densities:
        return "Without labels and without a density nothing ranks these models; look at the rows they disagree on."
    best = densities[0]
    return (
        f"{best.name} gives held-out rows the highest likelihood ({best.log_likelihood:.3f} nats a row). "
        "Without labels nobody knows which model detects best."
    )
