"""The default detector for tables: bounded flows and one classical detector, joined by their tail probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import SHARE, Interval, OneOf, constraints_of
from flowlab.models.base import DensityModel, OutlierDetector, State, one_step_event
from flowlab.models.classical.one_step import OneStepScorer
from flowlab.models.classical.scorers import IsolationForestModel, NearestNeighbours
from flowlab.models.flows.families import MaskedAutoregressiveFlow
from flowlab.models.tail_probability import ExponentialTail, TailProbability
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.nets.training import Settings

CLASSICAL = {"isolation forest": "all", "nearest neighbours": "normal"}
FIRST = "first flow"
"""The flow whose least likely rows the others do not see."""
TAILS: dict[str, type[TailProbability] | type[ExponentialTail]] = {"all": TailProbability, "normal": ExponentialTail}
"""Unlabelled rows hold anomalies: a new one lies among them, and shares of rows tell how strange it is. One that lies
beyond all normal rows is told from the next by how far."""
STEPS = {"all": 400, "normal": 1600}
"""Steps of a flow, by mean AUROC over 17 public tables: fewer where anomalies among the rows would be learned too."""
TRIM = 0.2
N_NEIGHBOURS, NEIGHBOUR_ROWS = 5, 3000
CALIBRATION_ROWS = 5000
WORST = 1e30


class BoundedFlow(MaskedAutoregressiveFlow):
    """A masked autoregressive flow that can only contract, so that no density piles up on discrete values."""

    _average_rate = 0.0  # an average over the last 200 steps would lag behind in runs as short as these

    def _settings(self, n_rows: int, has_validation: bool) -> Settings:
        return replace(super()._settings(n_rows, has_validation), keep_best=False)


class Detector(OutlierDetector):
    """Finds strange rows of a table: several bounded flows of different seeds and one classical detector.

    Each member's anomaly score becomes a tail probability (how many training rows are at least as strange); the
    detector's score is the weighted mean of their logarithms. Flows and classical detector fail on different tables.
    The score is not a density: a flow with a higher likelihood need not detect better.

    Parameters
    ----------
    trained_on : "all": unlabelled rows, strange ones among them; few steps, and the least likely rows are left out of
        a second fit. "normal": rows known to be normal
    n_flows : how many flows, 0 to leave them out
    classical : "auto" (isolation forest for "all", nearest neighbours for "normal"), "isolation forest",
        "nearest neighbours" or "none"
    classical_weight : weight of the classical member, 0 to 1; the flows share the rest
    n_steps : training steps of each flow; 0 takes 400 where `trained_on` is "all" and 1,600 where it is "normal"
    trim : share of the training rows, the least likely ones of a first fit, that the flows do not see; "auto" is 0.2
        where `trained_on` is "all"
    context_column : index of a column that conditions the flows, so that a row is judged among the rows of its level
        (the classical member reads it as a number); None for none
    contamination : share of the training rows that `predict` calls outliers
    n_layers, hidden_features, learning_rate, scale_map : of the flows; "contract" keeps them from expanding
    random_state : seed of everything
    """

    valid = {
        "trained_on": OneOf("all", "normal"),
        "n_flows": Interval(int, 0),
        "classical": OneOf("auto", *CLASSICAL, "none"),
        "classical_weight": SHARE,
        "n_steps": Interval(int, 0),
        "trim": OneOf("auto", "0", "0.05", "0.1", "0.2", "0.4") | Interval(float, 0, 0.5, closed="left"),
        **{
            name: constraint
            for name, constraint in constraints_of(MaskedAutoregressiveFlow).items()
            if name in ("n_layers", "hidden_features", "learning_rate", "scale_map", "context_column", "random_state")
        },
    }
    step_: int
    _seconds: float
    _kept: np.ndarray | None
    _current: dict[str, np.ndarray] | None

    is_density = False
    is_ensemble = True
    asks_if_normal = True
    can_condition = True
    loss_label = "negative log-likelihood of the flow in training (nats)"
    score_label = "mean log tail probability (nats)"

    def __init__(
        self,
        trained_on: str = "all",
        n_flows: int = 3,
        classical: str = "auto",
        classical_weight: float = 0.25,
        n_steps: int = 0,
        trim: str | float = "auto",
        n_layers: int = 5,
        hidden_features: int = 64,
        learning_rate: float = 5e-3,
        scale_map: str = "contract",
        context_column: int | None = None,
        contamination: float = 0.01,
        random_state: int = 0,
    ):
        self.trained_on = trained_on
        self.n_flows = n_flows
        self.classical = classical
        self.classical_weight = classical_weight
        self.n_steps = n_steps
        self.trim = trim
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.learning_rate = learning_rate
        self.scale_map = scale_map
        self.context_column = context_column
        self.contamination = contamination
        self.random_state = random_state

    def configured_for(self, dataset: Dataset) -> Detector:
        """This detector with the context of a data set, and whether its training rows are known to be normal."""
        knows_normal = dataset.y is not None and dataset.train_on == "normal"
        return super().configured_for(dataset).set_params(trained_on="normal" if knows_normal else "all")

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.n_flows == 0 and self.classical == "none":
            raise ValueError("n_flows=0 and classical='none' leave nothing to detect with; keep one of the two")

    def _plan(self, n_rows: int) -> tuple[int, int, float]:
        """Batch size, steps of each flow, and the share of rows to leave out."""
        trim = self.trim
        if trim == "auto":
            trim = TRIM if self.trained_on == "all" else 0.0
        return min(256, max(32, n_rows // 8)), self.n_steps or STEPS[self.trained_on], float(trim)

    def _flow(self, index: int, n_rows: int) -> BoundedFlow:
        batch_size, n_steps, _ = self._plan(n_rows)
        return BoundedFlow(
            n_layers=self.n_layers,
            hidden_features=self.hidden_features,
            scale_map=self.scale_map,
            context_column=self.context_column,
            n_steps=n_steps,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            regularize="none",
            random_state=1000 * self.random_state + index,
        )

    def _classical(self) -> dict[str, OneStepScorer]:
        name = self.classical
        if name == "auto":
            name = next(key for key, rows in CLASSICAL.items() if rows == self.trained_on)
        if name == "none":
            return {}
        if name == "isolation forest":
            return {name: IsolationForestModel(random_state=self.random_state)}
        return {name: NearestNeighbours(N_NEIGHBOURS, max_rows=NEIGHBOUR_ROWS, random_state=self.random_state)}

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        _, steps_each, trim = self._plan(len(X))
        names = [f"flow {i + 1}" for i in range(self.n_flows)]
        if trim and names:
            names.insert(0, FIRST)
        total, remaining = steps_each * len(names), math.inf if n_steps is None else n_steps
        if checkpoint is None:
            self._begin(X)
            if not names and remaining > 0:
                yield one_step_event(self, X, X_val, 0.0)
        else:
            self.set_state(checkpoint)
            self._resume(checkpoint)
        while self.step_ < total and remaining > 0:
            index, steps_before = divmod(self.step_, steps_each)
            name = names[index]
            flow = self._flow(index, len(X))
            flow_checkpoint = self._current if steps_before else None
            rows = X if self._kept is None else X[self._kept]
            flow_steps = None if remaining == math.inf else min(int(remaining), steps_each - steps_before)
            for event in flow.fit_iter(rows, X_val, checkpoint=flow_checkpoint, n_steps=flow_steps):
                self.step_ = index * steps_each + event.step
                self._use(name, flow, X, is_done=event.step == steps_each)
                yield replace(
                    event,
                    step=self.step_,
                    n_steps=total,
                    epoch=event.epoch + index * steps_each * event.epoch / event.step,
                    seconds=self._seconds + event.seconds,
                    note=event.note or (name if event.step <= 50 else ""),
                )
            remaining -= self.step_ - index * steps_each - steps_before
            if self.step_ == (index + 1) * steps_each:
                self._seconds += event.seconds
                if name == FIRST:
                    n_kept = max(2, math.ceil((1 - trim) * len(X)))
                    self._kept = np.sort(np.argsort(_finite(flow.anomaly_score(X)), kind="stable")[:n_kept])

    def _begin(self, X: np.ndarray) -> None:
        """Fit the classical member; the detector can then be used."""
        self.members_: dict[str, DensityModel] = {}
        self.tails_: dict[str, TailProbability | ExponentialTail] = {}
        self.step_, self._seconds, self._kept, self._current = 0, 0.0, None, None
        for name, model in self._classical().items():
            for _ in model.fit_iter(X):  # not `fit`: nobody asks a member for its offset
                pass
            scores = -model.training_scores(self._calibration_rows(X))
            self.members_[name], self.tails_[name] = model, TAILS[self.trained_on].fit(scores)

    def _use(self, name: str, flow: BoundedFlow, X: np.ndarray, is_done: bool) -> None:
        """Make `flow`, as it is now, a member; until it `is_done`, calibrate it on 1,000 rows only."""
        if name != FIRST:
            self.members_.pop(FIRST, None), self.tails_.pop(FIRST, None)
        rows = self._calibration_rows(X)[: None if is_done else 1000]
        self.members_[name] = flow
        self.tails_[name] = TAILS[self.trained_on].fit(_finite(flow.anomaly_score(rows)))
        of_training = {key: a for key, a in flow.get_checkpoint().items() if key.startswith("train.")}
        self._current = of_training | flow.get_state()

    def _calibration_rows(self, X: np.ndarray) -> np.ndarray:
        order = np.random.default_rng([self.random_state, 0xCA1]).permutation(len(X))
        return X[order[:CALIBRATION_ROWS]]

    @property
    def weights_(self) -> dict[str, float]:
        """Weight of each member; they sum to 1."""
        check_is_fitted(self, "members_")
        n_flows = sum(name not in CLASSICAL for name in self.members_)
        if n_flows in (0, len(self.members_)):
            return dict.fromkeys(self.members_, 1 / len(self.members_))
        share = (1 - self.classical_weight) / n_flows
        return {name: self.classical_weight if name in CLASSICAL else share for name in self.members_}

    def member_scores(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """-log tail probability of each row by each member, in nats, (n_samples,) each; higher is stranger."""
        check_is_fitted(self, "members_")
        X = self._check_rows(X)
        return {name: self.tails_[name](_finite(model.anomaly_score(X))) for name, model in self.members_.items()}

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Weighted mean of the members' log tail probabilities in nats, (n_samples,), below 0."""
        weights = self.weights_
        surprises = [weights[name] * surprise for name, surprise in self.member_scores(X).items()]
        return -sum(surprises[1:], start=surprises[0])

    def n_parameters(self) -> int:
        """How many numbers all members learned."""
        check_is_fitted(self, "members_")
        return sum(model.n_parameters() for model in self.members_.values())

    def get_state(self) -> dict[str, np.ndarray]:
        """States of all members and of their tail probabilities, as arrays."""
        check_is_fitted(self, "members_")
        state = {"members": np.array(list(self.members_)), "n_features_in": np.array(self.n_features_in_)}
        state["step"] = np.array(self.step_)
        for i, (name, model) in enumerate(self.members_.items()):
            state |= {f"member{i}.{key}": array for key, array in model.get_state().items()}
            tail = self.tails_[name]
            state |= {f"tail{i}.scores": tail.scores, f"tail{i}.surprise": tail.surprise}
            state[f"tail{i}.slope"] = np.array(tail.slope)
            state[f"tail{i}.is_exponential"] = np.array(isinstance(tail, ExponentialTail))
        return state

    def set_state(self, state: State) -> Detector:
        """Restore what `get_state` returned. Returns self."""
        self.n_features_in_, self.step_ = int(state["n_features_in"]), int(state["step"])
        self.members_, self.tails_ = {}, {}
        classical = self._classical()
        for i, name in enumerate(str(name) for name in state["members"]):
            model = classical.get(name) or self._flow(0, 2)
            self.members_[name] = model.set_state(_part(state, f"member{i}."))
            tail = _part(state, f"tail{i}.")
            kind = ExponentialTail if tail.get("is_exponential", False) else TailProbability  # 0.1.0 had the one kind
            self.tails_[name] = kind(tail["scores"], tail["surprise"], float(tail["slope"]))
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State, seconds so far, rows kept for training and the flow in training, for `fit_iter` to go on from."""
        state = self.get_state() | {"seconds": np.array(self._seconds)}
        if self._kept is not None:
            state["kept"] = self._kept
        return state | {f"current.{key}": array for key, array in (self._current or {}).items()}

    def _resume(self, checkpoint: State) -> None:
        self._seconds = float(checkpoint["seconds"])
        self._kept = np.asarray(checkpoint["kept"]) if "kept" in checkpoint else None
        self._current = _part(checkpoint, "current.") or None


def _part(state: State, prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): np.asarray(state[key]) for key in state if key.startswith(prefix)}


def _finite(scores: np.ndarray) -> np.ndarray:
    """Scores within +-`WORST`; `WORST`, the most anomalous, where a score is not finite."""
    return np.where(np.isfinite(scores), np.clip(scores, -WORST, WORST), WORST)
