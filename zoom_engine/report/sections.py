"""The sections of a report, in their order: one template and one name each, and those of packages before the limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from zoom_engine.common import registry
from zoom_engine.common.errors import AuditError
from zoom_engine.report.environment import template
from zoom_engine.report.page import Page


class ReportSection(Protocol):
    """A section of the report of an audit."""

    @property
    def name(self) -> str:
        """Return the id of its heading, to which links lead."""

    def html(self, page: Page) -> str:
        """Return the section as HTML that needs nothing but itself, "" where there is nothing to say.

        It must escape what it shows of an audit's texts.
        """
        ...


@dataclass(frozen=True)
class Templated:
    """The section of the template `sections/NAME.html.j2`."""

    name: str

    def html(self, page: Page) -> str:
        """See `ReportSection`."""
        source = page.source
        return template(f"sections/{self.name}.html.j2").render(
            page=page,
            source=source,
            s=source.summary,
            single=source.summary.mode == "single",
            any=source.counts[None],
            m=template("macros.html.j2").module,
        )


BEFORE = "limits"
"""The section before which those of packages stand."""
SECTIONS: dict[str, ReportSection] = {
    name: Templated(name)
    for name in (
        "findings",
        "how",
        "bars",
        "strips",
        "images",
        "photographs",
        "curves",
        "parts",
        "groups",
        "side_effects",
        "sheets",
        "numbers",
        "limits",
        "provenance",
        "sign",
        "settings",
    )
}


def sections_of(page: Page) -> str:
    """Return all sections of a page, one after the other.

    Raises:
        AuditError: a package's section fails, or gives no text.
        ConfigError: two packages, or one and the engine, have a section of one name, or it is none.
    """
    return "\n\n".join(html for html in _htmls(page) if html)


def _htmls(page: Page) -> Iterator[str]:
    for name, section in SECTIONS.items():
        if name == BEFORE:
            yield from (_of_package(other, page) for other in registry.names(registry.REPORT_SECTIONS))
        yield section.html(page).strip("\n")


def _of_package(name: str, page: Page) -> str:
    section: ReportSection = registry.find(registry.REPORT_SECTIONS, name, taken=SECTIONS)
    with registry.asking(registry.REPORT_SECTIONS, name, "be written"):
        html: object = section.html(page)
    if not isinstance(html, str):
        raise AuditError(f"report section '{name}' gives a {type(html).__name__} in place of a text: uninstall it")
    return html.strip("\n")
