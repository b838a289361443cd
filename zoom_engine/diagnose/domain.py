"""Domains: packages that bring a generator, a text encoder and targets, found by name, see `common.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zoom_engine.common import registry
from zoom_engine.generators import EditableGenerator
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder


class Domain(Protocol):
    """What a domain offers; every member is looked up once, when the domain is found.

    ``neutral`` and ``attributes`` are the domain's default prompts. ``generator()``, ``text_encoder()`` and
    ``target(name)`` return frozen models, ready for use.
    """

    @property
    def name(self) -> str: ...

    @property
    def neutral(self) -> str: ...

    @property
    def attributes(self) -> Sequence[str]: ...

    def generator(self) -> EditableGenerator: ...

    def text_encoder(self) -> TextEncoder: ...

    def target_names(self) -> Sequence[str]: ...

    def target(self, name: str) -> Target: ...


@runtime_checkable
class KnownTruth(Protocol):
    """A domain whose pictures can be drawn anew with an attribute and without it, so that what is true of a target is
    known. Attributes are prompts, as ``Domain.attributes`` has them."""

    def true_effects(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int
    ) -> Mapping[str, Mapping[str, float]]:
        """Of each target the mean change of its output, in [0, 1], by setting each attribute in ``count`` pictures;
        attributes whose truth is not known are left out."""

    def outputs_with_and_without(
        self, targets: Mapping[str, Target], attribute: str, *, count: int
    ) -> Mapping[str, NDArray[np.float64]]:
        """Of each binary target the probability of class 1 ``[2, count]`` in pictures that have an attribute, and in
        the same ones without it; its truth must be known."""

    def planted(self, name: str) -> str | None:
        """The attribute that the domain's target of that name was taught to look at; None for a sound one."""

    def untied_decisions(
        self, targets: Mapping[str, Target], like: str, *, count: int
    ) -> Mapping[str, NDArray[np.bool_]]:
        """Whether each target, which decides what the domain's target ``like`` decides, is right ``[count]``, in
        pictures where what it predicts and what was planted into ``like`` are independent."""


@runtime_checkable
class KnownFace(Protocol):
    """A domain of faces that says where (x, y) of left eye, right eye and mouth lie in its pictures, in shares of the
    side: photographs are aligned to that, by their own points."""

    face_points: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def domain_names() -> tuple[str, ...]:
    """Names of all registered domains, sorted. Nothing is imported."""
    return registry.names(registry.DOMAINS)


def find_domain(name: object) -> Domain | None:
    """The domain registered as ``name``; None where there is none, and for what is no text, such as a generator of
    one's own. Raises ConfigError as `registry.find` does."""
    return cast("Domain | None", registry.find(registry.DOMAINS, name)) if isinstance(name, str) else None
