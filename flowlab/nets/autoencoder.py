"""Autoencoder and variational autoencoder on flat parameters, with hand-derived backward passes.

Everything is feature-major, (n_features, batch), in preallocated buffers. The biases are the last column of each
weight matrix and meet a row of ones, so that a layer's whole gradient is one matrix product.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, overload

import numpy as np
import torch
from torch import Tensor

ops = torch.ops.aten
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu_, "tanh": torch.tanh_, "elu": ops.elu_}
"""Those whose slope follows from their output, so that they work in place; silu keeps its input."""
LOG_STD_BOUND = 5.0
"""Log standard deviations stay within -5 and 5: no likelihood is infinite and nothing overflows."""
HALF_LN_2PI = 0.5 * math.log(2 * math.pi)


class Layers:
    """A chain of dense layers: x (sizes[0], batch) to (sizes[-1], batch); the last layer is linear.

    `parameters` and `gradient` are flat tensors of `Layers.size(sizes)` numbers; the layers work on views of them.
    """

    def __init__(self, sizes: list[int], activation: str, parameters: Tensor, gradient: Tensor):
        self.sizes, self.activation = sizes, activation
        self.weights, self.gradients, start = [], [], 0
        for n_in, n_out in pairwise(sizes):
            end = start + n_out * (n_in + 1)
            self.weights.append(parameters[start:end].view(n_out, n_in + 1))
            self.gradients.append(gradient[start:end].view(n_out, n_in + 1))
            start = end
        self._transposed = [w[:, :-1].t() for w in self.weights]
        self._buffers: dict[int, tuple] = {}

    @staticmethod
    def size(sizes: list[int]) -> int:
        """Number of parameters of a chain with these layer sizes, biases included."""
        return sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))

    def initialise(self, generator: torch.Generator) -> None:
        """Gaussian weights that keep the variance (He et al. 2015 before rectifiers, LeCun 1998 else); no bias."""
        for layer, w in enumerate(self.weights):
            rectified = layer < len(self.weights) - 1 and self.activation != "tanh"
            w.normal_(0, math.sqrt((2 if rectified else 1) / (w.shape[1] - 1)), generator=generator)
            w[:, -1] = 0

    def forward(self, x: Tensor) -> Tensor:
        """Output (sizes[-1], batch); it stays valid until the next call with the same batch size."""
        inputs, pre, _, output = self._buffer(x.shape[1])
        inputs[0][:-1].copy_(x)
        for layer, w in enumerate(self.weights[:-1]):
            h = inputs[layer + 1][:-1]
            if self.activation == "silu":
                torch.mm(w, inputs[layer], out=pre[layer])
                ops.silu.out(pre[layer], out=h)
            else:
                torch.mm(w, inputs[layer], out=h)
                ACTIVATIONS[self.activation](h)
        return torch.mm(self.weights[-1], inputs[-1], out=output)

    @overload
    def backward(self, g: Tensor, want_input: Literal[True] = True) -> Tensor: ...
    @overload
    def backward(self, g: Tensor, want_input: Literal[False]) -> None: ...
    def backward(self, g: Tensor, want_input: bool = True) -> Tensor | None:
        """From the gradient at the last output: fills `gradient`, returns the gradient at the input."""
        inputs, pre, slopes, _ = self._buffer(g.shape[1])
        for layer in range(len(self.weights) - 1, -1, -1):
            torch.mm(g, inputs[layer].t(), out=self.gradients[layer])
            if layer == 0 and not want_input:
                return None
            g = torch.mm(self._transposed[layer], g, out=slopes[layer])
            if layer > 0:
                self._activation_backward(g, inputs[layer][:-1], pre[layer - 1] if pre else None)
        return g

    def _activation_backward(self, g: Tensor, h: Tensor, pre: Tensor | None) -> None:
        if self.activation == "relu":
            ops.threshold_backward.grad_input(g, h, 0, grad_input=g)
        elif self.activation == "tanh":
            ops.tanh_backward.grad_input(g, h, grad_input=g)
        elif self.activation == "elu":
            ops.elu_backward.grad_input(g, 1, 1, 1, True, h, grad_input=g)
        else:
            ops.silu_backward.grad_input(g, pre, grad_input=g)

    def _buffer(self, batch: int) -> tuple:
        if batch not in self._buffers:
            if len(self._buffers) > 3:
                self._buffers.clear()
            like = self.weights[0]
            inputs = [like.new_ones(n + 1, batch) for n in self.sizes[:-1]]
            pre = [like.new_empty(n, batch) for n in self.sizes[1:-1]] if self.activation == "silu" else []
            slopes = [like.new_empty(n, batch) for n in self.sizes[:-1]]
            self._buffers[batch] = inputs, pre, slopes, like.new_empty(self.sizes[-1], batch)
        return self._buffers[batch]


class _CodeNet(ABC):
    """Encoder and decoder over one flat vector; `n_heads` numbers per code unit, `n_extra` parameters at the end.

    `parameters` may be given as an array; its type, float32 or float64, is the type of all computation.
    """

    step = 0
    """Training steps taken; set it when training is resumed."""

    def __init__(
        self,
        n_features: int,
        n_latent: int,
        hidden: Sequence[int],
        activation: str,
        n_heads: int,
        n_extra: int,
        parameters: np.ndarray | None,
    ):
        encoder = [n_features, *hidden, n_heads * n_latent]
        decoder = [n_latent, *reversed(hidden), n_features]
        n_encoder, n_decoder = Layers.size(encoder), Layers.size(decoder)
        n_all = n_encoder + n_decoder + n_extra
        self.n_features, self.n_latent = n_features, n_latent
        self.parameters = torch.zeros(n_all) if parameters is None else torch.from_numpy(parameters)
        if len(self.parameters) != n_all:
            raise ValueError(f"this architecture has {n_all} parameters, but {len(self.parameters)} were given")
        self.gradient = torch.zeros_like(self.parameters)
        self.encoder = Layers(encoder, activation, self.parameters[:n_encoder], self.gradient[:n_encoder])
        ends = slice(n_encoder, n_encoder + n_decoder)
        self.decoder = Layers(decoder, activation, self.parameters[ends], self.gradient[ends])
        self.extra, self.extra_gradient = self.parameters[ends.stop :], self.gradient[ends.stop :]

    def initialise(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.encoder.initialise(generator)
        self.decoder.initialise(generator)
        self.extra.zero_()

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Codes of x (n_features, batch); of a VAE their means and log standard deviations."""

    @torch.inference_mode()
    def encode_rows(self, X: np.ndarray) -> np.ndarray:
        """Codes (n_rows, n_latent) of standardised rows (n_rows, n_features); of a VAE the means."""
        code = self.encode(self.to_tensor(X))
        return to_rows(code[0] if isinstance(code, tuple) else code)

    @torch.inference_mode()
    def decode_rows(self, Z: np.ndarray) -> np.ndarray:
        """Standardised rows (n_rows, n_features) of codes (n_rows, n_latent)."""
        return to_rows(self._output(self.decoder.forward(self.to_tensor(Z))))

    def _output(self, decoded: Tensor) -> Tensor:
        """Standardised features of what the decoder's last layer gives, both (n_features, batch)."""
        return decoded

    def to_tensor(self, X: np.ndarray) -> Tensor:
        """Rows (n_rows, n_columns) feature-major, in the type of the parameters."""
        return torch.from_numpy(np.ascontiguousarray(X.T)).to(self.parameters.dtype)


class AutoencoderNet(_CodeNet):
    """Reconstruction loss plus `penalty` * sum |code|^power; `noise` corrupts the inputs but not the targets.

    loss: "squared" sum of r^2, "absolute" sum of |r|, "huber" sum of r^2 / 2 inside 1 and |r| - 1/2 outside;
    "cross_entropy" -sum of u log v + (1 - u) log(1 - v), nats, of the unstandardised u = center + scale * x in [0, 1]
    and the reconstruction v, the sigmoid of the decoder's last layer.
    With hidden=[] and the squared loss the optimum spans the first principal components (Baldi & Hornik 1989).
    """

    def __init__(
        self,
        n_features: int,
        n_latent: int,
        hidden: Sequence[int],
        activation: str,
        loss: str,
        noise: float = 0.0,
        penalty: float = 0.0,
        power: float = 1.0,
        parameters: np.ndarray | None = None,
        center: np.ndarray | None = None,
        scale: np.ndarray | None = None,
    ):
        super().__init__(n_features, n_latent, hidden, activation, 1, 0, parameters)
        self.loss_name, self.noise, self.penalty, self.power = loss, noise, penalty, power
        self._center, self._scale = (
            torch.full((n_features, 1), default, dtype=self.parameters.dtype)
            if given is None
            else torch.as_tensor(given, dtype=self.parameters.dtype)[:, None]
            for given, default in ((center, 0.0), (scale, 1.0))
        )

    def encode(self, x: Tensor) -> Tensor:
        """Codes (n_latent, batch) of x (n_features, batch); valid until the next call with this batch size."""
        return self.encoder.forward(x)

    def loss_and_gradient(self, x: Tensor, generator: torch.Generator) -> float:
        """Mean loss of x (n_features, batch), penalty included; its gradient is left in `gradient`."""
        batch = x.shape[1]
        inputs = x
        if self.noise:
            inputs = x + self.noise * torch.randn(x.shape, generator=generator, dtype=x.dtype)
        code = self.encoder.forward(inputs)
        decoded = self.decoder.forward(code)
        r = decoded if self.loss_name == "cross_entropy" else decoded.sub_(x)
        if self.loss_name == "squared":
            loss = torch.dot(r.view(-1), r.view(-1)).item()
            r.mul_(2 / batch)
        elif self.loss_name == "absolute":
            loss = r.abs().sum().item()
            r.sign_().div_(batch)
        elif self.loss_name == "cross_entropy":
            target = self._unstandardised(x)
            loss = _cross_entropy(decoded, target).sum().item()
            r.sigmoid_().sub_(target).div_(batch)
        else:
            loss = self._row_loss(r).sum().item()
            r.clamp_(-1, 1).div_(batch)
        g = self.decoder.backward(r)
        if self.penalty:
            loss += self._row_penalty(code).sum().item()
            # |z|^p is smoothed at 0 (z^2 + 1e-8)^(p/2), so that its slope exists and p below 1 cannot blow up.
            slope = (code * code).add_(1e-8).pow_(self.power / 2 - 1).mul_(code)
            g.add_(slope, alpha=self.penalty * self.power / batch)
        self.encoder.backward(g, want_input=False)
        return loss / batch

    def loss(self, x: Tensor) -> Tensor:
        """Loss of each row of x (n_features, batch) without noise, (batch,), penalty included."""
        code = self.encoder.forward(x)
        decoded = self.decoder.forward(code)
        if self.loss_name == "cross_entropy":
            loss = _cross_entropy(decoded, self._unstandardised(x)).sum(0)
        else:
            loss = self._row_loss(decoded - x)
        return loss + self._row_penalty(code) if self.penalty else loss

    def _row_loss(self, r: Tensor) -> Tensor:
        if self.loss_name == "squared":
            return r.square().sum(0)
        a = r.abs()
        if self.loss_name == "absolute":
            return a.sum(0)
        return torch.where(a < 1, a * a / 2, a - 0.5).sum(0)

    def _output(self, decoded: Tensor) -> Tensor:
        if self.loss_name != "cross_entropy":
            return decoded
        return (torch.sigmoid(decoded) - self._center) / self._scale

    def _unstandardised(self, x: Tensor) -> Tensor:
        return torch.addcmul(self._center, self._scale, x)

    def _row_penalty(self, code: Tensor) -> Tensor:
        return self.penalty * (code * code).add_(1e-8).pow_(self.power / 2).sum(0)


class VariationalNet(_CodeNet):
    """Negative evidence lower bound with a weight `beta` on the KL term (Kingma & Welling 2014; Higgins et al. 2017).

    q(z|x) is a diagonal Gaussian, p(z) standard normal, p(x|z) Gaussian around the decoder with one standard
    deviation for all features (`sigma`) or, with sigma None, one learned for each feature. During the first
    `kl_warmup` steps the weight rises from 0 to beta (`step` counts them; set it when training is resumed). `log_scale`
    is added to the loss, so that it is in nats of the data's own units.
    """

    def __init__(
        self, n_features: int, n_latent: int, hidden: Sequence[int], activation: str, beta: float = 1.0,
        sigma: float | None = None, kl_warmup: float = 0, log_scale: float = 0.0,
        parameters: np.ndarray | None = None,
    ):  # fmt: skip
        super().__init__(n_features, n_latent, hidden, activation, 2, n_features if sigma is None else 0, parameters)
        self.beta, self.sigma, self.kl_warmup, self.log_scale = beta, sigma, kl_warmup, log_scale
        self.step = 0

    def initialise(self, seed: int) -> None:
        """Draw the weights from `seed`; learned output standard deviations start at exp(-1)."""
        super().initialise(seed)
        # Starting with output deviations well below 1 keeps the codes in use: from 1, moons end 0.07 nats worse.
        self.extra.fill_(-1.0)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation of q(z|x), (n_latent, batch) each."""
        mu, bounded = self._heads(x)
        return mu, bounded * LOG_STD_BOUND

    def output_log_std(self) -> Tensor:
        """Log standard deviation of p(x|z) per feature, (n_features, 1)."""
        if self.sigma is None:
            return self.extra.clamp_(-LOG_STD_BOUND, LOG_STD_BOUND)[:, None]
        return self.parameters.new_full((self.n_features, 1), math.log(self.sigma))

    def loss_and_gradient(self, x: Tensor, generator: torch.Generator) -> float:
        """Mean negative ELBO of x (n_features, batch) in nats, with one draw of z per row; fills `gradient`.

        The KL term has the weight of the current step, which is then counted.
        """
        batch, k = x.shape[1], self.n_latent
        weight = self.beta if self.step >= self.kl_warmup else self.beta * self.step / self.kl_warmup
        self.step += 1
        mu, bounded = self._heads(x)
        log_std = bounded * LOG_STD_BOUND
        std = log_std.exp()
        eps = torch.randn(mu.shape, generator=generator, dtype=x.dtype)
        r = self.decoder.forward(torch.addcmul(mu, std, eps)).sub_(x)
        out_log_std = self.output_log_std()
        precision = torch.exp(out_log_std * -2)
        energy = (r * r).sum(1, keepdim=True).mul_(precision)
        kl = 0.5 * (_squared_norm(mu) + _squared_norm(std) - mu.numel()) - log_std.sum().item()
        reconstruction = 0.5 * energy.sum().item() + batch * (out_log_std.sum().item() + self.n_features * HALF_LN_2PI)
        if self.sigma is None:
            torch.sub(1, energy[:, 0], alpha=1 / batch, out=self.extra_gradient)
        gz = self.decoder.backward(r.mul_(precision.div_(batch)))
        heads = torch.empty(2 * k, batch, dtype=x.dtype)
        torch.add(gz, mu, alpha=weight / batch, out=heads[:k])
        g = gz.mul_(eps).add_(std, alpha=weight / batch).mul_(std).sub_(weight / batch)
        ops.tanh_backward.grad_input(g, bounded, grad_input=heads[k:])
        self.encoder.backward(heads, want_input=False)
        return (reconstruction + weight * kl) / batch + self.log_scale

    def loss(self, x: Tensor) -> Tensor:
        """Loss of each row at the full beta, with one draw of z that depends on the row's position only."""
        mu, log_std = self.encode(x)
        eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(0), dtype=x.dtype)
        z = torch.addcmul(mu, log_std.exp(), eps)
        return self.log_scale - self.log_likelihood_given(x, z) + self.beta * kl_divergence(mu, log_std)

    def log_likelihood_given(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats of standardised units, (batch,)."""
        log_std = self.output_log_std()
        energy = ((self.decoder.forward(z) - x).square_() * torch.exp(-2 * log_std)).sum(0)
        return -0.5 * energy - log_std.sum() - self.n_features * HALF_LN_2PI

    def importance_log_weights(self, x: Tensor, eps: Tensor) -> Tensor:
        """log p(x, z_k) - log q(z_k | x), (n_draws, batch), for standard normal eps (n_latent, n_draws, batch).

        Burda, Grosse & Salakhutdinov 2016, arXiv:1509.00519, equation 8.
        """
        mu, log_std = self.encode(x)
        _, n_draws, batch = eps.shape
        z = mu[:, None] + log_std.exp()[:, None] * eps
        rows = x[:, None].expand(-1, n_draws, -1).reshape(self.n_features, -1)
        log_joint = self.log_likelihood_given(rows, z.reshape(self.n_latent, -1)).view(n_draws, batch)
        return log_joint + 0.5 * (eps.square().sum(0) - z.square().sum(0)) + log_std.sum(0)

    @torch.inference_mode()
    def posterior_rows(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of q(z|x) for standardised rows, (n_rows, n_latent) each."""
        mu, log_std = self.encode(self.to_tensor(X))
        return to_rows(mu), to_rows(log_std.exp())

    @torch.inference_mode()
    def bounds(self, X: np.ndarray, eps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Importance-weighted log-likelihood and ELBO of standardised rows, (n_rows,) each, from the same draws."""
        log_w = self.importance_log_weights(self.to_tensor(X), torch.from_numpy(eps))
        return (torch.logsumexp(log_w, 0) - math.log(len(log_w))).numpy(), log_w.mean(0).numpy()

    @torch.inference_mode()
    def log_weights(self, X: np.ndarray, eps: np.ndarray) -> np.ndarray:
        """See `importance_log_weights`, for standardised rows: (n_draws, n_rows)."""
        return self.importance_log_weights(self.to_tensor(X), torch.from_numpy(eps)).numpy()

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.encoder.forward(x)
        return heads[: self.n_latent], torch.tanh(heads[self.n_latent :] * (1 / LOG_STD_BOUND))


def _cross_entropy(logit: Tensor, target: Tensor) -> Tensor:
    """-target log v - (1 - target) log(1 - v) with v the sigmoid of the logit, of each number, in nats."""
    return torch.nn.functional.softplus(logit) - target * logit


def kl_divergence(mu: Tensor, log_std: Tensor) -> Tensor:
    """KL of N(mu, exp(log_std)^2) from the standard normal, summed over the code, in nats: (batch,)."""
    return (0.5 * (mu.square() + (2 * log_std).exp() - 1) - log_std).sum(0)


def to_rows(x: Tensor) -> np.ndarray:
    """A feature-major tensor (n_columns, n_rows) as an array of rows of its own."""
    return x.numpy().T.copy()


def _squared_norm(a: Tensor) -> float:
    flat = a.reshape(-1)
    return torch.dot(flat, flat).item()
