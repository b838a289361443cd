"""What the CUDA operators save: seconds per image of the synthesis on a GPU, with them and with torch alone.

python bench/gpu.py --json bench/results/cuda-CARD.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import torch
from synthesis import network
from torch import Tensor

from zoom_engine.common.files import atomic
from zoom_engine.ops import cuda

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("error: torch sees no CUDA device", file=sys.stderr)
        return 2
    if reason := cuda.unusable(torch.cuda.current_device()):
        print(f"error: {reason}", file=sys.stderr)
        return 2
    results = [
        measure(resolution, batch, name, backward, options.repeats)
        for resolution in options.resolutions
        for batch in options.batches
        for name in PRECISIONS
        for backward in (False, True)
    ]
    machine = {"card": torch.cuda.get_device_name(), "torch": torch.__version__, "cuda": torch.version.cuda}
    atomic.write_json(options.json, {"machine": machine, "results": results})
    return 0


def measure(resolution: int, batch: int, precision: str, backward: bool, repeats: int) -> dict[str, Any]:
    """Medians of interleaved repetitions, timed by the device."""
    generator = network(resolution)
    styles = generator.styles(generator.mapping(generator.latents(range(batch)))).cuda()
    generator = generator.cuda()

    def run(plain: bool) -> Tensor:
        leaf = styles.clone().requires_grad_(backward)
        picture = generator.synthesis(leaf, precision=PRECISIONS[precision], plain=plain)
        return torch.autograd.grad(picture.square().mean(), leaf)[0] if backward else picture

    seconds: dict[str, list[float]] = {"torch": [], "cuda": []}
    for turn in range(repeats + 3):
        for variant, times in seconds.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            start.record()
            run(plain=variant == "torch")
            end.record()
            torch.cuda.synchronize()
            if turn >= 3:
                times.append(start.elapsed_time(end) / 1000 / batch)
    medians = {variant: statistics.median(times) for variant, times in seconds.items()}
    work = "forward_backward" if backward else "forward"
    result = {"case": f"{resolution}-{work}-b{batch}", "precision": precision, "seconds": medians}
    print(json.dumps(result), flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
