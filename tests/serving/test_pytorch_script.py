"""The run as a program without FlowLab: it reproduces the run's loss."""

import re
import subprocess
import sys

import numpy as np
import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.records import RunSpec, Spec
from flowlab.serving.pytorch_script import LIBRARIES, pytorch_script, script_problem, script_rows
from flowlab.tables.export import to_csv_bytes
from flowlab.teaching import measures

MODEL = Spec("affine", {"n_layers": 4, "hidden_features": 16, "n_steps": 400, "learning_rate": 0.01})


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_row_26_the_exported_program_reproduces_the_loss(library, tmp_path):
    spec = RunSpec(Spec("moons", {"n_samples": 2000}), MODEL)
    dataset = catalog.make_dataset(spec.data)
    flow = catalog.make_model(spec.model, 0, dataset)
    for _ in flow.fit_iter(dataset.fitting_rows(), dataset.fitting_rows(Part.MONITOR)):
        pass
    (tmp_path / "rows.csv").write_bytes(to_csv_bytes(script_rows(dataset)))
    program = pytorch_script(spec, len(dataset.fitting_rows()), library)
    assert "flowlab" not in program.lower().replace("without flowlab", "")
    (tmp_path / "flow.py").write_text(program, "utf-8")
    told = subprocess.run([sys.executable, "flow.py"], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert told.returncode == 0, told.stderr
    loss = float(re.search(r"(-?[0-9.]+) nats", told.stdout)[1])
    assert loss == pytest.approx(measures.measure(flow, dataset).loss, abs=0.02)


def test_rows_of_the_program_are_those_of_the_run():
    dataset = catalog.make_dataset(Spec("moons", {"n_samples": 500}))
    table = script_rows(dataset)
    train = table[table["part"] == "train"].drop(columns="part").to_numpy()
    assert np.array_equal(train, dataset.fitting_rows())
    assert set(table["part"]) == {"train", "validation", "test"}


@pytest.mark.parametrize(
    "model, word",
    [
        (Spec("spline"), "affine coupling flow"),
        (Spec("affine", {"mask": "random"}), "mask"),
        (Spec("affine", {"fault": "no mask", "scale_map": "contract"}), "scale map and fault"),
    ],
)
def test_what_the_program_cannot_say_is_said(model, word):
    spec = RunSpec(Spec("moons"), model)
    assert word in script_problem(spec)
    with pytest.raises(ValueError, match=word):
        pytorch_script(spec, 100)
