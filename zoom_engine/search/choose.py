"""Which search runs: the one asked for, or the one that suits mode and target; and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from zoom_engine.errors import ConfigError, TargetError
from zoom_engine.search.cmaes import CMAES
from zoom_engine.search.iterates import Search
from zoom_engine.search.pgd import PGD
from zoom_engine.search.scan import Scan
from zoom_engine.search.sgd import SGD
from zoom_engine.targets.target import Target

SEARCHES: dict[str, type[Scan] | type[SGD] | type[PGD] | type[CMAES]] = {
    "scan": Scan,
    "sgd": SGD,
    "pgd": PGD,
    "cmaes": CMAES,
}
SUITED = {"single": ("scan", "scan"), "multi": ("sgd", "cmaes")}
"""Of each mode the search that runs unasked where the target gives gradients, and where it gives none."""


def find_search(name: str, *, mode: str, options: Mapping[str, Any] | None = None) -> Search:
    """The search called `name` ("scan", "sgd", "pgd", "cmaes"), for mode "single" or "multi", with its options.

    Raises:
        ConfigError: for an unknown name, mode or option, and for a search that cannot do the mode.
    """
    if name not in SEARCHES:
        raise ConfigError(f"there is no search {name!r}: choose one of {', '.join(SEARCHES)}")
    _check_mode(mode)
    options = options or {}
    known = [field.name for field in dataclasses.fields(SEARCHES[name])]
    unknown = next((option for option in options if option not in known), None)
    if unknown is not None:
        raise ConfigError(f"{name} has no option {unknown!r}: its options are {', '.join(known)}")
    try:
        search = SEARCHES[name](**options)
    except TypeError as error:
        raise ConfigError(f"search {name}: {error}") from error
    if mode not in search.modes:
        how = (
            "one attribute at a time: use sgd, pgd or cmaes"
            if mode == "multi"
            else "all attributes together: use scan, sgd or pgd"
        )
        raise ConfigError(f"{name} has no {mode} mode, it moves {how}")
    return search


def choose_search(
    name: str | None, *, mode: str, target: Target, options: Mapping[str, Any] | None = None
) -> tuple[Search, str]:
    """The search for `target`, and in a few words why it is this one.

    One attribute at a time is scanned. All together follow the gradient (sgd) where the target gives one,
    else CMA-ES finds its way without.

    Raises:
        ConfigError: see `find_search`.
        TargetError: when a gradient search is asked for by name and the target gives no gradients.
    """
    if name is not None:
        search = find_search(name, mode=mode, options=options)
        check_gradients(search, target)
        return search, "it was asked for by name"
    _check_mode(mode)
    with_gradients, without = SUITED[mode]
    search = find_search(with_gradients if target.differentiable else without, mode=mode, options=options)
    none = f"the target gives no gradients ({target.note or 'forward only'})"
    if mode == "single":
        reason = "one attribute at a time needs no gradients"
        return search, reason if target.differentiable else f"{reason}, and {none}"
    gives = "the target gives gradients" if target.differentiable else none
    return search, f"all attributes move together and {gives}"


def check_search(name: str | None, *, mode: str, options: Mapping[str, Any] | None = None) -> None:
    """Refuse what `choose_search` would refuse for every target, before there is one. Raises ConfigError."""
    _check_mode(mode)
    refusals = []
    for possible in dict.fromkeys(SUITED[mode]) if name is None else (name,):
        try:
            find_search(possible, mode=mode, options=options)
            return
        except ConfigError as error:
            refusals.append(str(error))
    raise ConfigError("; ".join(refusals))


def check_gradients(search: Search, target: Target) -> None:
    """Refuse a gradient search on a target without gradients, by a `TargetError` that names what can run."""
    if search.needs_gradient and not target.differentiable:
        raise TargetError(
            f"target {target.name!r} gives no gradients ({target.note or 'forward only'}), which {search.name} needs:"
            " use search scan (mode single) or cmaes (mode multi)"
        )


def _check_mode(mode: str) -> None:
    if mode not in SUITED:
        raise ConfigError(f"there is no mode {mode!r}: choose single or multi")
