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
    return "not finite" if not math.isfinite(value) else f"{value:.3f} nats".replace("-", "\u2212")


def seconds(value: float) -> str:
    """A duration: "0.42 s", "4.8 s", "2 min 5 s"."""
    if value < 1:
        return f"{value:.2f} s"
    if value < 120:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60)} s"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def number(value: float) -> str:
    """A number with four significant digits; below 1e-3 and from 1e6 on with two, as 3.1e−5."""
    if value == 0 or not math.isfinite(value):
        return str(value)
    if abs(value) < 1e-3 or abs(value) >= 1e6:
        return f"{value:.1e}".replace("-", "\u2212")
    return f"{value:.4g}".replace("-", "\u2212")


def plural(n: int, one: str, many: str = "") -> str:
    """ "1 row", "3 rows"."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def loss(value: float, label: str) -> str:
    """A loss with the unit its label names in parentheses: "1.234 nats"."""
    unit = label.rpartition("(")[2].rstrip(")") if label.endswith(")") else ""
    return f"{value:.3f} {unit}".replace("-", "\u2212").strip()
