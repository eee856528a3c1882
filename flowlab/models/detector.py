"""The default detector for tables: bounded flows and classical detectors, joined by their tail probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import SHARE, Interval, OneOf, constraints_of
from flowlab.models.base import DensityModel, OutlierDetector, State, one_step_event
from flowlab.models.classical.density import GaussianMixture
from flowlab.models.classical.one_step import OneStepModel, OneStepScorer
from flowlab.models.classical.scorers import IsolationForestModel, NearestNeighbours
from flowlab.models.flows.families import MaskedAutoregressiveFlow
from flowlab.models.principal_columns import PrincipalColumns
from flowlab.models.tail_probability import ExponentialTail, TailProbability
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from flowlab.datasets.dataset import Dataset
    from flowlab.nets.training import Settings

FOREST, NEIGHBOURS, MIXTURE = "isolation forest", "nearest neighbours", "Gaussian mixture"
CLASSICAL = {"all": (FOREST, NEIGHBOURS), "normal": (NEIGHBOURS, MIXTURE)}
"""Classical members by what the training rows are. Chosen on 38 public tables: unlabelled anomalies often lie in dense
groups, which only what looks past a group still finds strange; rows known to be normal bear a close look."""
TAILS: dict[str, type[TailProbability] | type[ExponentialTail]] = {"all": TailProbability, "normal": ExponentialTail}
"""Unlabelled rows hold anomalies: a new one lies among them, and shares of rows tell how strange it is. One that lies
beyond all normal rows is told from the next by how far."""
STEPS = {"all": 400, "normal": 1600}
"""Steps of a flow, by mean AUROC over 17 public tables: fewer where anomalies among the rows would be learned too."""
TRIM = 0.2
FIRST = "first flow"
"""The member of an unfinished detector of 0.1.0 that chose the rows the others did not see."""
NEIGHBOURHOODS = {"all": (50, 1000), "normal": (5, 3000)}
"""How many neighbours, among how many training rows."""
WIDE = 64
"""From more columns on, flows and mixture read principal components and the size of what these leave out."""
CALIBRATION_ROWS = 5000
WORST = 1e30


class BoundedFlow(MaskedAutoregressiveFlow):
    """A masked autoregressive flow that can only contract, so that no density piles up on discrete values."""

    _average_rate = 0.0  # an average over the last 200 steps would lag behind in runs as short as these

    def _settings(self, n_rows: int, has_validation: bool) -> Settings:
        return replace(super()._settings(n_rows, has_validation), keep_best=False)


class Detector(OutlierDetector):
    """Finds strange rows of a table: several bounded flows of different seeds and two classical detectors.

    Each member's anomaly score becomes a tail probability (how many training rows are at least as strange); the
    detector's score is the weighted mean of their logarithms. Flows and classical detectors fail on different tables.
    The score is not a density: a flow with a higher likelihood need not detect better.

    Parameters
    ----------
    trained_on : "all": unlabelled rows, strange ones among them; few steps, and the flows do not see the strangest
        rows. "normal": rows known to be normal
    n_flows : how many flows, 0 to leave them out
    classical : "auto" (isolation forest and nearest neighbours, of which it takes many, for "all"; nearest neighbours,
        a few, and Gaussian mixture for "normal"), one of the three, or "none"
    classical_weight : weight of the classical members together, 0 to 1; the flows share the rest
    n_steps : training steps of each flow; 0 takes 400 where `trained_on` is "all" and 1,600 where it is "normal"
    trim : share of the training rows, the strangest ones by the two classical detectors of `trained_on`, members or
        not, that the flows do not see; "auto" is 0.2 where `trained_on` is "all", else 0
    context_column : index of a column that conditions the flows, so that a row is judged among the rows of its level
        (the classical members read it as a number); None for none
    contamination : share of the training rows that `predict` calls outliers
    n_layers, hidden_features, learning_rate, scale_map : of the flows; "contract" keeps them from expanding
    random_state : seed of everything
    """

    valid = {
        "trained_on": OneOf("all", "normal"),
        "n_flows": Interval(int, 0),
        "classical": OneOf("auto", FOREST, NEIGHBOURS, MIXTURE, "none"),
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
    _weight: float
    _front: PrincipalColumns | None

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
        classical_weight: float = 0.5,
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
        return super().configured_for(dataset).set_params(trained_on=dataset.train_on)

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
            context_column=self.context_column if self._front is None or self.context_column is None else -1,
            n_steps=n_steps,
            batch_size=batch_size,
            learning_rate=self.learning_rate,
            regularize="none",
            random_state=1000 * self.random_state + index,
        )

    def _classical(self, name: str) -> OneStepModel:
        if name == FOREST:
            return IsolationForestModel(random_state=self.random_state)
        if name == MIXTURE:
            return GaussianMixture(random_state=self.random_state)
        n_neighbors, max_rows = NEIGHBOURHOODS[self.trained_on]
        return NearestNeighbours(n_neighbors, max_rows=max_rows, random_state=self.random_state)

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        _, steps_each, _ = self._plan(len(X))
        names = [f"flow {i + 1}" for i in range(self.n_flows)]
        total, remaining = steps_each * len(names), math.inf if n_steps is None else n_steps
        if checkpoint is None:
            self._begin(X)
            if not names and remaining > 0:
                yield one_step_event(self, X, X_val, 0.0)
        else:
            self.set_state(checkpoint)
            self._resume(checkpoint)
            if FIRST in self.members_:
                raise ValueError("this run was begun by FlowLab 0.1.0, which trained otherwise; start it again")
        if self.step_ >= total or remaining <= 0:
            return
        narrow, narrow_val = self._narrowed(X), None if X_val is None else self._narrowed(X_val)
        rows = narrow if self._kept is None else narrow[self._kept]
        while self.step_ < total and remaining > 0:
            index, steps_before = divmod(self.step_, steps_each)
            name = names[index]
            flow = self._flow(index, len(X))
            flow_checkpoint = self._current if steps_before else None
            flow_steps = None if remaining == math.inf else min(int(remaining), steps_each - steps_before)
            for event in flow.fit_iter(rows, narrow_val, checkpoint=flow_checkpoint, n_steps=flow_steps):
                self.step_ = index * steps_each + event.step
                self._use(name, flow, narrow, is_done=event.step == steps_each)
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

    def _begin(self, X: np.ndarray) -> None:
        """Fit the classical members; the detector can then be used. Choose the rows that the flows see."""
        self.members_: dict[str, DensityModel] = {}
        self.tails_: dict[str, TailProbability | ExponentialTail] = {}
        self.step_, self._seconds, self._kept, self._current, self._front = 0, 0.0, None, None, None
        self._weight = self.classical_weight
        n_judged = X.shape[1] - (self.context_column is not None)
        if n_judged > WIDE:
            self._front = PrincipalColumns(WIDE, self.context_column).fit(X)
        _, _, trim = self._plan(len(X))
        members = {"auto": CLASSICAL[self.trained_on], "none": ()}.get(self.classical, (self.classical,))
        strangeness = np.zeros(len(X))
        for name in dict.fromkeys([*members, *(CLASSICAL[self.trained_on] if trim and self.n_flows else ())]):
            model, seen = self._classical(name), self._seen_by(name, X)
            for _ in model.fit_iter(seen):  # not `fit`: nobody asks a member for its offset
                pass
            tail = TAILS[self.trained_on].fit(_training_scores(model, self._calibration_rows(seen)))
            if name in members:
                self.members_[name], self.tails_[name] = model, tail
            if trim and name in CLASSICAL[self.trained_on]:
                strangeness += tail(_finite(model.anomaly_score(seen)))
        if trim:
            n_kept = max(2, math.ceil((1 - trim) * len(X)))
            self._kept = np.sort(np.argsort(strangeness, kind="stable")[:n_kept])

    def _use(self, name: str, flow: BoundedFlow, narrow: np.ndarray, is_done: bool) -> None:
        """Make `flow`, as it is now, a member; until it `is_done`, calibrate it on 1,000 rows only."""
        rows = self._calibration_rows(narrow)[: None if is_done else 1000]
        self.members_[name] = flow
        self.tails_[name] = TAILS[self.trained_on].fit(_finite(flow.anomaly_score(rows)))
        of_training = {key: a for key, a in flow.get_checkpoint().items() if key.startswith("train.")}
        self._current = of_training | flow.get_state()

    def _seen_by(self, name: str, X: np.ndarray) -> np.ndarray:
        """The columns that a member reads: those of the table, or the narrow ones of a wide one."""
        return X if name in (FOREST, NEIGHBOURS) else self._narrowed(X)

    def _narrowed(self, X: np.ndarray) -> np.ndarray:
        return X if self._front is None else self._front.transform(X)

    def _calibration_rows(self, X: np.ndarray) -> np.ndarray:
        order = np.random.default_rng([self.random_state, 0xCA1]).permutation(len(X))
        return X[order[:CALIBRATION_ROWS]]

    @property
    def weights_(self) -> dict[str, float]:
        """Weight of each member; they sum to 1."""
        check_is_fitted(self, "members_")
        is_flow = {name: name not in (FOREST, NEIGHBOURS, MIXTURE) for name in self.members_}
        n_flows = sum(is_flow.values())
        n_classical = len(is_flow) - n_flows
        if not n_flows or not n_classical:
            return dict.fromkeys(self.members_, 1 / len(self.members_))
        of_flow, of_classical = (1 - self._weight) / n_flows, self._weight / n_classical
        return {name: of_flow if is_flow[name] else of_classical for name in self.members_}

    def member_scores(self, X: np.ndarray) -> dict[str, np.ndarray]:
        """-log tail probability of each row by each member, in nats, (n_samples,) each; higher is stranger."""
        check_is_fitted(self, "members_")
        X = self._check_rows(X)
        narrow = self._narrowed(X)
        columns = {FOREST: X, NEIGHBOURS: X}
        return {
            name: self.tails_[name](_finite(model.anomaly_score(columns.get(name, narrow))))
            for name, model in self.members_.items()
        }

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
        state |= {"step": np.array(self.step_), "classical_weight": np.array(self._weight)}
        for i, (name, model) in enumerate(self.members_.items()):
            state |= {f"member{i}.{key}": array for key, array in model.get_state().items()}
            tail = self.tails_[name]
            state |= {f"tail{i}.scores": tail.scores, f"tail{i}.surprise": tail.surprise}
            state[f"tail{i}.slope"] = np.array(tail.slope)
            state[f"tail{i}.is_exponential"] = np.array(isinstance(tail, ExponentialTail))
        if self._front is not None:
            state |= {f"front.{key}": array for key, array in self._front.get_state().items()}
        return state

    def set_state(self, state: State) -> Detector:
        """Restore what `get_state` returned. Returns self."""
        self.n_features_in_, self.step_ = int(state["n_features_in"]), int(state["step"])
        self.members_, self.tails_, self._front = {}, {}, None
        is_of_one_classical = "classical_weight" not in state  # written by 0.1.0
        given = self.classical_weight
        self._weight = (0.25 if given == 0.5 else given) if is_of_one_classical else float(state["classical_weight"])
        if not SHARE.accepts(self._weight):
            raise ValueError("the weight of the classical members must be a share")
        if front := _part(state, "front."):
            self._front = PrincipalColumns(WIDE, self.context_column).set_state(front)
        for i, name in enumerate(str(name) for name in state["members"]):
            model = self._classical(name) if name in (FOREST, NEIGHBOURS, MIXTURE) else self._flow(0, 2)
            if is_of_one_classical and isinstance(model, NearestNeighbours):
                model.n_neighbors = NEIGHBOURHOODS["normal"][0]
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


def _training_scores(model: OneStepModel, rows: np.ndarray) -> np.ndarray:
    """Anomaly scores of training rows, (n_rows,) or of all that are kept, as if they were new where the model can."""
    return -model.training_scores(rows) if isinstance(model, OneStepScorer) else _finite(model.anomaly_score(rows))


def _finite(scores: np.ndarray) -> np.ndarray:
    """Scores within +-`WORST`; `WORST`, the most anomalous, where a score is not finite."""
    return np.where(np.isfinite(scores), np.clip(scores, -WORST, WORST), WORST)
