"""The network against the textbook formulation: per-sample weights, explicit zero insertion, direct FIR."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from networks import CONFIG, spread_generator
from torch import Tensor

from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.generators import StyleGAN2, StyleGAN2Config, load_generator, sample_styles, style_statistics
from zoom_engine.generators.stylegan2.network import ModulatedConv


def spread_network(config: StyleGAN2Config = CONFIG, seed: int = 0) -> StyleGAN2:
    """`spread_generator` in double precision, with an average latent to truncate towards."""
    network = spread_generator(config, seed=seed).double()
    network.mapping_network.w_avg.normal_(0.0, 0.5)
    return network


def literal_upsample(x: Tensor, padding: tuple[int, int], gain: float) -> Tensor:
    """Zero insertion, then the [1,3,3,1] filter pixel by pixel of its 16 taps."""
    batch, channels, height, width = x.shape
    wide = x.new_zeros(batch, channels, 2 * height, 2 * width)
    wide[:, :, ::2, ::2] = x
    return literal_fir(F.pad(wide, (*padding, *padding)), gain)


def literal_fir(x: Tensor, gain: float) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    height, width = x.shape[2] - 3, x.shape[3] - 3
    y = x.new_zeros(*x.shape[:2], height, width)
    for i in range(4):
        for j in range(4):
            y += gain * taps[i] * taps[j] * x[:, :, i : i + height, j : j + width]
    return y


def literal_layer(layer: ModulatedConv, x: Tensor, style: Tensor) -> Tensor:
    """One sample at a time with its own modulated, demodulated weight (Karras 2020, section 2.2)."""
    outputs = []
    for sample, s in zip(x, style, strict=True):
        weight = layer.weight * s[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if layer.up:
            y = literal_fir(F.pad(F.conv_transpose2d(sample[None], weight.transpose(0, 1), stride=2), (1,) * 4), 4)
        else:
            y = F.conv2d(sample[None], weight, padding=1)
        y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
        y = torch.where(y > 0, y, 0.2 * y) * math.sqrt(2)
        outputs.append(y if layer.clamp is None else y.clamp(-layer.clamp, layer.clamp))
    return torch.cat(outputs)


def literal_synthesis(network: StyleGAN2, styles: Tensor) -> Tensor:
    x = network.const.expand(len(styles), -1, -1, -1)
    image = None
    for layer in network.space.layers:
        style = styles[:, layer.start : layer.stop]
        if layer.is_rgb:
            module = network.to_rgb[layer.name]
            rgb = torch.stack(
                [
                    F.conv2d(sample[None], module.weight * s[None, :, None, None])[0] + module.bias[:, None, None]
                    for sample, s in zip(x, style, strict=True)
                ]
            )
            if module.clamp is not None:
                rgb = rgb.clamp(-module.clamp, module.clamp)
            image = rgb if image is None else literal_upsample(image, (2, 1), 4) + rgb
        else:
            x = literal_layer(network.convs[layer.name], x, style)
    assert image is not None
    return image


@pytest.mark.parametrize("clamp", [None, 0.7])
@pytest.mark.parametrize("plain", [False, True])
def test_synthesis_is_the_textbook_formulation(clamp: float | None, plain: bool) -> None:
    network = spread_network(replace(CONFIG, conv_clamp=clamp))
    styles = network.styles(network.mapping(network.latents([1, 2, 3]).double()))
    result = network.synthesis(styles, precision=torch.float64, plain=plain)
    wanted = literal_synthesis(network, styles)
    # toRGB works in float32
    assert (result - wanted).norm() / wanted.norm() < 1e-6


def test_style_gradients_are_those_of_the_textbook_formulation() -> None:
    network = spread_network()
    styles = network.styles(network.mapping(network.latents([4, 5]).double())).requires_grad_(True)
    weight = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    (result,) = torch.autograd.grad((network.synthesis(styles, precision=torch.float64) * weight).sum(), styles)
    (wanted,) = torch.autograd.grad((literal_synthesis(network, styles) * weight).sum(), styles)
    assert (result - wanted).norm() / wanted.norm() < 1e-5


def test_float32_and_bfloat16_stay_near_float64() -> None:
    network = spread_network()
    styles = network.styles(network.mapping(network.latents([6, 7]).double()))
    wanted = literal_synthesis(network, styles)
    network = network.float()
    single = network.synthesis(styles.float())
    half = network.synthesis(styles.float(), precision=torch.bfloat16)
    assert (single - wanted).norm() / wanted.norm() < 1e-5
    assert (half - wanted).norm() / wanted.norm() < 3e-2


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
@pytest.mark.parametrize(("precision", "limit"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_operators_and_their_composition_make_the_same_images_and_gradients(
    architecture: str, precision: torch.dtype, limit: float
) -> None:
    network = spread_network(
        replace(CONFIG, channels=(40, 36, 33, 17), conv_clamp=3.0, architecture=architecture)
    ).float()
    styles = network.styles(network.mapping(network.latents([1, 2]))).requires_grad_(True)
    weight = torch.randn(2, 3, 32, 32)
    result, wanted = network.synthesis(styles, precision=precision), network.synthesis(styles, plain=True)
    assert (result - wanted).norm() / wanted.norm() < limit
    gradients = [torch.autograd.grad((image * weight).sum(), styles)[0] for image in (result, wanted)]
    # in bfloat16 activations near a bend land on its other side
    assert (gradients[0] - gradients[1]).norm() / gradients[1].norm() < (1e-4 if limit < 1e-4 else 0.1)
    with torch.no_grad():
        assert torch.equal(network.synthesis(styles, precision=precision), result)


@pytest.mark.parametrize("architecture", ["skip", "orig", "resnet"])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("count", [1, 12])
def test_edits_draw_edited_styles(architecture: str, plain: bool, count: int) -> None:
    """In every layer, the toRGB too, and with the same gradients."""
    network = spread_network(
        replace(CONFIG, channels=(40, 36, 33, 17), conv_clamp=3.0, architecture=architecture)
    ).float()
    network.requires_grad_(False)
    styles = network.styles(network.mapping(network.latents([1, 2]))).requires_grad_(True)
    weights = torch.randn(2, count, requires_grad=True)
    directions = torch.randn(count, network.space.size) / 5
    mask = torch.randn(2, 3, 32, 32)
    result = network.synthesis(styles, edit_weights=weights, directions=directions, plain=plain)
    wanted = network.synthesis(styles + weights @ directions, plain=True)
    unedited = network.synthesis(styles, edit_weights=None, directions=directions)
    assert (result - wanted).norm() / wanted.norm() < 1e-5
    assert torch.equal(unedited, network.synthesis(styles))
    assert (unedited - wanted).norm() / wanted.norm() > 0.01
    gradients = [torch.autograd.grad((image * mask).sum(), (styles, weights)) for image in (result, wanted)]
    for a, b in zip(*gradients, strict=True):
        assert (a - b).norm() / b.norm() < 1e-4
    rgb_alone = directions * network.space.fixed_mask()
    recoloured = network.synthesis(styles, edit_weights=weights, directions=rgb_alone, plain=plain)
    assert (recoloured - network.synthesis(styles + weights @ rgb_alone, plain=True)).norm() / wanted.norm() < 1e-5


def test_an_unfrozen_network_gives_gradients_to_its_weights() -> None:
    """Training runs on the composition, whether it says ``plain`` or not."""
    network = spread_network().requires_grad_(True)
    styles = network.styles(network.mapping(network.latents([1]).double()))
    result, wanted = (network.synthesis(styles, precision=torch.float64, plain=plain) for plain in (False, True))
    parameters = [conv.weight for conv in network.convs.values()]
    for a, b in zip(
        torch.autograd.grad(result.sum(), parameters, retain_graph=True),
        torch.autograd.grad(wanted.sum(), parameters),
        strict=True,
    ):
        assert torch.allclose(a, b)
        assert a.any()


def test_an_image_does_not_depend_on_its_batch() -> None:
    network = spread_network().float()
    styles = network.styles(network.mapping(network.latents(range(5))))
    together = network.synthesis(styles)
    alone = torch.cat([network.synthesis(styles[i : i + 1]) for i in range(5)])
    assert torch.allclose(together, alone, atol=1e-4)


def test_changed_noise_is_seen() -> None:
    """The scaled noise is kept between calls, but not longer than it is true."""
    network = spread_network().float().requires_grad_(False)
    styles = network.styles(network.mapping(network.latents([0])))
    before = network.synthesis(styles)
    assert torch.equal(network.synthesis(styles), before)
    conv = network.convs["b8_conv0"]
    with torch.no_grad():
        conv.noise_strength.add_(1.0)
    stronger = network.synthesis(styles)
    assert not torch.equal(stronger, before)
    conv.noise_const = torch.zeros_like(conv.noise_const)
    silent = network.synthesis(styles)
    assert torch.allclose(silent, network.synthesis(styles, plain=True), atol=1e-5)
    assert not torch.equal(silent, stronger)
    copied = copy.deepcopy(network)
    copied.convs["b8_conv0"].noise_const.fill_(1.0)
    assert not torch.equal(copied.synthesis(styles), silent)
    assert torch.equal(network.synthesis(styles), silent)


def test_noise_first_used_in_inference_mode_serves_gradients_too() -> None:
    network = spread_network().float().requires_grad_(False)
    styles = network.styles(network.mapping(network.latents([0])))
    with torch.inference_mode():
        network.synthesis(styles)
    leaf = styles.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.synthesis(leaf).sum(), leaf)
    assert gradient.any()


def test_style_space_covers_the_style_vector_in_order() -> None:
    space = spread_network().space
    assert [layer.start for layer in space.layers[1:]] == [layer.stop for layer in space.layers[:-1]]
    assert space.layers[-1].stop == space.size
    # conv widths in, toRGB widths in: 12+12, 12+10+10, 10+8+8, 8+6+6
    assert space.size == 24 + 32 + 26 + 20
    assert int(space.fixed_mask().sum()) == 12 + 10 + 8 + 6
    shares = space.split(torch.arange(2.0 * space.size).view(2, -1))
    assert list(shares) == [layer.name for layer in space.layers]
    assert all(shares[layer.name][1, 0] == space.size + layer.start for layer in space.layers)
    assert space.layers[0].name == "b4_conv1"


def test_latents_are_numpys_random_state_per_seed() -> None:
    import numpy as np

    network = spread_network()
    result = network.latents([3, 9])
    assert torch.equal(result[1], torch.from_numpy(np.random.RandomState(9).randn(1, 16).astype(np.float32))[0])
    with pytest.raises(ConfigError, match="seeds"):
        network.latents([-1])


def test_truncation_pulls_the_first_layers_toward_the_average() -> None:
    network = spread_network()
    z = network.latents([1]).double()
    full = network.mapping(z)
    cut = network.mapping(z, truncation=0.7, truncation_cutoff=3)
    average = network.mapping_network.w_avg
    assert torch.allclose(cut[:, :3], average + 0.7 * (full[:, :3] - average))
    assert torch.equal(cut[:, 3:], full[:, 3:])


def test_a_lower_resolution_is_the_image_before_the_last_blocks() -> None:
    network = spread_network()
    styles = network.styles(network.mapping(network.latents([1]).double()))
    small = network.synthesis(styles, max_resolution=16, precision=torch.float64)
    assert small.shape == (1, 3, 16, 16)
    with pytest.raises(ConfigError, match="max_resolution"):
        network.synthesis(styles, max_resolution=24)
    with pytest.raises(ConfigError, match="styles must be"):
        network.synthesis(styles[:, 1:])


def test_affine_weight_is_the_derivative_of_the_styles() -> None:
    network = spread_network()
    w = network.mapping(network.latents([1]).double())
    step = torch.randn(network.w_dim, dtype=torch.float64)
    moved = network.styles(w + step) - network.styles(w)
    assert torch.allclose(moved[0], network.affine_weight() @ step)


def test_statistics_are_those_of_the_samples() -> None:
    network = spread_network().float()
    styles = torch.cat([s for _, s in sample_styles(network, samples=700, seed=3, batch_size=64)])
    result = style_statistics(network, samples=700, seed=3)
    assert torch.allclose(result.mean, styles.mean(0), atol=1e-5)
    assert torch.allclose(result.std, styles.std(0, correction=0), rtol=1e-4)


@pytest.mark.parametrize(("resolution", "channels"), [(24, (4, 4, 4)), (16, (4, 4)), (8, (4, 0)), (2, ())])
def test_impossible_shapes_are_refused(resolution: int, channels: tuple[int, ...]) -> None:
    with pytest.raises(CheckpointError):
        StyleGAN2Config(resolution, channels)


@pytest.mark.parametrize("architecture", ["orig", "resnet"])
def test_architectures_with_one_picture_draw_at_full_resolution_only(architecture: str) -> None:
    network = spread_network(replace(CONFIG, resolution=16, channels=(6, 5, 4), architecture=architecture))
    styles = network.styles(network.mapping(network.latents([1]).double()))
    assert network.space.layers[-1].is_rgb
    assert int(network.space.fixed_mask().sum()) == 4
    with pytest.raises(ConfigError, match="at 16 only"):
        network.synthesis(styles, max_resolution=8)


def test_the_content_hash_is_of_the_weights_as_they_are_now() -> None:
    """It was that of the weights when it was first asked for, so that caches answered for others."""
    network, other = spread_generator(), spread_generator(seed=1)
    first = network.content_hash
    network.load_state_dict(other.state_dict())
    assert network.content_hash == other.content_hash != first
    network.load_state_dict(spread_generator().state_dict(), assign=True)
    assert network.content_hash == first
    network.mapping_network.w_avg.add_(1)
    assert network.content_hash not in (first, other.content_hash)
    assert copy.deepcopy(network).content_hash == network.content_hash


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_weights_of_another_precision_are_refused_when_it_is_loaded(dtype: torch.dtype) -> None:
    """They ended in torch's own error about types at the first picture."""
    network = spread_generator().to(dtype)
    with pytest.raises(ConfigError, match=r"weights in b?float\d\d, .* in float32, such as generator\.float\(\)"):
        load_generator(network)
    assert load_generator(network.float()) is network
