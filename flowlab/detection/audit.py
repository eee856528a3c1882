"""How good is a threshold when nobody labelled anything: look at twenty well-chosen rows.

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
"""How the first twenty rows are shared out."""
DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Audit:
    """Rows in the order in which they should be looked at. Made by `plan_audit`.

    Attributes
    ----------
    scores : (n,) anomaly scores
    strata : four arrays of row numbers (`STRATA`), each in random order: its first k are a random sample of it
    """

    scores: np.ndarray
    strata: tuple[np.ndarray, ...]

    def first_rows(self, n_rows: int = 20) -> np.ndarray:
        """Row numbers to begin with, highest scores first, about (n_rows,)."""
        share = n_rows / sum(FIRST_ROWS.values())
        wanted = [max(1, round(share * FIRST_ROWS[name])) for name in STRATA]
        chosen = np.concatenate([rows[:k] for rows, k in zip(self.strata, wanted, strict=True)])
        return chosen[np.argsort(-self.scores[chosen], kind="stable")]

    def next_row(self, answers: Mapping[int, bool | None]) -> int | None:
        """The row whose answer narrows the estimates most; None when all rows were asked for.

        The stratum is chosen by Neyman's allocation: size times standard deviation over the square of what has
        been asked; within it the order is the random one, so the estimates stay valid.
        """
        best, row = 0.0, None
        for rows in self.strata:
            asked = np.array([int(r) in answers for r in rows], bool)
            if asked.all():
                continue
            said = [answers[int(r)] for r in rows[asked] if answers[int(r)] is not None]
            rate = (sum(said) + 0.5) / (len(said) + 1)
            gain = len(rows) ** 2 * rate * (1 - rate) / ((len(said) + 1) * (len(said) + 2))
            if gain > best:
                best, row = gain, int(rows[~asked][0])
        return row


@dataclass(frozen=True, eq=False)
class AuditEstimate:
    """Estimates at each threshold, each (3, n_thresholds): estimate, lower and upper end of the interval.

    `precision` of the alarms, `recall` (share of all anomalies that is flagged), `alarm_rate` (share of rows of the
    source that is flagged) and `anomaly_rate` (share of rows that are anomalies, the same at every threshold).
    """

    thresholds: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    alarm_rate: np.ndarray
    anomaly_rate: np.ndarray
    n_answers: int
    n_unsure: int


def plan_audit(scores, threshold: float, random_state: int = 0) -> Audit:
    """Divide rows into four strata around the threshold and put each in random order.

    Parameters
    ----------
    scores : (n,) anomaly scores
    threshold : rows are flagged from here on; the 2.5 % of rows next to it on either side count as near, at most
        half of either side
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
    audit: Audit, answers: Mapping[int, bool | None], thresholds, level: float = 0.95, random_state: int = 0
) -> AuditEstimate:
    """What the answers say about each threshold.

    Parameters
    ----------
    answers : row number -> True (an anomaly), False (normal) or None (unsure: the row is left out)
    thresholds : (k,) where to estimate

    The estimate weighs each answer by the rows it stands for (stratified sampling, Cochran 1977, section 5.3). The
    interval's ends draw each stratum's rate from the Beta distributions whose quantiles are the ends of the exact
    interval (Clopper and Pearson 1934): conservative, and a few equal answers are no certainty.
    """
    thresholds = np.atleast_1d(np.asarray(thresholds, np.float64))
    rng = np.random.default_rng(random_state)
    tails = [(1 - level) / 2, (1 + level) / 2]
    n_rows = len(audit.scores)
    flagged = _counts(audit.scores, thresholds, True)
    caught = _anomalies(audit, answers, thresholds, True, rng)
    missed = _anomalies(audit, answers, thresholds, False, rng)
    alarms = (flagged[None], *_rates(flagged, np.full_like(flagged, n_rows), rng))
    given = [answer for answer in answers.values() if answer is not None]
    return AuditEstimate(
        thresholds,
        _summary([_share(c, np.broadcast_to(flagged, c.shape)) for c in caught], tails),
        # least recall: as few caught and as many missed as the answers allow
        _summary([_share(c, c + m) for c, m in zip(caught, (missed[0], missed[2], missed[1]), strict=True)], tails),
        _summary([alarms[0] / n_rows, alarms[1], alarms[2]], tails),
        _summary([(c + m) / n_rows for c, m in zip(caught, missed, strict=True)], tails),
        len(given),
        len(answers) - len(given),
    )


def _anomalies(
    audit: Audit, answers: Mapping[int, bool | None], thresholds: np.ndarray, above: bool, rng: np.random.Generator
) -> list[np.ndarray]:
    """Anomalies on one side of each threshold: estimate (1, k), then draws of the least and of the most (DRAWS, k)."""
    totals = [np.zeros((1, len(thresholds))), *(np.zeros((DRAWS, len(thresholds))) for _ in range(2))]
    for rows in audit.strata:
        said = np.array([r for r in rows if answers.get(int(r)) is not None], int)
        is_anomaly = np.array([bool(answers[int(r)]) for r in said], bool)
        in_part = _counts(audit.scores[rows], thresholds, above)
        asked = _counts(audit.scores[said], thresholds, above)
        found = _counts(audit.scores[said[is_anomaly]], thresholds, above)
        # a part without an answer borrows the rate of its stratum, in the estimate only
        borrowed = is_anomaly.mean() if len(said) else 0.0
        rate = np.where(asked > 0, found / np.maximum(asked, 1), borrowed)
        least, most = _rates(found, asked, rng)
        unseen = in_part - asked
        for total, share in zip(totals, (rate[None], least, most), strict=True):
            total += found + unseen * share
    return totals


def _rates(found: np.ndarray, asked: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws whose quantiles are the lower and the upper ends of exact binomial intervals, each (DRAWS, k)."""
    shape = (DRAWS, len(found))
    least = np.where(found > 0, rng.beta(np.maximum(found, 1), asked - found + 1, shape), 0.0)
    most = np.where(found < asked, rng.beta(found + 1, np.maximum(asked - found, 1), shape), 1.0)
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
