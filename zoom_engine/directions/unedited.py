"""Text encoders' embeddings of unedited pictures: one sample serves directions, checks of prompts and the range."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from zoom_engine.directions.cache import DirectionCache
from zoom_engine.directions.relevance import Sampling, check_finite
from zoom_engine.generators import EditableGenerator
from zoom_engine.text import TextEncoder

SAMPLES = 256
"""The number of unedited pictures that ranges, score scales and groups are measured on."""
_KEPT_EVERY = 512  # pictures; a killed run goes on from there


@torch.no_grad()
def unedited_embeddings(
    generator: EditableGenerator,
    text_encoder: TextEncoder,
    sampling: Sampling,
    *,
    doing: str = "Looking at unedited images",
    known: Tensor | None = None,
) -> Tensor:
    """Return unit vectors `[samples, D]` (CPU, float32) of the sampling's pictures, in the order of `Sampling.draw`.

    With a cache, measurements with the same generator, encoder, seed and truncation share one sample, and only missing
    pictures are made. `known` are embeddings of the first pictures that the caller has already.

    Raises:
        DirectionError: a picture is not finite.
    """
    store = DirectionCache(sampling.cache)
    key = dataclasses.replace(sampling, samples=0).seen(generator, text_encoder)
    stored = store.load("unedited", key) or {"embeddings": torch.empty(0, text_encoder.dim)}
    embeddings = max(stored["embeddings"], torch.empty(0) if known is None else known, key=len)
    missing = sampling.samples - len(embeddings)
    if missing <= 0:
        return embeddings[: sampling.samples]
    parts, saved, seen = [embeddings], len(embeddings), 0
    renderer = sampling.renderer_of(generator)
    with sampling.progress(missing, doing, unit="image") as bar:
        for _, codes in sampling.draw(generator):
            new = codes[max(0, saved - seen) :]
            seen += len(codes)
            for part in torch.split(new, sampling.batch_size) if len(new) else ():
                parts.append(check_finite(text_encoder.embed_images(renderer.render(part)).cpu()))
                bar.update(len(part))
            count = sum(map(len, parts))
            if count - saved >= _KEPT_EVERY or seen == sampling.samples:
                parts, saved = [torch.cat(parts)], count
                store.store("unedited", key, {"embeddings": parts[0]})
    return parts[0]
