"""The numbers of a run that a lesson may name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowlab.datasets.dataset import Dataset
from flowlab.evaluation import known_gap
from flowlab.evaluation.comparison import has_labels, held_out
from flowlab.models.base import DensityModel
from flowlab.ranking import auroc, average_precision
from flowlab.records import TrainEvent

FLAGGED_SHARE = 0.01
"""`RunNumbers.caught` is of the share of rows that a rule with this share would flag."""


@dataclass(frozen=True)
class Measured:
    """What is measured of a model; nan where it has no meaning. Losses are in nats in the units of the data.

    Attributes
    ----------
    gap, gap_error : nats above the exact density, with its standard error
    entropy : of the exact density, which no mean loss can pass
    loss : mean negative score of the held-out normal rows
    standard_loss, standard_entropy : loss and entropy as they are for columns of mean 0 and standard deviation 1
    auroc, average_precision : on the held-out rows
    caught : share of the held-out anomalies among the 1 % of the held-out rows with the highest scores
    truth_auroc, truth_caught : the same of the exact density
    """

    gap: float = math.nan
    gap_error: float = math.nan
    entropy: float = math.nan
    loss: float = math.nan
    standard_loss: float = math.nan
    standard_entropy: float = math.nan
    auroc: float = math.nan
    average_precision: float = math.nan
    caught: float = math.nan
    truth_auroc: float = math.nan
    truth_caught: float = math.nan


@dataclass(frozen=True)
class RunNumbers(Measured):
    """What is measured of a run's model, and what its training said.

    Attributes
    ----------
    first_loss, train_loss, val_loss : the first report's training loss, the last one's, the last validation loss
    standard_first_loss : the first one for columns of mean 0 and standard deviation 1
    best_loss, best_step : the lowest validation loss and its step
    steps, seconds : of training
    """

    first_loss: float = math.nan
    standard_first_loss: float = math.nan
    train_loss: float = math.nan
    val_loss: float = math.nan
    best_loss: float = math.nan
    best_step: float = math.nan
    steps: float = math.nan
    seconds: float = math.nan


def measure(model: DensityModel, dataset: Dataset) -> Measured:
    """The numbers of a fitted model: a view, as those of `flowlab.views`."""
    rows = held_out(dataset)
    scores = np.asarray(model.anomaly_score(dataset.X[rows]))
    values: dict[str, float] = {}
    normal = slice(None) if dataset.y is None else dataset.y[rows] != 1
    values["loss"] = float(scores[normal].mean())
    spread = dataset.fitting_rows()[:, dataset.judged].std(axis=0)
    unit_shift = float(np.log(spread).sum()) if (spread > 0).all() else math.nan
    values["standard_loss"] = values["loss"] - unit_shift
    truth = dataset.truth_for(model)
    if truth is not None:
        known = known_gap.gap(model, dataset)
        values |= {"gap": known.nats, "gap_error": known.error, "entropy": float(truth.entropy())}
        values["standard_entropy"] = values["entropy"] - unit_shift
    if has_labels(dataset) and dataset.y is not None:
        y = dataset.y[rows]
        values |= {
            "auroc": auroc(scores, y),
            "average_precision": average_precision(scores, y),
            "caught": share_caught(scores, y),
        }
        if truth is not None:
            exact = -truth.log_density(dataset.X[rows])
            values |= {"truth_auroc": auroc(exact, y), "truth_caught": share_caught(exact, y)}
    return Measured(**values)


def of_run(measured: Measured, events: Sequence[TrainEvent]) -> RunNumbers:
    """A model's numbers with those of its training."""
    first, last = events[0], events[-1]
    judged = [event for event in events if math.isfinite(event.val_loss)]
    best = min(judged, key=lambda event: event.val_loss, default=last)
    return RunNumbers(
        **vars(measured),
        first_loss=first.train_loss,
        standard_first_loss=first.train_loss - measured.loss + measured.standard_loss,
        train_loss=last.train_loss,
        val_loss=judged[-1].val_loss if judged else math.nan,
        best_loss=best.val_loss,
        best_step=best.step,
        steps=last.step,
        seconds=last.seconds,
    )


def share_caught(anomaly_score: np.ndarray, y: np.ndarray, share: float = FLAGGED_SHARE) -> float:
    """The share of the anomalies (y = 1) among the `share` of the rows with the highest scores; arrays of shape (n,).

    >>> share_caught(np.array([0.0, 3.0, 1.0, 2.0]), np.array([0, 1, 1, 0]), share=0.5)
    0.5
    """
    n = max(1, round(share * len(y)))
    top = np.argsort(anomaly_score, kind="stable")[-n:]
    return float((y[top] == 1).sum() / (y == 1).sum())
