"""The optimiser's two ways: PyTorch's fused kernel, and plain tensor operations where a release has it no more."""

import pytest
import torch

from flowlab.nets.training import HAS_FUSED_ADAM, adam_


def _trained(fused: bool, dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(300, generator=generator, dtype=dtype)
    parameters, first, second, step = (torch.zeros(n, dtype=dtype) for n in (300, 300, 300, 1))
    step = step[0].float()
    for _ in range(200):
        noise = torch.randn(300, generator=generator, dtype=dtype)
        step.add_(1)
        adam_(parameters, parameters - target + 0.1 * noise, first, second, step, 0.02, 0.99, fused)
    assert (parameters - target).abs().mean() < 0.1, "it moves towards the minimum"
    return [parameters, first, second]


@pytest.mark.skipif(not HAS_FUSED_ADAM, reason="this PyTorch has no fused kernel")
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-4), (torch.float64, 1e-6)])
def test_both_ways_train_alike(dtype, tolerance):
    for fused, plain in zip(_trained(True, dtype), _trained(False, dtype)):
        torch.testing.assert_close(fused, plain, rtol=tolerance, atol=tolerance)


def test_the_plain_way_is_adam_of_torch():
    generator = torch.Generator().manual_seed(1)
    parameters = torch.randn(50, generator=generator, dtype=torch.float64)
    theirs = parameters.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.03, betas=(0.9, 0.99), foreach=False)
    first, second, step = torch.zeros_like(parameters), torch.zeros_like(parameters), torch.zeros(())
    for _ in range(20):
        gradient = torch.randn(50, generator=generator, dtype=torch.float64)
        theirs.grad = gradient.clone()
        optimizer.step()
        step.add_(1)
        adam_(parameters, gradient, first, second, step, 0.03, 0.99, fused=False)
    torch.testing.assert_close(parameters, theirs.detach(), rtol=1e-10, atol=1e-12)
