"""Two forks of one run, side by side: the scale and shift of one coupling layer at each checkpoint of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import plotly.graph_objects as go

from flowlab.controls import Choice, Int
from flowlab.formatting import count, fixed
from flowlab.models.flows.families import AffineCouplingFlow
from flowlab.plots import theme
from flowlab.records import Scalar
from flowlab.teaching.exhibit import Exhibit
from flowlab.teaching.exhibits.moons import MOONS

N_LAYERS = 6
FORK, LAST, EVERY = 200, 500, 50
"""Steps: where both forks begin, where they end, and from checkpoint to checkpoint."""
CHANGES: dict[str, dict[str, Scalar]] = {
    "rate": {"learning_rate": 0.05},
    "batch": {"batch_size": 16},
    "decay": {"weight_decay": 10.0},
    "noise": {"noise": 0.5},
}
"""What the second fork does differently; the first goes on as before."""
GRID = np.linspace(-2.5, 2.5, 101)


@dataclass(frozen=True, eq=False)
class Branch:
    """One fork at its checkpoints.

    Attributes
    ----------
    s, t : (n_checkpoints, n_layers, 101) log-scale and shift over `GRID`, the column that a layer keeps, in its scaled
        units; nan where no row comes to that layer
    loss : (n_checkpoints,) nats on rows that it never saw
    """

    s: np.ndarray
    t: np.ndarray
    loss: np.ndarray


@dataclass(frozen=True, eq=False)
class TwoForks:
    """A layer of both forks up to one of their checkpoints.

    Attributes
    ----------
    first, second : the fork that goes on as before, and the other
    steps : (n_checkpoints,) the first is the step they share
    layer : number of the layer that is looked at, from 0
    at : number of the checkpoint that is looked at
    words : what the second does differently
    """

    first: Branch
    second: Branch
    steps: np.ndarray
    layer: int
    at: int
    words: str

    def moved(self, branch: Branch) -> float:
        """Root mean square change of s and t of the layer since the fork."""
        now, then = (np.stack([branch.s[i, self.layer], branch.t[i, self.layer]]) for i in (self.at, 0))
        return float(np.sqrt(np.nanmean((now - then) ** 2)))

    @property
    def moved_first(self) -> float:
        """Of the first fork."""
        return self.moved(self.first)

    @property
    def moved_second(self) -> float:
        """Of the second fork."""
        return self.moved(self.second)

    def size(self, branch: Branch) -> float:
        """Root mean square of s and t of the layer: 0 is the identity."""
        both = np.stack([branch.s[self.at, self.layer], branch.t[self.at, self.layer]])
        return float(np.sqrt(np.nanmean(both**2)))

    @property
    def size_first(self) -> float:
        """Of the first fork."""
        return self.size(self.first)

    @property
    def size_second(self) -> float:
        """Of the second fork."""
        return self.size(self.second)

    @property
    def parted(self) -> int:
        """The last step that both share."""
        return int(self.steps[0])

    @property
    def later(self) -> int:
        """Steps since then."""
        return int(self.steps[self.at] - self.steps[0])

    @property
    def apart(self) -> float:
        """Largest difference between the two forks' s or t of the layer."""
        pairs = ((self.first.s, self.second.s), (self.first.t, self.second.t))
        return float(max(np.nanmax(np.abs(a[self.at, self.layer] - b[self.at, self.layer])) for a, b in pairs))

    @property
    def apart_at_fork(self) -> float:
        """The same where they part."""
        a, b = self.first, self.second
        return float(max(np.nanmax(np.abs(a.s[0] - b.s[0])), np.nanmax(np.abs(a.t[0] - b.t[0]))))

    @property
    def loss_first(self) -> float:
        """Nats of the first fork on new rows."""
        return float(self.first.loss[self.at])

    @property
    def loss_second(self) -> float:
        """Nats of the second fork on new rows."""
        return float(self.second.loss[self.at])

    @property
    def loss_at_fork(self) -> float:
        """Nats of both on new rows where they part."""
        return float(self.first.loss[0])

    @property
    def finding(self) -> str:
        """See `Result.finding`."""
        step = int(self.steps[self.at])
        if not self.at:
            return f"At step {count(step)} both forks are one run: {fixed(self.loss_at_fork)} nats on new rows."
        return (
            f"Layer {self.layer + 1}, {count(step - FORK)} steps after the fork: s and t have moved by "
            f"{fixed(self.moved_first)} in the run that goes on as before and by {fixed(self.moved_second)} with "
            f"{self.words}; on new rows they stand at {fixed(self.loss_first)} and {fixed(self.loss_second)} nats."
        )


WORDS = {
    "rate": "ten times the rate",
    "batch": "batches of 16 rows",
    "decay": "a weight decay of 10",
    "noise": "noise of 0.5",
}


def two_forks(change: str = "rate", layer: int = 1, step: int = LAST) -> TwoForks:
    """A run of 200 steps on half moons and two forks of it; at the checkpoint nearest to `step`, layers from 1."""
    steps = np.arange(FORK, LAST + 1, EVERY)
    at = int(np.abs(steps - step).argmin())
    return TwoForks(_branch(""), _branch(change), steps, layer - 1, at, WORDS[change])


@lru_cache(maxsize=1)
def _parent() -> dict[str, np.ndarray]:
    """Checkpoint of the run where the forks part from it."""
    flow = _flow({})
    for _ in flow.fit_iter(MOONS.sample(2000, 0), n_steps=FORK):
        pass
    return flow.get_checkpoint()


def _flow(params: dict[str, Scalar]) -> AffineCouplingFlow:
    settings: dict[str, Scalar] = {
        "n_layers": N_LAYERS, "hidden_features": 24, "n_steps": 2 * LAST, "regularize": "none", "keep_best": False,
    }  # fmt: skip
    return AffineCouplingFlow(**{**settings, **params})  # type: ignore[arg-type]


@lru_cache(maxsize=8)
def _branch(change: str) -> Branch:
    """A fork from the parent's checkpoint, with a change of `CHANGES`, or none for ""."""
    X, X_new = MOONS.sample(2000, 0), MOONS.sample(1500, 1)
    flow = _flow(CHANGES.get(change, {})).set_state(_parent())
    assert isinstance(flow, AffineCouplingFlow)
    curves, losses = [_curves(flow, X_new)], [-flow.score_samples(X_new).mean()]
    for _ in flow.fit_iter(X, checkpoint=_parent(), n_steps=LAST - FORK):
        curves.append(_curves(flow, X_new))
        losses.append(-flow.score_samples(X_new).mean())
    s, t = np.stack(curves, axis=1)
    return Branch(s, t, np.array(losses))


def _curves(flow: AffineCouplingFlow, X: np.ndarray) -> np.ndarray:
    """s and t of each layer over `GRID`, (2, n_layers, 101): both are functions of the one column that is kept."""
    path, readout = flow.transform_path(X), flow.layer_readout(X)
    found = np.empty((2, N_LAYERS, len(GRID)))
    for k in range(N_LAYERS):
        changed = int(np.abs(path[k + 1] - path[k]).max(axis=0).argmax())
        order = np.argsort(path[k][:, 1 - changed])
        for i, values in enumerate(readout):
            read, value = path[k][order, 1 - changed], values[k][order, changed]
            found[i, k] = np.interp(GRID, read, value, left=np.nan, right=np.nan)
    return found


def draw_two_forks(result: TwoForks, dark: bool = False, height: int = 420) -> go.Figure:
    """A plane for each fork: s and t at the checkpoint, faintly those before it."""
    c = theme.colors(dark)
    fig = theme.figure(dark, height, "column that stays (going on as before)", "s and t of the layer")
    for branch, tail in ((result.first, ""), (result.second, "2")):
        for i in range(result.at + 1):
            is_now = i == result.at
            for values, name, color, dash in ((branch.s, "s", c.model, "solid"), (branch.t, "t", c.anomaly, "dash")):
                fig.add_scatter(
                    x=GRID, y=values[i, result.layer], mode="lines", xaxis=f"x{tail}", yaxis=f"y{tail}", name=name,
                    line={"color": color, "dash": dash, "width": 4 if is_now else 1}, opacity=1 if is_now else 0.35,
                    showlegend=is_now and not tail,
                    hovertemplate=f"{name} at step {result.steps[i]}<br>%{{x:.2f}}: %{{y:.3f}}<extra></extra>",
                )  # fmt: skip
    both = np.concatenate(
        [b[: result.at + 1, result.layer].ravel() for f in (result.first, result.second) for b in (f.s, f.t)]
    )
    low, high = np.nanmin(both), np.nanmax(both)
    margin = 0.08 * (high - low) + 0.05
    window = [float(low - margin), float(high + margin)]
    return fig.update_layout(
        xaxis={"domain": [0, 0.47]},
        yaxis={"range": window},
        xaxis2={"domain": [0.53, 1], "anchor": "y2", "title": {"text": f"column that stays ({result.words})"}},
        yaxis2={"anchor": "x2", "range": window, "showticklabels": False},
    )


EXHIBITS = (
    Exhibit(
        "two_forks",
        (
            Choice("change", "The second fork has", WORDS, help="From step 200 on; the first goes on as before"),
            Int("layer", "Layer", 1, N_LAYERS, help="Of the flow"),
            Int("step", "Step", FORK, LAST, EVERY, help="Checkpoints of both forks"),
        ),
        two_forks,
        draw_two_forks,
        rows=(),
        is_slow=True,
    ),
)
