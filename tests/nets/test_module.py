"""A wrapped torch module trains in the one loop as it would by plain autograd and torch's own Adam."""

import numpy as np
import pytest
import torch
from torch import nn

from flowlab.nets.module import FlatModule
from flowlab.nets.training import Settings, TrainState, train


def squared_error(module, rows, generator):
    return (module(rows) - rows).square().sum(1)


def build():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 3))


def rows(n=512):
    return torch.from_numpy(np.random.default_rng(0).normal(size=(3, n)).astype(np.float32))


def test_gradient_is_autograds_also_in_inference_mode():
    module, plain, x = build(), build(), rows()
    squared_error(plain, x.t(), None).mean().backward()
    expected = torch.cat([p.grad.reshape(-1) for p in plain.parameters()])
    net = FlatModule(module, 3, squared_error)
    with torch.inference_mode():
        batch = x.clone()  # an inference tensor, as the loop's batches are
        for _ in range(2):  # a second call must not add to the first
            loss = net.loss_and_gradient(batch, torch.Generator())
            assert torch.allclose(net.gradient, expected, atol=1e-6)
        assert loss == pytest.approx(net.loss(batch).mean().item(), rel=1e-6)


def test_the_loop_moves_the_modules_own_parameters():
    net = FlatModule(build(), 3, squared_error)
    x = rows()
    before = net.loss(x).mean().item()
    events = list(train(net, TrainState.start(net), x, None, Settings(n_steps=200, eval_every=100), seed=0))
    with torch.no_grad():
        after = squared_error(net.module, x.t(), None).mean().item()
    assert after < 0.5 * before
    assert after == pytest.approx(events[-1].val_loss, rel=1e-5)
    assert net.loss_and_gradient(x, torch.Generator()) == pytest.approx(after, rel=1e-5)  # usable after the loop


def test_slices_give_the_bits_of_one_run():
    x, settings = rows(), Settings(n_steps=40, eval_every=10, noise=0.1)
    whole = FlatModule(build(), 3, squared_error)
    list(train(whole, TrainState.start(whole), x, None, settings, seed=3))
    sliced = FlatModule(build(), 3, squared_error)
    state = TrainState.start(sliced)
    for _ in range(4):
        list(train(sliced, state, x, None, settings, seed=3, n_steps=10))
        arrays = state.to_arrays()
        sliced = FlatModule(build(), 3, squared_error)
        state = TrainState.from_arrays(arrays)
    sliced.parameters.copy_(state.best)
    assert torch.equal(whole.parameters, sliced.parameters)


def test_modules_that_autograd_cannot_train_are_refused():
    with torch.inference_mode():
        module = nn.Linear(3, 3)
    with pytest.raises(ValueError, match="outside torch.inference_mode"):
        FlatModule(module, 3, squared_error)
