"""Domains: packages that bring a generator, a text encoder and targets, found by name.

A package registers one under the entry-point group ``zoom_engine.domains``, so that the engine never imports
it:

    [project.entry-points."zoom_engine.domains"]
    avatars = "zoom_engine.avatars.domain:domain"

The entry point names a `Domain` object, or a class or function that makes one when called without arguments.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from zoom_engine.errors import ConfigError, one_line

if TYPE_CHECKING:
    from zoom_engine.generators import StyleGAN2
    from zoom_engine.targets import Target
    from zoom_engine.text import TextEncoder

GROUP = "zoom_engine.domains"
_MEMBERS = ("name", "neutral", "attributes", "generator", "text_encoder", "target_names", "target")


@runtime_checkable
class Domain(Protocol):
    """What a domain offers; every member is looked up once, when the domain is found.

    ``neutral`` and ``attributes`` are the domain's default prompts. ``generator()``, ``text_encoder()`` and
    ``target(name)`` return frozen models, ready for use.
    """

    name: str
    neutral: str
    attributes: tuple[str, ...]

    def generator(self) -> StyleGAN2: ...

    def text_encoder(self) -> TextEncoder: ...

    def target_names(self) -> tuple[str, ...]: ...

    def target(self, name: str) -> Target: ...


def domain_names() -> tuple[str, ...]:
    """Names of all registered domains, sorted. Nothing is imported."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find_domain(name: str) -> Domain | None:
    """The domain registered as ``name``, or None where there is none.

    Raises ConfigError where two packages claim the name, where the entry point cannot be imported, and where
    what it names is no domain.
    """
    # A package can be on the path twice (an editable install and the checkout itself): equal entry points
    # are one.
    entries: dict[str, EntryPoint] = {entry.value: entry for entry in entry_points(group=GROUP, name=name)}
    if not entries:
        return None
    if len(entries) > 1:
        claims = ", ".join(sorted(entries))
        raise ConfigError(f"domain '{name}' is registered by more than one package ({claims}): uninstall all but one")
    return _load(next(iter(entries.values())))


def _load(entry: EntryPoint) -> Domain:
    try:
        loaded = entry.load()
        domain = loaded() if isinstance(loaded, type) or not isinstance(loaded, Domain) else loaded
    except Exception as error:  # whatever a third-party package raises while it is imported
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"domain '{entry.name}' ({entry.value}) cannot be loaded: {reason}") from error
    missing = [member for member in _MEMBERS if not hasattr(domain, member)]
    if missing:
        raise ConfigError(
            f"domain '{entry.name}' ({entry.value}) lacks {', '.join(missing)}: see zoom_engine.domains.Domain"
        )
    return cast(Domain, domain)
