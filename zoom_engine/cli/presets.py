"""`zoom-engine presets`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import screen
from zoom_engine.common.plurals import number_of
from zoom_engine.common.terminal import wrapped
from zoom_engine.settings.presets import preset_file, preset_names, read_preset


def presets(name: Annotated[str | None, Parameter(help="print this one's file, to copy and change")] = None, /) -> None:
    """List the sets of prompts for published generators, or print one.

    With a checkpoint and an open_clip model on disk, an audit is one line:

      zoom-engine diagnose --preset faces:age --generator ffhq.pkl --target age.onnx --out audit
    """
    if name is not None:
        print(preset_file(name).read_text(encoding="utf-8").rstrip())
        return
    for preset_name in preset_names():
        preset = read_preset(preset_file(preset_name))
        attributes = number_of(len(preset.attributes), "attribute")
        text = f"{preset_name:10}{preset.title}; {attributes}; labels: {', '.join(preset.labels)}"
        print(wrapped(text, width=screen().width, hanging=10))
