"""The generator's hot operators: native code where it can run, else plain torch; `implementation` says which.

`composition` has the plain torch versions (for exporters), `native` the extension and its instruction sets. The literal
definitions, which both are compared with, are in the tests.
"""

from __future__ import annotations

from zoom_engine.ops.dispatch import compiled_on, implementation
from zoom_engine.ops.modulated_conv import modulated_conv2d
from zoom_engine.ops.native import (
    isa,
    native_available,
    release_memory,
    select_isa,
    supported_isas,
)
from zoom_engine.ops.packed import State, state_of
from zoom_engine.ops.upsample import upsample2x

__all__ = [
    "State",
    "compiled_on",
    "implementation",
    "isa",
    "modulated_conv2d",
    "native_available",
    "release_memory",
    "select_isa",
    "state_of",
    "supported_isas",
    "upsample2x",
]
