"""StyleGAN3 pickles against the literal formulation, and what is refused of them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import Persistent, draw, relative_error, stylegan3_bytes, stylegan3_generator, write
from literal_stylegan3 import Literal3, radial_filter, separable_filter
from networks import Function
from scipy.signal import firwin
from scipy.special import j1
from torch import Tensor, nn

from zoom_engine import Diagnoser
from zoom_engine.common.errors import CheckpointError, ConfigError
from zoom_engine.generators import (
    StyleGAN3,
    StyleGAN3Config,
    check_editable_generator,
    convert_checkpoint,
    describe_checkpoint,
    load_generator,
    sample_styles,
    save_generator,
)
from zoom_engine.generators.stylegan3.network import downsample, upsample
from zoom_engine.targets import BinaryTask, Target

SMALL = Literal3()
SMALL_R = Literal3(kernel=1, radial=True, seed=1)
VARIANTS = {
    "T": SMALL,
    "R": SMALL_R,
    "T, 32": Literal3(resolution=32, num_layers=6, seed=2),
    "R, 32": Literal3(resolution=32, num_layers=6, kernel=1, radial=True, seed=3),
    "frequencies that fade": Literal3(spread=3.0),
    "a clamp that is reached": Literal3(conv_clamp=0.9),
    "no clamp": Literal3(conv_clamp=None, output_scale=1.0),
    "T, filters without symmetry": Literal3(odd_filters=True),
    "R, filters without symmetry": Literal3(odd_filters=True, kernel=1, radial=True),
    "eight mapping layers, another margin": Literal3(mapping_layers=8, margin=6),
}
CONDITIONAL = Literal3(c_dim=3)


def loaded(literal: Literal3, folder: Path) -> StyleGAN3:
    network = load_generator(write(folder / "network.pkl", stylegan3_bytes(literal)))
    assert isinstance(network, StyleGAN3)
    return network


def detail_error(result: Tensor, wanted: Tensor) -> float:
    """Relative to what varies within the picture: most of a random network's is one colour."""
    return float((result.double() - wanted).norm() / (wanted - wanted.mean(dim=(1, 2), keepdim=True)).norm())


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_gives_the_image_of_the_literal_formulation(name: str, tmp_path: Path) -> None:
    literal = VARIANTS[name]
    network = loaded(literal, tmp_path)
    for seed, truncation, cutoff in ((3, 1.0, None), (4, 0.6, 3)):
        result = draw(network, seed, truncation=truncation, cutoff=cutoff)
        assert result.dtype == torch.float32
        assert detail_error(result, literal.image(seed, truncation=truncation, cutoff=cutoff)) < 1e-4


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("kernel", [3, 1])
def test_fourteen_layers_at_256_are_the_literal_formulation(kernel: int, tmp_path: Path) -> None:
    literal = Literal3(
        resolution=256, num_layers=14, channel_base=512, channel_max=6, kernel=kernel, radial=kernel == 1, seed=4
    )
    assert detail_error(draw(loaded(literal, tmp_path), 1), literal.image(1)) < 1e-4


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_pickle_protocol_is_read(protocol: int, tmp_path: Path) -> None:
    network = load_generator(write(tmp_path / "x", stylegan3_bytes(SMALL, protocol=protocol)))
    assert network.content_hash == loaded(SMALL, tmp_path).content_hash


@pytest.mark.parametrize("label", [0, 2])
def test_classes_are_embedded_normalised_and_appended(label: int, tmp_path: Path) -> None:
    network = loaded(CONDITIONAL, tmp_path)
    wanted = CONDITIONAL.image(7, truncation=0.7, label=label)
    w = network.mapping(network.latents([7]), truncation=0.7, classes=torch.tensor([label]))
    assert detail_error(network.synthesis(network.styles(w))[0], wanted) < 1e-4
    fixed = network.of_class(label)
    assert isinstance(fixed, StyleGAN3)
    assert detail_error(draw(fixed, 7, truncation=0.7), wanted) < 1e-4
    assert fixed.content_hash != network.content_hash


def test_stored_gains_are_trusted_not_recomputed(tmp_path: Path) -> None:
    generator = stylegan3_generator(SMALL)
    affine = generator.synthesis.L1_36_8.affine
    affine.weight_gain *= 2
    affine.weight.data = affine.weight.data / 2
    network = load_generator(write(tmp_path / "x", stylegan3_bytes(SMALL, generator=generator)))
    assert detail_error(draw(network, 1), SMALL.image(1)) < 1e-4


# The filters


@pytest.mark.parametrize(("taps", "cutoff", "width", "rate"), [(12, 2.0, 12.6, 32), (24, 5.2, 9.0, 64), (12, 8, 4, 32)])
def test_the_separable_filters_are_scipys(taps: int, cutoff: float, width: float, rate: int) -> None:
    wanted = firwin(taps, cutoff, width=width, fs=rate)
    assert np.abs(separable_filter(taps, cutoff, width, rate) - wanted).max() < 1e-12


def test_the_radial_filters_pass_a_disc() -> None:
    taps, cutoff, width, rate = 48, 6.0, 6.0, 32
    filter_ = radial_filter(taps, cutoff, width, rate)
    positions = (np.arange(taps) - (taps - 1) / 2) / rate
    distances = np.hypot(positions[:, None], positions[None, :])
    window = firwin(taps, cutoff, width=width, fs=rate) / np.sinc(2 * cutoff * positions)
    ideal = j1(2 * np.pi * cutoff * distances) / distances * np.outer(window, window)
    assert np.abs(filter_ - ideal / ideal.sum()).max() < 1e-12

    def response(frequency: float, angle: float) -> float:
        x, y = (np.exp(2j * np.pi * frequency * f * positions) for f in (math.cos(angle), math.sin(angle)))
        return float(abs(x @ filter_ @ y))

    for angle in np.linspace(0, np.pi / 4, 5):
        assert response(cutoff - width / 2, angle) == pytest.approx(1, abs=0.03)
        assert response(cutoff, angle) == pytest.approx(0.5, abs=0.05)
        assert response(cutoff + width / 2, angle) < 0.03


@pytest.mark.parametrize("padding", [(0, 0), (9, 8), (-3, -4), (30, 2), (1, -9)])
@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("radial", [False, True])
def test_upsampling_is_zeros_padding_and_a_true_convolution(
    padding: tuple[int, int], factor: int, radial: bool
) -> None:
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    taps = torch.randn(7, 7, dtype=torch.float64) if radial else torch.randn(7, dtype=torch.float64)
    wide = x.new_zeros(2, 3, 16, factor, 16, factor)
    wide[:, :, :, 0, :, 0] = x
    padded = nn.functional.pad(wide.reshape(2, 3, 16 * factor, 16 * factor), (*padding, *padding))
    square = taps if radial else torch.outer(taps, taps)
    wanted = nn.functional.conv2d(padded.reshape(6, 1, *padded.shape[2:]), square.flip(0, 1)[None, None])
    result = upsample(x, taps, factor, padding)
    torch.testing.assert_close(result, wanted.reshape(2, 3, *wanted.shape[2:]))


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("radial", [False, True])
def test_downsampling_is_a_true_convolution_of_which_some_samples_stay(factor: int, radial: bool) -> None:
    x = torch.randn(2, 3, 20, 20, dtype=torch.float64)
    taps = torch.randn(6, 6, dtype=torch.float64) if radial else torch.randn(6, dtype=torch.float64)
    square = taps if radial else torch.outer(taps, taps)
    wanted = nn.functional.conv2d(x.reshape(6, 1, 20, 20), square.flip(0, 1)[None, None])[..., ::factor, ::factor]
    torch.testing.assert_close(downsample(x, taps, factor), wanted.reshape(2, 3, *wanted.shape[2:]))


# The function


def test_style_vectors_hold_the_motion_then_every_layer(tmp_path: Path) -> None:
    network = loaded(SMALL, tmp_path)
    space = network.space
    assert [(layer.name, layer.resolution, layer.channels) for layer in space.layers] == [
        ("input", 16, 4),
        ("L0_36_9", 16, 9),
        ("L1_36_8", 16, 9),
        ("L2_36_4", 16, 8),
        ("L3_16_4", 16, 4),
        ("L4_16_3", 16, 4),
    ]
    assert space.fixed_mask().nonzero().flatten().tolist() == [0, 1, 2, 3, 34, 35, 36, 37], "motion and toRGB"
    assert network.num_ws == 6
    w = torch.randn(2, network.num_ws, network.w_dim)
    styles = network.styles(w)
    assert styles.shape == (2, space.size)
    moved = network.styles(w + 0.5)
    slope = network.affine_weight()
    assert slope.shape == (space.size, network.w_dim)
    torch.testing.assert_close(moved - styles, (0.5 * slope.sum(1)).expand(2, -1), rtol=1e-4, atol=1e-5)
    (_, sampled), *_ = sample_styles(network, samples=5)
    assert sampled.shape == (5, space.size)
    with pytest.raises(ConfigError, match="styles must be"):
        network.synthesis(styles[:, 1:])


@pytest.mark.parametrize("literal", [SMALL, SMALL_R])
def test_the_rows_of_a_batch_do_not_mix(literal: Literal3, tmp_path: Path) -> None:
    network = loaded(literal, tmp_path)
    styles = network.styles(network.mapping(network.latents([1, 2, 3])))
    together = network.synthesis(torch.cat([styles, 1000 * styles[:1]]))
    for row, image in zip(styles, together, strict=False):
        torch.testing.assert_close(network.synthesis(row[None])[0], image, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("literal", [SMALL, SMALL_R, VARIANTS["a clamp that is reached"]])
def test_gradients_to_the_styles_are_the_differences(literal: Literal3, tmp_path: Path) -> None:
    network = loaded(literal, tmp_path).double()
    styles = network.styles(network.mapping(network.latents([1, 2]).double())).detach().requires_grad_()
    assert torch.autograd.gradcheck(network.synthesis, styles, eps=1e-7, atol=1e-5, fast_mode=True)


def _moved(network: StyleGAN3, styles: Tensor, motion: list[list[float]]) -> Tensor:
    network.input.transform.copy_(torch.tensor(motion))
    return network.synthesis(styles)[0]


def _decibels(result: Tensor, wanted: Tensor) -> float:
    """PSNR away from the borders, where what moves in was never drawn."""
    result, wanted = result[:, 8:-8, 8:-8], wanted[:, 8:-8, 8:-8]
    span = float(wanted.max() - wanted.min())
    return 10 * math.log10(span**2 / float((result - wanted).square().mean()))


@pytest.mark.parametrize("kernel", [3, 1])
def test_a_moved_input_is_a_moved_picture(kernel: int, tmp_path: Path) -> None:
    literal = Literal3(
        resolution=64,
        num_layers=8,
        channel_base=512,
        channel_max=16,
        kernel=kernel,
        radial=kernel == 1,
        turned=False,
    )
    network = loaded(literal, tmp_path).double()
    styles = network.styles(network.mapping(network.latents([1]).double()))
    still = network.synthesis(styles)[0]
    # 3 and -5 pixels: in the first layers, of a quarter of the resolution, no whole number of samples
    moved = _moved(network, styles, [[1, 0, 3 / 64], [0, 1, -5 / 64], [0, 0, 1]])
    wanted = torch.roll(still, (5, -3), (1, 2))
    assert _decibels(moved, wanted) > 60
    assert _decibels(still, wanted) < 30
    # The style's own motion is the same, the other way.
    network.input.transform.copy_(torch.eye(3))
    length = styles[:, :2].norm()
    turned_back = torch.stack([length, length * 0, -3 / 64 * length, 5 / 64 * length])
    plain = torch.cat([torch.stack([length, length * 0, length * 0, length * 0]), styles[0, 4:]])[None]
    shifted = torch.cat([turned_back, styles[0, 4:]])[None]
    wanted = torch.roll(network.synthesis(plain)[0], (5, -3), (1, 2))
    assert _decibels(network.synthesis(shifted)[0], wanted) > 60
    # A quarter turn of the samples: 1×1 kernels and filters that are symmetric do not notice it.
    turned = _moved(network, styles, [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    assert (_decibels(turned, torch.rot90(still, 1, (1, 2))) > 200) == (kernel == 1)


# Files


def test_it_is_converted_saved_and_loaded(tmp_path: Path) -> None:
    source = write(tmp_path / "network.pkl", stylegan3_bytes(SMALL_R))
    network = load_generator(source)
    convert_checkpoint(source, tmp_path / "ours.safetensors")
    ours = load_generator(tmp_path / "ours.safetensors")
    assert isinstance(ours, StyleGAN3)
    assert ours.config == network.config
    assert ours.content_hash == network.content_hash
    assert torch.equal(draw(ours, 5), draw(network, 5))
    convert_checkpoint(source, tmp_path / "half.safetensors", half=True)
    assert relative_error(draw(load_generator(tmp_path / "half.safetensors"), 5), draw(network, 5).double()) < 0.01
    text = describe_checkpoint(tmp_path / "ours.safetensors").text
    assert describe_checkpoint(tmp_path / "ours.safetensors").refusal is None
    for part in (
        "StyleGAN3, kernels of 1, radial filters",
        "resolution:   16",
        "channels:     9 9 8 4 4 3",
        "z 10 → w 12, 2 layers",
        "conv_clamp:   256",
        network.content_hash,
    ):
        assert part in text
    assert "half precision at L0_36_9" in describe_checkpoint(source).text


def test_a_class_is_converted_alone(tmp_path: Path) -> None:
    source = write(tmp_path / "network.pkl", stylegan3_bytes(CONDITIONAL))
    convert_checkpoint(source, tmp_path / "one.safetensors", class_index=1)
    assert detail_error(draw(load_generator(tmp_path / "one.safetensors"), 2), CONDITIONAL.image(2, label=1)) < 1e-4


@pytest.mark.slow(13)
def test_it_holds_the_contract_and_is_audited_to_a_finished_report(tmp_path: Path) -> None:
    generator = loaded(SMALL, tmp_path)
    check_editable_generator(generator)
    audit = Diagnoser(
        generator=generator,
        target=Target(Function(lambda m: m[:, :1] * 40), name="redness", task=BinaryTask()),
        text_encoder="avatars",
        attributes=["a smiling face"],
        neutral="a face",
        level=1,
        random_directions=0,
        cache=tmp_path / "cache",
    )
    assert (audit.models.synthesizer.backend, audit.models.synthesizer.precision) == ("torch", "fp32")
    diagnosis = audit.run(images=2, out=tmp_path / "audit")
    assert len(diagnosis.records) == 2
    assert "smiling" in (tmp_path / "audit" / "report.html").read_text()
    assert not audit.edit_directions().matrix[:, :4].any(), "an edit does not move the picture"


def test_a_file_cut_off_at_every_fourth_kibibyte_is_refused(tmp_path: Path) -> None:
    data = stylegan3_bytes(SMALL)
    for end in range(0, len(data), 4096):
        path = write(tmp_path / "cut", data[:end])
        with pytest.raises(CheckpointError, match="damaged"):
            load_generator(path)


def _set(path: str, **values: Any) -> Callable[[Persistent], None]:
    """Sets attributes, parameters or buffers of the module at ``path``."""

    def spoil(g: Persistent) -> None:
        module = g.get_submodule(path)
        for name, value in values.items():
            if name in module._parameters:
                module._parameters[name] = nn.Parameter(value)
            elif name in module._buffers:
                module._buffers[name] = value
            else:
                module.__dict__[name] = value

    return spoil


def _delete(path: str, group: str, name: str) -> Callable[[Persistent], None]:
    return lambda g: getattr(g.get_submodule(path), group).pop(name)


def _renamed(g: Persistent) -> None:
    modules = g.synthesis._modules
    modules["L1_36_9"] = modules.pop("L1_36_8")
    for name in ("L2_36_4", "L3_16_4", "L4_16_3"):
        modules[name] = modules.pop(name)


def _many_layers(g: Persistent) -> None:
    for index in range(5, 200):
        setattr(g.synthesis, f"L{index}_16_3", Persistent("SynthesisLayer"))


def _huge_filter(g: Persistent) -> None:
    _set("synthesis.L1_36_8", down_filter=torch.ones(300, 300) / 90_000)(g)


LAYER = "synthesis.L1_36_8"
REFUSED: dict[str, tuple[Callable[[Persistent], None], str]] = {
    "a size": (_set(LAYER, out_size=np.array([40, 40])), "has 8 channels of size 40"),
    "a size that the next layer contradicts": (_set("synthesis.L2_36_4", in_size=np.array([35, 35])), "is 35, but"),
    "no square": (_set(LAYER, in_size=np.array([36, 52])), "not the size of a square"),
    "a size that is text": (_set(LAYER, in_size="36"), "not the size of a square"),
    "a size that is a fraction": (_set(LAYER, in_size=np.array([36.0, 36.0])), "stores a size as 'f8'"),
    "an input size": (_set("synthesis.input", size=np.array([1 << 40, 1 << 40])), "size of a square of at most"),
    "a negative size": (_set("synthesis.input", size=np.array([-36, -36])), "size of a square of at most"),
    "a number of 60 digits": (_set(LAYER, in_sampling_rate=10**60), "in_sampling_rate is not a whole"),
    "a sampling rate": (_set(LAYER, in_sampling_rate=32), "in_sampling_rate is 32, but"),
    "rates and factors": (_set(LAYER, up_factor=4), "padding"),
    "a factor of zero": (_set(LAYER, up_factor=0), "up_factor is not a whole number in 1"),
    "a factor that is text": (_set(LAYER, down_factor="2"), "down_factor is not a whole number in 1"),
    "a huge factor": (_set(LAYER, down_factor=1 << 62), "down_factor is not a whole number in 1"),
    "padding": (_set(LAYER, padding=[-9, 8, 9, 8]), "padding is not what"),
    "padding without end": (_set(LAYER, padding=[1 << 62] * 4), "padding is not what"),
    "padding that is text": (_set(LAYER, padding="9898"), "padding is not what"),
    "no filter": (_set(LAYER, up_filter=None), "padding"),
    "a filter of no axis": (_set(LAYER, up_filter=torch.tensor(1.0)), "up_filter has the shape \\[\\]"),
    "an oblong filter": (_set(LAYER, down_filter=torch.ones(12, 11)), "filter has the shape \\[12, 11\\]"),
    "a filter of three axes": (_set(LAYER, down_filter=torch.ones(12, 12, 12)), "shape \\[12, 12, 12\\]"),
    "a filter that is absurd": (_huge_filter, "padding"),
    "a filter that is not finite": (_set(LAYER, down_filter=torch.full((12,), math.nan)), "non-finite"),
    "toRGB in the middle": (_set(LAYER, is_torgb=True), "is_torgb is not False"),
    "no toRGB": (_set("synthesis.L4_16_3", is_torgb=False), "is_torgb is not True"),
    "another clamp": (_set(LAYER, conv_clamp=1.0), "2 values of conv_clamp"),
    "no layer": (_delete("synthesis", "_modules", "L2_36_4"), "layer 2 is called"),
    "a layer's name": (_renamed, "has 8 channels of size 36"),
    "a module too many": (lambda g: setattr(g.synthesis, "b4", Persistent("SynthesisBlock")), "is called 'b4'"),
    "two hundred layers": (_many_layers, "it has 200 layers"),
    "no input": (_delete("synthesis", "_modules", "input"), "no StyleGAN2 generator: its blocks are"),
    "no frequencies": (_delete("synthesis.input", "_buffers", "freqs"), "lacks 'freqs'"),
    "few phases": (_set("synthesis.input", phases=torch.zeros(3)), "'input.phases' is \\[3\\]"),
    "a wide mix": (_set("synthesis.input", weight=torch.zeros(9, 8)), "'input.weight' is \\[9, 8\\]"),
    "a transform": (_set("synthesis.input", transform=torch.eye(4)), "'input.transform' is \\[4, 4\\]"),
    "a bandwidth": (_set("synthesis.input", bandwidth=8.0), "bandwidth 8 is not below half"),
    "a bandwidth without end": (_set("synthesis.input", bandwidth=math.inf), "no number 'bandwidth'"),
    "an output scale": (_set("synthesis", output_scale=-1.0), "output_scale must be a positive"),
    "a kernel": (_set(LAYER, weight=torch.zeros(8, 9, 30, 30)), "padding"),
    "an oblong kernel": (_set(LAYER, weight=torch.ones(8, 9, 3, 1)), "expected \\[8, 9, 3, 3\\]"),
    "a flat weight": (_set(LAYER, weight=torch.zeros(8, 9)), "has the shape \\[8, 9\\]"),
    "a channel of zeros": (_set(LAYER, weight=torch.zeros(8, 9, 3, 3)), "not finite once"),
    "a magnitude of zero": (_set(LAYER, magnitude_ema=torch.zeros(())), "not finite once"),
    "a negative magnitude": (_set(LAYER, magnitude_ema=-torch.ones(())), "not finite once"),
    "magnitudes": (_set(LAYER, magnitude_ema=torch.ones(5)), "input_gain' is \\[5\\]"),
    "no bias": (_delete(LAYER, "_parameters", "bias"), "lacks 'bias'"),
    "an affine map": (_set(f"{LAYER}.affine", weight=torch.zeros(8, 12)), "expected \\[9, 12\\]"),
    "five motions": (_set("synthesis.input.affine", weight=torch.zeros(5, 12)), "expected \\[4, 12\\]"),
    "not a number": (_set(LAYER, bias=torch.full((8,), math.nan)), "non-finite"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    spoil, says = REFUSED[name]
    generator = stylegan3_generator(SMALL)
    spoil(generator)
    path = write(tmp_path / "network.pkl", stylegan3_bytes(SMALL, generator=generator))
    with pytest.raises(CheckpointError, match=says) as caught:
        load_generator(path)
    assert str(path) in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    described = describe_checkpoint(path)
    assert str(described.refusal) == str(caught.value)


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        ({"size": 1 << 14}, "margin of at most"),
        ({"size": 3}, "margin of at most"),
        ({"up": 0, "down": 0}, "factors"),
        ({"up": 1 << 60, "down": 1 << 60}, "factors"),
        ({"up": 4}, "times 4"),
        ({"kernel": 99}, "kernel"),
        ({"channels": 1 << 20}, "sizes"),
        ({"up_filter": (1 << 20,)}, "up-sampling filter"),
        ({"down_filter": (12, 13)}, "shape \\[12, 13\\]"),
        ({"down_filter": ()}, "shape \\[\\]"),
        ({"sampling_rate": 32, "down": 1, "size": 36}, "higher sampling rate"),
    ],
)
def test_impossible_layers_are_refused(layer: dict[str, Any], says: str, tmp_path: Path) -> None:
    config = loaded(SMALL, tmp_path).config
    changed = replace(config.layers[2], **layer)
    follows = replace(config.layers[3], up=changed.down) if "sampling_rate" in layer else config.layers[3]
    follows = replace(follows, down=2) if "sampling_rate" in layer else follows
    with pytest.raises(CheckpointError, match=says):
        replace(config, layers=(*config.layers[:2], changed, follows, config.layers[4]))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"resolution": 1 << 20}, "sizes"),
        ({"resolution": 32}, "RGB picture"),
        ({"layers": ()}, "0 layers"),
        ({"bandwidth": 0.0}, "bandwidth"),
        ({"bandwidth": 10**400}, "bandwidth"),
        ({"output_scale": "big\n"}, "output_scale"),
        ({"conv_clamp": -1.0}, "conv_clamp"),
        ({"input_size": 4000}, "margin of at most"),
        ({"embed_dim": 3}, "sizes"),
        ({"mapping_layers": 0}, "sizes"),
    ],
)
def test_impossible_configurations_are_refused(fields: dict[str, Any], says: str, tmp_path: Path) -> None:
    config = loaded(SMALL, tmp_path).config
    with pytest.raises(CheckpointError, match=says) as caught:
        replace(config, **fields)
    assert str(caught.value).isprintable()


def test_a_configuration_survives_json(tmp_path: Path) -> None:
    config = loaded(SMALL_R, tmp_path).config
    assert StyleGAN3Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(CheckpointError, match="not understood"):
        StyleGAN3Config.from_dict({**config.to_dict(), "layers": [1, 2]})
    with pytest.raises(CheckpointError, match="not understood"):
        StyleGAN3Config.from_dict({})


def test_a_saved_file_of_another_family_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    save_generator(loaded(SMALL, tmp_path), path)
    data = path.read_bytes().replace(b"zoom-engine/stylegan3/1", b"zoom-engine/stylegan2/1")
    with pytest.raises(CheckpointError, match="not understood"):
        load_generator(write(path, data))
