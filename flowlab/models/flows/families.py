"""Our flows as estimators: NumPy in, NumPy out, log-densities in nats in the units of the data.

>>> import numpy as np
>>> X = np.random.default_rng(0).normal(5, 2, (500, 2))
>>> flow = SplineCouplingFlow(n_layers=2, n_steps=50).fit(X)
>>> flow.score_samples(X[:3]).shape, flow.transform(X[:3]).shape
((3,), (3, 2))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowlab.constraints import COUNT, POSITIVE, YES_OR_NO, Interval, Matching, OneOf
from flowlab.models.flows.conditional import ConditionalFlow
from flowlab.models.flows.engine_flow import EngineFlow

if TYPE_CHECKING:
    from flowlab.nets.engine.stack import Stack

MASK = OneOf("alternate", "half", "random") | Matching(
    "=?[01]*", "one digit for each column, 0 or 1, with = before them for the same in each layer"
)
AFFINE = {
    "scale_map": OneOf("tanh", "clamp", "contract", "exp", "sigmoid", "softplus", "additive"),
    "convention": OneOf("scale then shift", "shift then scale"),
    "activation_norm": YES_OR_NO,
}


class SplineCouplingFlow(ConditionalFlow):
    """Neural spline flow with coupling layers (Durkan et al. 2019, arXiv:1906.04032): the default for densities.

    Each layer passes half of the columns through monotonic rational-quadratic splines with `n_bins` bins inside
    +-`tail_bound` standardised units (outside: the identity; with `standardize`, a heavy-tailed column is brought
    inside by a map that makes the fitted Student's t normal); the other half sets the splines through a ReLU network
    with `n_hidden` layers of `hidden_features`. `mask` says which half: "alternate", "half", "random", or one digit
    per column such as "0110": 1 is transformed by the first layer, 0 by the second, and so on in turn. "=0110" is the
    same in every layer: its 0 columns are never transformed, so their marginals stay normal. `fault` breaks the flow on
    purpose, for demonstration: "no log-determinant" leaves that out of loss and score, "no mask" lets the network
    also read the columns it transforms; "none". See `EngineFlow` and `ConditionalFlow` for the other parameters.
    """

    tail_bound: float
    valid = {"n_bins": Interval(int, 2, 999), "tail_bound": POSITIVE, "mask": MASK}
    _learns_tails = True

    def __init__(
        self,
        n_layers: int = 8,
        hidden_features: int = 32,
        n_hidden: int = 2,
        n_bins: int = 8,
        tail_bound: float = 4.0,
        mask: str = "alternate",
        n_steps: int = 2500,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        regularize: bool | str = "auto",
        standardize: bool = True,
        context_column: int | None = None,
        fault: str = "none",
        random_state: int = 0,
    ):
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.n_bins = n_bins
        self.tail_bound = tail_bound
        self.mask = mask
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.regularize = regularize
        self.standardize = standardize
        self.context_column = context_column
        self.fault = fault
        self.random_state = random_state

    def _build(self, n_features: int, exact: bool = False) -> Stack:
        from flowlab.nets.engine.build import coupling_stack, real
        from flowlab.nets.engine.spline import Spline

        spline = Spline(self.n_bins, self.tail_bound, use_numba=False if exact else None)
        return coupling_stack(
            n_features,
            spline,
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            self._varying_mask(),
            n_context=self._scaling.n_context,
            seed=self.random_state,
            dtype=real(exact),
            fault=self.fault,
        )


class AffineCouplingFlow(ConditionalFlow):
    """RealNVP (Dinh et al. 2017, arXiv:1605.08803), or NICE (Dinh et al. 2015) with `scale_map="additive"`.

    Each layer scales and shifts half of the columns by functions of the other half. `scale_map` bounds the log-scale
    s: "tanh" (+-1), "clamp" (softly +-2), "contract" (at most 0, for detection), "exp" (unbounded: one far row can
    make it overflow), "sigmoid" (as nflows 0.14: scale at most 1.001), "softplus"; "additive" only shifts.
    `convention` is "scale then shift", y = x e^s + t, or "shift then scale", y = (x + t) e^s. `mask` is as in
    `SplineCouplingFlow`, and so is `fault`; `activation_norm` puts an activation normalisation before each layer. See
    `EngineFlow` and `ConditionalFlow` for the other parameters.
    """

    valid = {**AFFINE, "mask": MASK}

    def __init__(
        self,
        n_layers: int = 12,
        hidden_features: int = 32,
        n_hidden: int = 2,
        scale_map: str = "tanh",
        convention: str = "scale then shift",
        mask: str = "alternate",
        activation_norm: bool = False,
        n_steps: int = 4000,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        regularize: bool | str = "auto",
        standardize: bool = True,
        context_column: int | None = None,
        fault: str = "none",
        random_state: int = 0,
    ):
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.scale_map = scale_map
        self.convention = convention
        self.mask = mask
        self.activation_norm = activation_norm
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.regularize = regularize
        self.standardize = standardize
        self.context_column = context_column
        self.fault = fault
        self.random_state = random_state

    def _build(self, n_features: int, exact: bool = False) -> Stack:
        from flowlab.nets.engine.build import affine_or_additive, coupling_stack, real

        return coupling_stack(
            n_features,
            affine_or_additive(self.scale_map, self.convention),
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            self._varying_mask(),
            self.activation_norm,
            n_context=self._scaling.n_context,
            seed=self.random_state,
            dtype=real(exact),
            fault=self.fault,
        )


class MaskedAutoregressiveFlow(ConditionalFlow):
    """MAF (Papamakarios et al. 2017, arXiv:1705.07057): each column scaled and shifted given those before it.

    Density and latent points cost one pass; so does sampling here (see `nets.engine.autoregressive`). `permutation`
    of the column order between layers: "none", "reverse", "random", or "lu": reversed, and mixed by a learned linear
    map L U (Kingma & Dhariwal 2018, arXiv:1807.03039). `scale_map`, `convention`, `activation_norm` and
    `fault` are as in `AffineCouplingFlow`. The default for tables with many columns. See `EngineFlow` and
    `ConditionalFlow` for the other parameters.
    """

    valid = {**AFFINE, "n_hidden": COUNT, "permutation": OneOf("none", "reverse", "random", "lu")}

    def __init__(
        self,
        n_layers: int = 5,
        hidden_features: int = 128,
        n_hidden: int = 2,
        scale_map: str = "tanh",
        convention: str = "scale then shift",
        permutation: str = "reverse",
        activation_norm: bool = False,
        n_steps: int = 2500,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        regularize: bool | str = "auto",
        standardize: bool = True,
        context_column: int | None = None,
        fault: str = "none",
        random_state: int = 0,
    ):
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.scale_map = scale_map
        self.convention = convention
        self.permutation = permutation
        self.activation_norm = activation_norm
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.regularize = regularize
        self.standardize = standardize
        self.context_column = context_column
        self.fault = fault
        self.random_state = random_state

    _inverted = False

    def _build(self, n_features: int, exact: bool = False) -> Stack:
        from flowlab.nets.engine.build import affine_or_additive, autoregressive_stack, real

        return autoregressive_stack(
            n_features,
            affine_or_additive(self.scale_map, self.convention),
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            self.permutation,
            self._inverted,
            self.activation_norm,
            n_context=self._scaling.n_context,
            seed=self.random_state,
            dtype=real(exact),
            fault=self.fault,
        )


class InverseAutoregressiveFlow(MaskedAutoregressiveFlow):
    """IAF (Kingma et al. 2016, arXiv:1606.04934): MAF trained the other way round, so that sampling is one pass.

    Parameters are those of `MaskedAutoregressiveFlow`, without the fault "no mask": solved one column after the other,
    its density cannot read ahead. Training it on many columns is slower than a MAF, and it fits sharp edges worse; it
    serves comparison.
    """

    _inverted = True
    valid = {"fault": OneOf("none", "no log-determinant")}


class _ElementaryFlow(EngineFlow):
    """What planar and radial flows share: parameters, and layers of the `_kind` that a subclass names."""

    _kind: str

    def __init__(
        self,
        n_layers: int = 16,
        n_steps: int = 2500,
        batch_size: int = 256,
        learning_rate: float = 5e-3,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        patience: int = 0,
        min_delta: float = 0.0,
        keep_best: bool = True,
        regularize: bool | str = "auto",
        standardize: bool = True,
        random_state: int = 0,
    ):
        self.n_layers = n_layers
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.min_delta = min_delta
        self.keep_best = keep_best
        self.regularize = regularize
        self.standardize = standardize
        self.random_state = random_state

    def _build(self, n_features: int, exact: bool = False) -> Stack:
        from flowlab.nets.engine.build import elementary_stack, real

        return elementary_stack(n_features, self._kind, self.n_layers, seed=self.random_state, dtype=real(exact))


class PlanarFlow(_ElementaryFlow):
    """Planar flow (Rezende & Mohamed 2015, arXiv:1505.05770): each layer shifts along one direction, across one line.

    Few parameters and a modest fit. See `EngineFlow` for the parameters.
    """

    _kind = "planar"


class RadialFlow(_ElementaryFlow):
    """Radial flow (Rezende & Mohamed 2015, arXiv:1505.05770): each layer expands or contracts space around one point.

    Few parameters and a modest fit. See `EngineFlow` for the parameters.
    """

    _kind = "radial"
