"""Quality of a threshold without labels, estimated from about twenty rows that a person judges.

Rows are drawn at random within four strata of the score, most of them near the threshold. The answers give
weighted estimates of the precision, the recall and the rate of anomalies at any threshold, with intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flowlab.detection.threshold import check_scores

STRATA = ("far above", "just above", "just below", "far below")
FIRST_ROWS = {"far above": 4, "just above": 6, "just below": 4, "far below": 6}
"""How many of the first twenty rows come from each stratum."""
DRAWS = 2000
"""Monte Carlo draws behind each interval."""


@dataclass(frozen=True, eq=False)
class Audit:
    """Rows in the order in which they should be judged. Made by `plan_audit`.

    Attributes
    ----------
    scores : (n,) anomaly scores
    strata : four arrays of row numbers (`STRATA`), each in random order: its first k are a random sample of it
    """

    scores: np.ndarray
    strata: tuple[np.ndarray, ...]

    def first_rows(self, n_rows: int = 20) -> np.ndarray:
        """Row numbers to begin with, highest scores first: about `n_rows`, at least one of each stratum with rows."""
        share = n_rows / sum(FIRST_ROWS.values())
        n_per_stratum = [max(1, round(share * FIRST_ROWS[name])) for name in STRATA]
        rows_to_review = np.concatenate([rows[:k] for rows, k in zip(self.strata, n_per_stratum, strict=True)])
        return rows_to_review[np.argsort(-self.scores[rows_to_review], kind="stable")]

    def next_row(self, answers: Mapping[int, bool | None]) -> int | None:
        """The row whose answer narrows the estimates most; None when every row has an answer.

        The stratum is the one where an answer lowers the variance of the estimate most, squared size times rate times
        (1 - rate) over about the squared number of answers (Neyman's allocation); within it the order is the random
        one, so the estimates stay unbiased.

        Parameters
        ----------
        answers : row number -> True (an anomaly), False (normal) or None (unsure)
        """
        best, row = 0.0, None
        for rows in self.strata:
            is_answered = np.array([int(r) in answers for r in rows], bool)
            if is_answered.all():
                continue
            decided = [answer for r in rows[is_answered] if (answer := answers[int(r)]) is not None]
            rate = (sum(decided) + 0.5) / (len(decided) + 1)
            gain = len(rows) ** 2 * rate * (1 - rate) / ((len(decided) + 1) * (len(decided) + 2))
            if gain > best:
                best, row = gain, int(rows[~is_answered][0])
        return row


@dataclass(frozen=True, eq=False)
class AuditEstimate:
    """Estimates at each threshold, with intervals. Made by `estimate`.

    Every estimate is (3, n_thresholds): its value, the lower and the upper end of its interval; nan where undefined.

    Attributes
    ----------
    thresholds : (n_thresholds,)
    precision : share of the flagged rows that are anomalies
    recall : share of all anomalies that is flagged
    alarm_rate : share of rows of the source that is flagged
    anomaly_rate : share of rows that are anomalies, the same at every threshold
    n_answers, n_unsure : rows judged an anomaly or normal, and rows judged unsure
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    alarm_rate: np.ndarray
    anomaly_rate: np.ndarray
    n_answers: int
    n_unsure: int


def plan_audit(scores: np.ndarray, threshold: float, random_state: int = 0) -> Audit:
    """Divide rows into four strata around the threshold and put each in random order.

    Parameters
    ----------
    scores : (n,) anomaly scores
    threshold : rows are flagged from here on; the 2.5 % of rows (at least 10) next to it on either side count as
        near, at most half of either side
    random_state : seed of the order within each stratum
    """
    scores, _ = check_scores(scores)
    rng = np.random.default_rng(random_state)
    # ties in random order: a stratum's border must not depend on where a row stands in the table
    shuffled = rng.permutation(len(scores))
    order = shuffled[np.argsort(scores[shuffled], kind="stable")]
    border = int(np.searchsorted(scores[order], threshold, side="left"))
    below, above = order[:border], order[border:]
    near = max(10, round(0.025 * len(scores)))
    n_below, n_above = min(near, len(below) // 2), min(near, -(-len(above) // 2))
    parts = (above[n_above:], above[:n_above], below[len(below) - n_below :], below[: len(below) - n_below])
    return Audit(scores, tuple(rng.permutation(part) for part in parts))


def estimate(
    audit: Audit, answers: Mapping[int, bool | None], thresholds: np.ndarray, level: float = 0.95, random_state: int = 0
) -> AuditEstimate:
    """Precision, recall and rates at each threshold, estimated from the answers.

    Parameters
    ----------
    answers : row number -> True (an anomaly), False (normal) or None (unsure: the row is left out)
    thresholds : (k,) where to estimate
    level : coverage of the intervals
    random_state : seed of the draws behind the intervals

    The estimate weighs each answer by the rows it stands for (stratified sampling, Cochran 1977, section 5.3). The
    interval's ends draw each stratum's rate from the Beta distributions whose quantiles are the ends of the exact
    interval (Clopper and Pearson 1934): conservative, and wider than zero also where all answers are equal.
    """
    thresholds = np.atleast_1d(np.asarray(thresholds, np.float64))
    rng = np.random.default_rng(random_state)
    tails = [(1 - level) / 2, (1 + level) / 2]
    n_rows = len(audit.scores)
    flagged = _counts(audit.scores, thresholds, True)
    caught = _anomalies(audit, answers, thresholds, True, rng)
    missed = _anomalies(audit, answers, thresholds, False, rng)
    alarms = (flagged[None], *_rates(flagged, np.full_like(flagged, n_rows), rng))
    decided = [answer for answer in answers.values() if answer is not None]
    return AuditEstimate(
        thresholds,
        _summary([_share(c, np.broadcast_to(flagged, c.shape)) for c in caught], tails),
        # least recall: as few caught and as many missed as the answers allow
        _summary([_share(c, c + m) for c, m in zip(caught, (missed[0], missed[2], missed[1]), strict=True)], tails),
        _summary([alarms[0] / n_rows, alarms[1], alarms[2]], tails),
        _summary([(c + m) / n_rows for c, m in zip(caught, missed, strict=True)], tails),
        len(decided),
        len(answers) - len(decided),
    )


def _anomalies(
    audit: Audit, answers: Mapping[int, bool | None], thresholds: np.ndarray, above: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """Anomalies on one side of each threshold: estimate (1, k), then draws of the least and of the most (DRAWS, k)."""
    totals = [np.zeros((1, len(thresholds))), *(np.zeros((DRAWS, len(thresholds))) for _ in range(2))]
    for rows in audit.strata:
        decided = np.array([r for r in rows if answers.get(int(r)) is not None], int)
        is_anomaly = np.array([bool(answers[int(r)]) for r in decided], bool)
        in_part = _counts(audit.scores[rows], thresholds, above)
        n_decided = _counts(audit.scores[decided], thresholds, above)
        n_anomalies = _counts(audit.scores[decided[is_anomaly]], thresholds, above)
        # a part without an answer borrows the rate of its stratum, in the estimate only
        borrowed = is_anomaly.mean() if len(decided) else 0.0
        rate = np.where(n_decided > 0, n_anomalies / np.maximum(n_decided, 1), borrowed)
        least, most = _rates(n_anomalies, n_decided, rng)
        n_undecided = in_part - n_decided
        for total, share in zip(totals, (rate[None], least, most), strict=True):
            total += n_anomalies + n_undecided * share
    return totals


def _rates(n_anomalies: np.ndarray, n_decided: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws whose quantiles are the lower and the upper ends of exact binomial intervals, each (DRAWS, k)."""
    shape = (DRAWS, len(n_anomalies))
    n_normal = n_decided - n_anomalies
    least = np.where(n_anomalies > 0, rng.beta(np.maximum(n_anomalies, 1), n_normal + 1, shape), 0.0)
    most = np.where(n_anomalies < n_decided, rng.beta(n_anomalies + 1, np.maximum(n_normal, 1), shape), 1.0)
    return least, most


def _counts(scores: np.ndarray, thresholds: np.ndarray, above: bool) -> np.ndarray:
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    return len(scores) - below if above else below


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _summary(draws: list[np.ndarray], tails: list[float]) -> np.ndarray:
    """Estimate, low quantile of the least, high quantile of the most: (3, k); nan where they are undefined."""
    estimate, least, most = draws
    with np.errstate(invalid="ignore"):
        return np.stack([estimate[0], np.quantile(least, tails[0], axis=0), np.quantile(most, tails[1], axis=0)])
