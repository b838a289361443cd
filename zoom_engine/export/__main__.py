"""``python -m zoom_engine.export``: write ONNX files of a generator, see :mod:`zoom_engine.export`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoom_engine.audit.model_settings import TargetSettings
from zoom_engine.audit.settings import AuditSettings, options_of
from zoom_engine.directions import EditDirections
from zoom_engine.errors import ConfigError, ZoomError, one_line
from zoom_engine.export.audit_file import export_audit_graph
from zoom_engine.export.synthesis_file import Exported, export_synthesis
from zoom_engine.export.tensorrt_support import OPERATORS
from zoom_engine.files.cache import default_cache
from zoom_engine.notices import tell
from zoom_engine.runtime.tensorrt_session import build_tensorrt_engine
from zoom_engine.targets import check_target_options

EXAMPLE = """'{"preprocessing": {"size": 224, "mean": [0.5]}}'"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        run(options)
    except ZoomError as error:
        print(f"zoom_engine.export: {error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m zoom_engine.export", description="Write a generator as ONNX.")
    about = {**options_of(AuditSettings), **options_of(TargetSettings)}
    parser.add_argument("--model", required=True, help=about["generator"].text)
    parser.add_argument("--generator-class", type=int, metavar="N", help=about["generator_class"].text)
    parser.add_argument("--target", help="domain:name or a model file (.onnx, .pt): write audit.onnx too")
    parser.add_argument("--trust", action="store_true", help=about["trust"].text)
    parser.add_argument("--download", action="store_true", help=about["download"].text)
    parser.add_argument(
        "--target-options",
        default="{}",
        metavar="JSON",
        help=f"more of what load_target takes: {EXAMPLE}",
    )
    parser.add_argument("--images", action="store_true", help="audit.onnx returns the pictures too")
    parser.add_argument("--directions", type=Path, help="edit directions (.safetensors) to build in as a constant")
    parser.add_argument("--precision", choices=("fp32", "fp16", "bf16"), default="fp32")
    parser.add_argument("--max-resolution", type=int, help="stop at this resolution")
    parser.add_argument("--output", type=Path, default=Path("exported"), help="folder for the files")
    parser.add_argument("--check", action="store_true", help="print the parity with torch and TensorRT's support")
    parser.add_argument("--tensorrt", action="store_true", help="build the engine of each file for this GPU beside it")
    return parser


def _target_options(text: str) -> dict[str, Any]:
    """The options of `load_target` in a JSON object; ConfigError for anything else."""
    wanted = f"write an object of load_target's options, such as {EXAMPLE}"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--target-options is no JSON ({one_line(error)}): {wanted}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"--target-options is no JSON object but {one_line(text, 80)}: {wanted}")
    return check_target_options(found)


def run(options: argparse.Namespace) -> None:
    """Export what the options ask for."""
    given = {name: True for name in ("trust", "download") if getattr(options, name)}
    about = {**given, **_target_options(options.target_options)}
    directions = None if options.directions is None else EditDirections.load(options.directions)
    shared: dict[str, Any] = {
        "generator_class": options.generator_class,
        "directions": directions,
        "max_resolution": options.max_resolution,
        "precision": options.precision,
    }
    written = [export_synthesis(options.model, options.output / "synthesis.onnx", **shared)]
    report(written[0], check=options.check)
    if options.target is not None:
        path = options.output / "audit.onnx"
        written.append(
            export_audit_graph(
                options.model, options.target, path, target_options=about, images=options.images, notify=tell, **shared
            )
        )
        report(written[1], check=options.check)
    for exported in written if options.tensorrt else ():
        exported.support.check()
        engine = exported.path.with_suffix(".engine")
        print(build_tensorrt_engine(exported.path, engine, cache=default_cache()))


def report(exported: Exported, *, check: bool) -> None:
    """Print what was written; with ``check`` its errors and operators. ExportError where TensorRT has a complaint."""
    print(f"{exported.path}  {exported.path.stat().st_size / 2**20:.1f} MiB")
    if not check:
        return
    for output, error in exported.parity.errors.items():
        cases = f"{exported.parity.runtime}, {exported.parity.cases} cases"
        print(f"  {output}: relative error {error:.1e} against torch in fp32 ({cases})")
    for operator, count in exported.support.operators.items():
        print(f"  {operator:20} {count:4}  {'in' if operator in OPERATORS else 'NOT in'} TensorRT's support table")
    exported.support.check()


if __name__ == "__main__":
    sys.exit(main())
