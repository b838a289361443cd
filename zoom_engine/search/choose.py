"""Which search runs: the one asked for, or the one that suits mode and target; and why."""

from __future__ import annotations

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


def find_search(name: str, *, mode: str, **options: Any) -> Search:
    """The search called `name` ("scan", "sgd", "pgd", "cmaes"), for mode "single" or "multi", with its options.

    Raises:
        ConfigError: for an unknown name, mode or option, and for a search that cannot do the mode.
    """
    if name not in SEARCHES:
        raise ConfigError(f"there is no search {name!r}: choose one of {', '.join(SEARCHES)}")
    if mode not in ("single", "multi"):
        raise ConfigError(f"there is no mode {mode!r}: choose single or multi")
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
    options = dict(options or {})
    if name is not None:
        search = find_search(name, mode=mode, **options)
        check_gradients(search, target)
        return search, "it was asked for by name"
    none = f"the target gives no gradients ({target.note or 'forward only'})"
    if mode == "single":
        reason = "one attribute at a time needs no gradients"
        return find_search("scan", mode=mode, **options), reason if target.differentiable else f"{reason}, and {none}"
    if target.differentiable:
        return find_search("sgd", mode=mode, **options), "all attributes move together and the target gives gradients"
    return find_search("cmaes", mode=mode, **options), f"all attributes move together and {none}"


def check_gradients(search: Search, target: Target) -> None:
    """Refuse a gradient search on a target without gradients, by a `TargetError` that names what can run."""
    if search.needs_gradient and not target.differentiable:
        raise TargetError(
            f"target {target.name!r} gives no gradients ({target.note or 'forward only'}), which {search.name} needs:"
            " use search scan (mode single) or cmaes (mode multi)"
        )
