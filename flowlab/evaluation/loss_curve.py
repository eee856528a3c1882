"""Notes on a loss curve: answers to common questions, each from the run's own numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from flowlab.datasets.dataset import Dataset, Part, ScoringModel
from flowlab.formatting import above_the_truth, count, fixed, plural
from flowlab.records import TrainEvent

FEW = 8
"""Fewest evaluations from which the shape of a curve is judged."""
SETTLED = 0.1
"""Share of the steps, at the start of a run, in which no spike is reported."""
WINDOW = 8
SPIKE_SPREADS = 8.0
SPIKE_SHARE = 0.2
RISE_SHARE = 0.05
"""A jump, or a rise, must also be this share of all the curve has fallen, to be visible."""
RISE = 0.02
MET_PER_FEATURE = 0.01
FAR_PER_FEATURE = 0.25
"""Nats per feature above the truth: up to the one a model has met it, from the other on it is far from it."""
FLAT_SHARE = 0.3
"""Share of the steps, the last ones, over which a loss must have been flat."""
FULL_RATE = 0.2
"""Share of the steps from which on a loss must have been flat to be flat at a high learning rate too."""
FLAT = 0.03
SAME = 0.25
"""Shares of the distance to the truth: a loss that fell by less is flat, two that differ by less are equal."""


@dataclass(frozen=True)
class Answer:
    """One question and its answer, in plain text without markup; `key` is stable, `title` is the question."""

    key: str
    title: str
    text: str


def answers(
    events: Sequence[TrainEvent],
    n_features: int,
    *,
    unit: str = "nats",
    n_scaling: int | None = None,
    entropy: float | None = None,
    gap: tuple[float, float] | None = None,
    notes: Sequence[str] = (),
    is_over: bool = False,
    is_one_training: bool = True,
) -> list[Answer]:
    """Answers about a run's loss curve, the most pressing first; an empty list for a curve that raises no question.

    Parameters
    ----------
    events : of the run so far, losses as they are displayed
    n_features : columns of the data; turns nats into bits per dimension
    unit : "nats" where the loss is a negative log-density in the units of the data, and not only a bound of one; with
        another unit only the answers that hold for any loss are given
    n_scaling : columns that a change of unit multiplies; all of them by default
    entropy : of the exact density in nats, the lowest expected loss of any model; None where it is unknown
    gap : of the model that the finished run kept: nats above the exact density on fresh draws, and the standard error
        of that paired difference; None while the run trains, or where it is not known
    notes : sentences of the fitted model about its fit
    is_over : whether training has ended
    is_one_training : False where several models are trained one after the other, so that the curve begins again
    """
    curve = [e for e in events if math.isfinite(e.train_loss)]
    evaluated = _evaluations(events)
    nats = unit == "nats"
    candidates = [
        _rolled_back(events),
        _overfitting(curve, evaluated, unit) if is_one_training else None,
        _spike(curve, unit) if is_one_training else None,
        _plateau(curve, evaluated, n_features, entropy, gap, notes, is_over) if nats else None,
        _met_entropy(n_features, entropy, gap) if nats else None,
        _negative(events, evaluated, n_features, n_features if n_scaling is None else n_scaling) if nats else None,
    ]
    applicable = [answer for answer in candidates if answer is not None]
    own = [note for note in notes if not note.startswith("rolled back")]
    if own and not any(answer.key == "plateau" for answer in applicable):
        applicable.append(Answer("notes", "What does this model say of itself?", " ".join(map(_sentence, own[:3]))))
    return applicable


def _negative(events: Sequence[TrainEvent], evaluated: Sequence[TrainEvent], d: int, n_scaling: int) -> Answer | None:
    below = next((e for e in evaluated if e.val_loss < 0), None)
    if below is not None:
        loss, of = evaluated[-1].val_loss, "validation loss"
    else:
        # Before the first evaluation there is only the training loss.
        below = None if evaluated else next((e for e in events if e.train_loss < 0), None)
        loss, of = events[-1].train_loss if events else math.nan, "training loss"
    if below is None or not math.isfinite(loss):
        return None
    factor = n_scaling * math.log(10)
    columns = "every column" if n_scaling == d else f"the {plural(n_scaling, 'column')} of plain numbers"
    units = (
        f" It depends on the units: with {columns} multiplied by 10, the same model's loss is {fixed(factor)} nats "
        f"higher ({n_scaling} ln 10), {fixed(loss + factor)}. Compare losses only in the same units."
    )
    return Answer(
        "negative",
        "Is a negative loss an error?",
        f"No: a density is not a probability. It is probability per unit of volume and exceeds 1 wherever the rows are "
        f"dense; the loss, its mean negative logarithm, is then below 0, here since step {count(below.step)}. The "
        f"{of} is {fixed(loss)} nats, or {fixed(loss / (d * math.log(2)))} bits per dimension."
        + (units if n_scaling else ""),
    )


def _met_entropy(d: int, entropy: float | None, gap: tuple[float, float] | None) -> Answer | None:
    """Said of the kept model on fresh draws: the least of many evaluations on the same rows is lower than its mean."""
    if entropy is None or gap is None or gap[0] + 2 * gap[1] > MET_PER_FEATURE * d:
        return None
    return Answer(
        "entropy",
        "Can the loss fall further?",
        f"Hardly: the model stands {above_the_truth(gap[0])} (± {fixed(gap[1])}, one standard error on fresh draws), "
        "and no model, however large, has a lower mean loss than the truth: the entropy of the data, "
        f"{fixed(entropy)} nats.",
    )


def _overfitting(curve: Sequence[TrainEvent], evaluated: Sequence[TrainEvent], unit: str) -> Answer | None:
    """Validation well above its best for the last three evaluations, while the training loss went on falling."""
    if len(evaluated) < FEW:
        return None
    best = min(evaluated, key=lambda e: e.val_loss)
    last = evaluated[-1]
    rise = last.val_loss - best.val_loss
    least_rise = max(RISE, RISE_SHARE * (evaluated[0].val_loss - best.val_loss))
    since = [e for e in evaluated if e.step > best.step]
    if len(since) < 3 or min(e.val_loss for e in since[-3:]) - best.val_loss < least_rise:
        return None
    before = [e.train_loss for e in curve if e.step <= best.step][-3:]
    after = [e.train_loss for e in curve if e.step > best.step][-3:]
    if not before or not after or not median(after) < median(before):
        return None
    return Answer(
        "overfitting",
        "Why does the validation loss rise?",
        f"The model over-fits: since step {count(best.step)} the training loss fell by "
        f"{fixed(median(before) - median(after))}, the validation loss rose by {fixed(rise)} {unit}".rstrip()
        + f", from {fixed(best.val_loss)} to {fixed(last.val_loss)}. The weights of step {count(best.step)}, the "
        "best on validation rows, are the ones kept. More rows help most; else fewer layers, a smaller width, or more "
        "weight decay.",
    )


def _spike(curve: Sequence[TrainEvent], unit: str) -> Answer | None:
    """The largest jump of the training loss above the level and the scatter of the stretches before it."""
    largest = None
    for i in range(WINDOW, len(curve)):
        event, before = curve[i], [e.train_loss for e in curve[i - WINDOW : i]]
        level = median(before)
        spread = 1.4826 * median(abs(loss - level) for loss in before)
        fallen = max(e.train_loss for e in curve[:i]) - min(e.train_loss for e in curve[:i])
        jump = event.train_loss - level
        if event.step < SETTLED * event.n_steps or jump <= max(SPIKE_SPREADS * spread, SPIKE_SHARE * fallen, 1e-9):
            continue
        if largest is None or jump > largest[0]:
            largest = jump, i, level + 2 * spread
    if largest is None:
        return None
    jump, i, usual = largest
    back = next((e for e in curve[i + 1 :] if e.train_loss <= usual), None)
    if back is not None:
        after = f"By step {count(back.step)} it was back where it had been: one unlucky batch or one step too long."
    elif i + 1 == len(curve):
        after = "It is the newest stretch; whether it recovers will show."
    else:
        after = "It has not come back since. A smaller learning rate makes such steps shorter."
    where = f"before step {count(curve[i].step)}"
    return Answer(
        "spike",
        "What was that spike?",
        f"In the stretch {where} the training loss jumped by {fixed(jump)} {unit}".rstrip()
        + f", to {fixed(curve[i].train_loss)}. {after}",
    )


def _rolled_back(events: Sequence[TrainEvent]) -> Answer | None:
    noted = [e for e in events if e.note.startswith("rolled back")]
    if not noted:
        return None
    first, _, rest = noted[-1].note.partition("; ")
    cause = "gradient" if "gradient not finite" in first else "loss"
    stretches = "in one stretch" if len(noted) == 1 else f"in {len(noted)} stretches"
    column = f" Likely cause: {_sentence(rest)} Look at that column first." if rest else ""
    return Answer(
        "rollback",
        "What does rolled back mean?",
        f"A {cause} that was not finite, {stretches}, last before step {count(noted[-1].step)}. Such a step is not "
        f"taken: the best weights so far return and the learning rate is halved for the rest of the run.{column}",
    )


def _plateau(
    curve: Sequence[TrainEvent],
    evaluated: Sequence[TrainEvent],
    d: int,
    entropy: float | None,
    gap: tuple[float, float] | None,
    notes: Sequence[str],
    is_over: bool,
) -> Answer | None:
    """Flat over the last part of the run, far above the truth, on training rows too: more rows would not help.

    The end of a curve is flat because the learning rate falls to zero there. Only if hardly anything was gained since
    the rate was high, or the model says so itself, more steps are called useless.
    """
    if entropy is None or len(evaluated) < FEW or not curve:
        return None
    last = evaluated[-1]
    if not is_over and last.step < last.n_steps / 2:
        return None
    best = min(e.val_loss for e in evaluated)
    left = best - entropy if gap is None else gap[0]
    early, at_full_rate = (
        [e.val_loss for e in evaluated if e.step <= share * last.step] for share in (1 - FLAT_SHARE, FULL_RATE)
    )
    if not early or left < FAR_PER_FEATURE * d or min(early) - best > FLAT * left:
        return None
    if median(e.train_loss for e in curve[-3:]) < best - SAME * left:
        return None
    limits = " ".join(_sentence(note) for note in notes if "stays above" in note)
    gained = min(at_full_rate, default=math.inf) - best
    said = f"The model stands {above_the_truth(left)}. "
    if limits:
        said += limits
    elif gained <= FLAT * left:
        said += (
            f"Since step {count(round(FULL_RATE * last.step))}, most of it at a high learning rate, the loss fell by "
            f"{fixed(max(gained, 0.0))} nats only: more steps alone would not close that. This model, as it is set, "
            "does not take the shape of these data: give it more layers, or another."
        )
    else:
        said += (
            "That the curve is flat at its end shows only that the learning rate falls to zero there: more steps, more "
            "layers or another model may come nearer."
        )
    return Answer("plateau", "Why does the loss stay so high?", said)


def _evaluations(events: Sequence[TrainEvent]) -> list[TrainEvent]:
    """Events with a new validation loss: one that ends a slice repeats the last."""
    evaluated: list[TrainEvent] = []
    for event in events:
        if math.isfinite(event.val_loss) and not (evaluated and evaluated[-1].val_loss == event.val_loss):
            evaluated.append(event)
    return evaluated


def _sentence(text: str) -> str:
    return text.strip().rstrip(".") + "."


Curve = tuple[np.ndarray, np.ndarray]
"""Steps (n,) and losses (n,)."""


def own_losses(events: Sequence[TrainEvent], branch: int = 0, parent: Curve | None = None) -> Curve:
    """Validation losses from step `branch` on; training losses where nothing was validated.

    Parameters
    ----------
    events : of the run, those it has from its parent included
    branch : step from which a fork goes on; 0 for a run that is none
    parent : curve of the fork's parent

    A fork's first point is where it left the curve of its `parent`; nan if nothing had been evaluated by then. There
    is one value for each evaluation: between two, events repeat the last.
    """
    steps = np.array([event.step for event in events], int)
    losses = np.array([event.val_loss for event in events], float)
    if not np.isfinite(losses).any():
        losses = np.array([event.train_loss for event in events], float)
    good = np.isfinite(losses)
    steps, losses = steps[good], losses[good]
    new = np.append(True, losses[1:] != losses[:-1]) if len(losses) else good[:0]
    if not branch:
        return steps[new], losses[new]
    before, after = new & (steps <= branch), new & (steps > branch)
    left_at = losses[before][-1] if before.any() else np.nan
    if parent is not None and len(parent[0]) and np.isfinite(left_at):
        left_at = np.interp(branch, *parent)
    return np.append(branch, steps[after]), np.append(left_at, losses[after])


def exact_validation_loss(dataset: Dataset, model: ScoringModel) -> float | None:
    """Mean negative log of the exact density over the validation rows, in nats; None where there is none.

    `model` is one whose losses are to be held against that density: mean negative log-densities, or bounds of them.
    """
    return (
        None if not model.loss_is_likelihood or dataset.truth_for(model) is None else dataset.exact_loss(Part.MONITOR)
    )


def corrected(events: Sequence[TrainEvent], exact_loss: float, entropy: float) -> list[TrainEvent]:
    """Events whose validation loss is moved by what the exact density says of the validation rows' luck.

    The known mean of the exact log-density is a control variate: the curve then meets the entropy, not the entropy
    plus the sampling error of these validation rows.

    Parameters
    ----------
    exact_loss : mean negative log of the exact density over the validation rows, in nats
    entropy : of the exact density, in nats
    """
    shift = entropy - exact_loss
    return [replace(event, val_loss=event.val_loss + shift) for event in events]
