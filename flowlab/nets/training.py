"""The one training loop: a generator of TrainEvents over anything with flat parameters and a flat gradient.

The loop does not print, plot, sleep, write or look at a queue. All randomness is a function of (seed, epoch)
or (seed, step), so a checkpoint holds no generator state and going on from one is exact: four slices of ten
steps give the bits of forty steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from flowlab.hashing import stream_seed
from flowlab.records import TrainEvent

HAS_FUSED_ADAM = hasattr(torch, "_fused_adam_")


class Net(Protocol):
    """What the loop trains. Batches are feature-major: (n_rows_of_x, batch); rows past `n_features` are context."""

    n_features: int
    parameters: Tensor
    """(n_parameters,), all of them, flat; the loop writes into it."""
    gradient: Tensor
    """(n_parameters,), filled by `loss_and_gradient`."""

    def loss_and_gradient(self, x: Tensor, generator: torch.Generator) -> float:
        """Mean loss of the batch; the gradient of that mean is left in `gradient`."""

    def loss(self, x: Tensor) -> Tensor:
        """Loss of each row, (batch,), without noise; used for validation."""


@dataclass(frozen=True)
class Settings:
    """How to train. Lengths are in steps, so that a run is the same run on any machine.

    learning_rate rises over the first `warmup` share of the steps and falls linearly to zero (`decay`) or stays.
    weight_decay is decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101). noise is the standard deviation of
    Gaussian noise added to standardised inputs; with `noise_end` it falls geometrically from the one to the other.
    average_rate > 0 evaluates and keeps an exponential moving average of the weights. patience counts evaluations
    without improvement by `min_delta`; 0 never stops early. keep_best leaves the best evaluated weights, else the last.
    """

    n_steps: int = 2000
    batch_size: int = 256
    learning_rate: float = 5e-3
    beta2: float = 0.99
    warmup: float = 0.05
    decay: bool = True
    weight_decay: float = 0.0
    noise: float = 0.0
    noise_end: float | None = None
    clip_norm: float = 10.0
    average_rate: float = 0.0
    eval_every: int = 50
    patience: int = 0
    min_delta: float = 0.0
    keep_best: bool = True


@dataclass
class TrainState:
    """State of a training run: everything `train` needs to continue it to the same bits."""

    parameters: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    adam_step: Tensor
    average: Tensor
    best: Tensor
    best_loss: float = math.inf
    val_loss: float = math.nan
    evals_since_best: int = 0
    step: int = 0
    lr_factor: float = 1.0
    seconds: float = 0.0
    stopped: bool = False

    @classmethod
    def start(cls, net: Net) -> TrainState:
        """The state before the first step: the net's weights, moments of zero."""
        zeros = torch.zeros_like(net.parameters)
        start = net.parameters.clone()
        return cls(start, zeros, zeros.clone(), torch.zeros(()), start.clone(), start.clone())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Arrays by name, "train." before each field, for `from_arrays`; copies."""
        values = {f"train.{f.name}": getattr(self, f.name) for f in fields(self)}
        return {k: v.cpu().numpy().copy() if isinstance(v, Tensor) else np.asarray(v) for k, v in values.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> TrainState:
        """The state whose `to_arrays` these are among; other arrays are ignored."""
        values: dict[str, Any] = {}
        for f in fields(cls):
            a = np.asarray(arrays[f"train.{f.name}"])
            values[f.name] = torch.from_numpy(a.copy()) if f.type == "Tensor" else a.item()
        return cls(**values)


def train(
    net: Net,
    state: TrainState,
    x: Tensor,
    x_val: Tensor | None,
    settings: Settings,
    seed: int,
    n_steps: int | None = None,
) -> Iterator[TrainEvent]:
    """Train `net` from `state` on `x` (n_rows_of_x, n_rows), at most `n_steps` further steps.

    Yields an event at each evaluation (every `settings.eval_every` steps and at the end) and where the slice
    ends. `state` is current at each yield; `net.parameters` then hold the best weights so far (`keep_best`) or
    the newest, so the net can be used. A step whose loss or gradient is not finite is not taken: the best
    weights return, the learning rate is halved and the event says so.
    """
    last = settings.n_steps if n_steps is None else min(settings.n_steps, state.step + n_steps)
    batches = _Batches(net, x, settings, seed)
    net.parameters.copy_(state.parameters)
    # A fork may have a larger `patience` than the run it continues.
    state.stopped = _out_of_patience(state, settings)
    while state.step < last and not state.stopped:
        began, first, losses, note = time.perf_counter(), state.step, [], ""
        evaluation = min(settings.n_steps, (state.step // settings.eval_every + 1) * settings.eval_every)
        with torch.inference_mode():  # left before each yield: it would hold in the caller too
            while state.step < min(last, evaluation):
                batch = batches.draw(state.step)
                loss = net.loss_and_gradient(batch, batches.generator)
                norm = net.gradient.norm().item()
                state.step += 1
                if math.isfinite(loss) and math.isfinite(norm):
                    losses.append(loss)
                    if norm > settings.clip_norm:
                        net.gradient.mul_(settings.clip_norm / norm)
                    _adam_step(net, state, settings)
                else:
                    note = _roll_back(net, state, loss)
            state.parameters.copy_(net.parameters)
            is_best = state.step == evaluation and _evaluate(net, state, x, x_val, settings)
            net.parameters.copy_(_kept(state, settings))
        seconds = time.perf_counter() - began
        state.seconds += seconds
        yield TrainEvent(
            step=state.step,
            n_steps=settings.n_steps,
            epoch=state.step / batches.per_epoch,
            train_loss=float(np.mean(losses)) if losses else math.nan,
            val_loss=state.val_loss,
            seconds=state.seconds,
            rows_per_second=(state.step - first) * batches.size / max(seconds, 1e-9),
            is_best=is_best,
            note=note,
        )
        net.parameters.copy_(state.parameters)
    net.parameters.copy_(_kept(state, settings))


class _Batches:
    """Batches of x without replacement, epoch by epoch, with noise; each a function of (seed, step) alone."""

    def __init__(self, net: Net, x: Tensor, settings: Settings, seed: int):
        self.x, self.settings, self.seed = x, settings, seed
        self.size = min(settings.batch_size, x.shape[1])
        self.per_epoch = max(1, x.shape[1] // self.size)
        self.generator = torch.Generator()
        self._batch = torch.empty(x.shape[0], self.size, dtype=x.dtype)
        self._features = self._batch[: net.n_features]
        self._epoch = -1

    def draw(self, step: int) -> Tensor:
        """The batch of step `step` (from 0); `generator` is left in that step's own state."""
        epoch, position = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            self.generator.manual_seed(stream_seed(self.seed, 1, epoch))
            self._order, self._epoch = torch.randperm(self.x.shape[1], generator=self.generator), epoch
        columns = self._order[position * self.size : (position + 1) * self.size]
        torch.index_select(self.x, 1, columns, out=self._batch)
        self.generator.manual_seed(stream_seed(self.seed, 2, step))
        if self.settings.noise:
            noise = torch.randn(self._features.shape, generator=self.generator, dtype=self.x.dtype)
            self._features.add_(noise, alpha=noise_scale(self.settings, step))
        return self._batch


def learning_rate(settings: Settings, step: int) -> float:
    """Learning rate of step `step` (from 0): linear warm-up, then linear decay to zero over `n_steps`."""
    progress = step / settings.n_steps
    if progress < settings.warmup:
        return settings.learning_rate * max(progress / settings.warmup, 0.02)
    if not settings.decay:
        return settings.learning_rate
    return settings.learning_rate * (1 - (progress - settings.warmup) / (1 - settings.warmup) + 1e-3)


def noise_scale(settings: Settings, step: int) -> float:
    """Standard deviation of the noise at step `step` (from 0)."""
    if settings.noise_end is None:
        return settings.noise
    return settings.noise * (settings.noise_end / settings.noise) ** (step / settings.n_steps)


def _adam_step(net: Net, state: TrainState, settings: Settings) -> None:
    """One Adam update of all parameters at once, then weight decay and averaging."""
    rate = learning_rate(settings, state.step - 1) * state.lr_factor
    state.adam_step.add_(1)
    adam_(net.parameters, net.gradient, state.exp_avg, state.exp_avg_sq, state.adam_step, rate, settings.beta2)
    if settings.weight_decay:
        net.parameters.mul_(1 - rate * settings.weight_decay)
    if settings.average_rate:
        state.average.lerp_(net.parameters, max(settings.average_rate, 1 / state.adam_step.item()))


def adam_(
    parameters: Tensor,
    gradient: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: Tensor,
    rate: float,
    beta2: float,
    fused: bool = HAS_FUSED_ADAM,
) -> None:
    """Update parameters and moments, flat and of one shape, in place (Kingma & Ba 2015, arXiv:1412.6980).

    `step` is a tensor of one number, from 1. `fused` takes PyTorch's one kernel, which is not part of its public
    interface; without it the result is the same up to rounding.
    """
    if fused:
        torch._fused_adam_(
            [parameters], [gradient], [exp_avg], [exp_avg_sq], [], [step],
            lr=rate, beta1=0.9, beta2=beta2, weight_decay=0.0, eps=1e-8, amsgrad=False, maximize=False,
        )  # fmt: skip
        return
    t = step.item()
    exp_avg.lerp_(gradient, 0.1)
    exp_avg_sq.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    denominator = (exp_avg_sq / (1 - beta2**t)).sqrt_().add_(1e-8)
    parameters.addcdiv_(exp_avg, denominator, value=-rate / (1 - 0.9**t))


def _roll_back(net: Net, state: TrainState, loss: float) -> str:
    net.parameters.copy_(state.best)
    state.average.copy_(state.best)
    for moment in (state.exp_avg, state.exp_avg_sq, state.adam_step):
        moment.zero_()
    state.lr_factor *= 0.5
    what = "gradient" if math.isfinite(loss) else "loss"
    return f"rolled back at step {state.step}: {what} not finite, learning rate halved"


def _evaluate(net: Net, state: TrainState, x: Tensor, x_val: Tensor | None, settings: Settings) -> bool:
    """Loss on the validation rows (or, without any, on the first training rows); remembers the best weights."""
    rows = x[:, :2000] if x_val is None or x_val.shape[1] == 0 else x_val
    candidate = _newest(state, settings)
    net.parameters.copy_(candidate)
    loss = net.loss(rows).mean().item()
    net.parameters.copy_(state.parameters)
    state.val_loss = loss
    is_best = math.isfinite(loss) and loss < state.best_loss
    improved = math.isfinite(loss) and loss < state.best_loss - settings.min_delta
    if is_best:
        state.best.copy_(candidate)
        state.best_loss = loss
    state.evals_since_best = 0 if improved else state.evals_since_best + 1
    state.stopped = _out_of_patience(state, settings)
    return is_best


def _newest(state: TrainState, settings: Settings) -> Tensor:
    return state.average if settings.average_rate else state.parameters


def _kept(state: TrainState, settings: Settings) -> Tensor:
    return state.best if settings.keep_best else _newest(state, settings)


def _out_of_patience(state: TrainState, settings: Settings) -> bool:
    return bool(settings.patience) and state.evals_since_best >= settings.patience
