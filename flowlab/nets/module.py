"""Any torch module as a `Net` of the training loop: its parameters become views of one flat tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

Module = TypeVar("Module", bound=nn.Module)
LossRows = Callable[[Module, Tensor, torch.Generator | None], Tensor]
"""(module, rows (batch, n), generator) -> loss of each row (batch,). Without a generator: no noise, validation."""

EVAL_ROWS = 4096


class FlatModule(Generic[Module]):
    """A torch module that `training.train` can train.

    Parameters
    ----------
    module : float32, built outside inference mode; its trainable parameters are moved into `parameters`, and the
        module goes on using them there. Buffers are not trained, saved or rolled back: they have to be constant.
    n_features : how many of the columns are features (the rest are context)
    loss_rows : the loss of each row; gets rows-first batches, (batch, n), although the loop's are feature-major

    Examples
    --------
    >>> net = FlatModule(nn.Linear(3, 3), 3, lambda module, rows, generator: (module(rows) - rows).square().sum(1))
    >>> net.loss_and_gradient(torch.ones(3, 8), torch.Generator()) > 0, net.gradient.shape
    (True, torch.Size([12]))
    """

    def __init__(self, module: Module, n_features: int, loss_rows: LossRows[Module]) -> None:
        self.module, self.n_features, self.loss_rows = module, n_features, loss_rows
        trained = [p for p in module.parameters() if p.requires_grad]
        if not trained or any(p.is_inference() or p.dtype != torch.float32 for p in trained):
            raise ValueError("module must have trainable float32 parameters, built outside torch.inference_mode")
        # The loop runs in inference mode; tensors made there could not take part in autograd.
        with torch.inference_mode(False), torch.no_grad():
            self.parameters = torch.cat([p.reshape(-1) for p in trained])
            self.gradient = torch.zeros_like(self.parameters)
            start = 0
            for p in trained:
                part = slice(start, start + p.numel())
                p.data = self.parameters[part].view(p.shape)
                p.grad = self.gradient[part].view(p.shape)
                start += p.numel()

    def loss_and_gradient(self, x: Tensor, generator: torch.Generator) -> float:
        """Mean loss of a feature-major batch (n, batch); its gradient is left in `gradient`."""
        if not self.module.training:
            self.module.train()
        self.gradient.zero_()
        with torch.inference_mode(False), torch.enable_grad():
            rows = x.t().clone(memory_format=torch.contiguous_format)  # a copy that autograd may save
            loss = self.loss_rows(self.module, rows, generator).mean()
            loss.backward()  # adds into the views of `gradient` in place
        return loss.item()

    def loss(self, x: Tensor) -> Tensor:
        """Loss of each column of a feature-major batch, (batch,), without noise."""
        if self.module.training:
            self.module.eval()
        with torch.no_grad():
            parts = [self.loss_rows(self.module, part.t().contiguous(), None) for part in x.split(EVAL_ROWS, dim=1)]
        return torch.cat(parts)


def load(module: Module, parameters: np.ndarray) -> Module:
    """The module with flat parameters (n_parameters,), in the order of `FlatModule`. ValueError for another number."""
    trained = [p for p in module.parameters() if p.requires_grad]
    wanted = sum(p.numel() for p in trained)
    if wanted != np.size(parameters):
        raise ValueError(
            f"the state holds {np.size(parameters)} weights, this model has {wanted}: use the parameters it was "
            "trained with"
        )
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(torch.tensor(parameters, dtype=trained[0].dtype), trained)
    return module
