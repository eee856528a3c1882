"""What density models of pictures share: the shape, the noise in 8-bit cells, classes, training in slices."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from flowlab.constraints import COUNT, NOT_NEGATIVE, Interval, OneOf
from flowlab.hashing import GOLDEN, row_hashes, splitmix64
from flowlab.images.shape import ImageShape
from flowlab.models.base import DensityModel, State
from flowlab.records import TrainEvent

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from flowlab.datasets.dataset import Dataset
    from flowlab.nets.images.image_training import Contrast

CELL = 1 / 255
LOWEST = -1e30
"""The score of a picture whose log-density is not finite."""
BACKGROUND_LOSSES = ("outlier", "margin")
VALIDATION_SHARE = 0.1
MAX_VALIDATION_ROWS = 1000


class ImageModel(DensityModel):
    """A density of pictures, trained by the likelihood of their 8-bit values with noise in each cell.

    Cells are as wide as the levels of the training pictures are apart at least (`cell_`): 1/255 where all 256 are in
    use, about 1/16 for pictures of 17 levels, whose density could otherwise grow without end between them.

    Rows are flat pictures, channels last, in [0, 1] in steps of 1/255. `score_samples` is a log-density in nats per
    unit of those values; `bits_per_dimension` brings it to the usual unit. Where `dequantize` is "uniform", an 8-bit
    row is scored at a point of its cell that depends on the row alone; a row with other values than 8-bit ones is taken
    as such a point (`dequantized`).

    `fit_iter` takes as a checkpoint also the state of a model of the same parameters that was fitted to other pictures:
    training then starts from its weights.

    `dequantize` is "uniform" for noise in each cell, or "none" for values that are not 8-bit ones; `context_column` the
    index of a column with classes that condition the density (it is not judged itself), or None.

    Parameters every model of pictures has
    --------------------------------------
    height, width, channels : of a picture; 0 takes them from the data set, or, for rows alone, a square of one channel
    corruption : share of the pixels of each training batch that is replaced by uniform ones, for a background model
    n_steps, batch_size, learning_rate, weight_decay : of Adam; the rate falls to zero over the steps
    device : "auto" computes on the graphics processor where there is one; "cpu", "cuda"
    random_state : integer seed of weights, split, batches and noise
    """

    valid = {
        "height": Interval(int, 0, 64),
        "width": Interval(int, 0, 64),
        "channels": Interval(int, 0, 4),
        "corruption": Interval(float, 0, 1),
        "n_steps": COUNT,
        "batch_size": COUNT,
        "learning_rate": Interval(float, 0, 1, closed="right"),
        "weight_decay": NOT_NEGATIVE,
        "device": OneOf("auto", "cpu", "cuda"),
        "random_state": Interval(int, 0),
    }
    is_for_images = True
    can_time_steps = True
    dequantize = "none"
    context_column: int | None = None
    height: int
    width: int
    channels: int
    corruption: float
    batch_size: int
    learning_rate: float
    weight_decay: float
    device: str
    random_state: int

    @abstractmethod
    def _module(self) -> nn.Module:
        """The untrained network, from the parameters, `shape_`, `center_`, `spread_` and `levels_`."""

    @abstractmethod
    def _log_density(
        self, module: nn.Module, pixels: Tensor, context: Tensor | None, generator: Generator | None
    ) -> Tensor:
        """Log-density (n,) in nats of continuous pictures (n, n_pixels); what it draws comes from the generator."""

    def configured_for(self, dataset: Dataset) -> Self:
        """This model with the pictures' shape and the context of a data set."""
        shape = getattr(dataset, "image_shape", None)
        if shape is not None:
            self.set_params(height=shape.height, width=shape.width, channels=shape.channels)
        return super().configured_for(dataset)

    def _train(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None
    ) -> Iterator[TrainEvent]:
        """See `DensityModel.fit_iter`; a tenth of the rows is set aside for validation unless there are others."""
        return self._train_against(X, X_val, checkpoint, n_steps, None)

    def steps_within(self, seconds: float, X: np.ndarray, clock: Callable[[], float] = time.perf_counter) -> int:
        """How many training steps on X fit into `seconds` on this machine, by timing 25 steps of a copy."""
        trial = clone(self).set_params(n_steps=10**9)
        for event in trial.fit_iter(X, n_steps=75):
            if event.step == 50:
                began = clock()
        return max(1, int(seconds * 25 / max(clock() - began, 1e-9)))

    def fit_against(
        self,
        X: np.ndarray,
        background: np.ndarray,
        general: DensityModel | None = None,
        loss: str = "outlier",
        weight: float = 1.0,
        temperature: float = 1.0,
        margin: float = 0.0,
    ) -> Self:
        """Fit to pictures X, and against pictures of a `background`; returns self.

        Parameters
        ----------
        X, background : (n, n_features) and (m, n_features) pictures
        general : a fitted model whose log-density the outlier loss compares with; None: that of uniform noise, 0
        loss : "outlier", -weight log sigmoid((log p_g - log p) / temperature) at background pictures, or "margin",
            weight max(0, margin + log p(background) - log p(X))
        weight, temperature, margin : of the loss; the last two in nats

        See `nets.images.image_training.Contrast` for where they come from.
        """
        for _ in self.fit_against_iter(X, background, general, loss, weight, temperature, margin):
            pass
        return self

    def fit_against_iter(
        self,
        X: np.ndarray,
        background: np.ndarray,
        general: DensityModel | None = None,
        loss: str = "outlier",
        weight: float = 1.0,
        temperature: float = 1.0,
        margin: float = 0.0,
    ) -> Iterator[TrainEvent]:
        """`fit_against` step by step: an iterator of TrainEvents, between which the model can be used."""
        from flowlab.nets.images.image_training import Contrast

        self._check_parameters()
        if loss not in BACKGROUND_LOSSES:
            raise ValueError(f"loss must be 'outlier' or 'margin', not {loss!r}")
        if not (weight >= 0 and temperature > 0):
            raise ValueError(f"weight must be 0 or more and temperature above 0, not {weight} and {temperature}")
        X, checked = self._check_training_rows(X, np.asarray(background))
        assert checked is not None  # a background was given
        background = checked
        self._check_background()
        log_density = np.zeros(len(background)) if general is None else general.score_samples(background)
        contrast = Contrast.of_arrays(background, log_density, loss, weight, temperature, margin)
        return self._train_against(X, None, None, None, contrast)

    def _check_background(self) -> None:
        """ValueError where there cannot be one."""
        if self.context_column is not None:
            raise ValueError("a background has no classes; set context_column to None")

    def _contrast(self) -> Contrast | None:
        """What the parameters say it is trained against, once the shape is known; None for nothing."""
        return None

    def _train_against(
        self,
        X: np.ndarray,
        X_val: np.ndarray | None,
        checkpoint: State | None,
        n_steps: int | None,
        contrast: Contrast | None,
    ) -> Iterator[TrainEvent]:
        from flowlab.nets.images.image_training import device_of

        if X_val is None and len(X) >= 50:
            order = np.random.default_rng([self.random_state, 1]).permutation(len(X))
            n_val = min(round(VALIDATION_SHARE * len(X)), MAX_VALIDATION_ROWS)
            X, X_val = X[np.sort(order[n_val:])], X[np.sort(order[:n_val])]
        device_of(self.device)
        if checkpoint is None:
            self._begin(X)
        else:
            self.set_state({k: v for k, v in checkpoint.items() if not k.startswith("train.")})
        return self._steps(X, X_val, checkpoint, n_steps, contrast or self._contrast())

    def _begin(self, X: np.ndarray) -> None:
        """Set what is learned from training rows before the first step."""
        column = self.context_column
        if column is not None and not -X.shape[1] <= column < X.shape[1]:
            raise ValueError(
                f"context_column must be None or the number of a column of the {X.shape[1]}, not {column!r}"
            )
        self.column_ = -1 if column is None else int(column) % X.shape[1]
        self.levels_ = np.unique(X[:, self.column_]) if column is not None else np.empty(0)
        if len(self.levels_) > 100:
            raise ValueError(f"the context has {len(self.levels_)} classes; at most 100 can condition a model")
        shares = [np.mean(X[:, self.column_] == level) for level in self.levels_]
        self.shares_ = np.array(shares)
        pixels = self._pixels(X)
        self.shape_ = self._shape_of(pixels.shape[1])
        if np.ptp(pixels) == 0 and self.dequantize == "none":
            raise ValueError("all pixels have one value, so there is no density; set dequantize to 'uniform'")
        self._set_cells(levels_in_use(pixels))
        self._set_entry(pixels)

    def _set_cells(self, levels: np.ndarray) -> None:
        """Set the levels (n,) of 8 bits that pictures have, and the width of the cells above them."""
        self.picture_levels_ = np.asarray(levels, np.int64)
        self.cell_ = float(np.diff(self.picture_levels_).min()) * CELL

    def _set_entry(self, pixels: np.ndarray) -> None:
        """Set `center_` and `spread_`, one number each for all pixels, so that no place is told from another."""
        self.center_, self.spread_ = float(pixels.mean()), float(max(pixels.std(), 0.01))

    def _shape_of(self, n_pixels: int) -> ImageShape:
        if not self.height and not self.width:
            channels = self.channels or 1
            side = math.isqrt(n_pixels // channels)
            shape = ImageShape(side, side, channels)
        else:
            shape = ImageShape(self.height, self.width, self.channels or 1)
        if shape.n_pixels != n_pixels:
            raise ValueError(
                f"rows of {n_pixels} numbers are no pictures of {shape.height} x {shape.width} pixels with "
                f"{shape.channels} channels; set height, width and channels, or choose a data set of pictures"
            )
        return shape

    def _steps(
        self, X: np.ndarray, X_val: np.ndarray | None, checkpoint: State | None, n_steps: int | None,
        contrast: Contrast | None,
    ) -> Iterator[TrainEvent]:  # fmt: skip
        from flowlab.nets.engine.build import feature_major
        from flowlab.nets.images.image_training import DeviceModule, ImageLoss, device_of
        from flowlab.nets.module import load
        from flowlab.nets.process import use_one_thread
        from flowlab.nets.training import Settings, TrainState, train

        use_one_thread()
        device = device_of(self.device)
        loss = ImageLoss(
            self.shape_.n_pixels, self._log_density, self.dequantize == "uniform", self.corruption, contrast, self.cell_
        )
        module = self._module()
        rows = self._with_context(X)
        if checkpoint is None:
            self._start(module, rows[:256])
        else:
            load(module, self.parameters_)
        net = DeviceModule(module.to(device), self.shape_.n_pixels, loss, device)
        if checkpoint is not None and "train.step" in checkpoint:
            state = TrainState.from_arrays(checkpoint)
        else:
            state = TrainState.start(net)
            self._keep(net.parameters.numpy())
        settings = Settings(
            n_steps=self.n_steps, batch_size=self.batch_size, learning_rate=self.learning_rate,
            weight_decay=self.weight_decay, clip_norm=50.0,
        )  # fmt: skip
        x, x_val = feature_major(rows), None if X_val is None else feature_major(self._with_context(X_val))
        for event in train(net, state, x, x_val, settings, self.random_state, n_steps):
            self._train_state = state
            self._keep(net.parameters.numpy())
            yield event

    def _start(self, module: nn.Module, rows: np.ndarray) -> None:
        """Start the network from the first training rows; nothing by default."""

    def _keep(self, parameters: np.ndarray) -> None:
        self.parameters_ = parameters.copy()
        self.__dict__.pop("_ready", None)

    def _net(self, exact: bool = False) -> Any:
        """The trained network: in float32 on its device, or `exact` in float64 on the CPU."""
        from flowlab.nets.images.image_training import device_of
        from flowlab.nets.module import load

        check_is_fitted(self, "parameters_")
        ready = self.__dict__.setdefault("_ready", {})
        if exact not in ready:
            module = load(self._module().double() if exact else self._module(), self.parameters_).eval()
            ready[exact] = module if exact else module.to(device_of(self.device))
        return ready[exact]

    def _pixels(self, X: np.ndarray) -> np.ndarray:
        """X without its context, (n, n_pixels)."""
        return X if self.column_ < 0 else np.delete(X, self.column_, axis=1)

    def _with_context(self, X: np.ndarray) -> np.ndarray:
        """Pixels, and the classes one-hot after them."""
        context = self._context(X)
        return self._pixels(X) if context is None else np.concatenate([self._pixels(X), context], axis=1)

    def _context(self, X: np.ndarray) -> np.ndarray | None:
        return (X[:, [self.column_]] == self.levels_).astype(np.float64) if self.column_ >= 0 else None

    def _evaluate(
        self,
        function: Any,
        X: np.ndarray,
        exact: bool = False,
        filled: bool = True,
        beside: np.ndarray | None = None,
    ) -> np.ndarray:
        """`function(net, pixels, context)` of rows, as float64; `beside` stands for the context."""
        from flowlab.nets.images.image_training import device_of, in_blocks

        net = self._net(exact)
        pixels = self._pixels(self.dequantized(X) if filled else X)
        device = "cpu" if exact else device_of(self.device)
        context = self._context(X) if beside is None else beside
        return in_blocks(lambda a, b: function(net, a, b), pixels, context, device, exact)

    def score_samples(self, X: np.ndarray) -> np.ndarray:
        """Log-density in nats per unit of X, (n_samples,)."""
        scores = self._evaluate(lambda net, a, b: self._log_density(net, a, b, None), self._check_rows(X))
        return np.where(np.isfinite(scores), scores, LOWEST)

    def dequantized(self, X: np.ndarray) -> np.ndarray:
        """X with each 8-bit row moved to a point of its cell, by noise that the row alone decides; float64."""
        X = np.array(X, np.float64)
        if self.dequantize == "none" or not len(X):
            return X
        pixels = self._pixels(X)
        in_cells = (np.abs(255 * pixels - np.rint(255 * pixels)) < 1e-3).all(axis=1)
        noise = self.cell_ * uniform_of_rows(np.rint(255 * pixels[in_cells]), pixels.shape[1])
        columns = np.delete(np.arange(X.shape[1]), self.column_) if self.column_ >= 0 else np.arange(X.shape[1])
        X[np.ix_(in_cells, columns)] = np.rint(255 * pixels[in_cells]) * CELL + noise
        return X

    def quantized(self, X: np.ndarray) -> np.ndarray:
        """Points of cells as the 8-bit pictures they belong to, of the levels of the training pictures."""
        if self.dequantize == "none":
            return X
        below = np.searchsorted(self.picture_levels_, 255 * np.nan_to_num(X) + 1e-6, side="right") - 1
        return self.picture_levels_[np.maximum(below, 0)] * CELL

    def bits_per_dimension(self, X: np.ndarray) -> np.ndarray:
        """-log2 of the probability of each 8-bit picture, from one point of its cell, per number: (n_samples,)."""
        return bits_per_dimension(self.score_samples(X), self.shape_.n_pixels, self.cell_)

    def level_log_density(self, X: np.ndarray) -> np.ndarray:
        """log p(pixels | class) under every class of `levels_`, (n_samples, n_levels); the context of X is ignored."""
        X = self._check_rows(X).copy()
        if self.column_ < 0:
            raise ValueError("this model was trained without classes; set context_column and train again")
        found = []
        for level in self.levels_:
            X[:, self.column_] = level
            found.append(self.score_samples(X))
        return np.stack(found, axis=1)

    def marginal_log_density(self, X: np.ndarray) -> np.ndarray:
        """log p(pixels), the classes mixed in their training shares, (n_samples,)."""
        return np.logaddexp.reduce(self.level_log_density(X) + np.log(self.shares_), axis=1)

    def most_probable_level(self, X: np.ndarray) -> np.ndarray:
        """The class each picture most probably has by Bayes' rule, (n_samples,)."""
        return self.levels_[(self.level_log_density(X) + np.log(self.shares_)).argmax(1)]

    def _drawn_levels(self, n_samples: int, rng: np.random.RandomState) -> np.ndarray | None:
        return None if self.column_ < 0 else rng.choice(self.levels_, n_samples, p=self.shares_ / self.shares_.sum())

    def _with_levels(self, pixels: np.ndarray, levels: np.ndarray | None) -> np.ndarray:
        return pixels if levels is None else np.insert(pixels, self.column_, levels, axis=1)

    def get_state(self) -> dict[str, np.ndarray]:
        """Shape, entry, classes and weights, as arrays."""
        check_is_fitted(self, "parameters_")
        shape = self.shape_
        return {
            "parameters": self.parameters_.copy(),
            "shape": np.array([shape.height, shape.width, shape.channels]),
            "entry": np.array([self.center_, self.spread_]),
            "picture_levels": self.picture_levels_,
            "column": np.array(self.column_),
            "levels": np.asarray(self.levels_, np.float64),
            "shares": self.shares_,
        }

    def set_state(self, state: State) -> Self:
        """Restore what `get_state` returned. Returns self; ValueError where the number of weights differs."""
        self.shape_ = ImageShape(*(int(v) for v in state["shape"]))
        self.center_, self.spread_ = (float(v) for v in state["entry"])
        self._set_cells(state["picture_levels"])
        self.column_ = int(state["column"])
        self.levels_, self.shares_ = np.asarray(state["levels"]), np.asarray(state["shares"])
        self.n_features_in_ = self.shape_.n_pixels + (self.column_ >= 0)
        self._keep(np.asarray(state["parameters"], np.float32))
        self._net()
        return self

    def get_checkpoint(self) -> dict[str, np.ndarray]:
        """State and `train.*` arrays, for `fit_iter` to go on from."""
        state = self.get_state()
        return state | self._train_state.to_arrays() if hasattr(self, "_train_state") else state

    def n_parameters(self) -> int:
        """How many weights were trained."""
        check_is_fitted(self, "parameters_")
        return int(self.parameters_.size)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__getstate__().items() if key not in ("_ready", "_train_state")}


def bits_per_dimension(log_density: np.ndarray, n_pixels: int, cell: float = CELL) -> np.ndarray:
    """Bits for each number of a picture, from log-densities in nats per unit of values in [0, 1].

    The probability of a picture is its density times the volume of its cell, `cell` to the power of n_pixels.

    >>> float(bits_per_dimension(np.array([64 * np.log(255 / 256)]), 64)[0])  # noise, the same density everywhere
    8.0
    """
    return -(math.log(cell) + np.asarray(log_density) / n_pixels) / math.log(2)


def levels_in_use(pixels: np.ndarray) -> np.ndarray:
    """The 8-bit levels of pictures in [0, 1] where no two are neighbours, else all 256.

    >>> levels_in_use(np.array([[0.0, 1.0, 1.0]])), len(levels_in_use(np.array([[0.0, 1 / 255]])))
    (array([  0, 255]), 256)
    """
    levels = np.unique(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.int64))
    return levels if len(levels) > 1 and np.diff(levels).min() > 1 else np.arange(256)


def uniform_of_rows(rows: np.ndarray, n_columns: int, seed: int = 0) -> np.ndarray:
    """Uniform noise in (0, 1), (n, n_columns), that depends on each row and the seed alone."""
    if not len(rows):
        return np.empty((0, n_columns))
    hashes = row_hashes(rows, seed)
    columns = [splitmix64(hashes + np.uint64((j + 1) * GOLDEN % 2**64)) for j in range(n_columns)]
    return np.clip(np.stack(columns, axis=1) / 2.0**64, 0.001, 0.999)
