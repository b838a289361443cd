"""The choice of the search: the one asked for, or the one that suits mode and target, with the reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoom_engine.common import registry
from zoom_engine.common.errors import ConfigError, TargetError, one_line
from zoom_engine.common.typed import one_of, plain
from zoom_engine.generators import EditableGenerator, check_gradients_of
from zoom_engine.search.contract import check_search_on_load
from zoom_engine.search.end import End
from zoom_engine.search.trials import Search
from zoom_engine.targets.target import Target

SUITED = {"single": ("scan", "scan"), "multi": ("minimal", "cmaes")}
"""By mode, the search that runs by default where the target gives gradients, and where it gives none."""


def search_type(name: str) -> type[Search] | None:
    """Return the class of the search called `name`, None where there is none."""
    search: type[Search] | None = registry.find(registry.SEARCHES, name)
    return search


def is_foreign(search: Search) -> bool:
    """Return whether a search is none of ours."""
    return not (registry.is_ours(registry.SEARCHES, type(search)) or isinstance(search, End))


def find_search(name: str, *, mode: str, options: Mapping[str, Any] | None = None) -> Search:
    """Return the search called `name` with its options.

    Args:
        name: one of `search_names`.
        mode: "single" or "multi".
        options: by name; "none" stands for None, which neither TOML nor a command line can say.

    Raises:
        ConfigError: for an unknown name, mode or option, and for a search that cannot do the mode.
    """
    kind: Any = search_type(name)
    if kind is None:
        raise ConfigError(f"there is no search {one_of(name, registry.all_names(registry.SEARCHES))}")
    _check_mode(mode)
    options = options or {}
    if not hasattr(kind, "__dataclass_fields__"):
        raise ConfigError(f"search {name} must be a dataclass of its options: {kind.__name__} is none")
    known = [field.name for field in dataclasses.fields(kind)]
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        raise ConfigError(f"{name} has no option {one_of(unknown, known)}")
    try:
        search: Search = kind(
            **{option: None if value == "none" else plain(value) for option, value in options.items()}
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"search {name}: {one_line(error)}") from error
    if mode not in search.modes:
        others = [other for other in registry.SEARCHES.ours if mode in registry.find(registry.SEARCHES, other).modes]
        how = "one attribute at a time" if mode == "multi" else "all attributes together"
        raise ConfigError(f"{name} has no {mode} mode, it moves {how}: use {', '.join(others)}")
    return search


def describe_search(search: Search) -> dict[str, Any]:
    """Return name and options, for the manifest."""
    return {"name": search.name, **dataclasses.asdict(search)}  # type: ignore[call-overload]


def choose_search(
    name: str | None,
    *,
    mode: str,
    target: Target,
    generator: EditableGenerator | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Search, str]:
    """Return the search for `target` on pictures of `generator`, and in a few words why this one.

    One attribute at a time is scanned. All together follow the gradient to the smallest edit (`Minimal`) where both
    target and generator give one, else CMA-ES searches without gradients.

    Args:
        name: the search that the user asks for; None chooses.
        mode: "single" or "multi".
        target: the model under audit.
        generator: what draws the pictures; None stands for one with gradients.
        options: the search's options, by name.

    Raises:
        ConfigError: see `find_search`; and for a package's search that breaks its contract.
        TargetError: when a gradient search is asked for by name and there are no gradients.
    """
    none = why_no_gradients(target, generator)
    if name is not None:
        search = find_search(name, mode=mode, options=options)
        if is_foreign(search):
            check_search_on_load(search)
        check_gradients(search, target, generator)
        return search, "it was asked for by name"
    _check_mode(mode)
    with_gradients, without = SUITED[mode]
    search = find_search(without if none else with_gradients, mode=mode, options=options)
    check_gradients(search, target, generator)
    if mode == "single":
        reason = "one attribute at a time needs no gradients"
        return search, f"{reason}, and {none}" if none else reason
    return search, f"all attributes move together and {none or 'the target gives gradients'}"


def why_no_gradients(target: Target, generator: EditableGenerator | None = None) -> str:
    """Return which of target and generator gives no gradients, and why; "" where both give them."""
    if not target.differentiable:
        return f"the target gives no gradients ({target.note or 'forward only'})"
    return "" if generator is None or generator.differentiable else "the generator gives no gradients (forward only)"


def check_search_options(name: str | None, *, mode: str, options: Mapping[str, Any] | None = None) -> None:
    """Refuse what `choose_search` would refuse for every target, before there is one.

    Raises:
        ConfigError: as `find_search`.
    """
    _check_mode(mode)
    refusals = []
    for possible in dict.fromkeys(SUITED[mode]) if name is None else (name,):
        try:
            find_search(possible, mode=mode, options=options)
            return
        except ConfigError as error:
            refusals.append(str(error))
    raise ConfigError("; ".join(refusals))


def check_gradients(search: Search, target: Target, generator: EditableGenerator | None = None) -> None:
    """Refuse a gradient search where there are no gradients.

    Raises:
        TargetError: names the searches that can run.
        ConfigError: the generator's gradients are wrong.
    """
    none = why_no_gradients(target, generator)
    if search.needs_gradient and none:
        raise TargetError(
            f"target {target.name!r}: {none}, which {search.name} needs:"
            " use search scan (mode single) or cmaes (mode multi)"
        )
    if search.needs_gradient and generator is not None:
        check_gradients_of(generator)


def _check_mode(mode: str) -> None:
    if mode not in SUITED:
        raise ConfigError(f"there is no mode {mode!r}: choose single or multi")
