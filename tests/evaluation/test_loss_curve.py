"""What is said under a loss curve, case by case; and that an ordinary curve is left in peace."""

import math

import numpy as np
import pytest
from pages_driver import open_page, press, said, wait_for_words

from flowlab.evaluation.loss_curve import answers, corrected, exact_loss_error, exact_validation_loss
from flowlab.records import TrainEvent


def run(train, val, notes=None):
    """Events of a run that reports every 50 steps."""
    notes = notes or {}
    n_steps = 50 * len(train)
    return [
        TrainEvent(50 * (i + 1), n_steps, 1.0, float(t), float(v), 1.0, 1.0, note=notes.get(i, ""))
        for i, (t, v) in enumerate(zip(train, val, strict=True))
    ]


def falling(to, start=2.8, n=40, scatter=0.01, seed=0):
    """A curve as training gives it: a fast fall, a slow one, and the luck of the batches."""
    t = np.arange(n)
    return (
        to + (start - to) * np.exp(-t / 2) + 0.05 * (1 - t / n) + scatter * np.random.default_rng(seed).normal(size=n)
    )


def keys(*args, **kwargs):
    return [answer.key for answer in answers(*args, **kwargs)]


def test_an_ordinary_run_raises_no_question():
    for seed in range(20):
        events = run(falling(1.7, scatter=0.03, seed=seed), falling(1.72, scatter=0.002, seed=seed + 100))
        assert keys(events, 2) == []
        assert keys(events, 2, entropy=1.65, loss_error=0.016, is_over=True) == []
        assert all(keys(events[:n], 2, entropy=1.65, loss_error=0.016) == [] for n in range(len(events)))
    assert answers([], 2) == []


def test_a_negative_loss_is_answered_with_the_numbers_of_the_run():
    events = run(falling(-1.0, scatter=0), falling(-1.0, scatter=0))
    (answer,) = answers(events, 2)
    first = next(e for e in events if e.val_loss < 0)
    loss = events[-1].val_loss
    assert answer.key == "negative" and f"since step {first.step}" in answer.text
    for number in (loss, loss / (2 * math.log(2)), 2 * math.log(10), loss + 2 * math.log(10)):
        assert f"{number:.3f}".replace("-", "\u2212") in answer.text


def test_what_the_answer_says_of_units_is_so():
    """The same Gaussian in units ten times smaller: its mean negative log-density rises by d ln 10."""
    from flowlab.models.classical.density import Gaussian

    X = np.random.default_rng(0).normal(scale=0.01, size=(500, 3))
    rise = Gaussian().fit(X).score(X) - Gaussian().fit(10 * X).score(10 * X)
    assert rise == pytest.approx(3 * math.log(10), abs=1e-3)
    (answer,) = answers(run([-1.0], [-1.0]), 3)
    assert f"{rise:.3f} nats higher (3 ln 10)" in answer.text


def test_a_loss_that_is_no_density_may_be_negative_without_comment():
    assert keys(run(falling(-1.0), falling(-1.0)), 2, unit="") == []


def test_before_the_first_evaluation_the_training_loss_is_named():
    (answer,) = answers(run([-0.5], [math.nan]), 1)
    assert "training loss is \u22120.500 nats" in answer.text


def test_a_spike_that_recovers_and_one_that_does_not():
    train = falling(1.0)
    train[20] += 3.0
    (answer,) = answers(run(train, falling(1.0, scatter=0.002)), 2)
    assert answer.key == "spike" and "before step 1\u2009050" in answer.text and "By step 1\u2009100" in answer.text
    assert f"to {train[20]:.3f}" in answer.text
    train[21:] += 3.0
    (answer,) = answers(run(train, falling(1.0, scatter=0.002)), 2)
    assert "It has not come back" in answer.text
    (answer,) = answers(run(train, falling(1.0, scatter=0.002))[:21], 2)
    assert "newest stretch" in answer.text


def test_a_rough_start_is_no_spike():
    train = falling(1.0)
    train[2] += 5.0
    assert keys(run(train, falling(1.0, scatter=0.002)), 2) == []


def test_over_fitting_names_the_best_step():
    val = falling(1.0, scatter=0)
    val[20:] = val[19] + 0.02 * np.arange(1, 21)
    train = falling(1.0, scatter=0)
    train[20:] -= 0.02 * np.arange(1, 21)
    (answer,) = answers(run(train, val), 2)
    assert answer.key == "overfitting" and "since step 1\u2009000 " in answer.text
    assert f"rose by {val[-1] - val[19]:.3f} nats" in answer.text and "the ones kept" in answer.text
    assert keys(run(train, val), 2, is_one_training=False) == []
    # Both curves rise: that is trouble of another kind.
    assert "overfitting" not in keys(run(val, val), 2)


def test_a_loss_at_its_entropy_cannot_fall_further():
    events = run(falling(0.3, scatter=0.02), falling(0.3, scatter=0))
    best = min(e.val_loss for e in events)
    (answer,) = answers(events, 2, entropy=best - 0.004, loss_error=0.016)
    assert answer.key == "entropy" and "0.004 nats above" in answer.text and "±0.016" in answer.text
    (answer,) = answers(events, 2, entropy=best + 0.004, loss_error=0.016)
    assert "0.004 nats below" in answer.text
    # Beyond the sampling error, or on so few rows that the error hides everything, it has not been met.
    assert keys(events, 2, entropy=best - 0.018, loss_error=0.016) == []
    assert keys(events, 2, entropy=best - 0.05, loss_error=0.2) == []


def test_a_roll_back_says_what_was_done_and_where_to_look():
    note = "rolled back at step 310: loss not finite, learning rate halved; the farthest value is in size, 90 sd out"
    events = run(falling(1.0), falling(1.0, scatter=0), {6: note})
    (answer,) = answers(events, 2)
    assert answer.key == "rollback" and "before step 350" in answer.text
    assert "Likely cause: the farthest value is in size, 90 sd out. Look at that column first." in answer.text
    (answer,) = answers(run([1.0], [1.0], {0: "rolled back at step 3: gradient not finite, learning rate halved"}), 2)
    assert "A gradient that was not finite" in answer.text and "column" not in answer.text


def test_a_model_that_cannot_stretch_is_told_from_one_that_needs_time():
    note = "nflows' coupling: its negative log-likelihood stays above 1.830 nats"
    flat = run(*[np.linspace(1.855, 1.85, 40)] * 2)
    (answer,) = answers(flat, 2, entropy=0.29, loss_error=0.016, notes=[note], is_over=True)
    assert answer.key == "plateau" and "1.560 nats above the entropy" in answer.text
    assert answer.text.endswith("stays above 1.830 nats.")
    (answer,) = answers(flat, 2, entropy=0.29, loss_error=0.016)
    assert "cannot take the shape" in answer.text
    still_falling = run(*[np.linspace(3, 1.85, 40)] * 2)
    assert keys(still_falling, 2, entropy=0.29, loss_error=0.016) == []
    # The training loss is low: want of rows, not of shape.
    assert keys(run(np.full(40, 0.2), np.linspace(1.855, 1.85, 40)), 2, entropy=0.29, loss_error=0.016) == []
    # Nobody knows the entropy: the model's own words remain.
    (answer,) = answers(flat, 2, notes=[note, "rolled back at step 3: loss not finite"])
    assert answer.key == "notes" and "stays above 1.830 nats" in answer.text and "rolled back" not in answer.text


def test_the_default_flow_on_narrow_moons_meets_only_answers_that_hold():
    from flowlab import catalog
    from flowlab.records import Spec

    data = catalog.make_dataset(Spec("moons", {"noise": 0.01, "n_samples": 20_000}), 0)
    model = catalog.make_model(Spec("spline", {"n_steps": 300}), 0)
    events = list(model.fit_iter(data.part("train"), data.part("monitor")))
    assert events[-1].val_loss < 0
    assert keys(events, 2, entropy=data.density.entropy(), loss_error=0.016, is_over=True) == ["negative"]


def test_a_loss_and_its_floor_are_of_the_same_validation_rows():
    """Many rows: the flow evaluates on some of them only, and the exact loss must be of those."""
    from flowlab import catalog
    from flowlab.records import Spec

    data = catalog.make_dataset(Spec("moons", {"n_samples": 50_000}), 0)
    model = catalog.make_model(Spec("spline", {"n_steps": 50}), 0)
    monitor = data.part("monitor")
    (event,) = model.fit_iter(data.part("train"), monitor)
    # After one evaluation the best weights are the ones it was made with: the loss is their mean score.
    assert event.val_loss == pytest.approx(-model.score(monitor), abs=1e-4)
    assert data.exact_loss("monitor") == pytest.approx(-float(np.mean(data.density.log_density(monitor))))
    assert len(data.part("validation")) > len(monitor)


def test_the_exact_loss_corrects_the_luck_of_the_validation_rows():
    from flowlab import catalog
    from flowlab.records import Spec

    data = catalog.make_dataset(Spec("moons", {"n_samples": 5000}), 0)
    exact, entropy = exact_validation_loss(data, catalog.MODELS["spline"].make), data.density.entropy()
    assert exact == data.exact_loss("monitor")
    losses = -data.density.log_density(data.part("monitor"))
    assert exact_loss_error(data) == pytest.approx(losses.std() / math.sqrt(len(losses)))
    assert abs(exact - entropy) < 4 * exact_loss_error(data)
    perfect, worse = corrected(run([2, 2], [exact, exact + 0.25]), exact, entropy)
    assert perfect.val_loss == pytest.approx(entropy) and worse.val_loss == pytest.approx(entropy + 0.25)
    assert (perfect.step, perfect.train_loss) == (50, 2)


def test_there_is_no_exact_loss_for_what_is_no_density_or_has_none():
    from flowlab import catalog
    from flowlab.records import Spec

    moons = catalog.make_dataset(Spec("moons", {"n_samples": 500}), 0)
    assert exact_validation_loss(moons, catalog.MODELS["autoencoder"].make) is None
    table = catalog.make_dataset(Spec("wine"), 0)
    assert exact_validation_loss(table, catalog.MODELS["spline"].make) is None


def test_the_train_page_answers_the_first_negative_loss_under_the_stage(own_server):
    link = {"data": "moons", "data.noise": "0.01", "data.n_samples": "4000", "model.n_steps": "250"}
    at = open_page("train", link)
    assert "Is a negative loss" not in said(at)
    press(at, "train.Train")
    wait_for_words(at, "trained in")
    assert any("Is a negative loss an error?" in m.value and "bits per dimension" in m.value for m in at.markdown)
