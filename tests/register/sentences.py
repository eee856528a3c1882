"""Find the sentences that modules say to people, with {} for each value in them.

A sentence is a string of five words or more, or of three or more that ends like one. Not counted are docstrings,
messages of exceptions, and what explains a control or a picture (`help=`, `alt=`, `placeholder=`): all of these say
what a thing is, not what was found. Pieces joined by `+` are one sentence; a piece that is chosen by an expression
inside an f-string is one of its own where it is long enough.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LEAST_WORDS, LEAST_WORDS_CLOSED, LEAST_WORDS_OF_HEADLINES = 5, 3, 2
"""Fewest words of a sentence: of any, of one that ends like a sentence, of any in a headline."""
HEADLINES = ("headline.py",)
"""Modules whose short pieces are joined to a sentence with dots between them."""
SILENT_KEYWORDS = {"help", "alt", "placeholder"}
_WORD = re.compile(r"[^\W\d_][\w’'²-]*")


def sentences_of(path: Path) -> list[str]:
    """The sentence templates in a module, each once, in the order of its lines.

    >>> import tempfile
    >>> code = 'def f(n):\\n    "This one is a docstring."\\n    return f"There are {n:,} rows " + "here."'
    >>> with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
    ...     _ = file.write(code)
    ...     file.flush()
    ...     sentences_of(Path(file.name))
    ['There are {} rows here.']
    """
    least = LEAST_WORDS_OF_HEADLINES if path.name in HEADLINES else LEAST_WORDS
    return list(dict.fromkeys(_sentences(ast.parse(path.read_text(encoding="utf-8")), least)))


def _sentences(node: ast.AST, least: int) -> Iterator[str]:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if is_docstring or isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.keyword) and node.arg in SILENT_KEYWORDS:
        return
    text = _template(node)
    if text is None:
        for child in ast.iter_child_nodes(node):
            yield from _sentences(child, least)
        return
    n_words = len(_WORD.findall(text))
    if n_words >= least or (n_words >= LEAST_WORDS_CLOSED and text.rstrip().endswith((".", "?", ":"))):
        yield text
    for value in _values(node):
        yield from _sentences(value, least)


def _template(node: ast.AST) -> str | None:
    """The text of a string, an f-string, or a sum that contains one, {} for what is put in; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{}" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [_template(node.left), _template(node.right)]
        return None if parts == [None, None] else "".join("{}" if part is None else part for part in parts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("strip", "rstrip"):
        return _template(node.func.value)
    return None


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """What is put into a template."""
    if isinstance(node, ast.JoinedStr):
        yield from (v.value for v in node.values if isinstance(v, ast.FormattedValue))
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            yield from [side] if _template(side) is None else _values(side)
    elif isinstance(node, ast.Call):
        yield from _values(node.func.value)
