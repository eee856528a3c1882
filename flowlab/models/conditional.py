"""Flows that know which class a row belongs to: one density per class, from one network."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from flowlab.models.flowbase import EngineFlow
from flowlab.models.scaling import LabelledScaling

LAYERS = ("spline", "affine", "autoregressive")


class ClassConditionalFlow(EngineFlow):
    """A flow over all columns but one, conditioned on that one: the class label (any numbers, at most 100 of them).

    p(row) = P(class) p(other columns | class): `score_samples` is its logarithm (in nats; a probability in the label
    column, a density in the others), P being the class's share of the training rows. The class enters every layer's
    network as a one-hot context (Winkler et al. 2019, arXiv:1912.00042). In latent points the label column holds the
    number of the class. `layer` is "spline", "affine" or "autoregressive"; see `EngineFlow` for the other parameters.

    >>> rng = np.random.default_rng(0)
    >>> label = rng.integers(0, 2, 600)
    >>> X = np.column_stack([rng.normal(4.0 * label, 1), rng.normal(size=600), label])
    >>> flow = ClassConditionalFlow(n_layers=2, n_steps=150).fit(X)
    >>> bool((flow.predict_class(X) == label).mean() > 0.9)
    True
    >>> flow.sample_class(1, 3).shape
    (3, 3)
    """

    _scaling_class = LabelledScaling

    def __init__(
        self,
        label_column=-1,
        layer="spline",
        n_layers=8,
        hidden_features=32,
        n_hidden=2,
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
        self.label_column = label_column
        self.layer = layer
        self.n_layers = n_layers
        self.hidden_features = hidden_features
        self.n_hidden = n_hidden
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.patience = patience
        self.regularize = regularize
        self.standardize = standardize
        self.random_state = random_state

    def class_log_density(self, X) -> np.ndarray:
        """log p(other columns | class) of every row under every class, (n_samples, n_classes), columns as `classes_`.

        The label column of X is not looked at.
        """
        X = self._check_rows(X).copy()
        scaling = self._scaling_checked()
        result = np.empty((len(X), len(scaling.classes)))
        for i, label in enumerate(scaling.classes):
            X[:, scaling.label] = label
            result[:, i] = self.score_samples(X) - scaling.log_prior[i]
        return result

    def predict_class(self, X) -> np.ndarray:
        """Most probable class of each row by Bayes' rule, (n_samples,); the label column of X is not looked at."""
        log_joint = self.class_log_density(X) + self._scaling.log_prior[:-1]
        return self._scaling.classes[log_joint.argmax(1)]

    def sample_class(self, label, n_samples: int = 1, random_state=None, temperature: float = 1.0) -> np.ndarray:
        """Draws of one class, (n_samples, n_features), its label in the label column."""
        scaling = self._scaling_checked()
        if label not in scaling.classes:
            raise ValueError(f"label must be one of the classes {scaling.classes.tolist()}, not {label!r}")
        latent = scaling.base_sample(n_samples, temperature, check_random_state(random_state))
        latent[:, scaling.label] = np.flatnonzero(scaling.classes == label)[0]
        return self._to_data(latent, exact=False)

    @property
    def classes_(self) -> np.ndarray:
        """The class labels seen in training."""
        return self._scaling_checked().classes

    def _fit_scaling(self, X):
        label = self.label_column
        if not isinstance(label, int | np.integer) or not -X.shape[1] <= label < X.shape[1]:
            raise ValueError(f"label_column must be the number of a column of the {X.shape[1]}, not {label!r}")
        return LabelledScaling.fit_labelled(X, label % X.shape[1], self.standardize)

    def _build(self, n_features, exact=False):
        from flowlab.nets.engine.affine import Affine
        from flowlab.nets.engine.build import autoregressive_stack, coupling_stack, real
        from flowlab.nets.engine.spline import Spline

        if self.layer not in LAYERS:
            raise ValueError(f"layer must be one of {', '.join(LAYERS)}, not {self.layer!r}")
        transformer = Spline(use_numba=False if exact else None) if self.layer == "spline" else Affine()
        build = autoregressive_stack if self.layer == "autoregressive" else coupling_stack
        return build(
            n_features,
            transformer,
            self.n_layers,
            self.hidden_features,
            self.n_hidden,
            n_context=self._scaling.n_context,
            seed=self.random_state,
            dtype=real(exact),
        )
