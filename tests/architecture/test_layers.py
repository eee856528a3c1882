"""The architecture as code: who may import whom, and which heavy dependency has which door."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flowlab

ROOT = Path(__file__).parents[2]

HEAVY = {
    "torch": ("flowlab/nets/",),
    "nflows": ("flowlab/nets/nflows.py",),
    "numba": ("flowlab/nets/",),
    "sklearn": (
        "flowlab/models/", "flowlab/datasets/", "flowlab/encoding/", "flowlab/detection/", "flowlab/evaluation/",
        "flowlab/explain/", "flowlab/images/",
    ),
    "PIL": ("flowlab/images/",),
    "plotly": ("flowlab/plots/", "flowlab/teaching/"),
    "sqlalchemy": ("flowlab/tables/database.py",),
    "xlsxwriter": ("flowlab/tables/workbook.py",),
    "starlette": ("flowlab/dashboard/launcher.py", "flowlab/serving/http.py"),
    "uvicorn": ("flowlab/commands/serve.py",),
    "streamlit": ("app.py", "pages/", "flowlab/dashboard/"),
    "dask": ("flowlab/jobs/",),
    "distributed": ("flowlab/jobs/",),
    "concurrent": ("flowlab/jobs/", "flowlab/tables/threads.py"),
    "multiprocessing": ("flowlab/jobs/",),
}  # fmt: skip
"""Dependency -> where it may be imported."""

LAYERS = [
    (
        "flowlab.records",
        "flowlab.formatting",
        "flowlab.hashing",
        "flowlab.ranking",
        "flowlab.columns",
        "flowlab.constraints",
        "flowlab.app_folder",
        "flowlab.log_lines",
    ),
    ("flowlab.controls",),
    ("flowlab.tables",),
    ("flowlab.encoding",),
    ("flowlab.datasets",),
    ("flowlab.toys",),
    ("flowlab.images",),
    ("flowlab.store",),
    ("flowlab.nets",),
    ("flowlab.models",),
    ("flowlab.detection",),
    ("flowlab.explain", "flowlab.evaluation"),
    ("flowlab.catalog",),
    ("flowlab.views",),
    ("flowlab.plots", "flowlab.jobs"),
    ("flowlab.teaching",),
    ("flowlab.serving",),
    ("flowlab.dashboard",),
    ("flowlab.commands", "pages"),
    ("flowlab.__main__",),
    ("app",),
]  # fmt: skip
"""From the bottom up: a module imports only what stands below it, or its own room."""

TORCH_INSIDE = "flowlab.nets"


def sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "flowlab").rglob("*.py")), *sorted((ROOT / "pages").rglob("*.py"))]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Every absolute import of a file: (module, whether it runs when the file is imported)."""
    tree = ast.parse(path.read_text())
    found = []

    def visit(node: ast.AST, at_import: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inside = at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, at_import) for alias in child.names)
            if isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                found.append((child.module, at_import))
                found.extend((f"{child.module}.{alias.name}", at_import) for alias in child.names)
            visit(child, inside)

    visit(tree, True)
    return found


def layer(module: str) -> int | None:
    best = None
    for height, names in enumerate(LAYERS):
        for name in names:
            if module == name or module.startswith(name + "."):
                best = height if best is None or len(name) > best[1] else best
                best = (height, len(name))
    return best[0] if best else None


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_heavy_dependencies_come_through_their_door(path):
    where = path.relative_to(ROOT).as_posix()
    for module, _ in imports(path):
        doors = HEAVY.get(module.split(".")[0])
        if doors:
            assert where.startswith(doors), f"{where} imports {module}; that is for {doors}"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_imports_point_down(path):
    own = module_name(path)
    if own == "flowlab":
        return
    height = layer(own)
    assert height is not None, f"{own} has no layer: add it to LAYERS"
    for module, at_import in imports(path):
        other = layer(module)
        if other is None:
            continue
        same_room = own.split(".")[:2] == module.split(".")[:2]
        assert other < height or same_room, f"{own} imports {module}, which does not stand below it"
        if module.startswith(TORCH_INSIDE) and not own.startswith(TORCH_INSIDE):
            assert own.startswith("flowlab.models"), f"{own} reaches into {module}: go through an estimator"
            assert not at_import, f"{own} imports {module} outside a method, so importing it loads torch"


WRITERS = ("flowlab/store/", "flowlab/commands/")
"""Files are written in the store, and by the command line where its user says."""

WRITING_METHODS = {
    "write_text", "write_bytes", "mkdir", "makedirs", "touch", "unlink", "rmdir", "rmtree", "symlink_to", "hardlink_to",
    "link", "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory", "copyfile", "copytree", "tofile",
    "savetxt", "write_html", "write_image", "extractall",
}  # fmt: skip
"""Whatever object they are called on, these change what is on the disk."""


def writes_files(call: ast.Call) -> bool:
    """Whether a call opens a file for writing or changes the disk; writing into memory is none."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    owner = ast.unparse(function.value) if isinstance(function, ast.Attribute) else ""
    if name in WRITING_METHODS or (
        owner in ("os", "shutil") and name in ("replace", "rename", "remove", "move", "copy")
    ):
        return True
    if name != "open":
        return False
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    modes += [word.value.value for word in call.keywords if word.arg == "mode" and isinstance(word.value, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) <= set("rwaxbt+") and set(mode) & set("wax+") for mode in modes)


def test_only_the_store_writes_files():
    for path in sources():
        where = path.relative_to(ROOT).as_posix()
        if not where.startswith(WRITERS):
            for node in ast.walk(ast.parse(path.read_text())):
                writing = isinstance(node, ast.Call) and writes_files(node)
                assert not writing, f"{where}, line {node.lineno}, writes files: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "code, is_writing",
    [
        ("path.write_bytes(data)", True),
        ("open(path, 'wb')", True),
        ("path.open(mode='a')", True),
        ("os.replace(a, b)", True),
        ("tempfile.mkdtemp()", True),
        ("text.replace('a', 'b')", False),
        ("path.open('rb')", False),
        ("open(path)", False),
        ("zipfile.ZipFile(io.BytesIO(), 'w')", False),
    ],
)
def test_ways_of_writing_are_recognised(code, is_writing):
    assert writes_files(ast.parse(code).body[0].value) is is_writing


def test_every_place_named_in_these_rules_exists():
    """A rule about a room that is gone holds nothing."""
    doors = {door for doors in HEAVY.values() for door in doors} | {*WRITERS}
    rooms = {name.replace(".", "/") for names in LAYERS for name in names}
    missing = [place for place in doors if not (ROOT / place).exists()]
    missing += [room for room in rooms if not (ROOT / room).is_dir() and not (ROOT / f"{room}.py").is_file()]
    assert not missing


def test_the_house_imports_from_modules_not_from_the_table_of_contents():
    """`from flowlab import Moons` is for users; inside, it would hide which room is meant."""
    for path in sources():
        names = {module.removeprefix("flowlab.") for module, _ in imports(path) if module.count(".") == 1}
        assert not names & set(flowlab.__all__) - {"__version__"}, path


def test_only_state_touches_session_and_url():
    for path in sources():
        where = path.relative_to(ROOT).as_posix()
        if where != "flowlab/dashboard/shell/state.py":
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    assert node.attr not in ("session_state", "query_params"), f"{where} touches st.{node.attr}"


def test_no_pickle_crosses_a_border():
    for path in sources():
        text = path.read_text()
        assert not any(m.split(".")[0] in ("pickle", "joblib", "dill", "cloudpickle") for m, _ in imports(path)), path
        assert "allow_pickle=True" not in text and "weights_only=False" not in text, path


@pytest.mark.parametrize("call", ["plotly_chart", "chart", "image"])
def test_every_picture_has_an_alternative_text(call):
    found = 0
    for path in (ROOT / "flowlab" / "dashboard").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(node, "func", None)
            if isinstance(called, ast.Attribute | ast.Name) and call in (
                getattr(called, "attr", ""),
                getattr(called, "id", ""),
            ):
                found += 1
                alts = [keyword.value for keyword in node.keywords if keyword.arg == "alt"]
                assert alts and not (isinstance(alts[0], ast.Constant) and not alts[0].value), f"{path}:{node.lineno}"
    assert found


def test_no_file_imports_itself_over_others():
    """No cycle of files, imports inside functions counted; a room's own package is no way round."""
    modules = {module_name(path): path for path in sources()}
    below = {
        name: {m for m, _ in imports(path) if m in modules and not f"{name}.".startswith(f"{m}.")}
        for name, path in modules.items()
    }
    finished: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, "cycle: " + " -> ".join([*above[above.index(name) :], name])
        if name in finished:
            return
        for other in sorted(below[name]):
            visit(other, (*above, name))
        finished.add(name)

    for name in sorted(modules):
        visit(name, ())


def test_no_module_or_public_class_has_its_name_twice_in_a_room():
    """But `page`, which is the entry of each page's folder, and packages."""
    seen: dict[tuple[str, str], str] = {}
    for path in sources():
        own = module_name(path)
        if path.name == "__init__.py" or not own.startswith("flowlab."):
            continue
        room = own.split(".")[1]
        names = [] if path.stem == "page" else [path.stem]
        names += [
            node.name
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        for name in names:
            other = seen.setdefault((room, name), own)
            assert other == own, f"{name} is named in {other} and in {own}"


@pytest.mark.parametrize(
    "statement, absent",
    [
        ("import flowlab", ("torch", "streamlit", "plotly", "sklearn")),
        (
            "import flowlab.catalog, flowlab.views, flowlab.store.runs, flowlab.jobs",
            ("torch", "streamlit", "nflows", "numba"),
        ),
    ],
)
def test_importing_stays_light(statement, absent):
    code = f"import sys; {statement}; print([m for m in {absent!r} if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"
