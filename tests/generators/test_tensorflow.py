"""Legacy TensorFlow pickles against the literal formulation."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoint_files import Network, draw, fake_modules, relative_error, write
from literal_stylegan2 import Literal
from tensorflow_files import tensorflow_bytes

from zoom_engine.common.errors import CheckpointError
from zoom_engine.generators import describe_checkpoint, load_generator
from zoom_engine.generators.checkpoints.pickles import printable

VARIANTS = {
    "skip": Literal(mapping_layers=8),
    "resnet": Literal(architecture="resnet", conv_clamp=0.9),
    "orig": Literal(architecture="orig"),
}
SMALL = Literal(resolution=8, channels=(5, 4))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_gives_the_image_of_the_literal_formulation(name: str, version: int, tmp_path: Path) -> None:
    literal = VARIANTS[name]
    network = load_generator(write(tmp_path / "x.pkl", tensorflow_bytes(literal, version=version)))
    for truncation, cutoff in ((1.0, None), (0.5, 4)):
        result = draw(network, 3, truncation=truncation, cutoff=cutoff)
        assert relative_error(result, literal.image(3, truncation=truncation, cutoff=cutoff)) < 1e-4


@pytest.mark.parametrize("architecture", VARIANTS)
def test_classes_of_the_ada_release(architecture: str, tmp_path: Path) -> None:
    literal = Literal(c_dim=3, embed_dim=5, architecture=architecture)
    network = load_generator(write(tmp_path / "x.pkl", tensorflow_bytes(literal, version=5)))
    w = network.mapping(network.latents([1]), classes=torch.tensor([2]))
    assert relative_error(network.synthesis(network.styles(w))[0], literal.image(1, label=2)) < 1e-4


STRENGTH = "8x8/Conv1/noise_strength"


@pytest.mark.parametrize(
    "value",
    [
        *(np.float16(0.375), np.float32(0.375), np.float64(0.375), np.array(0.375, "f4")),
        *(np.array(0.375, ">f4"), np.array([0.375], ">f8")[0]),
    ],
)
def test_a_variable_without_dimensions_is_a_scalar_or_an_array(value: Any, tmp_path: Path) -> None:
    network = load_generator(write(tmp_path / "x", tensorflow_bytes(SMALL, returned={STRENGTH: value})))
    assert network.state_dict()["convs.b8_conv1.noise_strength"] == 0.375


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (STRENGTH, np.int64(1), "nor a floating-point number"),
        (STRENGTH, np.bool_(True), "nor a floating-point number"),
        (STRENGTH, "0.5", "nor a floating-point number"),
        (STRENGTH, np.float32("nan"), "non-finite"),
        (STRENGTH, np.float64(1e300), "non-finite"),
        (STRENGTH, np.array([0.5], "f4"), r"of shape \[1\]"),
        ("dlatent_avg", np.float32(0.5), r"'dlatent_avg' is of shape \[\]"),
        ("Dense0/weight", np.float32(0.5), r"'mapping/Dense0/weight' is of shape \[\]"),
    ],
)
def test_a_value_that_does_not_fit_its_variable_is_refused(name: str, value: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_generator(write(tmp_path / "x", tensorflow_bytes(SMALL, returned={name: value})))


def test_classes_of_the_first_release_are_refused_by_name(tmp_path: Path) -> None:
    """It normalised the latent with the class appended, not each by itself."""
    data = tensorflow_bytes(Literal(c_dim=3, embed_dim=5))
    data = data.replace(b"\x11LabelEmbed/weight", b"\x12LabelConcat/weight")
    with pytest.raises(CheckpointError, match="normalises latent and class together"):
        load_generator(write(tmp_path / "x", data))


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_both_names_of_numpys_core_in_every_protocol(core: bytes, protocol: int, tmp_path: Path) -> None:
    data = tensorflow_bytes(SMALL, protocol=protocol)
    for module in (b".multiarray", b".numeric"):
        for old in (b"numpy._core", b"numpy.core"):
            stored_name, other_name = old + module, core + module
            data = data.replace(b"c" + stored_name + b"\n", b"c" + other_name + b"\n")  # a line, before protocol 4
            data = data.replace(
                b"\x8c%c" % len(stored_name) + stored_name, b"\x8c%c" % len(other_name) + other_name
            )  # counted, since
    assert core in data
    network = load_generator(write(tmp_path / "x", data))
    assert relative_error(draw(network, 1), SMALL.image(1)) < 1e-4


def test_python_2_strings_are_latin1(tmp_path: Path) -> None:
    """Python 2 wrote names and buffers alike as byte strings."""
    data = tensorflow_bytes(SMALL, protocol=3)
    operations = list(pickletools.genops(data))
    ends = [*(place for _, _, place in operations[1:]), len(data)]
    binary = {"BINBYTES": b"T", "BINUNICODE": b"T", "SHORT_BINBYTES": b"U"}
    parts = [
        binary.get(operation.name, data[place or 0 : (place or 0) + 1]) + data[(place or 0) + 1 : end]
        for (operation, _, place), end in zip(operations, ends, strict=True)
    ]
    network = load_generator(write(tmp_path / "x", b"".join(parts)))
    assert relative_error(draw(network, 1), SMALL.image(1)) < 1e-4


@pytest.mark.parametrize("text", ["it's", "a\x00\n\r\t\\ \"'\xff", ""])
def test_python_2_strings_of_protocol_0_are_what_python_reads(text: str, tmp_path: Path) -> None:
    written = repr(text.encode("latin1"))[1:].encode("ascii")
    data = b"(dS" + written + b"\nNs."  # a dictionary with the text as its only key
    assert list(pickle.loads(data, encoding="latin1")) == [text]
    with pytest.raises(CheckpointError) as caught:
        load_generator(write(tmp_path / "x", data))
    assert f"it has {printable(text) or 'nothing'}" in str(caught.value)


def test_a_description_doubles_fmap_base(tmp_path: Path) -> None:
    text = describe_checkpoint(write(tmp_path / "x", tensorflow_bytes(SMALL))).text
    assert "NVIDIA TensorFlow pickle" in text
    assert "channel_base 32768" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"resample_kernel": [1, 2, 1]}, "another filter"),
        ({"nonlinearity": "relu"}, "'nonlinearity' is not 'lrelu'"),
        ({"num_channels": 1}, "'num_channels' is not 3"),
        ({"use_wscale": True}, "'use_wscale' is unknown"),
        ({"architecture": "hinge"}, "architecture is unknown"),
        ({"mapping_lrmul": "fast"}, "'mapping_lrmul' is no number"),
    ],
)
def test_arguments_that_change_the_arithmetic_are_refused(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=says):
        load_generator(write(tmp_path / "x", tensorflow_bytes(SMALL, **arguments)))


def test_incomplete_and_old_networks_are_refused(tmp_path: Path) -> None:
    with fake_modules():
        old = pickle.dumps((Network(version=3), Network(version=3), Network(version=3)))
        empty = pickle.dumps((Network(version=4), Network(version=4), Network(version=4, variables=[])))
        pair = pickle.dumps((Network(version=4), Network(version=4)))
    for data, says in ((old, "too old"), (empty, "missing"), (pair, "not the three networks")):
        with pytest.raises(CheckpointError, match=says):
            load_generator(write(tmp_path / "x", data))
