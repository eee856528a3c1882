"""The spline's three passes as numba kernels: one loop over points instead of some sixty small tensor operations.

Formulas and names are those of `spline`. The softmax stays in PyTorch, which vectorises it; the softplus is taken
here, of the two knots that matter. Arrays are x, y, g (n, batch); shares (2, K, n, batch), softmax of widths and
heights; slopes (K - 1, n, batch), raw; saved (5, n, batch); bin (n, batch) int32, -1 outside the interval. Everything
is of one dtype, float32 or float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np

MIN_BIN = 1e-3
MIN_DERIVATIVE = 1e-3

# No "nnan" and "ninf": a NaN must stay one, so that the training loop can detect it.
_FAST = {"contract", "reassoc", "arcp", "nsz", "afn"}


def _compile(function: Callable) -> Callable:
    """Compiled at the first call; the machine code is kept on disk where that can be written."""
    try:
        return numba.njit(function, fastmath=_FAST, error_model="numpy", cache=True, nogil=True)
    except RuntimeError:  # numba found no writable place for its cache
        return numba.njit(function, fastmath=_FAST, error_model="numpy", nogil=True)


@_compile
def softplus(r: float) -> float:
    """log(1 + e^r) without overflow; r - r is a zero of the type of r."""
    return max(r, r - r) + math.log1p(math.exp(-abs(r)))


@_compile
def forward(
    x: np.ndarray,
    shares: np.ndarray,
    slopes: np.ndarray,
    y: np.ndarray,
    log_det: np.ndarray,
    saved: np.ndarray,
    bin_: np.ndarray,
    bound: float,
):
    """Fill `y` and `log_det` from `x`, and `saved` and `bin_` for `backward`; `bound` is the tail bound."""
    one = x.dtype.type(1)
    n_bins, n, batch = shares.shape[1], x.shape[0], x.shape[1]
    bound = x.dtype.type(bound)
    low = x.dtype.type(2 * bound * MIN_BIN)
    scale = x.dtype.type(2 * bound * (1 - MIN_BIN * n_bins))
    floor = x.dtype.type(MIN_DERIVATIVE)
    two = x.dtype.type(2)
    for i in range(n):
        for b in range(batch):
            v = x[i, b]
            if v <= -bound or v >= bound:
                y[i, b] = v
                log_det[i, b] = 0
                bin_[i, b] = -1
                continue
            left, bottom, k = -bound, -bound, 0
            width = low + scale * shares[0, 0, i, b]
            while k < n_bins - 1 and v >= left + width:
                left += width
                bottom += low + scale * shares[1, k, i, b]
                k += 1
                width = low + scale * shares[0, k, i, b]
            height = low + scale * shares[1, k, i, b]
            d0 = softplus(slopes[k - 1, i, b]) + floor if k > 0 else one
            d1 = softplus(slopes[k, i, b]) + floor if k < n_bins - 1 else one
            theta = (v - left) / width
            if theta > one:
                theta = one
            rest = one - theta
            m, delta = theta * rest, height / width
            den = delta + (d0 + d1 - two * delta) * m
            y[i, b] = bottom + height * (delta * theta * theta + d0 * m) / den
            ratio = delta / den
            log_det[i, b] = math.log(ratio * ratio * (d1 * theta * theta + two * delta * m + d0 * rest * rest))
            bin_[i, b] = k
            saved[0, i, b] = width
            saved[1, i, b] = height
            saved[2, i, b] = d0
            saved[3, i, b] = d1
            saved[4, i, b] = theta


@_compile
def backward(
    g: np.ndarray,
    log_det_gradient: np.ndarray,
    shares: np.ndarray,
    saved: np.ndarray,
    bin_: np.ndarray,
    raw_gradient: np.ndarray,
    bound: float,
):
    """`g` goes in as d loss / d y and comes out as d loss / d x; raw_gradient is (3K - 1, n, batch)."""
    one, two, zero = g.dtype.type(1), g.dtype.type(2), g.dtype.type(0)
    n_bins, n, batch = shares.shape[1], g.shape[0], g.shape[1]
    scale = g.dtype.type(2 * bound * (1 - MIN_BIN * n_bins))
    c = g.dtype.type(log_det_gradient)
    floor = g.dtype.type(MIN_DERIVATIVE)
    for i in range(n):
        for b in range(batch):
            k = bin_[i, b]
            if k < 0:
                for j in range(3 * n_bins - 1):
                    raw_gradient[j, i, b] = zero
                continue
            gy = g[i, b]
            width, height = saved[0, i, b], saved[1, i, b]
            d0, d1, theta = saved[2, i, b], saved[3, i, b], saved[4, i, b]
            rest, theta2, turn = one - theta, theta * theta, one - two * theta
            m, delta = theta * rest, height / width
            curve = d0 + d1 - two * delta
            den = delta + curve * m
            chord = delta * theta2 + d0 * m
            g_num = gy / den
            g_den = -(g_num * height * chord + two * c) / den
            g_dn = c / (d1 * theta2 + two * delta * m + d0 * rest * rest)
            g_num_h = g_num * height
            g_delta = g_num_h * theta2 + g_den * (one - two * m) + g_dn * two * m + two * c / delta
            g_theta = (
                g_num_h * (two * delta * theta + d0 * turn)
                + g_den * curve * turn
                + g_dn * two * (d1 * theta + delta * turn - d0 * rest)
            )
            g_d0 = (g_num_h + g_den) * m + g_dn * rest * rest
            g_d1 = g_den * m + g_dn * theta2
            g_height = g_num * chord + g_delta / width
            g_width = -(g_delta * delta + g_theta * theta) / width
            gx = g_theta / width
            g[i, b] = gx
            mean_w, mean_h = g_width * shares[0, k, i, b], g_height * shares[1, k, i, b]
            for j in range(k):
                mean_w -= gx * shares[0, j, i, b]
                mean_h += gy * shares[1, j, i, b]
            for j in range(n_bins):
                gw = -gx if j < k else (g_width if j == k else zero)
                gh = gy if j < k else (g_height if j == k else zero)
                raw_gradient[j, i, b] = scale * shares[0, j, i, b] * (gw - mean_w)
                raw_gradient[n_bins + j, i, b] = scale * shares[1, j, i, b] * (gh - mean_h)
            for j in range(n_bins - 1):
                raw_gradient[2 * n_bins + j, i, b] = zero
            # d softplus(r) / d r = sigmoid(r) = 1 - exp(-softplus(r))
            if k > 0:
                raw_gradient[2 * n_bins + k - 1, i, b] = g_d0 * (one - math.exp(floor - d0))
            if k < n_bins - 1:
                raw_gradient[2 * n_bins + k, i, b] = g_d1 * (one - math.exp(floor - d1))


@_compile
def inverse(y: np.ndarray, shares: np.ndarray, slopes: np.ndarray, x: np.ndarray, log_det: np.ndarray, bound: float):
    """Fill `x` and `log_det`, the log-derivative of the inverse, from `y`; `bound` is the tail bound."""
    one, two, zero, four = y.dtype.type(1), y.dtype.type(2), y.dtype.type(0), y.dtype.type(4)
    n_bins, n, batch = shares.shape[1], y.shape[0], y.shape[1]
    bound = y.dtype.type(bound)
    low = y.dtype.type(2 * bound * MIN_BIN)
    scale = y.dtype.type(2 * bound * (1 - MIN_BIN * n_bins))
    floor = y.dtype.type(MIN_DERIVATIVE)
    for i in range(n):
        for b in range(batch):
            v = y[i, b]
            if v <= -bound or v >= bound:
                x[i, b] = v
                log_det[i, b] = 0
                continue
            left, bottom, k = -bound, -bound, 0
            height = low + scale * shares[1, 0, i, b]
            while k < n_bins - 1 and v >= bottom + height:
                left += low + scale * shares[0, k, i, b]
                bottom += height
                k += 1
                height = low + scale * shares[1, k, i, b]
            width = low + scale * shares[0, k, i, b]
            d0 = softplus(slopes[k - 1, i, b]) + floor if k > 0 else one
            d1 = softplus(slopes[k, i, b]) + floor if k < n_bins - 1 else one
            delta = height / width
            curve = d0 + d1 - two * delta
            u = v - bottom
            a2, a1, a0 = u * curve + height * (delta - d0), height * d0 - u * curve, delta * u
            inner = a1 * a1 + four * a2 * a0
            theta = two * a0 / (a1 + math.sqrt(inner if inner > zero else zero))
            if theta > one:
                theta = one
            if theta < zero:
                theta = zero
            rest = one - theta
            m = theta * rest
            ratio = delta / (delta + curve * m)
            x[i, b] = left + theta * width
            slope = ratio * ratio * (d1 * theta * theta + two * delta * m + d0 * rest * rest)
            log_det[i, b] = -math.log(slope)
