"""The small ReLU network that computes a layer's parameters: feature-major, preallocated, gradients by hand.

A batch is a matrix (features, batch): the batch is contiguous, so that element-wise work on one feature reads
memory contiguously. Row 0 of every activation is a row of ones, and column 0 of every weight matrix the
bias, so that one matrix product does a whole linear layer:

    h_0 = inputs = [1; context; features]        h_l = [1; relu(W_l h_{l-1})]        raw = W_L h_{L-1}

Backward, with g_L = d loss / d raw (chain rule; 1[.] is the derivative of the ReLU):

    dW_l = g_l h_{l-1}^T        g_{l-1} = (W_l without its bias column)^T g_l * 1[h_{l-1} > 0]

The last product, down to the inputs, is added to the gradient of the features and never masked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
from torch import Tensor

Take = Callable[..., Tensor]
"""take(name, shape, fill=None) -> a buffer; layers may share it when no backward pass will read it."""

_relu_backward = torch.ops.aten.threshold_backward.grad_input


class Conditioner:
    """A multi-layer perceptron from (n_context + n_inputs, batch) to (n_outputs, batch).

    `shapes` lists its matrices; `attach` hands it the views of the flat parameters and gradient it works on.
    """

    def __init__(self, n_inputs: int, n_outputs: int, hidden_features: int, n_hidden: int, n_context: int = 0):
        self.n_inputs, self.n_outputs, self.n_context = n_inputs, n_outputs, n_context
        widths = [n_context + n_inputs, *[hidden_features] * n_hidden, n_outputs]
        self.shapes = [(outputs, inputs + 1) for inputs, outputs in itertools.pairwise(widths)]

    def attach(self, weights: list[Tensor], gradients: list[Tensor]) -> None:
        """Take views of the flat parameters and gradient, one matrix for each of `shapes`."""
        self.weights, self.gradients = weights, gradients
        self.transposed = [weight[:, 1:].t() for weight in weights]
        self.transposed[0] = weights[0][:, 1 + self.n_context :].t()

    def initialize(self, generator: torch.Generator, gain: float) -> None:
        """Uniform in +-1/sqrt(fan-in) (PyTorch's rule); the last layer shrunk by `gain`: a flow near the identity."""
        for weight in self.weights:
            bound = 1 / math.sqrt(max(weight.shape[1] - 1, 1))
            weight.uniform_(-bound, bound, generator=generator)
        self.weights[-1].mul_(gain)

    def buffers(self, w: SimpleNamespace, batch: int, take: Take, training: bool) -> None:
        """Put into `w`: `inputs` and its parts, `raw`, and for training `raw_gradient`."""
        w.inputs = take("inputs", (1 + self.n_context + self.n_inputs, batch), 1.0)
        w.input_context = w.inputs[1 : 1 + self.n_context]
        w.input_features = w.inputs[1 + self.n_context :]
        activations = [w.inputs]
        for i, (rows, _) in enumerate(self.shapes[:-1]):
            activations.append(take(f"hidden {i}", (rows + 1, batch), 1.0))
        w.raw = take("raw", (self.n_outputs, batch))
        w.hidden = [a[1:] for a in activations[1:]]
        w.activations = activations
        w.steps = list(zip(self.weights[:-1], activations, w.hidden))
        if not training:
            return
        w.raw_gradient = take("raw gradient", (self.n_outputs, batch))
        gradients = [take("hidden gradient", tuple(h.shape)) for h in w.hidden]
        above = [*gradients[1:], w.raw_gradient]
        w.steps_back = [
            (self.transposed[i + 1], above[i], gradients[i], w.hidden[i], activations[i].t(), self.gradients[i])
            for i in reversed(range(len(gradients)))
        ]
        w.last_back = (activations[-1].t(), self.gradients[-1])
        w.bottom = gradients[0] if gradients else w.raw_gradient

    def forward(self, w: SimpleNamespace) -> None:
        """From `w.inputs` to `w.raw`."""
        for weight, below, hidden in w.steps:
            torch.mm(weight, below, out=hidden)
            torch.relu_(hidden)
        torch.mm(self.weights[-1], w.activations[-1], out=w.raw)

    def backward(self, w: SimpleNamespace, input_gradient: Tensor) -> None:
        """From `w.raw_gradient` to the gradients of the weights; adds d loss / d features to `input_gradient`."""
        below, weight_gradient = w.last_back
        torch.mm(w.raw_gradient, below, out=weight_gradient)
        for transposed, above, gradient, hidden, below, weight_gradient in w.steps_back:
            torch.mm(transposed, above, out=gradient)
            _relu_backward(gradient, hidden, 0, grad_input=gradient)
            torch.mm(gradient, below, out=weight_gradient)
        if self.n_inputs:
            input_gradient.addmm_(self.transposed[0], w.bottom)
