"""`check_domain` finds each fault that a domain of somebody else's may have; what it costs nothing to see is seen when
it is found."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import pytest
import torch
from networks import Function
from registered import EXAMPLE, register
from torch import Tensor

from zoom_engine import check_domain, load_generator, load_target, load_text_encoder
from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.targets import BinaryTask, Target

sys.path.insert(0, str(EXAMPLE))
from skies_package import Skies, SkyGenerator

encoder = cache(lambda: load_text_encoder("avatars"))


class Sound(Skies):
    """The example package's domain, under another name."""

    name: Any = "sound"

    def text_encoder(self) -> Any:
        return encoder()


class WithoutTargets(Sound):
    target_names = None  # type: ignore[assignment]


class NameOfANumber(Sound):
    name = 7


class NameWithAColon(Sound):
    name = "sound:waves"


class NeutralOfAList(Sound):
    neutral = ("a face",)  # type: ignore[assignment]


class AttributesOfANumber(Sound):
    attributes = 7  # type: ignore[assignment]


class AttributesOfAText(Sound):
    attributes = "a smiling face"  # type: ignore[assignment]


class AttributesOfNumbers(Sound):
    attributes = (1, 2)  # type: ignore[assignment]


class NeutralAmongAttributes(Sound):
    attributes = ("a smiling face", "a face")


class NoAttributes(Sound):
    attributes = ()


class WordsUnheardOf(Sound):
    attributes = ("a smiling face", "a face with zyzzyva")


class NoGenerator(Sound):
    def generator(self) -> Any:
        return torch.nn.Linear(2, 2)


class WrongGenerator(Sound):
    def generator(self) -> Any:
        class Flat(SkyGenerator):
            def sample(self, seeds: Any, **options: Any) -> Tensor:
                return torch.ones(len(seeds), 7)

        return Flat(0.0)


class AnotherGenerator(Sound):
    made = 0

    def generator(self) -> Any:
        type(self).made += 1
        return SkyGenerator(self.made / 100)


class BrokenGenerator(Sound):
    def generator(self) -> Any:
        raise FileNotFoundError("weights\nare missing")


class NoEncoder(Sound):
    def text_encoder(self) -> Any:
        return {"a face": torch.zeros(4)}


class TargetNamesOfAText(Sound):
    def target_names(self) -> Any:
        return "level"


class TargetsTwice(Sound):
    def target_names(self) -> Any:
        return ("level", "level")


class TargetOfAModule(Sound):
    def target(self, name: str) -> Any:
        return super().target(name).network


class TargetThatFails(Sound):
    def target(self, name: str) -> Any:
        return Target(Function(lambda m: m @ torch.ones(7)), name="x", task=BinaryTask())


class TargetUnheardOf(Sound):
    def target_names(self) -> Any:
        return ("level", "height")

    def target(self, name: str) -> Any:
        return {"level": super().target(name)}[name]


CHEAP = [
    (WithoutTargets, "its target_names must be a method, not None"),
    (NameOfANumber, "its name must be a text, got 7"),
    (NeutralOfAList, "its neutral must be a text, got"),
    (AttributesOfANumber, "its attributes must be a list of texts, got 7"),
    (AttributesOfAText, "its attributes must be a list of texts, got 'a smiling face'"),
    (AttributesOfNumbers, "its attributes must be a list of texts, got .1, 2."),
]
WRONG = [
    *CHEAP,
    (NameWithAColon, "its name is letters, .*, but it is 'sound:waves'"),
    (NeutralAmongAttributes, "none is the neutral one, but it fails: .*neutral prompt"),
    (NoAttributes, "its attributes are prompts.*, but it fails: .*at least one attribute"),
    (WordsUnheardOf, "reads the prompts, but it fails: .*zyzzyva"),
    (NoGenerator, r"generator\(\) holds its own contract, but it fails: generator Linear lacks"),
    (WrongGenerator, "holds its own contract, but it fails: .*seeds 0, 1 and 2 give equal ones"),
    (AnotherGenerator, "but it has another content_hash each time"),
    (BrokenGenerator, "holds its own contract, but it fails: FileNotFoundError: weights are missing"),
    (NoEncoder, r"text_encoder\(\) gives a TextEncoder, but it is a dict"),
    (TargetNamesOfAText, "words, each once, but they are 'level'"),
    (TargetsTwice, "words, each once, but they are .'level', 'level'."),
    (TargetOfAModule, "gives a Target .*, but 'level' is a ReadsLevel"),
    (TargetThatFails, "gives a Target .*, but it fails: target 'x' fails on an input"),
    (TargetUnheardOf, "gives a Target .*, but it fails: KeyError: 'height'"),
]


@pytest.mark.parametrize(("wrong", "reason"), WRONG, ids=[wrong.__name__ for wrong, _ in WRONG])
def test_a_wrong_domain_is_refused_by_the_rule_that_it_breaks(wrong: type[Sound], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        check_domain(wrong())
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("domain ")


def test_a_sound_domain_holds_the_contract() -> None:
    check_domain(Sound())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("avatars", marks=pytest.mark.ci),
        "people",
        "pets",
        "places",
        pytest.param("cars", marks=pytest.mark.ci),
    ],
)
def test_what_ships_holds_the_contract(name: str) -> None:
    check_domain(find_domain(name))


@pytest.mark.parametrize(("wrong", "reason"), CHEAP, ids=[wrong.__name__ for wrong, _ in CHEAP])
def test_a_domain_of_wrong_types_is_refused_when_it_is_found(
    wrong: type[Sound], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, registry.DOMAINS, sound=wrong())
    with pytest.raises(ConfigError, match=f"domain 'sound' .*{reason}"):
        find_domain("sound")


def test_what_a_domain_cannot_load_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fails(Sound):
        def generator(self) -> Any:
            raise OSError("no\nweights")

        text_encoder = target = generator  # type: ignore[assignment]

    register(monkeypatch, registry.DOMAINS, sound=Fails())
    for load, what in (
        (lambda: load_generator("sound"), "load its generator: OSError: no weights"),
        (lambda: load_text_encoder("sound"), "load its text encoder: OSError: no weights"),
        (lambda: load_target("sound:level"), "load its target 'level': TypeError"),
    ):
        with pytest.raises(ConfigError, match=f"domain 'sound' .* cannot {what}") as caught:
            load()
        assert "\n" not in str(caught.value)
