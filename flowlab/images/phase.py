"""Amplitude and phase of pictures: how strong each wave is, and where it stands."""

from __future__ import annotations

import numpy as np


def spectrum(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amplitude and phase (n, height, width, channels) of pictures, by the discrete Fourier transform of each channel.

    >>> pictures = np.random.default_rng(0).random((2, 8, 8, 1))
    >>> bool(np.allclose(from_spectrum(*spectrum(pictures)), pictures))
    True
    """
    waves = np.fft.fft2(pictures, axes=(1, 2))
    return np.abs(waves), np.angle(waves)


def from_spectrum(amplitude: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Pictures (n, height, width, channels) of an amplitude and a phase; `spectrum` is the inverse."""
    return np.real(np.fft.ifft2(amplitude * np.exp(1j * phase), axes=(1, 2)))


def mixed(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Pictures with the phase of the `first` and an amplitude of which so large a share is the `second`'s."""
    own, phase = spectrum(first)
    return from_spectrum((1 - share) * own + share * spectrum(second)[0], phase)


def amplitude_only(pictures: np.ndarray) -> np.ndarray:
    """Pictures of their amplitude alone: each phase is zero, so that all waves meet in one corner."""
    return from_spectrum(spectrum(pictures)[0], np.zeros(pictures.shape))


def phase_only(pictures: np.ndarray, amplitude: np.ndarray) -> np.ndarray:
    """Pictures of their phase alone, with one `amplitude` (height, width, channels) for all of them."""
    return from_spectrum(amplitude[None], spectrum(pictures)[1])
