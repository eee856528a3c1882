"""`import flowlab` is a table of contents: each public name is there, and nothing heavy is loaded for it."""

import subprocess
import sys

import pytest

import flowlab


@pytest.mark.parametrize("name", flowlab.__all__)
def test_each_public_name_is_what_its_module_defines(name):
    value = getattr(flowlab, name)
    assert name in dir(flowlab)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Flow'"):
        flowlab.Flow  # noqa: B018


def test_modules_are_still_imported_by_from():
    code = "from flowlab import catalog, Moons; print(catalog.__name__, Moons.__name__)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "flowlab.catalog Moons\n"
