"""Export a StyleGAN2 and draw a picture with the file: ``python export/stylegan2.py [MODEL] [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from zoom_engine import load_generator
from zoom_engine.export import export_synthesis

model, folder = (*sys.argv[1:], *("avatars", "exported")[len(sys.argv) - 1 :])
exported = export_synthesis(model, Path(folder) / "synthesis.onnx")
print(f"{exported.path}: relative error {exported.parity.errors['images']:.1e} against torch")

generator = load_generator(model)
styles = generator.styles(generator.mapping(generator.latents([0])))
session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
no_edit = {"edit_weights": np.zeros((1, 1), np.float32), "edit_directions": np.zeros((1, styles.shape[1]), np.float32)}
(images,) = session.run(["images"], {"styles": styles.numpy(), **no_edit})
pixels = ((images[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
Image.fromarray(pixels).save(Path(folder) / "seed0.png")
