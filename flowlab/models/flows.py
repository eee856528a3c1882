"""Our flows as estimators: NumPy in, NumPy out, log-densities in nats in the units of the data."""

from __future__ import annotations

from flowlab.models.flowbase import EngineFlow


class SplineCouplingFlow(EngineFlow):
    """Neural spline flow with coupling layers (Durkan et al. 2019, arXiv:1906.04032): the default for densities.

    Each layer passes half of the columns through monotonic rational-quadratic splines with `n_bins` bins inside
    +-`tail_bound` standardised units (outside: the identity); the other half sets the splines through a ReLU network
    with `n_hidden` layers of `hidden_features`. See `EngineFlow` for the other parameters.

    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(5, 2, (500, 2))
    >>> flow = SplineCouplingFlow(n_layers=2, n_steps=50).fit(X)
    >>> flow.score_samples(X[:3]).shape, flow.transform(X[:3]).shape
    ((3,), (3, 2))
    """

    def __init__(
        self,
        n_layers=8,
        hidden_features=32,
        n_hidden=2,
        n_bins=8,
        tail_bound=4.0,
        mask="alternate",
        n_steps=2500,
        batch_size=256,
        learning_rate=5e-3,
        weight_decay=0.0,
        noise=0.0,
        patience=0,
        regularize="auto",
        standardize=True,
        random_state=0,
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
        self.regularize = regularize
        self.standardize = standardize
        self.random_state = random_state

    def _build(self, n_features):
        from flowlab.nets.engine.build import coupling_stack
        from flowlab.nets.engine.spline import Spline

        return coupling_stack(
            n_features,
            Spline(self.n_bins, self.tail_bound),
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            self.mask,
            seed=self.random_state,
        )


class AffineCouplingFlow(EngineFlow):
    """RealNVP (Dinh et al. 2017, arXiv:1605.08803), or NICE (Dinh et al. 2015) with `scale_map="additive"`.

    Each layer scales and shifts half of the columns by functions of the other half. `scale_map` bounds the log-scale
    s: "tanh" (+-1), "clamp" (softly +-2), "contract" (at most 0, for detection), "exp" (unbounded: one far row can
    make it explode), "sigmoid" (as nflows 0.14: scale at most 1.001), "softplus". `convention` is "scale then shift",
    y = x e^s + t, or "shift then scale", y = (x + t) e^s. `mask` is "alternate", "half", "random" or digits such as
    "0110". See `EngineFlow` for the other parameters.
    """

    def __init__(
        self,
        n_layers=12,
        hidden_features=32,
        n_hidden=2,
        scale_map="tanh",
        convention="scale then shift",
        mask="alternate",
        n_steps=4000,
        batch_size=256,
        learning_rate=5e-3,
        weight_decay=0.0,
        noise=0.0,
        patience=0,
        regularize="auto",
        standardize=True,
        random_state=0,
    ):
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.scale_map = scale_map
        self.convention = convention
        self.mask = mask
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.regularize = regularize
        self.standardize = standardize
        self.random_state = random_state

    def _build(self, n_features):
        from flowlab.nets.engine.affine import Additive, Affine
        from flowlab.nets.engine.build import coupling_stack

        transformer = Additive() if self.scale_map == "additive" else Affine(self.scale_map, self.convention)
        return coupling_stack(
            n_features,
            transformer,
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            self.mask,
            seed=self.random_state,
        )
