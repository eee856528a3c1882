"""Scores along a time axis: in order, with gaps left open, thinned with their peaks kept; labelled events."""

from __future__ import annotations

import itertools

import numpy as np

from flowlab.datasets.dataset import DIVISION, Part

GAP = 5.0
"""A step longer than so many median steps is a gap."""


def signal(time: np.ndarray, scores: np.ndarray, n_points: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Times and scores ready to be drawn as a line, each (m,).

    Points are in the order of time; a nan score marks every gap (a step of more than five median steps), so
    that the line is not drawn across it. Beyond `n_points` rows only the lowest and the highest score of each
    stretch are kept, so that every peak stays.

    Parameters
    ----------
    time : (n,) numbers or datetime64, in any order
    scores : (n,) anomaly scores
    n_points : about how many points to keep
    """
    time, scores = np.asarray(time), np.asarray(scores, np.float64)
    order = np.argsort(time, kind="stable")
    time, scores = time[order], scores[order]
    steps = np.diff(time)
    positive = steps[steps > np.zeros((), steps.dtype)]
    usual = np.median(positive) if len(positive) else None
    kept = np.arange(len(time))
    if len(time) > n_points:
        edges = np.linspace(0, len(time), n_points // 2 + 1).astype(int)
        kept = np.unique([a + f(scores[a:b]) for a, b in itertools.pairwise(edges) for f in (np.argmin, np.argmax)])
    if usual is None:
        return time[kept], scores[kept]
    breaks = np.flatnonzero(steps > GAP * usual)
    at = np.unique(np.searchsorted(kept, breaks, side="right"))
    at = at[(at > 0) & (at < len(kept))]
    before, after = time[kept[at - 1]], time[kept[at]]
    middle = before + (after - before) / 2
    return np.insert(time[kept], at, middle.astype(time.dtype)), np.insert(scores[kept], at, np.nan)


def events(time: np.ndarray, y: np.ndarray, max_events: int = 200) -> list[tuple]:
    """(begin, end) of each stretch of consecutive anomalous rows in the order of time.

    Parameters
    ----------
    time, y : (n,) times in any order, and 1 for anomalies
    max_events : of more stretches only so many are kept, the longest
    """
    time, y = np.asarray(time), np.asarray(y).astype(bool)
    order = np.argsort(time, kind="stable")
    time, y = time[order], y[order]
    begins = np.flatnonzero(y & ~np.r_[False, y[:-1]])
    ends = np.flatnonzero(y & ~np.r_[y[1:], False])
    if len(begins) > max_events:
        longest = np.sort(np.argsort(begins - ends, kind="stable")[:max_events])
        begins, ends = begins[longest], ends[longest]
    return [(time[a], time[b]) for a, b in zip(begins, ends, strict=True)]


def parts_in_time(time: np.ndarray, split: np.ndarray) -> list[tuple[Part, object, object]]:
    """(name, begin, end) of training, validation and test rows, if they follow each other in time; else an empty list.

    Parameters
    ----------
    time, split : (n,) times, and the part of each row as a place in `DIVISION`
    """
    time, split = np.asarray(time), np.asarray(split)
    spans = [
        (name, time[split == code].min(), time[split == code].max())
        for code, name in enumerate(DIVISION)
        if (split == code).any()
    ]
    spans.sort(key=lambda span: span[1])
    apart = all(before[2] <= after[1] for before, after in itertools.pairwise(spans))
    return spans if apart else []
