"""An editor behind HTTP, "http://HOST:PORT/PATH": pictures go there one by one, a picture comes back for each.

That is how instruction editors of others are run, whatever they are written in. A question is sent as

    {"image": PNG in base64, "attribute": "a smile", "strength": 0.5, "seed": 7}

or as the JSON of a template, and the answer is a PNG, JPEG or WebP picture, or JSON with one in base64.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoom_engine.common.errors import ConfigError, EditorError, PhotographError, TargetError, one_line
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.files.json_file import parse_json
from zoom_engine.common.files.png import png_bytes
from zoom_engine.edits.editor import Picture, Question
from zoom_engine.edits.strengths import TypedEditor, TypedStrengths
from zoom_engine.photographs.reading import read_picture
from zoom_engine.settings.model_settings import ServiceSettings
from zoom_engine.targets.loaders.answer_cache import AnswerCache
from zoom_engine.targets.loaders.service import PICTURE, filled, read_template, value_at
from zoom_engine.targets.loaders.service_client import BadAnswerError, connect

TIMEOUT, PATIENCE = 120.0, 600.0
"""Seconds: a diffusion model takes longer for a picture than a classifier."""
_JSON = {"Content-Type": "application/json"}
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


class ServiceEditor(TypedEditor):
    """An editor that asks a service, see `load_service_editor`."""

    def __init__(self, spec: str, typed: TypedStrengths, settings: ServiceSettings, version: str) -> None:
        """Prepare for the service at the URL `spec`; nothing is sent yet.

        Raises:
            TargetError: it is no URL, or the settings name files or variables that are not there.
        """
        super().__init__(typed)
        self._client = connect(spec, settings)
        self._answer, self._version = settings.answer, version
        self._body: Any = read_template(settings)
        if settings.template is None:
            self._body |= {name: f"{{{name}}}" for name in ("attribute", "strength", "seed")}
        self.name = self._client.name
        told = json.dumps(self.describe(), sort_keys=True).encode()
        file = f"edits-{hashlib.sha256(told).hexdigest()[:32]}.sqlite"
        self._told = hashlib.sha256(told)
        self._cache = AnswerCache(default_cache() / "services" / file) if settings.cache else None

    def edit(
        self, pictures: Sequence[Picture], attribute: str, strength: float, seeds: Sequence[int]
    ) -> Sequence[Picture]:
        """Return the service's pictures, see `edit_each`."""
        return self.edit_each(
            [Question(picture, attribute, strength, seed) for picture, seed in zip(pictures, seeds, strict=True)]
        )

    def edit_each(self, questions: Sequence[Question]) -> Sequence[Picture]:
        """Return the service's pictures, see `EditsEach`; what was asked before is taken from the cache.

        Raises:
            EditorError: the service refuses, does not answer within `patience`, or sends no picture of that size.
        """
        try:
            return self._client.answers(self._asked, questions)
        except TargetError as error:
            raise EditorError(str(error)) from error

    def describe(self) -> dict[str, Any]:
        """Return name, version and the hash of scheme, query and what is sent, which may hold secrets; see `Editor`."""
        asked = json.dumps([*self._client.address, self._body], sort_keys=True)
        request = hashlib.sha256(asked.encode()).hexdigest()
        return {"editor": self.name, "version": self._version, "request": request, "answer": self._answer}

    def _asked(self, question: Question) -> Picture:
        picture, attribute, strength, seed = question
        size = picture.shape[:2]
        hashed = self._told.copy()
        hashed.update(json.dumps([attribute, strength, seed, size]).encode() + picture.tobytes())
        digest = hashed.hexdigest()
        if self._cache is not None and (known := self._cache.find(digest)) is not None:
            return np.asarray(read_picture(known, f"an answer in the cache of service {self.name}", size=size))
        png = base64.b64encode(png_bytes(picture)).decode()
        # The attribute comes last: what a user types is no place of anything.
        values: dict[str, str | float] = {
            PICTURE: png,
            "{strength}": strength,
            "{seed}": seed,
            "{attribute}": attribute,
        }
        result = self._client.ask(filled(self._body, values), _JSON, lambda content: self._read(content, size))
        if self._cache is not None:
            self._cache.keep(digest, png_bytes(result))
        return result

    def _read(self, content: bytes, size: tuple[int, int]) -> Picture:
        if self._answer is not None or not content.startswith(_BEGINNINGS):
            content = self._decoded(content)
        try:
            return np.asarray(read_picture(content, "its answer", size=size))
        except PhotographError as error:
            raise BadAnswerError("unreadable", str(error)) from error

    def _decoded(self, content: bytes) -> bytes:
        """Return the picture that JSON has in base64, alone or as a data URL (RFC 2397)."""
        try:
            text = value_at(parse_json(content), self._answer)
        except ValueError as error:
            raise BadAnswerError(
                "unreadable", f"its answer is neither a picture nor JSON ({one_line(error, 80)})"
            ) from error
        if isinstance(text, list) and len(text) == 1:
            (text,) = text
        if not isinstance(text, str):
            raise BadAnswerError("unreadable", f"its answer holds no text with a picture ({one_line(repr(text), 80)})")
        try:
            digits = text[text.find(",") + 1 :] if text.startswith("data:") else text
            return base64.b64decode("".join(digits.split()), validate=True)  # in lines, as MIME has it
        except (binascii.Error, ValueError) as error:
            raise BadAnswerError("unreadable", f"its answer is no base64 ({one_line(error, 80)})") from error


def load_service_editor(spec: str, options: Mapping[str, Any]) -> ServiceEditor:
    """Return an editor that asks the service at a URL.

    Args:
        spec: "http://HOST:PORT/PATH".
        options: `strengths`, and beside them `unit`, `version` (a text to be changed when the service is another one:
            edits that it made before are taken from the cache), and those of `ServiceSettings` for JSON.

    Raises:
        ConfigError: an option that there is not, or of no use.
        EditorError: the service cannot be asked like that.
    """
    of_strengths = {field.name for field in dataclasses.fields(TypedStrengths)}
    typed = TypedStrengths(**{name: value for name, value in options.items() if name in of_strengths})
    version = options.get("version", "")
    if not isinstance(version, str | int | float):
        raise ConfigError("editor option 'version' must be a text")
    of_service = {name: value for name, value in options.items() if name not in (*of_strengths, "version")}
    settings = ServiceSettings(**{"timeout": TIMEOUT, "patience": PATIENCE, **of_service})
    if settings.form != "json":
        raise ConfigError("an editor's service is asked by form=json: leave it out, or write a template")
    try:
        return ServiceEditor(spec, typed, settings, str(version))
    except TargetError as error:
        raise EditorError(str(error)) from error
