"""What the recipes need to know of a domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.captions import DrawCaption
from zoom_engine.domains.subject import Subject
from zoom_engine.domains.truth import Table


@dataclass(frozen=True, eq=False)
class TrainingSubject(Subject[Table]):
    """A domain's subject and the words that its text encoder learns; ``seed`` is that of its probe, generator and text
    encoder, which see so many ``images``; ``probe`` is the file of the first."""

    name: str
    draw_caption: DrawCaption
    vocabulary: Callable[[], list[str]]
    zero_shot_prompts: Callable[[str], tuple[str, str]]
    seed: int
    images: int
    probe: Path
