"""The options of `load_target` as a mapping from a configuration file, a command line or a caller, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

from zoom_engine.common.typed import check_options
from zoom_engine.targets.loading import load_target

_HINTS = {name: hint for name, hint in sorted(get_type_hints(load_target).items()) if name not in ("spec", "return")}


def check_target_options(options: Mapping[str, object] | None) -> dict[str, Any]:
    """Return `options` as keywords of `load_target`; None stands for one that is left to it.

    Raises:
        ConfigError: an option that it does not have, or a value of another type.
    """
    check_options(options or {}, _HINTS, "target option")
    return dict(options or {})
