"""The flow that finds blank walls likelier, after a few steps already; what its scores are made of."""

import numpy as np
import pytest

from flowlab.images.complexity import coded_bits
from flowlab.images.pixels import rows_of
from flowlab.models.images import scores
from flowlab.teaching.exhibits import image_laboratory, image_paradox
from flowlab.teaching.exhibits.image_paradox import (
    image_copies,
    image_cures,
    image_extremes,
    image_scales,
)


@pytest.fixture(scope="module", autouse=True)
def laboratory():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_laboratory, "N_STEPS", 60)
        patch.setattr(image_laboratory, "N_TRIED", 300)
        caches = (image_laboratory.laboratory, image_paradox._checkerboard, image_cures)
        for cached in caches:
            cached.cache_clear()
        yield image_laboratory.laboratory()
        for cached in caches:
            cached.cache_clear()


def test_row_51_pictures_outside_are_scored_by_low_likelihood():
    found = image_paradox.image_paradox("noise")
    assert found.auroc > 0.95 and found.bits_outside > found.bits_inside


@pytest.mark.parametrize("outside", ["flower", "constant", "blurred"])
def test_row_52_three_kinds_of_pictures_are_likelier_than_what_was_learned(outside):
    assert image_paradox.image_paradox(outside).auroc < 0.5


def test_row_59_structured_pictures_rank_above_the_median_of_the_learned():
    assert image_paradox.image_paradox("constant").likelier > 0.8
    assert image_paradox.image_paradox("blurred").likelier > 0.5


def test_row_54_latent_pictures_still_show_the_picture():
    assert 0.2 < image_copies().latent_correlation <= 1


def test_row_55_minus_the_shift_follows_the_masked_pixels():
    found = image_copies()
    assert found.correlation > 0.2
    assert len(found.sheet) == 48


def test_row_63_the_ratio_is_the_difference_of_both_scores(laboratory):
    X = laboratory.rows("flower")
    expected = laboratory.general.score_samples(X) - laboratory.flow.score_samples(X)
    assert laboratory.scored("flower", "ratio") == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("outside", ["constant", "noise"])
def test_row_67_the_scales_add_up_to_the_log_likelihood(outside):
    assert image_scales(outside).error < 1e-4


def test_row_68_the_table_holds_every_score_against_everything_outside():
    found = image_cures()
    assert found.table.shape == (6, 6) and ((found.table >= 0) & (found.table <= 1)).all()
    assert found.table[0, 0] == pytest.approx(image_paradox.image_paradox("flower").auroc)


def test_row_69_complexity_subtracts_the_bits_of_the_compressed_picture(laboratory):
    X = laboratory.rows("inside")[:20]
    nats = coded_bits(laboratory.pictures["inside"][:20], "zlib") * np.log(2)
    assert laboratory.scored("inside", "complexity")[:20] == pytest.approx(
        laboratory.flow.anomaly_score(X) - nats, abs=1e-6
    )


def test_row_70_scales_are_scored_raw_and_as_a_difference(laboratory):
    raw, difference = (laboratory.scored("flower", score) for score in ("last_scale", "last_ratio"))
    general = scores.scale_scores(laboratory.general, laboratory.rows("flower"))[:, -1]
    assert raw - difference == pytest.approx(general, abs=1e-9)


def test_row_72_each_score_has_its_own_extremes():
    first, second = image_extremes("likelihood"), image_extremes("ratio")
    assert (first.sheet.pictures == image_extremes("likelihood").sheet.pictures).all()
    assert not (first.sheet.pictures == second.sheet.pictures).all()


def test_nothing_that_is_tried_was_trained_on(laboratory):
    tried = {row.tobytes() for row in rows_of(laboratory.pictures["inside"]) if row.std() > 0.05}
    assert not tried & {row.tobytes() for row in laboratory.train}
