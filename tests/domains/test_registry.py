"""Domains are found through entry points, and whatever is wrong with one is said in a line."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from zoom_engine import domains, registry
from zoom_engine.errors import ConfigError


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
    found = domains.find_domain("toy")
    assert isinstance(found, Toy)
    assert domains.find_domain("other") is None
    assert domains.domain_names() == ("toy",)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (["no_such_module:x"], "cannot be loaded: ModuleNotFoundError"),
        ([f"{__name__}:Broken"], "RuntimeError: two lines"),
        ([f"{__name__}:dict"], "cannot be loaded: AttributeError"),
        (["builtins:dict"], "lacks name, neutral"),
        ([f"{__name__}:Toy", f"{__name__}:instance"], "more than one package"),
    ],
)
def test_faults_are_named(monkeypatch: pytest.MonkeyPatch, values: list[str], complaint: str) -> None:
    register(monkeypatch, *values)
    with pytest.raises(ConfigError, match=complaint) as caught:
        domains.find_domain("toy")
    assert "\n" not in str(caught.value)


def test_the_embedded_domains_know_what_is_true() -> None:
    for name, target, planted in (
        ("avatars", "mustache-biased-smiling", "a smiling face"),
        ("pets", "dog-biased-collar", "a pet with a collar"),
    ):
        domain = domains.find_domain(name)
        assert isinstance(domain, domains.KnownTruth)
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
    assert not isinstance(Toy(), domains.KnownTruth)
