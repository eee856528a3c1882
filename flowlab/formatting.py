"""Format numbers, times and shares, and escape text, for sentences, figures and pages."""

from __future__ import annotations

import math
import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:])")


def escaped(text: object) -> str:
    """The text with its Markdown escaped and line breaks as blanks: for names and values of the user's."""
    return _SPECIAL.sub(r"\\\1", str(text)).replace("\n", " ")


def count(n: int) -> str:
    """A count with thin separators.

    >>> count(20000) == "20\\u2009000"
    True
    """
    return f"{n:,}".replace(",", "\u2009")


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


def fixed(value: float, decimals: int = 3) -> str:
    """A number with so many decimals.

    >>> fixed(-0.25) == "\\u22120.250"
    True
    """
    return f"{value:.{decimals}f}".replace("-", "\u2212")


def addend(value: float, decimals: int) -> str:
    """A number that follows others in a sum, its sign set apart: "+ 0.25", "- 0.25"."""
    return f"{'-' if value < 0 else '+'} {abs(value):.{decimals}f}"


def seconds(value: float) -> str:
    """A duration: "0.42 s", "4.8 s", "2 min 5 s"."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def brief_seconds(value: float) -> str:
    """A duration that may be short: "3.2 ms", else as of `seconds`; a dash where it is not known."""
    if not math.isfinite(value):
        return "–"
    return f"{1000 * value:.3g} ms" if value < 1 else seconds(value)


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def short_percent(share: float) -> str:
    """A share as a percentage with three significant digits: "5 %", "0.125 %"."""
    return f"{100 * share:.3g} %"


def number(value: float) -> str:
    """A number with four significant digits; below 1e-3 and from 1e6 on with two, as 3.1e−5."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        return f"{value:.1e}".replace("-", "\u2212")
    return f"{value:.4g}".replace("-", "\u2212")


def plain(value: float) -> str:
    """A number as people type it, four significant digits and no special signs: 12, 3.25, 82,727, 3.1e-05.

    >>> plain(82727.3), plain(0.01), plain(3.14159), plain(2.0)
    ('82,727', '0.01', '3.142', '2')
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1e7 or 0 < abs(value) < 1e-3:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def tick(value: float) -> str:
    """A number at a tick of an axis, two significant digits: 0.25, 350, 1.2e5.

    >>> tick(0.25), tick(350.0), tick(123456.0), tick(0.00021)
    ('0.25', '350', '1.2e5', '2.1e-4')
    """
    if 10 <= abs(value) < 1e4:
        return f"{value:,.0f}"
    if value == 0 or 1e-3 <= abs(value) < 10:
        return f"{value:.2g}"
    return f"{value:.1e}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


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
