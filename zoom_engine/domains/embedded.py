"""A domain that ships with the package: generator, text encoder and targets from its folder of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from zoom_engine.common.errors import TargetError
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.module_hash import weights_hash
from zoom_engine.common.threads import once
from zoom_engine.domains.subject import Subject
from zoom_engine.domains.weights_files import load_network
from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.checkpoints.formats import load_checkpoint
from zoom_engine.runtime import Synthesizer, choose_synthesizer, compiled_target
from zoom_engine.targets import BinaryTask, Preprocessing, Target, task_from_dict
from zoom_engine.text import TextEncoder, load_text_encoder

TARGET_SIDE = 128  # what targets read: larger pictures are resized


@dataclass(frozen=True, kw_only=True)
class EmbeddedDomain:
    """Pictures of our own: everything is package data in the folder `weights`; nothing is downloaded.

    `face_points` are those of `diagnose.domain.KnownFace`, means over renders; None where pictures show no faces.
    """

    name: str
    neutral: str
    attributes: tuple[str, ...]
    weights: Path
    face_points: tuple[tuple[float, float], tuple[float, float], tuple[float, float]] | None = None

    @once
    def generator(self) -> StyleGAN2:
        """Load the generator."""
        generator = load_checkpoint(self.weights / "generator.safetensors")
        assert isinstance(generator, StyleGAN2)
        return generator

    @once
    def synthesizer(self) -> Synthesizer:
        """Choose the runtime, as an audit does, and compile the generator."""
        return choose_synthesizer(self.generator(), cache=default_cache())

    @once
    def text_encoder(self) -> TextEncoder:
        """Load the text encoder."""
        return load_text_encoder(self.weights / "text", name_as=self.name)

    def target_names(self) -> tuple[str, ...]:
        """Return the names of the targets, sorted."""
        return tuple(sorted(path.stem for path in (self.weights / "targets").glob("*.safetensors")))

    def classifier_names(self) -> tuple[str, ...]:
        """Return the names of the targets that decide one attribute, alone or beside a planted one."""
        return tuple(name for name in self.target_names() if isinstance(self.target(name).task, BinaryTask))

    @once
    def target(self, name: str) -> Target:
        """Load the target `DOMAIN:NAME`; its class prompts come with it.

        Raises:
            TargetError: there is no such target, or its file is damaged.
        """
        if name not in self.target_names():
            raise TargetError(f"no target '{self.name}:{name}'; choose from {', '.join(self.target_names())}")
        return as_target(*load_network(self.weights / "targets" / f"{name}.safetensors"))


@dataclass(frozen=True, kw_only=True)
class RenderedDomain(EmbeddedDomain):
    """An embedded domain whose renderer is at hand, so that the truth of any target is known."""

    subject: Subject[Any]

    def true_effects(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int = 300
    ) -> dict[str, dict[str, float]]:
        """Measure `KnownTruth.true_effects` now, on renders."""
        wanted = {prompt: self.subject.prompts[prompt] for prompt in attributes if prompt in self.subject.prompts}
        if not wanted:
            return {name: {} for name in targets}
        effects = self.effects_of(targets, tuple(wanted.values()), count=count)
        return {name: {prompt: row[name_of] for prompt, name_of in wanted.items()} for name, row in effects.items()}

    def effects_of(
        self, targets: Mapping[str, Target], attributes: Sequence[str], *, count: int = 300
    ) -> dict[str, dict[str, float]]:
        """Measure `Subject.effects_on` of compiled targets, attributes by name."""
        compiled = {name: compiled_target(target, self.synthesizer())[0] for name, target in targets.items()}
        return self.subject.effects_on(compiled, attributes, count=count)

    def outputs_with_and_without(
        self, targets: Mapping[str, Target], attribute: str, *, count: int
    ) -> dict[str, NDArray[np.float64]]:
        """Compute `KnownTruth.outputs_with_and_without` now, on renders."""
        return self.subject.outputs_with_and_without(targets, self.subject.prompts[attribute], count=count)

    def planted(self, name: str) -> str | None:
        """Read `KnownTruth.planted` from the weights' own metadata."""
        planted = self._about(name).get("planted")
        return None if planted is None else self.subject.prompt(planted)

    def untied_decisions(
        self, targets: Mapping[str, Target], like: str, *, count: int = 500
    ) -> dict[str, NDArray[np.bool_]]:
        """Compute `KnownTruth.untied_decisions` now, on renders."""
        about = self._about(like)
        return self.subject.untied_decisions(targets, about["outputs"][0], about["planted"], count=count)

    def _about(self, name: str) -> dict[str, Any]:
        return load_network(self.weights / "targets" / f"{name}.safetensors")[1]


def as_target(network: nn.Module, info: dict[str, Any]) -> Target:
    """Make a target of a shipped network, with its name, task, prompts and preprocessing.

    Without a task it is a classifier of the two prompts, its `labels`; others have none.
    """
    labels = tuple(str(label) for label in info.get("labels", ()))
    task = (
        task_from_dict(info["task"]) if "task" in info else BinaryTask(classes=(_short(labels[0]), _short(labels[1])))
    )
    preprocessing = Preprocessing(size=TARGET_SIDE, value_range=(-1.0, 1.0))
    return Target(
        network,
        name=str(info["name"]),
        task=task,
        preprocessing=preprocessing,
        labels=labels,
        content_hash=weights_hash(network, task.to_dict(), preprocessing.to_dict()),
    )


def _short(label: str) -> str:
    """Shorten "a face with a mustache" to "with a mustache"; other prompts stay as they are."""
    return label.removeprefix("a face ").removeprefix("the face of ")
