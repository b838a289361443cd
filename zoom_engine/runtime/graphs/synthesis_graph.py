"""The generator's synthesis as an ONNX graph: what `StyleGAN2.synthesis` does, recorded.

Bfloat16 rounds styles and demodulation to 3 digits, which every pixel of a channel then shares, and the first layers'
errors grow in all that follow. These operators are marked (`float32_nodes`) for a runtime that lowers the precision
by itself: in OpenVINO it cost no time and took two fifths off the error at 1024². A small picture has few pixels over
which a target averages errors away: there the layers up to half its resolution are marked. For the avatars that takes a
third more time, halves the error, and keeps 99.6 % of a target's decisions where 98.9 % were kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import torch
from torch import Tensor

from zoom_engine.common.errors import ConfigError
from zoom_engine.common.version import VERSION
from zoom_engine.generators import StyleGAN2
from zoom_engine.runtime.graphs.builder import Shape
from zoom_engine.runtime.graphs.metadata import PREFIX, synthesis_metadata
from zoom_engine.runtime.graphs.ranges import within_half
from zoom_engine.runtime.graphs.recorder import Recorder

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
KEEP = f"{PREFIX}keep_float32"
FLOAT32_UP_TO = 16  # resolution of the layers that are marked to stay in float32: 1 to 9 % of the arithmetic
SMALL_RESOLUTION = 128  # resolution up to which, instead, the layers of half a picture's resolution are marked


def synthesis_model(
    generator: StyleGAN2,
    *,
    directions: Tensor | None = None,
    edits: bool = True,
    max_resolution: int | None = None,
    precision: str = "fp32",
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Make the ONNX model `images = G(styles + edit_weights @ edit_directions)`.

    Inputs, all float32: `styles [batch, S]`, `edit_weights [batch, N]`, `edit_directions [N, S]`; output `images
    [batch, 3, R, R]`, nominally in [-1, 1] and not clamped.

    Args:
        generator: G.
        directions: `[N, S]`, become a constant in place of the input `edit_directions`.
        edits: False leaves the styles alone, without inputs for edits.
        max_resolution: stop after the block of that resolution.
        precision: "fp32", "fp16" or "bf16", of activations and convolutions.
        metadata: texts that the model has in its `metadata_props`, beside ours.

    Raises:
        ConfigError: an unknown precision, or a resolution that the generator does not have.
    """
    recorder = Recorder()
    images, inputs = add_synthesis(
        recorder, generator, directions=directions, edits=edits, max_resolution=max_resolution, precision=precision
    )
    size = images.shape[2]
    recorder.rename(images, "images")
    return recorder.model(
        "synthesis",
        inputs,
        {"images": ["batch", 3, size, size]},
        metadata={**synthesis_metadata(generator, size, precision), **(metadata or {})},
        producer_version=VERSION,
    )


def float32_nodes(model: onnx.ModelProto) -> set[str]:
    """Return the names of the nodes that a runtime which lowers the precision by itself should leave in float32."""
    return {node.name for node in model.graph.node if any(entry.key == KEEP for entry in node.metadata_props)}


def add_synthesis(
    recorder: Recorder,
    generator: StyleGAN2,
    *,
    directions: Tensor | None,
    edits: bool = True,
    max_resolution: int | None,
    precision: str,
) -> tuple[Tensor, dict[str, Shape]]:
    """Add the synthesis and return its images `[batch, 3, R, R]` (float32) as a symbol, and the graph's inputs.

    For the arguments see `synthesis_model`.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"unknown precision '{precision}'; choose one of {', '.join(PRECISIONS)}")
    size = generator.space.size
    if directions is not None and (directions.dim() != 2 or directions.shape[1] != size):
        raise ConfigError(f"directions must be [N, {size}], got {list(directions.shape)}")
    network = within_half(generator) if precision == "fp16" else generator
    limit = max_resolution or generator.resolution
    up_to = limit // 2 if limit <= SMALL_RESOLUTION else FLOAT32_UP_TO
    inputs: dict[str, Shape] = {"styles": ["batch", size]}
    # An up-sampling's convolution makes one row more than its filter leaves.
    with recorder.marked(KEEP, up_to=up_to + 1), recorder.scopes(network.convs):
        weights = None
        if edits and directions is None:
            inputs |= {"edit_weights": ["batch", "N"], "edit_directions": ["N", size]}
            weights = recorder.symbol("edit_weights", 1, 1)
            directions = recorder.symbol("edit_directions", 1, size)
        elif edits and directions is not None:
            inputs["edit_weights"] = ["batch", len(directions)]
            weights = recorder.rows("edit_weights", len(directions))
        images = network.synthesis(
            recorder.rows("styles", size),
            edit_weights=weights,
            directions=directions,
            max_resolution=max_resolution,
            precision=PRECISIONS[precision],
            plain=True,
        )
    return images, inputs
