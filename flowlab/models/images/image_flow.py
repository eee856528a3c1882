"""The multi-scale convolutional flow over pictures as an estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from flowlab.constraints import COUNT, NOT_NEGATIVE, POSITIVE, YES_OR_NO, Constraint, Interval, OneOf
from flowlab.images.backgrounds import broad_background
from flowlab.images.pixels import rows_of
from flowlab.images.shape import ImageShape
from flowlab.models.base import FlowModel
from flowlab.models.flows.conditional import FlowGivenLevel
from flowlab.models.images.image_model import BACKGROUND_LOSSES, ImageModel

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from flowlab.nets.images.image_training import Contrast
    from flowlab.nets.images.multiscale import MultiscaleFlow

N_BACKGROUND = 4000
"""Pictures of the background that a flow is trained against."""
MASKS = ("checkerboard", "channel", "half", "cycle")


class PixelMask(Constraint):
    """The name of a mask, or one drawn: a 0 or 1 for each pixel."""

    def accepts(self, value: object) -> bool:
        """See `Constraint.accepts`."""
        return isinstance(value, str) and (value in MASKS or set(value.removeprefix("=")) == {"0", "1"})

    def __str__(self) -> str:
        return f"one of {', '.join(MASKS)} or a 0 or 1 for each pixel"


class ImageFlow(ImageModel, FlowModel):
    """A multi-scale coupling flow over small pictures: a small Glow, or RealNVP for pictures.

    Latent pictures have the pixels' layout: each latent variable stands at the pixels it came from.

    Parameters
    ----------
    n_scales : scales at most; after each but the last half of the variables is factored out
    n_couplings : couplings of pixels in each scale, and as many of channels after the squeeze
    hidden_channels : width of the couplings' networks
    mask : "checkerboard" couples pixels and then channels, "channel" channels alone (Glow), "half" the upper and the
        lower half, "cycle" each quarter by the one before; or a text with a 0 or 1 for each pixel, 1 changed first
    network : "convolutional", "local" (sees the eight neighbours alone) or "dense" (sees all)
    equal_size : choose the width of local and dense networks so that they have as many weights as convolutional ones
    bottleneck : channels of the narrowest layer of each network; 0 for none
    convention : "shift then scale", y = (x + t) e^s, or "scale then shift", y = x e^s + t
    activation_norm : a learned scale and shift of each channel before each coupling, started from the first batch
    mix_channels : an invertible 1 x 1 convolution before each coupling of channels
    squash : "none", or the "logit" or the normal quantile ("probit") of pixels before the first layer
    dequantize : "uniform" noise in each 8-bit cell, or "none" for values that are not 8-bit ones
    context_column : index of a column with classes that condition the density (it is not judged itself), or None
    background : "none", or "broad" to be trained against a broad synthetic background (`broad_background`) as well
    background_loss : "outlier" or "margin"; see `fit_against`, whose general model is uniform noise here
    background_weight, background_temperature, background_margin : of that loss; the last two in nats
    corruption, n_steps, batch_size, learning_rate, weight_decay, device, random_state,
    height, width, channels : see `ImageModel`
    """

    valid = {
        "n_scales": Interval(int, 1, 5),
        "n_couplings": COUNT,
        "hidden_channels": COUNT,
        "mask": PixelMask(),
        "network": OneOf("convolutional", "local", "dense"),
        "equal_size": YES_OR_NO,
        "bottleneck": Interval(int, 0, 256),
        "convention": OneOf("shift then scale", "scale then shift"),
        "activation_norm": YES_OR_NO,
        "mix_channels": YES_OR_NO,
        "squash": OneOf("none", "logit", "probit"),
        "dequantize": OneOf("uniform", "none"),
        "context_column": OneOf(None) | Interval(int),
        "background": OneOf("none", "broad"),
        "background_loss": OneOf(*BACKGROUND_LOSSES),
        "background_weight": NOT_NEGATIVE,
        "background_temperature": POSITIVE,
        "background_margin": NOT_NEGATIVE,
    }
    can_condition = True

    def __init__(
        self,
        n_scales: int = 2,
        n_couplings: int = 4,
        hidden_channels: int = 32,
        mask: str = "channel",
        network: str = "convolutional",
        equal_size: bool = True,
        bottleneck: int = 0,
        convention: str = "shift then scale",
        activation_norm: bool = True,
        mix_channels: bool = True,
        squash: str = "none",
        dequantize: str = "uniform",
        context_column: int | None = None,
        background: str = "none",
        background_loss: str = "outlier",
        background_weight: float = 3.0,
        background_temperature: float = 1.0,
        background_margin: float = 100.0,
        corruption: float = 0.0,
        n_steps: int = 800,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.0,
        height: int = 0,
        width: int = 0,
        channels: int = 0,
        device: str = "auto",
        random_state: int = 0,
    ):
        self.n_scales = n_scales
        self.n_couplings = n_couplings
        self.hidden_channels = hidden_channels
        self.mask = mask
        self.network = network
        self.equal_size = equal_size
        self.bottleneck = bottleneck
        self.convention = convention
        self.activation_norm = activation_norm
        self.mix_channels = mix_channels
        self.squash = squash
        self.dequantize = dequantize
        self.context_column = context_column
        self.background = background
        self.background_loss = background_loss
        self.background_weight = background_weight
        self.background_temperature = background_temperature
        self.background_margin = background_margin
        self.corruption = corruption
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.height = height
        self.width = width
        self.channels = channels
        self.device = device
        self.random_state = random_state

    def _shape_of(self, n_pixels: int) -> ImageShape:
        shape = super()._shape_of(n_pixels)
        if self.mask not in MASKS:
            from flowlab.nets.images.masks import pixel_masks

            pixel_masks(self.mask, shape.height, shape.width, 0)
        if self.mask == "channel" and (shape.height % 2 or shape.width % 2):
            raise ValueError(
                f"channels can be coupled where height and width are even, not {shape.height} x {shape.width}; "
                "choose mask='checkerboard'"
            )
        if shape.height * shape.width < 2:
            raise ValueError("a picture of one pixel has nothing to couple; choose a model for tables")
        return shape

    def _set_entry(self, pixels: np.ndarray) -> None:
        if self.squash == "none":
            super()._set_entry(pixels)
            return
        self.center_, self.spread_ = 0.0, 1.0
        if self.squash == "logit":
            inside = np.clip(0.05 + 0.9 * pixels, 1e-6, 1 - 1e-6)
            super()._set_entry(np.log(inside) - np.log1p(-inside))

    def _module(self) -> MultiscaleFlow:
        from flowlab.nets.images.multiscale import MultiscaleFlow, Sizes

        shape = self.shape_
        sizes = Sizes(
            shape.height, shape.width, shape.channels,
            self.n_scales if self.mask in MASKS else 1,
            self.n_couplings, self.hidden_channels, self.mask, self.network, self.equal_size, self.bottleneck,
            self.convention, self.activation_norm, self.mix_channels, len(self.levels_), self.random_state,
        )  # fmt: skip
        # Squashed pixels lie in [0, 1]: cells reach beyond it by their width.
        unit = 1 / (1 + self.cell_) if self.squash != "none" and self.dequantize == "uniform" else 1.0
        return MultiscaleFlow(sizes, self.center_, self.spread_, self.squash, unit)

    def _start(self, module: Any, rows: np.ndarray) -> None:
        if self.activation_norm:
            pixels = rows[:, : self.shape_.n_pixels]
            module.start(pixels + self.cell_ / 2 * (self.dequantize == "uniform"))

    def _contrast(self) -> Contrast | None:
        if self.background == "none":
            return None
        from flowlab.nets.images.image_training import Contrast

        self._check_background()
        rows = rows_of(broad_background(self.shape_, N_BACKGROUND, self.random_state))
        return Contrast.of_arrays(
            rows, np.zeros(len(rows)), self.background_loss, self.background_weight, self.background_temperature,
            self.background_margin,
        )  # fmt: skip

    def _log_density(self, module: Any, pixels: Tensor, context: Tensor | None, generator: Generator | None) -> Tensor:
        return module.contributions(pixels, context).sum(1)

    def judged_columns(self) -> np.ndarray:
        """Numbers of the columns that are pixels."""
        columns = np.arange(self.n_features_in_)
        return columns if self.column_ < 0 else np.delete(columns, self.column_)

    def given(self, level: float) -> FlowGivenLevel:
        """This flow at one class of its context, one of `levels_`: an ordinary flow over the pixels."""
        return FlowGivenLevel(self, level)

    def scale_contributions(self, X: np.ndarray) -> np.ndarray:
        """What each scale adds to the log-density, in nats, (n_samples, n_scales): the sum is `score_samples`.

        Each is the log-density of the scale's latent variables and the log-determinants of its couplings; what is done
        to pixels before the first coupling counts in the first scale.
        """
        return self._evaluate(lambda net, a, b: net.contributions(a, b), self._check_rows(X))

    def latent_sizes(self) -> list[int]:
        """How many latent variables each scale has."""
        return list(self._net().latent_sizes)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Latent pictures, (n_samples, n_features), flat; a context column holds the number of its class."""
        X = self._check_rows(X)

        def latent(net: MultiscaleFlow, pixels: Tensor, context: Tensor | None) -> Tensor:
            return net.joined(net(net.enter(pixels)[0], context)[0]).flatten(1)

        return self._with_levels(self._evaluate(latent, X, exact=True), self._codes(X))

    def inverse_transform(self, Z: np.ndarray) -> np.ndarray:
        """Pictures (n_samples, n_features) of latent ones, as points of cells; `quantized` brings them to 8 bits."""
        return self._to_pictures(Z, exact=True)

    def _to_pictures(self, Z: np.ndarray, exact: bool = False) -> np.ndarray:
        self._net()
        Z = np.array(Z, np.float64)
        if Z.ndim != 2 or Z.shape[1] != self.n_features_in_:
            raise ValueError(f"Z must be (n_samples, {self.n_features_in_}), not {Z.shape}")
        if self.column_ >= 0:
            codes = np.clip(np.rint(Z[:, self.column_]).astype(int), 0, len(self.levels_) - 1)
            Z[:, self.column_] = self.levels_[codes]
        pixels = self._evaluate(lambda net, a, b: net.inverse(a, b), Z, exact, filled=False)
        return self._with_levels(pixels, Z[:, self.column_] if self.column_ >= 0 else None)

    def sample(self, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0) -> np.ndarray:
        """8-bit pictures, (n_samples, n_features); `temperature` scales the latent points."""
        self._net()
        rng = check_random_state(random_state)
        return self._sampled(self._drawn_levels(n_samples, rng), n_samples, rng, temperature)

    def sample_given(
        self, level: float, n_samples: int = 1, random_state: int | None = None, temperature: float = 1.0
    ) -> np.ndarray:
        """8-bit pictures of one class of `levels_`, (n_samples, n_features). ValueError if it is unknown."""
        self._net()
        if level not in self.levels_:
            raise ValueError(f"no training row was of class {level!r}; choose one of {self.levels_.tolist()}")
        return self._sampled(np.full(n_samples, level), n_samples, check_random_state(random_state), temperature)

    def _sampled(
        self, levels: np.ndarray | None, n_samples: int, rng: np.random.RandomState, temperature: float
    ) -> np.ndarray:
        if n_samples < 1:
            raise ValueError(f"n_samples must be at least 1, not {n_samples}")
        if not temperature >= 0:
            raise ValueError(f"temperature must be 0 or more, not {temperature}")
        latent = temperature * rng.standard_normal((n_samples, self.shape_.n_pixels))
        codes = None if levels is None else np.searchsorted(self.levels_, levels)
        rows = self._to_pictures(self._with_levels(latent, codes))
        return self._with_levels(self.quantized(self._pixels(rows)), levels)

    def transform_path(self, X: np.ndarray) -> np.ndarray:
        """Pictures after each coupling, (n_layers + 1, n_samples, n_features): the scaled row first, latent last."""
        X = self._check_rows(X)
        path = self._path("positions", X)
        codes = self._codes(X)
        return path if codes is None else np.stack([self._with_levels(part, codes) for part in path])

    def log_det_path(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant of each coupling in nats, (n_layers, n_samples)."""
        return self._path("log_det", self._check_rows(X))

    def scaling_log_det(self, X: np.ndarray) -> np.ndarray:
        """Log-determinant in nats (n_samples,) of what is done to pixels before the first coupling."""
        return self._evaluate(lambda net, a, b: net.enter(a)[1], self._check_rows(X), exact=True)

    def layer_readout(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-scale and shift of each coupling at each pixel, each (n_layers, n_samples, n_features); 0 where kept."""
        X = self._check_rows(X)
        maps = [self._path(name, X) for name in ("log_scale", "shift")]
        if self.column_ >= 0:
            maps = [np.stack([self._with_levels(part, np.zeros(len(X))) for part in each]) for each in maps]
        return maps[0], maps[1]

    def _codes(self, X: np.ndarray) -> np.ndarray | None:
        return np.searchsorted(self.levels_, X[:, self.column_]) if self.column_ >= 0 else None

    def _path(self, name: str, X: np.ndarray) -> np.ndarray:
        """One of the net's paths of valid rows, layers first."""
        return np.moveaxis(self._evaluate(lambda net, a, b: net.path(name, a, b), X, exact=True), 1, 0)

    def layer_masks(self) -> np.ndarray:
        """Which pixels each coupling changes, (n_layers, n_pixels) bool, in the pixels' layout."""
        return self._net(exact=True).changed_pixels()

    def layer_jacobian(self, x: np.ndarray, layer: int = 0) -> np.ndarray:
        """Jacobian of one coupling (1 the first), or of all (0), at a row x, by autograd in float64.

        See `FlowModel.layer_jacobian`. ValueError for a layer that does not exist. A context column stays as it is.
        """
        from flowlab.models.flows.jacobian_form import check_layer
        from flowlab.nets.images.image_training import jacobian_of

        net = self._net(exact=True)
        if layer:
            check_layer(layer, net.n_layers)
        row, columns = np.asarray(x, np.float64)[None], self.judged_columns()
        before = self.transform_path(row)[max(layer - 1, 0), 0, columns]
        first, last = (layer - 1, layer) if layer else (0, net.n_layers)
        picture = (-1, self.shape_.height, self.shape_.width, self.shape_.channels)
        matrix = np.eye(self.n_features_in_)
        matrix[np.ix_(columns, columns)] = jacobian_of(
            lambda rows, beside: net.steps(rows.reshape(picture), beside, first, last)[-1][0].flatten(1),
            before,
            self._context(row),
        )
        return matrix

    def score_gradient(self, X: np.ndarray) -> np.ndarray:
        """Gradient of the log-density by each feature, in nats per unit of X, (n_samples, n_features)."""
        return self._gradient(lambda net, a, b: self._log_density(net, a, b, None), self._check_rows(X))

    def _gradient(self, function: Any, X: np.ndarray) -> np.ndarray:
        from flowlab.nets.images.image_training import gradient_of

        net, pixels = self._net(exact=True), self._pixels(self.dequantized(X))
        gradient = gradient_of(lambda a, b: function(net, a, b), pixels, self._context(X))
        return gradient if self.column_ < 0 else np.insert(gradient, self.column_, 0.0, axis=1)

    def maximized(self, X: np.ndarray, scale: int, n_steps: int = 100, step_size: float = 0.02) -> np.ndarray:
        """Pictures that start at X and climb the contribution of one scale (0 the first), within [0, 1].

        Each step follows the sign of the gradient, `step_size` of the range of a pixel.
        """
        rows = np.array(self._check_rows(X))
        if not 0 <= scale < len(self.latent_sizes()):
            raise ValueError(f"scale must be from 0 to {len(self.latent_sizes()) - 1}, not {scale}")
        for i in range(n_steps):
            slope = self._gradient(lambda net, a, b: net.contributions(a, b)[:, scale], rows)
            rows = np.clip(rows + step_size * (1 - i / n_steps) * np.sign(slope), 0, 1)
        return rows
