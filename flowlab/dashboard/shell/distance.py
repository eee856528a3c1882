"""How far a run is from the truth: one number for the headline, the line above the stage, the strip and answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import streamlit as st

from flowlab import catalog, formatting
from flowlab.catalog.faults import keeps_density
from flowlab.dashboard.shell import services
from flowlab.evaluation import loss_curve
from flowlab.records import RunSpec, TrainEvent
from flowlab.store.reading import Run


@dataclass(frozen=True)
class Distance:
    """Nats above the exact density, no less where `at_most`; `error` is its standard error, nan while training."""

    nats: float
    error: float
    at_most: bool

    def words(self) -> str:
        """ "0.131 nats above the truth"."""
        return formatting.above_the_truth(self.nats, self.at_most)


def of_run(run: Run | None) -> Distance | None:
    """The distance of a finished run's model, on fresh draws of the exact density; None where it is not known."""
    final = services.final(run) if run is not None and run.is_usable else None
    if run is None or final is None or final.gap is None or not keeps_density(run.spec.model):
        return None
    nats, error = float(final.gap), float(math.nan if final.gap_error is None else final.gap_error)
    at_most = catalog.make_model(run.spec.model).score_is_bound
    return Distance(nats, error, at_most) if math.isfinite(nats) else None


def of_event(spec: RunSpec, event: TrainEvent) -> Distance | None:
    """The distance while training: validation loss less the exact density's on the same rows.

    None where the loss is no mean negative log-density, or no bound of one.
    """
    exact = exact_validation_loss(spec)
    if exact is None or not keeps_density(spec.model) or not math.isfinite(event.val_loss):
        return None
    return Distance(event.val_loss - exact, math.nan, catalog.make_model(spec.model).score_is_bound)


def exact_validation_loss(spec: RunSpec) -> float | None:
    """See `loss_curve.exact_validation_loss`."""
    return _exact_loss(spec.data.to_json(), spec.model.to_json(), spec.seed, spec)


@st.cache_data(show_spinner=False, max_entries=50)
def _exact_loss(data_json: str, model_json: str, seed: int, _spec: RunSpec) -> float | None:
    return loss_curve.exact_validation_loss(services.dataset(_spec), catalog.make_model(_spec.model))
