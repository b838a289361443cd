"""Domains are found through entry points, and whatever is wrong with one is said in a line."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import registered
from networks import spread_generator

from zoom_engine import load_generator, load_target
from zoom_engine.audit.manifest import Manifest
from zoom_engine.cli import main
from zoom_engine.commands.info import sections
from zoom_engine.commands.inspection import describe_file
from zoom_engine.common import backends, registry
from zoom_engine.common.errors import AuditError, CheckpointError, ConfigError, one_line
from zoom_engine.diagnose.domain import KnownTruth, find_domain
from zoom_engine.report.source import task_of
from zoom_engine.search import find_search
from zoom_engine.settings.model_settings import TargetSettings
from zoom_engine.targets import RegressionTask, task_from_dict


class Toy:
    name = "toy"
    neutral = "a thing"
    attributes = ("a red thing",)

    def generator(self) -> Any: ...

    def text_encoder(self) -> Any: ...

    def target_names(self) -> tuple[str, ...]:
        return ()

    def target(self, name: str) -> Any: ...


instance = Toy()


class Broken:
    def __init__(self) -> None:
        raise RuntimeError("two\nlines")


def register(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    entries = [EntryPoint("toy", value, registry.DOMAINS.group) for value in values]
    monkeypatch.setattr(
        registry,
        "entry_points",
        lambda group, name="toy": [e for e in entries if (group, name) == (registry.DOMAINS.group, "toy")],
    )


@pytest.mark.parametrize("attribute", ["instance", "Toy"])
def test_a_domain_is_an_object_or_its_factory(monkeypatch: pytest.MonkeyPatch, attribute: str) -> None:
    register(monkeypatch, f"{__name__}:{attribute}", f"{__name__}:{attribute}")
    result = find_domain("toy")
    assert isinstance(result, Toy)
    assert find_domain("other") is None
    assert registry.names(registry.DOMAINS) == ("toy",)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["no_such_module:x"], "cannot be loaded: ModuleNotFoundError"),
        ([f"{__name__}:Broken"], "RuntimeError: two lines"),
        ([f"{__name__}:dict"], "cannot be loaded: AttributeError"),
        (["builtins:dict"], "lacks .*name, neutral"),
        ([f"{__name__}:Toy", f"{__name__}:instance"], "more than one package"),
    ],
)
def test_faults_are_named(monkeypatch: pytest.MonkeyPatch, values: list[str], complaint: str) -> None:
    register(monkeypatch, *values)
    with pytest.raises(ConfigError, match=complaint) as caught:
        find_domain("toy")
    assert "\n" not in str(caught.value)


class Jpeg(Toy):
    name = "jpeg"


def test_an_entry_has_the_name_of_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, f"{__name__}:Jpeg")
    with pytest.raises(ConfigError, match=r"domain 'toy' .* calls itself 'jpeg': give its entry point the same name"):
        find_domain("toy")

    class Levels(RegressionTask):
        name = "levels"  # type: ignore[misc]

    registered.register(monkeypatch, registry.TASKS, level=Levels)
    with pytest.raises(ConfigError, match=r"task 'level' .* calls itself 'levels'"):
        task_from_dict({"task": "level", "range": [0, 1]})


@pytest.mark.parametrize(
    ("kind", "name", "ask"),
    [
        (registry.SEARCHES, "scan", lambda: find_search("scan", mode="single")),
        (registry.TASKS, "regression", lambda: task_from_dict({"task": "regression", "range": [0, 1]})),
        (registry.DOMAINS, "timm", lambda: load_target("timm:resnet18@nothing")),
    ],
)
def test_a_package_cannot_take_a_name_of_ours(
    kind: registry.Kind, name: str, ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was shadowed without a word: whoever installed it took ours for it."""
    registered.register(monkeypatch, kind, **{name: Toy()})
    with pytest.raises(ConfigError, match=f"'{name}' is zoom-engine's own, and another package .*rename") as caught:
        ask()
    assert "registered_things" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in registry.KINDS for name in kind.ours], ids=lambda name: str(name)[:20]
)
def test_what_the_engine_lists_as_its_own_is_there_by_that_name(kind: registry.Kind, name: str) -> None:
    thing = registry.find(kind, name)
    assert thing.name == name
    assert registry.is_ours(kind, thing)


def test_help_names_all_that_the_engine_brings_and_literals_spell_it() -> None:
    about = dataclasses.fields(TargetSettings)[0].metadata["about"]
    assert all(name in about.text for name in registry.TASKS.ours)
    assert ("auto", "torch", "native", *backends.RUNTIMES) == backends.BACKENDS


class Family:
    def load(self, rest: str) -> Any:
        raise KeyError(f"no picture\n{rest}")


def test_what_a_family_cannot_load_is_said_in_a_line_that_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    registered.register(monkeypatch, registry.GENERATORS, t2i=Family())
    with pytest.raises(
        ConfigError, match=r"generator family 't2i' \(of registered_things\) cannot load 'x': KeyErr"
    ) as caught:
        load_generator("t2i:x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ask", [load_generator, describe_file])
def test_a_family_without_what_it_takes_says_so(ask: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    registered.register(monkeypatch, registry.GENERATORS, t2i=Family())
    with pytest.raises(CheckpointError, match=r"'t2i' is a family of generators: .* after a colon, t2i:REST"):
        ask("t2i")


def test_inspect_takes_what_a_family_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    class Networks:
        def load(self, rest: str) -> Any:
            return spread_generator(seed=int(rest))

    registered.register(monkeypatch, registry.GENERATORS, toys=Networks())
    assert spread_generator(seed=3).content_hash in describe_file("toys:3").text


def test_info_and_help_name_what_packages_bring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registered.install_example(monkeypatch, tmp_path, version="1.2")
    told = sections()
    assert told["domains"] == ["avatars, cars, people, pets, places, skies (skies 1.2)"]
    assert told["generator families"] == ["diffusers, skies (skies 1.2)"]
    assert told["tasks"][0].endswith("detection, embedding, level (skies 1.2)")
    assert told["direction methods"] == ["regression, sampled, gradient, generator, together (skies 1.2)"]
    assert told["report sections"] == ["level (skies 1.2)"]
    assert told["searches"] == ["scan, minimal, sgd, pgd, cmaes, ends (skies 1.2)"]
    asked = [sys.executable, "-m", "zoom_engine", "diagnose", "--help"]
    page = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True)
    text = " ".join(page.stdout.split())
    assert "FAMILY:REST of a package (skies)" in text
    assert "or a package's; by default guessed (level)" in text
    assert "cmaes, ends" in text


def test_who_reads_an_audit_without_the_package_is_told_which_to_install() -> None:
    config = {
        "mode": "single",
        "attributes": ["a smiling face"],
        "target_details": {"task": {"task": "level", "tolerance": 0.3}},
    }
    environment = {"brought_by": {"task level": "skies 1.2", "search ends": "skies 1.2"}}
    with pytest.raises(AuditError, match=r"unknown task 'level'.*came with skies 1.2: pip install 'skies==1.2'"):
        task_of(Manifest.of(config, environment), [])
    with pytest.raises(AuditError, match="unknown task 'level'"):
        task_of(Manifest.of(config, {"brought_by": 7}), [])


@pytest.mark.parametrize(
    ("package", "advice"),
    [("skies 1.2", "pip install 'skies==1.2'"), ("a 1'; rm -r '.", "install it"), ("x\n", "install it")],
)
def test_who_goes_on_with_an_audit_without_the_package_is_told_which_to_install(
    package: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"mode": "single", "attributes": ["a smiling face"]}
    manifest = Manifest.of(config, {"brought_by": {"generator family skies": package}})
    (tmp_path / "manifest.json").write_text(json.dumps(manifest.to_json()))
    given = ["--generator", "skies:0.1", "--target", "avatars:mustache", "--out", str(tmp_path)]
    assert main(["diagnose", *given]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"is an audit with the generator family skies of {one_line(package)}: {advice}\n" in message


def test_the_embedded_domains_know_what_is_true() -> None:
    for name, target, planted in (
        ("avatars", "mustache-biased-smiling", "a smiling face"),
        ("pets", "dog-biased-collar", "a pet with a collar"),
        ("places", "church-biased-snow", "a building in the snow"),
        ("cars", "sports-biased-red", "a car with red paint"),
    ):
        domain = find_domain(name)
        assert isinstance(domain, KnownTruth)
        assert domain.planted(target) == planted
        assert domain.planted(target.partition("-biased-")[0]) is None
        other = next(attribute for attribute in domain.attributes if attribute != planted)
        loaded = {target: domain.target(target)}
        effects = domain.true_effects(loaded, [planted, other, "a face with a hat"], count=8)[target]
        assert set(effects) == {planted, other}
        assert effects[planted] > 0.2
        with_it, without = domain.outputs_with_and_without(loaded, planted, count=8)[target]
        assert abs(with_it - without).mean() == pytest.approx(effects[planted], abs=0.01)
        assert domain.untied_decisions(loaded, target, count=40)[target].mean() > 0.8
    assert not isinstance(Toy(), KnownTruth)
