"""The catalog promises what its makers keep."""

from dataclasses import replace

import numpy as np
import pytest

from flowlab import catalog
from flowlab.catalog.faults import breaks, faults_of, mended
from flowlab.records import RunSpec, Spec


@pytest.mark.parametrize(
    "name", [n for n, e in catalog.DATASETS.items() if e.group != catalog.UPLOADED and not e.needs_network]
)
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


def test_a_fault_is_in_the_link_and_in_no_name_of_a_sound_run():
    entry = catalog.MODELS["spline"]
    assert "fault" in entry.defaults and "fault" not in entry.identity(Spec("spline")).params
    sound = RunSpec(Spec("moons"), Spec("spline"))
    broken = replace(sound, model=Spec("spline", {"fault": "no mask"}))
    assert catalog.run_id(broken) != catalog.run_id(sound)
    assert catalog.run_id(replace(sound, model=Spec("spline", {"fault": "none"}))) == catalog.run_id(sound)
    again, problems = RunSpec.from_query(broken.to_query(), catalog.DEFAULT)
    assert catalog.tidy(again) == (broken, []) and not problems
    assert "cannot change in a fork" in catalog.fork_problem(sound, broken.forked("0" * 16, 10))


def test_a_model_is_offered_only_the_faults_it_can_have():
    assert list(breaks(Spec("spline"), 2)) == ["log-determinant", "mask", "fixed mask", "sigmoid"]
    assert list(breaks(Spec("maf"), 64)) == ["log-determinant", "mask", "sigmoid"]
    assert list(breaks(Spec("iaf"), 2)) == ["log-determinant", "sigmoid"]
    assert "fixed mask" not in breaks(Spec("affine"), 1)
    assert breaks(Spec("kde"), 2) == breaks(Spec("planar"), 2) == {}
    own = Spec("affine", {"n_layers": 4, "mask": "=01", "fault": "no mask"})
    assert [fault.name for fault in faults_of(own)] == ["mask", "fixed mask"]
    assert mended(own) == Spec("affine", {"n_layers": 4})
    assert breaks(own, 3, (True, False, False))["fixed mask"].params == {"n_layers": 4, "mask": "=100"}
    for model in (Spec("spline"), own):
        for fault, broken in breaks(model, 2).items():
            assert [f.name for f in faults_of(broken)] == [fault]
            assert catalog.MODELS[broken.name].tidy(broken) == (broken, [])


def test_runs_of_the_same_words_are_told_apart_by_what_differs():
    from flowlab.dashboard.shell.services import distinct_words

    nine = RunSpec(Spec("moons"), Spec("spline", {"n_layers": 9, "n_bins": 8}))
    other = RunSpec(Spec("moons"), Spec("spline", {"n_layers": 9, "n_bins": 9}), seed=3)
    first, second, third = distinct_words([nine, other, RunSpec(Spec("rings"), Spec("spline"))])
    assert first.endswith("bins 8 · seed 0") and second.endswith("bins 9 · seed 3") and "layers" not in first
    assert "bins" not in third and "seed" not in third, "what stands alone needs no settings"


def test_a_bandwidth_is_a_rule_or_a_number():
    entry = catalog.MODELS["kde"]
    assert entry.tidy(Spec("kde", {"bandwidth": "0,25"})) == (Spec("kde", {"bandwidth": 0.25}), [])
    assert catalog.make_model(Spec("kde", {"bandwidth": 0.25})).bandwidth == 0.25
    for wrong in ("wide", "0", "-1", "nan", "1e9"):
        spec, problems = entry.tidy(Spec("kde", {"bandwidth": wrong}))
        assert spec == Spec("kde") and "or a number from 0.001 to 100" in problems[0]


def test_settings_that_came_later_leave_the_names_of_runs():
    plain = RunSpec(Spec("moons"), Spec("spline"))
    assert {"min_delta", "keep_best"} <= set(catalog.MODELS["spline"].defaults)
    assert not {"min_delta", "keep_best"} & set(catalog.MODELS["spline"].identity(plain.model).params)
    assert catalog.run_id(replace(plain, model=Spec("spline", {"keep_best": False}))) != catalog.run_id(plain)


@pytest.mark.parametrize(
    "data, offered", [("moons", False), ("upload", False), ("digit_images", True), ("pictures", True)]
)
def test_models_of_pictures_are_offered_where_there_are_pictures(data, offered):
    models = catalog.models_for(RunSpec(Spec(data), Spec("spline")))
    assert ("image_flow" in models) == offered and "spline" in models
    assert "image_flow" in catalog.models_for(RunSpec(Spec(data), Spec("image_flow"))), "the present one is listed"
