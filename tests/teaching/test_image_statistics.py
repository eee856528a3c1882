"""What a picture's likelihood follows: its amplitude, and how few bits it takes."""

import io
import zlib

import numpy as np
from PIL import Image

from flowlab.images.complexity import NeighbourDifferences, coded_bits
from flowlab.images.families import noise
from flowlab.images.phase import from_spectrum, mixed, spectrum
from flowlab.ranking import spearman_matrix
from flowlab.teaching.exhibits.image_statistics import complexity, draw_complexity, draw_phase, phase


def test_row_80_the_likelihood_follows_the_amplitude_and_not_the_phase():
    result = phase(first=5, second=60, share=0.5)
    assert result.follows_amplitude > 0.8 and abs(result.follows_phase) < 0.35
    assert result.log_likelihood[10] == result.here
    assert len(draw_phase(result).layout.images) == 6


def test_row_81_amplitude_and_phase_together_give_the_picture_back():
    pictures = np.random.default_rng(0).random((3, 8, 8, 3))
    amplitude, angle = spectrum(pictures)
    assert np.allclose(from_spectrum(amplitude, angle), pictures)
    assert np.allclose(mixed(pictures[:1], pictures[1:2], 0.0), pictures[:1])
    assert np.allclose(spectrum(mixed(pictures[:1], pictures[1:2], 1.0))[0], amplitude[1:2], atol=1e-9)
    assert phase().error < 1e-9


def test_row_69_bits_are_those_of_the_file():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pictures[0, :, :, 0]).save(out, "PNG")
    assert coded_bits(pictures)[0] == 8 * len(out.getvalue())
    assert coded_bits(pictures, "zlib")[1] == 8 * len(zlib.compress(pictures[1].tobytes(), 9))
    result = complexity()
    assert result.constant < result.photograph < result.noise and result.likelier == 1
    assert len(draw_complexity(result).data) == len(result.names) == 9


def test_the_likelihood_of_differences_is_a_sum_over_the_neighbours_that_were_counted():
    pictures = noise(np.zeros((500, 8, 8, 1), np.uint8), np.random.default_rng(0))
    counted = NeighbourDifferences.of(pictures)
    assert np.isclose(np.exp(counted.log_probability).sum(), 1)
    triangle = (256 - np.abs(np.arange(-255, 256))) / 256**2
    assert spearman_matrix(np.column_stack([counted.log_probability, triangle]))[0, 1] > 0.9, (
        "two uniform pixels differ by a triangular law"
    )
    one = pictures[:1].astype(int)[0, :, :, 0]
    by_hand = sum(counted.log_probability[step + 255] for axis in (0, 1) for step in np.diff(one, axis=axis).ravel())
    assert np.isclose(counted.log_likelihood(pictures[:1])[0], by_hand)
