"""Weights that stay in their file: the same numbers, memory given back, and files that change meanwhile."""

from __future__ import annotations

import copy
import ctypes
import mmap
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from zoom_engine import load_text_encoder
from zoom_engine.common.errors import TextEncoderError
from zoom_engine.common.files import mapped_weights
from zoom_engine.common.files.mapped_weights import give_back_memory, mapped
from zoom_engine.domains.avatars.weights import WEIGHTS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not mapped there")
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is given back on Linux alone")
SIDE = 512
INPUT = torch.linspace(-1, 1, SIDE)[None]


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_weights, "LEAST", 1 << 20)


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(SIDE, SIDE), nn.ReLU(), nn.Linear(SIDE, SIDE)).requires_grad_(False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(network().state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def loaded(file: Path, read: Callable[[Path], dict[str, Tensor]] = load_file) -> nn.Sequential:
    model = network()
    with mapped(model, file, TextEncoderError):
        model.load_state_dict(read(file))
    return model.requires_grad_(False)


def wanted(file: Path) -> Tensor:
    model = network()
    model.load_state_dict(load_file(file))
    return model(INPUT)


def in_memory(file: Path) -> int:
    """Kilobytes of the file that the process holds."""
    lines, here = Path("/proc/self/smaps").read_text().splitlines(), False
    kilobytes = 0
    for line in lines:
        if "-" in line.split(" ", 1)[0]:
            here = line.endswith(str(file))
        elif here and line.startswith("Rss:"):
            kilobytes += int(line.split()[1])
    return kilobytes


def test_a_mapped_network_answers_as_one_that_was_read(file: Path) -> None:
    model = loaded(file)
    assert torch.equal(model(INPUT), wanted(file))
    assert not hasattr(vars(model), "load_state_dict")


@linux
@pytest.mark.parametrize("cut", [False, True])
def test_memory_is_given_back_and_read_again(file: Path, cut: bool) -> None:
    model = loaded(file)
    if cut:  # as runtimes do that share the weights
        page = model[2].weight.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
        assert ctypes.CDLL(None).madvise(ctypes.c_void_p(page), ctypes.c_size_t(1 << 16), mmap.MADV_RANDOM) == 0
    before = model(INPUT)
    assert in_memory(file) > 2 * SIDE * SIDE * 4 // 1024 * 0.9
    give_back_memory(model)
    assert in_memory(file) == 0
    assert torch.equal(model(INPUT), before)


@linux
def test_weights_that_somebody_wrote_to_stay(file: Path) -> None:
    model = loaded(file)
    model[0].weight[3] = 2.0
    after = model(INPUT)
    give_back_memory(model)
    assert torch.equal(model(INPUT), after)
    assert not torch.equal(after, wanted(file))


def test_a_file_that_is_written_to_ends_the_work(file: Path) -> None:
    model = loaded(file)
    alone = copy.deepcopy(model), pickle.loads(pickle.dumps(model))
    before = model(INPUT)
    content = file.read_bytes()
    with file.open("r+b") as opened:
        opened.write(content)
        opened.truncate()
    os.utime(file, ns=(1, 1))  # a clock that is coarse
    with pytest.raises(TextEncoderError, match="was written to while its weights are in use"):
        model(INPUT)
    for other in alone:
        assert torch.equal(other(INPUT), before)
    assert model.to("meta")(INPUT.to("meta")).is_meta  # another device has weights of its own


def test_a_file_that_is_replaced_or_deleted_is_kept_until_the_end(file: Path) -> None:
    model = loaded(file)
    before = model(INPUT)
    other = file.with_name("other.safetensors")
    save_file(network().state_dict(), other)
    os.replace(other, file)
    give_back_memory(model)
    assert torch.equal(model(INPUT), before)
    file.unlink()
    give_back_memory(model)
    assert torch.equal(model(INPUT), before)


def test_a_file_that_is_replaced_while_it_is_read_is_not_trusted(file: Path) -> None:
    other = file.with_name("other.safetensors")
    save_file(network().state_dict(), other)

    def replaced_meanwhile(path: Path) -> dict[str, Tensor]:
        os.replace(other, path)
        return load_file(path)

    with pytest.raises(TextEncoderError, match="was replaced while it was read"):
        loaded(file, replaced_meanwhile)


def test_a_file_that_is_no_safetensors_or_small_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(network().state_dict(), tmp_path / "weights.safetensors")
    monkeypatch.setattr(mapped_weights, "LEAST", 1 << 30)
    model = loaded(tmp_path / "weights.safetensors")
    (tmp_path / "weights.safetensors").write_bytes(b"something else")
    model(INPUT)


def test_a_mapped_text_encoder_is_the_same_and_says_when_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "encoder"
    folder.mkdir()
    for path in (WEIGHTS / "text").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    read = load_text_encoder(WEIGHTS / "text")
    (weights,) = folder.glob("*.safetensors")
    monkeypatch.setattr(mapped_weights, "LEAST", 1)
    lying = load_text_encoder(folder)
    assert lying.content_hash == read.content_hash
    prompts, pictures = ["a face", "a face with a hat"], torch.rand(3, 3, 64, 64) * 2 - 1
    for encoder in (read, lying):
        give_back_memory(encoder)
    assert torch.equal(lying.embed_texts(prompts), read.embed_texts(prompts))
    assert torch.equal(lying.embed_images(pictures), read.embed_images(pictures))
    os.utime(weights, ns=(1, 1))
    for work in (lambda: lying.embed_images(pictures), lambda: lying.embed_texts(["a beard"])):
        with pytest.raises(TextEncoderError, match=str(weights)):
            work()
