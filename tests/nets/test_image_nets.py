"""The networks over pictures: maps that are undone, determinants that are autograd's, masks, hand-derived gradients."""

import numpy as np
import pytest
import torch

from flowlab.nets.images.conditioners import equal_width, n_weights
from flowlab.nets.images.derived import AffineMap, ChannelMap
from flowlab.nets.images.image_training import Contrast, ImageLoss, device_of, jacobian_of
from flowlab.nets.images.masks import pixel_masks
from flowlab.nets.images.multiscale import MultiscaleFlow, Sizes, squeeze, unsqueeze
from flowlab.nets.images.pixelcnn import PixelNetwork

GLOW = {"mask": "channel", "activation_norm": True, "mix_channels": True}
FLOWS = {
    "checkerboard": ({}, "none"),
    "glow": (GLOW, "none"),
    "glow with classes": ({**GLOW, "n_context": 2}, "logit"),
    "cycle": ({"mask": "cycle", "n_scales": 1, "n_couplings": 4}, "logit"),
    "half, scale first": ({"mask": "half", "convention": "scale then shift"}, "probit"),
    "dense": ({"network": "dense"}, "none"),
    "local with a bottleneck": ({"network": "local", "bottleneck": 2, "n_scales": 3}, "none"),
    "colour": ({"channels": 3, "n_scales": 2}, "none"),
    "drawn": ({"mask": "01" * 32, "n_scales": 1}, "none"),
}


def made(name, dtype=torch.float64):
    """A flow away from the identity, rows and their context."""
    settings, squash = FLOWS[name]
    sizes = Sizes(**{"height": 8, "width": 8, "n_couplings": 2, "hidden_channels": 6, **settings})
    flow = MultiscaleFlow(sizes, 0.0 if squash == "probit" else 0.4, 1.0 if squash == "probit" else 0.3, squash)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.03 * torch.randn(p.shape, generator=generator))
    rows = 0.1 + 0.8 * torch.rand(5, 64 * sizes.channels, generator=generator)
    flow.start(rows.numpy())
    context = torch.eye(2)[[0, 1, 0, 1, 1]].to(dtype) if sizes.n_context else None
    return flow.to(dtype), rows.to(dtype), context


def latent(flow, rows, context):
    return flow.joined(flow(flow.enter(rows)[0], context)[0])


@pytest.mark.parametrize("name", FLOWS)
def test_the_inverse_undoes_the_flow(name):
    for dtype, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-4)):
        flow, rows, context = made(name, dtype)
        with torch.no_grad():
            back = flow.inverse(latent(flow, rows, context), context)
        assert (back - rows).abs().max() < tolerance


@pytest.mark.parametrize("name", FLOWS)
def test_the_determinant_is_autograds_and_scales_add_up(name):
    flow, rows, context = made(name)
    one = None if context is None else context[:1].numpy()
    jacobian = jacobian_of(lambda copies, beside: latent(flow, copies, beside).flatten(1), rows[0].numpy(), one)
    z = latent(flow, rows, context)
    parts = flow.contributions(rows, context)
    normal = -0.5 * z.flatten(1).square().sum(1) - 0.5 * rows.shape[1] * np.log(2 * np.pi)
    expected = np.linalg.slogdet(jacobian)[1]
    assert (parts.sum(1) - normal)[0].item() == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert parts.shape == (5, len(flow.latent_sizes)) and sum(flow.latent_sizes) == rows.shape[1]
    steps = flow.steps(flow.enter(rows)[0], context)
    log_det = sum(step[3] for step in steps) + flow.enter(rows)[1]
    torch.testing.assert_close(steps[-1][0], z)
    torch.testing.assert_close(log_det + normal, parts.sum(1))


def test_row_48_three_scales_of_8_x_8_are_factored_out_in_halves():
    assert MultiscaleFlow(Sizes(8, 8, n_scales=3)).latent_sizes == [32, 16, 16]
    assert MultiscaleFlow(Sizes(6, 6, n_scales=3)).latent_sizes == [18, 18], "a side of 3 is not squeezed"


@pytest.mark.parametrize("shifts_first", [True, False])
def test_gradients_of_the_affine_map_are_right(shifts_first):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    raw = torch.randn(2, 3, 2, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a, b: AffineMap.apply(a, b, shifts_first, 1, 3), (x, raw))
    whole = torch.cat((raw, raw[..., :2]), -1).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: AffineMap.apply(a, b, shifts_first, 0, 3), (x, whole))


def test_gradients_of_the_channel_map_are_right():
    generator = torch.Generator().manual_seed(0)

    def random(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    permutation, sign = torch.eye(4, dtype=torch.float64)[[2, 0, 3, 1]], torch.tensor([1.0, -1, 1, -1]).double()
    lower, upper = random(4, 4), random(4, 4)
    inputs = (random(2, 2, 2, 4), random(4), random(4), lower, upper, random(4))
    assert torch.autograd.gradcheck(lambda *a: ChannelMap.apply(*a, permutation, sign), inputs)


def test_row_49_activation_normalisation_starts_at_mean_0_and_deviation_1():
    generator = torch.Generator().manual_seed(0)
    flow = MultiscaleFlow(Sizes(8, 8, n_couplings=1, n_scales=1, mask="channel", activation_norm=True))
    rows = 3 + 2 * torch.randn(200, 64, generator=generator)
    flow.start(rows.numpy())
    after = flow.steps(flow.enter(rows)[0])[0][0]  # a new coupling is the identity
    flat = squeeze(after).reshape(-1, 4)
    assert flat.mean(0).abs().max() < 1e-5 and (flat.std(0) - 1).abs().max() < 1e-4


@pytest.mark.parametrize("name", ["checkerboard", "half", "cycle", "0" * 8 + "1" * 8])
def test_row_47_masks_read_and_change_different_pixels_and_in_turn_change_all(name):
    masks = [pixel_masks(name, 4, 4, i) for i in range(4)]
    assert not any((read & changed).any() for read, changed in masks)
    assert np.logical_or.reduce([changed for _, changed in masks]).all()
    assert np.array_equal(pixel_masks("=0110", 2, 2, 0)[1], pixel_masks("=0110", 2, 2, 1)[1])
    with pytest.raises(ValueError, match="mask must hold 0 and 1 for each of 2 x 2 pixels, not '011'"):
        pixel_masks("011", 2, 2, 0)


@pytest.mark.parametrize("name", [name for name in FLOWS if "glow" not in name])
def test_what_a_coupling_does_not_change_stays(name):
    flow, rows, context = made(name)
    z = flow.enter(rows)[0]
    changed = flow.changed_pixels()
    assert changed.any(0).all() and not changed.all(1).any()
    for mask, (after, log_scale, shift, _) in zip(changed, flow.steps(z, context), strict=True):
        still = torch.from_numpy(~mask)
        assert torch.equal(after.flatten(1)[:, still], z.flatten(1)[:, still])
        assert not log_scale.flatten(1)[:, still].any() and not shift.flatten(1)[:, still].any()
        z = after


def test_squeezing_keeps_blocks_together():
    x = torch.arange(16.0).reshape(1, 4, 4, 1)
    assert squeeze(x)[0, 0, 0].tolist() == [0, 1, 4, 5]
    assert torch.equal(unsqueeze(squeeze(x)), x)


@pytest.mark.parametrize("kind", ["local", "dense"])
def test_networks_of_equal_size_have_about_as_many_weights(kind):
    shape = (8, 8, 1)
    wanted = n_weights("convolutional", shape, 2, 32)
    step = n_weights(kind, shape, 2, 10) - n_weights(kind, shape, 2, 9)
    assert abs(n_weights(kind, shape, 2, equal_width(kind, shape, 2, 32)) - wanted) < 3 * step
    flow = MultiscaleFlow(Sizes(8, 8, n_scales=1, n_couplings=1, network=kind, mask="half"))
    width = equal_width(kind, shape, 2, 32)
    assert sum(p.numel() for p in flow.parameters()) == n_weights(kind, shape, 2, width)


def test_the_outlier_loss_is_a_cross_entropy_with_logits_and_the_margin_loss_a_hinge():
    inside, background, general = (torch.tensor(v, requires_grad=True) for v in ([1.0, 5], [2.0, -3], [0.5, 1]))
    outlier = Contrast(torch.zeros(1, 1), torch.zeros(1), "outlier", 3.0, 2.0).of(inside, background, general)
    expected = 3 * torch.nn.functional.binary_cross_entropy_with_logits(
        (general - background) / 2, torch.ones(2), reduction="none"
    )
    torch.testing.assert_close(outlier, expected)
    outlier.sum().backward()
    slope = 1.5 * torch.sigmoid(-(general - background) / 2)
    torch.testing.assert_close(background.grad, slope.detach())
    margin = Contrast(torch.zeros(1, 1), torch.zeros(1), "margin", 2.0, 1.0, 4.0).of(inside, background, general)
    assert margin.tolist() == [10.0, 0.0]


def test_noise_stays_within_the_cells_and_corruption_replaces_its_share():
    loss = ImageLoss(50, lambda module, rows, context, generator: rows.sum(1), corruption=0.3)
    generator = torch.Generator().manual_seed(0)
    pixels = torch.full((400, 50), 100 / 255)
    assert ((loss.filled(pixels, generator) - pixels) * 255 - 0.5).abs().max() <= 0.5001
    replaced = (torch.floor(loss.filled(pixels, generator, 0.3) * 255 + 1e-3) != 100).float().mean().item()
    assert replaced == pytest.approx(0.3, abs=0.02)


def test_pixelcnn_sees_only_what_comes_before_and_its_levels_sum_to_one():
    network = PixelNetwork(4, 4, 3, hidden=6, n_layers=1, n_components=3, seed=0)
    row = torch.round(255 * torch.rand(1, 48, generator=torch.Generator().manual_seed(0))) / 255
    with torch.no_grad():
        before = network.log_probability(row)
        for pixel in (0, 17, 30):
            rows = row.repeat(256, 1)
            rows[:, pixel] = torch.arange(256) / 255
            log_probability = network.log_probability(rows)
            assert log_probability[:, pixel].exp().sum().item() == pytest.approx(1, abs=1e-5)
            torch.testing.assert_close(log_probability[:, :pixel], before[:, :pixel].expand(256, -1))


def test_a_device_that_is_missing_is_said():
    if torch.cuda.is_available():
        assert device_of("auto") == "cuda"
    else:
        assert device_of("auto") == "cpu"
        with pytest.raises(ValueError, match="no graphics processor was found; choose 'auto' or 'cpu'"):
            device_of("cuda")
