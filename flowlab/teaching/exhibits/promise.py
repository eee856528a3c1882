"""What a promised false-alarm rate keeps: thresholds of many calibration sets, and the Beta law of their rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go
from scipy import stats
from scipy.special import ndtr, ndtri

from flowlab.controls import Choice, Float, Int
from flowlab.detection.conformal import false_alarm_promise, rows_needed
from flowlab.formatting import count, short_percent
from flowlab.plots import theme
from flowlab.teaching.exhibit import Exhibit

CONFIDENCE = {"average": 0.0, "confidence": 0.95}
"""What the rule is asked to promise: the rate on average over calibration sets, or in 95 % of them."""
N_SETS, FEWER_SETS = 1000, 200
"""Calibration sets of the chosen size; and of each size of the sweep."""
MOST_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Coverage:
    """Rates at which normal rows are flagged, over calibration sets.

    Attributes
    ----------
    promised : the rate that is promised
    needed : the fewest rows with which it can be
    n_rows : in each calibration set
    n_above : how many of them the rule leaves above the threshold; -1 where it refuses
    rates : (m,) share of new normal rows above each set's threshold; none where the rule refuses
    sizes, kept_by_size : (k,) numbers of calibration rows, and the share of sets that keep the promise
    law_sizes, law_by_size : (l,) more such numbers, and the share by the Beta law
    shift : how far the scores of new rows have drifted upwards, in standard deviations
    """

    promised: float
    needed: int
    n_rows: int
    n_above: int
    rates: np.ndarray
    sizes: np.ndarray
    kept_by_size: np.ndarray
    law_sizes: np.ndarray
    law_by_size: np.ndarray
    shift: float

    @property
    def mean(self) -> float:
        """Mean rate; nan where the rule refuses."""
        return float(self.rates.mean()) if len(self.rates) else np.nan

    @property
    def kept(self) -> float:
        """Share of the sets whose rate is at most the promised one; nan where the rule refuses."""
        return float((self.rates <= self.promised).mean()) if len(self.rates) else np.nan

    @property
    def law(self) -> stats.rv_continuous:
        """Law of the rate while new rows come from the source of the calibration rows: Beta(k + 1, n - k)."""
        return stats.beta(self.n_above + 1, self.n_rows - self.n_above)

    @property
    def law_kept(self) -> float:
        """What the law says of `kept`; nan where the rule refuses."""
        return float(self.law.cdf(self.promised)) if len(self.rates) else np.nan

    @property
    def distance(self) -> float:
        """Largest difference between the distribution of the rates and the law (Kolmogorov-Smirnov); nan likewise."""
        return float(stats.kstest(self.rates, self.law.cdf).statistic) if len(self.rates) else np.nan

    @property
    def sets(self) -> int:
        """Calibration sets drawn."""
        return len(self.rates)

    @property
    def highest(self) -> float:
        """The rate that one set in twenty exceeds; nan where the rule refuses."""
        return float(np.quantile(self.rates, 0.95)) if len(self.rates) else np.nan

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        if not len(self.rates):
            return (
                f"A promise of at most {short_percent(self.promised)} needs {count(self.needed)} normal rows outside "
                f"training; with {count(self.n_rows)} the rule gives no threshold."
            )
        drift = f" New rows have drifted by {self.shift:g} standard deviations." if self.shift else ""
        return (
            f"Over {count(len(self.rates))} calibration sets of {count(self.n_rows)} rows {short_percent(self.mean)} "
            f"of new normal rows are flagged on average; {short_percent(self.kept)} of the sets stay within the "
            f"promised {short_percent(self.promised)}, and the Beta law says {short_percent(self.law_kept)}.{drift}"
        )


def coverage(n_rows: int = 200, rate: float = 0.05, kind: str = "average", shift: float = 0.0) -> Coverage:
    """The rule "false-alarm promise" with 1,000 calibration sets of `n_rows` normal scores.

    Only ranks enter, so any continuous distribution of scores gives the same as the normal one taken here. `rate` is
    promised as `kind` says; new rows score `shift` standard deviations higher.
    """
    confidence = CONFIDENCE[kind]
    needed, k = rows_needed(rate, confidence), _rows_above(n_rows, rate, confidence)
    rates = np.zeros(0) if k < 0 else _drifted(_tails(n_rows, k, N_SETS), shift)
    sizes = np.unique(np.geomspace(needed, MOST_ROWS, 14).round().astype(int))
    above = [_rows_above(int(n), rate, confidence) for n in sizes]
    more = np.unique(np.geomspace(needed, MOST_ROWS, 80).round().astype(int))
    more_above = np.array([_rows_above(int(n), rate, confidence) for n in more])
    law = stats.beta.cdf(rate, more_above + 1, more - more_above)
    kept = [
        (_drifted(_tails(int(n), k_n, FEWER_SETS), shift) <= rate).mean() for n, k_n in zip(sizes, above, strict=True)
    ]
    return Coverage(rate, needed, n_rows, k, rates, sizes, np.array(kept), more, law, shift)


@lru_cache(maxsize=512)
def _rows_above(n_rows: int, rate: float, confidence: float) -> int:
    """How many of `n_rows` calibration scores the rule leaves above its threshold; -1 where it refuses."""
    scores = np.arange(float(n_rows))
    threshold = false_alarm_promise(scores, rate=rate, confidence=confidence)
    return -1 if threshold.refused else int((scores >= threshold.value).sum())


@lru_cache(maxsize=64)
def _tails(n_rows: int, n_above: int, n_sets: int) -> np.ndarray:
    """Share (n_sets,) of the calibration rows' own source above the threshold of each of many drawn sets."""
    shares = np.random.default_rng([n_rows, n_sets]).random((n_sets, n_rows), np.float32)
    return np.partition(shares, n_above, axis=1)[:, n_above].astype(float)


def _drifted(tails: np.ndarray, shift: float) -> np.ndarray:
    """The shares above the same thresholds of normal scores that lie `shift` standard deviations higher."""
    return ndtr(ndtri(tails) + shift) if shift else tails


def draw_coverage(result: Coverage, dark: bool = False, height: int = 420) -> go.Figure:
    """Left the rates of all sets with the law over them, right the share of sets that keep the promise, by size."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "normal rows flagged", "calibration sets (density)")
    top = max(3 * result.promised, float(result.rates.max(initial=0.0)))
    if len(result.rates):
        density, edges = np.histogram(result.rates, 40, (0, top), density=True)
        grid = np.linspace(0, top, 200)
        fig.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=density, width=top / 40,
            marker={"color": theme.translucent(c.model, 0.5)},
            hovertemplate="about %{x:.2%} flagged<br>density %{y:.1f}<extra></extra>",
        )  # fmt: skip
        law = result.law.pdf(grid)
        fig.add_scatter(x=grid, y=law, mode="lines", line={"color": c.truth, "width": 3}, hoverinfo="skip")
        beside = int(np.abs(grid - float(result.law.ppf(0.8))).argmin())
        theme.write_at(fig, float(grid[beside]), float(law[beside]), "  Beta law", c.truth, xanchor="left")
    else:
        theme.write_at(fig, top / 2, 0.5, f"needs {count(result.needed)} rows", c.text)
    fig.add_vline(x=result.promised, line={"color": c.threshold, "width": 2})
    for sizes, values, name, color, mode in (
        (result.law_sizes, result.law_by_size, "by the law", c.truth, "lines"),
        (result.sizes, result.kept_by_size, "simulated", c.model, "markers"),
    ):
        fig.add_scatter(
            x=sizes, y=values, mode=mode, xaxis="x2", yaxis="y2", line={"color": color, "width": 2},
            marker={"color": color, "size": 8},
            hovertemplate=f"%{{x}} rows, {name}<br>%{{y:.1%}} of sets<extra></extra>",
        )  # fmt: skip
    if len(result.rates):
        fig.add_scatter(
            x=[result.n_rows], y=[result.kept], mode="markers", xaxis="x2", yaxis="y2",
            marker={"symbol": "star", "size": 15, "color": c.third, "line": {"color": c.text, "width": 1}},
            hovertemplate="%{x} rows: %{y:.1%} of sets<extra></extra>",
        )  # fmt: skip
    return fig.update_layout(
        showlegend=False,
        xaxis={"domain": [0, 0.43], "range": [0, top], "tickformat": ".0%"},
        xaxis2={"domain": [0.61, 1], "anchor": "y2", "title": {"text": "calibration rows"}, "type": "log", "dtick": 1},
        yaxis2={
            "anchor": "x2", "title": {"text": "sets that keep the promise"}, "tickformat": ".0%",
            "range": [-0.03, 1.03],
        },
    )  # fmt: skip


EXHIBITS = (
    Exhibit(
        "promise",
        (
            Int("n_rows", "Calibration rows", 20, MOST_ROWS, 10, help="Normal rows that no training has seen"),
            Float("rate", "Promised rate", 0.01, 0.2, 0.01, help="Normal rows flagged, at most"),
            Choice(
                "kind", "Promised", {"average": "on average", "confidence": "in 95 % of sets"},
                help="Over calibration sets, or for the set at hand with 95 % confidence",
            ),
            Float("shift", "Drift of new rows", 0.0, 1.0, 0.1, help="In standard deviations of the score"),
        ),
        coverage,
        draw_coverage,
        rows=(),
    ),
)  # fmt: skip
