"""Settings of an audit as the words of a command line: the inverse of what the command line reads into them."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zoom_engine.settings.audit_settings import AuditSettings, LossWeights, options_of
from zoom_engine.settings.model_settings import DecoderSettings, InputSettings, TargetSettings
from zoom_engine.settings.target_names import without_password

_ELSEWHERE = ("preset", "generator_options", "target_options")
"""What is said otherwise: a preset by the texts that it brought, tables by the options that they are made of."""


class UnsayableError(Exception):
    """No command line says this setting, whose name is the message."""


def arguments_of(settings: AuditSettings, *, leave_out: Sequence[str] = ()) -> list[str]:
    """Return the words of `zoom-engine diagnose` for all settings that are not as by default but those to `leave_out`.

    Secrets stay out: of a header whose value is no "$NAME" the name of a variable stands there, HEADER_ and the
    header's name; of user and password in an address USER:PASSWORD.

    Raises:
        UnsayableError: a setting is an object, or one that the command line does not have.
    """
    words: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name not in (*_ELSEWHERE, *leave_out) and not (value is field.default or value == field.default):
            words += _said(field.name, options_of(AuditSettings)[field.name].name, value)
    decoder, rest = _parted(settings.generator_options or {}, DecoderSettings)
    words += _options(decoder, DecoderSettings)
    words += _said("generator_options", "generator_option", rest) if rest else []
    of_target = dict(settings.target_options or {})
    if of_target.pop("download", False) and not settings.download:
        words.append("--download")
    return [without_password(word) for word in words + _of_target(of_target)]


def arguments_of_attributes(texts: Sequence[str]) -> list[str]:
    """Return the words of `zoom-engine diagnose` for these attributes."""
    return _said("attributes", "attribute", list(texts))


def _of_target(given: dict[str, Any]) -> list[str]:
    """Return the words for the options of `load_target`."""
    preprocessing = given.pop("preprocessing", None)
    if isinstance(given.get("task"), Mapping):
        described = dict(given["task"])
        given |= {"task": described.pop("task", None), "task_options": described or None}
    if isinstance(given.get("service"), Mapping):
        given["service"] = without_secrets(given["service"])
    known, rest = _parted(given, TargetSettings)
    if rest:
        raise UnsayableError(f"target_options: {next(iter(rest))}")
    if preprocessing is not None and not isinstance(preprocessing, Mapping):
        raise UnsayableError("target_options: preprocessing")
    fed, rest = _parted(preprocessing or {}, InputSettings)
    if rest:
        raise UnsayableError(f"preprocessing: {next(iter(rest))}")
    return [*_options(known, TargetSettings), *_options(fed, InputSettings)]


def _parted(given: Mapping[str, Any], settings: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part options, without those left open, into those of `settings` and others."""
    known = options_of(settings)
    told = {name: value for name, value in given.items() if value is not None}
    return (
        {name: value for name, value in told.items() if name in known},
        {name: value for name, value in told.items() if name not in known},
    )


def _options(given: Mapping[str, Any], settings: type) -> list[str]:
    about = options_of(settings)
    return [word for name, value in given.items() for word in _said(name, about[name].name, value)]


def _said(name: str, called: str | None, value: Any) -> list[str]:
    """Return the words of one option."""
    flag = f"--{(called or name).replace('_', '-')}"
    if value is True:
        return [flag]
    if value is False:
        return []
    if isinstance(value, str | Path | int | float):
        texts = [str(value)]
    elif isinstance(value, LossWeights):
        texts = [",".join(f"{weight:g}" for weight in dataclasses.astuple(value))]
    elif isinstance(value, Mapping):
        texts = [f"{key}={_toml_text(name, entry)}" for key, entry in value.items() if entry is not None]
    elif isinstance(value, list | tuple) and value and all(isinstance(entry, int | float) for entry in value):
        texts = [",".join(map(str, value))]
    elif isinstance(value, list | tuple) and value and all(isinstance(entry, str) for entry in value):
        texts = list(value)
    elif name == "labels" and not value:
        texts = [""]
    else:
        raise UnsayableError(name)
    return [word for text in texts for word in ([f"{flag}={text}"] if text.startswith("-") else [flag, text])]


def _toml_text(name: str, value: Any) -> str:
    """Return what is read as this value after NAME=, see `cli.forms`."""
    if not isinstance(value, str):
        return _toml(name, value)
    try:
        tomllib.loads(f"value = {value}")
    except (ValueError, RecursionError):
        return value  # what is no value in TOML is the text itself
    return _toml(name, value)


def _toml(name: str, value: Any) -> str:
    """Return a value as TOML has it."""
    match value:
        case bool() | str() | int() | float():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            entries = (f"{_toml(name, str(key))} = {_toml(name, one)}" for key, one in value.items() if one is not None)
            return f"{{{', '.join(entries)}}}"
        case list() | tuple():
            return f"[{', '.join(_toml(name, one) for one in value)}]"
    raise UnsayableError(name)


def without_secrets(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a service with variables in place of the values of headers that are none."""
    headers = service.get("headers")
    if not isinstance(headers, Mapping):
        return dict(service)
    told = {
        name: value if str(value).startswith("$") else f"$HEADER_{str(name).upper().replace('-', '_')}"
        for name, value in headers.items()
    }
    return {**service, "headers": told}
