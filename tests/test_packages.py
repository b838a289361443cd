"""What packages are built of says the same in all places."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_wheels_are_built_for_each_python_that_is_named() -> None:
    named = [text.rpartition(" ")[2] for text in PROJECT["project"]["classifiers"] if "Python :: 3." in text]
    wheels = PROJECT["tool"]["cibuildwheel"]
    assert wheels["build"] == [f"cp{version.replace('.', '')}-*" for version in named]
    assert wheels["linux"]["archs"] == ["x86_64", "aarch64"]
    assert wheels["environment"]["ZOOM_ENGINE_REQUIRE_NATIVE"] == "1", "a wheel without operators is no wheel of ours"


def test_the_container_is_installed_as_readme_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    demo = re.search(r"<!-- demo -->\n```sh\n(.*?)```", readme, re.S)
    assert demo is not None
    install, _, command = demo[1].strip().partition(" && zoom-engine ")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert install.replace("pip install", "pip install --no-cache-dir") in dockerfile
    assert f"zoom-engine {command}" in dockerfile
    version = re.search(r"^FROM python:(\S+)-slim$", dockerfile, re.M)
    assert version is not None
    assert f"Programming Language :: Python :: {version[1]}" in PROJECT["project"]["classifiers"]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = {"pyproject.toml", "CMakeLists.txt", "README.md", "LICENSE", "csrc", "zoom_engine"}
    assert not needed & set(ignored)


def test_the_source_distribution_holds_the_example_package() -> None:
    left_out = PROJECT["tool"]["scikit-build"]["sdist"]["exclude"]
    assert not [path for path in left_out if "/docs/example_package".startswith(path.rstrip("/"))]
    assert (ROOT / "docs" / "example_package" / "pyproject.toml").is_file()
