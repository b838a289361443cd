"""The description of an exported file in its ONNX `metadata_props`: JSON under keys of our own."""

from __future__ import annotations

import json

from zoom_engine.common.version import VERSION
from zoom_engine.generators import StyleGAN2

PREFIX = "zoom_engine."


def synthesis_metadata(generator: StyleGAN2, resolution: int, precision: str) -> dict[str, str]:
    """Return version, content hash of the generator, precision, and the layout of the style vector."""
    layout = [
        {
            "name": layer.name,
            "resolution": layer.resolution,
            "start": layer.start,
            "stop": layer.stop,
            "rgb": layer.is_rgb,
        }
        for layer in generator.space.layers
    ]
    return {
        f"{PREFIX}version": VERSION,
        f"{PREFIX}generator": generator.content_hash,
        f"{PREFIX}precision": precision,
        f"{PREFIX}resolution": str(resolution),
        f"{PREFIX}style_space": json.dumps(layout),
    }
