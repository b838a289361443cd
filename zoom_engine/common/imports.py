"""Imports that take seconds."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

_COMPILER = "torch._dynamo.utils"


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Take less time for imports meanwhile: look for no garbage, and load no compiler that nobody uses yet.

    The first is a fifth of the time of such imports, which leave next to none. The second is torch's compiler, which
    torchvision and timm, and so open_clip, load for one function each: more than a second.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        with _compiler_later():
            yield
    finally:
        if collected:
            gc.enable()


class _Compiler(types.ModuleType):
    """What stands for the module `_COMPILER` until something of it is used."""

    @staticmethod
    def is_compile_supported(*args: Any) -> Any:
        """Do what the module's function of this name does, which torchvision keeps."""
        return importlib.import_module(_COMPILER).is_compile_supported(*args)

    def __getattr__(self, name: str) -> Any:
        """Return what the module itself has by this name."""
        if name.startswith("__"):  # as who looks at all modules asks
            raise AttributeError(name)
        if sys.modules.get(_COMPILER) is self:
            del sys.modules[_COMPILER]
        return getattr(importlib.import_module(_COMPILER), name)


@contextlib.contextmanager
def _compiler_later() -> Iterator[None]:
    """Let torch's compiler be imported when it is first used. Without torch, or with its compiler, change nothing."""
    torch: Any = sys.modules.get("torch")
    if _COMPILER in sys.modules or not hasattr(torch, "compiler"):
        yield
        return
    disable, place = torch.compiler.disable, _Compiler(_COMPILER)

    @functools.wraps(disable)
    def disabled(fn: Callable[..., Any] | None = None, *args: Any, **options: Any) -> Any:
        """Have the compiler leave a function alone, from its first call on."""
        if fn is None:
            return lambda function: disabled(function, *args, **options)
        if not isinstance(fn, types.FunctionType):
            return disable(fn, *args, **options)
        made = functools.cache(lambda: disable(fn, *args, **options))
        return functools.wraps(fn)(lambda *given, **named: made()(*given, **named))

    sys.modules[_COMPILER], torch.compiler.disable = place, disabled
    try:
        yield
    finally:
        torch.compiler.disable = disable
        if sys.modules.get(_COMPILER) is place:
            del sys.modules[_COMPILER]
