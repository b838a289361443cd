"""`zoom-engine inspect`."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from zoom_engine.cli.options import INPUT, given_of, input_options, options, takes
from zoom_engine.cli.output import screen
from zoom_engine.settings.audit_settings import AuditSettings

FILE = (
    "a file or folder, a domain (avatars), FAMILY:REST of a package, torchvision:NAME@WEIGHTS, timm:NAME@WEIGHTS,"
    " hf-hub:OWNER/NAME"
)


@takes(options(AuditSettings, "generator_class", "download"), input_options())
def inspect(file: Annotated[str, Parameter(help=FILE)], /, **given: Any) -> None:
    """Say what a generator or target file holds, and why it is refused."""
    from zoom_engine.commands.inspection import describe_file

    read = given_of(INPUT, given)
    described = describe_file(file, read, **given_of(("generator_class", "download"), given))
    print(described.wrapped(screen().width))
    if described.refusal is not None:
        raise described.refusal
