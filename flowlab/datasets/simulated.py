"""Simulated tables that stand in for lecture data which cannot be shipped: a computing cluster, and malware."""

from __future__ import annotations

import itertools

import numpy as np

from flowlab.constraints import NOT_NEGATIVE, SHARE, Interval, checked
from flowlab.datasets.dataset import Dataset, chronological_split, random_split

CLUSTER_GROUPS = (
    # name, unit columns, level of idle / steady / burst mode, noise
    ("cmbw", 14, (0.05, 0.55, 0.9), 0.03),
    ("ips", 14, (0.08, 0.6, 0.8), 0.02),
    ("util", 14, (0.02, 0.7, 0.95), 0.02),
    ("temp", 14, (0.2, 0.5, 0.7), 0.01),
    ("pwrpx", 14, (0.15, 0.55, 0.85), 0.02),
    ("notbze", 14, (0.9, 0.3, 0.1), 0.02),
    ("notfin", 14, (0.85, 0.35, 0.15), 0.02),
    ("mrd", 10, (0.05, 0.4, 0.8), 0.04),
    ("mwr", 10, (0.03, 0.35, 0.6), 0.04),
    ("volt", 8, (0.8, 0.6, 0.4), 0.01),
    ("freq", 8, (0.3, 0.9, 1.0), 0.01),
    ("fan", 4, (0.2, 0.5, 0.8), 0.02),
    ("power", 20, (0.15, 0.6, 0.9), 0.015),
)
"""Groups of sensors: 158 columns, with the ambient temperature 159."""


@checked(n_rows=Interval(int, 200), fault_share=SHARE, noise=NOT_NEGATIVE)
def make_cluster(*, n_rows: int = 6_667, fault_share: float = 0.18, noise: float = 1.0, seed: int = 0) -> Dataset:
    """A computing cluster watched every five minutes: 159 correlated sensors, three modes, two kinds of fault.

    Modes (idle, steady, burst) last for hours; sensors of one group share the load of their processor; temperatures
    follow power with a delay. In fault 1 the processors' frequency is locked low, so that instructions per second fall
    although utilisation says busy; in fault 2 cooling fails: temperatures and fans rise at the same load. Both start
    after half of the rows, so that a chronological split trains on clean rows, as the lecture does. `classes` holds
    0 (normal), 1 and 2 (kind of fault); the numbers are arbitrary units between about 0 and 1.

    Parameters
    ----------
    n_rows : number of rows, at least 200 for modes and faults to appear; one every five minutes
    fault_share : approximate share of faulty rows
    noise : factor of the sensors' noise
    seed : of everything drawn

    >>> cluster = make_cluster(n_rows=600)
    >>> cluster.X.shape, np.unique(cluster.classes).tolist(), int(cluster.y[:300].sum())
    ((600, 159), [0, 1, 2], 0)
    """
    rng = np.random.default_rng([seed, 0xC105])
    mode = _modes(rng, n_rows)
    classes = _faults(rng, n_rows, fault_share)
    minutes = 5 * np.arange(n_rows)
    ambient = 0.4 + 0.15 * np.sin(2 * np.pi * minutes / 1440) + 0.02 * _wander(rng, n_rows)
    cooling = _delayed((classes == 2).astype(float), 0.05)  # heat builds up and leaves slowly
    columns: dict[str, np.ndarray] = {"ambient_temp": ambient}
    # each processor follows the mode in its own way
    activity = [1 + 0.18 * _wander(rng, n_rows) for _ in range(2)]
    load = 0.05 * _wander(rng, n_rows)
    for group, n_sensors, levels, spread in CLUSTER_GROUPS:
        base = np.array(levels)[mode]
        if group in ("temp", "fan", "power", "pwrpx"):
            base = _delayed(base, 0.3)
        for i in range(n_sensors):
            gain, share = rng.uniform(0.7, 1.2), rng.normal(1.0, 0.3)
            own = activity[i % 2] if group not in ("volt", "freq") else 1.0
            signal = gain * base * own + share * (-load if group.startswith("not") else load)
            signal = signal + 0.04 * _wander(rng, n_rows)
            if group == "temp":
                signal = signal + 0.3 * ambient + 0.35 * cooling * rng.uniform(0.8, 1.2)
            if group == "fan":
                signal = signal + 0.4 * cooling
            if group == "freq":
                signal = np.where(classes == 1, 0.35 * gain, signal)
            if group in ("ips", "cmbw") and i % 3 != 1:
                signal = np.where(classes == 1, 0.6 * signal, signal)
            columns[f"{group}_p{i % 2}_{i // 2}"] = signal + noise * spread * rng.normal(size=n_rows)
    time = np.datetime64("2025-03-03T00:00", "ns") + minutes.astype("timedelta64[m]")
    return Dataset(
        X=np.column_stack(list(columns.values())),
        columns=tuple(columns),
        y=(classes > 0).astype(np.int8),
        time=time,
        name="simulated cluster",
        split=chronological_split(time, (0.45, 0.225, 0.325)),
        train_on="normal",
        classes=classes,
    )


def _modes(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    mode = np.empty(n_rows, dtype=int)
    start = 0
    current = 1
    while start < n_rows:
        length = int(rng.gamma(4.0, 12.0)) + 6
        mode[start : start + length] = current
        current = int(rng.choice([m for m in range(3) if m != current]))
        start += length
    return mode


def _faults(rng: np.random.Generator, n_rows: int, share: float) -> np.ndarray:
    """Stretches of both kinds in the second half, together about `share` of all rows; never fewer than one each."""
    classes = np.zeros(n_rows, dtype=np.int64)
    first = n_rows // 2
    n_stretches = max(2, round((n_rows - first) / 550) * 2)
    length = max(int(share * n_rows / n_stretches), 3)
    slots = np.linspace(first, n_rows, n_stretches + 1).astype(int)
    for i, (low, high) in enumerate(itertools.pairwise(slots)):
        width = min(length, high - low - 1)
        start = int(rng.integers(low, high - width))
        classes[start : start + width] = 1 + i % 2
    return classes


def _wander(rng: np.random.Generator, n_rows: int) -> np.ndarray:
    """A stationary autoregressive signal of unit variance."""
    return _delayed(rng.normal(size=n_rows), 0.1) * np.sqrt(19.0)


def _delayed(signal: np.ndarray, rate: float) -> np.ndarray:
    """Exponential smoothing: what follows `signal` with a delay of about 1 / rate rows."""
    smoothed = np.empty(len(signal))
    level = signal[0]
    for i, value in enumerate(signal):
        level += rate * (value - level)
        smoothed[i] = level
    return smoothed


N_BENIGN, N_HARMFUL = 12, 8


@checked(
    n_rows=Interval(int, 100),
    share=SHARE,
    stuffing=NOT_NEGATIVE,
    stuffed_share=SHARE,
)
def make_malware(
    *, n_rows: int = 20_000, share: float = 0.02, stuffing: float = 1.0, stuffed_share: float = 0.5, seed: int = 0
) -> Dataset:
    """Programs as counts of strings (log scale): malware stuffed with strings of benign programs, as in lecture 003.

    Twelve features count strings that applications use, eight count strings of low-level work. Benign programs are
    applications (many of the first) or system tools (some of both, few of each); malware does much low-level work. A
    classifier sums evidence, so malware that copies the strings of an application (`stuffing` times) looks benign to
    it; but no benign program holds much of both, so its density is low. `y` marks malware; `classes` holds 0 benign,
    1 malware, 2 stuffed malware.

    Parameters
    ----------
    n_rows : number of programs, at least 100
    share : share of malware, stuffed or not
    stuffing : how many times the strings of an application are added to stuffed malware
    stuffed_share : share of the malware that is stuffed
    seed : of everything drawn

    >>> make_malware(n_rows=1000).X.shape
    (1000, 20)
    """
    rng = np.random.default_rng([seed, 0x3A1])
    n_malware = max(round(share * n_rows), 2)
    classes = np.zeros(n_rows, dtype=np.int64)
    classes[rng.permutation(n_rows)[:n_malware]] = 1
    malware = np.flatnonzero(classes == 1)
    classes[malware[: max(round(stuffed_share * n_malware), 1)]] = 2
    size = rng.gamma(8.0, 0.125, size=(n_rows, 1))  # large programs hold more of everything
    is_tool = rng.random(n_rows) < 0.2
    application = size * rng.uniform(0.5, 1.5, size=(2, N_BENIGN))[rng.integers(0, 2, size=n_rows)]
    tool = size * np.r_[np.full(4, 0.5), np.full(N_BENIGN - 4, 0.1)]
    benign = np.where(is_tool[:, None], tool, application)
    harmful = size * np.where(is_tool[:, None], rng.uniform(0.3, 1.1, size=(n_rows, N_HARMFUL)), 0.1)
    bad = classes > 0
    harmful[bad] = size[bad] * rng.uniform(0.5, 1.3, size=(int(bad.sum()), N_HARMFUL))
    benign[bad] = 0.1 * size[bad]
    stuffed = classes == 2
    benign[stuffed] += stuffing * application[stuffed]
    benign += 0.1 * rng.normal(size=benign.shape)
    harmful += 0.1 * rng.normal(size=harmful.shape)
    y = bad.astype(np.int8)
    return Dataset(
        X=np.column_stack([benign, harmful]),
        columns=tuple(f"benign string {i + 1}" for i in range(N_BENIGN))
        + tuple(f"harmful string {i + 1}" for i in range(N_HARMFUL)),
        y=y,
        name="simulated malware",
        split=random_split(n_rows, seed=seed, y=y),
        train_on="normal",
        classes=classes,
    )
