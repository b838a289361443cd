"""The avatars as a domain: what ``generator="avatars"`` and ``target="avatars:mustache"`` load."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import nn

from zoom_engine.domains.avatars.weights import WEIGHTS
from zoom_engine.domains.avatars.wording import prompt
from zoom_engine.domains.weights_files import load_network
from zoom_engine.errors import TargetError
from zoom_engine.generators import StyleGAN2
from zoom_engine.generators.checkpoints.formats import load_checkpoint
from zoom_engine.targets import BinaryTask, Preprocessing, Target, task_from_dict
from zoom_engine.text import TextEncoder, load_text_encoder

DEFAULT_ATTRIBUTES = (
    "eyeglasses",
    "smiling",
    "beard",
    "mustache",
    "bangs",
    "blond_hair",
    "long_hair",
    "curly_hair",
    "pale_skin",
    "bushy_eyebrows",
    "lipstick",
    "old",
)


class AvatarDomain:
    """Faces of our own: generator, text encoder and targets are package data; nothing is downloaded."""

    name = "avatars"
    neutral = "a face"
    attributes = tuple(prompt(attribute) for attribute in DEFAULT_ATTRIBUTES)

    @cache  # noqa: B019  the domain is a single object that lives as long as the process
    def generator(self) -> StyleGAN2:
        generator = load_checkpoint(WEIGHTS / "generator.safetensors")
        assert isinstance(generator, StyleGAN2)
        return generator

    @cache  # noqa: B019
    def text_encoder(self) -> TextEncoder:
        return load_text_encoder(WEIGHTS / "text", called=self.name)

    def target_names(self) -> tuple[str, ...]:
        return tuple(sorted(path.stem for path in (WEIGHTS / "targets").glob("*.safetensors")))

    def classifier_names(self) -> tuple[str, ...]:
        """Of the targets those that decide one attribute, alone or beside a planted one."""
        return tuple(name for name in self.target_names() if isinstance(self.target(name).task, BinaryTask))

    @cache  # noqa: B019
    def target(self, name: str) -> Target:
        """The target ``avatars:NAME``; its class prompts come with it."""
        if name not in self.target_names():
            raise TargetError(f"no target 'avatars:{name}'; choose from {', '.join(self.target_names())}")
        return as_target(*load_network(WEIGHTS / "targets" / f"{name}.safetensors"))


def as_target(network: nn.Module, info: dict[str, Any]) -> Target:
    """A shipped network with its name, task, prompts and preprocessing. Without a task it is a classifier of the two
    prompts, its ``labels``; others have none."""
    labels = tuple(str(label) for label in info.get("labels", ()))
    task = (
        task_from_dict(info["task"]) if "task" in info else BinaryTask(classes=(_short(labels[0]), _short(labels[1])))
    )
    return Target(
        network,
        name=str(info["name"]),
        task=task,
        preprocessing=Preprocessing(size=128, value_range=(-1.0, 1.0)),
        labels=labels,
    )


def _short(label: str) -> str:
    """ "a face with a mustache" → "with a mustache"; other prompts as they are."""
    return label.removeprefix("a face ").removeprefix("the face of ")


DOMAIN = AvatarDomain()
