"""Models on the same rows: leaderboard, verdict, agreement of scores, and the rows on which they disagree.

Everywhere an anomaly score is higher for more anomalous rows. Scores of different models have different units, so
models are compared through ranks; only log-densities in the same data units are compared as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata, t

from flowlab.datasets.dataset import Dataset, Part
from flowlab.formatting import fixed
from flowlab.models.base import DensityModel
from flowlab.ranking import alarm_counts, area_under_roc, area_under_steps

QUADRANTS = ("neither alarmed", "only reconstruction", "only likelihood", "both alarmed")
EQUAL_MARGIN = 0.005
"""Differences of a measure up to this count as none: they are as large between fits with different seeds."""
SOLVED = 0.95
"""AUROC and average precision from which a trivial detector solves the task."""
N_BOOT = 100
SHORT_OF_AVERAGE_PRECISION = 1.1
"""So many times too little do resampled differences of average precision spread; simulated with 10 and 40 anomalies."""


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
    likelihood_of : what that is a density of, in words; only those of the same are ranked. "" for all columns
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
    likelihood_of: str = ""

    @property
    def labels(self) -> np.ndarray:
        """`y`; ValueError where there are no labels."""
        if self.y is None:
            raise ValueError(f"the rows that {self.name} scored have no labels")
        return self.y


@dataclass(frozen=True)
class Measured:
    """A mean over seeds and its standard deviation: over seeds, or, with one seed, over bootstrap samples of the rows.

    Both are nan where the measure has no meaning, the second also where it is not known.
    """

    mean: float
    spread: float = float("nan")


@dataclass(frozen=True, eq=False)
class Standing:
    """A line of the leaderboard; `over_seeds` says whether spreads are those over seeds. Units are as in `Scored`.

    `runs` are what it was made from, one for each seed.
    """

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
    runs: tuple[Scored, ...]

    @property
    def likelihood_of(self) -> str:
        """What the log-likelihood is a density of, as in `Scored`."""
        return self.runs[0].likelihood_of if self.runs else ""


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
    model: DensityModel,
    *,
    data: str,
    fit_seconds: float,
    score_seconds: float,
    n_parameters: int,
) -> Scored:
    """A model on the compared rows, from its anomaly scores of all rows, (n_rows,), and what it cost.

    `model` says what the scores are, and may be unfitted; `data` is `dataset.digest()`.
    """
    values, y = anomaly_score[held_out(dataset)], held_out_labels(dataset)
    likelihood = -normal_mean(values, y) if model.is_density else float("nan")
    likelihood_of = _likelihood_of(model, dataset)
    return Scored(
        name, values, y, data, likelihood, fit_seconds, score_seconds, n_parameters, likelihood_of=likelihood_of
    )


def _likelihood_of(model: DensityModel, dataset: Dataset) -> str:
    """What the scores of a model are a log-density of, in words; "" for all columns of the table."""
    if not model.is_density:
        return ""
    if model.score_is_bound:
        return "a lower bound"
    X = dataset.part(Part.TRAIN)
    if len(X) and (np.ptp(X[:, dataset.judged], axis=0) == 0).any():
        # what stands in the place of the infinite density of a constant column is a convention of each family
        return f"with a constant column, as {type(model).__name__} takes it"
    if dataset.context is None:
        return ""
    return "given the context" if model.can_condition else "with the context as a number"


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
    ranked = same_likelihoods(board)

    def order(standing: Standing) -> tuple[float, float]:
        likelihood = standing.log_likelihood.mean if standing in ranked else np.nan
        return (-np.nan_to_num(standing.auroc.mean, nan=-1.0), -np.nan_to_num(likelihood, nan=-1e300))

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
    known = (auroc, area_under_steps(anomalies, normal), looked_at / np.minimum(k, flagged[:, -1]))
    measures = [np.where(np.isfinite(auroc), values, np.nan) for values in known]
    return DetectionMeasures(*(values if weights is not None else values[0] for values in measures))


def same_likelihoods(board: Sequence[Standing]) -> list[Standing]:
    """The lines whose log-likelihoods are of the same thing: the most there are, a bound and its like left out."""
    densities = [s for s in board if not s.trivial and np.isfinite(s.log_likelihood.mean)]
    kinds = [s.likelihood_of for s in densities if s.likelihood_of != "a lower bound"]
    common = max(dict.fromkeys(kinds), key=kinds.count, default="a lower bound")
    return [s for s in densities if s.likelihood_of == common]


def verdict(board: Sequence[Standing]) -> str:
    """Which model of the leaderboard detects best, by AUROC and by average precision, in one or two sentences."""
    text = _verdict(board)
    return text[:1].upper() + text[1:]


def _verdict(board: Sequence[Standing]) -> str:
    trivial = [s for s in board if s.trivial and np.isfinite(s.auroc.mean)]
    models = [s for s in board if not s.trivial and np.isfinite(s.auroc.mean)]
    if not models:
        return _verdict_without_labels(board)
    best = max(models, key=lambda s: s.auroc.mean)
    unbeaten = [r for r in trivial if not any(1 in lead(m, r) for m in models)]
    if unbeaten:
        rival = max(unbeaten, key=lambda s: s.auroc.mean)
        if min(rival.auroc.mean, rival.average_precision.mean) >= SOLVED:
            return (
                f"{rival.name} already solves this ({_measures(rival)}); on these rows {best.name} adds nothing that "
                f"shows ({_measures(best)})."
            )
        return (
            f"No model beats the one-line rival {rival.name} ({_measures(rival)}) by more than the noise; the best, "
            f"{best.name}, reaches {_measures(best)}."
        )
    against = ""
    if trivial:
        rival = max(trivial, key=lambda s: s.auroc.mean)
        against = f" The best one-line rival, {rival.name}, reaches {_measures(rival)}."
    others = sorted((s for s in models if s is not best), key=lambda s: -s.average_precision.mean)
    sharper = [s for s in others if lead(s, best)[1] == 1]
    if sharper:
        return (
            f"{best.name} ranks best over all rows ({_measures(best)}), {sharper[0].name} among the highest scores "
            f"({_measures(sharper[0])}): which detects better depends on how many rows are looked at.{against}"
        )
    level = [s for s in others if lead(s, best) == (0, 0)]
    if level:
        return (
            f"{best.name} ({_measures(best)}) and {level[0].name} ({_measures(level[0])}) cannot be told apart on "
            f"these rows.{against}"
        )
    return f"{best.name} detects best ({_measures(best)}).{against}"


def _measures(standing: Standing) -> str:
    return f"AUROC {standing.auroc.mean:.3f}, average precision {standing.average_precision.mean:.3f}"


def lead(a: Standing, b: Standing) -> tuple[int, int]:
    """1 where `a` detects better than `b` by more than the noise, -1 where worse, else 0: by AUROC, average precision.

    The noise is that of the difference, on the same resampled rows or the same seeds: two detectors that agree on most
    rows are told apart by far less than either varies by itself.
    """
    signs = []
    for difference, error in _differences(a, b):
        signs.append(int(np.sign(difference)) if abs(difference) > max(EQUAL_MARGIN, error) else 0)
    return signs[0], signs[1]


def _differences(a: Standing, b: Standing) -> list[tuple[float, float]]:
    """Differences of AUROC and average precision of a - b, each with the half-width of its 95 % interval."""
    if a.n_seeds == b.n_seeds > 1:
        found = [[detection_measures(run.anomaly_score, run.labels) for run in s.runs] for s in (a, b)]
        pairs = np.array([[(m.auroc, m.average_precision) for m in runs] for runs in found])
        difference = pairs[0] - pairs[1]
        width = t.ppf(0.975, a.n_seeds - 1) / a.n_seeds**0.5
        return list(zip(difference.mean(0), width * difference.std(0, ddof=1)))
    return paired_differences(a.runs[0].anomaly_score, b.runs[0].anomaly_score, a.runs[0].labels)


def paired_differences(first: np.ndarray, second: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Differences of AUROC and average precision of two scores, first - second, on the same resampled rows.

    Parameters
    ----------
    first, second : (n,) anomaly scores of the same rows
    y : (n,) 1 for anomalies; both labels occur

    Returns
    -------
    of AUROC and of average precision: the difference, and the half-width of its 95 % interval
    """
    # the resampled spread of few anomalies is too small by m / (m - 1), and is itself uncertain
    fewest = max(2, min(int((y == 1).sum()), int((y != 1).sum())))
    width = t.ppf(0.975, fewest - 1) * (fewest / (fewest - 1)) ** 0.5
    weights = _resampled(y)
    whole = [detection_measures(scores, y) for scores in (first, second)]
    drawn = [detection_measures(scores, y, weights=weights) for scores in (first, second)]
    result = []
    for measure, spread_is_short_by in (("auroc", 1.0), ("average_precision", SHORT_OF_AVERAGE_PRECISION)):
        values = [getattr(m, measure) for m in whole]
        spread = float(np.std(getattr(drawn[0], measure) - getattr(drawn[1], measure)))
        result.append((float(values[0] - values[1]), width * spread_is_short_by * spread))
    return result


def _resampled(y: np.ndarray) -> np.ndarray:
    """How often each row counts in `N_BOOT` samples with replacement within each label, (N_BOOT, n)."""
    rng, weights = np.random.default_rng(0), np.empty((N_BOOT, len(y)))
    for label in (y == 1, y != 1):
        n = int(label.sum())
        weights[:, label] = rng.multinomial(n, np.full(n, 1 / n), size=N_BOOT) if n else 0
    return weights


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
        found = [detection_measures(run.anomaly_score, run.labels, k) for run in runs]
        per_measure = zip(*((m.auroc, m.average_precision, m.precision_at_k) for m in found))
        detection = [_over_seeds(values) for values in per_measure]
    auroc, average_precision, precision_at_k = detection
    return Standing(
        name,
        auroc,
        average_precision,
        precision_at_k,
        log_likelihood=_over_seeds([run.log_likelihood for run in runs]),
        fit_seconds=_over_seeds([run.fit_seconds for run in runs]),
        score_seconds=_over_seeds([run.score_seconds for run in runs]),
        n_parameters=runs[0].n_parameters,
        trivial=runs[0].trivial,
        n_seeds=len(runs),
        over_seeds=len(runs) > 1,
        runs=tuple(runs),
    )


def _over_seeds(values: Sequence[float]) -> Measured:
    return Measured(float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"))


def _bootstrapped(run: Scored, k: int | None) -> list[Measured]:
    """AUROC, average precision and precision at k, and how they vary over rows resampled within each label.

    A sample of few anomalies, all of which were caught, does not vary; that more of them might not be is told by the
    standard deviation of a share of so many, two more of either kind added (Agresti & Coull 1998).
    """
    n_anomalies = int((run.labels == 1).sum())
    found = detection_measures(run.anomaly_score, run.labels, k)
    drawn = detection_measures(run.anomaly_score, run.labels, k or max(1, n_anomalies), _resampled(run.labels))
    measured = []
    for name, n in (("auroc", n_anomalies), ("average_precision", n_anomalies), ("precision_at_k", k or n_anomalies)):
        value, spread = float(getattr(found, name)), float("nan")
        if np.isfinite(value):
            share = (n * value + 2) / (n + 4)
            floor = (share * (1 - share) / (n + 4)) ** 0.5 if value in (0.0, 1.0) else 0.0
            spread = max(float(np.std(getattr(drawn, name))), floor)
        measured.append(Measured(value, spread))
    return measured


def _verdict_without_labels(board: Sequence[Standing]) -> str:
    ranked = same_likelihoods(board)
    if not ranked:
        return "Without labels and without a density nothing ranks these models; look at the rows they disagree on."
    unknown = "Without labels nobody knows which model detects best."
    kinds = {s.likelihood_of for s in board if not s.trivial and np.isfinite(s.log_likelihood.mean)}
    if len(ranked) == 1 and len(kinds) > 1:
        return f"The log-likelihoods of these models are of different things, so they are not ranked. {unknown}"
    best, *others = sorted(ranked, key=lambda s: -s.log_likelihood.mean)
    among = " of those that are of the same" if len(kinds) > 1 else ""
    mean = f"{fixed(best.log_likelihood.mean)} nats a row"
    for other in others[:1]:
        difference, error = _likelihood_difference(best, other)
        if difference <= error:
            return (
                f"{best.name} ({mean}) and {other.name} give held-out rows likelihoods that cannot be told apart, the "
                f"highest{among}. {unknown}"
            )
    return f"{best.name} gives held-out rows the highest likelihood{among} ({mean}). {unknown}"


def _likelihood_difference(a: Standing, b: Standing) -> tuple[float, float]:
    """Difference of the mean log-likelihoods, a - b, in nats, and twice the standard error of the paired difference."""
    difference = b.runs[0].anomaly_score - a.runs[0].anomaly_score
    return float(difference.mean()), 2 * float(difference.std()) / len(difference) ** 0.5
