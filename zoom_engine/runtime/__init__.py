"""The runtimes that execute forward passes, chosen by name or by what the machine has."""

from __future__ import annotations

from zoom_engine.runtime.compiled_networks import (
    compiled_network,
    compiled_reader,
    compiled_target,
    compiled_text_encoder,
)
from zoom_engine.runtime.select import Synthesizer, check_backend, choose_synthesizer, network_runtime

__all__ = [
    "Synthesizer",
    "check_backend",
    "choose_synthesizer",
    "compiled_network",
    "compiled_reader",
    "compiled_target",
    "compiled_text_encoder",
    "network_runtime",
]
