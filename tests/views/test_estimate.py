"""What is said of a training before it begins is near what it takes, and says when it is a guess."""

import time

import numpy as np
import pytest

from flowlab import catalog
from flowlab.datasets.dataset import Part
from flowlab.records import RunSpec, Spec
from flowlab.views.estimate import TrainingEstimate, estimate

ROWS = {"n_samples": 3000}


@pytest.mark.parametrize(
    "model, is_guess", [(Spec("affine", {"n_steps": 200}), False), (Spec("detector", {"n_steps": 100}), True)]
)
def test_an_estimate_is_near_what_training_takes(model, is_guess):
    spec = catalog.tidy(RunSpec(Spec("moons", ROWS), model))[0]
    dataset = catalog.dataset_of(spec)
    trained = catalog.make_model(spec.model, 0, dataset)
    list(trained.fit_iter(dataset.fitting_rows(), n_steps=1))  # what is imported at first is no training
    began = time.process_time()
    for _ in trained.fit_iter(dataset.fitting_rows(), dataset.fitting_rows(Part.MONITOR)):
        pass
    took = time.process_time() - began
    found = estimate(catalog.make_model(spec.model, 0, dataset), dataset)
    assert 0.4 * took < found.seconds < 3 * took + 0.2, (found, took)
    assert found.is_guess is is_guess and (found.n_bytes > 5e7 or found.n_bytes == 0)


class Clock:
    """A clock that a model moves on by itself: by the square of the rows that it is fitted to."""

    def __init__(self, model, seconds_per_row_squared):
        self.now, fit = 0.0, model._fit

        def slow(X):
            self.now += seconds_per_row_squared * len(X) ** 2
            fit(X)

        model._fit = slow

    def __call__(self):
        return self.now


def test_a_model_without_steps_is_extrapolated_by_how_it_grows():
    spec = catalog.tidy(RunSpec(Spec("moons", ROWS), Spec("gaussian")))[0]
    dataset = catalog.dataset_of(spec)
    n = len(dataset.fitting_rows())
    model = catalog.make_model(spec.model, 0, dataset)
    found = estimate(model, dataset, Clock(model, 1e-6))
    assert found.seconds == pytest.approx(1e-6 * n**2, rel=0.01) and found.is_guess
    model = catalog.make_model(spec.model, 0, dataset)
    assert not estimate(model, dataset, Clock(model, 1e-12)).is_guess, "all rows were measured"


def test_words_have_as_many_digits_as_they_deserve():
    words = [
        TrainingEstimate(seconds, n_bytes).sentence
        for seconds, n_bytes in [(0.3, 0), (11.7, 312e6), (43.2, 1.02e9), (200, 0), (9000, 0), (np.nan, 0)]
    ]
    assert [text.removeprefix("Takes ").removesuffix(", measured on a few steps.") for text in words] == [
        "under 1 s of a free core",
        "about 12 s of a free core and 350 MB",
        "about 45 s of a free core and 1.1 GB",
        "about 3 min of a free core",
        "about 2.5 h of a free core",
        "",
    ]
    assert TrainingEstimate(30, may_end_early=True).sentence.startswith("Takes at most about 30 s")
