"""What was compiled is read again: by what it depends on, whole, and no more of it than a limit."""

from __future__ import annotations

import copy
import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoom_engine import load_generator, load_target
from zoom_engine.common.errors import CacheError
from zoom_engine.common.machine import bf16_in_hardware
from zoom_engine.runtime import choose_synthesizer, compiled_target
from zoom_engine.runtime import compiled_networks as module
from zoom_engine.runtime.compiled_cache import CompiledCache
from zoom_engine.runtime.compiled_networks import CompiledNetwork
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.select import Synthesizer
from zoom_engine.targets import Target
from zoom_engine.targets.target import probe_images

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return choose_synthesizer(load_generator("avatars"), backend="openvino", precision="fp32")


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, 1)
    )


def compiled(of: nn.Module, synthesizer: Synthesizer, cache: Path) -> tuple[Target, OpenVinoSession]:
    """A target of a copy, which this process has not compiled yet."""
    target, runs = compiled_target(load_target(copy.deepcopy(of)), synthesizer, cache=cache)
    assert runs == "openvino fp32"
    assert isinstance(target.network, CompiledNetwork)
    assert isinstance(target.network.session, OpenVinoSession)
    return target, target.network.session


def answers(target: Target) -> Tensor:
    with torch.no_grad():
        outputs: Tensor = target(probe_images(128, 128))
    return outputs


def files(cache: Path) -> list[Path]:
    return sorted((cache / "compiled").iterdir())


def test_a_network_is_traced_and_compiled_by_the_first_process_only(
    synthesizer: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, session = compiled(network(), synthesizer, tmp_path)
    assert not session.from_disk

    def convert(*_: object) -> None:
        raise AssertionError("it lies in the cache")

    monkeypatch.setattr(module, "_converted", convert)
    second, session = compiled(network(), synthesizer, tmp_path)
    assert session.from_disk
    assert torch.equal(answers(first), answers(second))
    assert len(files(tmp_path)) == 1


def test_other_weights_and_other_code_are_compiled_themselves(synthesizer: Synthesizer, tmp_path: Path) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = network()

        def forward(self, x: Tensor) -> Tensor:
            doubled: Tensor = 2 * self.one(x)
            return doubled

    one, _ = compiled(network(), synthesizer, tmp_path)
    for other in (network(1), Twice()):
        target, session = compiled(other, synthesizer, tmp_path)
        assert not session.from_disk
        assert not torch.allclose(answers(one), answers(target))
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("damage", ["another network's", "cut", "not one"])
def test_a_file_that_answers_otherwise_is_compiled_anew(damage: str, synthesizer: Synthesizer, tmp_path: Path) -> None:
    wanted, _ = compiled(network(), synthesizer, tmp_path)
    (stored,) = files(tmp_path)
    content = stored.read_bytes()
    if damage == "another network's":
        compiled(network(1), synthesizer, tmp_path / "other")
        content = files(tmp_path / "other")[0].read_bytes()
    stored.unlink()  # which `wanted` lies in
    stored.write_bytes({"cut": content[: len(content) // 2], "not one": b"no network"}.get(damage, content))
    for read in (False, True):
        target, session = compiled(network(), synthesizer, tmp_path)
        assert torch.equal(answers(target), answers(wanted))
        assert session.from_disk is read


@pytest.mark.skipif(not bf16_in_hardware(), reason="no bf16 arithmetic here")
@pytest.mark.parametrize("damage", [None, "another's", "cut"])
def test_how_a_lower_precision_rounds_is_measured_by_the_first_process_only(
    damage: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example, asked = probe_images(32, 32), list[int]()

    class Counted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def forward(self, x: Tensor) -> Tensor:
            asked.append(len(x))
            return torch.cat([self.network(row[None]) for row in x])  # as a compiled one answers

    def rounding() -> Tensor:
        asked.clear()
        answering = Counted()
        compiled, runs = module.compiled_network(
            answering.network,
            example,
            "openvino",
            made_of=(answering.network, "a hash"),
            precision="bf16",
            answers=answering,
            cache=tmp_path,
        )
        assert runs == "openvino bf16"
        assert isinstance(compiled, CompiledNetwork)
        assert compiled.off is not None
        return compiled.off

    first = rounding()
    assert asked == [len(example)]
    assert first.any()
    (noted,) = (path for path in files(tmp_path) if path.suffix == ".noted")
    if damage is not None:
        content = noted.read_bytes()
        noted.write_bytes(content[:-4] if damage == "cut" else bytes(len(content)))
    assert torch.equal(rounding(), first)
    assert asked == ([1] if damage is None else [1, len(example)])
    assert torch.equal(rounding(), first)
    assert asked == [1]


def test_what_cannot_take_several_images_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OfOne(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(1, 5) * 2

    made: list[object] = []

    def model() -> Any:
        made.append(None)
        return module._converted(OfOne(), torch.zeros(1, 5))

    rows = torch.ones(9, 5)
    for times in (2, 0):
        made.clear()
        session = OpenVinoSession(model, threads=2, cache=tmp_path, identity="of one")
        assert not session.take_together(4, {"x": rows})
        assert torch.equal(session.run({"x": rows})["outputs"], 2 * rows)
        assert len(made) == times


def test_what_was_not_used_for_longest_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoom_engine.runtime.compiled_cache.MOST_BYTES", 250)
    cache = CompiledCache(tmp_path)
    paths = [cache.path(name, suffix=".x") for name in ("a", "b", "c")]
    for age, path in zip((300, 200, 100), paths, strict=True):
        assert path is not None
        cache.write(path, bytes(100))
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age))
        if age == 200:
            assert cache.read(paths[0]) == bytes(100), "which makes it the last used"
    assert [path.exists() for path in paths if path is not None] == [True, False, True]
    large = cache.path("d", suffix=".x")
    assert large is not None
    cache.write(large, bytes(1000))
    assert files(tmp_path) == [large], "what was written last stays"


def test_what_other_processes_rename_and_drop_meanwhile_is_no_fault_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audit that began beside another one ended with "cannot be used (No such file or directory)"."""
    cache = CompiledCache(tmp_path)
    path = cache.path("a", suffix=".x")
    assert path is not None
    (path.parent / ".of another").write_bytes(b"")
    look = Path.stat

    def renamed_once_seen(entry: Path, **options: Any) -> os.stat_result:
        status = look(entry, **options)
        if entry.name == ".of another":
            entry.unlink()
        return status

    monkeypatch.setattr(Path, "stat", renamed_once_seen)
    cache.write(path, b"compiled")
    assert cache.read(path) == b"compiled"


def test_what_others_own_in_a_shared_cache_stays_and_is_no_fault_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once such a folder was full every audit ended with "Operation not permitted", after it had written its own."""
    monkeypatch.setattr("zoom_engine.runtime.compiled_cache.MOST_BYTES", 150)
    cache = CompiledCache(tmp_path)
    path = cache.path("a", suffix=".x")
    assert path is not None
    theirs, drop = path.with_name("theirs.x"), Path.unlink
    theirs.write_bytes(bytes(100))

    def of_an_owner(entry: Path, **options: Any) -> None:
        if entry == theirs:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        drop(entry, **options)

    monkeypatch.setattr(Path, "unlink", of_an_owner)
    cache.write(path, bytes(100))
    assert files(tmp_path) == [path, theirs]


def test_a_cache_that_takes_no_network_is_an_error(
    synthesizer: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch ran in its place, three times as long, and the manifest said that OpenVINO did not take the network."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CacheError, match="No space left on device"):
        compiled_target(load_target(network()), synthesizer, cache=tmp_path)
