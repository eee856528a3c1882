"""The canvas scripts of assets/: unit tests in Node.js, how they are joined for the browser, and where colours live."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from flowlab.dashboard.canvas.component import ASSETS, join_modules, pack
from flowlab.plots import theme

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(ASSETS.glob("*.js"))
COMPONENTS = ["brush", "film", "layers", "live", "paint", "pixels", "race"]


@pytest.fixture
def node() -> str:
    path = shutil.which("node")
    if path is None:
        pytest.skip("Node.js is not installed: the unit tests of the canvas scripts did not run")
    return path


def run(*command: str, data: bytes = b"") -> str:
    done = subprocess.run(command, input=data, capture_output=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


def test_the_unit_tests_in_node(node):
    run(node, "--test", *map(str, sorted((ROOT / "tests" / "js").glob("*.test.js"))))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_each_script_is_a_module_that_loads_alone(node, script):
    run(node, "--input-type=module", "-e", f"await import({json.dumps(script.as_uri())});")


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_joined_module_loads_and_has_the_component_as_its_default(node, name, tmp_path):
    (tmp_path / "joined.mjs").write_text(join_modules(ASSETS / f"{name}.js"), encoding="utf-8")
    uri = json.dumps((tmp_path / "joined.mjs").as_uri())
    kind = run(node, "--input-type=module", "-e", f"console.log(typeof (await import({uri})).default)")
    assert kind.strip() == "function"


def test_javascript_reads_what_python_packs(node):
    half = np.array([[0.1, -2.0], [np.nan, 65504.0]], np.float16)
    block = pack({"step": 3, "loss": np.float64("nan")}, {"half": half, "count": np.array([7, 2**32 - 1], np.uint32)})
    code = (
        f"import {{ unpack }} from {json.dumps((ASSETS / 'common.js').as_uri())};"
        'import { readFileSync } from "node:fs";'
        "const read = unpack(readFileSync(0));"
        "console.log(JSON.stringify({ ...read, half: [...read.half], count: [...read.count] }));"
    )
    read = json.loads(run(node, "--input-type=module", "-e", code, data=block))
    assert read["step"] == 3 and read["loss"] is None
    assert read["half_shape"] == [2, 2] and read["count"] == [7, 2**32 - 1]
    assert read["half"] == [float(half[0, 0]), -2.0, None, 65504.0]


def test_modules_are_joined_once_and_before_those_that_need_them(tmp_path):
    (tmp_path / "a.js").write_text(
        'import { b } from "./b.js";\nimport {\n  c,\n} from "./c.js";\n\nexport default b(c);\n'
    )
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\n\nexport const b = (x) => x + c;\n')
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    lines = [line for line in join_modules(tmp_path / "a.js").splitlines() if line]
    assert lines == ["const c = 1;", "const b = (x) => x + c;", "export default b(c);"]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ('import { b } from "./d.js";\n', "", "a.js imports d.js, which is not there"),
        ('import { b } from "./b.js";\n', 'import { a } from "./a.js";\n', "a.js -> b.js -> a.js"),
        ('import { b as c } from "./b.js";\n', "", "a.js: cannot follow 'import { b as c }"),
        ('import * as b from "./b.js";\n', "", "a.js: cannot follow 'import [*] as b"),
        ('import { b } from "node:fs";\n', "", 'a.js: cannot follow \'import { b } from "node:fs"'),
        ('import { b } from "./b.js";\n', "export { b };\n", "b.js: cannot follow 'export { b }"),
        ('import { b } from "./b.js";\n', "export default 1;\n", "b.js: cannot follow 'export default 1"),
        (
            'import { b } from "./b.js";\nconst n = 1;\n',
            "export const b = 1;\nfunction n() {}\n",
            "a.js and b.js both have n at their top level",
        ),
    ],
)
def test_what_cannot_be_joined_is_said(tmp_path, a, b, message):
    (tmp_path / "a.js").write_text(a)
    (tmp_path / "b.js").write_text(b)
    with pytest.raises(ValueError, match=message):
        join_modules(tmp_path / "a.js")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_checked_short_and_without_colours_of_their_own(script):
    text = script.read_text(encoding="utf-8")
    assert text.startswith("// @ts-check\n")
    assert not re.findall(r"#[0-9A-Fa-f]{3,8}\b", text), "colours come from flowlab/plots/theme.py"
    assert max(map(len, text.splitlines())) <= 120


def test_scripts_read_only_colours_that_the_theme_has():
    typedef = re.search(r"@typedef \{object\} Colors\n(.*?)\*/", (ASSETS / "common.js").read_text(), re.DOTALL)
    names = set(re.findall(r"@property \{\S+\} (\w+)", typedef[1]))
    assert "anomaly" in names
    for colors in theme.canvas_colors().values():
        assert names <= set(colors)
