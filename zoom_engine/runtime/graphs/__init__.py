"""Generator and target as ONNX graphs in memory: runtimes compile them, and exports write them."""

from zoom_engine.runtime.graphs.audit_graph import audit_model
from zoom_engine.runtime.graphs.synthesis_graph import kept_in_float32, synthesis_model

__all__ = ["audit_model", "kept_in_float32", "synthesis_model"]
