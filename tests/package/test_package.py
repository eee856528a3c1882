"""What leaves the repository: the wheel in an environment of its own, and the steps of the Containerfile."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import free_port

from flowlab import __version__
from flowlab.dashboard.shell.pages import PAGES
from flowlab.teaching.lessons import lessons

ROOT = Path(__file__).parents[2]
HIDDEN = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "FLOWLAB_HOME", "FLOWLAB_LANES", "FLOWLAB_SCHEDULER"}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Environment:
    """A virtual environment outside the repository that borrows the dependencies of this one, but not FlowLab."""

    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        bin_folder = str(self.folder / "bin")
        return kept | {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def run(self, *command: str, **options) -> str:
        """What a command prints; the test fails with all it said if it fails."""
        done = subprocess.run(
            [str(self.folder / "bin" / command[0]), *command[1:]],
            cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=300, check=False, **options,
        )  # fmt: skip
        assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_environment(folder: Path) -> Environment:
    venv.create(folder, symlinks=True, with_pip=False)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Environment(folder)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built by the build backend that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Environment:
    """An environment with the wheel in it."""
    environment = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    environment.run("python", "-m", "pip", "install", "-q", "--no-deps", str(wheel))
    return environment


@contextlib.contextmanager
def served(environment: Environment, command: list[str], port: int, **variables: str) -> Iterator[str]:
    """The address of a dashboard that `command` starts, once it is healthy; afterwards its lanes are gone too."""
    log = environment.folder / f"app{port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [str(environment.folder / "bin" / command[0]), *command[1:]],
            cwd=environment.folder, env=environment.variables | variables, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                assert json.load(answer) == {"status": "ok", "version": __version__}
                break
            time.sleep(0.1)
        workers = children(process.pid)
        yield url
    finally:
        process.terminate()
        process.wait(30)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline, "lanes outlived the server"
        time.sleep(0.2)
    assert "Traceback" not in log.read_text()


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()] if path.exists() else []


def test_wheel_holds_the_dashboard_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    app = {name.removeprefix("flowlab/_app/") for name in names if name.startswith("flowlab/_app/")}
    assert {"app.py", ".streamlit/config.toml", "assets/stages.js"} <= app
    assert {f"pages/{page.file}" for page in PAGES} == {name for name in app if name.startswith("pages/")}
    assert len([name for name in app if re.fullmatch(r"assets/lessons/.*\.md", name)]) == len(lessons())
    assert {name.split("/")[0] for name in names} == {"flowlab", f"flowlab-{__version__}.dist-info"}
    assert wheel.stat().st_size < 2e6, "it holds no picture"


def test_all_that_is_imported_is_declared():
    """Other tests borrow this environment's packages, so that they would not miss one that the wheel does not name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name != "dev"}
    lines = [*project["dependencies"], *(line for more in extras.values() for line in more)]
    declared = {re.match(r"[\w-]+", line)[0].lower() for line in lines}
    declared |= {"starlette"}  # of Streamlit, whose App takes its routes
    declared |= {"traitlets"}  # of anywidget, whose traits they are
    imported = {}
    for path in [*ROOT.glob("*.py"), *ROOT.glob("pages/*.py"), *ROOT.glob("flowlab/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            imported |= {name.split(".")[0]: path for name in names}
    foreign = imported.keys() - sys.stdlib_module_names - {"flowlab"}
    of_package = {"sklearn": "scikit-learn", "PIL": "pillow"}
    missing = {name: imported[name] for name in foreign if of_package.get(name, name.replace("_", "-")) not in declared}
    assert not missing and {"torch", "streamlit", "segno", "sklearn"} <= foreign


def test_installed_library_finds_its_files(installed):
    code = """
import json, flowlab
from flowlab import app_folder
from flowlab.dashboard.shell.pages import PAGES, path
from flowlab.teaching.lessons import lessons
assert all(path(page.key).is_file() for page in PAGES)
print(json.dumps([flowlab.__file__, str(app_folder.FOLDER), [lesson.key for lesson in lessons()]]))
"""
    module, folder, keys = json.loads(installed.run("python", "-c", code))
    assert Path(module).is_relative_to(installed.folder) and Path(folder) == Path(module).parent / "_app"
    assert keys == [lesson.key for lesson in lessons()]


def test_installed_command_trains_and_scores(installed):
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.normal(size=(1500, 3)), columns=["a", "b", "c"])
    table.to_csv(installed.folder / "table.csv", index=False)
    assert installed.run("flowlab", "--version") == f"flowlab {__version__}\n"
    said = installed.run("flowlab", "train", "table.csv", "-o", "table.detector", "--set", "n_steps=50", "n_flows=1")
    assert "rows trained on" in said
    assert "1\u2009500 rows scored" in installed.run(
        "flowlab", "score", "table.detector", "table.csv", "-o", "scored.csv"
    )
    assert len(pd.read_csv(installed.folder / "scored.csv")) == 1500
    assert "There are no runs in" in installed.run("flowlab", "runs", "--home", "nowhere")


def test_detector_is_fitted_without_streamlit_and_plotly(installed):
    code = """
import sys
for name in ("streamlit", "plotly", "nflows", "distributed", "numba"):
    sys.modules[name] = None  # importing it fails, as where it is not installed
import numpy as np
from flowlab import Detector
X = np.random.default_rng(0).normal(size=(300, 2))
detector = Detector(n_steps=5, random_state=0).fit(X)
assert np.isfinite(detector.anomaly_score(X)).all()
from flowlab.__main__ import main
np.savetxt("plain.csv", np.random.default_rng(0).normal(size=(2000, 2)), delimiter=",", header="a,b", comments="")
assert main(["train", "plain.csv", "-o", "plain.detector", "--set", "n_steps=20", "n_flows=1"]) == 0
assert main(["score", "plain.detector", "plain.csv", "-o", "plain_scored.csv"]) == 0
print(main(["app", "--no-open"]))
"""
    done = subprocess.run(
        [str(installed.folder / "bin" / "python"), "-c", code],
        cwd=installed.folder, env=installed.variables, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == ["1"], done.stderr
    assert done.stderr.strip() == 'flowlab: the dashboard needs streamlit; install it with: pip install "flowlab[app]"'


def test_installed_app_is_served_with_health_headers_and_settings(installed):
    port = free_port()
    command = ["flowlab", "app", "--port", str(port), "--home", "runs", "--no-open"]
    with served(installed, command, port, FLOWLAB_LANES="1") as url:
        with urllib.request.urlopen(url, timeout=30) as page:
            assert "<title>Streamlit</title>" in page.read().decode()
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert "frame-ancestors 'self'" in page.headers["Content-Security-Policy"]
        with urllib.request.urlopen(f"{url}/metrics", timeout=30) as page:
            assert sum(map(int, re.findall(r'flowlab_lanes{state="\w+"} (\d+)', page.read().decode()))) == 2
        said = (installed.folder / f"app{port}.log").read_text()
        assert said.startswith(f"FlowLab is at {url} and keeps its runs in {installed.folder / 'runs'}")


def test_taken_port_is_said_in_a_sentence(installed):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = subprocess.run(
            [str(installed.folder / "bin" / "flowlab"), "app", "--port", str(other.getsockname()[1])],
            cwd=installed.folder, env=installed.variables, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("flowlab: cannot listen on port") and "--port" in done.stderr


def container_steps() -> list[tuple[str, str]]:
    """The Containerfile's instructions: (name, argument)."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def test_steps_of_the_container_build_and_serve(tmp_path):
    """Each step in a folder that stands for the image's root; making the user is left out.

    Dependencies that this environment has are found there; with FLOWLAB_FULL_INSTALL=1 all are installed anew.
    """
    environment = make_environment(tmp_path / "venv")
    if os.environ.get("FLOWLAB_FULL_INSTALL") == "1":
        shutil.rmtree(environment.folder)
        venv.create(environment.folder, symlinks=True, with_pip=True)
    else:
        pip = environment.folder / "bin" / "pip"
        pip.write_text(f'#!/bin/sh\nexec "{environment.folder}/bin/python" -m pip "$@"\n')
        pip.chmod(0o755)

    def inside(text: str) -> str:
        return re.sub(r"(?<![\w.:/])/(src|srv|wheels|data)\b", lambda found: f"{tmp_path}/{found[1]}", text)

    variables, folder, commands = environment.variables, tmp_path, {}
    for name, rest in container_steps():
        if name == "WORKDIR":
            folder = Path(inside(rest))
            folder.mkdir(exist_ok=True)
        elif name == "COPY":
            *options, source, target = rest.split()
            if source == ".":
                ignored = shutil.ignore_patterns(
                    *(line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split())
                )
                shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)
            elif not options:
                shutil.copy(ROOT / source, folder / target)
        elif name == "RUN":
            step = inside(rest).replace("useradd --system --create-home flowlab && ", "")
            step = step.replace("chown flowlab", "test -w")
            done = subprocess.run(step, shell=True, cwd=folder, env=variables, capture_output=True, text=True)
            assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        elif name == "ENV":
            variables |= dict(pair.split("=") for pair in shlex.split(inside(rest)))
        elif name in ("CMD", "HEALTHCHECK"):
            commands[name] = json.loads(rest[rest.index("[") :])
        else:
            assert name in ("FROM", "ARG", "USER", "VOLUME", "EXPOSE"), f"a step of another kind: {name}"
    assert [rest for name, rest in container_steps() if name == "USER"] == ["flowlab"]

    port = free_port()
    start, check = (
        [word.replace("8501", str(port)).replace("0.0.0.0", "127.0.0.1") for word in commands[name]]
        for name in ("CMD", "HEALTHCHECK")
    )
    with served(environment, start, port, FLOWLAB_HOME=variables["FLOWLAB_HOME"], FLOWLAB_LANES="1"):
        environment.run(*check)
