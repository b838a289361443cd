"""The demo of each domain: a target with something planted beside its sound twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoom_engine.commands import demo
from zoom_engine.commands.demo import DEMOS, run_demo
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.domains.embedded import EmbeddedDomain
from zoom_engine.domains.weights_files import load_network


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_is_of_a_planted_target_and_its_twin(name: str) -> None:
    domain = find_domain(name)
    assert isinstance(domain, EmbeddedDomain)
    files = {of: domain.weights / "targets" / f"{of}.safetensors" for of in (DEMOS[name].biased, DEMOS[name].sound)}
    assert [load_network(path)[1].get("planted") is None for path in files.values()] == [False, True]
    assert domain.target(DEMOS[name].biased).labels == domain.target(DEMOS[name].sound).labels


class AskedError(Exception):
    """What was to be audited."""


@pytest.mark.parametrize("name", DEMOS)
def test_the_domain_that_was_asked_for_is_audited(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(**options: Any) -> None:
        raise AskedError(options["generator"], options["target"])

    monkeypatch.setattr(demo, "Diagnosers", asked)
    with pytest.raises(AskedError) as told:
        run_demo(tmp_path, domain=name)
    generator, targets = told.value.args
    assert generator == name
    assert targets == {"sound": f"{name}:{DEMOS[name].sound}", "biased": f"{name}:{DEMOS[name].biased}"}


def test_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no demo of 'pet'; did you mean 'pets'"):
        run_demo(tmp_path / "out", domain="pet")
    assert not (tmp_path / "out").exists()
