"""Numbers in sentences: filled in where a lesson names them, and compared with what the lesson claims of them."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

from flowlab import formatting

NAMED = re.compile(r"\{([a-z][a-z0-9_]*)\.([a-z][a-z0-9_]*)(?::([^{}]*))?\}")
"""A number in a text: {block.number} or {block.number:.3f}. Braces of formulas hold no dot between two names."""

PENDING = "…"
"""Stands for the number of a run that has not been trained here."""

_COMPARE: dict[type, Callable[[float, float], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
}  # fmt: skip
_COMBINE: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def written(value: float, spec: str = "") -> str:
    """A number as a sentence has it: ".3f" decimals, ".1%" percent, "d" a count, "s" seconds, "" four digits.

    >>> written(0.1234, ".2f"), written(0.5, ".1%"), written(20000, "d"), written(0.25)
    ('0.12', '50.0 %', '20\\u2009000', '0.25')
    """
    if spec.endswith("f"):
        return formatting.fixed(value, int(spec[1:-1]))
    if spec.endswith("%"):
        return f"{formatting.fixed(100 * value, int(spec[1:-1]))} %"
    if spec == "d":
        return formatting.count(round(value)) if math.isfinite(value) else "–"
    if spec == "s":
        return formatting.brief_seconds(value)
    if spec:
        raise ValueError(f"a number is written as .3f, .1%, d or s, not {spec!r}")
    return formatting.plain(value)


def fill(text: str, blocks: Mapping[str, Mapping[str, float] | None]) -> str:
    """The text with its numbers, those of each block by name; a block that is None has none yet.

    KeyError where a text names a block or a number that does not exist.

    >>> fill("It is {cell.width:.1f} wide, {run.gap} nats off.", {"cell": {"width": 2}, "run": None})
    'It is 2.0 wide, … nats off.'
    """

    def number(match: re.Match[str]) -> str:
        block = blocks[match[1]]
        return PENDING if block is None else written(block[match[2]], match[3] or "")

    return NAMED.sub(number, text)


def holds(claim: str, values: Mapping[str, float]) -> bool:
    """Whether a claim such as "0.9 < caught <= 1" or "abs(mean - 2) < 0.1" is true of these numbers.

    ValueError for anything but comparisons of sums and products, KeyError for a number that does not exist.

    >>> holds("caught < 0.2", {"caught": 0.1}), holds("2 * width > area", {"width": 2.0, "area": 4.0})
    (True, False)
    """
    tree = ast.parse(claim.strip(), mode="eval").body
    if not isinstance(tree, ast.Compare):
        raise ValueError(f"a claim compares numbers, which {claim!r} does not")
    sides = [_value(side, values, claim) for side in (tree.left, *tree.comparators)]
    return all(_COMPARE[type(op)](sides[i], sides[i + 1]) for i, op in enumerate(tree.ops))


def _value(node: ast.expr, values: Mapping[str, float], claim: str) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return values[f"{node.value.id}.{node.attr}"]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, values, claim)
    if isinstance(node, ast.BinOp) and type(node.op) in _COMBINE:
        return _COMBINE[type(node.op)](_value(node.left, values, claim), _value(node.right, values, claim))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs":
        return abs(_value(node.args[0], values, claim))
    raise ValueError(f"the claim {claim!r} holds more than numbers, sums, products and abs()")
