"""Specs, events and links: what goes out comes back, and nonsense is named, never obeyed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlab import catalog
from flowlab.controls import Choice, Flag, Int, Rule, Text
from flowlab.records import RunSpec, Spec, TrainEvent


def any_param(control):
    if isinstance(control, Flag):
        return st.booleans()
    if isinstance(control, Rule):
        return st.sampled_from(sorted(control.choices)) | st.floats(control.low, control.high)
    if isinstance(control, Choice):
        return st.sampled_from(sorted(control.choices))
    if isinstance(control, Text):
        return st.text(max_size=40)
    if isinstance(control, Int):
        return st.integers(int(control.low), int(control.high))
    return st.floats(control.low, control.high, allow_subnormal=False)  # training flushes subnormals to zero


@st.composite
def run_specs(draw):
    parts = []
    for entries in (catalog.DATASETS, catalog.MODELS):
        entry = entries[draw(st.sampled_from(sorted(entries)))]
        chosen = [c for c in entry.controls if draw(st.booleans())]
        parts.append(Spec(entry.name, {c.name: draw(any_param(c)) for c in chosen}))
    seed = draw(st.integers(0, 999_999_999))
    parent = draw(st.just("") | st.from_regex(r"[0-9a-f]{16}@[1-9][0-9]{0,8}", fullmatch=True))
    return catalog.tidy(RunSpec(*parts, seed, parent))[0]


@given(run_specs())
def test_a_link_leads_back_to_the_same_run(spec):
    read, problems = RunSpec.from_query(spec.to_query(), catalog.DEFAULT)
    tidied, more = catalog.tidy(read)
    assert tidied == spec and problems + more == []
    assert catalog.run_id(tidied) == catalog.run_id(spec)


@given(run_specs())
def test_json_leads_back_to_the_same_spec(spec):
    assert RunSpec.from_json(spec.to_json()) == spec


def test_defaults_written_out_name_the_same_run():
    """A parameter given at its default is the same run as the parameter not given."""
    entry = catalog.MODELS[catalog.DEFAULT.model.name]
    explicit = RunSpec(catalog.DEFAULT.data, Spec(entry.name, entry.defaults))
    assert catalog.run_id(explicit) == catalog.run_id(catalog.DEFAULT)
    assert catalog.run_id(RunSpec(catalog.DEFAULT.data, catalog.DEFAULT.model, 1)) != catalog.run_id(catalog.DEFAULT)


@pytest.mark.parametrize(
    "query",
    [
        {"data": "<script>alert(1)</script>"},
        {"data": "moons", "data.noise": "nan"},
        {"data": "moons", "data.noise": "1e999"},
        {"data": "moons", "data.noise": "__import__('os')"},
        {"data": "moons", "data.nonsense": "3"},
        {"seed": "-1"},
        {"seed": "9" * 30},
        {"model": "spline", "model.n_layers": "1e9"},
        {"model": "../../etc/passwd"},
        {"from": "3f9a0c1d77e2ab41"},
        {"from": "3f9a0c1d77e2ab41@0"},
        {"from": "../../../etc/pass@120"},
        {"from": "3F9A0C1D77E2AB41@120"},
        {"from": "3f9a0c1d77e2ab41@١٢"},
        {"data.noise": "x" * 10_000},
    ],
)
def test_nonsense_in_a_link_is_named_and_ignored(query):
    spec, problems = RunSpec.from_query(query, catalog.DEFAULT)
    tidied, more = catalog.tidy(spec)
    assert problems + more, "nothing was said"
    assert all(sentence.endswith(".") and len(sentence) < 300 for sentence in problems + more)
    assert catalog.tidy(tidied) == (tidied, [])
    catalog.run_id(tidied)


def test_a_fork_is_another_run_and_its_link_says_from_where():
    fork = catalog.DEFAULT.forked("3f9a0c1d77e2ab41", 120)
    assert fork.to_query()["from"] == "3f9a0c1d77e2ab41@120" and fork.branch == ("3f9a0c1d77e2ab41", 120)
    ids = {catalog.run_id(spec) for spec in (catalog.DEFAULT, fork, catalog.DEFAULT.forked("3f9a0c1d77e2ab41", 121))}
    assert len(ids) == 3
    with pytest.raises(ValueError, match="parent must be"):
        RunSpec(Spec("moons"), Spec("spline"), 0, "nonsense")


def test_runs_keep_the_ids_they_had_before_there_were_forks():
    """Links and stored runs name them."""
    spec = RunSpec(Spec("moons", {"noise": 0.1}), Spec("spline"), seed=1)
    assert "parent" not in spec.to_json()
    assert spec.digest() == "7cf39516d9c340a2"


def test_numbers_outside_the_range_are_clamped():
    control = next(c for c in catalog.DATASETS["moons"].controls if c.name == "noise")
    spec = RunSpec(Spec("moons", {"noise": 1e6}), Spec("spline"))
    tidied, problems = catalog.tidy(spec)
    assert tidied.data.params["noise"] == control.high and problems


def test_event_survives_json_with_numbers_that_are_not_finite():
    event = TrainEvent(10, 100, 0.5, -1.25, math.nan, 0.1, 1e5, note="x")
    back = TrainEvent.from_json(event.to_json())
    assert math.isnan(back.val_loss) and back.to_json() == event.to_json() and back.train_loss == -1.25
