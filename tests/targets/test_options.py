"""The options of `load_target` as a mapping: what they may be called, and of which type they are."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from zoom_engine import Diagnoser
from zoom_engine.common.errors import ConfigError
from zoom_engine.targets import BinaryTask, Preprocessing, check_target_options, load_target

EACH: dict[str, Any] = {
    "name": "mine", "task": BinaryTask(), "preprocessing": {"size": 8}, "classes": ["a", "b"], "labels": ("a", "b"),
    "resolution": 8, "output": 1, "kind": "logits", "head": "b", "trust": True, "download": False,
    "service": {"form": "png"},
}  # fmt: skip


def test_all_that_load_target_takes_and_nothing_else_passes() -> None:
    assert set(EACH) == set(inspect.signature(load_target).parameters) - {"spec"}
    for options in (EACH, dict.fromkeys(EACH), {"preprocessing": Preprocessing()}, {"output": "y"}, {}):
        assert check_target_options(options) == options
    assert check_target_options(None) == {}


@pytest.mark.parametrize("name", EACH)
def test_a_value_of_another_type_is_named(name: str) -> None:
    for wrong in ([3.5], 3.5):
        with pytest.raises(ConfigError, match=f"target option '{name}' must be ") as caught:
            check_target_options({name: wrong})
        assert "\n" not in str(caught.value)


def test_an_audit_with_an_unknown_option_ends_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "zoom_engine.diagnose.models.text_encoder_for", lambda *_, **__: pytest.fail("something was loaded")
    )
    with pytest.raises(ConfigError, match="unknown target option 'sise'; known are classes"):
        Diagnoser(generator="avatars", target="avatars:mustache", target_options={"sise": 3})
