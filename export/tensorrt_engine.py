"""Build a TensorRT engine of an exported file: ``python export/tensorrt_engine.py FILE.onnx``.

Needs an NVIDIA GPU, torch with CUDA and ``pip install "zoom-engine[gpu]"``. Not run on hardware yet.
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx

from zoom_engine.export import build_tensorrt_engine
from zoom_engine.export.tensorrt_support import check_tensorrt_support

path = Path(sys.argv[1])
check_tensorrt_support(onnx.load(path)).check()
print(build_tensorrt_engine(path, path.with_suffix(".engine")))
