"""The explorer in a notebook: the page as a widget, and this process in place of the server."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from zoom_engine import report
from zoom_engine.commands.explore.explorer import Explorer
from zoom_engine.commands.explore.messages import frame, unpacked
from zoom_engine.commands.explore.sources import load_explored
from zoom_engine.commands.explore.worker import Client, Worker
from zoom_engine.common.errors import ConfigError, imported
from zoom_engine.common.progress import ProgressFactory, in_notebooks

MODULES = ("state.js", "views.js", "explore.js", "widget.js")


def explore(
    audits: str | Path | Sequence[str | Path] = (), *, progress: ProgressFactory = in_notebooks, **options: Any
) -> Any:
    """Show attributes as sliders in a notebook, with the picture and the model's answer, as `zoom-engine explore` does.

    It takes the extra "notebook".

    Args:
        audits: the folder of an audit, or several along the same attributes of one generator; none where options name
            a generator and a target.
        progress: how work shows itself.
        **options: fields of `AuditSettings`, in place of what an audit says, but `target` may be a list of targets to
            show beside one another.

    Returns:
        A widget of anywidget, which the notebook shows.

    Raises:
        ZoomError: an audit cannot be read, or an option is missing or wrong.
    """
    anywidget = imported("anywidget", ConfigError, "the widget cannot be shown", install="zoom-engine[notebook]")
    folders = [audits] if isinstance(audits, str | Path) else audits
    targets = options.get("target")
    if targets is not None and not isinstance(targets, list | tuple):
        options["target"] = [targets]
    explored = load_explored([Path(folder) for folder in folders], options, progress=progress)
    return widget_of(Explorer(explored), anywidget.AnyWidget)


def widget_of(explorer: Explorer, base: Any) -> Any:
    """Return a widget of the class `base`, anywidget's, that shows an explorer."""
    from traitlets import Unicode

    markup, style = page()
    worker = Worker(explorer)

    def close(self: Any) -> None:  # the thread holds the models
        worker.close()
        base.close(self)

    members = {
        "close": close,
        "_esm": script(),
        "page_markup": Unicode(markup).tag(sync=True),
        "page_style": Unicode(style).tag(sync=True),
    }
    widget = type("ExplorerWidget", (base,), members)()
    client = Client(_in_loop(lambda: _send(widget, client)))
    worker.add(client)

    def asked(_: object, content: Any, __: object) -> None:
        if content == {"kind": "hello"}:
            client.post("about", frame("about", explorer.about()))
        else:
            worker.receive(client, json.dumps(content))

    widget.on_msg(asked)
    worker.start()
    return widget


def _send(widget: Any, client: Client) -> None:
    for content in client.take():
        widget.send(*unpacked(content))


def _in_loop(work: Callable[[], None]) -> Callable[[], None]:
    """Return what has `work` done by the loop that runs in this thread, as a notebook's does; at once without one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return work
    return lambda: _soon(loop, work)


def _soon(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(work)


def script() -> str:
    """Return the page's modules as one: a widget has a single one."""
    folder = resources.files(__package__) / "static"
    texts = [(folder / name).read_text(encoding="utf-8") for name in MODULES]
    return "\n".join(
        re.sub(r"^export (?!default)", "", re.sub(r"^import [^;]*;\n", "", text, flags=re.M), flags=re.M)
        for text in texts
    )


def page() -> tuple[str, str]:
    """Return the page's markup and its style, for a shadow root: what is of the document there is of the host."""
    folder, templates = resources.files(__package__) / "static", resources.files(report) / "templates"
    markup = (folder / "index.html").read_text(encoding="utf-8")
    style = (templates / "style.css").read_text(encoding="utf-8").replace(":root", ":host")
    style = re.sub(r"^body \{", ".explore {", style, flags=re.M)
    return markup, style + (folder / "explore.css").read_text(encoding="utf-8")
