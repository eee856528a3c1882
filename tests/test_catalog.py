"""The catalog promises what its makers keep."""

import inspect

import numpy as np
import pytest

from flowlab import catalog
from flowlab.records import Spec

ENTRIES = [
    (f"{kind}.{name}", e)
    for kind, es in (("data", catalog.DATASETS), ("model", catalog.MODELS))
    for name, e in es.items()
]


@pytest.mark.parametrize("entry", [e for _, e in ENTRIES], ids=[n for n, _ in ENTRIES])
def test_controls_name_real_parameters_whose_defaults_they_allow(entry):
    parameters = inspect.signature(entry.make).parameters
    for control in entry.controls:
        assert control.name in parameters, f"{entry.name} has no parameter {control.name}"
        default = parameters[control.name].default
        assert default is not inspect.Parameter.empty, f"{control.name} has no default"
        value, problem = control.read(default)
        assert value == default and not problem
        assert type(value) is type(default), f"{control.name}: {default!r} is read as {value!r}"


@pytest.mark.parametrize("name", [n for n, e in catalog.DATASETS.items() if e.group != catalog.UPLOADED])
def test_every_data_set_can_be_made_and_is_the_same_again(name):
    a, b = (catalog.make_dataset(Spec(name), seed=3) for _ in range(2))
    assert np.isfinite(a.X).all() and len(a.columns) == a.X.shape[1]
    assert a.digest() == b.digest()
    for part in ("train", "validation", "test"):
        assert len(a.rows(part)) >= 10


@pytest.mark.parametrize("name", list(catalog.MODELS))
def test_every_model_can_be_made_with_the_runs_seed(name):
    model = catalog.make_model(Spec(name), seed=7)
    params = model.get_params(deep=False)
    assert params.get("random_state", 7) == 7
    assert hasattr(model, "fit_iter") and model.loss_label and model.score_label


def test_words_for_a_headline():
    assert catalog.describe(catalog.MODELS["spline"], Spec("spline")).startswith("Spline flow")
