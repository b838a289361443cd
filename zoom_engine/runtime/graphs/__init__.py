"""Generator and target as ONNX graphs in memory: runtimes compile them, and exports write them."""

from zoom_engine.runtime.graphs.audit_graph import audit_model
from zoom_engine.runtime.graphs.synthesis_graph import float32_nodes, synthesis_model

__all__ = ["audit_model", "float32_nodes", "synthesis_model"]
