"""Every argument says what it is: the type checker reads it, and so do editors of those who use the library."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "app.py", *sorted((ROOT / "flowlab").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py"))]


def bare_arguments(code: str) -> list[str]:
    """The arguments without an annotation of every function in the code, but the first of methods: "line: name"."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            a = node.args
            arguments = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
            found += [
                f"{node.lineno}: {node.name}({argument.arg})"
                for argument in arguments
                if argument.annotation is None and argument.arg not in ("self", "cls")
            ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_arguments_are_annotated(path):
    assert not bare_arguments(path.read_text())


@pytest.mark.parametrize(
    "code, names",
    [
        ("def f(a: int, *, b: str = ''): ...", []),
        ("class C:\n    def f(self, a): ...", ["2: f(a)"]),
        ("def f(a: int, *rest, b=1, **more): ...", ["1: f(b)", "1: f(rest)", "1: f(more)"]),
    ],
)
def test_bare_arguments_are_found(code, names):
    assert bare_arguments(code) == names


def test_the_package_says_that_it_has_types():
    assert (ROOT / "flowlab" / "py.typed").is_file()
