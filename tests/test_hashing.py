"""The one hash of the house, against values taken from the four functions it replaced."""

import numpy as np
import pytest

from flowlab.hashing import GOLDEN, row_hashes, splitmix64, stream_seed
from flowlab.models.autoencoders.variational import _draws_of_rows
from flowlab.models.classical.trivial import RandomScore

NUMBERS = [0, 1, 2, GOLDEN, 2**64 - 1]
MIXED = [0x0, 0x5692161D100B05E5, 0xDBD238973A2B148A, 0xE220A8397B1DCDAF, 0xB4D055FCF2CBBD7B]
STEPPED = [0xE220A8397B1DCDAF, 0x910A2DEC89025CC1, 0x975835DE1C9756CE, 0x6E789E6AA1B965F4, 0xE4D971771B652C20]


def test_arrays_and_numbers_are_mixed_alike():
    assert splitmix64(np.array(NUMBERS, np.uint64)).tolist() == [splitmix64(z) for z in NUMBERS] == MIXED


def test_an_array_is_mixed_in_place():
    z = np.array(NUMBERS, np.uint64)
    assert splitmix64(z) is z and z.tolist() == MIXED


def test_one_step_of_the_generator():
    assert splitmix64(np.array(NUMBERS, np.uint64) + np.uint64(GOLDEN)).tolist() == STEPPED


@pytest.mark.parametrize(
    "key, seed",
    [
        ((0, 1, 0), 8754807190040728371),
        ((0, 2, 0), 1521802938161714507),
        ((7, 1, 3), 8560578590060531068),
        ((7, 2, 12345), 3282922719800003370),
        ((999999999, 2, 10**6), 8711779827978574748),
    ],
)
def test_seeds_of_the_training_loop_are_those_of_before(key, seed):
    assert stream_seed(*key) == seed


def test_random_scores_are_those_of_before():
    X = np.arange(6.0).reshape(3, 2)
    found = RandomScore(3).fit(X).score_samples(X)
    assert found.tolist() == [-0.6007628430950885, -0.28678768106110886, -0.6691703559664699]


def test_draws_of_a_row_are_those_of_before():
    found = _draws_of_rows(np.arange(4.0).reshape(2, 2), 2, 2)
    expected = [
        [[-1.152494286801129, 0.663899069482322], [0.3174766110888687, -0.6851566301715704]],
        [[2.5814080697725164, 0.3878712317118956], [-0.012332697419554691, -1.0323916724113031]],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_row_hashes_tell_columns_seeds_and_rows_apart():
    X = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    first, second, third = row_hashes(X).tolist()
    assert first == third != second and row_hashes(X, seed=1)[0] != first
