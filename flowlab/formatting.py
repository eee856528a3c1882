"""Format numbers, times and shares, and escape text, for sentences, figures and pages.

Numbers have thin spaces between groups of three digits and a true minus sign; `assets/common.js` writes them alike.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal

THIN = "\u2009"
"""Between groups of three digits."""
MINUS = "\u2212"
SMALL, LARGE = 1e-3, 1e7
"""Below the one and from the other on, numbers are written with an exponent."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:])")


_LIVE = re.compile(r"(?:https?|ftp|mailto|xmpp)(?=:)|www(?=\.)|@|:(?=[a-z+-][\w+/-]*:)", re.IGNORECASE)
"""What Markdown makes a link or a symbol of also where it is escaped."""
JOINER = "\u2060"
"""No letter, and takes no room: what it parts is not read as one word."""


def escaped(text: object) -> str:
    r"""The text as Markdown that reads as this text: no markup, no link, no picture; line breaks are blanks.

    For names, values and file names of users, and for every sentence that may hold one.

    >>> escaped("![x](http://a.b)").replace(JOINER, "|")
    '\\!\\[x\\]\\(http|\\://a\\.b\\)'
    """
    return _SPECIAL.sub(r"\\\1", _LIVE.sub(lambda found: found[0] + JOINER, str(text))).replace("\n", " ")


def count(n: int) -> str:
    """A count with thin separators.

    >>> count(20000) == "20\\u2009000"
    True
    """
    return f"{n:,}".replace(",", THIN)


def fixed(value: float, decimals: int = 3) -> str:
    """A number with so many decimals; from 1e7 on as 3.1e7, a dash for what is not finite.

    >>> fixed(-0.25) == "\\u22120.250", fixed(-0.0001), fixed(12345.678, 1) == "12\\u2009345.7"
    (True, '0.000', True)
    """
    if not math.isfinite(value):
        return "–"
    if abs(value) >= LARGE:
        return _exponential(value)
    text = f"{_rounded(value, decimals):,}".replace(",", THIN)
    return _sign(value, text) + text


def number(value: float) -> str:
    """A number with four significant digits; below 1e-3 and from 1e7 on with two, as 3.1e−5.

    >>> number(0.25), number(1234.5) == "1\\u2009235", number(3.14159), number(12_345_678)
    ('0.25', True, '3.142', '1.2e7')
    """
    if not math.isfinite(value):
        return "–"
    if value and (abs(value) < SMALL or abs(value) >= LARGE):
        return _exponential(value)
    if abs(value) >= 999.95:
        return fixed(value, 0)
    text = f"{_rounded(value, 3 - Decimal(value).adjusted() if value else 0):f}"
    return _sign(value, text) + (text.rstrip("0").rstrip(".") if "." in text else text)


def tick(value: float) -> str:
    """A number at a tick of an axis, two significant digits: 0.25, 350, 1.2e5.

    >>> tick(0.25), tick(350.0), tick(123456.0), tick(0.00021)
    ('0.25', '350', '1.2e5', '2.1e−4')
    """
    if value and (abs(value) < SMALL or abs(value) >= 1e4):
        return _exponential(value)
    return fixed(value, 0) if abs(value) >= 10 else f"{value:.2g}".replace("-", MINUS)


def _rounded(value: float, decimals: int) -> Decimal:
    """The size of a number with so many decimals, halves upwards, as JavaScript's toFixed rounds."""
    return Decimal(abs(value)).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def _sign(value: float, text: str) -> str:
    return MINUS if value < 0 and text.strip("0.") else ""


def _exponential(value: float) -> str:
    size = Decimal(abs(value))
    exponent = size.adjusted()
    mantissa = size.scaleb(-exponent).quantize(Decimal("0.1"), ROUND_HALF_UP)
    if mantissa >= 10:
        mantissa, exponent = Decimal("1.0"), exponent + 1
    return f"{MINUS if value < 0 else ''}{mantissa}e{exponent}".replace("-", MINUS)


def nats(value: float) -> str:
    """Nats with three decimals."""
    return "not finite" if not math.isfinite(value) else f"{fixed(value)} nats"


def above_the_truth(value: float, at_most: bool = False) -> str:
    """A distance from the exact density in nats, as every page says it.

    >>> above_the_truth(0.1312), above_the_truth(-0.002), above_the_truth(0.5, at_most=True)
    ('0.131 nats above the truth', '0.002 nats below the truth', 'at most 0.500 nats above the truth')
    """
    side = "below" if value < 0 else "above"
    return f"{'at most ' * at_most}{nats(abs(value))} {side} the truth"


def addend(value: float, decimals: int) -> str:
    """A number that follows others in a sum, its sign set apart: "+ 0.25", "− 0.25"."""
    return f"{MINUS if value < 0 else '+'} {fixed(abs(value), decimals)}"


def seconds(value: float) -> str:
    """A duration: "0.42 s", "4.8 s", "2 min 5 s"."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    return f"{count(int(value // 60))} min {int(value % 60)} s"


def brief_seconds(value: float) -> str:
    """A duration that may be short: "3.2 ms", else as of `seconds`; a dash where it is not known."""
    if not math.isfinite(value):
        return "–"
    return f"{1000 * value:.3g} ms" if value < 1 else seconds(value)


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{fixed(100 * share, 1)} %"


def short_percent(share: float) -> str:
    """A share as a percentage with three significant digits: "5 %", "0.125 %"."""
    return f"{100 * share:.3g} %"


def plain(value: float) -> str:
    """A number in a sentence, four significant digits: 12, 3.25, 82 727, 3.1e−5; infinity in a word.

    >>> plain(82727.3) == "82\\u2009727", plain(0.01), plain(2.0), plain(math.inf)
    (True, '0.01', '2', 'infinity')
    """
    return number(value) if not math.isinf(value) else f"{MINUS if value < 0 else ''}infinity"


def shortened(name: str, most: int = 30) -> str:
    """A name of at most `most` characters; its end tells alike ones apart, so the middle goes.

    >>> shortened("a name that is rather long", 10)
    'a na… long'
    """
    return name if len(name) <= most else f"{name[: most // 2 - 1]}…{name[-most // 2 :]}"


def plural(n: int, one: str, many: str = "") -> str:
    """ "1 row", "3 rows"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def loss(value: float, label: str) -> str:
    """A loss with the unit its label names in parentheses: "1.234 nats"."""
    unit = label.rpartition("(")[2].rstrip(")") if label.endswith(")") else ""
    return f"{fixed(value)} {unit}".strip()
