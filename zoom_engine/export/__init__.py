"""Export: generator and target as ONNX files that runtimes take, checked against torch before they are written."""

from zoom_engine.export.audit_file import export_audit_graph
from zoom_engine.export.synthesis_file import Exported, export_synthesis
from zoom_engine.runtime.tensorrt_session import build_tensorrt_engine

__all__ = ["Exported", "build_tensorrt_engine", "export_audit_graph", "export_synthesis"]
