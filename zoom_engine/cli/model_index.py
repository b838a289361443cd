"""`zoom-engine model-index`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from zoom_engine.cli.output import write_file
from zoom_engine.common.errors import ConfigError


def model_index(
    audit: Annotated[Path, Parameter(help="the folder of a finished audit")],
    /,
    *more: Annotated[Path, Parameter(help="further ones of the same model")],
    name: Annotated[
        str | None, Parameter(help="of the model; by default the card's", metavar="NAME", show_default=False)
    ] = None,
    card: Annotated[
        Path | None, Parameter(help="a README.md that the metadata is written into", metavar="FILE")
    ] = None,
) -> None:
    """Write audits into a model card of Hugging Face, as its field model-index.

    Without --card it prints the metadata, as YAML. For example:

      zoom-engine model-index audit --name mustache-classifier
    """
    if name is None and card is None:
        raise ConfigError("--name is missing: give it, or a --card that names the model")
    from zoom_engine.integrations.model_index import model_index, with_model_index
    from zoom_engine.statistics.diagnosis import Diagnosis

    audits = [Diagnosis.load(path) for path in (audit, *more)]
    if card is None:
        assert name is not None
        print(model_index(audits, name), end="")
        return
    write_file(card, with_model_index(card, audits, name).encode("utf-8", "backslashreplace"))
    print(f"Wrote model-index into {card}")
