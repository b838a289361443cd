"""What the audit suite searches in: networks of the paper's sizes with random weights, and the avatars, whose are real.

Random weights cost what trained ones cost. What they lack is a meaning: a text has no direction there, so directions
are made up, as large as real ones are.
"""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import open_clip
import torch
import torchvision
from paper_avatars import CHANNEL_BASE, IMAGENET
from synthesis import network
from torch import nn

from zoom_engine import Diagnoser, EditDirections, load_target, load_text_encoder
from zoom_engine.audit.manifest import PAPER_BOUND
from zoom_engine.diagnose.domain import find_domain
from zoom_engine.generators import StyleGAN2, load_stylegan2
from zoom_engine.targets import BinaryTask, Target
from zoom_engine.text import TextEncoder, find_templates

TEMPLATES = "none"
NEUTRAL = "a face"
LABELS = ("a face with a mustache", "a face without a mustache")
AVATARS_TARGET = "mustache-biased-smiling"
REACH, REACHED = 2.0, 4  # a probability of 0.88; images that say how far edits move a logit


@dataclass(frozen=True, eq=False)
class World:
    """A generator, a target and a text encoder as they were loaded, and the edit directions of some attributes.

    ``trained``: the weights are real, so that there are flips to count.
    """

    generator: StyleGAN2
    target: Target
    text_encoder: TextEncoder
    labels: Sequence[str]
    directions: EditDirections
    trained: bool

    def of(self, count: int) -> World:
        """With the first ``count`` attributes."""
        directions = self.directions
        fewer = replace(
            directions,
            matrix=directions.matrix[:count].contiguous(),
            attributes=directions.attributes[:count],
            channels=directions.channels[:count],
            strength=directions.strength[:count],
            noise_floor=directions.noise_floor[:count],
        )
        return replace(self, directions=fewer)

    def within_reach(self) -> World:
        """With a target whose logit is `REACH` on average, and moved by as much by edits within the paper's range: most
        images flip, and none at once. For the target of `random_world` alone."""
        styles = self.generator.sample(range(REACHED))
        generator = torch.Generator().manual_seed(0)
        edits = PAPER_BOUND * (2 * torch.rand(REACHED, len(self.directions.attributes), generator=generator) - 1)
        with torch.no_grad():
            matrix = self.directions.matrix.to(styles)
            logits = self.target(self.generator.render(styles))
            moved = self.target(self.generator.render(styles, edits.to(styles), matrix)) - logits
            classifier: Any = copy.deepcopy(self.target.network)
            scale = REACH / moved.square().mean().sqrt()
            classifier.fc.weight *= scale
            classifier.fc.bias.copy_(scale * (classifier.fc.bias - logits.mean()) + REACH)
        return replace(self, target=resnet_target(classifier).to(str(styles.device)))


@functools.lru_cache(maxsize=1)  # they are large
def random_world(resolution: int, attributes: int, device: str = "cpu") -> World:
    """A StyleGAN2 of ``resolution``, a ResNet-50 of one logit, ViT-B/32, and directions at right angles."""
    generator = network(resolution, base=CHANNEL_BASE)
    torch.manual_seed(0)
    target = resnet_target(torchvision.models.resnet50(num_classes=1))
    encoder = random_text_encoder()
    names = tuple(f"{NEUTRAL} with attribute {number}" for number in range(1, attributes + 1))
    directions = made_up_directions(generator, encoder, names)
    return World(generator.to(device), target.to(device), encoder.to(device), LABELS, directions, trained=False)


def resnet_target(classifier: nn.Module) -> Target:
    """A ResNet-50 of one logit as a target."""
    return Target(classifier, name="resnet50-random", task=BinaryTask(), preprocessing=IMAGENET)


def random_text_encoder() -> TextEncoder:
    """ViT-B/32 as open_clip initialises it."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it warns that there are no weights
    try:
        model = open_clip.create_model("ViT-B-32", load_weights=False, pretrained_image=False)
    finally:
        logging.disable(level)
    return TextEncoder(model, open_clip.get_tokenizer("ViT-B-32"), name="ViT-B-32-random")


def made_up_directions(generator: StyleGAN2, encoder: TextEncoder, names: tuple[str, ...]) -> EditDirections:
    """One direction for each name: σ ⊙ r with orthonormal random r, 0 for toRGB, as found ones are."""
    count, space = len(names), generator.space
    free = ~space.fixed_mask()
    relevance = torch.zeros(count, space.size)
    random = torch.randn(int(free.sum()), count, generator=torch.Generator().manual_seed(0))
    relevance[:, free] = torch.linalg.qr(random)[0].T
    matrix = relevance * generator.sample(range(64)).std(0)
    return EditDirections(
        matrix,
        names,
        NEUTRAL,
        "made up",
        0.0,
        channels=tuple((matrix != 0).sum(1).tolist()),
        strength=(1.0,) * count,
        noise_floor=(0.0,) * count,
        provenance={
            "templates": list(find_templates(TEMPLATES)),
            "truncation": 1.0,
            "truncation_cutoff": None,
            "generator": generator.content_hash,
            "text_encoder": encoder.content_hash,
        },
    )


@functools.lru_cache(maxsize=1)
def avatars_world(cache: Path, device: str = "cpu") -> World:
    """The embedded domain with one of its biased targets, and the directions that an audit finds."""
    domain = find_domain("avatars")
    assert domain is not None
    target, encoder = load_target(f"avatars:{AVATARS_TARGET}"), load_text_encoder("avatars")
    attributes = [text for text in domain.attributes if text not in target.labels]
    directions = Diagnoser(
        generator="avatars", target=target, attributes=attributes, templates=TEMPLATES, cache=cache
    ).edit_directions()
    generator = load_stylegan2("avatars")
    return World(generator.to(device), target.to(device), encoder.to(device), target.labels, directions, trained=True)
