"""Settings as words of a command line: what is read from them again is what they were made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoom_engine.cli import diagnose
from zoom_engine.cli.diagnose import settings_of
from zoom_engine.settings.audit_settings import AuditSettings, LossWeights
from zoom_engine.settings.command_line import UnsayableError, arguments_of

COMMON: dict[str, Any] = {"generator": "avatars", "target": "avatars:mustache"}


def read(words: list[str], monkeypatch: pytest.MonkeyPatch) -> AuditSettings:
    """The settings that `zoom-engine diagnose` reads from these words."""
    from zoom_engine.cli import main

    made: list[AuditSettings] = []

    def keep(stored: Any, given: Any, values: dict[str, Any], output: Any) -> None:
        del output
        made.append(settings_of(stored, given, values, needs=("target", "out"))[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(diagnose, "_run", keep)
    main(["diagnose", *words, "--out", "audit"])
    (settings,) = made
    return settings


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attributes": ["a smiling face|a smile", "x=scorer:avatars:attributes#beard"], "neutral": "-a face"},
        {"labels": ["a face", "no face"], "keep": ["a beard"], "by": ["attributes"], "templates": ["a photo of {}"]},
        {"labels": [], "templates": ["a photo of {}", "a face of {}"]},
        {"templates": "faces", "level": 0.25, "samples": 256, "random_directions": 0, "edit_range": "paper"},
        {"search": "sgd", "search_options": {"step_size": 0.5, "steps": 3}, "loss_weights": LossWeights(target=5)},
        {"preset": "faces:age", "download": True, "batch_size": 4, "truncation": -0.5, "cache": Path("a folder")},
        {
            "target": "net.onnx",
            "target_options": {"trust": True, "classes": ["cat", "5"], "output": "1", "head": "cat"},
        },
        {"target": "net.onnx", "target_options": {"task": {"task": "regression", "range": [0, 90], "unit": "years"}}},
        {
            "target": "net.onnx",
            "target_options": {"preprocessing": {"size": (192, 256), "mean": (0.5,), "std": (1.0,)}},
        },
        {
            "target": "http://h",
            "target_options": {"service": {"form": "png", "headers": {"A-B": "$TOKEN"}, "rate": 2.5}},
        },
        {"generator_options": {"codes": "c.npy", "output_range": (0.0, 255.0)}},
        {
            "generator": "python:g.py:make",
            "attributes": ["a"],
            "generator_options": {"prompts": "5", "count": 5, "deep": {"a": [1, "b"]}},
        },
    ],
    ids=lambda options: ",".join(options) or "none",
)
def test_what_is_said_is_read_again(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = AuditSettings(**{**COMMON, **options})
    again = read(arguments_of(settings), monkeypatch)
    for name in sorted(vars(settings).keys() - {"preset"}):
        one, other = getattr(settings, name), getattr(again, name)
        assert _plain(one) == _plain(other), name


def _plain(value: Any) -> Any:
    match value:
        case dict():
            entries = {key: _plain(entry) for key, entry in value.items() if entry is not None and key != "download"}
            if isinstance(entries.get("task"), str) and set(entries) == {"task"}:
                return {"task": {"task": entries["task"]}}
            return entries or None
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case Path():
            return str(value)
        case int() | float() if not isinstance(value, bool):
            return float(value)
    return value


def test_secrets_are_said_as_the_names_of_variables() -> None:
    options = {"service": {"headers": {"Authorization": "Bearer 123", "X-Key": "$KEY"}}}
    words = arguments_of(AuditSettings(**{**COMMON, "target": "http://h", "target_options": options}))
    assert "Bearer" not in " ".join(words)
    assert words[-1] == 'headers={"Authorization" = "$HEADER_AUTHORIZATION", "X-Key" = "$KEY"}'
    words = arguments_of(AuditSettings(**{**COMMON, "target": "https://me:p%40ss@h:8000/predict?model=1@2"}))
    assert words[-2:] == ["--target", "https://USER:PASSWORD@h:8000/predict?model=1@2"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"target": len}, "target"),
        ({"target_options": {"name": "it"}}, "target_options: name"),
        ({"target_options": {"preprocessing": {"floor_crop": True}}}, "preprocessing: floor_crop"),
        ({"generator_options": {"prompts": object()}}, "generator_options"),
    ],
)
def test_what_only_python_can_say_is_named(options: dict[str, Any], name: str) -> None:
    with pytest.raises(UnsayableError, match=name):
        arguments_of(AuditSettings(**{**COMMON, **options}))
