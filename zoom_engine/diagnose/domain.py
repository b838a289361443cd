"""Domains: packages that bring a generator, a text encoder and targets, found by name, see `common.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zoom_engine.common import registry
from zoom_engine.generators import EditableGenerator
from zoom_engine.photographs import FFHQ, FacePoints
from zoom_engine.targets import Target
from zoom_engine.text import TextEncoder


class Domain(Protocol):
    """The members of a domain; each is looked up once, when the domain is found."""

    @property
    def name(self) -> str:
        """Return the name that it is registered by."""

    @property
    def neutral(self) -> str:
        """Return the neutral prompt that is the default."""

    @property
    def attributes(self) -> Sequence[str]:
        """Return the attribute prompts that are the default."""

    def generator(self) -> EditableGenerator:
        """Return its frozen generator, ready for use."""

    def text_encoder(self) -> TextEncoder:
        """Return its frozen text encoder, ready for use."""

    def target_names(self) -> Sequence[str]:
        """Return the names that `target` takes."""

    def target(self, name: str) -> Target:
        """Return the frozen target of that name, ready for use."""


@runtime_checkable
class KnownTruth(Protocol):
    """A domain whose pictures can be drawn anew with and without an attribute, so what is true of a target is known.

    Attributes are prompts, as `Domain.attributes` has them.
    """

    def true_effects(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int
    ) -> Mapping[str, Mapping[str, float]]:
        """Return by target and attribute the mean change of the output, in [0, 1], over `count` pictures.

        The change is by setting the attribute; attributes whose truth is not known are left out.
        """

    def outputs_with_and_without(
        self, targets: Mapping[str, Target], attribute: str, *, count: int
    ) -> Mapping[str, NDArray[np.float64]]:
        """Return by binary target the probability of class 1, float64 `[2, count]`.

        The first row is of pictures that have the attribute, the second of the same ones without it; its truth must be
        known.
        """

    def planted(self, name: str) -> str | None:
        """Return the attribute that the domain's target of that name was taught to look at; None for a sound one."""

    def untied_decisions(
        self, targets: Mapping[str, Target], like: str, *, count: int
    ) -> Mapping[str, NDArray[np.bool_]]:
        """Return by target whether it is right in each picture, bool `[count]`.

        In these pictures what a target predicts and what was planted into the domain's target `like` are independent;
        each target decides what `like` decides.
        """


@runtime_checkable
class KnownFace(Protocol):
    """A domain of faces that says where eyes and mouth lie in its pictures.

    `face_points` are (x, y) of left eye, right eye and mouth, as fractions of the side: photographs are aligned to
    that, by their own points. None says that there are no faces.
    """

    face_points: tuple[tuple[float, float], tuple[float, float], tuple[float, float]] | None


def face_points_of(domain: object) -> FacePoints:
    """Return where a domain has eyes and mouth in its pictures; where FFHQ has them, if it does not say."""
    points = domain.face_points if isinstance(domain, KnownFace) else None
    return FFHQ if points is None else FacePoints(*points)


def find_domain(name: object) -> Domain | None:
    """Return the domain registered as `name`; None where there is none.

    None too for what is no text, such as a generator of one's own.

    Raises:
        ConfigError: as `registry.find` does.
    """
    return cast("Domain | None", registry.find(registry.DOMAINS, name)) if isinstance(name, str) else None
