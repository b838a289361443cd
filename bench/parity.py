"""``python bench/parity.py [--json OUT]``: how far each runtime's pictures are from torch's, all from one ONNX file.

The avatars and random networks (noise, biases and spread styles at work) in batches of 1, 3 and 8 with 1, 5 and 20
attributes. 1024² takes minutes, and in batches of 8 about 10 GB: ``--cases 1x20`` needs a tenth of both.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from synthesis import network
from torch import Tensor

from zoom_engine.common.errors import BackendError
from zoom_engine.common.files import atomic
from zoom_engine.common.machine import bf16_in_hardware, describe_environment
from zoom_engine.export.parity import measure_parity
from zoom_engine.generators import StyleGAN2, load_stylegan2
from zoom_engine.runtime.graphs import synthesis_model
from zoom_engine.runtime.onnxruntime_session import OnnxRuntimeSession
from zoom_engine.runtime.openvino_session import OpenVinoSession
from zoom_engine.runtime.session import Session

NETWORKS: dict[str, Callable[[], StyleGAN2]] = {
    "avatars": lambda: load_stylegan2("avatars"),
    "256-base16384": lambda: network(256, base=16384),
    "256-base32768": lambda: network(256, base=32768),
    "1024-config-f": lambda: network(1024, base=32768),
}
LIMITS = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 3e-2}
VARIANTS = ("onnxruntime-fp32", "onnxruntime-fp16", "openvino-fp32", "openvino-bf16")
CASES = ((1, 1), (3, 5), (8, 20))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 1 where an error is above its limit."""
    parser = argparse.ArgumentParser(description="Runtimes beside torch.")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="separated by commas")
    parser.add_argument("--variants", default=",".join(VARIANTS), help="separated by commas")
    parser.add_argument("--cases", type=_cases, default=CASES, help="batch x attributes, such as 1x1,3x5,8x20")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args(arguments)
    variants = options.variants.split(",")
    results = [result for name in options.networks.split(",") for result in measure(name, options.cases, variants)]
    if options.json is not None:
        atomic.write_json(options.json, {"machine": describe_environment(), "results": results})
    return int(any(result.get("error", 0) >= LIMITS[result["variant"].split("-")[1]] for result in results))


def _cases(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(batch), int(count)) for batch, count in (case.split("x") for case in text.split(",")))


def measure(
    name: str, cases: Sequence[tuple[int, int]], variants: Sequence[str] = VARIANTS
) -> Iterator[dict[str, Any]]:
    """The largest relative error of the cases (batch, attributes) for each variant, printed as they come."""
    generator = NETWORKS[name]()
    drawn: dict[bytes, Tensor] = {}

    def by_torch(styles: Tensor) -> dict[str, Tensor]:
        key = styles.numpy().tobytes()
        if key not in drawn:
            drawn[key] = torch.cat([generator.synthesis(part, plain=True) for part in torch.split(styles, 1)])
        return {"images": drawn[key]}

    for variant in variants:
        backend, precision = variant.split("-")
        stored = precision if backend == "onnxruntime" else "fp32"
        model = synthesis_model(generator, precision=stored)
        result: dict[str, Any] = {"network": name, "variant": variant}
        try:
            session = session_of(backend, precision, model.SerializeToString())
        except BackendError as reason:
            result["skipped"] = str(reason)
        else:
            parity = measure_parity(
                model, generator, by_torch, precision=precision, directions=None, seed=0, session=session, cases=cases
            )
            result |= {"cases": list(cases), "error": float(f"{parity.errors['images']:.3g}")}
        print(f"{name:16} {variant:18} {result.get('skipped', result.get('error'))}", flush=True)
        yield result


def session_of(backend: str, precision: str, model: bytes) -> Session:
    """A session that takes whole batches and directions. Raises BackendError."""
    if backend == "onnxruntime":
        return OnnxRuntimeSession(model, batched=True)
    if precision == "bf16" and not bf16_in_hardware():
        raise BackendError("this processor has no bf16 arithmetic")
    return OpenVinoSession(model, precision=precision, batched=True)


if __name__ == "__main__":
    sys.exit(main())
