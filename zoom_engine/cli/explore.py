"""`zoom-engine explore`."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from zoom_engine.cli.options import model_options, options, read_model_options, takes
from zoom_engine.cli.output import say
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.errors import ConfigError, imported
from zoom_engine.common.notices import tell
from zoom_engine.common.progress import forced
from zoom_engine.settings.audit_settings import AuditSettings

HOW = Group("What is edited, and how far", sort_key=1)
OF_PICTURES = ("neutral", "labels", "text_encoder", "templates", "directions", "keep", "samples", "threshold", "level")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PORT = 8760


@takes(
    options(AuditSettings, "generator", "target", "attributes", "photos"),
    options(AuditSettings, "generator_class", "preset", *OF_PICTURES, "truncation", "truncation_cutoff", group=HOW),
    options(AuditSettings, "edit_range", "decisive_change", group=HOW),
    model_options(HOW),
)
def explore(
    *audits: Annotated[Path, Parameter(help="audit folders, whose targets are shown beside one another")],
    port: Annotated[int, Parameter(help="of the page; 0 is any that is free", metavar="N")] = PORT,
    host: Annotated[str, Parameter(help="address to listen at", metavar="ADDRESS")] = LOOPBACK[0],
    expose: Annotated[
        bool,
        Parameter(help="allow a --host that other machines reach; nothing is encrypted", show_default=False),
    ] = False,
    no_open: Annotated[bool, Parameter(help="print the address, open no browser", show_default=False)] = False,
    **given: Any,
) -> None:
    """Open a page where attributes are sliders, and the model answers as they move.

    Give the folder of an audit, finished or not, or a generator and a target.
    It takes the extra: pip install "zoom-engine[explore]". For example:

      zoom-engine explore audit
      zoom-engine explore --generator avatars --target avatars:mustache
    """
    if host not in LOOPBACK and not expose:
        raise ConfigError(
            f"--host {host} lets other machines reach the page: whoever has its address can drive the models, and"
            " nothing is encrypted; add --expose if that is meant, or forward the port through SSH"
        )
    for module in ("starlette", "uvicorn", "websockets"):
        imported(module, ConfigError, "the page cannot be served", install="zoom-engine[explore]")
    use_threads(given.pop("threads", None))
    with starting():
        from zoom_engine.commands.explore.explorer import Explorer
        from zoom_engine.commands.explore.server import listen, serve
        from zoom_engine.commands.explore.sources import load_explored

    def opened(address: str) -> None:
        print(f"Open {address}", flush=True)
        say("Ctrl-C ends it")
        if not no_open:
            threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()

    with listen(host, port) as listening:  # a port that is taken is told before models are loaded
        explored = load_explored(audits, read_model_options(given), progress=forced, notify=tell)
        serve(Explorer(explored), host=host, listening=listening, opened=opened)
