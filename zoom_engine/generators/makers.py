"""What makes a generator of a name: a family that a package brings, or a function in a Python file.

Both take options of their own, and are told what an audit runs on where their signature names it: `device` (a text),
`cache` (a folder), `download` (whether to fetch what is published) and `trust` (whether code of others may run).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, get_type_hints

from torch import nn

from zoom_engine.common import registry
from zoom_engine.common.contracts import theirs
from zoom_engine.common.errors import ConfigError
from zoom_engine.common.files.cache import default_cache
from zoom_engine.common.python_object import import_object
from zoom_engine.common.typed import misfit, one_of

PYTHON = "python"
"""The family of what Python files hold."""
TOLD = ("device", "cache", "download", "trust")
"""What a maker may be told beside its options."""


class Asked:
    """What a generator is wanted for: the options that were given, and what an audit runs on."""

    def __init__(
        self, options: Mapping[str, Any], *, device: str, cache: str | Path | None, download: bool, trust: bool
    ) -> None:
        """Keep them; options that were not given are None."""
        self.options = {name: value for name, value in options.items() if value is not None}
        folder = default_cache() if cache is None else Path(cache)
        self.told: dict[str, Any] = {"device": device, "cache": folder, "download": download, "trust": trust}

    def of_family(self, name: str, rest: str) -> Any:
        """Return what a family makes of the `rest` behind its name; None where there is no such family.

        Raises:
            ConfigError: an option that it does not have, or a value of another type; or the family fails.
        """
        family = registry.find(registry.GENERATORS, name, taken=(PYTHON,))
        if family is None:
            return None
        maker = _Maker(family.load, f"generator family '{name}'", skipped=1)
        return self._made(maker, registry.asking(registry.GENERATORS, name, f"load '{rest}'"), rest)

    def of_python(self, spec: str) -> Any:
        """Return what "python:FILE.py:NAME" names: a generator, a torch module, or what a function of that name makes.

        Options that a function takes are no longer among `options` then.

        Raises:
            ConfigError: without trust; where the code is missing or fails.
        """
        registry.find(registry.GENERATORS, PYTHON, taken=(PYTHON,))  # refuses a package that claims the name
        trust = self.told["trust"]
        thing = import_object(spec, trust=trust, what="generator", usable=_is_or_makes_one, refusal=ConfigError)
        if _is_one(thing):
            return thing
        maker = _Maker(thing, f"generator {spec!r}")
        left = {} if maker.takes_any else {name: v for name, v in self.options.items() if name not in maker.hints}
        self.options = {name: value for name, value in self.options.items() if name not in left}
        made = self._made(maker, theirs(ConfigError, f"generator {spec!r} cannot be made"))
        self.options = left
        return made

    def none_left(self, called: str, known: tuple[str, ...] = ()) -> None:
        """Refuse options that are not `known`, by a ConfigError.

        Args:
            called: what messages call the generator.
            known: those that it has.
        """
        if (unknown := next((name for name in self.options if name not in known), None)) is not None:
            raise ConfigError(
                f"{called} has no option {one_of(unknown, known)}"
                if known
                else f"{called} has no options: leave out '{unknown}'"
            )

    def _made(self, maker: _Maker, failing: AbstractContextManager[None], *first: object) -> Any:
        """Call a maker with the options and with what it asks for."""
        if not maker.takes_any:
            self.none_left(maker.called, tuple(name for name in maker.hints if name not in TOLD))
        for name, value in self.options.items():
            if wrong := misfit(maker.hints.get(name, object), value):
                raise ConfigError(f"generator option '{name}' {wrong}")
        with failing:
            return maker.make(*first, **self.options, **{name: self.told[name] for name in TOLD if name in maker.hints})


class _Maker:
    """A function that makes generators: type hints of its options (`object` where there is none), whether it takes any.

    The first `skipped` of its parameters are no options.
    """

    def __init__(self, make: Callable[..., object], called: str, *, skipped: int = 0) -> None:
        self.make, self.called = make, called
        self.hints: dict[str, Any] = {}
        self.takes_any = False
        try:
            parameters = list(inspect.signature(make).parameters.values())[skipped:]
        except (TypeError, ValueError):  # of C
            return
        try:
            hints = get_type_hints(make)
        except Exception:  # names that only type checkers know
            hints = {}
        self.takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
        for one in parameters:
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
                hint = hints.get(one.name, object)
                self.hints[one.name] = object if Any in (hint, *getattr(hint, "__args__", ())) else hint


def _is_one(thing: object) -> bool:
    return isinstance(thing, nn.Module) or hasattr(thing, "render")


def _is_or_makes_one(thing: object) -> bool:
    return _is_one(thing) or callable(thing)
