"""`zoom-engine discover`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from zoom_engine.cli.options import MACHINE, TABLES, model_options, options, read_model_options, takes
from zoom_engine.cli.output import bold, screen
from zoom_engine.cli.start import starting, use_threads
from zoom_engine.common.notices import tell
from zoom_engine.common.progress import forced
from zoom_engine.settings.audit_settings import AuditSettings
from zoom_engine.settings.discovery_settings import OF_AUDITS, DiscoveryRun, DiscoverySettings

HOW = Group("How it is looked for", sort_key=1)


@takes(
    options(AuditSettings, "generator", "target", required=True, once=["target"]),
    options(DiscoveryRun, "images", "seed"),
    options(DiscoverySettings),
    options(AuditSettings, *(name for name in OF_AUDITS if name not in (*MACHINE, *TABLES, "download")), group=HOW),
    model_options(HOW),
)
def discover(
    *, out: Annotated[Path, Parameter(help="folder for the report and all else", metavar="FOLDER")], **given: Any
) -> None:
    r"""Find what a target model is sensitive to, with no attribute given.

    Half of the images are searched for the smallest edits that change the
    model's answer; the other half tests them. They are named by words of a
    vocabulary. The target must give gradients. For example:

      zoom-engine discover --generator avatars \
          --target avatars:mustache-biased-smiling --out found
    """
    from zoom_engine.audit.folder import check_folder

    use_threads(given.pop("threads", None))
    run = {name: given.pop(name) for name in ("images", "seed") if name in given}
    of_models = read_model_options(given)
    DiscoveryRun(**run)
    if not (out / "manifest.json").is_file():
        check_folder(out)
    with starting():
        from zoom_engine.common.terminal import wrapped
        from zoom_engine.discovery.discoverer import Discoverer
        from zoom_engine.discovery.page import headline

    discovery = Discoverer(progress=forced, notify=tell, **of_models).run(**run, out=out)
    width, colors = screen()
    print(discovery.table(width=width, colors=colors))
    print(f"\n{bold(wrapped(f'{headline(discovery)}.', width=width), colors)}")
    if command := discovery.command():
        print(f"{bold('Next:', colors)} audit what was named:\n  {command}")
    print(f"\nOpen {out / 'report.html'}")
