"""What `zoom-engine info` prints: versions, processor, operators, runtimes, and what is missing."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import torch

from zoom_engine import ops
from zoom_engine.common import registry
from zoom_engine.common.backends import RUNTIMES
from zoom_engine.common.machine import describe_environment
from zoom_engine.common.terminal import WIDTH, labelled
from zoom_engine.common.version import VERSION
from zoom_engine.generators import StyleGAN2, StyleGAN2Config
from zoom_engine.ops import cuda
from zoom_engine.runtime import choose_synthesizer

NATIVE_COST = "gradients through the generator run in plain torch, several times slower and with more memory"
CUDA_COST = "no --backend native on a GPU, where torch alone takes several passes over memory around each convolution"
PACKAGES = {  # package: its name, what its absence costs, the extra that installs it; of two runtimes of one the first
    **{r.package: (r.title, "no forward pass through it", r.extra) for r in reversed(RUNTIMES.values())},
    "cmaes": ("cmaes", "no search of several attributes together without gradients", "blackbox"),
    "transformers": ("transformers", "no Hugging Face targets", "huggingface"),
    "starlette": ("starlette", "no page of sliders, by zoom-engine explore", "explore"),
    "urllib3": ("urllib3", "no targets behind HTTP", "service"),
}


def _native_lines() -> list[str]:
    available, reason = ops.native_available()
    if not available:
        return [f"MISSING: {reason}", f"costs: {NATIVE_COST}"]
    forced = " (ZOOM_ENGINE_ISA)" if os.environ.get("ZOOM_ENGINE_ISA") else ""
    return [f"{ops.isa()}{forced}, of {', '.join(ops.supported_isas())}; float32 and bfloat16"]


def _cuda_lines() -> list[str]:
    """Say what the CUDA operators do here; nothing where they are of no use."""
    available, reason = cuda.cuda_available()
    if not torch.cuda.is_available():
        return ["built, but torch sees no CUDA device"] if available else ["none built, and torch sees no CUDA device"]
    if not available:
        return [f"MISSING: {reason}", f"costs: {CUDA_COST}"]
    reasons = {index: cuda.unusable(index) for index in range(torch.cuda.device_count())}
    able = "float32, bfloat16 and float16, with --backend native"
    return [f"device {index}: {why or able}" for index, why in reasons.items()]


def _audit_lines() -> list[str]:
    """Say what an audit draws with by default: the choice itself, made for a generator of a few numbers."""
    tiny = StyleGAN2(StyleGAN2Config(8, (2, 2), z_dim=2, w_dim=2, mapping_layers=1)).eval().requires_grad_(False)
    lines = []
    for device in ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]:
        chosen = choose_synthesizer(tiny, device=device)
        lines += [
            f"{device}: {chosen.backend} in {chosen.precision} ({chosen.reason})",
            f"{device}: gradients by {chosen.gradients} in {chosen.precision}",
        ]
    return lines


def _runtime_lines(packages: dict[str, str]) -> list[str]:
    lines = [f"torch {torch.__version__}"]
    for module, (name, cost, extra) in PACKAGES.items():
        if importlib.util.find_spec(module) is not None:
            lines.append(f"{name} {packages.get(module, '')}".rstrip())
        else:
            lines.append(f"{name}: missing, {cost}; pip install 'zoom-engine[{extra}]'")
    return lines


def _accelerators() -> list[str]:
    if not torch.cuda.is_available():
        return ["none that torch can use"]
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _brought(kind: registry.Kind) -> str:
    """List what exists of a kind, with the package that brings it where that is not this one."""
    packages = registry.packages(kind)
    theirs = registry.brought((kind, name) for name in packages)
    told = [f"{name} ({package})" if f"{kind.what} {name}" in theirs else name for name, package in packages.items()]
    return ", ".join([*kind.ours, *told]) or "none"


def sections() -> dict[str, list[str]]:
    """Return lines on each subject, by its label; no file is loaded."""
    environment = describe_environment()
    packages: dict[str, str] = environment["packages"]
    lines = {
        "zoom-engine": [f"{VERSION} in {Path(__file__).parents[1]}"],
        "python": [environment["python"]],
        "system": [environment["system"]],
        "processor": [", ".join(environment["cpu_features"]) or "features unknown"],
        "threads": [f"{environment['threads']} of {environment['cores']} cores"],
        "accelerators": _accelerators(),
        "operators": _native_lines(),
        "CUDA operators": _cuda_lines(),
        "runtimes": _runtime_lines(packages),
        "an audit uses": _audit_lines(),
        "packages": [", ".join(f"{name} {version}" for name, version in sorted(packages.items()))],
        "domains": [_brought(registry.DOMAINS)],
        "generator families": [_brought(registry.GENERATORS)],
        "tasks": [_brought(registry.TASKS)],
        "searches": [_brought(registry.SEARCHES)],
        "direction methods": [_brought(registry.DIRECTION_METHODS)],
        "editors": [_brought(registry.EDITORS)],
        "report sections": [_brought(registry.REPORT_SECTIONS)],
    }
    if environment["git_revision"]:
        lines["revision"] = [environment["git_revision"]]
    return lines


def describe(*, width: int = WIDTH) -> str:
    """Return the whole text, a label for each subject with its lines beside it, in `width` columns."""
    return labelled(
        [("" if index else label, line) for label, values in sections().items() for index, line in enumerate(values)],
        width=width,
    )
