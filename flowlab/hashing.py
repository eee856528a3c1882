"""One hash for everything random that must depend on nothing but a number: the mixing function of splitmix64."""

from __future__ import annotations

from typing import overload

import numpy as np

GOLDEN = 0x9E3779B97F4A7C15
"""What splitmix64 adds to its state before each output: 2^64 over the golden ratio, made odd."""
_MASK = 2**64 - 1


@overload
def splitmix64(z: np.ndarray) -> np.ndarray: ...


@overload
def splitmix64(z: int) -> int: ...


def splitmix64(z: np.ndarray | int) -> np.ndarray | int:
    """Mix 64 bits so that neighbouring numbers become unrelated ones (Steele, Lea & Flood 2014); one to one.

    The n-th output of the generator seeded with s is `splitmix64(s + n * GOLDEN)`, modulo 2^64.

    Parameters
    ----------
    z : uint64 array of any shape, which is overwritten, or an int from 0 to 2^64 - 1

    Returns
    -------
    The same array, or an int from 0 to 2^64 - 1.

    >>> [hex(splitmix64(n * GOLDEN % 2**64)) for n in (1, 2)]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> shift
        z *= factor
        if isinstance(z, int):
            z &= _MASK
    z ^= z >> 31
    return z


def stream_seed(seed: int, stream: int, index: int) -> int:
    """A 63-bit seed for number `index` of a stream: each (seed, stream, index) has its own.

    >>> stream_seed(7, 1, 3)
    8560578590060531068
    """
    return splitmix64((seed * GOLDEN + stream * 0xBF58476D1CE4E5B9 + index * 0x94D049BB133111EB) & _MASK) >> 1


def row_hashes(X: np.ndarray, seed: int = 0) -> np.ndarray:
    """A 64-bit hash of each row of X (n_rows, n_features) float64, (n_rows,): equal rows, equal hashes.

    >>> row_hashes(np.array([[0.0], [-0.0], [1.0]])).tolist() == row_hashes(np.array([[-0.0], [0.0], [1.0]])).tolist()
    True
    """
    hashes = np.full(len(X), np.uint64(seed & _MASK))
    for bits in np.ascontiguousarray((X + 0.0).T).view(np.uint64):  # + 0.0 makes -0.0 the same number as 0.0
        hashes = splitmix64((hashes ^ bits) + np.uint64(GOLDEN))
    return hashes
