"""Functions and modules by name, as the command line gives them: only trusted, and what is wrong in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zoom_engine.common.errors import TargetError
from zoom_engine.targets import BinaryTask, load_target
from zoom_engine.targets.loaders.python_object import import_object

SERVICE = """
from pathlib import Path

import numpy as np
from torch import nn

import beside

Path(__file__).with_name("imported").touch()


def red(pixels):
    return np.clip(beside.GAIN * pixels[..., 0].mean((1, 2)) / 255, 0, 1)


class Net(nn.Module):
    def forward(self, x):
        return (x[:, :1].mean((2, 3)) - 0.5) * 20


net = Net()
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "redness.py").write_text(SERVICE)
    (tmp_path / "beside.py").write_text("GAIN = 1.0\n")
    (tmp_path / "broken.py").write_text("raise OSError('no\\nlicence')\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    yield tmp_path
    for name in ("beside", "redness", "zoom_engine_file_redness"):
        sys.modules.pop(name, None)


def test_a_function_in_a_file_is_a_black_box(folder: Path) -> None:
    spec = f"python:{folder / 'redness.py'}:red"
    with pytest.raises(TargetError, match=r"trust=True \(--trust\)") as caught:
        load_target(spec, resolution=16)
    assert "\n" not in str(caught.value)
    assert not (folder / "imported").exists()
    target = load_target(spec, trust=True, resolution=16, classes=["dull", "red"])
    assert (folder / "imported").exists()
    assert (target.name, target.differentiable) == ("red", False)
    assert target.task == BinaryTask(classes=("dull", "red"), output="probability")
    images = torch.zeros(1, 3, 16, 16)
    images[:, 0] = 0.5
    assert target(images).sigmoid().item() == pytest.approx(0.75, abs=0.01)
    assert load_target(spec, trust=True, resolution=16).content_hash == target.content_hash


def test_a_module_by_name_gives_gradients_and_a_package_is_found_on_the_path(folder: Path) -> None:
    sys.path.append(str(folder))
    target = load_target("python:redness:net", trust=True, resolution=16)
    assert target.differentiable
    assert target.task == BinaryTask(output="logit")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python:redness.py", "names no Python function: write python:FILE.py:NAME"),
        ("python:{}/none.py:f", "there is no Python file"),
        ("python:{}/redness.py:blue", "has no function 'blue': it has net, red"),
        ("python:{}/redness.py:number", "has no function 'number'"),
        ("python:{}/redness.py:Net", "is a class: name a function or an instance"),
        ("python:{}/broken.py:f", r"cannot be imported \(OSError: no licence\)"),
        ("python:{}/leaves.py:f", r"cannot be imported \(SystemExit: 3\)"),
        ("python:no_such_package.it:f", r"ModuleNotFoundError.*write python:FILE\.py:NAME"),
        ("{}/redness.py", r"python:FILE\.py:NAME"),
        ("{}/none.py:f", r"python:service\.py:predict"),
    ],
)
def test_what_is_wrong_is_one_line(spec: str, message: str, folder: Path) -> None:
    with pytest.raises(TargetError, match=message) as caught:
        load_target(spec.format(folder), trust=True, resolution=16)
    assert "\n" not in str(caught.value)


NETWORK = """
from torch import nn
import shade


class Bright(nn.Module):
    def forward(self, x):
        return shade.GAIN * (x.mean((1, 2, 3)) - 0.5)[:, None]


net = Bright()
"""


def test_a_module_in_a_moved_file_is_the_same_and_of_an_edited_helper_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])

    def result(place: str, gain: str) -> str:
        sys.modules.pop("shade", None)
        folder = tmp_path / place
        folder.mkdir()
        (folder / f"{place}.py").write_text(NETWORK)
        (folder / "shade.py").write_text(f"GAIN = {gain}\n")
        sys.path.insert(0, str(folder))
        spec = f"python:{folder / place}.py:net"
        return load_target(spec, trust=True, task=BinaryTask(), resolution=16).content_hash

    try:
        hashes = [result("here", "8"), result("there", "8"), result("edited", "4")]
    finally:
        for name in ("shade", *(f"zoom_engine_file_{place}" for place in ("here", "there", "edited"))):
            sys.modules.pop(name, None)
    assert hashes[0] == hashes[1] != hashes[2]


def test_of_two_folders_each_file_runs_its_own_helper_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions side by side were one: the second ran the first one's helper, and both had the same numbers."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for version in ("old", "new"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "served.py").write_text("from network_of_it import answers\n")
        (folder / "network_of_it.py").write_text(f"import weights_of_it\nanswers = lambda pixels: {version!r}\n")
        (folder / "weights_of_it.py").write_text("")
        (folder / "alone.py").write_text(f"import math\nanswers = lambda pixels: {version!r}\n")

    def answer(place: str) -> str:
        return str(import_object(f"python:{tmp_path / place}:answers", trust=True)(None))

    try:
        assert [answer(place) for place in ("old/served.py", "old/served.py", "new/alone.py")] == ["old", "old", "new"]
        with pytest.raises(TargetError, match=r"imports .network_of_it., which lies .* would get .*old") as told:
            answer("new/served.py")
        assert "\n" not in str(told.value)
    finally:
        for name in ("network_of_it", "weights_of_it", "zoom_engine_file_served", "zoom_engine_file_alone"):
            sys.modules.pop(name, None)
