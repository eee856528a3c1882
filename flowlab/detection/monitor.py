"""Whether a promised share of flagged rows still holds, by a test that may be looked at after every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from flowlab.formatting import count, short_percent

RATIOS = (1.25, 1.5, 2.0, 3.0, 6.0, 12.0)
"""How many times the promised share rows might be flagged: the alternatives that are betted on."""
ERROR = 0.01
"""Chance that the monitor ever says that a kept promise is broken."""


def promised_share(n_rows: int, n_flagged: int, confidence: float = 0.95) -> float:
    """The largest share of flagged rows that is in keeping with `n_flagged` of `n_rows` held-out rows, one-sided.

    >>> round(promised_share(1000, 10), 4)
    0.0169
    """
    return float(stats.beta.ppf(confidence, n_flagged + 1, n_rows - n_flagged)) if n_flagged < n_rows else 1.0


@dataclass(frozen=True)
class Monitor:
    """Wealth of a bet against "each row is flagged with probability at most `share`, whatever came before".

    Whoever bets fairly multiplies the stake by 1 / error with a chance of at most `error`, however often and whenever
    one looks (Ville 1939). The stake is divided over `RATIOS` and over all rows at which the promise might have
    broken, the k-th with weight 1 / (k (k + 1)), so that a change after a long time in control still shows (a
    mixture of restarted test martingales; Vovk et al. 2021, "Retrain or not retrain").

    Attributes
    ----------
    share : promised share of flagged rows
    error : chance of ever crying wolf
    n_rows, n_flagged : seen so far
    log_ratio : for each alternative the sum of log likelihood ratios of all rows
    log_wealth : for each alternative the log of what was won by bets begun so far
    lowest, since : for each alternative the least sum so far, and the row after it: where a change shows best
    broken_at : row at which the wealth reached 1 / error for the first time, -1 before
    broken_since : from which row on, by the alternative that won most; -1 before
    """

    share: float
    error: float = ERROR
    n_rows: int = 0
    n_flagged: int = 0
    log_ratio: tuple[float, ...] = (0.0,) * len(RATIOS)
    log_wealth: tuple[float, ...] = (-np.inf,) * len(RATIOS)
    lowest: tuple[float, ...] = (0.0,) * len(RATIOS)
    since: tuple[int, ...] = (0,) * len(RATIOS)
    broken_at: int = -1
    broken_since: int = -1

    def __post_init__(self) -> None:
        if not 0 < self.share < 1 or not 0 < self.error < 1:
            raise ValueError(f"share and error must lie between 0 and 1, not {self.share} and {self.error}")

    def seen(self, flagged: np.ndarray) -> Monitor:
        """The monitor after further rows (n,), True where one is flagged; in their order."""
        flagged = np.asarray(flagged, bool)
        n = len(flagged)
        if n == 0:
            return self
        k = self.n_rows + 1.0 + np.arange(n)
        log_weight = -np.log(k) - np.log1p(k)
        not_begun = 1 / (k + 1)  # what the weights of later rows sum to
        totals, wealths, lowest, since = [], [], [], []
        for i, ratio in enumerate(RATIOS):
            other = min(ratio * self.share, (1 + self.share) / 2)
            steps = np.where(flagged, np.log(other / self.share), np.log1p(-other) - np.log1p(-self.share))
            total = self.log_ratio[i] + np.cumsum(steps)
            before = np.append(self.log_ratio[i], total[:-1])
            begun = np.append(self.log_wealth[i] - self.log_ratio[i], log_weight - before)
            wealths.append(np.logaddexp.accumulate(begun)[1:] + total)
            least = np.minimum.accumulate(np.append(self.lowest[i], before))
            at = int(np.argmin(before))
            moved = before[at] < self.lowest[i]
            since.append(self.n_rows + at if moved else self.since[i])
            lowest.append(float(least[-1]))
            totals.append(float(total[-1]))
        wealth = np.logaddexp(np.logaddexp.reduce(wealths, axis=0) - np.log(len(RATIOS)), np.log(not_begun))
        broken_at, broken_since = self.broken_at, self.broken_since
        if broken_at < 0 and (wealth >= -np.log(self.error)).any():
            row = int(np.argmax(wealth >= -np.log(self.error)))
            broken_at = self.n_rows + row
            broken_since = self._since(flagged[: row + 1], int(np.argmax([w[row] for w in wealths])))
        return Monitor(
            self.share, self.error, self.n_rows + n, self.n_flagged + int(flagged.sum()), tuple(totals),
            tuple(float(w[-1]) for w in wealths), tuple(lowest), tuple(since), broken_at, broken_since,
        )  # fmt: skip

    def _since(self, flagged: np.ndarray, i: int) -> int:
        """The row from which on the i-th alternative explains rows up to the last of `flagged` best."""
        other = min(RATIOS[i] * self.share, (1 + self.share) / 2)
        steps = np.where(flagged, np.log(other / self.share), np.log1p(-other) - np.log1p(-self.share))
        before = self.log_ratio[i] + np.append(0.0, np.cumsum(steps)[:-1])
        at = int(np.argmin(before))
        return self.n_rows + at if before[at] < self.lowest[i] else self.since[i]

    @property
    def is_broken(self) -> bool:
        """Whether the promise was found broken."""
        return self.broken_at >= 0

    @property
    def sentence(self) -> str:
        """What the monitor found, in words."""
        share = short_percent(self.share)
        seen = f"{count(self.n_flagged)} of {count(self.n_rows)} rows so far are flagged"
        sure = f"a promise that holds is called broken, ever, with a chance of at most {short_percent(self.error)}"
        if self.is_broken:
            return (
                f"The promise of at most {share} flagged rows has been broken since about row "
                f"{count(self.broken_since)}, found at row {count(self.broken_at)}; {seen}; {sure}."
            )
        return f"The promise of at most {share} flagged rows is in keeping with what was seen: {seen}; {sure}."

    def to_record(self) -> dict[str, Any]:
        """The monitor as JSON."""
        record = dict(vars(self))
        return record | {"log_wealth": [None if w == -np.inf else w for w in self.log_wealth]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Monitor:
        """What `to_record` gave; ValueError for anything else."""
        try:
            fields: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in record.items()}
            fields["log_wealth"] = tuple(-np.inf if w is None else float(w) for w in fields["log_wealth"])
            found = cls(**fields)
            if {len(part) for part in (found.log_ratio, found.log_wealth, found.lowest, found.since)} != {len(RATIOS)}:
                raise ValueError("another number of alternatives")
            return found
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the history of this detector cannot be read ({error}); begin a new one") from error
