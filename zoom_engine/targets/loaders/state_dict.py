"""The reading of a state-dict from a file that others made: safetensors, or torch's format, none of it run."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from zoom_engine.common.errors import TargetError, one_line
from zoom_engine.common.files.archives import grows
from zoom_engine.common.files.kinds_of_file import holds_safetensors
from zoom_engine.common.threads import quiet

AVERAGED = ("state_dict_ema", "model_ema")
"""Where trainers store the average of the last weights beside them: timm loads that where it is there."""
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "module")
AVERAGED_TAKEN = "the averaged weights of its file are taken, as timm takes them"
BESIDE = "the weights of its file beside"
PREFIXES = ("module.", "model.", "net.", "network.", "backbone.", "_orig_mod.")
HARMLESS = ("argparse", "collections", "datetime", "enum", "pathlib", "types")
"""Modules of the standard library whose objects trainers store beside weights; those of others may be code."""


def read_state_dict(path: Path) -> tuple[dict[str, Tensor], str]:
    """Return names and tensors of `path`, on the CPU, and a note on them, "" without one.

    They are taken out of the usual containers ("state_dict", …), without what wrappers leave: prefixes ("module.", …),
    and a count of what was averaged. Where the file has averaged weights too, these are taken, and a note says so.
    Objects beside the weights, such as a trainer's arguments, are passed over: nothing of them is imported or made.

    Raises:
        TargetError: for a damaged file, one without a state-dict of tensors alone, or values that are not finite.
    """
    would_run = (
        f"{path}: refused, since it holds more than tensors and would run code: save model.state_dict(), or safetensors"
    )
    try:
        content: Any
        if holds_safetensors(path):
            content = load_file(path)
        else:
            if grows(path):
                raise TargetError(
                    f"{path}: refused, since it unpacks to more than it is, as no file of torch.save does:"
                    " save model.state_dict()"
                )
            with quiet(), safe_globals([(_PassedOver, name) for name in _passed_over(path)]):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except TargetError:
        raise
    except Exception as error:  # pickle, zip, torch and safetensors each raise their own
        if not isinstance(error, SafetensorError) and "weights_only" in str(error).lower():
            raise TargetError(would_run) from error
        raise TargetError(f"{path}: is not a state-dict file, or a damaged one ({one_line(error)})") from error
    note = ""
    for key in (*AVERAGED, *CONTAINERS):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            note = f"{AVERAGED_TAKEN}: {key}" if key in AVERAGED else note
    values = content.values() if isinstance(content, Mapping) else (content,)
    if any(isinstance(value, _PassedOver) for value in values):
        raise TargetError(would_run)
    if not isinstance(content, Mapping) or not content:
        raise TargetError(f"{path}: holds no state-dict: save model.state_dict()")
    state = {key: value for key, value in content.items() if not (note and key == "n_averaged")}
    if not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()):
        raise TargetError(f"{path}: holds no state-dict of tensors alone: save model.state_dict()")
    while prefix := next((one for one in PREFIXES if state and all(key.startswith(one) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    size = path.stat().st_size
    if large := next((name for name, value in state.items() if value.numel() * value.element_size() > size), None):
        raise TargetError(
            f"{path}: refused, since {one_line(large, 80)!r} claims more numbers than the file holds: save"
            " model.state_dict()"
        )
    bad = next((k for k, v in state.items() if v.is_floating_point() and not _is_finite(v, path, k)), None)
    if bad is not None:
        raise TargetError(
            f"{path}: its weights {bad!r} hold NaN or infinity: the file is damaged, or training diverged"
        )
    return state, note


class _PassedOver:
    """What an object becomes that a file names: nothing, whatever it is made of."""

    def __new__(cls, *_: object) -> _PassedOver:
        """Make nothing of the arguments."""
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        """Keep nothing of the arguments."""

    def __setstate__(self, state: object) -> None:
        """Keep nothing of the state."""


def _passed_over(path: Path) -> list[str]:
    """Return the classes that torch's file names beside tensors and that no code hides in, without importing them."""
    if not zipfile.is_zipfile(path):
        return []
    known = sys.stdlib_module_names - {*HARMLESS, "__main__"}
    return [name for name in get_unsafe_globals_in_checkpoint(path) if name.partition(".")[0] not in known]


def _is_finite(value: Tensor, path: Path, name: str) -> bool:
    """Return whether all values are finite.

    TargetError where torch cannot say: of types of 4 and 8 bits, and of more axes than it counts in.
    """
    try:
        return bool(value.isfinite().all())
    except RuntimeError as error:
        kind = f"{str(value.dtype).removeprefix('torch.')} in {value.ndim} axes"
        raise TargetError(
            f"{path}: {one_line(name, 80)!r}, {kind}, cannot be read ({one_line(error, 120)}): save float32 or float16"
        ) from error
