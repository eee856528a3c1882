"""A stack of invertible layers over a standard normal: the net that `nets.training.train` trains.

log p(x) = log N(f_L(...f_1(x))) + sum_l log|det df_l| (change of variables). All parameters of all layers live in one
flat tensor, their gradients in another: one fused Adam call updates everything. Batches are feature-major; layers
work in place on one matrix x (n_features, batch), write their log-derivatives as rows of one matrix, so that the
log-determinant of the whole stack is one sum, and send the gradient g back through one matrix, too.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import torch
from torch import Tensor

from flowlab.nets.engine.conditioner import Take

LOG_2PI = math.log(2 * math.pi)
CHUNK = 2048
"""Rows evaluated at once: few enough that a layer's activations stay in the processor's cache."""
COTANGENTS = 128
"""Rows of a Jacobian computed at once: few enough that wide tables need no more memory than training on them."""


class Stack:
    """Layers in the direction data to latent. Keeps the `Net` protocol of `nets.training`.

    Parameters
    ----------
    n_features : rows of a batch that are transformed
    layers : what is stacked; see `coupling`, `autoregressive`, `elementary`
    n_context : further rows of each batch that only condition the layers
    seed : initialises the weights
    dtype : float32, or float64 for checks
    log_det_weight : of the log-determinant in loss and score; 0 leaves it out, a fault for demonstration
    centers : (k, n_features) of a base that is the even mixture of k normals of unit variance, or None: one at 0
    """

    def __init__(
        self,
        n_features: int,
        layers: list,
        n_context: int = 0,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
        log_det_weight: float = 1.0,
        centers: Tensor | None = None,
    ):
        self.n_features, self.n_context, self.layers, self.dtype = n_features, n_context, layers, dtype
        self.log_det_weight = log_det_weight
        self.centers = None if centers is None else centers.to(dtype)
        shapes = [shape for layer in layers for shape in layer.shapes]
        n_parameters = sum(rows * columns for rows, columns in shapes)
        self.parameters = torch.zeros(n_parameters, dtype=dtype)
        self.gradient = torch.zeros(n_parameters, dtype=dtype)
        weights, gradients = _views(self.parameters, shapes), _views(self.gradient, shapes)
        generator = torch.Generator().manual_seed(seed)
        start, masks = 0, []
        for layer in layers:
            end = start + len(layer.shapes)
            layer.attach(weights[start:end], gradients[start:end])
            layer.initialize(generator)
            masks.append(layer.mask)
            start = end
        self._gradient_mask = self._join_masks(masks)
        ends = torch.tensor([0, *(layer.n_log_det for layer in layers)]).cumsum(0).tolist()
        self._log_det_rows = [slice(a, b) for a, b in itertools.pairwise(ends)]
        self.twin: Stack | None = None
        """The same stack in float64, once an estimator has built it for exact round trips."""
        self._workspaces: OrderedDict[tuple[int, bool, int], SimpleNamespace] = OrderedDict()

    @torch.inference_mode()
    def loss_and_gradient(self, x: Tensor, generator: torch.Generator | None = None) -> float:
        """Mean negative log-likelihood of x (n_features + n_context, batch) in nats; fills `gradient`."""
        w = self._workspace(x.shape[1], training=True)
        self._load(w, x)
        for layer, part in zip(self.layers, w.parts):
            layer.forward(part)
        batch = x.shape[1]
        if self.centers is None:
            energy = 0.5 * torch.dot(w.flat_x, w.flat_x)
            torch.mul(w.x, 1 / batch, out=w.g)
        else:
            joint = _joint_energies(w.x, self.centers)
            energy = -torch.logsumexp(-joint, 0).sum()
            # d/dz -log sum_k exp(-E_k) = z - sum_k r_k mu_k, with r the share each normal has in the density at z
            torch.sub(w.x, self.centers.t() @ torch.softmax(-joint, 0), out=w.g).mul_(1 / batch)
        loss = torch.sub(energy, w.log_det.sum(), alpha=self.log_det_weight).item() / batch
        loss += 0.5 * self.n_features * LOG_2PI
        for layer, part in zip(reversed(self.layers), reversed(w.parts)):
            layer.backward(part)
        if self._gradient_mask is not None:
            self.gradient.mul_(self._gradient_mask)
        return loss

    @torch.inference_mode()
    def free_energy_and_gradient(self, z: Tensor, energy: Callable[[Tensor], tuple[Tensor, Tensor]]) -> float:
        """Mean of log q(x) + U(x) in nats over x, what the layers make of draws z of the base; fills `gradient`.

        The layers run from the base on here, and q is the density of what comes out (Rezende & Mohamed 2015, eq. 15).

        Parameters
        ----------
        z : (n_features, batch), standard normal
        energy : x (n_features, batch) to U in nats (batch,) and its gradient (n_features, batch)
        """
        w = self._workspace(z.shape[1], training=True)
        self._load(w, z)
        for layer, part in zip(self.layers, w.parts):
            layer.forward(part)
        values, slope = energy(w.x)
        torch.mul(slope, 1 / z.shape[1], out=w.g)
        log_base = -0.5 * (z * z).sum(0) - 0.5 * self.n_features * LOG_2PI
        value = (values + log_base - w.log_det.sum(0)).mean().item()
        for layer, part in zip(reversed(self.layers), reversed(w.parts)):
            layer.backward(part)
        return value

    def loss(self, x: Tensor) -> Tensor:
        """Negative log-likelihood of each row in nats, (n,)."""
        return self.log_density(x).neg()

    @torch.inference_mode()
    def log_density(self, x: Tensor) -> Tensor:
        """Log-density of each row in nats, (n,)."""
        result = torch.empty(x.shape[1], dtype=self.dtype)
        for columns, used, w in self._chunks(x):
            for layer, part in zip(self.layers, w.parts):
                layer.forward(part)
            log_det = w.log_det.sum(0).mul_(self.log_det_weight)
            if self.centers is None:
                result[columns] = torch.sub(log_det, (w.x * w.x).sum(0), alpha=0.5)[used]
            else:
                result[columns] = (log_det + torch.logsumexp(-_joint_energies(w.x, self.centers), 0))[used]
        return result.sub_(0.5 * self.n_features * LOG_2PI)

    @torch.inference_mode()
    def transform(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Latent points (n_features, n) and log-determinants (n,) of x (n_features + n_context, n)."""
        z = torch.empty(self.n_features, x.shape[1], dtype=self.dtype)
        log_det = torch.empty(x.shape[1], dtype=self.dtype)
        for columns, used, w in self._chunks(x):
            for layer, part in zip(self.layers, w.parts):
                layer.forward(part)
            z[:, columns] = w.x[:, used]
            log_det[columns] = w.log_det.sum(0)[used]
        return z, log_det

    @torch.inference_mode()
    def inverse(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Data points (n_features, n) and log-determinants of the inverse (n,) of z (n_features + n_context, n)."""
        x = torch.empty(self.n_features, z.shape[1], dtype=self.dtype)
        log_det = torch.empty(z.shape[1], dtype=self.dtype)
        for columns, used, w in self._chunks(z):
            for layer, part in zip(reversed(self.layers), reversed(w.parts)):
                layer.inverse(part)
            x[:, columns] = w.x[:, used]
            log_det[columns] = w.log_det.sum(0)[used]
        return x, log_det

    @torch.inference_mode()
    def path(self, x: Tensor) -> SimpleNamespace:
        """Positions, log-determinants, log-scales and shifts of x (n_features + n_context, n), layer by layer.

        A namespace of `positions` (n_layers + 1, n_features, n), input first; `log_dets` (n_layers, n); `log_scale` and
        `shift` (n_layers, n_features, n), which each layer applied to each feature.
        """
        n_layers, n = len(self.layers), x.shape[1]
        positions = torch.empty(n_layers + 1, self.n_features, n, dtype=self.dtype)
        log_scale = torch.empty(n_layers, self.n_features, n, dtype=self.dtype)
        shift, log_dets = torch.empty_like(log_scale), torch.empty(n_layers, n, dtype=self.dtype)
        for columns, used, w in self._chunks(x):
            positions[0, :, columns] = w.x[:, used]
            for i, (layer, part) in enumerate(zip(self.layers, w.parts)):
                before = w.x.clone()
                layer.forward(part)
                positions[i + 1, :, columns] = w.x[:, used]
                log_dets[i, columns] = part.log_det.sum(0)[used]
                layer_scale, layer_shift = layer.readout(part, before, w.x)
                log_scale[i, :, columns], shift[i, :, columns] = layer_scale[:, used], layer_shift[:, used]
        return SimpleNamespace(positions=positions, log_dets=log_dets, log_scale=log_scale, shift=shift)

    @torch.inference_mode()
    def input_gradient(self, x: Tensor) -> Tensor:
        """Gradient of each row's log-density by its features, (n_features, n); `gradient` is left as it was."""
        result = torch.empty(self.n_features, x.shape[1], dtype=self.dtype)
        gradient_before = self.gradient.clone()
        for start in range(0, x.shape[1], CHUNK):
            part = x[:, start : start + CHUNK]
            self.loss_and_gradient(part)
            g = self._workspace(part.shape[1], training=True).g
            torch.mul(g, -float(part.shape[1]), out=result[:, start : start + CHUNK])
        self.gradient.copy_(gradient_before)
        return result

    @torch.inference_mode()
    def jacobian(self, x: Tensor, layer: int | None = None) -> Tensor:
        """Jacobian (n_features, n_features) of the stack, or of `layer` (0 the first), at one row x.

        x is (n_features + n_context,); element (i, j) is the derivative of feature i after by feature j before. In
        reverse mode: copy i of the row sends the i-th unit vector back. `backward` adds the gradient of the
        log-determinant, the same for every copy; one more copy sends nothing back, receives that alone, and is
        subtracted. `gradient` is left as it was.
        """
        d, gradient_before = self.n_features, self.gradient.clone()
        layer_range = range(len(self.layers)) if layer is None else range(layer, layer + 1)
        result = torch.empty(d, d, dtype=self.dtype)
        for start in range(0, d, COTANGENTS):
            n = min(COTANGENTS, d - start)
            w = self._workspace(n + 1, training=True)
            self._load(w, x.unsqueeze(1))
            for i in range(layer_range.stop):
                self.layers[i].forward(w.parts[i])
            w.g.zero_()
            w.g[start : start + n, :n] = torch.eye(n, dtype=self.dtype)
            for i in reversed(layer_range):
                self.layers[i].backward(w.parts[i])
            torch.sub(w.g[:, :n].t(), w.g[:, n], out=result[start : start + n])
        self.gradient.copy_(gradient_before)
        return result

    @torch.inference_mode()
    def fit_start(self, x: Tensor) -> None:
        """Set the layers that start from data (activation normalisation) by x (n_features + n_context, n)."""
        w = self._workspace(x.shape[1], training=False)
        self._load(w, x)
        for layer, part in zip(self.layers, w.parts):
            if layer.kind == "rescaling":
                layer.start_from(w.x)
            layer.forward(part)

    def _chunks(self, x: Tensor) -> Iterator[tuple[slice, slice, SimpleNamespace]]:
        """Workspaces filled with up to CHUNK columns of x at a time: (columns of x, columns of the workspace, it).

        All chunks have one width, a multiple of 64, so that a row's result does not depend on the other rows:
        matrix products of one width do the same arithmetic in every column.
        """
        n = x.shape[1]
        if n == 0:
            return
        size = min(CHUNK, 64 * math.ceil(n / math.ceil(n / CHUNK) / 64))
        w = self._workspace(size, training=False)
        for start in range(0, n, size):
            columns = slice(start, min(start + size, n))
            used = slice(0, columns.stop - start)
            self._load(w, x[:, columns], used)
            yield columns, used, w

    def _load(self, w: SimpleNamespace, x: Tensor, used: slice = slice(None)) -> None:
        w.x[:, used] = x[: self.n_features]
        if self.n_context:
            w.context[:, used] = x[self.n_features :]

    def _workspace(self, batch: int, training: bool) -> SimpleNamespace:
        """Buffers for one batch size and thread; if not `training`, layers share theirs."""
        key = batch, training, threading.get_ident()
        if key in self._workspaces:
            self._workspaces.move_to_end(key)
            return self._workspaces[key]
        while len(self._workspaces) >= 4:
            self._workspaces.popitem(last=False)
        take = _take_new(self.dtype) if training else _take_shared(self.dtype)
        w = SimpleNamespace()
        w.x = torch.zeros(self.n_features, batch, dtype=self.dtype)
        w.flat_x = w.x.view(-1)
        w.g = torch.empty_like(w.x) if training else None
        w.context = torch.zeros(self.n_context, batch, dtype=self.dtype)
        w.log_det = torch.zeros(self._log_det_rows[-1].stop if self.layers else 0, batch, dtype=self.dtype)
        w.parts = []
        for layer, rows in zip(self.layers, self._log_det_rows):
            part = SimpleNamespace(x=w.x, g=w.g, context=w.context, log_det=w.log_det[rows])
            part.log_det_weight = self.log_det_weight
            layer.buffers(part, batch, take, training)
            w.parts.append(part)
        self._workspaces[key] = w
        return w

    def _join_masks(self, masks: list) -> Tensor | None:
        """Zeros where a masked weight must stay zero; None when no layer masks its weights."""
        if all(mask is None for mask in masks):
            return None
        parts = []
        for layer, mask in zip(self.layers, masks):
            for i, (rows, columns) in enumerate(layer.shapes):
                whole = torch.ones(rows, columns, dtype=self.dtype)
                parts.append((whole if mask is None else mask[i].to(self.dtype)).reshape(-1))
        return torch.cat(parts)


def _views(flat: Tensor, shapes: list[tuple[int, int]]) -> list[Tensor]:
    views, start = [], 0
    for rows, columns in shapes:
        views.append(flat[start : start + rows * columns].view(rows, columns))
        start += rows * columns
    return views


def _take_new(dtype: torch.dtype) -> Take:
    def take(name: str, shape: tuple[int, ...], fill: float | None = None, dtype: torch.dtype = dtype) -> Tensor:
        return torch.zeros(shape, dtype=dtype) if fill is None else torch.full(shape, fill, dtype=dtype)

    return take


def _take_shared(dtype: torch.dtype) -> Take:
    new = _take_new(dtype)
    pool: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def take(name: str, shape: tuple[int, ...], fill: float | None = None, dtype: torch.dtype = dtype) -> Tensor:
        if (name, shape) not in pool:
            pool[name, shape] = new(name, shape, fill, dtype)
        return pool[name, shape]

    return take


def _joint_energies(z: Tensor, centers: Tensor) -> Tensor:
    """-log of each normal's share times its density at z (n_features, n), without the constant: (k, n).

    `centers`: (k, n_features) of normals of unit variance, each with the same share.
    """
    return 0.5 * (z.unsqueeze(0) - centers.unsqueeze(2)).square().sum(1) + math.log(len(centers))
