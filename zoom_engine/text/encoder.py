"""`TextEncoder`: prompts and images to unit vectors of one space (CLIP, Radford 2021), over open_clip."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zoom_engine.common.errors import TextEncoderError
from zoom_engine.targets.preprocessing import BLACK, WHITE, Preprocessing
from zoom_engine.text.prompts import check_prompt, fill_template, nearest_words, shorten, tokenize, words_of
from zoom_engine.text.templates import NONE

_TEXT_BATCH = 256
_EMBEDDED_CALLS = 1024  # whose texts' embeddings are kept: an audit asks for those of its attributes in several places
_PREPARED = 1 << 24  # numbers of the pictures that are copied at a time: of 1024² they are large, what is seen is not
_TOKENIZER_PROBE = "a quick BROWN fox jumps over the lazy dog, with 0123456789 pale-skinned eyeglasses"
_SILENT_OPTIONS = (
    *("num_heads", "pool_type", "attn_pool_type", "global_pool", "final_ln_after_pool", "text_pool_type"),
    *("text_eos_id", "eos_token_id", "pad_id", "use_pad_mask", "correct_cls_mask"),
)
"""Options of layers of open_clip, torch and timm that change what is embedded; no weight and no `repr` shows them."""


class TextEncoder(nn.Module):
    """A frozen CLIP model in evaluation mode: float32, whatever the mode its owner asks for.

    Attributes:
        name: what messages and records call it.
        precision: the precision of the image tower ("fp32", but where a measurement alone is wanted).
        dim: the number D of an embedding's entries.
        image_size: in pixels, the side of the square that the image tower sees.
        context_length: in tokens.
        logit_scale: the factor that turns cosines into logits.
        words: all that its training ever read, None where that is not known, see `check_words`.
        rounding: `[K, D]`, by how much a lower precision moves the embeddings of probe pictures; None in float32.
    """

    model: Any
    mean: Tensor
    std: Tensor
    rounding: Tensor | None = None

    def __init__(
        self,
        model: nn.Module,
        tokenizer: Any,
        *,
        name: str,
        words: Iterable[str] | None = None,
        image_tower: nn.Module | None = None,
        precision: str = "fp32",
        rounding: Tensor | None = None,
    ) -> None:
        """Freeze `model` and read its settings.

        Args:
            model: an open_clip model.
            tokenizer: its tokenizer, as open_clip makes it.
            name: what messages and records call it.
            words: all that its training ever read, None where that is not known.
            image_tower: runs the tower of `model` elsewhere: preprocessed images to unit vectors.
            precision: what `image_tower` computes in.
            rounding: `[K, D]`, by how much `precision` moves the embeddings of other pictures.

        Raises:
            TextEncoderError: preprocessing that is not known here.
        """
        super().__init__()
        self.model = model.float().eval().requires_grad_(False)
        self.words = None if words is None else frozenset(words)
        self.image_tower, self.precision = image_tower or _ImageTower(self.model), precision
        self.rounding = rounding
        self.tokenizer = tokenizer
        self.name = name
        config = self.model.visual.preprocess_cfg
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
        if height != width:
            raise TextEncoderError(
                f"text encoder '{name}' wants {height}×{width} images: only square ones are supported"
            )
        self.image_size = height
        self.interpolation = str(config["interpolation"])
        self.resize_mode = str(config.get("resize_mode", "shortest"))
        if self.interpolation not in ("bicubic", "bilinear"):
            raise TextEncoderError(
                f"text encoder '{name}' resizes by '{self.interpolation}': bicubic or bilinear is needed"
            )
        self.preprocessing = Preprocessing(
            size=height,
            resize_size=None if self.resize_mode == "squash" else height,
            resize=self.interpolation,  # type: ignore[arg-type]
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
        )
        # In open_clip's plain CLIP the model itself holds the text tower's settings.
        self.context_length = int(getattr(self.model, "context_length", 0) or self.model.text.context_length)
        self.logit_scale = float(self.model.logit_scale.detach().exp())
        self._texts: dict[tuple[object, ...], Tensor] = {}
        self.register_buffer("mean", torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.dim = int(self.embed_texts([_TOKENIZER_PROBE[:12]]).shape[1])

    def train(self, mode: bool = True) -> TextEncoder:
        """Stay in evaluation mode: the encoder is frozen."""
        return super().train(False)

    def replaced(
        self, *, image_tower: nn.Module, precision: str = "fp32", rounding: Tensor | None = None
    ) -> TextEncoder:
        """Return the same encoder with its image tower run elsewhere, see the constructor; what it knows is shared."""
        other = TextEncoder(
            self.model,
            self.tokenizer,
            name=self.name,
            words=self.words,
            image_tower=image_tower,
            precision=precision,
            rounding=rounding,
        )
        other._texts = self._texts
        other.content_hash = self.content_hash
        return other

    @property
    def blocks(self) -> tuple[slice, ...]:
        """Return which of the D coordinates belong together; others stand for themselves, in a unit of their own."""
        return (slice(0, self.dim),)

    def direction_of(self, attribute: str) -> Tensor | None:
        """Return the unit vector `[D]` of an attribute that is no words: None, it knows of none."""
        return None

    def check_words(self, prompts: Iterable[str]) -> None:
        """Refuse a prompt with a word that training never read, where that is known.

        The embedding of such a word is chance: its direction is as strong as that of a word with a meaning, and no
        relevance tells the two apart.

        Raises:
            TextEncoderError: names the words, and those that may be meant.
        """
        if self.words is None:
            return
        for prompt in prompts:
            unknown = [word for word in dict.fromkeys(words_of(prompt)) if word not in self.words]
            if unknown:
                meant = [f"'{word}'{_did_you_mean(nearest_words(word, self.words))}" for word in unknown]
                raise TextEncoderError(
                    f"text encoder '{self.name}' cannot read '{shorten(prompt)}': it was never trained on"
                    f" {', '.join(meant)}; use words that 'zoom-engine words {shlex.quote(self.name)}' lists"
                )

    @torch.no_grad()
    def embed_texts(self, prompts: Sequence[str], *, templates: Sequence[str] = NONE) -> Tensor:
        """Return unit vectors `[P, D]` (float32): per prompt the mean of its sentences' unit vectors, renormalised.

        A sentence is a template with the prompt in place of `{}`.

        Raises:
            TextEncoderError: a prompt is empty, too long for the context length, or holds control characters or special
                tokens.
        """
        if isinstance(prompts, str) or not prompts:
            raise TextEncoderError("embed_texts takes a non-empty list of prompts")
        if isinstance(templates, str) or not templates:
            raise TextEncoderError("templates must be a non-empty list, such as ('a photo of {}',)")
        sentences = [fill_template(template, check_prompt(prompt)) for prompt in prompts for template in templates]
        # By the texts of a whole call: how many lie beside a text moves its last digit.
        call = (*sentences, len(prompts), self.mean.device)
        embedded = self._texts.get(call)
        if embedded is None:
            tokens = tokenize(self.tokenizer, sentences, self.context_length).to(self.mean.device)
            rows = [embedded_tokens(self.model, part).float() for part in torch.split(tokens, _TEXT_BATCH)]
            per_template = torch.cat(rows).view(len(prompts), len(templates), -1)
            embedded = F.normalize(per_template.mean(dim=1), dim=-1)
            if len(self._texts) < _EMBEDDED_CALLS:
                self._texts[call] = embedded
        return embedded.clone()

    def embed_images(self, images: Tensor) -> Tensor:
        """Return unit vectors `[B, D]` (float32) of RGB images `[B, 3, H, W]` (floats in [-1, 1]); differentiable.

        Values outside the range are clamped, as a saved picture would be. The resize is the model's own: antialiased
        bicubic (or bilinear) of the shorter side to `image_size`, then a centred crop; then the model's mean and
        standard deviation.

        Raises:
            TextEncoderError: images of another shape, or not square where the model pads such images.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise TextEncoderError(f"images must be [B, 3, H, W], not {list(images.shape)}")
        if self.resize_mode not in ("shortest", "squash") and images.shape[-2] != images.shape[-1]:
            raise TextEncoderError(f"text encoder '{self.name}' pads images that are not square: give it square images")
        at_once = max(1, _PREPARED // images[0].numel()) if len(images) and not images.requires_grad else len(images)
        parts = [self.preprocessing(part.float().clamp(BLACK, WHITE)) for part in torch.split(images, max(1, at_once))]
        embedded: Tensor = self.image_tower(parts[0] if len(parts) == 1 else torch.cat(parts))
        return embedded.float()

    @property
    def embedding_hash(self) -> str:
        """Return the hash of what embeds pictures alone: the key of caches that hold nothing else."""
        return self.content_hash

    @property
    def described(self) -> dict[str, str]:
        """Return what a manifest says of what reads words, ready for JSON."""
        return {"name": self.name, "content_hash": str(self.content_hash)}

    @cached_property
    def content_hash(self) -> str:
        """The SHA-256 (hex) of layers, weights, preprocessing and tokenisation: the key of all caches."""
        digest = hashlib.sha256()
        settings = [
            self.image_size,
            self.interpolation,
            self.resize_mode,
            self.mean.flatten().tolist(),
            self.std.flatten().tolist(),
        ]
        tokens = self.tokenizer([_TOKENIZER_PROBE], context_length=self.context_length)
        layers = [[name, *map(vars(layer).get, _SILENT_OPTIONS)] for name, layer in self.model.named_modules()]
        known = [settings, self.context_length, tokens.tolist(), repr(self.model), layers]
        digest.update(json.dumps(known, default=str).encode())
        masks = dict(self.model.named_buffers())  # which no file holds
        for key, value in sorted({**masks, **self.model.state_dict()}.items()):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


class _ImageTower(nn.Module):
    """The image side of a model: preprocessed images `[B, 3, side, side]` → unit vectors `[B, D]`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.model.encode_image(x, normalize=True)
        return embedded


def embedded_tokens(model: Any, tokens: Tensor) -> Tensor:
    """Return unit vectors `[P, D]` of `tokens [P, context_length]`.

    In open_clip's plain CLIP no token sees those after it, and a text is read at its end, the largest token. So what
    follows the last end is left out: of 77 tokens a sentence has about 15.
    """
    plain = type(model).__module__.startswith("open_clip") and type(model).__name__ == "CLIP"
    mask: Any = getattr(model, "attn_mask", None)
    causal = mask is not None and torch.equal(mask, torch.full_like(mask, -math.inf).triu(1))
    if not plain or model.text_pool_type != "argmax" or not causal:
        embedded: Tensor = model.encode_text(tokens, normalize=True)
        return embedded
    ends = tokens.argmax(dim=1)
    read = int(ends.max()) + 1
    # Its own forward pass would take shorter tensors only in place of its own, where another thread reads them too.
    x = model.token_embedding(tokens[:, :read]) + model.positional_embedding[:read]
    x = model.ln_final(model.transformer(x, attn_mask=mask[:read, :read]))
    x = x[torch.arange(len(x), device=x.device), ends]
    if (projection := model.text_projection) is not None:
        x = projection(x) if isinstance(projection, nn.Linear) else x @ projection
    return F.normalize(x, dim=-1)


def _did_you_mean(words: Sequence[str]) -> str:
    return f" (did you mean {' or '.join(map(repr, words))}?)" if words else ""
