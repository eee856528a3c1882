"""How numbers read, to the character."""

import math

import pytest

from flowlab.formatting import addend, brief_seconds, fixed, loss, nats, plain, short_percent, shortened, tick


@pytest.mark.parametrize("value, text", [(1.23456, "1.235"), (-0.5, "\u22120.500"), (math.nan, "nan")])
def test_fixed_decimals_and_nats(value, text):
    assert fixed(value) == text
    assert nats(value) == (f"{text} nats" if math.isfinite(value) else "not finite")


@pytest.mark.parametrize("value, text", [(0.00321, "3.21 ms"), (1.0, "1.0 s"), (125, "2 min 5 s"), (math.nan, "–")])
def test_durations_may_be_short_or_unknown(value, text):
    assert brief_seconds(value) == text


def test_losses_take_the_unit_of_their_label():
    assert loss(-1.5, "negative log-likelihood (nats)") == "\u22121.500 nats"
    assert loss(0.25, "reconstruction error") == "0.250"


def test_terms_of_a_sum_have_their_sign_apart():
    assert [addend(v, 4) for v in (0.25, -0.25, 0.0)] == ["+ 0.2500", "- 0.2500", "+ 0.0000"]


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (-3.14159, "-3.142"),
        (82727.3, "82,727"),
        (12345678.0, "1.23e+07"),
        (0.0001, "0.0001"),
        (math.inf, "inf"),
    ],
)
def test_plain_numbers_can_be_typed_again(value, text):
    assert plain(value) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (0.257, "0.26"),
        (-12.4, "-12"),
        (9999.0, "9,999"),
        (1e4, "1.0e4"),
        (3e12, "3.0e12"),
        (-2e-5, "-2.0e-5"),
    ],
)
def test_ticks_are_short(value, text):
    assert tick(value) == text


def test_shares_and_names():
    assert [short_percent(share) for share in (0.05, 0.00125, 1 / 3)] == ["5 %", "0.125 %", "33.3 %"]
    assert shortened("x" * 30) == "x" * 30
    name = "Spline flow, layers 8, a long text"
    assert len(shortened(name)) <= 30 and shortened(name).startswith("Spline flow") and shortened(name).endswith("text")
