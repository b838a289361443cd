"""Export generator and classifier as one graph: ``python export/classifier.py [MODEL] [TARGET] [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime

from zoom_engine import load_generator
from zoom_engine.export import export_audit_graph

model, target, folder = (*sys.argv[1:], *("avatars", "avatars:eyeglasses", "exported")[len(sys.argv) - 1 :])
exported = export_audit_graph(model, target, Path(folder) / "audit.onnx")
print(f"{exported.path}: relative error {exported.parity.errors['outputs']:.1e} against torch")

generator = load_generator(model)
styles = generator.styles(generator.mapping(generator.latents(range(4))))
session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
no_edit = {"edit_weights": np.zeros((4, 1), np.float32), "edit_directions": np.zeros((1, styles.shape[1]), np.float32)}
(outputs,) = session.run(["outputs"], {"styles": styles.numpy(), **no_edit})
print("outputs of seeds 0 to 3:", outputs.ravel().tolist())
