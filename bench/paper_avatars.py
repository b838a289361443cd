"""The domain "paper-avatars": the avatars at the cost of the paper's networks, so that audits as users type them can be
timed where prompts mean something.

Generator: the avatars' padded with zeros. Target: one of theirs beside a ResNet-50. Text encoder: theirs beside a
ViT-B/32. Each is what a user's model is, a module of torch's or a file, and runs on whatever runs those; what is added
multiplies by a matrix of zeros, which no compiler reads. Below 256² nothing is added, and a generator is cut: that is
for tests.

`write` puts the wide networks' weights into a folder, and beside them what an installed package has, so that a process
with `environment` knows the domain by name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from zoom_engine import load_generator, load_text_encoder
from zoom_engine.common.imports import importing
from zoom_engine.common.threads import once, quiet
from zoom_engine.domains.avatars.domain import DOMAIN as AVATARS
from zoom_engine.generators import StyleGAN2, StyleGAN2Config, save_generator
from zoom_engine.targets import Preprocessing, Target
from zoom_engine.text import TextEncoder
from zoom_engine.text.encoder import embedded_tokens

with importing():  # as the engine does
    import open_clip
    import torchvision

NAME = "paper-avatars"
CHANNEL_BASE = 32768  # of the paper's networks at every size; NVIDIA's own at 256² have half of it
WIDEST = 512  # channels
NARROW = 128  # pixels of what the avatars' networks draw and read
FOLDER = "PAPER_AVATARS"  # the environment's variable
GENERATOR, CLASSIFIER, ENCODER = "generator.safetensors", "resnet50.safetensors", "vit-b-32.safetensors"
IMAGENET = Preprocessing(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
TARGET = "mustache-biased-smiling"


def write(folder: Path, resolution: int) -> None:
    """Write what the domain of `resolution` reads."""
    narrow = load_generator("avatars")
    assert isinstance(narrow, StyleGAN2)
    wide = padded(narrow, resolution, CHANNEL_BASE) if resolution > NARROW else cut(narrow, resolution)
    save_generator(wide, folder / GENERATOR)
    if resolution > NARROW:
        torch.manual_seed(0)
        save_file(torchvision.models.resnet50(num_classes=1).state_dict(), folder / CLASSIFIER)
        with quiet():  # it warns that there are no weights
            encoder = open_clip.create_model("ViT-B-32", load_weights=False, pretrained_image=False)
        save_file(encoder.state_dict(), folder / ENCODER)
    package = folder / "paper_avatars-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: paper-avatars\nVersion: 1\n")
    (package / "entry_points.txt").write_text(f"[zoom_engine.domains]\n{NAME} = paper_avatars:DOMAIN\n")


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that knows the domain, of the files in `folder`."""
    path = [str(folder), str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, FOLDER: str(folder), "PYTHONPATH": os.pathsep.join(path)}


def attributes(count: int) -> list[str]:
    """The first prompts of the avatars' that are no class of the target."""
    texts = [text for text in AVATARS.attributes if text not in AVATARS.target(TARGET).labels]
    if not 1 <= count <= len(texts):
        raise ValueError(f"the avatars have 1 to {len(texts)} attributes, not {count}")
    return texts[:count]


def padded(narrow: StyleGAN2, resolution: int, base: int) -> StyleGAN2:
    """The same pictures, doubled up to `resolution`, at the cost of a wide network: what is added multiplies by 0."""
    sizes = [4 * 2**i for i in range(resolution.bit_length() - 2)]
    widths = tuple(min(WIDEST, base // size) for size in sizes)
    layers = narrow.config.mapping_layers
    wide = StyleGAN2(StyleGAN2Config(resolution, widths, z_dim=narrow.z_dim, w_dim=512, mapping_layers=layers))
    weights = narrow.state_dict()
    for name, value in wide.state_dict().items():
        value.zero_()
        if name.endswith("affine.bias"):
            value.fill_(1.0)
        if name in weights:
            value[tuple(slice(size) for size in weights[name].shape)] = weights[name]
    with torch.no_grad():  # so that no layer's activations vanish: the pictures do not see it
        for size in sizes:
            if size > narrow.resolution:
                for name in (f"b{size}_conv0", f"b{size}_conv1"):
                    nn.init.normal_(wide.get_parameter(f"convs.{name}.weight"))
    return wide.eval().requires_grad_(False)


def cut(narrow: StyleGAN2, resolution: int) -> StyleGAN2:
    """The same pictures, halved down to `resolution`: a skip generator's sum at that size."""
    config = narrow.config
    widths = config.channels[: resolution.bit_length() - 2]
    small = StyleGAN2(
        StyleGAN2Config(
            resolution, widths, z_dim=config.z_dim, w_dim=config.w_dim, mapping_layers=config.mapping_layers
        )
    )
    weights = narrow.state_dict()
    small.load_state_dict({name: weights[name] for name in small.state_dict()})
    return small.eval().requires_grad_(False)


class Classifier(nn.Module):
    """The logits of a narrow network that reads [-1, 1], beside a wide one's times 0; reads what the wide one does."""

    def __init__(self, narrow: nn.Module, wide: nn.Module) -> None:
        super().__init__()
        self.narrow, self.wide, self.seen = narrow, wide, Seen(IMAGENET.mean, IMAGENET.std)
        self.zeros = zeros(1, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.narrow(self.seen(x)) + self.zeros(self.wide(x))
        return logits


class Towers(nn.Module):
    """Two open_clip models as one: the first's embeddings, beside the second's times 0; reads pictures as the second,
    and tokens as the first does."""

    def __init__(self, narrow: Any, wide: Any) -> None:
        super().__init__()
        self.narrow, self.wide = narrow, wide
        read = wide.visual.preprocess_cfg
        self.seen = Seen(read["mean"], read["std"])
        self.zeros = zeros(wide.text_projection.shape[1], narrow.text_projection.shape[1])

    @property
    def visual(self) -> Any:
        return self.wide.visual

    @property
    def context_length(self) -> int:
        return int(self.narrow.context_length)

    @property
    def logit_scale(self) -> Tensor:
        scale: Tensor = self.narrow.logit_scale
        return scale

    def encode_image(self, x: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings `[B, D]` of preprocessed pictures."""
        embedded = self.narrow.encode_image(self.seen(x)) + self.zeros(self.wide.encode_image(x))
        return F.normalize(embedded, dim=-1) if normalize else embedded

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        """Embeddings `[B, D]` of tokens; the second model reads as many as if it were alone."""
        longer = F.pad(tokens, (0, self.wide.context_length - tokens.shape[1]))
        embedded = self.narrow.encode_text(tokens) + self.zeros(embedded_tokens(self.wide, longer))
        return F.normalize(embedded, dim=-1) if normalize else embedded


class Seen(nn.Module):
    """A wide network's input as the avatars' networks read it: in [-1, 1], of their size."""

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("scale", 2 * torch.tensor(std).view(3, 1, 1))
        self.register_buffer("shift", 2 * torch.tensor(mean).view(3, 1, 1) - 1)

    def forward(self, x: Tensor) -> Tensor:
        small = F.interpolate(x, size=(NARROW, NARROW), mode="bilinear", align_corners=False)
        return small * self.scale + self.shift


def zeros(inputs: int, outputs: int) -> nn.Linear:
    """A matrix of zeros."""
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.zeros_(layer.weight)
    return layer


class PaperAvatars:
    """The domain, of the files in the folder that the environment names."""

    name = NAME
    neutral = AVATARS.neutral
    attributes = AVATARS.attributes

    @property
    def folder(self) -> Path:
        return Path(os.environ[FOLDER])

    def target_names(self) -> tuple[str, ...]:
        return AVATARS.target_names()

    @once
    def generator(self) -> StyleGAN2:
        generator = load_generator(self.folder / GENERATOR)
        assert isinstance(generator, StyleGAN2)
        return generator

    @once
    def text_encoder(self) -> TextEncoder:
        narrow = AVATARS.text_encoder()
        if not (self.folder / ENCODER).exists():
            return narrow
        wide = load_text_encoder(f"ViT-B-32:{self.folder / ENCODER}")
        return TextEncoder(Towers(narrow.model, wide.model), narrow.tokenizer, name=NAME, words=narrow.words)

    @once
    def target(self, name: str) -> Target:
        narrow = AVATARS.target(name)
        if not (self.folder / CLASSIFIER).exists():
            return narrow
        wide = torchvision.models.resnet50(num_classes=1)
        wide.load_state_dict(load_file(self.folder / CLASSIFIER))
        network = Classifier(narrow.network, wide)
        return Target(network, name=f"{NAME}:{name}", task=narrow.task, preprocessing=IMAGENET, labels=narrow.labels)


DOMAIN = PaperAvatars()
