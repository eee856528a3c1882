"""How numbers read, to the character, in Python and in the canvas scripts."""

import json
import math
import shutil
import subprocess
from pathlib import Path

import pytest

from flowlab.formatting import (
    addend,
    brief_seconds,
    count,
    fixed,
    loss,
    nats,
    number,
    percent,
    plain,
    plural,
    short_percent,
    shortened,
    tick,
)

COMMON = Path(__file__).resolve().parents[1] / "assets" / "common.js"


@pytest.mark.parametrize("value, text", [(1.23456, "1.235"), (-0.5, "\u22120.500"), (math.nan, "–"), (-1e-9, "0.000")])
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
    assert [addend(v, 4) for v in (0.25, -0.25, 0.0)] == ["+ 0.2500", "\u2212 0.2500", "+ 0.0000"]


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (-3.14159, "\u22123.142"),
        (82727.3, "82\u2009727"),
        (999.96, "1\u2009000"),
        (12345678.0, "1.2e7"),
        (0.0001, "1.0e\u22124"),
        (-math.inf, "\u2212infinity"),
    ],
)
def test_plain_numbers_have_four_digits(value, text):
    assert plain(value) == text


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0"),
        (0.257, "0.26"),
        (-12.4, "\u221212"),
        (9999.0, "9\u2009999"),
        (1e4, "1.0e4"),
        (3e12, "3.0e12"),
        (-2e-5, "\u22122.0e\u22125"),
    ],
)
def test_ticks_are_short(value, text):
    assert tick(value) == text


def test_shares_and_names():
    assert [short_percent(share) for share in (0.05, 0.00125, 1 / 3)] == ["5 %", "0.125 %", "33.3 %"]
    assert shortened("x" * 30) == "x" * 30
    name = "Spline flow, layers 8, a long text"
    assert len(shortened(name)) <= 30 and shortened(name).startswith("Spline flow") and shortened(name).endswith("text")


VALUES = [
    *(0.0, -0.0, 0.5, -0.5, 1.0, 1.5, 2.5, -2.5, 0.125, 0.0625, 0.0005, 0.00049, -0.0004, 0.29949, 2.0615, -35.2),
    *(1e-3, 9.99e-4, 2.5e-5, -3.1e-5, 99.96, 999.4, 999.6, 999.96, -999.96, 1000.0, 1234.5, -1234.5, 16_000),
    *(82_727.3, 123_456.789, 9_999_999.4, 9_999_999.9, 1e7, 1.25e7, 9.96e7, -3e12, 1.7e300, 5e-300),
    *(math.nan, math.inf, -math.inf),
]


def test_python_and_the_canvases_write_numbers_alike():
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed: numbers of the canvas scripts were not compared")
    code = (
        f"import {{ number, percent, plural, thin }} from {json.dumps(COMMON.as_uri())};"
        'import { readFileSync } from "node:fs";'
        'const values = JSON.parse(readFileSync(0, "utf8")).map(Number);'
        "console.log(JSON.stringify(values.map((v) => [thin(v), thin(v, 1), thin(v, 3), number(v), percent(v)])"
        '.concat([0, 1, 2, 20000].map((n) => [thin(n), plural(n, "row")]))));'
    )
    texts = [{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(v), str(v)) for v in VALUES]
    done = subprocess.run(
        [node, "--input-type=module", "-e", code], input=json.dumps(texts), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    expected = [[fixed(v, 0), fixed(v, 1), fixed(v), number(v), percent(v)] for v in VALUES]
    expected += [[count(n), plural(n, "row")] for n in (0, 1, 2, 20000)]
    assert json.loads(done.stdout) == expected
