"""One distance from the truth for a run: headline, the line above the stage, strip, answers and report say it."""

import re

import numpy as np
import pytest
from pages_driver import open_page, said, train

from flowlab import catalog
from flowlab.dashboard.canvas.live import pack_frame
from flowlab.dashboard.shell import distance, services
from flowlab.records import RunSpec, Spec

DISTANCE = re.compile(r"(?:at most )?\d+\.\d{3} nats (?:above|below) the truth")


def run_of(model, **params):
    """A finished run on few moons, where the last validation loss and the kept model differ."""
    spec = RunSpec(Spec("moons", {"n_samples": 500}), Spec(model, params))
    train(spec)
    return spec, services.run(spec)


@pytest.fixture(scope="module")
def short(own_server):
    return run_of("affine", n_steps=200, n_layers=4, learning_rate=0.02, regularize="none")


@pytest.fixture(scope="module")
def bound(own_server):
    return run_of("vae", n_steps=100)


def test_headline_line_answers_and_report_say_one_distance(short):
    spec, run = short
    words = distance.of_run(run).words()
    assert words == f"{float(run.views['gap']):.3f} nats above the truth"
    for page, where in (("train", {}), ("explore", {"view": "Density"}), ("detect", {})):
        at = open_page(page, spec, **where)
        found = set(DISTANCE.findall(said(at))) - {""}
        assert found == {words}, f"{page}: {found}"
        assert " left" not in said(at)
    # the report's title is the headline
    report = next((d for d in at.get("download_button") if "eport" in d.proto.label), None)
    assert report is not None


def test_the_strip_is_given_the_same_number(short):
    from flowlab.dashboard.train import page

    _, run = short
    header, _ = pack_frame(None, run.events, page.final_nats(run))
    assert header["gap"] == float(run.views["gap"])
    assert pack_frame(None, run.events[:2])[0]["gap"] is None, "while it trains, the loss says it"


def test_the_last_loss_is_not_the_kept_model(short):
    """Why one number is needed: the curve's end says something else."""
    spec, run = short
    assert abs(distance.of_event(spec, run.events[-1]).nats - distance.of_run(run).nats) > 0.001


def test_a_bound_is_called_one_and_never_held_against_the_entropy(bound):
    spec, run = bound
    at = open_page("train", spec)
    words = said(at)
    assert set(DISTANCE.findall(words)) == {distance.of_run(run).words()}
    assert "at most" in words and "has a lower mean loss than the truth" not in words


def test_a_weighted_bound_is_no_likelihood(own_server):
    spec, run = run_of("vae", n_steps=100, beta=0.1)
    assert distance.of_event(spec, run.events[-1]) is None
    from flowlab.dashboard.train import page

    assert page.scene(spec).entropy is None and page.corrected(spec, run.events) == run.events
    assert catalog.make_model(spec.model).score_label == "log-density, estimate of a lower bound (nats)"


def test_the_estimate_of_the_bound_lies_above_the_truth_in_some_rows():
    """So it is called an estimate: a bound in the mean only."""
    data = catalog.make_dataset(Spec("moons", {"n_samples": 2000}), 0)
    model = catalog.make_model(Spec("vae", {"n_steps": 400}), 0)
    for _ in model.fit_iter(data.part("train")):
        pass
    X = data.part("test")
    few, many = (model.bounds(X, n)[0] for n in (32, 4096))
    assert np.mean(few > many) > 0.05 and few.mean() < many.mean() + 0.01
