"""`zoom-engine export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from zoom_engine.cli.options import options, read_target_options, takes, target_options
from zoom_engine.cli.start import starting
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.notices import tell
from zoom_engine.settings.audit_settings import AuditSettings

if TYPE_CHECKING:
    from zoom_engine.export import Exported

FILE = "edit directions (.safetensors) to build in as a constant"
RESOLUTION = "stop at this resolution"
Flag = Annotated[bool, Parameter(show_default=False)]


@takes(
    options(AuditSettings, "generator", required=True),
    options(AuditSettings, "generator_class", "target", once=["target"]),
    target_options(),
)
def export(
    *,
    images: Annotated[Flag, Parameter(help="audit.onnx returns the pictures too")] = False,
    directions: Annotated[Path | None, Parameter(help=FILE, metavar="FILE")] = None,
    precision: Annotated[Literal["fp32", "fp16", "bf16"], Parameter(help="of the generator", metavar="")] = "fp32",
    max_resolution: Annotated[int | None, Parameter(help=RESOLUTION, metavar="N")] = None,
    check: Annotated[Flag, Parameter(help="print the parity with torch and TensorRT's support")] = False,
    tensorrt: Annotated[Flag, Parameter(help="build the engine of each file for this GPU beside it")] = False,
    out: Annotated[Path, Parameter(help="folder for the files", metavar="FOLDER")] = Path("exported"),
    **given: Any,
) -> None:
    """Write a generator as ONNX (synthesis.onnx), with --target the whole audit too (audit.onnx)."""
    generator, target, about = given["generator"], given.get("target"), read_target_options(given)
    if target is None and (images or about):
        told = "--images is" if images else "options on how a target is read are"
        raise ConfigError(f"{told} of audit.onnx, which needs a target: name it with --target")
    with starting():
        from zoom_engine.directions import EditDirections
        from zoom_engine.export import build_tensorrt_engine, export_audit_graph, export_synthesis

    shared: dict[str, Any] = {
        "generator_class": given.get("generator_class"),
        "directions": None if directions is None else EditDirections.load(directions),
        "max_resolution": max_resolution,
        "precision": precision,
    }
    written = [export_synthesis(generator, out / "synthesis.onnx", **shared)]
    report(written[0], check=check)
    if target is not None:
        path = out / "audit.onnx"
        audit = export_audit_graph(generator, target, path, target_options=about, images=images, notify=tell, **shared)
        report(audit, check=check)
        written.append(audit)
    for exported in written if tensorrt else ():
        exported.support.check()
        engine = exported.path.with_suffix(".engine")
        print(build_tensorrt_engine(exported.path, engine, cache=default_cache()))


def report(exported: Exported, *, check: bool) -> None:
    """Print what was written; with `check` its errors and operators too.

    Raises:
        ExportError: TensorRT has a complaint.
    """
    from zoom_engine.export.tensorrt_support import OPERATORS

    print(f"{exported.path}  {exported.path.stat().st_size / 2**20:.1f} MiB")
    if not check:
        return
    for output, error in exported.parity.errors.items():
        cases = f"{exported.parity.runtime}, {exported.parity.cases} cases"
        print(f"  {output}: relative error {error:.1e} against torch in fp32 ({cases})")
    for operator, count in exported.support.operators.items():
        known = "in" if operator in OPERATORS else "NOT in"
        print(f"  {operator:20} {count:4}  {known} TensorRT's support table")
    exported.support.check()
