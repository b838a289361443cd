"""The reading of other projects' pickles without running them.

`interpreter.py` executes the pickle opcodes into plain containers and the inert `records.py`; `allow_list.py` says
which globals a file may name and what record each makes; `long_text.py` reads weights as they are written before
protocol 3; `torch_files.py` opens what `torch.save` writes.
"""

from __future__ import annotations

from zoom_engine.generators.checkpoints.pickles.interpreter import printable
from zoom_engine.generators.checkpoints.pickles.long_text import LongText
from zoom_engine.generators.checkpoints.pickles.records import (
    ArrayRecord,
    DtypeRecord,
    NetworkRecord,
    PersistentRecord,
    TensorRecord,
)
from zoom_engine.generators.checkpoints.pickles.torch_files import (
    is_legacy_torch_file,
    read_legacy_torch_file,
    read_network_pickle,
    read_torch_archive,
)

__all__ = [
    "ArrayRecord",
    "DtypeRecord",
    "LongText",
    "NetworkRecord",
    "PersistentRecord",
    "TensorRecord",
    "is_legacy_torch_file",
    "printable",
    "read_legacy_torch_file",
    "read_network_pickle",
    "read_torch_archive",
]
